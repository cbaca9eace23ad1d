//! The smallest thing that can grow a tree: the roots of its perfect subtrees, largest first.

use crate::hash::{Hash, empty_root, node_hash};

/// A tree of `size` leaves, remembered as one hash for each bit set in `size`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    peaks: Vec<Hash>,
}

impl CompactRange {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up a tree that was counted before. `None` if the peaks do not fit the size.
    pub fn resume(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Adds one leaf; `seen` is told every perfect subtree that this completes, as
    /// (height, index, root), the leaf itself first.
    pub fn append(&mut self, leaf: Hash, mut seen: impl FnMut(u8, u64, Hash)) {
        let mut index = self.size;
        let mut node = leaf;
        let mut height = 0u8;
        seen(height, index, node);
        while index & 1 == 1 {
            // A set bit has a peak, so this always finds one.
            let Some(left) = self.peaks.pop() else { break };
            node = node_hash(&left, &node);
            index >>= 1;
            height += 1;
            seen(height, index, node);
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// Adds a perfect subtree of `2^height` leaves. False, and nothing is added, where no such
    /// subtree can stand.
    #[must_use]
    pub fn append_subtree(&mut self, height: u8, root: Hash) -> bool {
        if height > 62 || self.size.trailing_zeros() < u32::from(height) {
            return false;
        }
        let Some(size) = self.size.checked_add(1 << height) else { return false };
        let mut node = root;
        let mut index = self.size >> height;
        while index & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            node = node_hash(&left, &node);
            index >>= 1;
        }
        self.peaks.push(node);
        self.size = size;
        true
    }

    pub fn root(&self) -> Hash {
        let mut smaller = self.peaks.iter().rev();
        let Some(last) = smaller.next() else {
            return empty_root();
        };
        smaller.fold(*last, |right, left| node_hash(left, &right))
    }
}
