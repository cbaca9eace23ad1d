//! Hours of the week, and how much mail each person and each tenant opens in them.
//!
//! Learned, not set: an hour is quiet if two weeks were seen and nothing was ever opened in it.

use crate::incident::{Cause, Incident};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use terms::{TenantId, UserId};

const HOUR_MS: u64 = 3_600_000;
const HOURS: u64 = 168;
/// An hour is judged when its person has been known for so many hours.
const KNOWN_HOURS: u64 = 2 * HOURS;
/// People remembered; who has been quiet for the longest is forgotten first.
const PEOPLE: usize = 20_000;
/// A tenant's burst is so many persons'.
const TENANT_FACTOR: u32 = 10;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Week {
    /// Hours since 1970 at which it was seen first and last.
    first: u64,
    last: u64,
    /// Which of the 168 hours ever saw something, before this one.
    busy: Vec<bool>,
    /// In the hour `last`.
    items: u32,
    was_quiet: bool,
    is_told: bool,
}

impl Week {
    fn new(hour: u64) -> Self {
        let busy = vec![false; HOURS as usize];
        Self { first: hour, last: hour, busy, items: 0, was_quiet: false, is_told: false }
    }

    /// Counts items; whether it is a burst that was not told of yet.
    fn count(&mut self, hour: u64, items: u32, burst: u32) -> bool {
        if hour != self.last || self.items == 0 {
            let seen = self.busy.get((hour % HOURS) as usize).copied().unwrap_or(true);
            // The hours beside a busy one are not always quiet: people come early and stay late.
            let beside = |hour: u64| self.busy.get((hour % HOURS) as usize) == Some(&true);
            self.was_quiet = !seen
                && !beside(hour + 1)
                && !beside(hour + HOURS - 1)
                && hour.saturating_sub(self.first) >= KNOWN_HOURS;
            (self.last, self.items, self.is_told) = (hour, 0, false);
        }
        self.items = self.items.saturating_add(items);
        let is_burst = self.was_quiet && !self.is_told && self.items >= burst;
        self.is_told |= is_burst;
        // A burst does not make its own hour a busy one.
        if !self.was_quiet || self.items < burst {
            if let Some(busy) = self.busy.get_mut((hour % HOURS) as usize) {
                *busy = true;
            }
        } else if let Some(busy) = self.busy.get_mut((hour % HOURS) as usize) {
            *busy = false;
        }
        is_burst
    }
}

/// What was learned; it holds ids and hours, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hours {
    people: HashMap<UserId, (TenantId, Week)>,
    tenants: HashMap<TenantId, Week>,
}

impl Hours {
    /// Counts a release of so many items.
    pub fn count(
        &mut self,
        at_ms: u64,
        tenant: TenantId,
        user: UserId,
        items: u32,
        burst: u32,
    ) -> Option<Incident> {
        let hour = at_ms / HOUR_MS;
        if self.people.len() >= PEOPLE && !self.people.contains_key(&user) {
            self.forget_the_quietest();
        }
        let (_, person) = self.people.entry(user).or_insert_with(|| (tenant, Week::new(hour)));
        let by_person = person.count(hour, items, burst);
        let all = self.tenants.entry(tenant).or_insert_with(|| Week::new(hour));
        let by_tenant = all.count(hour, items, burst.saturating_mul(TENANT_FACTOR));
        let what = match (by_person, by_tenant) {
            (true, _) => "much was opened in an hour in which this person never read",
            (_, true) => "much was opened in an hour in which this tenant never read",
            _ => return None,
        };
        Some(Incident::new(Cause::Burst, what).about(tenant, user))
    }

    /// A contract's end, or a person's: nothing of them stays here.
    pub fn forget(&mut self, tenant: TenantId, user: Option<UserId>) {
        match user {
            Some(user) => drop(self.people.remove(&user)),
            None => {
                self.people.retain(|_, (of, _)| *of != tenant);
                self.tenants.remove(&tenant);
            }
        }
    }

    fn forget_the_quietest(&mut self) {
        let quietest =
            self.people.iter().min_by_key(|(_, (_, week))| week.last).map(|(user, _)| *user);
        if let Some(user) = quietest {
            self.people.remove(&user);
        }
    }
}
