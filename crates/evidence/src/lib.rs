//! What the ledger keeps: one type for each deed, written as deterministic CBOR and signed by
//! the compartment that saw it. Opaque ids only; no name, address or subject ever.
//!
//! # Never  opens a file or a socket; reads a clock; draws randomness

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod author;
mod body;
mod cbor;
mod entry;
mod item;
mod outbox;
mod time;

#[cfg(test)]
mod tests;

pub use author::{Author, AuthorKey, Frame, SIGNATURE_BYTES};
pub use body::{Body, DECOY, REFUSED};
pub use entry::{ENTRY_BYTES, Entry};
pub use item::{Class, Delivery, Digest, PublicKey, Queued, Released, Word};
pub use outbox::Outbox;
pub use time::{month_of, parse_moment, parse_rfc3339, rfc3339};
