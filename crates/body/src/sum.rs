//! A 64-bit sum that finds torn and rotten records. It is no seal: the parts carry their own.

/// Odd multipliers with well spread bits; each step is a bijection of the word it takes in, so a
/// single changed word always changes its lane.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
const LAST: u64 = 0xD6E8_FEB8_6659_FD93;

pub struct Sum {
    lanes: [u64; 4],
    held: [u8; 32],
    held_bytes: usize,
    total: u64,
}

impl Sum {
    /// `seed` is the record's place, so that old bytes at another place never pass.
    pub fn new(seed: u64) -> Self {
        let lanes = [seed ^ STEP, seed.rotate_left(17), seed.rotate_left(33) ^ LAST, !seed];
        Self { lanes, held: [0; 32], held_bytes: 0, total: 0 }
    }

    pub fn add(&mut self, mut bytes: &[u8]) {
        self.total = self.total.wrapping_add(bytes.len() as u64);
        if self.held_bytes > 0 {
            let wanted = (32 - self.held_bytes).min(bytes.len());
            let (now, later) = bytes.split_at(wanted);
            for (slot, byte) in self.held.iter_mut().skip(self.held_bytes).zip(now) {
                *slot = *byte;
            }
            self.held_bytes += wanted;
            bytes = later;
            if self.held_bytes < 32 {
                return;
            }
            let held = self.held;
            self.block(&held);
            self.held_bytes = 0;
        }
        let blocks = bytes.chunks_exact(32);
        let rest = blocks.remainder();
        for block in blocks {
            self.block(block);
        }
        for (slot, byte) in self.held.iter_mut().zip(rest) {
            *slot = *byte;
        }
        self.held_bytes = rest.len();
    }

    fn block(&mut self, block: &[u8]) {
        for (lane, word) in self.lanes.iter_mut().zip(block.chunks_exact(8)) {
            let word = word.try_into().map_or(0, u64::from_le_bytes);
            *lane = (*lane ^ word).wrapping_mul(STEP).rotate_left(29);
        }
    }

    pub fn finish(mut self) -> u64 {
        let mut last = [0u8; 32];
        for (slot, byte) in last.iter_mut().zip(self.held.iter().take(self.held_bytes)) {
            *slot = *byte;
        }
        self.block(&last);
        let mut sum = self.total.wrapping_mul(LAST);
        for lane in self.lanes {
            sum = (sum ^ lane ^ (lane >> 32)).wrapping_mul(LAST).rotate_left(31);
        }
        sum ^ (sum >> 29)
    }
}

#[cfg(test)]
mod tests {
    use super::Sum;

    fn of(bytes: &[u8], cuts: usize) -> u64 {
        let mut sum = Sum::new(7);
        for piece in bytes.chunks(cuts) {
            sum.add(piece);
        }
        sum.finish()
    }

    #[test]
    fn the_sum_is_the_same_however_the_bytes_come() {
        let bytes: Vec<u8> = (0..1000u32).map(|n| (n * 31 % 251) as u8).collect();
        for cuts in [1, 3, 31, 32, 33, 999, 1000] {
            assert_eq!(of(&bytes, cuts), of(&bytes, 1000));
        }
    }

    #[test]
    fn one_changed_bit_a_missing_zero_and_another_place_are_seen() {
        let bytes = vec![0u8; 100];
        for bit in 0..800 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(of(&bytes, 100), of(&other, 100));
        }
        assert_ne!(of(&bytes, 100), of(&bytes[..99], 100));
        let mut elsewhere = Sum::new(8);
        elsewhere.add(&bytes);
        assert_ne!(of(&bytes, 100), elsewhere.finish());
    }
}
