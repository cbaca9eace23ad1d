//! One proof for several leaves: the roots of all that lies between them, from left to right. Where
//! the leaves are neighbours it is little longer than a proof for one.

use crate::hash::{Hash, node_hash};
use crate::nodes::{NodeSource, subtree_root};
use crate::proof::split;

/// Shows that the leaves at `places` (rising) stand in the tree of `size` leaves. `None` if they do
/// not, or if `nodes` lacks a subtree that the proof needs.
pub fn prove_several(nodes: &impl NodeSource, places: &[u64], size: u64) -> Option<Vec<Hash>> {
    let is_rising = places.is_sorted_by(|one, next| one < next);
    if !is_rising || places.last()? >= &size {
        return None;
    }
    let mut hashes = Vec::new();
    gather(nodes, places, (0, size), &mut hashes)?;
    Some(hashes)
}

/// `places`: those within `start..end`.
fn gather(
    nodes: &impl NodeSource,
    places: &[u64],
    (start, end): (u64, u64),
    hashes: &mut Vec<Hash>,
) -> Option<()> {
    if places.is_empty() {
        hashes.push(subtree_root(nodes, start, end)?);
        return Some(());
    }
    if end - start == 1 {
        return Some(());
    }
    let middle = start + split(end - start);
    let (left, right) = places.split_at(places.partition_point(|place| *place < middle));
    gather(nodes, left, (start, middle), hashes)?;
    gather(nodes, right, (middle, end), hashes)
}

/// Whether these leaves (rising by their places) stand in the tree of `size` leaves with that root,
/// by a proof of [`prove_several`].
#[must_use]
pub fn verify_several(leaves: &[(u64, Hash)], size: u64, proof: &[Hash], root: &Hash) -> bool {
    let is_rising = leaves.is_sorted_by(|one, next| one.0 < next.0);
    let is_inside = leaves.last().is_some_and(|(place, _)| *place < size);
    if !is_rising || !is_inside {
        return false;
    }
    let mut left = proof.iter();
    let found = root_of(leaves, (0, size), &mut left);
    found.as_ref() == Some(root) && left.len() == 0
}

fn root_of(
    leaves: &[(u64, Hash)],
    (start, end): (u64, u64),
    proof: &mut std::slice::Iter<Hash>,
) -> Option<Hash> {
    if leaves.is_empty() {
        return proof.next().copied();
    }
    if end - start == 1 {
        return leaves.first().map(|(_, leaf)| *leaf);
    }
    let middle = start + split(end - start);
    let (left, right) = leaves.split_at(leaves.partition_point(|(place, _)| *place < middle));
    let left = root_of(left, (start, middle), proof)?;
    let right = root_of(right, (middle, end), proof)?;
    Some(node_hash(&left, &right))
}

#[cfg(test)]
mod tests {
    use super::{prove_several, verify_several};
    use crate::hash::{Hash, leaf_hash, node_hash};
    use crate::nodes::{NodeSource, subtree_root};

    struct Leaves(Vec<Hash>);

    impl NodeSource for Leaves {
        fn node(&self, height: u8, index: u64) -> Option<Hash> {
            match height {
                0 => self.0.get(usize::try_from(index).ok()?).copied(),
                _ => {
                    let left = self.node(height - 1, 2 * index)?;
                    Some(node_hash(&left, &self.node(height - 1, 2 * index + 1)?))
                }
            }
        }
    }

    #[test]
    fn every_choice_of_leaves_in_every_small_tree() {
        for size in 1..=11u64 {
            let nodes = Leaves((0..size).map(|one| leaf_hash(&one.to_be_bytes())).collect());
            let root = subtree_root(&nodes, 0, size).unwrap();
            for choice in 1..1u64 << size {
                let places: Vec<u64> = (0..size).filter(|one| choice >> one & 1 == 1).collect();
                let leaves: Vec<(u64, Hash)> =
                    places.iter().map(|place| (*place, nodes.0[*place as usize])).collect();
                let proof = prove_several(&nodes, &places, size).unwrap();
                assert!(verify_several(&leaves, size, &proof, &root), "{size} {places:?}");
                // Another leaf, another place, a hash too many, one too few.
                let mut other = leaves.clone();
                other[0].1 = leaf_hash(b"another");
                assert!(!verify_several(&other, size, &proof, &root), "{size} {places:?}");
                let longer = [&proof[..], &[root]].concat();
                assert!(!verify_several(&leaves, size, &longer, &root));
                if let Some((_, shorter)) = proof.split_last() {
                    assert!(!verify_several(&leaves, size, shorter, &root));
                }
                let mut moved = leaves.clone();
                moved[0].0 = (moved[0].0 + 1) % size;
                assert!(size == 1 || !verify_several(&moved, size, &proof, &root));
            }
        }
    }

    #[test]
    fn what_stands_nowhere_is_not_shown() {
        let nodes = Leaves((0..5u64).map(|one| leaf_hash(&one.to_be_bytes())).collect());
        let none = |places: &[u64]| assert_eq!(prove_several(&nodes, places, 5), None);
        none(&[]);
        none(&[5]);
        none(&[2, 2]);
        none(&[3, 1]);
        let root = subtree_root(&nodes, 0, 5).unwrap();
        assert!(!verify_several(&[], 5, &[root], &root));
    }
}
