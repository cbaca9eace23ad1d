//! Pairs for mail on its way: one a tenant and day, made when it is first asked for, destroyed when
//! no mail waits for it any more.

use crate::Fault;
use crate::keys::{Keys, Made};
use crate::life::{Change, changed};
use crate::rows::Row;
use std::sync::Arc;
use std::time::{Duration, Instant};
use terms::TenantId;
use unseal::{Pair, PublicKey};

const DAY_MS: u64 = 24 * 3_600_000;
/// Mail waits for days in the queue, or for weeks where somebody holds it.
const KEPT_DAYS: u32 = 40;
/// Destroying writes the whole store anew: once a week.
const GATHERED_DAYS: u32 = 7;
/// Pairs in use at once: mail of so many tenants on its way. Opening one again costs a millisecond
/// for each of its senders.
const OPEN_PAIRS: usize = 256;
/// Between two looks. Only what is due at both is destroyed: a clock that jumped for a moment
/// costs nobody the mail that waits.
const LOOKS: Duration = Duration::from_secs(3_600);

/// The day (UTC, since 1970) of a moment: the epoch of that day's pairs.
pub(crate) fn day(at_ms: u64) -> u32 {
    u32::try_from(at_ms / DAY_MS).unwrap_or(u32::MAX)
}

impl Keys {
    /// The public key that this tenant's mail is sealed to on `day`, made if due. `None`: no such
    /// tenant, or it is sealed and never sent anything.
    pub fn transit(
        &mut self,
        tenant: TenantId,
        day: u32,
    ) -> Result<Option<(PublicKey, Option<Made>)>, Fault> {
        let last = self.state.newest_transit(tenant).map(|row| row.public.clone());
        // Neither a clock that jumped back nor a sealed tenant stops mail: the last pair serves.
        let serves = |last: &PublicKey| last.epoch() >= day || !self.has(tenant);
        if last.as_ref().is_some_and(serves) {
            return Ok(last.map(|last| (last, None)));
        }
        if !self.has(tenant) {
            return Ok(None);
        }
        let made = self.tenant_key(tenant)?.make_transit(self.suite, day);
        let (public, stored) = made.map_err(Fault::Key)?;
        let kept = self.keep(vec![Row::Transit { tenant, public: public.encode(), stored }]);
        match (kept, last) {
            (Ok(()), _) => {
                let made = Made { what: "transit-pair", epoch: u64::from(day) };
                Ok(Some((public, Some(made))))
            }
            // Nor does a full disk.
            (Err(_), Some(last)) => Ok(Some((last, None))),
            (Err(fault), None) => Err(fault),
        }
    }

    /// The private half of a day. `None`: no such pair, it was destroyed, its row was touched, or
    /// the tenant is sealed.
    pub fn transit_pair(&self, tenant: TenantId, day: u32) -> Option<Arc<Pair>> {
        let row = self.state.transits.get(&(tenant, day))?;
        let mut open = self.transit_pairs.borrow_mut();
        if let Some(pair) = open.get(&(tenant, day)).filter(|_| self.has(tenant)) {
            return Some(pair.clone());
        }
        let pair = self.tenant_key(tenant).ok()?.open_transit(&row.public, &row.stored).ok()?;
        if open.len() >= OPEN_PAIRS {
            open.clear();
        }
        let pair = Arc::new(pair);
        open.insert((tenant, day), pair.clone());
        Some(pair)
    }

    /// The last day whose pairs are to be destroyed, once there are enough of them.
    pub fn transit_due(&self, today: u32) -> Option<u32> {
        let last = today.checked_sub(KEPT_DAYS)?;
        let is_gathered = |day: u32| day.saturating_add(GATHERED_DAYS) < last;
        let mut kept = self.state.transits.keys().filter(|(tenant, _)| !self.is_held(*tenant));
        kept.any(|(_, day)| is_gathered(*day)).then_some(last)
    }

    /// Destroys the pairs of days before `last`, but for tenants that are held; how many went.
    pub fn destroy_transits(&mut self, last: u32) -> Result<u64, Fault> {
        let mut gone = 0;
        let (records, _) = changed(self.journal.records()?, Vec::new(), |row| {
            let Row::Transit { tenant, public, .. } = &row else { return Ok(Change::Not) };
            let epoch = PublicKey::parse(public).map_err(Fault::Key)?.epoch();
            Ok(match epoch < last && !self.is_held(*tenant) {
                true => {
                    gone += 1;
                    Change::Gone
                }
                false => Change::Not,
            })
        })?;
        self.replace(&records, None)?;
        Ok(gone)
    }

    fn is_held(&self, tenant: TenantId) -> bool {
        self.state.hold_on(tenant, None).is_some()
    }
}

/// When to look for what is due.
#[derive(Default)]
pub(crate) struct Expiry {
    looked: Option<Instant>,
    due: Option<u32>,
}

impl Expiry {
    /// The last day to be destroyed, if it was due at the look before, too.
    pub fn look(&mut self, now: Instant, due: impl FnOnce() -> Option<u32>) -> Option<u32> {
        if self.looked.is_some_and(|looked| now.duration_since(looked) < LOOKS) {
            return None;
        }
        self.looked = Some(now);
        let before = std::mem::replace(&mut self.due, due());
        before.zip(self.due).map(|(before, now)| before.min(now))
    }
}

#[cfg(test)]
mod tests {
    use super::{Expiry, KEPT_DAYS, day};
    use crate::keys::Keys;
    use std::sync::Arc;
    use std::time::{Duration, Instant};
    use terms::TenantId;
    use unseal::RootKey;
    use wire::vault::{KeyAct, Rotation};

    const TENANT: TenantId = TenantId([1; 8]);
    const OTHER: TenantId = TenantId([2; 8]);

    fn store(name: &str) -> (std::path::PathBuf, Keys) {
        let name = format!("vault-transit-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut keys = open(&folder);
        keys.make_tenant(TENANT).unwrap();
        keys.make_tenant(OTHER).unwrap();
        (folder, keys)
    }

    fn open(folder: &std::path::Path) -> Keys {
        let root = RootKey::from_credential(&[5; 32]).unwrap();
        Keys::open(folder, root, 1).unwrap()
    }

    /// The day of the pair that serves, and whether it was made now.
    fn serves(keys: &mut Keys, tenant: TenantId, day: u32) -> Option<(u32, bool)> {
        let (public, made) = keys.transit(tenant, day).unwrap()?;
        Some((public.epoch(), made.is_some()))
    }

    fn carry_out(keys: &mut Keys, act: KeyAct) {
        let number = keys.intend(&act).unwrap();
        keys.carry_out(number, &act, 7, 202_611).unwrap();
    }

    #[test]
    fn each_day_has_its_pair_and_no_clock_stops_mail() {
        let (folder, mut keys) = store("days");
        let mut check = |tenant, day, expected| {
            assert_eq!(serves(&mut keys, tenant, day), expected, "{tenant} on {day}");
        };
        check(TENANT, 100, Some((100, true)));
        check(TENANT, 100, Some((100, false)));
        check(TENANT, 101, Some((101, true)));
        check(TENANT, 99, Some((101, false)));
        check(OTHER, 101, Some((101, true)));
        check(TenantId([9; 8]), 101, None);
        assert_eq!(day(0), 0);
        assert_eq!(day(20_786 * 24 * 3_600_000 + 5), 20_786);
        let first = keys.transit_pair(TENANT, 100).unwrap();
        let keys = open(&folder);
        assert_eq!(keys.transit_pair(TENANT, 100).unwrap().public(), first.public());
        assert!(keys.transit_pair(TENANT, 99).is_none());
        let again = keys.transit_pair(TENANT, 100).unwrap();
        assert!(Arc::ptr_eq(&again, &keys.transit_pair(TENANT, 100).unwrap()), "opened once");
        assert_ne!(keys.transit_pair(OTHER, 101).unwrap().public(), first.public());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn transit_pairs_live_and_die_with_their_tenant() {
        let (folder, mut keys) = store("life");
        serves(&mut keys, TENANT, 100);
        serves(&mut keys, OTHER, 100);
        carry_out(&mut keys, KeyAct::Rotate(Rotation::Tenant { tenant: TENANT }));
        carry_out(&mut keys, KeyAct::Rotate(Rotation::Root));
        assert!(keys.transit_pair(TENANT, 100).is_some());
        let mut keys = open(&folder);
        assert!(keys.transit_pair(TENANT, 100).is_some());
        carry_out(&mut keys, KeyAct::SealTenant { tenant: TENANT });
        assert!(keys.transit_pair(TENANT, 100).is_none());
        assert_eq!(serves(&mut keys, TENANT, 105), Some((100, false)));
        carry_out(&mut keys, KeyAct::UnsealTenant { tenant: TENANT });
        assert!(keys.transit_pair(TENANT, 100).is_some());
        let stored = keys.state.newest_transit(TENANT).unwrap().stored.clone();
        let finds = |folder: &std::path::Path| {
            let bytes = std::fs::read(folder.join("keys")).unwrap();
            bytes.windows(stored.len()).any(|window| window == stored.as_slice())
        };
        assert!(finds(&folder));
        carry_out(&mut keys, KeyAct::ShredTenant { tenant: TENANT });
        assert!(!finds(&folder));
        assert!(keys.transit_pair(TENANT, 100).is_none());
        assert_eq!(serves(&mut keys, TENANT, 105), None);
        assert!(open(&folder).transit_pair(OTHER, 100).is_some());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn old_pairs_are_destroyed_a_week_s_at_a_time() {
        let (folder, mut keys) = store("old");
        for day in [100, 101, 107, 140] {
            serves(&mut keys, TENANT, day);
            serves(&mut keys, OTHER, day);
        }
        carry_out(&mut keys, KeyAct::Hold { tenant: OTHER, user: None, on: true });
        assert_eq!(keys.transit_due(0), None);
        assert_eq!(keys.transit_due(100 + KEPT_DAYS + 7), None);
        let last = keys.transit_due(100 + KEPT_DAYS + 8);
        assert_eq!(last, Some(108));
        assert_eq!(keys.destroy_transits(108).unwrap(), 3);
        let keys = open(&folder);
        let has = |tenant, day| keys.transit_pair(tenant, day).is_some();
        assert_eq!([100, 101, 107, 140].map(|day| has(TENANT, day)), [false, false, false, true]);
        assert!([100, 101, 107, 140].into_iter().all(|day| has(OTHER, day)), "held");
        assert_eq!(keys.transit_due(155), None);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_clock_that_jumps_for_a_moment_destroys_nothing() {
        let (start, minute) = (Instant::now(), Duration::from_secs(60));
        let mut expiry = Expiry::default();
        let mut check = |minutes: u32, due, expected| {
            assert_eq!(expiry.look(start + minute * minutes, || due), expected, "{minutes}");
        };
        check(0, Some(9_000), None);
        check(59, Some(9_000), None);
        check(60, None, None);
        check(120, Some(108), None);
        check(180, Some(109), Some(108));
    }
}
