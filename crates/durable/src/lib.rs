//! The steps on which a keeper's promise rests: octets written, flushed, cut; names given, taken.
//!
//! Keepers take these steps through here and nowhere else. In a running house each is the call to
//! the kernel and nothing more. A test may have this thread's steps written on a [`Tape`], from
//! which every moment of a crash can be laid out again: after each step, in the middle of it, with
//! or without what was never flushed; or it may let steps fail as a full disk does.
//!
//! **Never** flushes less than it is asked to; never answers before the kernel did.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod seed;
mod small;
mod step;

mod dice;
mod disk;
mod pages;
mod tape;

#[cfg(test)]
mod tests;

pub use dice::Dice;
pub use disk::How;
pub use pages::Film;
pub use seed::{SEED_GONE, is_key_of, keep, seed};
pub use small::put;
pub use step::{append, cut, remove, rename, sync, sync_folder, write_at};
pub use tape::{Tape, failing, look, said, scratch};
