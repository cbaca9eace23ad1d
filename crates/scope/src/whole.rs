//! Counting by sums: what whole stretches of the log say of processes that are all asked about.

use crate::cell::{Cell, Tie};
use crate::fact::{Deed, Fact, Item, Person};
use crate::measure::{Reach, Tally};
use crate::meetings::Meetings;
use crate::months::Months;
use crate::roll::{LAG_MS, Life, Roll};
use std::collections::HashMap;
use terms::{InstanceId, Kind, TenantId};

/// Connections of one instance that are accounted for by none of these facts, which are all that
/// it did in its life.
pub fn unattributed<'a>(component: Kind, facts: impl Iterator<Item = &'a Fact>) -> u64 {
    let mut meetings = Meetings::default();
    facts.for_each(|fact| meetings.hear(component, fact));
    meetings.unattributed()
}

/// Who stood beside whom.
pub struct Beside<'a> {
    roll: &'a Roll,
    scanners: HashMap<InstanceId, Vec<&'a Life>>,
    unplaced: Vec<&'a Life>,
}

impl<'a> Beside<'a> {
    pub fn of(roll: &'a Roll) -> Self {
        let mut scanners: HashMap<InstanceId, Vec<&Life>> = HashMap::new();
        let mut unplaced = Vec::new();
        for life in roll.0.values().filter(|life| life.kind == Kind::Scanner) {
            match life.serves {
                Some(other) => scanners.entry(other).or_default().push(life),
                None => unplaced.push(life),
            }
        }
        Self { roll, scanners, unplaced }
    }

    /// Hands on the processes through which, too, a message of this fact passed.
    pub fn each(&self, fact: &Fact, mut one: impl FnMut(&Life)) {
        if !matches!(fact.deed, Deed::Arrival | Deed::Deliver | Deed::Queue) {
            return;
        }
        let lived = |life: &&&Life| {
            let to_ms = life.to_ms.map_or(u64::MAX, |to_ms| to_ms.saturating_add(LAG_MS));
            (life.from_ms..=to_ms).contains(&fact.at_ms)
        };
        let placed = self.scanners.get(&fact.instance).into_iter().flatten();
        placed.chain(&self.unplaced).filter(lived).for_each(|life| one(life));
        let own = self.roll.0.get(&fact.instance).filter(|life| life.kind == Kind::Dispatch);
        let access = own.and_then(|life| self.roll.0.get(&life.serves?));
        access.filter(|life| life.kind == Kind::Access).into_iter().for_each(one);
    }
}

impl Tally {
    /// Whether it asks of those who record the deeds of others, or whose grants open for others.
    pub fn asks_authors(&self) -> bool {
        self.reach() == Reach::Everywhere
    }

    /// Whether a cell of processes that are asked about says anything: where every version of them
    /// is asked about, what one wrote of another is told by that other.
    pub fn takes(&self, cell: &Cell) -> bool {
        cell.tie != Tie::Kin || self.question.version.is_some()
    }

    /// Whether a process is one that is asked about.
    pub fn asks_about(&self, life: &Life) -> bool {
        let wanted = &self.question;
        let is_version =
            wanted.version.as_ref().is_none_or(|wanted| wanted == life.version.as_str());
        life.kind == wanted.component && is_version && life.from_ms < wanted.to_ms
    }

    /// Sums of processes that are all asked about, of a time that is all asked about, or all of
    /// which lies before it and was brought into it.
    pub fn take(&mut self, cell: &Cell) {
        if cell.last_ms < self.question.from_ms {
            self.carried.given_from(cell.deed, (cell.first_ms, cell.last_ms));
        }
        if self.half.counts_people() {
            if cell.deed == Deed::Credential {
                self.shared_credentials += cell.sum;
            }
            return;
        }
        if cell.is_use(self.question.component) {
            self.used(cell.first_ms);
            self.used(cell.last_ms);
        }
        match cell.deed {
            Deed::Passed => self.not_kept += cell.sum,
            // A warden writes down the ends of others.
            Deed::Stop if cell.tie == Tie::Own => self.traces.stopped_at(cell.told),
            Deed::GrantEnd => self.traces.granted_until(cell.told),
            Deed::Connection if cell.is_met() && self.has_meetings => {
                self.unattributed += cell.sum;
            }
            _ => {}
        }
    }

    /// An author asked about gave a grant until then, perhaps behind the window.
    pub fn granted_until(&mut self, told: (u64, u64)) {
        self.traces.granted_until(told);
    }

    /// Somebody whom facts name, and what is known through them.
    pub fn take_person(&mut self, person: Person, classes: u8) {
        self.shares.note(person, classes);
    }

    /// A sort of credential, whose it is, and when it was last used.
    pub fn take_credential(&mut self, item: Item, tenant: Option<TenantId>, last_ms: u64) {
        self.traces.used_at(item, tenant, last_ms);
    }

    /// Instances that lived and ended within a stretch: what is not known of their connections,
    /// and when the last of them was gone.
    pub fn take_lives(&mut self, unattributed: u64, ended_ms: u64) {
        self.unattributed += unattributed;
        self.traces.gone(ended_ms);
    }

    /// It is counted with those that ended, before or after this, and is spoken of again.
    pub fn take_back(&mut self, unattributed: u64) {
        self.taken_back += unattributed;
    }

    /// Follows the connections of an instance that outlives the stretch.
    pub fn follow(&mut self, fact: &Fact) {
        if self.half.counts_processes() {
            let component = self.question.component;
            self.meetings.entry(fact.instance).or_default().hear(component, fact);
        }
    }

    /// The contracts of whoever is counted, and their numbers.
    pub fn contracts(&self) -> impl Iterator<Item = (TenantId, u32)> {
        self.shares.contracts.iter().map(|(tenant, share)| (*tenant, share.number))
    }

    /// Whose months were released.
    pub fn released(&self) -> &Months {
        &self.months
    }

    /// Instances that were met one by one and lived in the window, or of whom something was done in
    /// it: whoever was gone before it is no concern of it.
    pub(crate) fn living(&self) -> impl Iterator<Item = InstanceId> {
        let from_ms = self.question.from_ms;
        let lives = move |one: &&InstanceId| {
            !self.traces.ended_before(**one, from_ms) || self.asked.spoken.contains(*one)
        };
        self.asked.instances.iter().filter(lives).copied()
    }

    /// Somebody asked about did something, or had it done to it, within the window.
    pub(crate) fn speak(&mut self, instance: InstanceId) {
        let is_new = self.half.counts_processes() && self.asked.last_spoken != Some(instance);
        if is_new && self.asked.has(0, instance) {
            self.asked.last_spoken = Some(instance);
            self.asked.spoken.insert(instance);
        }
    }
}
