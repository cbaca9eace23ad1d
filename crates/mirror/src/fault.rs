//! What can break on the mirror's side. All of it ends the process; the warden starts it anew.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("expected a data folder, found none")]
    NoFolder,
    #[error("could not use the file {name}: {source}")]
    File { name: &'static str, source: io::Error },
    #[error("the file {name} is not what it was: expected {expected}, found something else")]
    Changed { name: &'static str, expected: &'static str },
    #[error("could not write or flush the copy: {0}")]
    Store(io::Error),
    #[error("could not use a channel: {0}")]
    Wire(wire::Fault),
    #[error("could not begin: {0}")]
    House(compartment::Fault),
}

impl Fault {
    /// Whether room is what is missing.
    pub fn is_full(&self) -> bool {
        match self {
            Self::File { source, .. } | Self::Store(source) => {
                compartment::is_full_by_kernel(source)
            }
            _ => false,
        }
    }
}
