//! What a contract, or a person, had beside mail when it ended, as the entries before its end
//! tell it: for the certificate, and for whoever checks one.

use evidence::{Body, Entry};
use terms::{Kind, TenantId, UserId};

/// The sort of a sign-in to a smart host, as the vault records it.
const SIGN_IN: &str = "smart-host";
/// A customer's own server that sends out through us, set and ended, as the directory records it.
const OUTLET: &str = "tenant.outlet";
const OUTLET_END: &str = "tenant.outlet.end";

/// Counted from entries in their order. Of a person: what their contract keeps goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belongings {
    tenant: TenantId,
    user: Option<UserId>,
    pub holds: u64,
    pub sign_ins: u64,
    pub outlets: u64,
    /// Entries by which keys of theirs were destroyed.
    pub shreds: u64,
}

impl Belongings {
    pub fn of(tenant: TenantId, user: Option<UserId>) -> Self {
        Self { tenant, user, holds: 0, sign_ins: 0, outlets: 0, shreds: 0 }
    }

    /// Counts one entry; whether it belongs into the certificate's history.
    pub fn weigh(&mut self, entry: &Entry) -> bool {
        let is_whole = self.user.is_none();
        let concerns = |user: &Option<UserId>| is_whole || user.is_none() || *user == self.user;
        match &entry.body {
            Body::Hold { tenant, placed, user, .. } if *tenant == self.tenant && concerns(user) => {
                self.holds = if *placed { self.holds + 1 } else { self.holds.saturating_sub(1) };
                true
            }
            Body::RuleChange { what, tenant: Some(tenant), .. }
                if *tenant == self.tenant && is_whole && entry.author == Kind::Directory =>
            {
                let is_outlet = what.as_str() == OUTLET;
                let is_end = what.as_str() == OUTLET_END;
                if is_outlet || is_end {
                    self.outlets = u64::from(is_outlet);
                }
                is_outlet || is_end
            }
            // What a contract kept to sign in elsewhere goes with its keys.
            Body::KeyCreate { what, tenant: Some(tenant), .. }
                if *tenant == self.tenant && is_whole && what.as_str() == SIGN_IN =>
            {
                self.sign_ins += 1;
                true
            }
            Body::KeyShred { what, tenant: Some(tenant), .. }
                if *tenant == self.tenant && what.as_str() == SIGN_IN =>
            {
                self.sign_ins = 0;
                is_whole
            }
            Body::KeyShred { tenant: Some(tenant), user, .. }
                if *tenant == self.tenant && (is_whole || *user == self.user) =>
            {
                self.shreds += 1;
                true
            }
            Body::Destroyed { tenant, user, .. } | Body::Ending { tenant, user, .. } => {
                *tenant == self.tenant && *user == self.user
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Belongings;
    use evidence::{Body, Entry, Word};
    use terms::{HoldId, InstanceId, Kind, TenantId, UserId};

    const T: TenantId = TenantId([1; 8]);
    const A: UserId = UserId([2; 8]);
    const B: UserId = UserId([3; 8]);

    fn counted(user: Option<UserId>, deeds: &[(Kind, Body)]) -> (Belongings, usize) {
        let mut found = Belongings::of(T, user);
        let entries = deeds.iter().map(|(author, body)| Entry {
            author: *author,
            start: InstanceId([9; 6]),
            seq: 0,
            time_ms: 0,
            body: body.clone(),
        });
        let kept = entries.filter(|entry| found.weigh(entry)).count();
        (found, kept)
    }

    #[test]
    fn what_was_there_at_the_end_counts() {
        let hold = |placed, user| Body::Hold { hold: HoldId([4; 8]), placed, tenant: T, user };
        let rule = |what: &str| Body::RuleChange {
            what: Word::new(what),
            tenant: Some(T),
            user: None,
            weakened: None,
            by: None,
            credential: None,
        };
        let create = |tenant| Body::KeyCreate {
            what: Word::new("smart-host"),
            epoch: 0,
            tenant: Some(tenant),
            user: None,
        };
        let shred = |what: &str, user| Body::KeyShred {
            what: Word::new(what),
            epoch: 0,
            tenant: Some(T),
            user,
        };
        let deeds = [
            (Kind::Directory, hold(true, Some(A))),
            (Kind::Directory, hold(true, Some(B))),
            (Kind::Directory, hold(false, Some(B))),
            (Kind::Directory, rule("tenant.outlet")),
            // What identity ordered is not what the directory did.
            (Kind::Identity, rule("tenant.outlet")),
            (Kind::Directory, rule("user.forward")),
            (Kind::Vault, create(T)),
            (Kind::Vault, shred("smart-host", None)),
            (Kind::Vault, create(T)),
            (Kind::Vault, create(TenantId([8; 8]))),
            (Kind::Vault, shred("user", Some(B))),
            (Kind::Vault, shred("tenant", None)),
        ];
        let (whole, kept) = counted(None, &deeds);
        assert_eq!((whole.holds, whole.outlets, whole.sign_ins, whole.shreds), (1, 1, 1, 2));
        assert_eq!(kept, 9);
        let (one, kept) = counted(Some(B), &deeds);
        assert_eq!((one.holds, one.outlets, one.sign_ins, one.shreds), (0, 0, 0, 1));
        assert_eq!(kept, 3);
    }
}
