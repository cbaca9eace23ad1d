//! Numbers in an index: fixed widths, big-endian, read through one cursor.

use scope::{Deed, Item};
use terms::Cursor;

/// Octets of a row.
pub(crate) const ROW_BYTES: usize = 32;

/// A fact, with names replaced by their numbers in the chapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// From the earliest time of the chapter: 40 bits are 34 years.
    pub at_ms: u64,
    /// The entry, from the chapter's first.
    pub entry: u16,
    pub deed: Deed,
    pub instance: u32,
    pub start: u16,
    /// `NOBODY`, or its number among the chapter's people.
    pub person: u32,
    pub item: Item,
}

pub(crate) const NOBODY: u32 = 0xff_ffff;

pub(crate) fn put(to: &mut Vec<u8>, number: u64, width: usize) {
    let bytes = number.to_be_bytes();
    to.extend_from_slice(bytes.get(8 - width.min(8)..).unwrap_or_default());
}

pub(crate) fn number(cursor: &mut Cursor, width: usize) -> Option<u64> {
    Some(cursor.take(width)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

impl Row {
    pub fn write(&self, to: &mut Vec<u8>) {
        put(to, self.at_ms.min(0xff_ffff_ffff), 5);
        put(to, self.entry.into(), 2);
        to.push(self.deed as u8);
        put(to, self.instance.into(), 3);
        put(to, self.start.into(), 2);
        put(to, self.person.into(), 3);
        to.extend_from_slice(&self.item.0);
    }

    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut from = Cursor::new(bytes);
        Some(Self {
            at_ms: number(&mut from, 5)?,
            entry: number(&mut from, 2)?.try_into().ok()?,
            deed: Deed::from_number(from.next()?)?,
            instance: number(&mut from, 3)?.try_into().ok()?,
            start: number(&mut from, 2)?.try_into().ok()?,
            person: number(&mut from, 3)?.try_into().ok()?,
            item: Item(from.take(16)?.try_into().ok()?),
        })
    }
}
