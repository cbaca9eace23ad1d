//! What the ledger knows of its own entries without reading them again.

use crate::authors::Authors;
use evidence::{Body, Entry};
use std::collections::VecDeque;
use tlog::Hash;

/// Releases older than this before the newest are forgotten: budgets look back a day at most.
const RELEASES_MS: u64 = 7 * 86_400_000;

/// Authors, and where releases stand.
#[derive(Default)]
pub(crate) struct Memory {
    pub authors: Authors,
    /// Index and time.
    pub releases: VecDeque<(u64, u64)>,
}

impl Memory {
    /// Learns from an entry that is (or becomes) part of the log.
    pub fn learn(&mut self, entry: &Entry, index: u64, leaf: Hash) {
        self.authors.take(entry, index, leaf);
        if matches!(entry.body, Body::Release { .. }) {
            self.releases.push_back((index, entry.time_ms));
            let horizon = entry.time_ms.saturating_sub(RELEASES_MS);
            while self.releases.front().is_some_and(|(_, at_ms)| *at_ms < horizon) {
                self.releases.pop_front();
            }
        }
    }

    /// The batch in hand begins at `before` and is lost.
    pub fn forget(&mut self, before: u64) {
        self.authors.batch_lost();
        self.releases.retain(|(index, _)| *index < before);
    }
}
