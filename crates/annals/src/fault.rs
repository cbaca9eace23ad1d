//! What can break while the evidence is opened or read.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("could not use {name}: {source}")]
    File { name: String, source: io::Error },
    #[error("{name} is damaged: expected {expected}, found something else")]
    Changed { name: String, expected: &'static str },
    #[error("entry {index} is not here: expected one below {size}")]
    Beyond { index: u64, size: u64 },
}

pub(crate) fn file(name: impl Into<String>) -> impl FnOnce(io::Error) -> Fault {
    let name = name.into();
    move |source| Fault::File { name, source }
}
