//! The ledger's stream: what was opened must follow from a sign-in, what was made from a change.

use crate::Bounds;
use crate::incident::{Action, Cause, Incident, Whose};
use evidence::{Body, Entry, Released};
use std::collections::{HashMap, HashSet, VecDeque};
use terms::{GrantId, InstanceId, Kind, TenantId, UserId};

/// Sessions and grants remembered; far more than live at once.
const SESSIONS: usize = 200_000;
/// A person's keys are made while the change that makes the person is being recorded.
const RECORDED_WITHIN_MS: u64 = 10_000;
/// Protocols of people's own app passwords. A pass is somebody else's, and a password at the
/// command line may be wrong and is recorded all the same: neither speaks against the person.
const OWN: [&str; 3] = ["imap", "pop3", "smtp"];
/// Keys whose change is awaited at once.
const AWAITED: usize = 4_096;

struct SignedIn {
    at_ms: u64,
    person: (TenantId, UserId),
    /// By their own app password.
    is_own: bool,
}

struct Granted {
    instance: InstanceId,
    person: (TenantId, UserId),
    until_ms: u64,
}

struct Awaited {
    at_ms: u64,
    person: (TenantId, UserId),
}

/// What the stream told so far.
#[derive(Default)]
pub struct Entries {
    /// Instances whose start stands in what was read: all that they did stands there too.
    known: HashSet<InstanceId>,
    sessions: HashMap<InstanceId, SignedIn>,
    /// Instances over which a decoy was tried.
    touched: HashSet<InstanceId>,
    grants: HashMap<GrantId, Granted>,
    awaited: VecDeque<Awaited>,
    /// People with a recorded change, lately.
    changed: VecDeque<(u64, UserId)>,
}

/// Whose items were released to be read, and how many. What leaves is counted where it is handed
/// in, and at all hours.
pub fn released(entry: &Entry) -> Option<(TenantId, UserId, u32)> {
    match &entry.body {
        Body::Release { tenant, user, released, .. } => {
            let items = match released {
                // One overview is one, as it is where only its months are named.
                Released::Summaries(messages) => usize::from(!messages.is_empty()),
                Released::Months(months) => months.len(),
                Released::Bodies(bodies) => bodies.len(),
                Released::Transit(_) => return None,
            };
            Some((*tenant, *user, u32::try_from(items).unwrap_or(u32::MAX)))
        }
        _ => None,
    }
}

/// Whether whoever signs in is the person themselves.
pub fn is_own(protocol: &str) -> bool {
    OWN.contains(&protocol)
}

impl Entries {
    pub fn weigh(
        &mut self,
        entry: &Entry,
        bounds: &Bounds,
        decoys: &HashSet<(TenantId, UserId)>,
        now_ms: u64,
    ) -> Option<Incident> {
        let at_ms = entry.time_ms;
        match &entry.body {
            Body::ProcessStart { instance, kind: Kind::Access, .. } => {
                self.make_room(at_ms);
                self.known.insert(*instance);
                None
            }
            Body::ProcessStop { instance, .. } => {
                self.known.remove(instance);
                self.sessions.remove(instance);
                self.touched.remove(instance);
                None
            }
            Body::SignIn {
                instance, protocol, ok, tenant: Some(tenant), user: Some(user), ..
            } => {
                let person = (*tenant, *user);
                let is_own = is_own(protocol.as_str());
                match protocol.as_str() {
                    evidence::DECOY => return self.touched(*instance),
                    _ if !*ok && is_own => return self.turned_away(*instance, person),
                    _ => {}
                }
                if *ok && self.sessions.len() < SESSIONS {
                    self.sessions.insert(*instance, SignedIn { at_ms, person, is_own });
                }
                let what = "somebody signed in as nobody";
                let touched = self.decoy(decoys, *instance, person, what);
                // What a wrong password at the command line names was not opened.
                touched.map(|one| if *ok { one } else { Incident { actions: Vec::new(), ..one } })
            }
            Body::Grant { grant, instance, tenant, user, until_ms } => {
                let person = (*tenant, *user);
                let granted = Granted { instance: *instance, person, until_ms: *until_ms };
                if self.grants.len() < SESSIONS {
                    self.grants.insert(*grant, granted);
                }
                let what = "a grant was minted";
                self.decoy(decoys, *instance, person, what)
                    .or_else(|| self.session(at_ms, *instance, person, bounds, what))
            }
            Body::Release { grant, instance, tenant, user, .. } => {
                let person = (*tenant, *user);
                let what = "mail was opened";
                self.decoy(decoys, *instance, person, what)
                    .or_else(|| self.grant(at_ms, *grant, *instance, person, what))
                    .or_else(|| self.session(at_ms, *instance, person, bounds, what))
            }
            Body::RuleChange { user: Some(user), .. } => {
                self.changed.push_back((at_ms, *user));
                self.awaited.retain(|awaited| awaited.person.1 != *user);
                None
            }
            // The key above all others of a person; those below it rotate by themselves.
            Body::KeyCreate { what, tenant: Some(tenant), user: Some(user), .. }
                if what.as_str() == "user" =>
            {
                self.await_change(now_ms, (*tenant, *user), at_ms);
                None
            }
            _ => None,
        }
    }

    /// A decoy was tried over `instance`. A stranger can do that: nobody is frozen for it, unless
    /// it was done out of somebody's session.
    fn touched(&mut self, instance: InstanceId) -> Option<Incident> {
        if self.touched.len() < SESSIONS {
            self.touched.insert(instance);
        }
        // `identity` told of the touch itself, at once. What is new is who did it.
        let session = self.sessions.get(&instance)?;
        let what = "a decoy was touched out of a person's session";
        let incident = Incident::new(Cause::Decoy, what);
        Some(match session.is_own {
            true => stolen(incident, instance, session.person),
            false => incident.of(instance, Kind::Access).then(Action::Replace(instance)),
        })
    }

    /// `identity` refused a person over `instance` whose app password was right, and names them: it
    /// does so where a decoy was tried before. Whoever has both has stolen both.
    fn turned_away(&self, instance: InstanceId, person: (TenantId, UserId)) -> Option<Incident> {
        let what = "whoever touched a decoy has the secret of a person, too";
        let is_known = self.touched.contains(&instance);
        is_known.then(|| stolen(Incident::new(Cause::Decoy, what), instance, person))
    }

    /// What was done for a decoy although nobody can: the decoy's grants end, the instance too, and
    /// the grants of whoever is signed in there.
    fn decoy(
        &self,
        decoys: &HashSet<(TenantId, UserId)>,
        instance: InstanceId,
        person: (TenantId, UserId),
        what: &str,
    ) -> Option<Incident> {
        decoys.contains(&person).then(|| {
            let incident = Incident::new(Cause::Decoy, format!("{what}, for a decoy"));
            let incident = stolen(incident, instance, person);
            let session = self.sessions.get(&instance).filter(|session| session.is_own);
            match session.map(|session| session.person).filter(|other| *other != person) {
                Some(other) => incident.then(Action::Freeze(Whose::Person(other.0, other.1))),
                None => incident,
            }
        })
    }

    /// The release's grant: recorded, its own, and not run out.
    fn grant(
        &self,
        at_ms: u64,
        grant: GrantId,
        instance: InstanceId,
        person: (TenantId, UserId),
        what: &str,
    ) -> Option<Incident> {
        let why = match self.grants.get(&grant) {
            None if self.known.contains(&instance) => "without a recorded grant",
            None => return None,
            Some(granted) if granted.instance != instance => "with another's grant",
            Some(granted) if granted.person != person => "with a grant for somebody else",
            Some(granted) if granted.until_ms < at_ms => "with a grant that has run out",
            Some(_) => return None,
        };
        Some(unfounded(instance, person, &format!("{what} {why}")))
    }

    /// The sign-in that it all follows from.
    fn session(
        &self,
        at_ms: u64,
        instance: InstanceId,
        person: (TenantId, UserId),
        bounds: &Bounds,
        what: &str,
    ) -> Option<Incident> {
        let why = match self.sessions.get(&instance) {
            None if self.known.contains(&instance) => "without a sign-in",
            None => return None,
            Some(session) if session.person != person => "for somebody who did not sign in there",
            Some(session) if at_ms > session.at_ms + bounds.session_ms => "after the session's end",
            Some(_) => return None,
        };
        Some(unfounded(instance, person, &format!("{what} {why}")))
    }

    fn await_change(&mut self, now_ms: u64, person: (TenantId, UserId), at_ms: u64) {
        let horizon = at_ms.saturating_sub(RECORDED_WITHIN_MS);
        while self.changed.front().is_some_and(|(at_ms, _)| *at_ms < horizon) {
            self.changed.pop_front();
        }
        let is_recorded = self.changed.iter().any(|(_, user)| *user == person.1);
        if !is_recorded && self.awaited.len() < AWAITED {
            self.awaited.push_back(Awaited { at_ms: now_ms, person });
        }
    }

    /// Keys that were made for people whom no recorded change has made.
    pub fn overdue(&mut self, now_ms: u64) -> Vec<Incident> {
        let mut found = Vec::new();
        while let Some(awaited) = self.awaited.front()
            && now_ms.saturating_sub(awaited.at_ms) >= RECORDED_WITHIN_MS
        {
            let (tenant, user) = awaited.person;
            let what = "keys were made for a person, and no change is recorded";
            found.push(Incident::new(Cause::Unrecorded, what).about(tenant, user));
            self.awaited.pop_front();
        }
        found
    }

    fn make_room(&mut self, at_ms: u64) {
        if self.grants.len() >= SESSIONS / 2 {
            self.grants.retain(|_, granted| granted.until_ms >= at_ms);
        }
        if self.known.len() >= SESSIONS {
            self.known.clear();
        }
    }
}

fn unfounded(instance: InstanceId, person: (TenantId, UserId), what: &str) -> Incident {
    stolen(Incident::new(Cause::NoSignIn, what), instance, person)
}

/// The instance is ended, and the person's grants with it.
fn stolen(
    incident: Incident,
    instance: InstanceId,
    (tenant, user): (TenantId, UserId),
) -> Incident {
    let incident = incident.of(instance, Kind::Access).about(tenant, user);
    incident.then(Action::Replace(instance)).then(Action::Freeze(Whose::Person(tenant, user)))
}
