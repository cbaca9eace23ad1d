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

/// A grant, and the key agreed for it once it was opened.
pub(crate) struct Live {
    pub grant: Grant,
    pub session: PublicKey,
    pub agreed: Option<(Vec<u8>, Arc<Agreed>)>,
    /// Asked for so far.
    pub releases: u32,
}

impl Live {
    pub fn context(&self) -> GrantContext {
        let Grant { grant, tenant, user, .. } = self.grant;
        GrantContext { grant, tenant, user }
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
    pub fn enter(&mut self, grant: Grant, now_ms: u64) -> Result<(), &'static str> {
        if grant.expires_ms > now_ms + LIFE_MS {
            return Err("the grant lives longer than 15 minutes");
        }
        if self.live.len() >= GRANTS {
            self.sweep(now_ms);
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
        self.live.insert(grant.grant, Live { grant, session, agreed: None, releases: 0 });
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

    pub fn sweep(&mut self, now_ms: u64) {
        self.live.retain(|_, live| live.grant.expires_ms > now_ms);
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
        now_ms: u64,
    ) -> Result<&mut Live, Refusal> {
        let live = self.live.get_mut(&grant).ok_or(Refusal::NoGrant)?;
        if live.grant.instance != instance || (live.grant.tenant, live.grant.user) != person {
            return Err(Refusal::NotYours);
        }
        if live.grant.expires_ms <= now_ms {
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
