//! Where proofs find the roots of perfect subtrees.

use crate::hash::{Hash, empty_root, node_hash};
use std::collections::VecDeque;

/// Gives the root of the perfect subtree of `2^height` leaves that is the `index`-th of its
/// height, or nothing if it is not kept here (or not complete).
pub trait NodeSource {
    fn node(&self, height: u8, index: u64) -> Option<Hash>;
}

impl<T: NodeSource + ?Sized> NodeSource for &T {
    fn node(&self, height: u8, index: u64) -> Option<Hash> {
        (**self).node(height, index)
    }
}

/// RFC 6962 §2.1 over leaves `start..end`, where `start` is a multiple of the smallest power of
/// two that is not below the length (every range that occurs in a proof is).
pub fn subtree_root(nodes: &impl NodeSource, start: u64, end: u64) -> Option<Hash> {
    if end <= start {
        return (start == end).then(empty_root);
    }
    let mut parts = Vec::with_capacity(8);
    let mut at = start;
    while at < end {
        // The largest perfect subtree that fits; at most 64 of them.
        let height = (end - at).ilog2();
        parts.push(nodes.node(u8::try_from(height).ok()?, at >> height)?);
        at += 1 << height;
    }
    let mut smaller = parts.iter().rev();
    let last = *smaller.next()?;
    Some(smaller.fold(last, |right, left| node_hash(left, &right)))
}

/// The newest nodes of every height, so that proofs for what was just appended read no file.
#[derive(Clone, Debug)]
pub struct RecentNodes {
    kept: usize,
    /// Per height: the index of the first node kept, and the nodes.
    heights: Vec<(u64, VecDeque<Hash>)>,
}

impl RecentNodes {
    /// Keeps `kept` nodes of each height: older ones are read from tiles.
    pub fn new(kept: usize) -> Self {
        Self { kept: kept.max(2), heights: Vec::new() }
    }

    /// Takes what `CompactRange::append` reports. Nodes of one height arrive in order; after a
    /// gap the older ones are dropped.
    pub fn note(&mut self, height: u8, index: u64, node: Hash) {
        let height = usize::from(height);
        while self.heights.len() <= height {
            self.heights.push((0, VecDeque::new()));
        }
        let Some((first, nodes)) = self.heights.get_mut(height) else {
            return;
        };
        if *first + nodes.len() as u64 != index {
            nodes.clear();
            *first = index;
        }
        nodes.push_back(node);
        if nodes.len() > self.kept {
            nodes.pop_front();
            *first += 1;
        }
    }

    /// Forgets every node that reaches beyond the first `size` leaves.
    pub fn truncate(&mut self, size: u64) {
        for (height, (first, nodes)) in self.heights.iter_mut().enumerate() {
            let left = (size >> height.min(63)).saturating_sub(*first);
            nodes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        }
    }
}

impl NodeSource for RecentNodes {
    fn node(&self, height: u8, index: u64) -> Option<Hash> {
        let (first, nodes) = self.heights.get(usize::from(height))?;
        nodes.get(usize::try_from(index.checked_sub(*first)?).ok()?).copied()
    }
}
