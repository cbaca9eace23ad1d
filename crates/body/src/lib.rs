//! Where sealed bytes lie: one trait, `Bodies`, and the engines that keep it.
//!
//! A keeper stages sealed parts and, in order with them, notes of what changed in its index, and
//! makes all of them durable by one commit. The index itself may follow behind: what it had not
//! yet written down when the power went is told again by `replay`.
//!
//! **Never** knows a key, a user or a word of a message; never reorders what was staged; never
//! says "durable" before the disk did.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod packs;
mod part;
mod record;
mod segment;
mod sqlite;
mod sum;

pub use packs::Packs;
pub use part::{Part, front, part};
pub use sqlite::Blobs;

use std::fs::File;
use std::io;
use std::ops::Range;

/// The longest part or note: the longest message, its seal's frames and some air.
pub const PART_BYTES: u32 = 64 * 1024 * 1024;

/// Whose bytes these are: the keeper's own number of a message, and which part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub id: u64,
    pub part: u8,
}

/// Where bytes lie. The keeper writes it into its index and hands it back; only an engine reads
/// meaning in `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub at: u64,
    pub length: u32,
}

/// How far the notes were told. Marks of one store are ordered as the notes were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(pub u64);

/// What is put: pieces in memory, one behind the other, or (behind `front`) a file from its
/// start.
pub enum Content<'a> {
    Pieces(&'a [&'a [u8]]),
    File { front: &'a [u8], file: &'a File, length: u32 },
}

impl Content<'_> {
    /// Octets to be stored, or `None` beyond `PART_BYTES`.
    pub fn length(&self) -> Option<u32> {
        let length = match self {
            Content::Pieces(pieces) => {
                let sum: usize = pieces.iter().map(|piece| piece.len()).sum();
                u32::try_from(sum).ok()?
            }
            Content::File { front, length, .. } => {
                u32::try_from(front.len()).ok()?.checked_add(*length)?
            }
        };
        (length <= PART_BYTES).then_some(length)
    }
}

/// What the store takes, in octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    pub on_disk: u64,
    pub dead: u64,
}

/// A store of sealed bytes. One writer; nothing counts as kept before `commit` said so.
pub trait Bodies {
    /// Stages bytes and says where they will lie.
    fn put(&mut self, key: Key, content: Content<'_>) -> Result<Place, Fault>;
    /// Stages a note behind everything staged so far.
    fn note(&mut self, note: &[u8]) -> Result<(), Fault>;
    /// Makes everything staged durable, all or (after a crash) a prefix of it.
    /// After a fault nothing of it is kept, as after `abandon`.
    fn commit(&mut self) -> Result<Mark, Fault>;
    /// Drops what was staged.
    fn abandon(&mut self);
    /// Appends the octets `range` of the bytes at `place` to `into`.
    fn read(&mut self, place: Place, range: Range<u32>, into: &mut Vec<u8>) -> Result<(), Fault>;
    /// Says that nobody refers to these bytes any more. Their space comes back by `compact`.
    fn delete(&mut self, place: Place) -> Result<(), Fault>;
    /// Tells each note behind `after`, oldest first. Called once, before anything is staged.
    fn replay(&mut self, after: Mark, each: &mut dyn FnMut(Mark, &[u8])) -> Result<Mark, Fault>;
    /// Says that the index has durably written down all notes up to `mark`.
    fn forget(&mut self, mark: Mark) -> Result<(), Fault>;
    /// Frees space, moving at most about `budget` octets. What moves is staged: the keeper notes
    /// the new places and commits. Returns whether there is more to do.
    fn compact(&mut self, budget: u64, owner: &mut dyn Owner) -> Result<bool, Fault>;
    /// Has everything that was dead when this was first asked leave the disk: `compact` empties
    /// every pack of that time, however full of living bytes. Whether some are still there.
    fn sweep(&mut self) -> Result<bool, Fault>;
    fn space(&self) -> Space;
    /// Durable flushes asked for since the start.
    fn flushes(&self) -> u64;
}

/// Who knows what is still referred to: the keeper's index.
pub trait Owner {
    fn is_live(&mut self, key: Key, place: Place) -> bool;
    fn moved(&mut self, key: Key, from: Place, to: Place);
}

#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("no room while {doing}")]
    Full {
        doing: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("could not write while {doing}")]
    Write {
        doing: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("could not read while {doing}")]
    Read {
        doing: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("the bytes at {at:#x} should be {expected} octets, {found} are there")]
    Torn { at: u64, expected: u64, found: u64 },
    #[error("the database failed while {doing}")]
    Database {
        doing: &'static str,
        #[source]
        source: rusqlite::Error,
    },
}

impl Fault {
    /// Sorts a write error by what the caller does next: wait for room, or for hands.
    pub(crate) fn write(doing: &'static str, source: io::Error) -> Self {
        match source.raw_os_error() {
            // ENOSPC, EDQUOT, EFBIG: somebody may make room.
            Some(28 | 122 | 27) => Self::Full { doing, source },
            _ => Self::Write { doing, source },
        }
    }

    /// Whether room is what is missing.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Database { source, .. } => {
                // SQLITE_FULL, and SQLITE_IOERR_SHMSIZE where the file beside the log cannot grow.
                source.sqlite_error().is_some_and(|e| matches!(e.extended_code, 13 | 4_874))
            }
            _ => false,
        }
    }
}
