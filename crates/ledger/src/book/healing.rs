//! What a power loss took comes back from the mirror.

use super::{Book, Out, RETRY_MS};
use crate::link::Link;
use evidence::{Entry, Frame};
use std::io;
use tlog::{LOG_ORIGIN, SignedCheckpoint, Volume, leaf_hash};
use wire::ledger::ToMirror;

/// What can come back: held in memory until its root is known to be ours.
const HEAL_BYTES: usize = 256 * 1024 * 1024;

impl<V: Volume> Book<V> {
    /// Takes back what a power loss took from us. Believed only under our own signature.
    pub(super) fn heal(
        &mut self,
        first: u64,
        more: Vec<Vec<u8>>,
        checkpoint: &[u8],
        now_ms: u64,
    ) -> io::Result<()> {
        let Link::Healing { since_ms, leaves } = &mut self.link else { return Ok(()) };
        let size = self.store.size();
        let apart = Link::Apart { retry_ms: now_ms + RETRY_MS };
        let own = self.signer.verifier();
        let signed = SignedCheckpoint::parse(checkpoint)
            .filter(|signed| signed.note.is_signed_by(&own) && !more.is_empty());
        let held: usize = leaves.iter().map(Vec::len).sum();
        let is_next = first == size + leaves.len() as u64 && held < HEAL_BYTES;
        let (Some(signed), true) = (signed, is_next) else {
            self.out.push(Out::Alarm("the mirror gives back what we never signed".to_owned()));
            self.link = apart;
            return Ok(());
        };
        leaves.extend(more);
        *since_ms = now_ms;
        let have = size + leaves.len() as u64;
        if have < signed.checkpoint.size {
            self.out.push(Out::Mirror(ToMirror::Fetch { from_index: have }));
            return Ok(());
        }
        let leaves = std::mem::take(leaves);
        let mut grown = self.store.committed().clone();
        leaves.iter().for_each(|leaf| grown.append(leaf_hash(leaf), |_, _, _| {}));
        let parsed: Option<Vec<Entry>> =
            leaves.iter().map(|leaf| Frame::parse(leaf).map(|frame| frame.entry)).collect();
        let fits = (grown.size(), grown.root()) == (signed.checkpoint.size, signed.checkpoint.root);
        let (Some(entries), true) = (parsed, fits) else {
            self.out.push(Out::Alarm("the mirror's history is not the one we hold".to_owned()));
            self.link = apart;
            return Ok(());
        };
        for (leaf, entry) in leaves.iter().zip(&entries) {
            let index = self.store.stage(leaf).ok_or(io::ErrorKind::InvalidData)?;
            self.memory.learn(entry, index, leaf_hash(leaf));
            self.unbound.push((leaf_hash(leaf), entry.clone()));
            if self.is_large() {
                self.keep_healed()?;
            }
        }
        self.keep_healed()?;
        let count = leaves.len();
        self.out.push(Out::Alarm(format!("{count} entries were lost here and came back")));
        self.mirror_joined(now_ms);
        Ok(())
    }

    fn keep_healed(&mut self) -> io::Result<()> {
        if self.store.has_staged() {
            let signed = self.sign(self.store.checkpoint(LOG_ORIGIN));
            self.store.write(signed)?;
            self.store.flush()?;
            self.memory.batch_written();
            self.bind();
        }
        Ok(())
    }
}
