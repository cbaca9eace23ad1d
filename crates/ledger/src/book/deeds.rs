//! What keepers recorded of their tables: whoever was set back to an older copy of them learns here
//! what it has forgotten.

use super::{Book, SEND_BYTES, refused};
use crate::keepers::KEEPERS;
use evidence::{Entry, Frame};
use terms::Kind;
use tlog::Volume;
use wire::Peer;
use wire::ledger::FromLedger;

/// A keeper's question.
pub(super) struct Asked {
    pub peer: Peer,
    pub call: u32,
    pub kind: Kind,
    /// `None`: only which are the newest.
    pub from_index: Option<u64>,
}

/// Entries that are looked at for one answer.
const LOOKED_AT: usize = 16_384;
/// Entries that one answer shows of those whose places are known: each is some 300 octets, and is
/// read by itself.
const SHOWN: usize = 1_024;

impl<V: Volume> Book<V> {
    /// Nothing is said before the mirror has given back what may be missing here: a keeper would
    /// take its tables for new because the log is old.
    pub(super) fn deeds_asked(&mut self, asked: Asked, now_ms: u64) {
        let Asked { peer, call, kind, from_index } = asked;
        let answer = match from_index {
            _ if !KEEPERS.contains(&kind) => refused("only a keeper may ask for what it did"),
            _ if !self.may_append(now_ms) => {
                self.early.retain(|earlier| earlier.peer != peer);
                return self.early.push(asked);
            }
            Some(from_index) => self.deeds_of(kind, from_index),
            None => FromLedger::LastDeeds(self.memory.keepers.last(kind)),
        };
        self.answer(peer, call, answer);
    }

    /// Those who asked too early.
    pub(super) fn tell_early(&mut self, now_ms: u64) {
        if !self.early.is_empty() && self.may_append(now_ms) {
            for asked in std::mem::take(&mut self.early) {
                self.deeds_asked(asked, now_ms);
            }
        }
    }

    /// What an intruder recorded is nothing that a keeper does again.
    fn deeds_of(&self, kind: Kind, from_index: u64) -> FromLedger {
        let keepers = &self.memory.keepers;
        self.chosen(from_index, u64::MAX, |entry| {
            let is_its = entry.author == kind && !keepers.is_off_charter(entry.start);
            is_its && entry.body.changes_tables()
        })
    }

    /// What the sentinel must know to tell that somebody came in by what had been ended. Only what
    /// is older than our memory of it is looked for in the log itself.
    pub(super) fn ended_of(&self, from_index: u64, to_index: u64) -> FromLedger {
        let endings = &self.memory.endings;
        let to_index = to_index.min(self.store.size());
        let known_from = endings.unknown_before().min(to_index);
        if from_index < known_from {
            let mut piece = self.chosen(from_index, known_from, Entry::ends_or_lets_in);
            if let FromLedger::Deeds { next, .. } = &mut piece
                && next.is_none()
            {
                *next = (known_from < to_index).then_some(known_from);
            }
            return piece;
        }
        let places = endings.between(from_index, to_index, SHOWN);
        let Some(entries) = self.standing_at(&places) else { return FromLedger::Away };
        let next = places.last().map(|last| last + 1);
        let is_more = |next: &u64| !endings.between(*next, to_index, 1).is_empty();
        FromLedger::Deeds { entries, next: next.filter(is_more) }
    }

    fn standing_at(&self, places: &[u64]) -> Option<Vec<Vec<u8>>> {
        let one = |place: &u64| self.store.entries(*place, 1, SEND_BYTES).ok()?.pop();
        places.iter().map(one).collect()
    }

    /// A piece of what stands from here to there, as far as it is meant.
    fn chosen(
        &self,
        from_index: u64,
        to_index: u64,
        is_meant: impl Fn(&Entry) -> bool,
    ) -> FromLedger {
        let to_index = to_index.min(self.store.size());
        let left = usize::try_from(to_index.saturating_sub(from_index)).unwrap_or(usize::MAX);
        if left == 0 {
            return FromLedger::Deeds { entries: Vec::new(), next: None };
        }
        let Ok(found) = self.store.entries(from_index, left.min(LOOKED_AT), SEND_BYTES) else {
            return FromLedger::Away;
        };
        let next = from_index + found.len().max(1) as u64;
        let is_its =
            |bytes: &Vec<u8>| Frame::parse(bytes).is_some_and(|frame| is_meant(&frame.entry));
        let entries = found.into_iter().filter(is_its).collect();
        FromLedger::Deeds { entries, next: (next < to_index).then_some(next) }
    }
}
