//! One pack file: its name, its head, and a walk over its records that trusts nothing.

use crate::record::{HEAD_BYTES, Head, Kind};
use crate::{Fault, Mark, Place};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Magic, number, and where the pack before it ends.
pub const START_BYTES: u64 = 24;
const MAGIC: &[u8; 8] = b"sekisho\x01";
/// Content is summed and copied in pieces of this size: it fits the second-level cache.
const PIECE_BYTES: usize = 128 * 1024;

/// Where a record's head stands: the pack's number above, the offset in it below.
pub fn at(number: u32, offset: u64) -> u64 {
    (u64::from(number) << 32) | (offset & 0xFFFF_FFFF)
}

pub fn number_of(at: u64) -> u32 {
    (at >> 32) as u32
}

pub fn offset_of(at: u64) -> u64 {
    at & 0xFFFF_FFFF
}

pub fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:08x}.pack"))
}

pub fn number_in(name: &str) -> Option<u32> {
    u32::from_str_radix(name.strip_suffix(".pack")?, 16).ok()
}

/// The first octets of a pack. `before_ends` is where the one before it ends for ever, so that
/// what a fault left behind that place is never taken for mail.
pub fn start_bytes(number: u32, before_ends: u64) -> [u8; START_BYTES as usize] {
    let mut bytes = [0u8; START_BYTES as usize];
    let fields = MAGIC
        .iter()
        .copied()
        .chain(u64::from(number).to_le_bytes())
        .chain(before_ends.to_le_bytes());
    for (slot, byte) in bytes.iter_mut().zip(fields) {
        *slot = byte;
    }
    bytes
}

/// Where the pack before this one ends, or `None` if this is no finished pack start.
pub fn before_ends(file: &File, number: u32) -> Option<u64> {
    let mut bytes = [0u8; START_BYTES as usize];
    file.read_exact_at(&mut bytes, 0).ok()?;
    let mut cursor = terms::Cursor::new(&bytes);
    let magic = cursor.take(8)?;
    let found = u64::from_le_bytes(cursor.take(8)?.try_into().ok()?);
    let ends = u64::from_le_bytes(cursor.take(8)?.try_into().ok()?);
    (magic == MAGIC && found == u64::from(number)).then_some(ends)
}

/// What stands at one place of a pack.
pub enum Found {
    Record {
        head: Head,
        place: Place,
        note: Vec<u8>,
    },
    /// Nothing more, or nothing whole.
    End,
}

/// Walks one pack from an offset.
pub struct Walk<'a> {
    file: &'a File,
    number: u32,
    ends: u64,
    offset: u64,
    /// Read ahead, so that small records cost no call each.
    ahead: Vec<u8>,
    ahead_at: u64,
}

impl<'a> Walk<'a> {
    pub fn new(file: &'a File, number: u32, offset: u64, ends: u64) -> Self {
        let offset = offset.max(START_BYTES);
        Self { file, number, ends, offset, ahead: Vec::new(), ahead_at: 0 }
    }

    pub fn offset(&self) -> u64 {
        self.offset
    }

    pub fn mark(&self) -> Mark {
        Mark(at(self.number, self.offset))
    }

    /// The next whole record. A note's content comes with it; a part is only summed.
    pub fn next(&mut self) -> Result<Found, Fault> {
        let start = self.offset;
        let mut head = [0u8; HEAD_BYTES];
        if start + HEAD_BYTES as u64 > self.ends || !self.fill(start, &mut head)? {
            return Ok(Found::End);
        }
        let Some(head) = Head::parse(&head) else { return Ok(Found::End) };
        let from = start + HEAD_BYTES as u64;
        let to = from + u64::from(head.length);
        if to > self.ends {
            return Ok(Found::End);
        }
        let place = Place { at: at(self.number, start), length: head.length };
        let mut sum = head.begin_sum(place.at);
        let mut note = Vec::new();
        let mut piece = Vec::new();
        let mut here = from;
        while here < to {
            let length = (to - here).min(PIECE_BYTES as u64);
            piece.resize(length as usize, 0);
            if !self.fill(here, &mut piece)? {
                return Ok(Found::End);
            }
            sum.add(&piece);
            if head.kind == Kind::Note {
                note.extend_from_slice(&piece);
            }
            here += length;
        }
        if sum.finish() != head.sum {
            return Ok(Found::End);
        }
        self.offset = to;
        Ok(Found::Record { head, place, note })
    }

    fn fill(&mut self, offset: u64, into: &mut [u8]) -> Result<bool, Fault> {
        let inside = offset >= self.ahead_at
            && offset + into.len() as u64 <= self.ahead_at + self.ahead.len() as u64;
        if !inside {
            let wanted = PIECE_BYTES.max(into.len()) as u64;
            let wanted = wanted.min(self.ends.saturating_sub(offset));
            self.ahead.resize(wanted as usize, 0);
            self.ahead_at = offset;
            let got = read_up_to(self.file, offset, &mut self.ahead)?;
            self.ahead.truncate(got);
        }
        let skip = (offset - self.ahead_at) as usize;
        match self.ahead.get(skip..skip + into.len()) {
            Some(bytes) => {
                into.copy_from_slice(bytes);
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

/// Reads until `into` is full or the file ends.
fn read_up_to(file: &File, offset: u64, into: &mut [u8]) -> Result<usize, Fault> {
    let mut got = 0;
    while let Some(rest) = into.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + got as u64) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(source) if source.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(Fault::Read { doing: "walking a pack", source }),
        }
    }
    Ok(got)
}
