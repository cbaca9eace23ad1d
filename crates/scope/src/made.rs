//! Credentials that the processes asked about made within the window, for whomever, and what was
//! released to those who signed in with them: also behind the window, until they were revoked.
//! Whoever brought a secret may have kept a copy of it.

use crate::contained::Told;
use crate::counted::{Count, Counted, Mark, Part};
use crate::fact::Item;
use crate::fact::{Deed, Fact, Person, facts};
use crate::measure::Tally;
use crate::quick::{Map, Set};
use crate::shown::{Shown, StillGood, Which};
use evidence::{Body, Entry, Word, rfc3339};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use terms::{InstanceId, Kind, TenantId, UserId};

/// Another's pass to read mail (an export, a case) ends by itself, at the latest after this.
pub(crate) const PASS_MS: u64 = 72 * 60 * 60 * 1_000;

/// What a secret is for. A password opens no mail: it decides, in its person's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    AppPassword,
    Pass,
    Password,
}

impl Sort {
    fn of(what: &str) -> Option<Self> {
        match what {
            "app-password.add" => Some(Self::AppPassword),
            "read.export" | "read.case" => Some(Self::Pass),
            "person.add" | "person.reset" | "password.change" => Some(Self::Password),
            _ => None,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::AppPassword => "app-password",
            Self::Pass => "pass",
            Self::Password => "password",
        }
    }
}

/// Whose secret, and which: a password has no id, for everybody has one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Secret {
    pub tenant: TenantId,
    pub user: UserId,
    pub id: Option<Word>,
}

/// Who brought a secret, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Making {
    pub tenant: TenantId,
    pub user: UserId,
    /// The process that asked.
    pub by: Option<InstanceId>,
    /// The start that wrote it down.
    pub start: InstanceId,
}

impl Making {
    /// What an entry says of a secret that was made.
    pub fn of(entry: &Entry) -> Option<Self> {
        making(entry).map(|(making, ..)| making)
    }
}

fn making(entry: &Entry) -> Option<(Making, Sort, Secret)> {
    let Body::RuleChange { what, tenant: Some(tenant), user: Some(user), by, credential, .. } =
        &entry.body
    else {
        return None;
    };
    // The directory orders and records as well; secrets are made by identity alone.
    let sort = Sort::of(what.as_str()).filter(|_| entry.author == Kind::Identity)?;
    let id = match sort {
        Sort::Password => None,
        // An earlier version did not say which.
        Sort::AppPassword | Sort::Pass => Some(credential.clone()?),
    };
    let (tenant, user, by, start) = (*tenant, *user, *by, entry.start);
    Some((Making { tenant, user, by, start }, sort, Secret { tenant, user, id }))
}

pub(crate) struct One {
    pub sort: Sort,
    pub making: Making,
    pub made: Told,
    pub ended: Option<Told>,
    sign_ins: u64,
    releases: u64,
    last_ms: Option<u64>,
}

/// The secrets that count, and what they opened.
pub(crate) struct Secrets {
    all: BTreeMap<Secret, One>,
    /// Who makes them, where that is found out beforehand.
    makers: Set<InstanceId>,
    sessions: Map<InstanceId, Secret>,
    messages: Counted,
    /// Whole months of somebody.
    months: BTreeSet<(Person, u32)>,
    /// Those that others made and showed to them.
    pub shown: Shown,
}

/// What credentials opened that the processes asked about had made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ByCredentials {
    pub app_passwords: u64,
    /// For an export or a case.
    pub passes: u64,
    /// With which somebody decides in their person's name, and opens nothing.
    pub passwords: u64,
    /// Of all these, those that are still good.
    pub live: u64,
    pub sign_ins: u64,
    pub releases: u64,
    /// Distinct messages that were released by name; they are among those of the contracts.
    pub messages: u64,
    /// Whole months of somebody's summaries beside.
    pub months: u64,
    pub last_use: Option<String>,
    /// It went on behind the window.
    pub after_window: bool,
}

/// A secret that is still good.
pub(crate) struct Live<'a> {
    pub sort: Sort,
    pub secret: &'a Secret,
    pub making: Making,
    pub made: Told,
}

/// How these secrets stand now.
#[derive(Default)]
pub(crate) struct Standing<'a> {
    pub in_all: u64,
    pub live: Vec<Live<'a>>,
    pub last_end: Option<Told>,
    /// Those that were shown to them, and that they did not make.
    pub shown: StillGood,
}

impl Secrets {
    pub fn new(part: Part) -> Self {
        Self {
            all: BTreeMap::new(),
            makers: Set::default(),
            sessions: Map::default(),
            messages: Counted::new(part),
            months: BTreeSet::new(),
            shown: Shown::default(),
        }
    }

    /// Hears an entry, in the order of the log; whether it is a release under one of them.
    pub fn hear(
        &mut self,
        index: u64,
        entry: &Entry,
        is_within: bool,
        is_asked: impl Fn(InstanceId) -> bool,
    ) -> bool {
        let told = (entry.time_ms, index);
        if let Some((making, sort, secret)) = making(entry) {
            let is_maker = |one: InstanceId| is_asked(one) || self.makers.contains(&one);
            let is_theirs = making.by.is_some_and(is_maker) || is_maker(making.start);
            self.made(secret, sort, making, (told, is_within && is_theirs));
            return false;
        }
        match &entry.body {
            Body::RuleChange {
                what, tenant: Some(tenant), user: Some(user), credential, ..
            } if what.as_str() == "app-password.revoke" && entry.author == Kind::Identity => {
                let (tenant, user, id) = (*tenant, *user, credential.clone());
                self.end(&Secret { tenant, user, id }, told);
            }
            Body::Destroyed { tenant, user: Some(user), .. } => {
                let is_theirs =
                    |one: &&mut One| (one.making.tenant, one.making.user) == (*tenant, *user);
                let theirs = self.all.values_mut().filter(is_theirs);
                theirs.for_each(|one| one.ended = one.ended.or(Some(told)));
            }
            Body::SignIn { instance, ok: true, tenant, user, credential, .. } => {
                let Some((tenant, user)) = tenant.zip(*user) else { return false };
                let secret =
                    Secret { tenant, user, id: Some(credential.clone().unwrap_or_default()) };
                if let Some(one) = self.all.get_mut(&secret) {
                    one.sign_ins += 1;
                    one.last_ms = one.last_ms.max(Some(told.0));
                    self.sessions.insert(*instance, secret);
                }
            }
            Body::Release { instance, tenant, user, .. } => {
                let session = self.sessions.get(instance);
                let session = session.filter(|one| (one.tenant, one.user) == (*tenant, *user));
                let Some(one) = session.and_then(|one| self.all.get_mut(one)) else { return false };
                one.releases += 1;
                one.last_ms = one.last_ms.max(Some(told.0));
                return true;
            }
            _ => {}
        }
        false
    }

    /// A secret was shown to somebody asked about.
    pub fn shown(&mut self, fact: &Fact) {
        let Some(Person { tenant, user: Some(user) }) = fact.person else { return };
        self.shown.take(Which { tenant, user, id: fact.item }, (fact.at_ms, fact.index));
    }

    fn is_made(&self, which: &Which) -> bool {
        let of = |id: &Option<Word>| id.as_ref().map_or(Item::default(), Item::word);
        let theirs = Secret { tenant: which.tenant, user: which.user, id: None };
        let theirs = self.all.range(theirs..);
        let theirs = theirs.map(|(secret, _)| secret);
        let is_same = |one: &&Secret| (one.tenant, one.user) == (which.tenant, which.user);
        theirs.take_while(is_same).any(|one| of(&one.id) == which.id)
    }

    /// A secret was made, or made anew: whoever knew the one before knows it no more.
    fn made(&mut self, secret: Secret, sort: Sort, making: Making, (told, counts): (Told, bool)) {
        if !counts {
            return self.end(&secret, told);
        }
        let fresh =
            One { sort, making, made: told, ended: None, sign_ins: 0, releases: 0, last_ms: None };
        self.all.entry(secret).or_insert(fresh).ended = None;
    }

    fn end(&mut self, secret: &Secret, told: Told) {
        if let Some(one) = self.all.get_mut(secret) {
            one.ended = one.ended.or(Some(told));
        }
    }

    /// Remembers what was opened under one of them.
    fn opened(&mut self, number: Option<u32>, fact: &Fact) {
        match (fact.deed, fact.person, number) {
            (Deed::Body | Deed::Summary, _, Some(number)) => {
                self.messages.add(number, fact.item.message(), Mark::OPENED);
            }
            (Deed::Month, Some(person), _) => {
                let month = u32::try_from(fact.item.number()).unwrap_or_default();
                self.months.extend((month > 0).then_some((person, month)));
            }
            _ => {}
        }
    }

    pub fn count(&mut self, contracts: usize) -> Count {
        self.messages.count(contracts, None)
    }

    /// `now` is the newest entry; `is_gone` tells of contracts whose keys are destroyed.
    pub fn standing(&self, now: Told, is_gone: impl Fn(TenantId) -> Option<Told>) -> Standing<'_> {
        let mut standing = Standing { in_all: self.all.len() as u64, ..Standing::default() };
        for (secret, one) in &self.all {
            let by_itself = one.made.0.saturating_add(PASS_MS);
            let is_over = one.sort == Sort::Pass && by_itself < now.0;
            let ended = one.ended.or_else(|| is_gone(one.making.tenant));
            match ended.or_else(|| is_over.then_some((by_itself, now.1))) {
                Some(told) => standing.last_end = standing.last_end.max(Some(told)),
                None => standing.live.push(Live {
                    sort: one.sort,
                    secret,
                    making: one.making,
                    made: one.made,
                }),
            }
        }
        standing.shown = self.shown.standing(is_gone, |which| self.is_made(which));
        standing
    }

    /// `None`: they made none.
    pub fn told(&self, live: u64, messages: u64, to_ms: u64) -> Option<ByCredentials> {
        if self.all.is_empty() {
            return None;
        }
        let of = |sort| self.all.values().filter(|one| one.sort == sort).count() as u64;
        let last_ms = self.all.values().filter_map(|one| one.last_ms).max();
        Some(ByCredentials {
            app_passwords: of(Sort::AppPassword),
            passes: of(Sort::Pass),
            passwords: of(Sort::Password),
            live,
            sign_ins: self.all.values().map(|one| one.sign_ins).sum(),
            releases: self.all.values().map(|one| one.releases).sum(),
            messages,
            months: self.months.len() as u64,
            last_use: last_ms.map(rfc3339),
            after_window: last_ms.is_some_and(|last_ms| last_ms >= to_ms),
        })
    }

    /// Releases under those of them whose maker, or who wrote it down, is one of these.
    pub fn releases_of(&self, is_one: impl Fn(InstanceId) -> bool) -> u64 {
        let is_theirs = |one: &&One| one.making.by.is_some_and(&is_one) || is_one(one.making.start);
        self.all.values().filter(is_theirs).map(|one| one.releases).sum()
    }
}

impl Tally {
    /// An instance asked about, of which an index found out that it made a secret.
    pub fn made_by(&mut self, instance: InstanceId) {
        self.made.makers.insert(instance);
    }

    /// Follows what secrets opened that were made by those asked about. Entries come in the order
    /// of the log; all of them, or all that touch the people whose secrets they are.
    pub fn follow_made(&mut self, index: u64, entry: &Entry) {
        if !self.half.counts_people() {
            return;
        }
        let is_within = (self.question.from_ms..self.question.to_ms).contains(&entry.time_ms);
        self.made.shown.hear(index, entry);
        let asked = &self.asked;
        if self.made.hear(index, entry, is_within, |one| asked.has(0, one)) {
            facts(index, entry, |fact| {
                let number = self.opened(&fact);
                self.made.opened(number, &fact);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Making, Secrets};
    use crate::counted::Part;
    use evidence::{Body, Entry, Word};
    use terms::{InstanceId, Kind, TenantId, UserId};

    const T: TenantId = TenantId([1; 8]);
    const AOI: UserId = UserId([2; 8]);
    const ADMIN: InstanceId = InstanceId([3; 6]);
    const IDENTITY: InstanceId = InstanceId([4; 6]);

    fn change(author: Kind, what: &str, by: InstanceId, id: Option<&str>) -> Entry {
        let body = Body::RuleChange {
            what: Word::new(what),
            tenant: Some(T),
            user: Some(AOI),
            weakened: None,
            by: Some(by),
            credential: id.map(Word::new),
        };
        Entry { author, start: IDENTITY, seq: 0, time_ms: 1_000, body }
    }

    /// How many are live in the end, of how many.
    fn check(story: &[Entry], expected: (usize, u64)) {
        let mut secrets = Secrets::new(Part::WHOLE);
        for (index, entry) in (0..).zip(story) {
            assert!(!secrets.hear(index, entry, true, |one| one == ADMIN));
        }
        let standing = secrets.standing((2_000, 9), |_| None);
        assert_eq!((standing.live.len(), standing.in_all), expected, "{story:?}");
    }

    #[test]
    fn a_secret_is_known_to_whoever_made_it_last() {
        let other = InstanceId([5; 6]);
        let said = |what, by, id| change(Kind::Identity, what, by, id);
        let (a, b) = (Some("a"), Some("b"));
        check(&[said("app-password.add", ADMIN, a)], (1, 1));
        check(&[said("app-password.add", other, a)], (0, 0));
        check(&[said("app-password.add", ADMIN, None)], (0, 0));
        check(&[change(Kind::Directory, "app-password.add", ADMIN, a)], (0, 0));
        let revoked = |id| said("app-password.revoke", other, id);
        check(&[said("app-password.add", ADMIN, a), revoked(a)], (0, 1));
        check(&[said("app-password.add", ADMIN, a), revoked(b)], (1, 1));
        let lie = change(Kind::Directory, "app-password.revoke", other, a);
        check(&[said("app-password.add", ADMIN, a), lie], (1, 1));
        // Another secret under the same id.
        let (mine, theirs) =
            (said("app-password.add", ADMIN, a), said("app-password.add", other, a));
        check(&[mine.clone(), theirs.clone()], (0, 1));
        check(&[theirs, mine], (1, 1));
        for made in ["person.add", "person.reset", "password.change"] {
            check(&[said(made, ADMIN, None)], (1, 1));
            check(&[said(made, ADMIN, None), said("password.change", other, None)], (0, 1));
            check(&[said(made, ADMIN, None), said("person.reset", other, None)], (0, 1));
        }
        check(&[said("person.disable", ADMIN, None), said("user.add", ADMIN, None)], (0, 0));
        let expected = Making { tenant: T, user: AOI, by: Some(ADMIN), start: IDENTITY };
        assert_eq!(Making::of(&said("read.case", ADMIN, a)), Some(expected));
    }

    #[test]
    fn a_pass_ends_by_itself_and_everything_with_its_contract() {
        let mut secrets = Secrets::new(Part::WHOLE);
        for (index, what) in [(1, "read.export"), (2, "app-password.add")] {
            let entry = change(Kind::Identity, what, ADMIN, Some(what));
            secrets.hear(index, &entry, true, |one| one == ADMIN);
        }
        let live = |now_ms, is_gone: bool| {
            let gone = move |_| is_gone.then_some((500, 7));
            secrets.standing((now_ms, 9), gone).live.len()
        };
        assert_eq!(live(super::PASS_MS, false), 2);
        assert_eq!(live(super::PASS_MS + 1_001, false), 1);
        assert_eq!(live(super::PASS_MS + 1_001, true), 0);
    }
}
