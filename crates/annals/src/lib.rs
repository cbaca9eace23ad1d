//! The evidence on disk: the log in segments, its tiles, and an index in chapters; how it is
//! opened, read, checked, and shown to those whom it concerns.
//!
//! # Never  opens a socket; changes or drops a committed entry; trusts the index without the log

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod acknowledged;
mod binder;
mod carried;
mod chapter;
mod check;
mod columns;
mod disk;
mod extent;
mod fault;
mod followed;
mod gates;
mod handed;
mod index;
mod lost;
mod minted;
mod naming;
mod opened;
mod overspill;
mod place;
mod plan;
mod publish;
mod reading;
mod rows;
mod seen;
mod segments;
mod series;
mod sorted;
mod stretch;
mod sums;
mod telling;
mod view;
mod waiting;

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod tests;

pub use acknowledged::{Acknowledged, Acknowledgements};
pub use binder::Binder;
pub use chapter::CHAPTER_ENTRIES;
pub use check::{Checked, check, check_copy};
pub use disk::{Folder, Shelf};
pub use fault::Fault;
pub use index::{Index, Measured, chapter_name, take_up};
pub use lost::{Lost, keep_lost, lost_name, lost_of};
pub use naming::{Naming, Told, Whose};
pub use opened::Chapter;
pub use publish::{Published, proof_text, publish};
pub use reading::{Head, Keys, Reader, find_keys};
pub use seen::{Seen, Sight, sight, sight_of};
pub use segments::{Segments, keep_changed, segment_name};
pub use series::{Series, root_key};
pub use view::{View, ViewCheck, check_view, write_view};

/// What a keeper notes of an anchor that cannot be read. The log does not depend on it.
pub const NO_ANCHOR: &str = "the anchor is none of ours: the log was read whole, and another one \
    is set with the next entries";

/// Names inside a log's folder.
pub mod names {
    /// The first segment; the others are `log.000001` and so on.
    pub const LOG: &str = "log";
    /// Tiles of level 0; the higher levels are `tiles.1` and so on.
    pub const TILES: &str = "tiles";
    pub const MARKS: &str = "marks";
    pub const ANCHOR: &str = "anchor";
    pub const CHAPTERS: &str = "chapters";
    /// The newest cosigned checkpoint, for readers and for the next start.
    pub const CHECKPOINT: &str = "checkpoint";
    /// A checkpoint that the log does not hold any more begins so.
    pub const LOST: &str = "lost-";
    /// The public half of whose log it is.
    pub const PUBLIC: &str = "key.pub";
    /// In a mirror's folder: a checkpoint that it cosigned with ML-DSA-44 as well, and the public
    /// half of that key.
    pub const LATTICE: &str = "checkpoint.ml-dsa-44";
    pub const LATTICE_KEY: &str = "key.ml-dsa-44.pub";
    /// In a mirror's folder: whom it copies.
    pub const LEDGER: &str = "ledger.pub";
}
