//! Where entries stand that end something or let somebody in: the sentinel asks for all of them at
//! each of its starts, and a log of a billion entries is not read for that.

use crate::authors::{number, read_number};
use evidence::Entry;
use std::collections::VecDeque;
use terms::Cursor;

/// More than the sentinel remembers.
const KEPT: usize = 131_072;

/// Their places, ascending.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Endings {
    places: VecDeque<u64>,
    /// All of them stand in `places` from this entry on. `None`: nothing was learned yet.
    known_from: Option<u64>,
    /// There were more than are kept: what is older is nobody's question any more.
    is_cut: bool,
}

impl Endings {
    /// Learns from an entry that is (or becomes) part of the log.
    pub fn learn(&mut self, entry: &Entry, index: u64) {
        // An anchor of before 2026-12-03 says nothing of what it stands for.
        self.known_from.get_or_insert(index);
        if entry.ends_or_lets_in() {
            self.places.push_back(index);
        }
        while self.places.len() > KEPT {
            self.known_from = self.places.pop_front().map(|place| place + 1);
            self.is_cut = true;
        }
    }

    /// The batch in hand begins at `before` and is lost.
    pub fn forget(&mut self, before: u64) {
        self.places.retain(|place| *place < before);
        self.known_from = self.known_from.filter(|from| *from < before);
    }

    /// Up to where the log itself has to be read for them.
    pub fn unknown_before(&self) -> u64 {
        match self.known_from {
            Some(_) if self.is_cut => 0,
            Some(from) => from,
            None => u64::MAX,
        }
    }

    /// The first of them in this range; at most so many.
    pub fn between(&self, from_index: u64, to_index: u64, most: usize) -> Vec<u64> {
        let first = self.places.partition_point(|place| *place < from_index);
        let those = self.places.range(first..).take_while(|place| **place < to_index);
        those.take(most).copied().collect()
    }

    /// Everything known, for an anchor.
    pub fn save(&self, to: &mut Vec<u8>) {
        // One more than it is, for none is nothing.
        number(to, self.known_from.map_or(0, |from| from + 1));
        number(to, self.is_cut.into());
        number(to, self.places.len() as u64);
        for place in &self.places {
            number(to, *place);
        }
    }

    /// Reads what `save` wrote, or an anchor of before it.
    pub fn load(from: &mut Cursor) -> Option<Self> {
        if from.is_at_end() {
            return Some(Self::default());
        }
        let known_from = read_number(from)?.checked_sub(1);
        let is_cut = read_number(from)? != 0;
        let count = read_number(from)?;
        let places: Option<VecDeque<u64>> = (0..count).map(|_| read_number(from)).collect();
        Some(Self { places: places?, known_from, is_cut })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use evidence::Body;
    use terms::{InstanceId, Kind, TenantId};

    fn entry(author: Kind) -> Entry {
        let body = Body::KeySeal { sealed: true, tenant: TenantId([2; 8]) };
        Entry { author, start: InstanceId([1; 6]), seq: 0, time_ms: 1_000, body }
    }

    fn learned(count: u64, step: u64) -> Endings {
        let mut endings = Endings::default();
        for index in 0..count {
            let author = if index % step == 0 { Kind::Vault } else { Kind::Mailbox };
            endings.learn(&entry(author), index);
        }
        endings
    }

    #[test]
    fn a_range_is_answered_in_order_and_in_pieces() {
        let endings = learned(100, 10);
        assert_eq!(endings.unknown_before(), 0);
        assert_eq!(endings.between(0, u64::MAX, 3), [0, 10, 20]);
        assert_eq!(endings.between(21, 50, 9), [30, 40]);
        assert!(endings.between(91, 90, 9).is_empty());
    }

    #[test]
    fn an_anchor_keeps_them_and_an_older_one_says_from_where() {
        let mut endings = learned(100, 10);
        let mut bytes = Vec::new();
        endings.save(&mut bytes);
        assert_eq!(Endings::load(&mut Cursor::new(&bytes)).unwrap(), endings);
        assert!(Endings::load(&mut Cursor::new(&bytes[..bytes.len() - 1])).is_none());
        endings.forget(31);
        assert_eq!(endings.between(0, u64::MAX, 9), [0, 10, 20, 30]);
        let mut older = Endings::load(&mut Cursor::new(&[])).unwrap();
        assert_eq!(older.unknown_before(), u64::MAX);
        older.learn(&entry(Kind::Mailbox), 500);
        assert_eq!(older.unknown_before(), 500);
    }

    #[test]
    fn the_newest_are_kept() {
        let endings = learned(KEPT as u64 + 5, 1);
        assert_eq!(endings.between(0, u64::MAX, 1), [5]);
        assert_eq!(endings.unknown_before(), 0, "what nobody can keep is not read");
    }
}
