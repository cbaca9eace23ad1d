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

    /// What it is about, without the rest.
    pub fn deed(bytes: &[u8]) -> Option<Deed> {
        Deed::from_number(*bytes.get(7)?)
    }

    /// A thousand million of them are read for one answer: two loads, and shifts.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first_chunk::<8>()?;
        let (second, item) = rest.split_first_chunk::<8>()?;
        let (first, second) = (u64::from_be_bytes(*first), u64::from_be_bytes(*second));
        Some(Self {
            at_ms: first >> 24,
            entry: (first >> 8) as u16,
            deed: Deed::from_number(first as u8)?,
            instance: (second >> 40) as u32,
            start: (second >> 24) as u16,
            person: (second & 0xff_ffff) as u32,
            item: Item(*item.first_chunk()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{NOBODY, ROW_BYTES, Row};
    use scope::{Deed, Item};

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let row = Row {
            at_ms: 0x12_3456_789a,
            entry: 0xfedc,
            deed: Deed::Transit,
            instance: 0x00ab_cdef,
            start: 0x1234,
            person: NOBODY - 1,
            item: Item([7; 16]),
        };
        let mut bytes = Vec::new();
        row.write(&mut bytes);
        assert_eq!((bytes.len(), Row::read(&bytes)), (ROW_BYTES, Some(row)));
        assert_eq!(Row::read(&bytes[..31]), None);
        bytes[7] = 99;
        assert_eq!(Row::read(&bytes), None, "no deed of ours");
    }
}
