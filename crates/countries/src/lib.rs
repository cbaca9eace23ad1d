//! In which country an address is registered, by the lists of the registries: read from their
//! statistics ("delegated-extended"), packed into sorted columns, and looked up there.
//!
//! Pure: texts in, octets out; octets and an address in, a country out. **Never** opens a file;
//! **never** says where somebody is: a list says where a network's owner is registered.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod packed;
mod table;

pub use packed::{Counted, counted, find};
pub use table::{Country, Table, Wrong};

#[cfg(test)]
mod tests;
