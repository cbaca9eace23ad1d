//! Entries with the proofs that they stand in the tree: for certificates, and for whoever wants to
//! know what was done with their data.

use crate::fault::Fault;
use crate::verify::reader;
use annals::names;
use evidence::{Entry, Frame};
use std::path::Path;
use tlog::{Hash, SignedCheckpoint};

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

/// Every entry that is `wanted`, proven under the newest checkpoint that the mirror cosigned (or,
/// without a mirror, the ledger's own).
///
/// # Errors
/// Files that cannot be read.
pub fn prove(
    folder: &Path,
    mirror_folder: Option<&Path>,
    wanted: impl FnMut(u64, &Entry) -> bool,
) -> Result<Proofs, Fault> {
    prove_under(folder, mirror_folder, None, wanted)
}

/// As `prove`, under this checkpoint if the log holds it: others may have signed it, too.
///
/// # Errors
/// As `prove`.
pub fn prove_under(
    folder: &Path,
    mirror_folder: Option<&Path>,
    under: Option<&SignedCheckpoint>,
    mut wanted: impl FnMut(u64, &Entry) -> bool,
) -> Result<Proofs, Fault> {
    let mirror = mirror_folder.filter(|folder| folder.join(names::LOG).exists());
    let mirror = mirror.map(reader).transpose()?;
    let reader = reader(folder)?;
    let same = |signed: &&SignedCheckpoint| {
        reader.root_at(signed.checkpoint.size) == Some(signed.checkpoint.root)
    };
    let mirrored = mirror.as_ref().and_then(|mirror| mirror.newest().filter(same).cloned());
    let signed = under.filter(same).cloned().or(mirrored).or_else(|| reader.newest().cloned());
    let mirror_key = mirror.and_then(|mirror| mirror.keys().mirror.clone());
    let cosignature = mirror_key.as_ref().zip(signed.as_ref());
    let cosigned = cosignature.is_some_and(|(key, signed)| key.cosigned(&signed.note).is_some());
    let size = signed.as_ref().map_or(0, |signed| signed.checkpoint.size);
    let root = signed.as_ref().map_or_else(tlog::empty_root, |signed| signed.checkpoint.root);
    let (mut found, mut cut) = (Vec::new(), false);
    let collect = |index: u64, bytes: &[u8]| {
        let entry = Frame::parse(bytes).map(|frame| frame.entry);
        if let Some(entry) = entry.filter(|entry| index < size && wanted(index, entry)) {
            match found.len() < PROVEN {
                true => {
                    let hashes = reader.inclusion(index, size).unwrap_or_default();
                    found.push(Proof { index, leaf: bytes.to_vec(), entry, hashes });
                }
                false => cut = true,
            }
        }
        index + 1 < size
    };
    reader.entries(0, collect).map_err(Fault::Annals)?;
    Ok(Proofs {
        size,
        root,
        checkpoint: signed.map(|signed| signed.note.to_text()).unwrap_or_default(),
        cosigned,
        ledger_key: reader.keys().ledger.to_text(),
        mirror_key: mirror_key.map(|key| key.to_text()),
        found,
        cut,
    })
}
