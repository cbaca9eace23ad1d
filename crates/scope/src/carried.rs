//! What was brought into the window: a process that lives when it begins still has in hand all that
//! it was given since its birth, and may use it then.

use crate::fact::{Deed, Fact};
use crate::measure::Tally;
use crate::quick::Set;
use crate::roll::Life;
use evidence::rfc3339;
use serde::Serialize;
use terms::InstanceId;

/// When instances that lived into the window were given something before it: occurrence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GivenBefore {
    pub first: String,
    pub last: String,
}

/// Instances asked about that lived when the window began.
#[derive(Default)]
pub(crate) struct Carried {
    instances: Set<InstanceId>,
    /// When they were given the first and the last of what they brought.
    times: Option<(u64, u64)>,
    /// When the first of them was born.
    born_ms: Option<u64>,
}

impl Carried {
    pub fn given(&mut self, fact: &Fact) {
        self.given_from(fact.deed, (fact.at_ms, fact.at_ms));
    }

    /// The same of many facts of one sort.
    pub fn given_from(&mut self, deed: Deed, times: (u64, u64)) {
        let is_given =
            matches!(deed, Deed::Release | Deed::Deliver | Deed::Queue | Deed::Send | Deed::Passed);
        if is_given {
            let (first, last) = self.times.unwrap_or(times);
            self.times = Some((first.min(times.0), last.max(times.1)));
        }
    }

    /// Whether one of them lived at that time or before.
    pub fn lived_at(&self, at_ms: u64) -> bool {
        self.born_ms.is_some_and(|born_ms| born_ms <= at_ms)
    }

    /// With what the other half of the counting heard.
    pub fn join(&mut self, other: &Self) {
        let both = self.times.into_iter().chain(other.times);
        self.times = both.reduce(|one, more| (one.0.min(more.0), one.1.max(more.1)));
    }

    pub fn told(&self) -> Option<GivenBefore> {
        let (first, last) = self.times?;
        Some(GivenBefore { first: rfc3339(first), last: rfc3339(last) })
    }
}

impl Tally {
    /// Whether somebody asked about lived already when the window began. Of a life it must be known
    /// whether it ended before that.
    pub fn lived_into(&self, life: &Life) -> bool {
        let from_ms = self.question.from_ms;
        self.asks_about(life)
            && life.from_ms < from_ms
            && life.to_ms.is_none_or(|to_ms| to_ms >= from_ms)
    }

    /// Remembers a process, met before, if it lived into the window.
    pub fn carry(&mut self, instance: InstanceId, life: &Life) {
        if self.lived_into(life) {
            self.carried.instances.insert(instance);
            let born_ms = self.carried.born_ms.unwrap_or(u64::MAX).min(life.from_ms);
            self.carried.born_ms = Some(born_ms);
        }
    }

    /// Whether a fact from before the window was brought into it: it is of one who lived into it,
    /// or passed through such a one; or a gate that lived into it wrote down whom it handed what.
    pub fn is_carried(&self, fact: &Fact) -> bool {
        let carried = &self.carried.instances;
        if carried.is_empty() || fact.at_ms >= self.question.from_ms {
            return false;
        }
        if carried.contains(&fact.instance) {
            return true;
        }
        if self.gates.contains_key(&fact.start) && carried.contains(&fact.start) {
            return true;
        }
        if !matches!(fact.deed, Deed::Arrival | Deed::Deliver | Deed::Queue) {
            return false;
        }
        let served = self.served.get(&fact.instance).into_iter().flatten();
        let mut beside = served.chain(&self.unplaced).chain(&self.gates);
        self.fed.get(&fact.instance).is_some_and(|access| carried.contains(access))
            || beside.any(|(one, life)| carried.contains(one) && life.has(fact.at_ms))
    }
}
