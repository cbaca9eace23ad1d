//! Months of which every summary was released, by whose they are, and up to when what came in them
//! counts: what comes later was not there to be opened.

use crate::fact::Person;
use crate::quick::Map;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use terms::{TenantId, UserId};

/// A month, and until when.
type Until = (u32, u64);

#[derive(Default)]
pub struct Months(Map<(TenantId, UserId), Vec<Until>>);

impl Months {
    pub(crate) fn add(&mut self, person: Person, month: u32, until_ms: u64) {
        let Person { tenant, user: Some(user) } = person else { return };
        let months = self.0.entry((tenant, user)).or_default();
        match months.iter_mut().find(|known| known.0 == month) {
            Some(known) => known.1 = known.1.max(until_ms),
            None => months.push((month, until_ms)),
        }
    }

    /// Until when what came in somebody's month counts; `None`: it was not released.
    pub fn until(&self, person: Person, month: u32) -> Option<u64> {
        let Person { tenant, user: Some(user) } = person else { return None };
        let known = self.0.get(&(tenant, user))?.iter().find(|known| known.0 == month);
        known.map(|known| known.1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has_any(&self, months: RangeInclusive<u32>) -> bool {
        self.0.values().flatten().any(|month| months.contains(&month.0))
    }

    /// Those that were released of anybody.
    pub fn all(&self) -> BTreeSet<u32> {
        self.0.values().flatten().map(|month| month.0).collect()
    }
}
