//! What the ledger knows of its own entries without reading them again.

use crate::authors::{Authors, number, read_number};
use crate::endings::Endings;
use crate::keepers::Keepers;
use evidence::{Body, Entry};
use std::collections::VecDeque;
use terms::Cursor;
use tlog::Hash;

/// Releases older than this before the newest are forgotten: budgets look back an hour.
const RELEASES_MS: u64 = 86_400_000;
/// No more of them are kept, whatever their time: 3,000 a second for more than an hour.
const RELEASES: usize = 12_000_000;

/// Authors, where releases and endings stand, and what the keepers did last.
#[derive(Default)]
pub(crate) struct Memory {
    pub authors: Authors,
    /// Index and time.
    pub releases: VecDeque<(u64, u64)>,
    pub keepers: Keepers,
    pub endings: Endings,
}

impl Memory {
    /// Learns from an entry that is (or becomes) part of the log.
    pub fn learn(&mut self, entry: &Entry, index: u64, leaf: Hash) {
        self.authors.take(entry, index, leaf);
        self.keepers.learn(entry, index);
        self.endings.learn(entry, index);
        if matches!(entry.body, Body::Release { .. }) {
            self.releases.push_back((index, entry.time_ms));
            let horizon = entry.time_ms.saturating_sub(RELEASES_MS);
            let is_old = |(_, at_ms): &(u64, u64)| *at_ms < horizon;
            while self.releases.len() > RELEASES || self.releases.front().is_some_and(is_old) {
                self.releases.pop_front();
            }
        }
    }

    /// Everything known, for an anchor.
    pub fn save(&self) -> Vec<u8> {
        let mut to = Vec::new();
        self.authors.save(&mut to);
        number(&mut to, self.releases.len() as u64);
        for (index, at_ms) in &self.releases {
            number(&mut to, *index);
            number(&mut to, *at_ms);
        }
        self.keepers.save(&mut to);
        self.endings.save(&mut to);
        to
    }

    /// Reads what `save` wrote.
    pub fn load(bytes: &[u8], leaf: impl Fn(u64) -> Option<Hash>) -> Option<Self> {
        let from = &mut Cursor::new(bytes);
        let authors = Authors::load(from, leaf)?;
        let count = read_number(from)?;
        let releases: Option<VecDeque<(u64, u64)>> =
            (0..count).map(|_| Some((read_number(from)?, read_number(from)?))).collect();
        let releases = releases?;
        let keepers = Keepers::load(from)?;
        let endings = Endings::load(from)?;
        from.is_at_end().then_some(Self { authors, releases, keepers, endings })
    }

    /// The batch in hand is written.
    pub fn batch_written(&mut self) {
        self.authors.batch_written();
        self.keepers.batch_written();
    }

    /// The batch in hand begins at `before` and is lost.
    pub fn forget(&mut self, before: u64) {
        self.authors.batch_lost();
        self.releases.retain(|(index, _)| *index < before);
        self.keepers.forget(before);
        self.endings.forget(before);
    }
}
