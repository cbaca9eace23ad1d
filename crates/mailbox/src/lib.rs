//! mailbox

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod acts;
mod change;
mod compact;
mod entry;
mod fault;
mod index;
mod parts;
mod person;
mod shelf;
mod store;
mod views;

#[cfg(test)]
mod tests;

pub use acts::{Adornment, Batch, FlagChange};
pub use fault::Fault;
pub use store::{Change, Store, Whose};
