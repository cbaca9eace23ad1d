//! Secrets that were shown to the processes asked about, at a sign-in: whoever took one in knows
//! it, and it opens mail until it is revoked or replaced. Also one that was right and was refused.

use crate::contained::Told;
use crate::fact::{Fact, Item, UNNAMED};
use crate::measure::Tally;
use evidence::{Body, Entry, Word};
use std::collections::BTreeMap;
use terms::{Kind, TenantId, UserId};

/// Secrets that are still good are listed one by one; more are counted.
pub(crate) const LISTED: usize = 100;

/// Whose, and which: the id of an app password; of a password nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Which {
    pub tenant: TenantId,
    pub user: UserId,
    pub id: Item,
}

impl Which {
    pub fn is_password(&self) -> bool {
        self.id == Item::default()
    }

    /// An earlier version did not say which.
    pub fn is_unnamed(&self) -> bool {
        self.id == Item::word(&Word::new(UNNAMED))
    }
}

#[derive(Default)]
pub(crate) struct Shown {
    /// When each was shown last.
    all: BTreeMap<Which, Told>,
    /// When it was revoked, or another took its place.
    ended: BTreeMap<Which, Told>,
    /// People of whom nothing is left.
    gone: BTreeMap<(TenantId, UserId), Told>,
}

/// How they stand now.
#[derive(Default)]
pub(crate) struct StillGood {
    pub in_all: u64,
    pub live: u64,
    /// The first of those that are.
    pub first: Vec<(Which, Told)>,
    pub last_end: Option<Told>,
}

fn later(known: &mut Told, told: Told) {
    *known = (*known).max(told);
}

impl Shown {
    pub fn take(&mut self, which: Which, told: Told) {
        later(self.all.entry(which).or_default(), told);
    }

    /// The first entry that says of one of them that it was shown last.
    fn first(&self) -> Option<u64> {
        self.all.values().map(|told| told.1).min()
    }

    /// Hears an entry, in whichever order, that may end one.
    pub fn hear(&mut self, index: u64, entry: &Entry) {
        let told = (entry.time_ms, index);
        match &entry.body {
            Body::RuleChange {
                what, tenant: Some(tenant), user: Some(user), credential, ..
            } if entry.author == Kind::Identity => {
                let id = match (what.as_str(), credential) {
                    // Made anew under the same id: what was shown is good no more.
                    ("app-password.revoke" | "app-password.add", Some(id)) => Item::word(id),
                    ("person.add" | "person.reset" | "password.change", _) => Item::default(),
                    _ => return,
                };
                let which = Which { tenant: *tenant, user: *user, id };
                later(self.ended.entry(which).or_default(), told);
            }
            Body::Destroyed { tenant, user: Some(user), .. } => {
                later(self.gone.entry((*tenant, *user)).or_default(), told);
            }
            _ => {}
        }
    }

    /// By which entry one is good no more that was shown then.
    fn end(&self, which: &Which, shown: Told) -> Option<Told> {
        let ended = self.ended.get(which).copied();
        let gone = self.gone.get(&(which.tenant, which.user)).copied();
        ended.max(gone).filter(|told| told.1 > shown.1)
    }

    /// `is_gone` tells of contracts whose keys are destroyed; `is_elsewhere`, of those that are
    /// told of otherwise.
    pub fn standing(
        &self,
        is_gone: impl Fn(TenantId) -> Option<Told>,
        is_elsewhere: impl Fn(&Which) -> bool,
    ) -> StillGood {
        let mut standing = StillGood::default();
        for (which, shown) in self.all.iter().filter(|(which, _)| !is_elsewhere(which)) {
            standing.in_all += 1;
            match self.end(which, *shown).or_else(|| is_gone(which.tenant)) {
                Some(told) => standing.last_end = standing.last_end.max(Some(told)),
                None => {
                    standing.live += 1;
                    if standing.first.len() < LISTED {
                        standing.first.push((*which, *shown));
                    }
                }
            }
        }
        standing
    }
}

impl Tally {
    /// The first entry behind which a secret may have ended that was shown; `None`: none was.
    pub fn first_shown(&self) -> Option<u64> {
        self.made.shown.first()
    }

    /// An index found a secret that was shown to those asked about.
    pub fn take_shown(&mut self, fact: &Fact) {
        self.made.shown(fact);
    }

    /// Hears an entry that may end a secret: a rule that changed, or somebody who is gone.
    pub fn hear_end(&mut self, index: u64, entry: &Entry) {
        if self.half.counts_people() {
            self.made.shown.hear(index, entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Shown, Which};
    use crate::fact::Item;
    use evidence::{Body, Entry, Word};
    use terms::{InstanceId, Kind, TenantId, UserId};

    const T: TenantId = TenantId([1; 8]);
    const AOI: UserId = UserId([2; 8]);

    fn which(id: &str) -> Which {
        let id = if id.is_empty() { Item::default() } else { Item::word(&Word::new(id)) };
        Which { tenant: T, user: AOI, id }
    }

    fn change(author: Kind, what: &str, id: Option<&str>) -> Entry {
        let body = Body::RuleChange {
            what: Word::new(what),
            tenant: Some(T),
            user: Some(AOI),
            weakened: None,
            by: None,
            credential: id.map(Word::new),
        };
        Entry { author, start: InstanceId([4; 6]), seq: 0, time_ms: 9_000, body }
    }

    /// It was shown by entry 5; this was said by entry `at`.
    fn check(shown: &str, at: u64, said: &Entry, is_live: bool) {
        let mut all = Shown::default();
        all.hear(at, said);
        all.take(which(shown), (1_000, 5));
        let standing = all.standing(|_| None, |_| false);
        assert_eq!((standing.in_all, standing.live), (1, u64::from(is_live)), "{said:?}");
        assert_eq!(standing.last_end.is_some(), !is_live);
    }

    #[test]
    fn a_secret_is_good_until_it_is_revoked_or_replaced() {
        let id = Kind::Identity;
        check("a", 6, &change(id, "app-password.revoke", Some("a")), false);
        check("a", 6, &change(id, "app-password.revoke", Some("b")), true);
        check("a", 6, &change(id, "app-password.add", Some("a")), false);
        check("a", 6, &change(id, "app-password.add", Some("b")), true);
        check("a", 6, &change(id, "person.disable", None), true);
        check("a", 6, &change(id, "password.change", None), true);
        // The directory revokes nothing, and what was before says nothing.
        check("a", 6, &change(Kind::Directory, "app-password.revoke", Some("a")), true);
        check("a", 4, &change(id, "app-password.revoke", Some("a")), true);
        for what in ["password.change", "person.reset", "person.add"] {
            check("", 6, &change(id, what, None), false);
            check("", 4, &change(id, what, None), true);
        }
        let (users, messages, bytes, rows, last_open_ms) = (1, 1, 1, 1, 1);
        let (tenant, user, name) = (T, Some(AOI), None);
        let body =
            Body::Destroyed { tenant, users, messages, bytes, rows, last_open_ms, user, name };
        check("a", 6, &Entry { body, ..change(Kind::Directory, "", None) }, false);
        let mut all = Shown::default();
        all.take(which("a"), (1_000, 5));
        assert_eq!(all.standing(|_| Some((2_000, 7)), |_| false).live, 0);
        assert_eq!(all.standing(|_| None, |_| true).in_all, 0);
    }
}
