//! One record of a pack: a fixed head, then the content. Little-endian throughout.

use crate::sum::Sum;
use crate::{Key, PART_BYTES};

pub const HEAD_BYTES: usize = 32;
/// "kept", so that a lost reader knows where it is not.
const MAGIC: u32 = 0x7470_656B;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Part(Key),
    Note,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub kind: Kind,
    pub length: u32,
    pub sum: u64,
}

impl Head {
    /// The head of content that comes later; `sum` is set when it has been seen.
    pub fn new(kind: Kind, length: u32) -> Self {
        Self { kind, length, sum: 0 }
    }

    /// A sum begun for the record at `at`, its head taken in already.
    pub fn begin_sum(&self, at: u64) -> Sum {
        let mut sum = Sum::new(at);
        let bytes = self.to_bytes();
        sum.add(bytes.first_chunk::<24>().map_or(&[], |head| head.as_slice()));
        sum
    }

    pub fn to_bytes(self) -> [u8; HEAD_BYTES] {
        let (code, key) = match self.kind {
            Kind::Part(key) => (1u8, key),
            Kind::Note => (2u8, Key { id: 0, part: 0 }),
        };
        let mut bytes = [0u8; HEAD_BYTES];
        let fields = MAGIC
            .to_le_bytes()
            .into_iter()
            .chain(self.length.to_le_bytes())
            .chain(key.id.to_le_bytes())
            .chain([code, key.part, 0, 0, 0, 0, 0, 0])
            .chain(self.sum.to_le_bytes());
        for (slot, byte) in bytes.iter_mut().zip(fields) {
            *slot = byte;
        }
        bytes
    }

    /// What stands in `bytes`, or `None` if that is no head of ours.
    pub fn parse(bytes: &[u8; HEAD_BYTES]) -> Option<Self> {
        let mut cursor = terms::Cursor::new(bytes);
        let magic = u32::from_le_bytes(cursor.take(4)?.try_into().ok()?);
        let length = u32::from_le_bytes(cursor.take(4)?.try_into().ok()?);
        let id = u64::from_le_bytes(cursor.take(8)?.try_into().ok()?);
        let (code, part) = (cursor.next()?, cursor.next()?);
        cursor.take(6)?;
        let sum = u64::from_le_bytes(cursor.take(8)?.try_into().ok()?);
        if magic != MAGIC || length > PART_BYTES {
            return None;
        }
        let kind = match code {
            1 => Kind::Part(Key { id, part }),
            2 => Kind::Note,
            _ => return None,
        };
        Some(Self { kind, length, sum })
    }
}

#[cfg(test)]
mod tests {
    use super::{Head, Kind};
    use crate::Key;

    #[test]
    fn a_head_is_read_as_it_was_written() {
        for kind in [Kind::Part(Key { id: 1 << 50, part: 3 }), Kind::Note] {
            let head = Head { kind, length: 77, sum: 0x0123_4567_89AB_CDEF };
            assert_eq!(Head::parse(&head.to_bytes()), Some(head));
        }
    }

    #[test]
    fn fuzz_nothing_odd_passes_for_a_head() {
        let good = Head { kind: Kind::Note, length: 5, sum: 9 }.to_bytes();
        for at in [0, 3, 7, 16] {
            let mut odd = good;
            odd[at] ^= 0x80;
            assert_eq!(Head::parse(&odd), None, "octet {at}");
        }
        // A seeded walk through mutated heads: none may panic or claim more than a part's length.
        let mut state = 0x5EED_u64;
        for _ in 0..20_000 {
            let mut odd = good;
            for _ in 0..3 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                odd[(state % 32) as usize] = (state >> 8) as u8;
            }
            if let Some(head) = Head::parse(&odd) {
                assert!(head.length <= crate::PART_BYTES);
            }
        }
    }
}
