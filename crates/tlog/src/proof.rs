//! Inclusion and consistency proofs: building them (RFC 6962 §2.1.1, §2.1.2) and checking them
//! (RFC 9162 §2.1.3.2, §2.1.4.2; for subtrees, draft-ietf-plants-merkle-tree-certs §4).

use crate::hash::{Hash, empty_root, node_hash};
use crate::nodes::{NodeSource, subtree_root};

/// No proof is longer: a path in a tree of 2^64 leaves, and one hash more for consistency.
pub const PROOF_HASHES: usize = 65;

/// The largest power of two below `length`, which is at least 2.
pub(crate) fn split(length: u64) -> u64 {
    1 << (length - 1).ilog2()
}

/// Shows that leaf `index` stands in the tree of `size` leaves. `None` if it does not, or if
/// `nodes` lacks a subtree that the proof needs.
pub fn inclusion_proof(nodes: &impl NodeSource, index: u64, size: u64) -> Option<Vec<Hash>> {
    if index >= size {
        return None;
    }
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::with_capacity(32);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(subtree_root(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(subtree_root(nodes, start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Some(proof)
}

/// Shows that the tree of `old` leaves is the beginning of the tree of `size` leaves.
/// Empty for equal sizes and for `old` = 0, which needs no showing.
pub fn consistency_proof(nodes: &impl NodeSource, old: u64, size: u64) -> Option<Vec<Hash>> {
    if old > size {
        return None;
    }
    if old == 0 || old == size {
        return Some(Vec::new());
    }
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::with_capacity(32);
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(subtree_root(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(subtree_root(nodes, start, middle)?);
            start = middle;
        }
    }
    // The verifier knows the old root itself, but no inner node of the old tree.
    if start != 0 {
        proof.push(subtree_root(nodes, start, end)?);
    }
    proof.reverse();
    Some(proof)
}

/// RFC 9162 §2.1.3.2.
#[must_use]
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last) = (index, size - 1);
    let mut node = *leaf;
    for step in proof {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            node = node_hash(step, &node);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            node = node_hash(&node, step);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && node == *root
}

/// RFC 9162 §2.1.4.2. A tree of 0 leaves is the beginning of any tree and cannot be asked about;
/// equal sizes need equal roots and an empty proof.
#[must_use]
pub fn verify_consistency(
    old: u64,
    size: u64,
    old_root: &Hash,
    root: &Hash,
    proof: &[Hash],
) -> bool {
    if old == size {
        let possible = size != 0 || *root == empty_root();
        return proof.is_empty() && old_root == root && possible;
    }
    old != 0 && verify_subtree_consistency(0, old, size, old_root, root, proof)
}

/// A range of leaves is a subtree when it begins at a multiple of the smallest power of two that
/// is not below its length.
fn is_subtree(start: u64, end: u64) -> bool {
    let Some(length) = end.checked_sub(start).filter(|length| *length > 0) else {
        return false;
    };
    match length.checked_next_power_of_two() {
        Some(width) => start & (width - 1) == 0,
        None => start == 0,
    }
}

/// Leaf `index` stands in the subtree `start..end` whose root is `root`.
#[must_use]
pub fn verify_subtree_inclusion(
    leaf: &Hash,
    index: u64,
    start: u64,
    end: u64,
    proof: &[Hash],
    root: &Hash,
) -> bool {
    is_subtree(start, end)
        && index >= start
        && index < end
        && verify_inclusion(leaf, index - start, end - start, proof, root)
}

/// The subtree `start..end` with root `part_root` stands in the tree of `size` leaves.
#[must_use]
pub fn verify_subtree_consistency(
    start: u64,
    end: u64,
    size: u64,
    part_root: &Hash,
    root: &Hash,
    proof: &[Hash],
) -> bool {
    if start == end {
        // No leaves are a part of every tree.
        return end <= size && proof.is_empty() && *part_root == empty_root();
    }
    if !is_subtree(start, end) || end > size {
        return false;
    }
    let (mut first, mut last, mut tree) = (start, end - 1, size - 1);
    // What the two trees share whole needs no steps.
    let to_the_end = last == tree;
    while first != last && (to_the_end || last & 1 == 1) {
        first >>= 1;
        last >>= 1;
        tree >>= 1;
    }
    let mut steps = proof.iter();
    let shared = if first == last { Some(part_root) } else { steps.next() };
    let Some(shared) = shared else { return false };
    let (mut part, mut whole) = (*shared, *shared);
    for step in steps {
        if tree == 0 {
            return false;
        }
        if last & 1 == 1 || last == tree {
            if first < last {
                part = node_hash(step, &part);
            }
            whole = node_hash(step, &whole);
            while last & 1 == 0 && last != 0 {
                first >>= 1;
                last >>= 1;
                tree >>= 1;
            }
        } else {
            whole = node_hash(&whole, step);
        }
        first >>= 1;
        last >>= 1;
        tree >>= 1;
    }
    tree == 0 && part == *part_root && whole == *root
}
