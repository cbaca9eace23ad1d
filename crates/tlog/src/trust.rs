//! What whoever waits for evidence must see before going on: the log's signature, the mirror's
//! cosignature, and that the leaf stands in the tree under both.

use crate::checkpoint::Checkpoint;
use crate::cosignature::CosignerKey;
use crate::hash::{Hash, leaf_hash};
use crate::note::{Note, NoteVerifier};
use crate::proof::verify_inclusion;
use crate::several::verify_several;

/// The origin of our log and the name of its key.
pub const LOG_ORIGIN: &str = "sekisho/ledger";
/// The name of the mirror's key.
pub const MIRROR_NAME: &str = "sekisho/mirror";

/// The two keys that are believed, and only together.
#[derive(Clone, Debug)]
pub struct Trust {
    ledger: NoteVerifier,
    mirror: CosignerKey,
}

/// A checkpoint that both signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    pub checkpoint: Checkpoint,
    /// When the mirror cosigned, in seconds since 1970.
    pub cosigned_at: u64,
}

impl Trust {
    /// `None` if one of the keys is no Ed25519 key.
    pub fn new(ledger_key: &[u8; 32], mirror_key: &[u8; 32]) -> Option<Self> {
        Some(Self {
            ledger: NoteVerifier::new(LOG_ORIGIN, ledger_key)?,
            mirror: CosignerKey::new(MIRROR_NAME, mirror_key)?,
        })
    }

    /// Reads a cosigned checkpoint; `None` unless both signatures are right.
    pub fn read(&self, note: &[u8]) -> Option<Trusted> {
        let note = Note::parse(note)?;
        let checkpoint = Checkpoint::parse(&note.text)?;
        let cosigned_at = self.mirror.cosigned(&note)?;
        (checkpoint.origin == LOG_ORIGIN && note.is_signed_by(&self.ledger))
            .then_some(Trusted { checkpoint, cosigned_at })
    }
}

impl Trusted {
    /// Whether `frame` (an entry as it was signed) stands at `index` under this checkpoint.
    #[must_use]
    pub fn proves(&self, frame: &[u8], index: u64, proof: &[[u8; 32]]) -> bool {
        let proof: Vec<Hash> = proof.iter().copied().map(Hash).collect();
        let Checkpoint { size, root, .. } = &self.checkpoint;
        verify_inclusion(&leaf_hash(frame), index, *size, &proof, root)
    }

    /// Whether all these (entries as they were signed, with their places, rising) stand under this
    /// checkpoint, by one proof.
    #[must_use]
    pub fn proves_all(&self, frames: &[Vec<u8>], places: &[u64], proof: &[[u8; 32]]) -> bool {
        let proof: Vec<Hash> = proof.iter().copied().map(Hash).collect();
        let Checkpoint { size, root, .. } = &self.checkpoint;
        let leaves: Vec<(u64, Hash)> =
            places.iter().zip(frames).map(|(place, frame)| (*place, leaf_hash(frame))).collect();
        frames.len() == places.len() && verify_several(&leaves, *size, &proof, root)
    }
}
