//! `add-entries` (C2SP tlog-mirror): entries in packages of 256, each with the proof that it
//! stands in the checkpoint.

use crate::answer::{Answer, MirrorInfo};
use terms::Cursor;
use tlog::{
    Checkpoint, CompactRange, Hash, NodeSource, leaf_hash, subtree_root, verify_subtree_consistency,
};

/// Packages begin at multiples of this.
pub const PACKAGE_ENTRIES: u64 = 256;
const PROOF_HASHES: usize = 63;

/// What stands before the packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddEntries {
    pub origin: String,
    pub start: u64,
    pub end: u64,
    pub ticket: Vec<u8>,
}

/// Entries that stand side by side, and why they belong there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    pub entries: Vec<Vec<u8>>,
    pub proof: Vec<Hash>,
}

impl AddEntries {
    /// The octets before the packages. `None` if a name or ticket is too long.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut to = Vec::new();
        to.extend_from_slice(&u16::try_from(self.origin.len()).ok()?.to_be_bytes());
        to.extend_from_slice(self.origin.as_bytes());
        to.extend_from_slice(&self.start.to_be_bytes());
        to.extend_from_slice(&self.end.to_be_bytes());
        to.extend_from_slice(&u16::try_from(self.ticket.len()).ok()?.to_be_bytes());
        to.extend_from_slice(&self.ticket);
        Some(to)
    }

    pub fn read(from: &mut Cursor) -> Option<Self> {
        let origin = short(from)?;
        let origin = std::str::from_utf8(origin).ok()?.to_owned();
        let mut number =
            || from.take(8).and_then(|eight| eight.try_into().ok()).map(u64::from_be_bytes);
        let (start, end) = (number()?, number()?);
        let ticket = short(from)?.to_vec();
        (start <= end).then_some(Self { origin, start, end, ticket })
    }

    /// The ranges of leaves that the packages carry, in order.
    pub fn packages(&self) -> impl Iterator<Item = (u64, u64)> + use<> {
        let Self { start, end, .. } = *self;
        // Nothing announced is nothing sent, wherever it begins.
        let first = if start == end { end } else { start - start % PACKAGE_ENTRIES };
        let step = usize::try_from(PACKAGE_ENTRIES).unwrap_or(1);
        (first..end)
            .step_by(step)
            .map(move |at| (at.max(start), end.min(at.saturating_add(PACKAGE_ENTRIES))))
    }
}

fn short<'a>(from: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = u16::from_be_bytes(from.take(2)?.try_into().ok()?);
    from.take(length.into())
}

impl Package {
    /// `None` if an entry or the proof is too long.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut to = Vec::new();
        for entry in &self.entries {
            to.extend_from_slice(&u16::try_from(entry.len()).ok()?.to_be_bytes());
            to.extend_from_slice(entry);
        }
        to.push(u8::try_from(self.proof.len()).ok().filter(|_| self.proof.len() <= PROOF_HASHES)?);
        self.proof.iter().for_each(|hash| to.extend_from_slice(&hash.0));
        Some(to)
    }

    /// Reads the package of `count` entries that stands next.
    pub fn read(from: &mut Cursor, count: u64) -> Option<Self> {
        let entries: Option<Vec<Vec<u8>>> =
            (0..count.min(PACKAGE_ENTRIES)).map(|_| short(from).map(<[u8]>::to_vec)).collect();
        let hashes = usize::from(from.next()?);
        if hashes > PROOF_HASHES {
            return None;
        }
        let proof: Option<Vec<Hash>> =
            (0..hashes).map(|_| Hash::from_slice(from.take(32)?)).collect();
        Some(Self { entries: entries?, proof: proof? })
    }
}

/// Shows that the subtree `start..end` stands in the tree of `size` leaves
/// (draft-ietf-plants-merkle-tree-certs §4.4.1). `None` if it does not, or a node is not here.
pub fn subtree_proof(
    nodes: &impl NodeSource,
    start: u64,
    end: u64,
    size: u64,
) -> Option<Vec<Hash>> {
    if start >= end || end > size {
        return None;
    }
    let (mut first, mut last) = (0, size);
    let mut is_known = true;
    let mut from = start;
    let mut proof = Vec::new();
    while (from, end) != (first, last) {
        let middle = first + (1 << (last - first - 1).checked_ilog2()?);
        if end <= middle {
            proof.push(subtree_root(nodes, middle, last)?);
            last = middle;
        } else {
            proof.push(subtree_root(nodes, first, middle)?);
            if from < middle {
                // Both halves have a part of it: what is left is an inner node of the subtree.
                is_known = false;
                from = middle;
            }
            first = middle;
        }
    }
    if !is_known {
        proof.push(subtree_root(nodes, first, last)?);
    }
    proof.reverse();
    Some(proof)
}

/// Judges a body as a mirror must. `pending` finds a checkpoint by its size, `next` is the entry
/// wanted next, `leaf` gives hashes of entries that are here. Returns the entries to be kept,
/// from `next` on, and whether they reach to the end of what was announced.
///
/// # Errors
/// The answer, when nothing is to be kept.
pub fn judge_entries(
    body: &[u8],
    origin: &str,
    next: u64,
    current: u64,
    pending: impl Fn(u64) -> Option<Checkpoint>,
    leaf: impl Fn(u64) -> Option<Hash>,
) -> Result<(AddEntries, Vec<Vec<u8>>, bool), Answer> {
    let mut from = Cursor::new(body);
    let head = AddEntries::read(&mut from).ok_or(Answer::Bad)?;
    if head.origin != origin {
        return Err(Answer::Unknown);
    }
    let elsewhere = |size| Answer::Elsewhere(MirrorInfo { size, next, ticket: Vec::new() });
    let checkpoint = pending(head.end).ok_or_else(|| elsewhere(current))?;
    if head.start > next {
        return Err(elsewhere(head.end));
    }
    let mut kept = Vec::new();
    let (mut at, mut any) = (next, head.start == head.end);
    for (start, end) in head.packages() {
        let Some(package) = Package::read(&mut from, end - start) else {
            // A package that is cut off is dropped; what came before it counts.
            return if any { Ok((head, kept, false)) } else { Err(Answer::Bad) };
        };
        let first = start - start % PACKAGE_ENTRIES;
        let mut range = CompactRange::new();
        for index in first..start {
            let hash = leaf(index).ok_or(Answer::Bad)?;
            range.append(hash, |_, _, _| {});
        }
        package.entries.iter().for_each(|one| range.append(leaf_hash(one), |_, _, _| {}));
        let (size, root) = (checkpoint.size, checkpoint.root);
        if !verify_subtree_consistency(first, end, size, &range.root(), &root, &package.proof) {
            return Err(Answer::Unproved);
        }
        any = true;
        let skip = usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX);
        kept.extend(package.entries.into_iter().skip(skip));
        at = at.max(end);
    }
    Ok((head, kept, true))
}
