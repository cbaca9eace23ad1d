//! What a recorded deed ended opens nothing any more: revoked credentials, people who are shut out,
//! freezes, sealed keys; and a part that is out of the house is not started. Whoever comes in all
//! the same found a keeper's folder changed: a row of an older copy among the newer ones, or a mark
//! that somebody took off.
//!
//! The ledger tells at each start everything of it that it has, from its first entry on. Until that
//! is read, news waits here, so that all is judged in the ledger's order.

use crate::incident::{Action, Cause, Incident, Whose};
use evidence::{Body, Entry, Released};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use terms::{InstanceId, Kind, TenantId, UserId};

/// Endings remembered; beyond it the oldest is forgotten.
const ENDINGS: usize = 100_000;
/// Entries that wait for what was before them: a busy house's of some minutes.
const WAITING: usize = 20_000;
/// Starts of `identity` and `vault` that were found off charter. Each ends with that.
const INTRUDERS: usize = 1_024;

/// Births that were under way when their kind was isolated.
const UNDER_WAY_MS: u64 = 5_000;

pub const ISOLATED: &str = "a part that is isolated runs again, and nobody let it in: \
    see who can write to DIR/isolated; `isolate list`";
pub const REVOKED: &str = "a revoked app password opened the door: revoke it again \
    (`app-password list`), and see who can write to DIR/identity";
pub const CLOSED: &str = "mail was opened with keys that are sealed or frozen: seal or freeze \
    them again (`keys seal`, `keys freeze`), and see who can write to DIR/vault";
pub const SHUT_OUT: &str = "somebody came in who is shut out: disable them again \
    (`user disable`), and see who can write to DIR/identity";
pub const FROZEN: &str = "somebody came in whose grants are frozen: freeze them again \
    (`freeze`), and see who can write to DIR/identity";

#[derive(Clone, PartialEq, Eq, Hash)]
enum Ending {
    Revoked(String),
    ShutOut(UserId),
    /// A person, a tenant, or with neither all who read.
    Frozen(Option<TenantId>, Option<UserId>),
    /// Keys in the vault: of a tenant that is sealed, of a tenant or a person that is frozen.
    Sealed(TenantId),
    KeysFrozen(TenantId, Option<UserId>),
}

#[derive(Default)]
pub struct Ended {
    /// When each came, as a number that rises, and which start of a keeper recorded it.
    standing: HashMap<Ending, (u64, InstanceId)>,
    in_order: BTreeMap<u64, Ending>,
    next: u64,
    intruders: HashSet<InstanceId>,
    /// Who is out of the house, and since when.
    isolated: HashMap<Kind, u64>,
    /// `None`: everything before is known.
    waiting: Option<VecDeque<Entry>>,
}

impl Ended {
    /// From now on news waits.
    pub fn await_past(&mut self) {
        self.waiting.get_or_insert_default();
    }

    /// From before the news, in order.
    pub fn recall(&mut self, entry: &Entry) {
        self.weigh(entry);
    }

    /// Everything before the news was told.
    pub fn past_is_known(&mut self) -> Vec<Incident> {
        let waiting = self.waiting.take().unwrap_or_default();
        waiting.iter().filter_map(|entry| self.weigh(entry)).collect()
    }

    /// News.
    pub fn read(&mut self, entry: &Entry) -> Option<Incident> {
        if !self.is_of_it(entry) {
            return None;
        }
        let Some(waiting) = &mut self.waiting else { return self.weigh(entry) };
        waiting.push_back(entry.clone());
        if waiting.len() <= WAITING {
            return None;
        }
        let oldest = waiting.pop_front()?;
        self.weigh(&oldest)
    }

    fn weigh(&mut self, entry: &Entry) -> Option<Incident> {
        if entry.author == Kind::Warden {
            return self.of_warden(entry);
        }
        if let Body::SignIn { .. } = &entry.body {
            return self.used(&entry.body);
        }
        if let Body::Release { instance, tenant, user, released, .. } = &entry.body {
            // What leaves is sealed to no keys of theirs.
            return match released {
                Released::Transit(_) => None,
                _ => self.opened(entry.author, *instance, (*tenant, *user)),
            };
        }
        if !self.intruders.contains(&entry.start) {
            let found = match entry.author {
                Kind::Identity => deed(&entry.body),
                Kind::Vault => deed_of_vault(&entry.body),
                _ => None,
            };
            match found {
                Some((ending, true)) => self.end(ending, entry.start),
                Some((ending, false)) => self.lift(&ending),
                None => {}
            }
        }
        None
    }

    fn of_warden(&mut self, entry: &Entry) -> Option<Incident> {
        match &entry.body {
            Body::Isolate { kind, .. } => drop(self.isolated.insert(*kind, entry.time_ms)),
            Body::Rejoin { kind, .. } => drop(self.isolated.remove(kind)),
            Body::ProcessStart { kind, instance, .. } => {
                let since = self.isolated.get(kind)?;
                if entry.time_ms <= since + UNDER_WAY_MS {
                    return None;
                }
                let incident = Incident::new(Cause::Ended, ISOLATED).of(*instance, *kind);
                // Who acts knows which kinds the house can be without.
                return Some(incident.then(Action::Isolate(*kind)));
            }
            // What an intruder recorded in a keeper's name the true tables do not know of.
            body => {
                if let Some((Kind::Identity | Kind::Vault, start)) = body.off_charter() {
                    self.disown(start);
                }
            }
        }
        None
    }

    /// Whether anything follows from it here. Which parts are out of the house is known once the
    /// past is.
    fn is_of_it(&self, entry: &Entry) -> bool {
        match &entry.body {
            Body::SignIn { ok, credential, .. } => *ok && credential.is_some(),
            Body::Release { .. } => self.waiting.is_some() || !self.standing.is_empty(),
            Body::ProcessStart { kind, .. } => {
                self.waiting.is_some() || self.isolated.contains_key(kind)
            }
            _ => entry.ends_or_lets_in(),
        }
    }

    fn used(&self, body: &Body) -> Option<Incident> {
        let Body::SignIn {
            instance,
            protocol,
            ok: true,
            tenant: Some(tenant),
            user: Some(user),
            credential: Some(credential),
        } = body
        else {
            return None;
        };
        let all = [
            (Ending::Revoked(credential.as_str().to_owned()), REVOKED),
            (Ending::ShutOut(*user), SHUT_OUT),
            (Ending::Frozen(Some(*tenant), Some(*user)), FROZEN),
            (Ending::Frozen(Some(*tenant), None), FROZEN),
            (Ending::Frozen(None, None), FROZEN),
        ];
        let (_, what) = all.into_iter().find(|(ending, _)| self.standing.contains_key(ending))?;
        let incident = Incident::new(Cause::Ended, what).of(*instance, Kind::Access);
        let incident = incident.about(*tenant, *user).then(Action::Replace(*instance));
        // By a pass somebody else reads: it is not the person whose mailbox it is.
        Some(match crate::entries::is_own(protocol.as_str()) {
            true => incident.then(Action::Freeze(Whose::Person(*tenant, *user))),
            false => incident,
        })
    }

    /// The vault says itself, truly, that it opened what it had closed: its keys' marks are gone.
    fn opened(
        &self,
        by: Kind,
        instance: InstanceId,
        (tenant, user): (TenantId, UserId),
    ) -> Option<Incident> {
        let closed = [
            Ending::Sealed(tenant),
            Ending::KeysFrozen(tenant, None),
            Ending::KeysFrozen(tenant, Some(user)),
        ];
        if by != Kind::Vault || !closed.iter().any(|one| self.standing.contains_key(one)) {
            return None;
        }
        let incident = Incident::new(Cause::Ended, CLOSED).of(instance, Kind::Access);
        let incident = incident.about(tenant, user).then(Action::Replace(instance));
        Some(incident.then(Action::Freeze(Whose::Person(tenant, user))))
    }

    fn end(&mut self, ending: Ending, by: InstanceId) {
        self.lift(&ending);
        if self.standing.len() >= ENDINGS
            && let Some((_, oldest)) = self.in_order.pop_first()
        {
            self.standing.remove(&oldest);
        }
        self.next += 1;
        self.in_order.insert(self.next, ending.clone());
        self.standing.insert(ending, (self.next, by));
    }

    fn lift(&mut self, ending: &Ending) {
        if let Some((number, _)) = self.standing.remove(ending) {
            self.in_order.remove(&number);
        }
    }

    fn disown(&mut self, start: InstanceId) {
        if self.intruders.len() < INTRUDERS {
            self.intruders.insert(start);
        }
        for (_, (number, _)) in self.standing.extract_if(|_, (_, by)| *by == start) {
            self.in_order.remove(&number);
        }
    }
}

/// What a deed ends (`true`), or lets in again.
fn deed(body: &Body) -> Option<(Ending, bool)> {
    match body {
        Body::RuleChange { what, credential: Some(credential), .. } => {
            // Whatever else names a credential has made it.
            let is_end = what.as_str() == "app-password.revoke";
            Some((Ending::Revoked(credential.as_str().to_owned()), is_end))
        }
        Body::RuleChange { what, user: Some(user), .. } => match what.as_str() {
            "person.disable" => Some((Ending::ShutOut(*user), true)),
            "person.enable" => Some((Ending::ShutOut(*user), false)),
            _ => None,
        },
        Body::Freeze { what, tenant, user, .. } => {
            frozen(what.as_str(), *tenant, *user).map(|ending| (ending, true))
        }
        Body::Unfreeze { what, tenant, user, .. } => {
            frozen(what.as_str(), *tenant, *user).map(|ending| (ending, false))
        }
        _ => None,
    }
}

fn deed_of_vault(body: &Body) -> Option<(Ending, bool)> {
    match body {
        Body::KeySeal { sealed, tenant } => Some((Ending::Sealed(*tenant), *sealed)),
        Body::KeyFreeze { on, tenant: Some(tenant), user, instance: None } => {
            Some((Ending::KeysFrozen(*tenant, *user), *on))
        }
        _ => None,
    }
}

/// Of kinds, everybody comes in through `access`.
fn frozen(what: &str, tenant: Option<TenantId>, user: Option<UserId>) -> Option<Ending> {
    let is_theirs = tenant.is_some() || what == Kind::Access.word();
    is_theirs.then_some(Ending::Frozen(tenant, user))
}

#[cfg(test)]
mod tests {
    use super::{CLOSED, ENDINGS, Ended, FROZEN, ISOLATED, REVOKED, SHUT_OUT, WAITING};
    use crate::{Action, Cause, Whose};
    use evidence::{Body, Entry, REFUSED, Released, Word};
    use terms::{InstanceId, Kind, TenantId, UserId};

    const T: TenantId = TenantId([1; 8]);
    const AOI: UserId = UserId([2; 8]);
    const A: InstanceId = InstanceId([3; 6]);
    const TRUE: InstanceId = InstanceId([7; 6]);
    const INTRUDER: InstanceId = InstanceId([8; 6]);

    fn by(start: InstanceId, body: Body) -> Entry {
        Entry { author: Kind::Identity, start, seq: 0, time_ms: 1, body }
    }

    fn change(what: &str, credential: Option<&str>) -> Entry {
        let (what, credential) = (Word::new(what), credential.map(Word::new));
        let (tenant, user) = (Some(T), Some(AOI));
        let body = Body::RuleChange { what, tenant, user, weakened: None, by: None, credential };
        by(TRUE, body)
    }

    fn used(protocol: &str, ok: bool, credential: &str) -> Entry {
        let (tenant, user, credential) = (Some(T), Some(AOI), Some(Word::new(credential)));
        let protocol = Word::new(protocol);
        by(TRUE, Body::SignIn { instance: A, protocol, ok, tenant, user, credential })
    }

    fn freeze(on: bool, what: &str, tenant: Option<TenantId>, user: Option<UserId>) -> Entry {
        let (what, who) = (Word::new(what), Word::new("admin"));
        by(
            TRUE,
            match on {
                true => Body::Freeze { what, by: who, tenant, user },
                false => Body::Unfreeze { what, by: who, tenant, user },
            },
        )
    }

    fn off_charter(author: Kind, start: InstanceId) -> Entry {
        let (kind, call) = (Kind::Identity, Word::new("execve"));
        let what = Word::new(&format!("{REFUSED}x"));
        let body = Body::Alarm { instance: start, kind, pid: 1, call, what };
        Entry { author, start: TRUE, seq: 0, time_ms: 1, body }
    }

    fn revoke() -> Entry {
        change("app-password.revoke", Some("abc"))
    }

    /// What is said of a story that is news from its beginning.
    fn check(story: &[Entry], expected: &[&str]) {
        let mut ended = Ended::default();
        let found = story.iter().filter_map(|entry| ended.read(entry));
        let found: Vec<String> = found.map(|one| one.what).collect();
        assert_eq!(found, expected, "{story:?}");
    }

    #[test]
    fn what_was_ended_opens_nothing() {
        let came = || used("imap", true, "abc");
        check(&[came(), revoke()], &[]);
        check(&[revoke(), came()], &[REVOKED]);
        check(&[revoke(), used("imap", true, "other"), used("imap", false, "abc")], &[]);
        check(&[revoke(), change("app-password.add", Some("abc")), came()], &[]);
        check(&[change("person.disable", None), came()], &[SHUT_OUT]);
        check(&[change("person.disable", None), change("person.enable", None), came()], &[]);
        for (what, tenant, user) in
            [("person", Some(T), Some(AOI)), ("tenant", Some(T), None), ("access", None, None)]
        {
            let frozen = |on| freeze(on, what, tenant, user);
            check(&[frozen(true), came()], &[FROZEN]);
            check(&[frozen(true), frozen(false), came()], &[]);
        }
        check(&[freeze(true, "person", Some(T), Some(UserId([9; 8]))), came()], &[]);
        check(&[freeze(true, "edge", None, None), came()], &[]);
        // Only identity ends anything.
        let another = Entry { author: Kind::Directory, ..revoke() };
        check(&[another, came()], &[]);
    }

    #[test]
    fn what_the_vault_closed_is_not_opened() {
        let at = |author, body| Entry { author, ..by(TRUE, body) };
        let said = |body| at(Kind::Vault, body);
        let seal = |sealed| said(Body::KeySeal { sealed, tenant: T });
        let freeze =
            |on, user, instance| said(Body::KeyFreeze { on, tenant: Some(T), user, instance });
        let release = |author, tenant| {
            let (instance, grant, user) = (A, terms::GrantId([4; 16]), AOI);
            let released = Released::Bodies(Vec::new());
            at(author, Body::Release { vault_seq: 1, instance, grant, tenant, user, released })
        };
        let opens = || release(Kind::Vault, T);
        check(&[seal(true), opens()], &[CLOSED]);
        check(&[opens(), seal(true)], &[]);
        check(&[seal(true), seal(false), opens()], &[]);
        check(&[seal(true), release(Kind::Vault, TenantId([9; 8]))], &[]);
        // Nobody else releases anything.
        check(&[seal(true), release(Kind::Access, T)], &[]);
        check(&[freeze(true, Some(AOI), None), opens()], &[CLOSED]);
        check(&[freeze(true, None, None), opens()], &[CLOSED]);
        check(&[freeze(true, None, None), freeze(false, None, None), opens()], &[]);
        check(&[freeze(true, Some(UserId([9; 8])), None), opens()], &[]);
        // Of one process: it ends with it.
        check(&[freeze(true, None, Some(A)), opens()], &[]);
        let another = Entry { author: Kind::Identity, ..seal(true) };
        check(&[another, opens()], &[]);
    }

    #[test]
    fn a_part_that_is_out_of_the_house_is_not_started() {
        let at = |time_ms: u64, body: Body| Entry {
            author: Kind::Warden,
            start: TRUE,
            seq: 0,
            time_ms,
            body,
        };
        let out = |kind| at(1_000, Body::Isolate { kind, by: Word::new("admin") });
        let back = |kind| at(2_000, Body::Rejoin { kind, by: Word::new("admin") });
        let starts = |time_ms: u64, kind| {
            let (version, zygote) = (Word::new("1"), None);
            let (key, serves) = (None, None);
            let body =
                Body::ProcessStart { instance: A, kind, pid: 7, version, zygote, key, serves };
            at(time_ms, body)
        };
        let (access, late) = (Kind::Access, 1_000 + super::UNDER_WAY_MS + 1);
        check(&[out(access), starts(late, access)], &[ISOLATED]);
        check(&[out(access), starts(late - 1, access)], &[]);
        check(&[out(access), starts(late, Kind::Edge)], &[]);
        check(&[out(access), back(access), starts(late, access)], &[]);
        let another = Entry { author: Kind::Sentinel, ..out(access) };
        check(&[another, starts(late, access)], &[]);
        // It started before we had read who is out.
        let mut ended = Ended::default();
        ended.await_past();
        assert!(ended.read(&starts(late, access)).is_none());
        ended.recall(&out(access));
        let found = ended.past_is_known();
        let actions: Vec<Action> = found.into_iter().flat_map(|one| one.actions).collect();
        assert_eq!(actions, [Action::Isolate(access)]);
    }

    #[test]
    fn whose_secret_it_is_is_frozen() {
        let acts = |protocol| {
            let mut ended = Ended::default();
            ended.read(&revoke());
            let found = ended.read(&used(protocol, true, "abc")).unwrap();
            assert_eq!((found.cause, found.instance), (Cause::Ended, Some(A)));
            found.actions
        };
        let replace = Action::Replace(A);
        assert_eq!(acts("smtp"), [replace, Action::Freeze(Whose::Person(T, AOI))]);
        // A pass is somebody else's.
        assert_eq!(acts("case"), [replace]);
    }

    #[test]
    fn an_intruders_word_ends_nothing() {
        let theirs = || Entry { start: INTRUDER, ..revoke() };
        let came = || used("imap", true, "abc");
        let found_out = || off_charter(Kind::Warden, INTRUDER);
        check(&[theirs(), found_out(), came()], &[]);
        check(&[found_out(), theirs(), came()], &[]);
        check(&[theirs(), off_charter(Kind::Directory, INTRUDER), came()], &[REVOKED]);
        check(&[revoke(), found_out(), came()], &[REVOKED]);
    }

    #[test]
    fn news_waits_for_what_was_before() {
        let mut ended = Ended::default();
        ended.await_past();
        assert!(ended.read(&used("imap", true, "old")).is_none());
        assert!(ended.read(&used("imap", true, "new")).is_none());
        assert!(ended.read(&change("app-password.revoke", Some("new"))).is_none());
        assert!(ended.read(&used("imap", true, "new")).is_none());
        ended.recall(&change("app-password.revoke", Some("old")));
        let found = ended.past_is_known();
        assert_eq!(found.len(), 2, "the first came in before it was ended: {found:?}");
        assert!(ended.read(&used("imap", true, "old")).is_some());
        // Where too much waits, it is judged by what is known.
        ended.await_past();
        let others = (0..WAITING).filter_map(|_| ended.read(&used("imap", true, "x"))).count();
        assert_eq!(others, 0);
        assert!(ended.read(&used("imap", true, "old")).is_none());
        let judged = (0..WAITING).filter_map(|_| ended.read(&used("imap", true, "x"))).count();
        assert_eq!(judged, 1);
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let mut ended = Ended::default();
        for number in 0..=ENDINGS {
            ended.read(&change("app-password.revoke", Some(&format!("{number}"))));
        }
        // Ended twice is remembered once.
        ended.read(&change("app-password.revoke", Some("7")));
        assert_eq!((ended.standing.len(), ended.in_order.len()), (ENDINGS, ENDINGS));
        assert!(ended.read(&used("imap", true, "0")).is_none());
        assert!(ended.read(&used("imap", true, "1")).is_some());
    }
}
