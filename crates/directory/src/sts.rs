//! Policies of domains outside about TLS (MTA-STS), kept for those who carry: whoever fetched one
//! is gone in minutes, and what it learned is to hold as long as the policy says (RFC 8461 §10.2).
//!
//! Each tenant has its own, told by whoever carries its mail: one that was taken over can spoil
//! that tenant's and nobody else's, and what it spoiled is fetched anew after a day.

use crate::Fault;
use crate::address::is_sound_domain;
use crate::tables::{Tables, seal, unseal};
use crate::tls_rows::Token;
use compartment::now_ms;
use rows::RowKey;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use terms::TenantId;
use wire::Peer;
use wire::directory::ToDepart;
use wire::sts::{AGE_SECONDS, DOMAINS, Known, NAME_BYTES, Policy};

/// Tables of this file; see `tables` for the others.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS sts_policy (
  token BLOB PRIMARY KEY, tenant BLOB NOT NULL, fetched_ms INTEGER NOT NULL,
  until_ms INTEGER NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sts_policy_end ON sts_policy (tenant, until_ms);
CREATE INDEX IF NOT EXISTS sts_policy_age ON sts_policy (tenant, fetched_ms);
";

/// Policies of one tenant: some 5 MB. Beyond that the one goes that was fetched longest ago, which
/// is the one that was not needed longest.
pub const POLICIES: u64 = 10_000;
/// RFC 8461 §3.3: looked at again in good time, and a day is good for most.
const DUE_MS: u64 = 24 * 60 * 60 * 1000;
/// Octets of one answer.
const ANSWER_BYTES: usize = wire::FRAME_BYTES / 2;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct StsRow {
    policy: Policy,
    fetched_ms: u64,
}

impl StsRow {
    fn age_ms(&self) -> u64 {
        u64::from(self.policy.age_seconds.min(AGE_SECONDS)) * 1_000
    }

    fn until_ms(&self) -> u64 {
        self.fetched_ms.saturating_add(self.age_ms())
    }

    /// `None`: it has run out.
    fn known(self, now: u64) -> Option<Known> {
        // A clock that was ahead makes no policy older than it may get.
        let left_ms = self.until_ms().saturating_sub(now).min(self.age_ms());
        let left_seconds = u32::try_from(left_ms / 1_000).ok().filter(|left| *left > 0)?;
        let due_ms = DUE_MS.min(self.age_ms() / 2);
        let is_due = now.saturating_sub(self.fetched_ms) >= due_ms;
        Some(Known { policy: self.policy, left_seconds, is_due })
    }
}

fn place(key: &RowKey, tenant: TenantId, domain: &str) -> Token {
    key.token("sts-policy", &[&tenant.0[..], domain.as_bytes()].concat())
}

impl Tables {
    /// Keeps a policy in the place of the one before it.
    pub fn keep_policy(
        &self,
        key: &RowKey,
        (tenant, policy): (TenantId, Policy),
        now: u64,
    ) -> Result<(), Fault> {
        self.try_out()?;
        let kept = self.put_policy(key, tenant, StsRow { policy, fetched_ms: now });
        self.decide(kept.is_ok())?;
        kept
    }

    fn put_policy(&self, key: &RowKey, tenant: TenantId, row: StsRow) -> Result<(), Fault> {
        let fault = Fault::store("keeping a policy");
        let tenant_id = &tenant.0[..];
        let token = place(key, tenant, &row.policy.domain);
        let over = "DELETE FROM sts_policy WHERE tenant = ?1 AND until_ms <= ?2";
        self.db.execute(over, params![tenant_id, signed(row.fetched_ms)]).map_err(&fault)?;
        let is_known =
            self.one("SELECT tenant, sealed FROM sts_policy WHERE token = ?1", &token)?;
        let count = "SELECT COUNT(*) FROM sts_policy WHERE tenant = ?1";
        if is_known.is_none() && self.count_rows(count, params![tenant_id])? >= POLICIES {
            let oldest = "DELETE FROM sts_policy WHERE token = (SELECT token FROM sts_policy
                 WHERE tenant = ?1 ORDER BY fetched_ms LIMIT 1)";
            self.db.execute(oldest, params![tenant_id]).map_err(&fault)?;
        }
        let sealed = seal(key, "sts_policy", &token, &row)?;
        let (fetched, until) = (signed(row.fetched_ms), signed(row.until_ms()));
        let keep = "INSERT OR REPLACE INTO sts_policy (token, tenant, fetched_ms, until_ms, sealed)
             VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![&token[..], tenant_id, fetched, until, sealed];
        self.db.execute(keep, values).map_err(&fault)?;
        Ok(())
    }

    /// The policy of a domain, if one that still holds is known.
    pub fn policy(
        &self,
        key: &RowKey,
        (tenant, domain): (TenantId, &str),
        now: u64,
    ) -> Result<Option<Known>, Fault> {
        let token = place(key, tenant, domain);
        let found = self.one("SELECT tenant, sealed FROM sts_policy WHERE token = ?1", &token)?;
        let row: Option<StsRow> =
            found.and_then(|(_, sealed)| unseal(key, "sts_policy", &token, &sealed));
        Ok(row.and_then(|row| row.known(now)))
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl crate::Desk {
    /// From where a tenant's mail leaves, and what is known of the domains that it goes to.
    /// `Later`: the warden has not said yet whose mail it is.
    pub(crate) fn tell_source(
        &self,
        peer: Peer,
        tenant: TenantId,
        domains: &[String],
    ) -> Result<ToDepart, wire::Fault> {
        if domains.len() > DOMAINS || domains.iter().any(|domain| domain.len() > NAME_BYTES) {
            return Err(wire::Fault::Malformed);
        }
        let Some(key) = &self.key else { return Ok(ToDepart::Later) };
        let Ok(row) = self.tables.tenant(key, tenant) else { return Ok(ToDepart::Later) };
        let from = row.and_then(|row| row.sending.source);
        let (mut policies, mut answered, mut octets) = (Vec::new(), 0, 0);
        let whose = self.hub.label(peer).and_then(|label| label.person);
        let Some((whose, _)) = whose.or(domains.is_empty().then_some((tenant, Default::default())))
        else {
            return Ok(ToDepart::Later);
        };
        let now = now_ms();
        for domain in domains {
            let Ok(known) = self.tables.policy(key, (whose, domain), now) else {
                return Ok(ToDepart::Later);
            };
            octets += known.as_ref().map_or(0, |one| {
                let patterns = one.policy.patterns.iter().map(|pattern| pattern.len() + 2);
                NAME_BYTES + patterns.sum::<usize>()
            });
            if octets > ANSWER_BYTES && answered > 0 {
                break;
            }
            policies.extend(known);
            answered += 1;
        }
        Ok(ToDepart::Source { from, policies, answered })
    }

    /// The return path of mail that goes on from an address of the tenant of the channel's label.
    pub(crate) fn return_path_for(&self, peer: Peer, from: &str, domain: &str) -> ToDepart {
        let person = self.hub.label(peer).and_then(|label| label.person);
        let whose =
            self.key.as_ref().and_then(|key| self.tables.domain(key, domain).ok().flatten());
        let is_theirs = person.is_some_and(|(tenant, _)| whose == Some(tenant));
        let path = is_theirs.then(|| self.return_path(from, domain)).flatten();
        path.map_or(ToDepart::Later, ToDepart::ReturnPath)
    }

    /// Kept for the tenant of the channel's label.
    pub(crate) fn note_policy(&self, peer: Peer, policy: Policy) -> Result<ToDepart, wire::Fault> {
        if !policy.is_sound() {
            return Err(wire::Fault::Malformed);
        }
        let person = self.hub.label(peer).and_then(|label| label.person);
        let Some(((tenant, _), key)) = person.zip(self.key.as_ref()) else {
            return Ok(ToDepart::Later);
        };
        // Of a contract that is over nothing is kept; nor of what is no domain to publish one.
        let is_there = matches!(self.tables.tenant(key, tenant), Ok(Some(_)));
        if !is_there || !is_sound_domain(&policy.domain) {
            return Ok(ToDepart::Noted);
        }
        Ok(match self.tables.keep_policy(key, (tenant, policy), now_ms()) {
            Ok(()) => ToDepart::Noted,
            Err(_) => ToDepart::Later,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::POLICIES;
    use crate::tables::Tables;
    use crate::tests::World;
    use rusqlite::params;
    use terms::TenantId;
    use wire::sts::{Known, Mode, Policy};

    const KAEDE: TenantId = TenantId([1; 8]);
    const SUGI: TenantId = TenantId([2; 8]);
    const THERE: &str = "there.example";
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    const NOW: u64 = 20_786 * DAY_MS;

    pub fn policy(domain: &str, id: &str, age_seconds: u32) -> Policy {
        Policy {
            domain: domain.to_owned(),
            id: id.to_owned(),
            mode: Mode::Enforce,
            patterns: vec!["*.there.example".to_owned()],
            age_seconds,
        }
    }

    fn known(world: &World, tenant: TenantId, now: u64) -> Option<Known> {
        world.tables.policy(&world.key, (tenant, THERE), now).unwrap()
    }

    #[test]
    fn a_policy_holds_as_long_as_it_says_and_for_its_own_tenant() {
        let world = World::new("sts-holds");
        let keep = |one: Policy, now| {
            world.tables.keep_policy(&world.key, (KAEDE, one), now).unwrap();
        };
        keep(policy(THERE, "1", 10 * 86_400), NOW);
        let found = known(&world, KAEDE, NOW + 1).unwrap();
        assert_eq!((found.policy.id.as_str(), found.is_due), ("1", false));
        assert_eq!(known(&world, SUGI, NOW), None);
        // Opened again, as after a start.
        let again = Tables::open(&world.folder).unwrap();
        let found = again.policy(&world.key, (KAEDE, THERE), NOW + DAY_MS).unwrap().unwrap();
        assert_eq!((found.left_seconds, found.is_due), (9 * 86_400, true));
        assert!(known(&world, KAEDE, NOW + 10 * DAY_MS - 1_000).is_some());
        assert_eq!(known(&world, KAEDE, NOW + 10 * DAY_MS), None);
        // A clock that was ahead.
        assert_eq!(known(&world, KAEDE, NOW - DAY_MS).unwrap().left_seconds, 10 * 86_400);
        // The next one takes its place, with whatever it says; a short one is due at half its age.
        keep(Policy { mode: Mode::None, ..policy(THERE, "2", 600) }, NOW + DAY_MS);
        let found = known(&world, KAEDE, NOW + DAY_MS + 300_000).unwrap();
        assert_eq!((found.policy.mode, found.is_due), (Mode::None, true));
    }

    #[test]
    fn there_is_room_for_so_many() {
        let world = World::new("sts-bounds");
        let count = |tenant: TenantId| {
            let sql = "SELECT COUNT(*) FROM sts_policy WHERE tenant = ?1";
            world.tables.count_rows(sql, params![&tenant.0[..]]).unwrap()
        };
        let keep = |tenant, one: Policy, now| {
            world.tables.keep_policy(&world.key, (tenant, one), now).unwrap();
        };
        world.tables.db.execute_batch("BEGIN").unwrap();
        keep(SUGI, policy(THERE, "1", 86_400), NOW);
        for number in 0..POLICIES {
            keep(KAEDE, policy(&format!("d{number}.example"), "1", 86_400), NOW + number);
        }
        world.tables.db.execute_batch("COMMIT").unwrap();
        assert_eq!(count(KAEDE), POLICIES);
        let has =
            |domain: &str| world.tables.policy(&world.key, (KAEDE, domain), NOW).unwrap().is_some();
        // One that is known needs no room; one that is not takes that of the oldest.
        keep(KAEDE, policy("d0.example", "2", 86_400), NOW + POLICIES);
        assert!(has("d0.example") && has("d1.example"));
        keep(KAEDE, policy("new.example", "1", 86_400), NOW + POLICIES);
        assert!(has("d0.example") && !has("d1.example") && has("new.example"));
        assert_eq!((count(KAEDE), count(SUGI)), (POLICIES, 1));
        // What has run out goes first.
        keep(KAEDE, policy("later.example", "1", 60), NOW + 3 * DAY_MS);
        assert_eq!((count(KAEDE), count(SUGI)), (1, 1));
        let part = wire::directory::Part { tenant: KAEDE, user: None };
        let mut world = world;
        world.tables.erase(&world.key, part).unwrap();
        let left = "SELECT COUNT(*) FROM sts_policy";
        assert_eq!(world.tables.count_rows(left, []).unwrap(), 1);
    }
}
