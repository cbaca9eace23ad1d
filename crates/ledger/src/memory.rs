//! What the ledger knows of its own entries without reading them again.

use crate::authors::{Authors, number, read_number};
use evidence::{Body, Entry};
use std::collections::{BTreeMap, VecDeque};
use terms::{Cursor, InstanceId, Kind};
use tlog::Hash;
use wire::ledger::Deed;

/// Releases older than this before the newest are forgotten: budgets look back an hour.
const RELEASES_MS: u64 = 86_400_000;
/// No more of them are kept, whatever their time: 3,000 a second for more than an hour.
const RELEASES: usize = 12_000_000;

/// Keepers whose tables follow from what they recorded.
pub(crate) const KEEPERS: [Kind; 2] = [Kind::Identity, Kind::Directory];
/// Deeds of one keeper that are told apart until a batch is written: more than an append holds.
const DEEDS: usize = 20_000;

/// Authors, where releases stand, and which deeds of the keepers are the newest.
#[derive(Default)]
pub(crate) struct Memory {
    pub authors: Authors,
    /// Index and time.
    pub releases: VecDeque<(u64, u64)>,
    /// By kind: the newest that is written, and those of the batch in hand.
    deeds: BTreeMap<u32, VecDeque<Deed>>,
}

impl Memory {
    /// Learns from an entry that is (or becomes) part of the log.
    pub fn learn(&mut self, entry: &Entry, index: u64, leaf: Hash) {
        self.authors.take(entry, index, leaf);
        if entry.body.changes_tables() && KEEPERS.contains(&entry.author) {
            let deeds = self.deeds.entry(entry.author.number()).or_default();
            deeds.push_back(Deed { start: entry.start, seq: entry.seq, index });
            deeds.drain(..deeds.len().saturating_sub(DEEDS));
        }
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
        number(&mut to, self.deeds.len() as u64);
        for (kind, deeds) in &self.deeds {
            let Some(Deed { start, seq, index }) = deeds.back() else { continue };
            number(&mut to, (*kind).into());
            to.extend_from_slice(&start.0);
            number(&mut to, *seq);
            number(&mut to, *index);
        }
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
        // Until 2026-12-02 an anchor ended here.
        let deeds = if from.is_at_end() { BTreeMap::new() } else { read_deeds(from)? };
        from.is_at_end().then_some(Self { authors, releases, deeds })
    }

    /// The newest deed of this kind.
    pub fn last_deed(&self, kind: Kind) -> Option<Deed> {
        self.deeds.get(&kind.number())?.back().copied()
    }

    /// The batch in hand is written.
    pub fn batch_written(&mut self) {
        self.authors.batch_written();
        for deeds in self.deeds.values_mut() {
            deeds.drain(..deeds.len().saturating_sub(1));
        }
    }

    /// The batch in hand begins at `before` and is lost.
    pub fn forget(&mut self, before: u64) {
        self.authors.batch_lost();
        self.releases.retain(|(index, _)| *index < before);
        for deeds in self.deeds.values_mut() {
            deeds.retain(|deed| deed.index < before);
        }
        self.deeds.retain(|_, deeds| !deeds.is_empty());
    }
}

fn read_deeds(from: &mut Cursor) -> Option<BTreeMap<u32, VecDeque<Deed>>> {
    let mut all = BTreeMap::new();
    for _ in 0..read_number(from)? {
        let kind = u32::try_from(read_number(from)?).ok()?;
        let start = InstanceId::from_slice(from.take(6)?)?;
        let deed = Deed { start, seq: read_number(from)?, index: read_number(from)? };
        all.insert(kind, VecDeque::from([deed]));
    }
    Some(all)
}
