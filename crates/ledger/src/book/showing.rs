//! What stands in the log, shown under the newest checkpoint that the mirror signed.

use super::{Book, refused};
use terms::InstanceId;
use tlog::{Volume, prove_several};
use wire::ledger::{FromLedger, Proof};

/// Entries that are shown together, and hashes that show them: 40 KiB at most.
const SHOWN: usize = 1_024;
const SHOWN_HASHES: usize = 1_024;

impl<V: Volume> Book<V> {
    /// An author's own entries, by one proof.
    pub(super) fn show(&self, author: InstanceId, first: u64, count: u32) -> FromLedger {
        let count = (count as usize).min(SHOWN);
        let mut places = self.memory.authors.places(author, first, count);
        if places.is_empty() {
            // Of whoever has ended only the newest are remembered.
            return match self.memory.authors.has_stopped(author) {
                true => FromLedger::Away,
                false => refused("expected numbers of entries that were taken lately"),
            };
        }
        let Some(cosigned) = &self.cosigned else { return FromLedger::Away };
        let size = cosigned.checkpoint.size;
        places.truncate(places.partition_point(|place| *place < size));
        while !places.is_empty() {
            let Some(proof) = prove_several(&self.store, &places, size) else { break };
            if proof.len() > SHOWN_HASHES {
                places.truncate(places.len() / 2);
                continue;
            }
            let proof = proof.into_iter().map(|hash| hash.0).collect();
            let checkpoint = cosigned.note.to_text().into_bytes();
            return FromLedger::Shown { places, proof, checkpoint };
        }
        FromLedger::Away
    }

    /// One proof for each.
    pub(super) fn proofs(&self, indices: &[u64]) -> FromLedger {
        let Some(cosigned) = &self.cosigned else { return FromLedger::Away };
        let prove = |index: &u64| {
            let hashes = self.store.inclusion(*index, cosigned.checkpoint.size)?;
            Some(Proof { index: *index, hashes: hashes.into_iter().map(|hash| hash.0).collect() })
        };
        let checkpoint = cosigned.note.to_text().into_bytes();
        match indices.iter().map(prove).collect() {
            Some(proofs) => FromLedger::Proved { proofs, checkpoint },
            None => FromLedger::Away,
        }
    }
}
