//! Months of which every summary was released, by whose they are.

use crate::fact::Person;
use crate::quick::Map;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use terms::{TenantId, UserId};

#[derive(Default)]
pub struct Months(Map<(TenantId, UserId), Vec<u32>>);

impl Months {
    pub(crate) fn add(&mut self, person: Person, month: u32) {
        let Person { tenant, user: Some(user) } = person else { return };
        let months = self.0.entry((tenant, user)).or_default();
        if !months.contains(&month) {
            months.push(month);
        }
    }

    pub fn has(&self, person: Person, month: u32) -> bool {
        let Person { tenant, user: Some(user) } = person else { return false };
        self.0.get(&(tenant, user)).is_some_and(|months| months.contains(&month))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has_any(&self, months: RangeInclusive<u32>) -> bool {
        self.0.values().flatten().any(|month| months.contains(month))
    }

    /// Those that were released of anybody.
    pub fn all(&self) -> BTreeSet<u32> {
        self.0.values().flatten().copied().collect()
    }
}
