//! What the tables of a keeper of mail know of the entries that tell of them, without a flush for
//! each: which numbers a start may have signed is reckoned from the records that it signs for.
//!
//! A record is durable before an entry tells of it, and a round has no more entries than records
//! (`Stored`). So it is enough that a start notes once, before it signs anything, with which record
//! it begins, and later now and then, beside something that is written anyway, how far its numbers
//! and records have come: it never signs by more numbers than that, and one for each record since.
//! A crash leaves tables that allow for more than was signed, never for less.

use crate::{Age, Noted};
use serde::{Deserialize, Serialize};
use terms::InstanceId;
use wire::ledger::LastDeeds;

/// Starts that are remembered beside the one of now: an entry that one of them handed in with its
/// last breath may come into the log behind what was compared.
const OVER: usize = 4;

/// Everything that such tables know of their entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// So many entries stood up to the newest of theirs that a cosigned checkpoint showed them, or
    /// that the ledger named at a start.
    known: u64,
    /// Starts that are over, and below which number each signed.
    over: Vec<(InstanceId, u64)>,
    now: Option<Run>,
    lacks: Option<Lacks>,
}

/// A start: what it signs for records from this one on has numbers from this one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    start: InstanceId,
    number: u64,
    record: u64,
}

impl Run {
    /// No number from this on was signed, while there were records below `next_record`.
    fn below(&self, next_record: u64) -> u64 {
        self.number.saturating_add(next_record.saturating_sub(self.record))
    }
}

/// What is recorded of tables, and they have not: they were set back, and went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacks {
    pub entries: u64,
    /// That these tell of.
    pub messages: u64,
    /// When the first of them was.
    pub since_ms: u64,
    /// The tables remembered nothing at all.
    pub is_blank: bool,
}

impl Lacks {
    /// Tables that were set back twice.
    fn and(self, more: Self) -> Self {
        Self {
            entries: self.entries.saturating_add(more.entries),
            messages: self.messages.saturating_add(more.messages),
            since_ms: self.since_ms.min(more.since_ms),
            is_blank: self.is_blank || more.is_blank,
        }
    }
}

impl Runs {
    /// For a comparison, by tables whose next record has this number.
    pub(crate) fn noted(&self, next_record: u64) -> Noted {
        let now = self.now.map(|run| (run.start, run.below(next_record)));
        let all = self.over.iter().copied().chain(now);
        let some = all.filter_map(|(start, below)| Some((start, below.checked_sub(1)?)));
        Noted::of(self.known, some.collect())
    }

    /// How tables whose next record has this number stand to what the ledger knows of them.
    pub fn age(&self, next_record: u64, deeds: LastDeeds) -> Age {
        Noted::compare(Some(self.noted(next_record)), deeds).1
    }

    /// A start begins, whose first record is this one: `known` was compared.
    pub(crate) fn begin(&mut self, start: InstanceId, known: u64, (record, next): (u64, u64)) {
        self.known = known;
        if self.now.is_some_and(|run| run.start == start) {
            return;
        }
        self.over.extend(self.now.map(|run| (run.start, run.below(next))));
        self.over.drain(..self.over.len().saturating_sub(OVER));
        self.now = Some(Run { start, number: 0, record });
    }

    /// All records below `record` are told, by numbers below this one.
    pub(crate) fn told(&mut self, number: u64, record: u64) {
        if let Some(run) = &mut self.now {
            (run.number, run.record) = (number, run.record.max(record));
        }
    }

    /// An entry of theirs was shown to stand here.
    pub(crate) fn shown(&mut self, place: u64) {
        self.known = self.known.max(place.saturating_add(1));
    }

    pub(crate) fn lack(&mut self, more: Lacks) {
        self.lacks = Some(self.lacks.map_or(more, |lacks| lacks.and(more)));
    }

    pub(crate) fn acknowledge(&mut self) {
        self.lacks = None;
    }

    /// What these tables lack, and nobody has acknowledged.
    pub fn lacks(&self) -> Option<Lacks> {
        self.lacks
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Lacks, OVER, Runs};
    use crate::Age;
    use terms::InstanceId;
    use wire::ledger::{Deed, LastDeeds};

    fn start(number: u8) -> InstanceId {
        InstanceId([number; 6])
    }

    fn is_current(runs: &Runs, next: u64, (of, seq): (u8, u64)) -> bool {
        let own = Some(Deed { start: start(of), seq, index: 1_000 + seq });
        let deeds = LastDeeds { own, foreign: None };
        matches!(runs.age(next, deeds), Age::Current)
    }

    #[test]
    fn a_start_may_sign_one_number_for_each_record() {
        let mut runs = Runs::default();
        runs.begin(start(1), 0, (10, 10));
        assert!(!is_current(&runs, 10, (1, 0)), "nothing is there to be told");
        assert!(is_current(&runs, 11, (1, 0)) && !is_current(&runs, 11, (1, 1)));
        // Twenty records were told by four entries: from here on it is reckoned from there.
        assert!(is_current(&runs, 30, (1, 19)));
        runs.told(4, 30);
        assert!(is_current(&runs, 30, (1, 3)) && !is_current(&runs, 30, (1, 4)));
        assert!(is_current(&runs, 32, (1, 5)) && !is_current(&runs, 32, (1, 6)));
    }

    #[test]
    fn starts_that_are_over_stay_as_they_were_left() {
        let mut runs = Runs::default();
        runs.begin(start(1), 0, (0, 0));
        runs.begin(start(2), 0, (5, 7));
        for next in [7, 100] {
            assert!(is_current(&runs, next, (1, 6)) && !is_current(&runs, next, (1, 7)));
        }
        assert!(is_current(&runs, 8, (2, 2)) && !is_current(&runs, 8, (2, 3)));
        // Told twice, after a commit that failed.
        let before = runs.clone();
        runs.begin(start(2), 0, (5, 7));
        assert_eq!(runs, before);
        (3..100).for_each(|number| runs.begin(start(number), 0, (7, 7)));
        assert_eq!(runs.over.len(), OVER);
    }

    #[test]
    fn a_log_that_lost_what_was_shown_is_the_older_one() {
        let mut runs = Runs::default();
        runs.begin(start(1), 7, (0, 0));
        runs.shown(1_001);
        runs.shown(900);
        assert!(is_current(&runs, 2, (1, 1)));
        let own = Some(Deed { start: start(1), seq: 0, index: 1_000 });
        let age = runs.age(2, LastDeeds { own, foreign: None });
        assert_eq!(age, Age::Ahead { known: 1_002, stands: 1_001 });
    }

    #[test]
    fn what_is_lacking_is_remembered_until_it_is_acknowledged() {
        let lacks = |messages, since_ms| Lacks { entries: 1, messages, since_ms, is_blank: false };
        let mut runs = Runs::default();
        runs.lack(lacks(3, 50));
        runs.lack(lacks(4, 60));
        let kept: Runs = postcard::from_bytes(&postcard::to_stdvec(&runs).unwrap()).unwrap();
        assert_eq!(kept.lacks(), Some(Lacks { entries: 2, ..lacks(7, 50) }));
        runs.acknowledge();
        assert_eq!(runs.lacks(), None);
    }
}
