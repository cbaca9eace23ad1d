//! Grants that are live: minted by `identity`, each for one person and one instance.

use std::collections::HashMap;
use std::sync::Arc;
use terms::{GrantId, InstanceId, TenantId, UserId};
use unseal::{Agreed, Class, GrantContext, PublicKey};
use wire::vault::{Grant, Refusal};

/// A grant lives at most so long (a session renews it), with a little for clocks.
const LIFE_MS: u64 = 15 * 60_000 + 5_000;
/// Live grants: far more sessions than one machine serves.
const GRANTS: usize = 200_000;

/// One moment by two clocks: what people call the time, and a clock that nobody sets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub wall_ms: u64,
    pub steady_ms: u64,
}

/// A grant, and the key agreed for it once it was opened.
pub(crate) struct Live {
    pub grant: Grant,
    /// By the clock that nobody sets: a date that is set back lengthens no grant.
    ends_ms: u64,
    pub session: PublicKey,
    pub agreed: Option<(Vec<u8>, Arc<Agreed>)>,
    /// Asked for so far.
    pub releases: u32,
    /// Of these, summaries that were named one by one.
    pub summaries: usize,
}

impl Live {
    pub fn context(&self) -> GrantContext {
        let Grant { grant, tenant, user, .. } = self.grant;
        GrantContext { grant, tenant, user }
    }

    /// The earlier of the two clocks ends it.
    fn lives(&self, now: Moment) -> bool {
        self.grant.expires_ms > now.wall_ms && self.ends_ms > now.steady_ms
    }
}

#[derive(Default)]
pub(crate) struct Grants {
    live: HashMap<GrantId, Live>,
    /// An access process serves one person for good: its budget of distinct users is one.
    bound: HashMap<InstanceId, (TenantId, UserId)>,
}

impl Grants {
    /// Enters a grant; says why not.
    pub fn enter(&mut self, grant: Grant, now: Moment) -> Result<(), &'static str> {
        let left_ms = grant.expires_ms.saturating_sub(now.wall_ms);
        if left_ms > LIFE_MS {
            return Err("the grant lives longer than 15 minutes");
        }
        if self.live.len() >= GRANTS {
            self.sweep(now);
        }
        if self.live.len() >= GRANTS {
            return Err("too many grants are live");
        }
        if self.live.contains_key(&grant.grant) {
            return Err("this grant was entered before");
        }
        let person = (grant.tenant, grant.user);
        if *self.bound.get(&grant.instance).unwrap_or(&person) != person {
            return Err("this instance serves another person");
        }
        let session = PublicKey::parse(&grant.session).map_err(|_| "no public key of a session")?;
        self.bound.insert(grant.instance, person);
        let (id, ends_ms) = (grant.grant, now.steady_ms.saturating_add(left_ms));
        self.live
            .insert(id, Live { grant, ends_ms, session, agreed: None, releases: 0, summaries: 0 });
        Ok(())
    }

    pub fn revoke(&mut self, grant: GrantId) {
        self.live.remove(&grant);
    }

    pub fn drop_instance(&mut self, instance: InstanceId) {
        self.bound.remove(&instance);
        self.live.retain(|_, live| live.grant.instance != instance);
    }

    /// All of a tenant, of a person, or of a person in a tenant.
    pub fn drop_whose(&mut self, tenant: Option<TenantId>, user: Option<UserId>) {
        self.live.retain(|_, live| {
            tenant.is_some_and(|tenant| tenant != live.grant.tenant)
                || user.is_some_and(|user| user != live.grant.user)
        });
    }

    pub fn sweep(&mut self, now: Moment) {
        self.live.retain(|_, live| live.lives(now));
    }

    pub fn count(&self) -> usize {
        self.live.len()
    }

    /// The grant, if it is this instance's for this person, and still lives.
    pub fn find(
        &mut self,
        grant: GrantId,
        instance: InstanceId,
        person: (TenantId, UserId),
        now: Moment,
    ) -> Result<&mut Live, Refusal> {
        let live = self.live.get_mut(&grant).ok_or(Refusal::NoGrant)?;
        if live.grant.instance != instance || (live.grant.tenant, live.grant.user) != person {
            return Err(Refusal::NotYours);
        }
        if !live.lives(now) {
            return Err(Refusal::Expired);
        }
        Ok(live)
    }

    /// Only if it is still live: a worker's answer may come late.
    pub fn agree(&mut self, grant: GrantId, enc: Vec<u8>, agreed: Arc<Agreed>) -> Option<&[u8]> {
        let live = self.live.get_mut(&grant)?;
        let (enc, _) = live.agreed.get_or_insert((enc, agreed));
        Some(enc)
    }
}

/// Whether the grant covers this part of messages.
pub(crate) fn covers(grant: &Grant, class: Class) -> bool {
    match class {
        Class::Summary => grant.summaries,
        Class::Body => grant.bodies,
    }
}

#[cfg(test)]
mod tests {
    use super::{Grants, LIFE_MS, Moment};
    use terms::{GrantId, InstanceId, TenantId, UserId};
    use wire::vault::Grant;

    const DAY: u64 = 24 * 3_600_000;
    const PERSON: (TenantId, UserId) = (TenantId([1; 8]), UserId([2; 8]));
    const INSTANCE: InstanceId = InstanceId([3; 6]);

    fn grant(id: u8, expires_ms: u64) -> Grant {
        let (session, _) = open::Session::new(seal::Suite::P256).unwrap();
        let session = session.encode();
        Grant {
            grant: GrantId([id; 16]),
            tenant: PERSON.0,
            user: PERSON.1,
            instance: INSTANCE,
            bodies: true,
            summaries: true,
            expires_ms,
            session,
        }
    }

    /// The date is set forward, back, or stands still: no grant outlives its minutes.
    #[test]
    fn the_earlier_of_two_clocks_ends_a_grant() {
        let at = |wall_ms: u64, steady_ms: u64| Moment { wall_ms, steady_ms };
        let begun = at(10 * DAY, 5_000);
        let check = |now: Moment, lives: bool| {
            let mut grants = Grants::default();
            grants.enter(grant(1, begun.wall_ms + 60_000), begun).unwrap();
            let found = grants.find(GrantId([1; 16]), INSTANCE, PERSON, now);
            assert_eq!(found.is_ok(), lives, "{now:?}");
            grants.sweep(now);
            assert_eq!(grants.count(), usize::from(lives), "{now:?}");
        };
        check(at(10 * DAY + 59_999, 64_999), true);
        check(at(10 * DAY + 60_000, 65_000), false);
        // A day back: by the date it would live for another day.
        check(at(9 * DAY, 6_000), true);
        check(at(9 * DAY, 65_000), false);
        check(at(10 * DAY, 65_000), false);
        check(at(11 * DAY, 6_000), false);
        let mut grants = Grants::default();
        let longest = begun.wall_ms + LIFE_MS;
        assert!(grants.enter(grant(1, longest + 1), begun).is_err());
        assert!(grants.enter(grant(1, longest), begun).is_ok());
    }
}
