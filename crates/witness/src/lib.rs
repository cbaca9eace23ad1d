//! What a log and those who watch it say to each other: C2SP tlog-witness and tlog-mirror as the
//! texts and octets that HTTP would carry, and cosignatures with ML-DSA-44. Bytes in, values out.
//!
//! # Never  opens a file or a socket; reads a clock; draws randomness; signs what it did not check

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod answer;
mod checkpoint;
mod entries;
mod lattice;

#[cfg(test)]
mod tests;

pub use answer::{Answer, MirrorInfo};
pub use checkpoint::{AddCheckpoint, Known, judge_checkpoint};
pub use entries::{AddEntries, PACKAGE_ENTRIES, Package, judge_entries, subtree_proof};
pub use lattice::{LatticeCosigner, LatticeKey};
