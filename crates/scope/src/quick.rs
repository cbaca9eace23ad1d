//! A hash for ids: they are random already, and a scope looks up a thousand million of them. Drawn
//! anew for each process, so that nobody chooses ids that fall together.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

/// An odd number without a pattern: the golden ratio's.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

#[derive(Clone)]
pub(crate) struct Quick(u64);

impl Default for Quick {
    fn default() -> Self {
        static SEED: OnceLock<u64> = OnceLock::new();
        Self(*SEED.get_or_init(|| RandomState::new().hash_one(MIX) | 1))
    }
}

impl BuildHasher for Quick {
    type Hasher = Sum;

    fn build_hasher(&self) -> Sum {
        Sum { sum: self.0, key: self.0 }
    }
}

pub(crate) struct Sum {
    sum: u64,
    key: u64,
}

impl Sum {
    fn take(&mut self, word: u64) {
        let wide = u128::from(self.sum ^ word).wrapping_mul(u128::from(self.key ^ MIX));
        self.sum = (wide as u64) ^ ((wide >> 64) as u64);
    }
}

impl Hasher for Sum {
    fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(8) {
            match piece.first_chunk::<8>() {
                Some(eight) => self.take(u64::from_le_bytes(*eight)),
                None => self.take(piece.iter().fold(1, |sum, byte| sum << 8 | u64::from(*byte))),
            }
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.take(number.into());
    }

    fn write_usize(&mut self, number: usize) {
        self.take(number as u64);
    }

    fn write_u64(&mut self, number: u64) {
        self.take(number);
    }

    fn finish(&self) -> u64 {
        let wide = u128::from(self.sum).wrapping_mul(u128::from(MIX));
        (wide as u64) ^ ((wide >> 64) as u64)
    }
}

pub(crate) type Map<K, V> = std::collections::HashMap<K, V, Quick>;
pub(crate) type Set<K> = std::collections::HashSet<K, Quick>;
