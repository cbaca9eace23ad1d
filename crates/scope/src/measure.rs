//! Three readings: the first finds the instances, the second their deeds, the third the messages
//! that stand behind released months, or behind keys that could open everything.

use crate::contained::{Containment, Traces};
use crate::counted::{Counted, Part};
use crate::fact::{Deed, Fact, Person, facts};
use crate::roll::{Life, Roll};
use evidence::{Entry, month_of, rfc3339};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use terms::{ConnectionId, GrantId, InstanceId, Kind, MessageId, TenantId, UserId};

/// A delivery is recorded within a second of its passing; a scanner may be gone by then.
const LAG_MS: u64 = 5_000;
/// More message ids are not handed out one by one.
const NAMED_MESSAGES: u64 = 2_000_000;

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
    /// The log was checked whole and against the mirror before.
    pub verified: bool,
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
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scope {
    pub component: &'static str,
    pub version: Option<String>,
    pub from: String,
    pub to: String,
    /// The first and last recorded deed of these instances in the window: occurrence.
    pub first_use: Option<String>,
    pub last_use: Option<String>,
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
    /// Detection, end of exposure, and whether all of it is over.
    #[serde(flatten)]
    pub containment: Containment,
    pub entries: u64,
    pub root: String,
    pub verified: bool,
    /// For drills; too many to print, and left out when there are millions.
    #[serde(skip)]
    pub messages: BTreeSet<MessageId>,
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
    let mut tally = Tally::new(question.clone(), Part::WHOLE);
    let mut roll = Roll::default();
    // Births may stand in the log up to a second late, behind the first deeds of who was born.
    read(&mut |_, entry| roll.note(entry))?;
    roll.0.iter().for_each(|(instance, life)| tally.meet(*instance, life));
    read(&mut |index, entry| {
        facts(index, entry, |fact| tally.note(&fact));
        tally.looked_at(entry.time_ms, index);
    })?;
    if tally.needs_more() {
        read(&mut |index, entry| facts(index, entry, |fact| tally.note_kept(&fact)))?;
    }
    Ok(tally.finish(proven).scope)
}

/// A stretch of an instance's life, and whose messages passed through it then.
#[derive(Clone, Copy)]
struct Stretch {
    from_ms: u64,
    to_ms: u64,
}

struct Share {
    number: u32,
    users: BTreeSet<UserId>,
    classes: BTreeSet<Class>,
}

/// In the order of what they tell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Addresses,
    Headers,
    Bodies,
    Verifiers,
    Credentials,
}

impl Class {
    fn word(self) -> &'static str {
        match self {
            Self::Addresses => "addresses",
            Self::Headers => "headers",
            Self::Bodies => "bodies",
            Self::Verifiers => "verifiers",
            Self::Credentials => "credentials",
        }
    }
}

const IN_TRANSIT: &[Class] = &[Class::Addresses, Class::Headers, Class::Bodies];

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
    question: Question,
    instances: HashSet<InstanceId>,
    /// Instances (edges, dispatches) whose messages pass through an instance asked about (a
    /// scanner).
    served: HashMap<InstanceId, HashMap<InstanceId, Stretch>>,
    /// Dispatches, and by which access all that they queued came to them.
    fed: HashMap<InstanceId, InstanceId>,
    /// Scanners of which it is not recorded whom they served: any edge's messages may have passed.
    unplaced: HashMap<InstanceId, Stretch>,
    /// Grants minted by an instance asked about (an identity).
    grants: HashSet<GrantId>,
    shares: BTreeMap<TenantId, Share>,
    messages: Counted,
    released: Counted,
    could_open: Counted,
    months: HashMap<(TenantId, UserId), BTreeSet<u32>>,
    /// The release that is being read, if it counts.
    releasing: Option<u64>,
    meetings: HashMap<InstanceId, Meetings>,
    unattributed: u64,
    not_kept: u64,
    shared_credentials: u64,
    first_ms: Option<u64>,
    last_ms: Option<u64>,
    traces: Traces,
}

/// The connections of one instance.
#[derive(Default)]
struct Meetings {
    /// In the order of time.
    connections: BTreeSet<(u64, ConnectionId)>,
    count: usize,
    delivered: HashSet<ConnectionId>,
    /// Deliveries that name no connection.
    unnamed: Vec<u64>,
    /// A deed that names no connection.
    active: bool,
}

impl Tally {
    pub fn new(question: Question, part: Part) -> Self {
        Self {
            question,
            instances: HashSet::new(),
            served: HashMap::new(),
            fed: HashMap::new(),
            unplaced: HashMap::new(),
            grants: HashSet::new(),
            shares: BTreeMap::new(),
            messages: Counted::new(part),
            released: Counted::new(part),
            could_open: Counted::new(part),
            months: HashMap::new(),
            releasing: None,
            meetings: HashMap::new(),
            unattributed: 0,
            not_kept: 0,
            shared_credentials: 0,
            first_ms: None,
            last_ms: None,
            traces: Traces::default(),
        }
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
        let is_version =
            wanted.version.as_ref().is_none_or(|wanted| wanted == life.version.as_str());
        if life.kind != wanted.component || !is_version || life.from_ms >= wanted.to_ms {
            return;
        }
        self.instances.insert(instance);
        self.traces.lives(instance, life.to_ms);
        let to_ms = life.to_ms.map_or(u64::MAX, |to_ms| to_ms.saturating_add(LAG_MS));
        let stretch = Stretch { from_ms: life.from_ms, to_ms };
        match life.serves {
            Some(other) if life.kind == Kind::Scanner => {
                self.served.entry(other).or_default().insert(instance, stretch);
            }
            Some(_) => {}
            None if life.kind == Kind::Scanner => drop(self.unplaced.insert(instance, stretch)),
            None => {}
        }
    }

    /// An entry was read, whether it says anything here or not.
    pub fn looked_at(&mut self, at_ms: u64, index: u64) {
        self.traces.looked_at(at_ms, index);
    }

    pub fn is_asked(&self, instance: InstanceId) -> bool {
        self.instances.contains(&instance)
    }

    /// The first reading.
    pub fn note(&mut self, fact: &Fact) {
        self.traces.note(fact, &self.question, &self.instances);
        if fact.at_ms < self.question.from_ms || fact.at_ms >= self.question.to_ms {
            return;
        }
        match fact.deed {
            Deed::Connection => {
                if let Some(connection) = fact.item.connection().filter(|_| self.is_ours(fact)) {
                    self.met(fact, connection);
                }
            }
            // It was born for one person's connection: that is how it met somebody.
            Deed::Start if self.question.component == Kind::Dispatch && self.is_ours(fact) => {
                self.met(fact, ConnectionId::default());
            }
            Deed::Arrival => {
                if self.passed(fact) {
                    self.used(fact.at_ms);
                    let meetings = self.meetings.entry(fact.instance).or_default();
                    match fact.item.connection() {
                        Some(connection) => drop(meetings.delivered.insert(connection)),
                        // It has one connection, however late its birth was written down.
                        None if self.question.component == Kind::Dispatch => meetings.active = true,
                        None => meetings.unnamed.push(fact.at_ms),
                    }
                }
            }
            Deed::Deliver | Deed::Queue => {
                if self.passed(fact) {
                    self.count(fact, IN_TRANSIT);
                }
            }
            Deed::Passed => {
                if self.is_ours(fact) {
                    self.used(fact.at_ms);
                    self.not_kept += fact.item.passed();
                    let meetings = self.meetings.entry(fact.instance).or_default();
                    meetings.delivered.extend(fact.item.connection());
                }
            }
            Deed::Send => {
                if self.is_ours(fact) {
                    self.touch(fact);
                    self.count(fact, IN_TRANSIT);
                }
            }
            _ => self.note_access(fact),
        }
    }

    /// Releases, sign-ins, grants, credentials.
    fn note_access(&mut self, fact: &Fact) {
        match fact.deed {
            Deed::Release => {
                let counts = self.is_ours(fact) || self.grants.contains(&fact.item.grant());
                self.releasing = counts.then_some(fact.index);
                if counts {
                    self.touch(fact);
                }
            }
            Deed::Body if self.releasing == Some(fact.index) => {
                self.count(fact, &[Class::Headers, Class::Bodies]);
                if let Some(number) = self.number_of(fact) {
                    self.released.add(number, fact.item.message());
                }
            }
            Deed::Transit if self.releasing == Some(fact.index) => {
                self.count(fact, IN_TRANSIT);
                if let Some(number) = self.number_of(fact) {
                    self.released.add(number, fact.item.message());
                }
            }
            Deed::Month if self.releasing == Some(fact.index) => {
                self.share(fact, &[Class::Headers]);
                if let Some(Person { tenant, user: Some(user) }) = fact.person {
                    let month = u32::try_from(fact.item.number()).unwrap_or_default();
                    self.months.entry((tenant, user)).or_default().insert(month);
                }
            }
            Deed::SignIn if self.is_ours(fact) && fact.person.is_some() => {
                self.touch(fact);
                self.share(fact, &[Class::Verifiers]);
            }
            Deed::Grant if self.instances.contains(&fact.start) => {
                self.touch(fact);
                self.grants.insert(fact.item.grant());
            }
            Deed::Credential if self.is_ours(fact) => {
                self.touch(fact);
                match fact.person {
                    Some(_) => self.share(fact, &[Class::Credentials]),
                    None => self.shared_credentials += 1,
                }
            }
            _ => {}
        }
    }

    /// The deed is of an instance asked about, or recorded by one.
    fn is_ours(&self, fact: &Fact) -> bool {
        self.instances.contains(&fact.instance) || self.instances.contains(&fact.start)
    }

    fn met(&mut self, fact: &Fact, connection: ConnectionId) {
        self.used(fact.at_ms);
        let meetings = self.meetings.entry(fact.instance).or_default();
        let is_new = meetings.connections.insert((fact.at_ms, connection));
        meetings.count += usize::from(is_new);
    }

    /// A message passed through an instance asked about, or through one with a scanner asked
    /// about, or came to a dispatch by an access asked about.
    fn passed(&self, fact: &Fact) -> bool {
        let lived = |life: &Stretch| (life.from_ms..=life.to_ms).contains(&fact.at_ms);
        let served = self.served.get(&fact.instance);
        let fed = self.fed.get(&fact.instance);
        self.is_ours(fact)
            || fed.is_some_and(|access| self.instances.contains(access))
            || served.is_some_and(|served| served.values().any(lived))
            || self.unplaced.values().any(lived)
    }

    fn used(&mut self, at_ms: u64) {
        self.first_ms = Some(self.first_ms.map_or(at_ms, |first| first.min(at_ms)));
        self.last_ms = Some(self.last_ms.map_or(at_ms, |last| last.max(at_ms)));
    }

    fn touch(&mut self, fact: &Fact) {
        self.used(fact.at_ms);
        self.meetings.entry(fact.instance).or_default().active = true;
    }

    fn share(&mut self, fact: &Fact, classes: &[Class]) {
        let Some(Person { tenant, user }) = fact.person else { return };
        let number = u32::try_from(self.shares.len()).unwrap_or(u32::MAX);
        let share = self.shares.entry(tenant).or_insert_with(|| Share {
            number,
            users: BTreeSet::new(),
            classes: BTreeSet::new(),
        });
        if !classes.iter().all(|class| share.classes.contains(class)) {
            share.classes.extend(classes);
        }
        share.users.extend(user);
    }

    fn number_of(&self, fact: &Fact) -> Option<u32> {
        Some(self.shares.get(&fact.person?.tenant)?.number)
    }

    fn count(&mut self, fact: &Fact, classes: &[Class]) {
        self.share(fact, classes);
        if let Some(number) = self.number_of(fact) {
            self.messages.add(number, fact.item.message());
        }
    }

    /// Instances that ended before `at_ms` will say nothing more: their connections are counted.
    pub fn forget_ended(&mut self, at_ms: u64) {
        let traces = &self.traces;
        let ended: Vec<InstanceId> = self
            .meetings
            .keys()
            .filter(|instance| traces.ended_before(**instance, at_ms))
            .copied()
            .collect();
        for instance in ended {
            if let Some(meetings) = self.meetings.remove(&instance) {
                self.unattributed += meetings.unattributed();
            }
        }
    }

    /// Whether the last reading has anything to look for.
    pub fn needs_more(&self) -> bool {
        !self.months.is_empty() || self.opens_all()
    }

    /// Whether this component holds keys that open stored mail, or can ask for any.
    pub fn opens_all(&self) -> bool {
        matches!(self.question.component, Kind::Vault | Kind::Identity)
            && !self.instances.is_empty()
    }

    /// Whether it opens mail that waits to leave, too: identity's grants do not.
    fn opens_all_on_its_way(&self) -> bool {
        self.question.component == Kind::Vault && self.opens_all()
    }

    /// Whether deliveries of a time can matter to the last reading.
    pub fn looks_at(&self, from_ms: u64, to_ms: u64) -> bool {
        let (from, to) = (month_of(from_ms), month_of(to_ms));
        self.opens_all() || self.months.values().flatten().any(|month| (from..=to).contains(month))
    }

    /// The last reading: every message of a released month counts, whenever it was kept.
    pub fn note_kept(&mut self, fact: &Fact) {
        let Some(Person { tenant, user: Some(user) }) = fact.person else { return };
        let is_on_its_way = matches!(fact.deed, Deed::Send | Deed::Queue);
        if self.opens_all_on_its_way() && is_on_its_way {
            return self.count_could_open(fact);
        }
        if fact.deed != Deed::Deliver {
            return;
        }
        if self.opens_all() {
            self.count_could_open(fact);
        }
        let months = self.months.get(&(tenant, user));
        if months.is_some_and(|months| months.contains(&month_of(fact.at_ms)))
            && let Some(number) = self.number_of(fact)
        {
            self.messages.add(number, fact.item.message());
            self.released.add(number, fact.item.message());
        }
    }

    /// Whoever could have been read counts with the messages, not among the people who were.
    fn count_could_open(&mut self, fact: &Fact) {
        let Some(Person { tenant, .. }) = fact.person else { return };
        if fact.at_ms >= self.question.to_ms {
            return;
        }
        self.share(&Fact { person: Some(Person { tenant, user: None }), ..*fact }, &[]);
        if let Some(number) = self.number_of(fact) {
            self.could_open.add(number, fact.item.message());
        }
    }

    /// What was counted. Of `overflowed` nothing holds: count in smaller parts.
    pub fn finish(mut self, proven: Proven) -> Finished {
        let overflowed =
            self.messages.overflowed || self.released.overflowed || self.could_open.overflowed;
        let left: u64 = self.meetings.drain().map(|(_, meetings)| meetings.unattributed()).sum();
        let unattributed_connections = self.unattributed + left;
        let (upper, each) = self.messages.count(self.shares.len());
        let (lower, _) = self.released.count(0);
        let (all, could) = self.could_open.count(self.shares.len());
        let of = |counts: &[u64], share: &Share| {
            counts.get(share.number as usize).copied().unwrap_or_default()
        };
        let contracts = self.shares.iter().map(|(tenant, share)| Contract {
            tenant: tenant.to_string(),
            accounts: share.users.len() as u64,
            messages: of(&each, share),
            classes: share.classes.iter().map(|class| class.word()).collect(),
            could_open: of(&could, share),
        });
        let contracts = contracts.collect();
        let messages = match upper <= NAMED_MESSAGES {
            true => self.messages.messages().collect(),
            false => BTreeSet::new(),
        };
        let bound = match self.opens_all() {
            true => "could have opened everything kept; lower is what it is recorded to have",
            false => "exact for releases, an upper bound for transit",
        };
        let containment = self.traces.judge();
        let scope = Scope {
            component: self.question.component.word(),
            version: self.question.version,
            from: rfc3339(self.question.from_ms),
            to: rfc3339(self.question.to_ms),
            first_use: self.first_ms.map(rfc3339),
            last_use: self.last_ms.map(rfc3339),
            instances: self.instances.len() as u64,
            contracts,
            unattributed_connections,
            not_kept: self.not_kept,
            upper: upper.max(all) + unattributed_connections + self.not_kept,
            lower,
            bound,
            shared_credentials: self.shared_credentials,
            containment,
            entries: proven.entries,
            root: proven.root,
            verified: proven.verified,
            messages,
        };
        Finished { scope, overflowed }
    }
}

/// A scope, or a part of one.
pub struct Finished {
    pub scope: Scope,
    pub overflowed: bool,
}

impl Scope {
    /// Adds the distinct messages of another part of the same question.
    pub fn add_part(&mut self, other: &Scope) {
        let extra = other.unattributed_connections + other.not_kept;
        self.upper += other.upper.saturating_sub(extra);
        self.lower += other.lower;
        for (own, more) in self.contracts.iter_mut().zip(&other.contracts) {
            own.messages += more.messages;
            own.could_open += more.could_open;
        }
        self.messages.clear();
    }
}

impl Meetings {
    /// A connection is accounted for by a delivery that names it, or that follows it before the
    /// instance's next one; or, where an instance served one only, by any deed of that instance.
    /// Two connections within one recorded batch count as one: rather too many than too few.
    fn unattributed(mut self) -> u64 {
        for at_ms in std::mem::take(&mut self.unnamed) {
            let last = ConnectionId([0xff; 8]);
            if let Some((_, connection)) = self.connections.range(..=(at_ms, last)).next_back() {
                self.delivered.insert(*connection);
            }
        }
        let named = self.connections.iter().filter(|one| self.delivered.contains(&one.1)).count();
        match self.count == 1 && self.active {
            true => 0,
            false => (self.count - named) as u64,
        }
    }
}
