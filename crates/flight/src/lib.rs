//! A message in flight through one process: its octets, and what a scanner says of it.
//!
//! Shared by whoever takes mail in: `edge` from strangers, `access` and `dispatch` from people.
//!
//! # Never  knows who a message is for; takes one apart itself; keeps one
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod text;

mod examination;

mod date;

#[cfg(test)]
mod tests;

pub use date::date;
pub use examination::{Scanners, examine};
pub use text::Text;

/// What broke while a message was in hand.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("could not hold a message")]
    Hold(#[source] wire::Fault),
    #[error("could not read or write a message held in memory")]
    Memory(#[source] std::io::Error),
    #[error("a held message is not where it was put")]
    Lost,
    #[error("no scanner is there")]
    NoScanner,
}
