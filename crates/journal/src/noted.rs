//! What a keeper's own tables know of the entries that changed them, so that an older copy of the
//! tables is found out at the next start: the ledger knows of a deed that they have not noted.
//!
//! The tables note that a deed is about to be signed, durably, before it is: a crash leaves a note
//! without an entry, never an entry without a note.

use crate::{Fault, Journal};
use evidence::{Body, Entry, Frame};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use wire::ledger::{Deed, FromLedger, LastDeeds, ToLedger};

/// The ledger knows it by heart. Whoever asks serves others meanwhile, and asks again.
const ASKING: Duration = Duration::from_millis(700);

/// So long nobody is told that tables are older: the warden records within a second or two that
/// what they do not know of was an intruder's.
const DOUBT: Duration = Duration::from_secs(3);

/// Where a keeper's tables note it: in the very file that a copy of them would bring along.
pub trait Notes {
    /// What was kept last; `None`: nothing, or nothing that can be read.
    fn read(&mut self) -> Option<Vec<u8>>;
    /// Durable when it returns `true`.
    fn keep(&mut self, noted: &[u8]) -> bool;
}

/// Everything that the tables know of their deeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// The ledger's newest deed when that was last compared: its index and one.
    known: u64,
    /// Since then: starts, and the number up to which each signed, or was about to.
    starts: Vec<(InstanceId, u64)>,
}

impl Noted {
    pub fn read(kept: &[u8]) -> Option<Self> {
        postcard::from_bytes(kept).ok()
    }

    pub fn write(&self) -> Option<Vec<u8>> {
        postcard::to_stdvec(self).ok()
    }

    /// How tables that remember this (`None`: nothing) stand to what is recorded of them, and what
    /// they remember from now on.
    pub fn compare(kept: Option<Self>, deeds: LastDeeds) -> (Self, Age) {
        let (is_blank, noted) = (kept.is_none(), kept.unwrap_or_default());
        let age = noted.age(deeds, is_blank);
        if !matches!(age, Age::Current | Age::Ahead { .. }) {
            return (noted, age);
        }
        // Kept with the next deed: until then what stood before says the same.
        let known = newest(deeds).map_or(0, |deed| deed.index + 1);
        (Self { known, starts: Vec::new() }, age)
    }

    /// As `Runs` reckons it: of each start the last number that it may have used.
    pub(crate) fn of(known: u64, starts: Vec<(InstanceId, u64)>) -> Self {
        Self { known, starts }
    }

    /// Everything up to `last` is known.
    pub fn up_to(last: Deed) -> Self {
        Self { known: last.index + 1, starts: Vec::new() }
    }

    /// The same, and that this start is about to use this number.
    #[must_use]
    pub fn with(&self, start: InstanceId, seq: u64) -> Self {
        let mut noted = self.clone();
        noted.add(start, seq);
        noted
    }

    fn covers(&self, deed: &Deed) -> bool {
        deed.index < self.known || self.has_noted(deed.start, deed.seq)
    }

    /// How tables that remember this (`is_blank`: nothing) stand to what is recorded of them.
    fn age(&self, deeds: LastDeeds, is_blank: bool) -> Age {
        let stands = newest(deeds).map_or(0, |deed| deed.index + 1);
        if stands < self.known {
            return Age::Ahead { known: self.known, stands };
        }
        let unknown = |deed: Option<Deed>| deed.filter(|deed| !self.covers(deed));
        match (unknown(deeds.own), unknown(deeds.foreign)) {
            (None, None) => Age::Current,
            (None, Some(foreign)) => Age::Intruded(newest(deeds).unwrap_or(foreign)),
            (Some(own), _) => {
                let last = newest(deeds).unwrap_or(own);
                Age::Older(Behind { last, from_index: self.known, is_blank })
            }
        }
    }

    pub fn has_signed(&self, entry: &Entry) -> bool {
        self.has_noted(entry.start, entry.seq)
    }

    fn has_noted(&self, start: InstanceId, seq: u64) -> bool {
        self.starts.iter().any(|(one, upto)| *one == start && seq <= *upto)
    }

    fn add(&mut self, start: InstanceId, seq: u64) {
        match self.starts.last_mut().filter(|(last, _)| *last == start) {
            Some((_, upto)) => *upto = seq,
            None => self.starts.push((start, seq)),
        }
    }
}

/// How a keeper's tables stand to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// They know of everything that was recorded of them.
    Current,
    /// All that they do not know of was recorded by processes that the warden found off charter:
    /// nothing of it need be done. This is the newest deed there is.
    Intruded(Deed),
    /// The log is what is older: it had `known` entries when its newest deed was seen here, and the
    /// newest of now is one of the first `stands`.
    Ahead { known: u64, stands: u64 },
    /// They do not: they are an older copy, or somebody began them anew.
    Older(Behind),
}

/// What tables do not know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The newest of it.
    pub last: Deed,
    /// All of it stands here, or behind.
    pub from_index: u64,
    /// They remember nothing at all.
    pub is_blank: bool,
}

/// Since when tables seem older than what is recorded.
#[derive(Default)]
pub struct Doubt(Option<Instant>);

impl Doubt {
    /// Whether it is too early to say this of them.
    pub fn is_about(&mut self, age: &Age) -> bool {
        matches!(age, Age::Older(_)) && self.0.get_or_insert_with(Instant::now).elapsed() < DOUBT
    }
}

/// For an alarm: what an intruder recorded in a keeper's name.
pub fn intruded(keeper: Kind) -> String {
    format!(
        "changes are recorded in the name of {} that its tables do not know of, by a process that \
         was found off charter: they are not carried out; see `scope` of that instance",
        keeper.word()
    )
}

/// For an alarm: the log that was shown is older than a keeper's tables.
pub fn ahead(keeper: Kind, known: u64, stands: u64) -> String {
    format!(
        "the evidence is older than what {} knows of it: entry {} was there, and of its changes \
         none stands beyond entry {}: somebody put older copies of the logs in their place",
        keeper.word(),
        known.saturating_sub(1),
        stands.saturating_sub(1)
    )
}

fn newest(deeds: LastDeeds) -> Option<Deed> {
    [deeds.own, deeds.foreign].into_iter().flatten().max_by_key(|deed| deed.index)
}

/// The notes, and what they say.
pub(crate) struct Memory {
    notes: Box<dyn Notes>,
    noted: Noted,
}

impl Memory {
    /// `false`: it could not be kept, and the deed must not be done.
    pub fn before(&mut self, start: InstanceId, seq: u64) -> bool {
        self.keep(self.noted.with(start, seq))
    }

    fn keep(&mut self, noted: Noted) -> bool {
        let kept = noted.write().is_some_and(|bytes| self.notes.keep(&bytes));
        if kept {
            self.noted = noted;
        }
        kept
    }
}

impl Journal {
    /// From now on every deed that changes tables is noted there first. Tells how they stand to
    /// what the ledger knows of them.
    ///
    /// # Errors
    /// The ledger is away, or does not know yet, or they seem older since a moment only: nobody may
    /// act upon these tables, and the notes are handed back for another try.
    pub fn remember_in(&mut self, mut notes: Box<dyn Notes>) -> Result<Age, Box<dyn Notes>> {
        let Ok(deeds) = self.last_deeds() else { return Err(notes) };
        let kept = notes.read().and_then(|bytes| Noted::read(&bytes));
        let (noted, age) = Noted::compare(kept, deeds);
        if self.doubt.is_about(&age) {
            return Err(notes);
        }
        self.memory = Some(Memory { notes, noted });
        Ok(age)
    }

    /// The tables know of everything up to `last` from now on: what they had forgotten was done
    /// again, or somebody who decides said that they know. `false`: it could not be kept.
    pub fn catch_up(&mut self, last: Deed) -> bool {
        let Some(memory) = &mut self.memory else { return false };
        memory.keep(Noted::up_to(last))
    }

    /// What the tables do not know of, from `from_index` on, oldest first; where to go on.
    ///
    /// # Errors
    /// The ledger is away.
    pub fn forgotten(&mut self, from_index: u64) -> Result<(Vec<Body>, Option<u64>), Fault> {
        match self.ask(&ToLedger::Deeds { from_index })? {
            FromLedger::Deeds { entries, next } => {
                let frames = entries.iter().filter_map(|bytes| Frame::parse(bytes));
                let is_new = |frame: &Frame| {
                    let memory = self.memory.as_ref();
                    !memory.is_some_and(|memory| memory.noted.has_signed(&frame.entry))
                };
                Ok((frames.filter(is_new).map(|frame| frame.entry.body).collect(), next))
            }
            _ => Err(Fault::Away),
        }
    }

    /// Nothing that changes tables is recorded before they can note it.
    pub fn await_notes(&mut self) {
        self.awaits_notes = true;
    }

    fn last_deeds(&mut self) -> Result<LastDeeds, Fault> {
        match self.ask(&ToLedger::LastDeeds)? {
            FromLedger::LastDeeds(deeds) => Ok(deeds),
            _ => Err(Fault::Away),
        }
    }

    fn ask(&mut self, question: &ToLedger) -> Result<FromLedger, Fault> {
        let ledger = self.ledger.as_mut().ok_or(Fault::Away)?;
        match ledger.ask::<_, FromLedger>(question, &[], ASKING) {
            Ok((answer, _)) => Ok(answer),
            Err(wire::Fault::Silent) => Err(Fault::Away),
            Err(_) => {
                self.ledger = None;
                Err(Fault::Away)
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Age, Behind, Deed, LastDeeds, Noted};
    use terms::InstanceId;

    fn start(number: u8) -> InstanceId {
        InstanceId([number; 6])
    }

    fn deed(of: u8, seq: u64, index: u64) -> Deed {
        Deed { start: start(of), seq, index }
    }

    #[test]
    fn tables_cover_what_they_noted_and_an_older_copy_does_not() {
        let mut noted = Noted::default();
        noted.add(start(1), 4);
        let older = noted.clone();
        noted.add(start(1), 9);
        assert!(noted.covers(&deed(1, 9, 30)) && noted.covers(&deed(1, 7, 20)));
        assert!(older.covers(&deed(1, 4, 10)) && !older.covers(&deed(1, 5, 11)));
        assert!(!Noted::default().covers(&deed(1, 0, 0)));
    }

    #[test]
    fn a_note_without_its_entry_is_no_sign_of_age() {
        // The second start died between its note and its entry: the ledger's newest is the first's.
        let mut noted = Noted::default();
        noted.add(start(1), 4);
        noted.add(start(2), 0);
        assert!(noted.covers(&deed(1, 4, 10)) && noted.covers(&deed(2, 0, 11)));
        assert!(!noted.covers(&deed(2, 1, 12)));
    }

    #[test]
    fn what_an_intruder_recorded_makes_no_tables_older() {
        let noted = Noted { known: 11, starts: vec![(start(3), 2)] };
        let age = |own, foreign| noted.age(LastDeeds { own, foreign }, false);
        let (known, new) = (Some(deed(3, 2, 15)), Some(deed(4, 0, 16)));
        assert_eq!(age(None, None), Age::Ahead { known: 11, stands: 0 });
        assert_eq!(age(known, None), Age::Current);
        assert_eq!(age(known, new), Age::Intruded(deed(4, 0, 16)));
        // What is noted of later deeds is not forgotten with it.
        assert_eq!(age(known, Some(deed(4, 0, 12))), Age::Intruded(deed(3, 2, 15)));
        // A keeper that became an intruder: what it did before is in the tables.
        assert_eq!(age(None, known), Age::Current);
        // The log that knew of more is gone.
        let short = Age::Ahead { known: 11, stands: 5 };
        assert_eq!(age(Some(deed(3, 0, 4)), None), short);
        let older = |last| Age::Older(Behind { last, from_index: 11, is_blank: false });
        assert_eq!(age(new, known), older(deed(4, 0, 16)));
        assert_eq!(age(new, Some(deed(5, 0, 17))), older(deed(5, 0, 17)));
    }

    #[test]
    fn what_was_compared_stays_known() {
        let noted = Noted { known: 11, starts: vec![(start(3), 2)] };
        assert!(noted.covers(&deed(1, 400, 10)) && !noted.covers(&deed(1, 401, 11)));
        assert!(noted.covers(&deed(3, 2, 15)) && !noted.covers(&deed(4, 0, 16)));
    }
}
