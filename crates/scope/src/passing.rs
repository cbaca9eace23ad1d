//! Whose messages passed through whom: a scanner stands beside an edge, a dispatch behind an
//! access, and a gate before all of them.

use crate::fact::Fact;
use crate::measure::Tally;
use terms::InstanceId;

/// A stretch of an instance's life, and whose messages passed through it then.
#[derive(Clone, Copy)]
pub(crate) struct Stretch {
    pub from_ms: u64,
    pub to_ms: u64,
}

impl Stretch {
    pub fn has(&self, at_ms: u64) -> bool {
        (self.from_ms..=self.to_ms).contains(&at_ms)
    }
}

impl Tally {
    /// The same, for an index.
    pub fn has_passed(&self, fact: &Fact) -> bool {
        self.passed(fact)
    }

    /// A message passed through an instance asked about, or through one with a scanner asked
    /// about, or came to a dispatch by an access asked about.
    pub(crate) fn passed(&self, fact: &Fact) -> bool {
        let lived = |life: &Stretch| life.has(fact.at_ms);
        let is_fed = |access: &InstanceId| self.asked.instances.contains(access);
        let served = || self.served.get(&fact.instance);
        self.is_ours(fact)
            || self.fed.get(&fact.instance).is_some_and(is_fed)
            || served().is_some_and(|served| served.values().any(lived))
            || self.unplaced.values().any(lived)
            || self.gates.values().any(lived)
    }
}
