//! Entries with the proofs that they stand in the tree: for certificates, and for whoever wants to
//! know what was done with their data. The log is read twice, and nothing of it is held but the
//! nodes that the proofs need.

use crate::fault::Fault;
use crate::verify::{believed_mirror, mirror_key_text, read_ledger};
use evidence::{Entry, Frame};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use tlog::{CompactRange, Hash, NodeSource, inclusion_proof, leaf_hash};

/// Entries proven in one go: a person's year, and a tenant's month.
pub const PROVEN: usize = 200_000;

/// One entry and its way up to the root.
pub struct Proof {
    pub index: u64,
    /// What was hashed: the entry's CBOR and its author's signature.
    pub leaf: Vec<u8>,
    pub entry: Entry,
    pub hashes: Vec<Hash>,
}

/// Entries under one checkpoint.
pub struct Proofs {
    pub size: u64,
    pub root: Hash,
    /// The signed note, with the mirror's cosignature where there is one.
    pub checkpoint: String,
    pub cosigned: bool,
    pub ledger_key: String,
    pub mirror_key: Option<String>,
    pub found: Vec<Proof>,
    /// More was wanted than is proven in one go.
    pub cut: bool,
}

/// Asked once without an answer, to hear which nodes a proof needs.
struct Needed(RefCell<BTreeSet<(u8, u64)>>);

impl NodeSource for Needed {
    fn node(&self, height: u8, index: u64) -> Option<Hash> {
        self.0.borrow_mut().insert((height, index));
        Some(Hash::default())
    }
}

struct Held(HashMap<(u8, u64), Hash>);

impl NodeSource for Held {
    fn node(&self, height: u8, index: u64) -> Option<Hash> {
        self.0.get(&(height, index)).copied()
    }
}

/// Every entry that is `wanted`, proven under the newest checkpoint that the mirror cosigned (or,
/// without a mirror, the ledger's own).
///
/// # Errors
/// Files that cannot be read.
pub fn prove(
    folder: &Path,
    mirror_folder: Option<&Path>,
    mut wanted: impl FnMut(u64, &Entry) -> bool,
) -> Result<Proofs, Fault> {
    let mirrored = match mirror_folder {
        Some(mirror) => believed_mirror(folder, mirror)?,
        None => None,
    };
    let mut found = Vec::new();
    let mut cut = false;
    let (key, replayed) = read_ledger(folder, |index, bytes| {
        let Some(frame) = Frame::parse(bytes) else { return };
        if !wanted(index, &frame.entry) {
            return;
        }
        match found.len() < PROVEN {
            true => found.push(Proof {
                index,
                leaf: bytes.to_vec(),
                entry: frame.entry,
                hashes: Vec::new(),
            }),
            false => cut = true,
        }
    })?;
    let cosigned = mirrored.is_some();
    let signed = mirrored.or(replayed.newest);
    let size = signed.as_ref().map_or(0, |signed| signed.checkpoint.size);
    let root = signed.as_ref().map_or_else(tlog::empty_root, |signed| signed.checkpoint.root);
    found.retain(|proof: &Proof| proof.index < size);
    let needed = Needed(RefCell::new(BTreeSet::new()));
    for proof in &found {
        let _ = inclusion_proof(&needed, proof.index, size);
    }
    let held = gather(folder, &needed.0.into_inner())?;
    for proof in &mut found {
        proof.hashes = inclusion_proof(&held, proof.index, size).unwrap_or_default();
    }
    Ok(Proofs {
        size,
        root,
        checkpoint: signed.map(|signed| signed.note.to_text()).unwrap_or_default(),
        cosigned,
        ledger_key: key.to_text(),
        mirror_key: mirror_folder.and_then(mirror_key_text),
        found,
        cut,
    })
}

/// The nodes that are needed, as the log's own leaves make them.
fn gather(folder: &Path, needed: &BTreeSet<(u8, u64)>) -> Result<Held, Fault> {
    let mut held = HashMap::with_capacity(needed.len());
    let mut range = CompactRange::new();
    read_ledger(folder, |_, bytes| {
        range.append(leaf_hash(bytes), |height, index, node| {
            if needed.contains(&(height, index)) {
                held.insert((height, index), node);
            }
        });
    })?;
    Ok(Held(held))
}
