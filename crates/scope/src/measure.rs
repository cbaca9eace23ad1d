//! Three readings: the first finds the instances, the second their deeds, the third the messages
//! that stand behind released months, or behind keys that could open everything.

use crate::asked::{Asked, Half};
use crate::carried::{Carried, GivenBefore};
use crate::checked::Checked;
use crate::contained::{Containment, Traces};
use crate::counted::{Counted, Mark, Part, Spill};
use crate::fact::{Deed, Fact, Person, facts};
use crate::listed::{List, Listed};
use crate::lost::Loss;
use crate::made::{ByCredentials, Secrets};
use crate::meetings::Meetings;
use crate::months::Months;
use crate::passing::Stretch;
use crate::quick::Map;
use crate::roll::{LAG_MS, Life, Roll};
use crate::shares::{Class, Classes, IN_TRANSIT, Shares};
use evidence::Entry;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use terms::{GrantId, InstanceId, Kind, MessageId};

/// A grant is good for so long: what comes later was not opened under it.
const GRANT_MS: u64 = 15 * 60 * 1_000;

/// Of what the scope is asked.
#[derive(Clone, Debug)]
pub struct Question {
    pub component: Kind,
    /// Only instances of this version; `None`: of any.
    pub version: Option<String>,
    pub from_ms: u64,
    /// Not included.
    pub to_ms: u64,
}

/// Over what the answer was read.
#[derive(Clone, Debug, Default)]
pub struct Proven {
    pub entries: u64,
    pub root: String,
    /// What of the log was checked before.
    pub checked: Checked,
    /// What it lost, and is known to have lost.
    pub losses: Vec<Loss>,
}

/// One contract's share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contract {
    pub tenant: String,
    /// Distinct people.
    pub accounts: u64,
    /// Distinct messages.
    pub messages: u64,
    /// Of `addresses`, `headers`, `bodies`, `verifiers`, `credentials`.
    pub classes: Vec<&'static str>,
    /// Messages that keys held by this component could have opened, released or not; 0 for a
    /// component that holds none.
    pub could_open: u64,
    /// Messages that were released by name to whoever signed in with a credential that this
    /// component made; they are among `messages`.
    pub by_credential: u64,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scope {
    pub component: &'static str,
    pub version: Option<String>,
    pub from: String,
    pub to: String,
    /// The first and last recorded deed of these instances in the window: occurrence.
    /// Before it only what `given_before` tells of.
    pub first_use: Option<String>,
    pub last_use: Option<String>,
    /// What these instances were given before the window and still had when they lived in it: it
    /// counts like what they were given within.
    pub given_before: Option<GivenBefore>,
    /// Those that lived in the window, or of whom something was recorded in it.
    pub instances: u64,
    pub contracts: Vec<Contract>,
    /// Connections from which nothing was kept: what came over them is not known.
    pub unattributed_connections: u64,
    /// Messages that passed and were not kept, as the instances themselves reported them.
    pub not_kept: u64,
    /// Every message that can have been read, with one for each unattributed connection.
    pub upper: u64,
    /// Messages whose keys were certainly handed out.
    pub lower: u64,
    /// What the figures mean for this component.
    pub bound: &'static str,
    /// Credentials used for these instances that belong to no one contract.
    pub shared_credentials: u64,
    /// What was opened with credentials that these instances made in the window, whenever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_credentials: Option<ByCredentials>,
    /// Detection, end of exposure, and whether all of it is over.
    #[serde(flatten)]
    pub containment: Containment,
    pub entries: u64,
    pub root: String,
    /// What is known to be lost of the log, whenever.
    pub losses: Vec<Loss>,
    /// Something lost can be of what is counted here: the figures are of what is left.
    pub lower_bound: bool,
    /// What was checked was checked whole and found right, and nothing of it is known to be lost.
    pub verified: bool,
    /// What that was: `nothing`, `ledger and mirror`, `ledger`, `mirror`; or `wanting`.
    pub checked: &'static str,
    /// Why it is wanting.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// For drills; too many to print, and left out when there are millions.
    #[serde(skip)]
    pub messages: BTreeSet<MessageId>,
    /// The same of messages that it could have opened.
    #[serde(skip)]
    pub could: BTreeSet<MessageId>,
}

/// Measures. `read` hands every entry with its index, in order, to its argument, and is called
/// three times at most.
///
/// # Errors
/// Only what `read` itself returns.
pub fn measure<F>(
    question: &Question,
    proven: Proven,
    mut read: impl FnMut(&mut dyn FnMut(u64, &Entry)) -> Result<(), F>,
) -> Result<Scope, F> {
    let tally = Tally::new(question.clone(), Part::WHOLE);
    count(tally, &mut read).map(|tally| tally.finish(proven).scope)
}

/// The same readings, but every message of everybody is told to `list`.
///
/// # Errors
/// Only what `read` itself returns.
pub fn list<F>(
    question: &Question,
    list: Box<dyn List + Send>,
    mut read: impl FnMut(&mut dyn FnMut(u64, &Entry)) -> Result<(), F>,
) -> Result<(), F> {
    let tally = Tally::new(question.clone(), Part::WHOLE).half(Half::People).listing(list);
    count(tally, &mut read).map(drop)
}

fn count<F>(
    mut tally: Tally,
    read: &mut impl FnMut(&mut dyn FnMut(u64, &Entry)) -> Result<(), F>,
) -> Result<Tally, F> {
    let mut roll = Roll::default();
    // Births may stand in the log up to a second late, behind the first deeds of who was born.
    read(&mut |_, entry| roll.note(entry))?;
    for (instance, life) in &roll.0 {
        tally.meet(*instance, life);
        tally.carry(*instance, life);
    }
    read(&mut |index, entry| {
        facts(index, entry, |fact| tally.note(&fact));
        tally.follow_made(index, entry);
        tally.looked_at(entry.time_ms, index);
    })?;
    if tally.needs_more() {
        read(&mut |index, entry| facts(index, entry, |fact| tally.note_kept(&fact)))?;
    }
    Ok(tally)
}

/// Where facts of a component are found in an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Under instances of this kind.
    Own,
    /// Under those, and under instances of kinds that they serve, or that serve them.
    OwnAnd(&'static [Kind]),
    /// Anywhere: it records the deeds of others, or its grants open for others.
    Everywhere,
}

/// Counts facts.
pub struct Tally {
    pub(crate) question: Question,
    pub(crate) half: Half,
    pub(crate) asked: Asked,
    /// Instances (edges, dispatches) whose messages pass through an instance asked about (a
    /// scanner).
    pub(crate) served: Map<InstanceId, HashMap<InstanceId, Stretch>>,
    /// Dispatches, and by which access all that they queued came to them.
    pub(crate) fed: Map<InstanceId, InstanceId>,
    /// Scanners of which it is not recorded whom they served: any edge's messages may have passed.
    pub(crate) unplaced: HashMap<InstanceId, Stretch>,
    /// Gates asked about: whatever came while they lived came by them.
    pub(crate) gates: HashMap<InstanceId, Stretch>,
    /// Instances asked about that lived when the window began, and what they brought into it.
    pub(crate) carried: Carried,
    /// Grants minted by an instance asked about (an identity), and the first entry that says so.
    pub(crate) grants: Map<GrantId, u64>,
    /// Instances asked about stand in columns, too.
    pub(crate) is_more: bool,
    pub(crate) shares: Shares,
    pub(crate) messages: Counted,
    pub(crate) months: Months,
    /// A day, and the month that it is in.
    pub(crate) last_day: (u64, u32),
    /// The release that is being read, if it counts.
    pub(crate) releasing: Option<u64>,
    pub(crate) meetings: Map<InstanceId, Meetings>,
    pub(crate) unattributed: u64,
    /// Of these, what is counted elsewhere.
    pub(crate) taken_back: u64,
    pub(crate) not_kept: u64,
    pub(crate) shared_credentials: u64,
    pub(crate) first_ms: Option<u64>,
    pub(crate) last_ms: Option<u64>,
    pub(crate) traces: Traces,
    /// Secrets made by those asked about, or shown to them.
    pub(crate) made: Secrets,
    /// Who is told of every message, where somebody asks whose.
    list: Option<Box<dyn List + Send>>,
    /// Who met whom is found out elsewhere.
    pub(crate) has_meetings: bool,
}

impl Tally {
    pub fn new(question: Question, part: Part) -> Self {
        Self {
            question,
            half: Half::Both,
            asked: Asked::default(),
            served: Map::default(),
            fed: Map::default(),
            unplaced: HashMap::new(),
            gates: HashMap::new(),
            carried: Carried::default(),
            grants: Map::default(),
            is_more: false,
            shares: Shares::default(),
            messages: Counted::new(part),
            months: Months::default(),
            last_day: (u64::MAX, 0),
            releasing: None,
            meetings: Map::default(),
            unattributed: 0,
            taken_back: 0,
            not_kept: 0,
            shared_credentials: 0,
            first_ms: None,
            last_ms: None,
            traces: Traces::default(),
            made: Secrets::new(part),
            list: None,
            has_meetings: true,
        }
    }

    /// Every message of everybody is told there, more than once where it counts more than once.
    #[must_use]
    pub fn listing(mut self, list: Box<dyn List + Send>) -> Self {
        self.list = Some(list);
        self
    }

    /// Messages that are too many to be held go to the disk.
    #[must_use]
    pub fn spilling(mut self, make: impl FnOnce() -> Option<Box<dyn Spill + Send>>) -> Self {
        if let Some(spill) = make() {
            self.messages.spill_to(spill, None);
        }
        self
    }

    /// An index finds out by itself over which connections something came.
    #[must_use]
    pub fn without_meetings(mut self) -> Self {
        self.has_meetings = false;
        self
    }

    /// Only this half of the counting.
    #[must_use]
    pub fn half(mut self, half: Half) -> Self {
        self.half = half;
        self
    }

    /// Which half it counts.
    pub fn counts(&self) -> Half {
        self.half
    }

    /// Two halves of one scope are one.
    #[must_use]
    pub fn with(mut self, processes: Self) -> Self {
        self.half = Half::Both;
        self.meetings = processes.meetings;
        self.unattributed = processes.unattributed;
        self.taken_back = processes.taken_back;
        self.not_kept = processes.not_kept;
        self.traces = processes.traces;
        self.asked.spoken = processes.asked.spoken;
        self.carried.join(&processes.carried);
        self.first_ms = [self.first_ms, processes.first_ms].into_iter().flatten().min();
        self.last_ms = self.last_ms.max(processes.last_ms);
        self
    }

    pub fn question(&self) -> &Question {
        &self.question
    }

    pub fn reach(&self) -> Reach {
        match self.question.component {
            Kind::Scanner => Reach::OwnAnd(&[Kind::Edge, Kind::Dispatch]),
            Kind::Access => Reach::OwnAnd(&[Kind::Dispatch]),
            Kind::Edge | Kind::Names | Kind::Zone | Kind::Ledger | Kind::Mirror => Reach::Own,
            Kind::Dispatch | Kind::Depart | Kind::Pages | Kind::Metrics => Reach::Own,
            _ => Reach::Everywhere,
        }
    }

    /// Learns of a process; again when it has ended.
    pub fn meet(&mut self, instance: InstanceId, life: &Life) {
        let wanted = &self.question;
        if (wanted.component, life.kind) == (Kind::Access, Kind::Dispatch) {
            self.fed.extend(life.serves.map(|access| (instance, access)));
            return;
        }
        if !self.asks_about(life) {
            return;
        }
        // A warden has all that is kept while it lives, and nothing when it is gone.
        let is_past = life.to_ms.is_some_and(|to_ms| to_ms < wanted.from_ms);
        if wanted.component == Kind::Warden && is_past {
            return;
        }
        self.asked.insert(instance);
        if self.half.counts_processes() {
            self.traces.lives(instance, life.to_ms);
        }
        let to_ms = life.to_ms.map_or(u64::MAX, |to_ms| to_ms.saturating_add(LAG_MS));
        let stretch = Stretch { from_ms: life.from_ms, to_ms };
        match (life.kind, life.serves) {
            (Kind::Scanner, Some(other)) => {
                self.served.entry(other).or_default().insert(instance, stretch);
            }
            (Kind::Scanner, None) => drop(self.unplaced.insert(instance, stretch)),
            (Kind::Gate, _) => drop(self.gates.insert(instance, stretch)),
            _ => {}
        }
    }

    /// Whether of a scanner asked about it is not known whom it served.
    pub fn has_unplaced(&self) -> bool {
        !self.unplaced.is_empty()
    }

    /// An entry was read, whether it says anything here or not.
    pub fn looked_at(&mut self, at_ms: u64, index: u64) {
        self.traces.looked_at(at_ms, index);
    }

    pub fn is_asked(&self, instance: InstanceId) -> bool {
        self.asked.has(0, instance)
    }

    /// The first reading.
    pub fn note(&mut self, fact: &Fact) {
        if !self.half.hears(fact.deed) {
            return;
        }
        let (asked, is_before) = (&self.asked, self.is_carried(fact));
        self.traces.note(fact, &self.question, is_before, |one| asked.has(0, one));
        let is_within = (self.question.from_ms..self.question.to_ms).contains(&fact.at_ms);
        if is_before {
            self.carried.given(fact);
        } else if !is_within {
            return;
        } else {
            self.speak(fact.instance);
        }
        match fact.deed {
            Deed::Connection => {
                if fact.item.connection().is_some() && self.is_ours(fact) {
                    self.met(fact);
                }
            }
            Deed::Start if self.question.component == Kind::Dispatch && self.is_ours(fact) => {
                self.met(fact);
            }
            Deed::Start if self.has_everything() && self.is_ours(fact) => self.used(fact.at_ms),
            Deed::Secret if self.has_everything() || self.is_ours(fact) => self.made.shown(fact),
            Deed::Arrival => {
                if self.passed(fact) {
                    self.met(fact);
                }
            }
            Deed::Deliver | Deed::Queue => {
                if self.passed(fact) {
                    self.count(fact, IN_TRANSIT, Mark::PASSED);
                }
            }
            Deed::Passed => {
                if self.is_ours(fact) {
                    self.met(fact);
                    self.not_kept += fact.item.passed();
                }
            }
            Deed::Send => {
                if self.is_ours(fact) {
                    self.touch(fact);
                    self.count(fact, IN_TRANSIT, Mark::PASSED);
                }
            }
            _ => self.note_access(fact),
        }
    }

    /// Releases, sign-ins, grants, credentials.
    fn note_access(&mut self, fact: &Fact) {
        match fact.deed {
            Deed::Release => {
                let minted = self.grants.get(&fact.item.grant());
                let counts = self.is_ours(fact) || minted.is_some_and(|mint| *mint < fact.index);
                self.releasing = counts.then_some(fact.index);
                if counts {
                    self.touch(fact);
                }
            }
            Deed::Body | Deed::Summary | Deed::Transit | Deed::Month => {
                if self.releasing == Some(fact.index) {
                    self.opened(fact);
                }
            }
            Deed::SignIn if self.is_ours(fact) && fact.person.is_some() => {
                self.touch(fact);
                self.share_alone(fact, Class::Verifiers.bit());
            }
            Deed::Grant if self.asked.has(1, fact.start) => {
                self.touch(fact);
                self.note_grant(fact);
            }
            Deed::Credential if self.is_ours(fact) => {
                self.touch(fact);
                match fact.person {
                    Some(_) => self.share_alone(fact, Class::Credentials.bit()),
                    None => self.shared_credentials += 1,
                }
            }
            _ => {}
        }
    }

    /// Remembers a grant that was minted by an instance asked about, before what was released
    /// under it is read.
    pub fn note_grant(&mut self, fact: &Fact) {
        let is_asked = (self.question.from_ms..self.question.to_ms).contains(&fact.at_ms);
        if is_asked && self.asked.has(1, fact.start) {
            let mint = self.grants.entry(fact.item.grant()).or_insert(fact.index);
            *mint = (*mint).min(fact.index);
        }
    }

    /// Every summary of a month was released of somebody within the window: what came behind it was
    /// not there yet.
    pub fn release_month(&mut self, person: Person, month: u32) {
        self.release_month_until(person, month, self.question.to_ms);
    }

    fn release_month_until(&mut self, person: Person, month: u32, until_ms: u64) {
        if month > 0 {
            self.months.add(person, month, until_ms);
        }
    }

    /// The deed is of an instance asked about, or recorded by one.
    pub(crate) fn is_ours(&self, fact: &Fact) -> bool {
        self.asked.has(0, fact.instance) || self.asked.has(1, fact.start)
    }

    fn met(&mut self, fact: &Fact) {
        self.used(fact.at_ms);
        if self.has_meetings {
            self.follow(fact);
        }
    }

    pub(crate) fn used(&mut self, at_ms: u64) {
        self.first_ms = Some(self.first_ms.map_or(at_ms, |first| first.min(at_ms)));
        self.last_ms = Some(self.last_ms.map_or(at_ms, |last| last.max(at_ms)));
    }

    fn touch(&mut self, fact: &Fact) {
        self.used(fact.at_ms);
        if self.half.counts_processes() {
            self.meetings.entry(fact.instance).or_default().active = true;
        }
    }

    pub(crate) fn share(&mut self, fact: &Fact, classes: Classes) -> Option<u32> {
        let person = fact.person.filter(|_| self.half.counts_people())?;
        Some(self.shares.note(person, classes))
    }

    /// Something of somebody's that is no message.
    fn share_alone(&mut self, fact: &Fact, classes: Classes) {
        if self.share(fact, classes).is_some() {
            self.tell_list(fact, None, classes, Mark::PASSED);
        }
    }

    fn count(&mut self, fact: &Fact, classes: Classes, mark: Mark) -> Option<u32> {
        let number = self.share(fact, classes)?;
        self.add_message(number, fact, classes, mark);
        Some(number)
    }

    pub(crate) fn add_message(&mut self, number: u32, fact: &Fact, classes: Classes, mark: Mark) {
        let message = fact.item.message();
        match self.list.is_some() {
            // Whoever is told of each counts them.
            true => self.tell_list(fact, Some(message), classes, mark),
            false => self.messages.add(number, message, mark),
        }
    }

    pub(crate) fn tell_list(
        &mut self,
        fact: &Fact,
        message: Option<MessageId>,
        classes: Classes,
        mark: Mark,
    ) {
        let (Some(list), Some(person)) = (&mut self.list, fact.person) else { return };
        let Some(user) = person.user else { return };
        let (tenant, at_ms, entry) = (person.tenant, fact.at_ms, fact.index);
        list.take(&Listed { tenant, user, message, at_ms, entry, classes, mark });
    }

    /// What a release that counts has opened, and the number of the contract.
    pub(crate) fn opened(&mut self, fact: &Fact) -> Option<u32> {
        // Also behind the window, of secrets that were made in it.
        let until_ms = match fact.at_ms < self.question.to_ms {
            true => self.question.to_ms,
            false => fact.at_ms.saturating_add(GRANT_MS),
        };
        match fact.deed {
            Deed::Body => {
                self.count(fact, Class::Headers.bit() | Class::Bodies.bit(), Mark::OPENED)
            }
            Deed::Summary => self.count(fact, Class::Headers.bit(), Mark::OPENED),
            Deed::Transit => self.count(fact, IN_TRANSIT, Mark::OPENED),
            Deed::Month => {
                let month = u32::try_from(fact.item.number()).unwrap_or_default();
                if let Some(person) = fact.person {
                    self.release_month_until(person, month, until_ms);
                }
                self.share_alone(fact, Class::Headers.bit());
                None
            }
            _ => None,
        }
    }

    /// A release, or what it opened, under a grant of which is known elsewhere that an instance
    /// asked about minted it before.
    pub fn take_opened(&mut self, fact: &Fact) {
        if fact.at_ms < self.question.from_ms || fact.at_ms >= self.question.to_ms {
            return;
        }
        match fact.deed {
            Deed::Release => self.used(fact.at_ms),
            _ if self.half.counts_people() => drop(self.opened(fact)),
            _ => {}
        }
    }

    /// Instances that ended before `at_ms` will say nothing more, but for those that are followed:
    /// their connections are counted.
    pub fn forget_ended(&mut self, at_ms: u64, is_followed: impl Fn(&InstanceId) -> bool) {
        let traces = &self.traces;
        let ended: Vec<InstanceId> = self
            .meetings
            .keys()
            .filter(|one| traces.ended_before(**one, at_ms) && !is_followed(one))
            .copied()
            .collect();
        for instance in ended {
            if let Some(meetings) = self.meetings.remove(&instance) {
                self.unattributed += meetings.unattributed();
            }
        }
    }
}
