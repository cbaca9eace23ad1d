//! Two readings of the entries: the first finds the instances and their deeds, the second the
//! messages that stand behind released months.

use evidence::{Body, Entry, Released, month_of, rfc3339};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use terms::{ConnectionId, GrantId, InstanceId, Kind, MessageId, TenantId, UserId};

/// A delivery is recorded within a second of its passing; a scanner may be gone by then.
const LAG_MS: u64 = 5_000;

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
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scope {
    pub component: &'static str,
    pub version: Option<String>,
    pub from: String,
    pub to: String,
    /// The first and last recorded deed of these instances in the window.
    pub first_use: Option<String>,
    pub last_use: Option<String>,
    pub instances: u64,
    pub contracts: Vec<Contract>,
    /// Connections from which nothing was kept: what came over them is not known.
    pub unattributed_connections: u64,
    /// Every message that can have been read, with one for each unattributed connection.
    pub upper: u64,
    /// Messages whose keys were certainly handed out.
    pub lower: u64,
    /// Credentials used for these instances that belong to no one contract.
    pub shared_credentials: u64,
    pub entries: u64,
    pub root: String,
    pub verified: bool,
    /// For drills; too many to print.
    #[serde(skip)]
    pub messages: BTreeSet<MessageId>,
}

/// Measures. `read` hands every entry in order to its argument, and is called twice.
///
/// # Errors
/// Only what `read` itself returns.
pub fn measure<F>(
    question: &Question,
    proven: Proven,
    mut read: impl FnMut(&mut dyn FnMut(&Entry)) -> Result<(), F>,
) -> Result<Scope, F> {
    let mut tally = Tally::new(question.clone());
    read(&mut |entry| tally.note(entry))?;
    if !tally.months.is_empty() {
        read(&mut |entry| tally.note_month(entry))?;
    }
    Ok(tally.finish(proven))
}

/// A stretch of an instance's life, and whose messages passed through it then.
#[derive(Clone, Copy)]
struct Life {
    from_ms: u64,
    to_ms: u64,
}

#[derive(Default)]
struct Share {
    users: BTreeSet<UserId>,
    messages: BTreeSet<MessageId>,
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

struct Tally {
    question: Question,
    instances: HashSet<InstanceId>,
    /// Instances (edges) whose messages pass through an instance asked about (a scanner).
    served: HashMap<InstanceId, Vec<(InstanceId, Life)>>,
    /// Scanners of which it is not recorded whom they served: any edge's messages may have passed.
    unplaced: HashMap<InstanceId, Life>,
    /// Grants minted by an instance asked about (an identity).
    grants: HashSet<GrantId>,
    shares: BTreeMap<TenantId, Share>,
    months: HashMap<(TenantId, UserId), BTreeSet<u32>>,
    released: BTreeSet<MessageId>,
    /// By instance, in the order of time.
    connections: HashMap<InstanceId, BTreeSet<(u64, ConnectionId)>>,
    delivered: HashSet<ConnectionId>,
    /// Deliveries that name no connection.
    unnamed: Vec<(InstanceId, u64)>,
    /// Instances with a deed that names no connection.
    active: HashSet<InstanceId>,
    shared_credentials: u64,
    first_ms: Option<u64>,
    last_ms: Option<u64>,
}

impl Tally {
    fn new(question: Question) -> Self {
        Self {
            question,
            instances: HashSet::new(),
            served: HashMap::new(),
            unplaced: HashMap::new(),
            grants: HashSet::new(),
            shares: BTreeMap::new(),
            months: HashMap::new(),
            released: BTreeSet::new(),
            connections: HashMap::new(),
            delivered: HashSet::new(),
            unnamed: Vec::new(),
            active: HashSet::new(),
            shared_credentials: 0,
            first_ms: None,
            last_ms: None,
        }
    }

    fn note(&mut self, entry: &Entry) {
        if entry.author == Kind::Warden {
            self.note_life(entry);
        }
        let (from_ms, to_ms) = (self.question.from_ms, self.question.to_ms);
        if entry.time_ms < from_ms || entry.time_ms >= to_ms {
            return;
        }
        match &entry.body {
            Body::Connection { connection, instance, .. } => {
                let is_ours = self.is_ours(*instance, entry);
                if is_ours {
                    self.used(entry.time_ms);
                    let at = (entry.time_ms, *connection);
                    self.connections.entry(*instance).or_default().insert(at);
                }
            }
            Body::Deliver { instance, tenant, messages, connection } => {
                if self.is_ours(*instance, entry) || self.passed_inside(*instance, entry.time_ms) {
                    self.used(entry.time_ms);
                    let share = share(&mut self.shares, *tenant, IN_TRANSIT);
                    for one in messages {
                        share.users.insert(one.user);
                        share.messages.insert(one.message);
                    }
                    match connection {
                        Some(connection) => drop(self.delivered.insert(*connection)),
                        None => self.unnamed.push((*instance, entry.time_ms)),
                    }
                }
            }
            Body::Send { instance, tenant, user, message, .. } => {
                if self.is_ours(*instance, entry) {
                    self.touch(entry.time_ms, *instance);
                    let share = share(&mut self.shares, *tenant, IN_TRANSIT);
                    share.users.insert(*user);
                    share.messages.insert(*message);
                }
            }
            _ => self.note_access(entry),
        }
    }

    /// Releases, sign-ins, grants, credentials.
    fn note_access(&mut self, entry: &Entry) {
        match &entry.body {
            Body::Release { instance, grant, tenant, user, released, .. }
                if self.is_ours(*instance, entry) || self.grants.contains(grant) =>
            {
                self.touch(entry.time_ms, *instance);
                self.release(*tenant, *user, released);
            }
            Body::SignIn { instance, tenant: Some(tenant), user, .. }
                if self.is_ours(*instance, entry) =>
            {
                self.touch(entry.time_ms, *instance);
                let share = share(&mut self.shares, *tenant, &[Class::Verifiers]);
                share.users.extend(user);
            }
            Body::Grant { grant, instance, .. } if self.instances.contains(&entry.start) => {
                self.touch(entry.time_ms, *instance);
                self.grants.insert(*grant);
            }
            Body::CredentialUse { instance, tenant, .. } if self.is_ours(*instance, entry) => {
                self.touch(entry.time_ms, *instance);
                match tenant {
                    Some(tenant) => drop(share(&mut self.shares, *tenant, &[Class::Credentials])),
                    None => self.shared_credentials += 1,
                }
            }
            _ => {}
        }
    }

    fn release(&mut self, tenant: TenantId, user: UserId, released: &Released) {
        match released {
            Released::Months(months) => {
                share(&mut self.shares, tenant, &[Class::Headers]).users.insert(user);
                self.months.entry((tenant, user)).or_default().extend(months);
            }
            Released::Bodies(messages) => {
                let share = share(&mut self.shares, tenant, &[Class::Headers, Class::Bodies]);
                share.users.insert(user);
                share.messages.extend(messages);
                self.released.extend(messages);
            }
        }
    }

    fn note_life(&mut self, entry: &Entry) {
        match &entry.body {
            Body::ProcessStart { instance, kind, version, serves, .. } => {
                let wanted = &self.question;
                let is_version =
                    wanted.version.as_ref().is_none_or(|wanted| wanted == version.as_str());
                if *kind != wanted.component || !is_version || entry.time_ms >= wanted.to_ms {
                    return;
                }
                self.instances.insert(*instance);
                let life = Life { from_ms: entry.time_ms, to_ms: u64::MAX };
                match serves {
                    Some(edge) => self.served.entry(*edge).or_default().push((*instance, life)),
                    None if *kind == Kind::Scanner => drop(self.unplaced.insert(*instance, life)),
                    None => {}
                }
            }
            Body::ProcessStop { instance, .. } => {
                let to_ms = entry.time_ms.saturating_add(LAG_MS);
                if let Some(life) = self.unplaced.get_mut(instance) {
                    life.to_ms = to_ms;
                }
                let lives = self.served.values_mut().flatten();
                for (_, life) in lives.filter(|(scanner, _)| scanner == instance) {
                    life.to_ms = to_ms;
                }
            }
            _ => {}
        }
    }

    /// The deed is of an instance asked about, or recorded by one.
    fn is_ours(&self, instance: InstanceId, entry: &Entry) -> bool {
        self.instances.contains(&instance) || self.instances.contains(&entry.start)
    }

    /// A message of `edge` passed through a scanner asked about.
    fn passed_inside(&self, edge: InstanceId, at_ms: u64) -> bool {
        let lived = |life: &Life| (life.from_ms..=life.to_ms).contains(&at_ms);
        let served = self.served.get(&edge).into_iter().flatten();
        served.map(|(_, life)| life).chain(self.unplaced.values()).any(lived)
    }

    fn used(&mut self, at_ms: u64) {
        self.first_ms = Some(self.first_ms.map_or(at_ms, |first| first.min(at_ms)));
        self.last_ms = Some(self.last_ms.map_or(at_ms, |last| last.max(at_ms)));
    }

    fn touch(&mut self, at_ms: u64, instance: InstanceId) {
        self.used(at_ms);
        self.active.insert(instance);
    }

    /// The second reading: every message of a released month counts, whenever it was kept.
    fn note_month(&mut self, entry: &Entry) {
        let Body::Deliver { tenant, messages, .. } = &entry.body else { return };
        let month = month_of(entry.time_ms);
        for one in messages {
            let months = self.months.get(&(*tenant, one.user));
            if months.is_some_and(|months| months.contains(&month)) {
                let share = self.shares.entry(*tenant).or_default();
                share.messages.insert(one.message);
                self.released.insert(one.message);
            }
        }
    }

    /// A connection is accounted for by a delivery that names it, or that follows it before the
    /// instance's next one; or, where an instance served one only, by any deed of that instance.
    /// Two connections within one recorded batch count as one: rather too many than too few.
    fn unattributed(&mut self) -> u64 {
        for (instance, at_ms) in &self.unnamed {
            let last = ConnectionId([0xff; 8]);
            let earlier = self.connections.get(instance).map(|all| all.range(..=(*at_ms, last)));
            if let Some((_, connection)) = earlier.and_then(|mut earlier| earlier.next_back()) {
                self.delivered.insert(*connection);
            }
        }
        let left = self.connections.iter().map(|(instance, connections)| {
            let named = connections.iter().filter(|one| self.delivered.contains(&one.1)).count();
            match connections.len() == 1 && self.active.contains(instance) {
                true => 0,
                false => connections.len() - named,
            }
        });
        left.sum::<usize>() as u64
    }

    fn finish(mut self, proven: Proven) -> Scope {
        let unattributed_connections = self.unattributed();
        let contracts = self.shares.iter().map(|(tenant, share)| Contract {
            tenant: tenant.to_string(),
            accounts: share.users.len() as u64,
            messages: share.messages.len() as u64,
            classes: share.classes.iter().map(|class| class.word()).collect(),
        });
        let contracts = contracts.collect();
        let messages: BTreeSet<MessageId> =
            self.shares.into_values().flat_map(|share| share.messages).collect();
        Scope {
            component: self.question.component.word(),
            version: self.question.version,
            from: rfc3339(self.question.from_ms),
            to: rfc3339(self.question.to_ms),
            first_use: self.first_ms.map(rfc3339),
            last_use: self.last_ms.map(rfc3339),
            instances: self.instances.len() as u64,
            contracts,
            unattributed_connections,
            upper: messages.len() as u64 + unattributed_connections,
            lower: self.released.len() as u64,
            shared_credentials: self.shared_credentials,
            entries: proven.entries,
            root: proven.root,
            verified: proven.verified,
            messages,
        }
    }
}

fn share<'a>(
    shares: &'a mut BTreeMap<TenantId, Share>,
    tenant: TenantId,
    classes: &[Class],
) -> &'a mut Share {
    let share = shares.entry(tenant).or_default();
    share.classes.extend(classes);
    share
}
