//! Numbers for whoever watches: asked of those who count, told to `metrics`. Where no `metrics`
//! runs, nobody is asked.

use crate::household::Household;
use crate::roster::Role;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::control::Order;
use wire::metrics::{COUNTS, Count, Measure};

/// Whoever watches asks every fifteen seconds, as a rule; counting costs a keeper little.
const ROUND: Duration = Duration::from_secs(5);

#[derive(Default)]
pub struct Counts {
    told: HashMap<Kind, Vec<Count>>,
    asked: Option<Instant>,
}

impl Household {
    /// Asks for new numbers, and tells those that came since.
    pub fn count(&mut self, now: Instant) {
        let metrics = self.holder(Kind::Metrics).filter(|holder| holder.ready);
        let Some(metrics) = metrics.map(|holder| holder.control) else { return };
        if self.counts.asked.is_some_and(|at| now.duration_since(at) < ROUND) {
            return;
        }
        self.counts.asked = Some(now);
        let counts = |kind: Kind| Measure::ALL.iter().any(|measure| measure.about().by == kind);
        let asked = self
            .members
            .values()
            .filter(|member| member.ready && member.role == Role::Single && counts(member.kind));
        let asked: Vec<_> = asked.map(|member| member.control).collect();
        for control in asked {
            let _ = self.hub.send(control, 0, &Order::Count, Vec::new());
        }
        let mut all: Vec<Count> = self.counts.told.values().flatten().copied().collect();
        all.extend(self.processes());
        let _ = self.hub.send(metrics, 0, &Order::Counted(all), Vec::new());
    }

    /// What a compartment has counted: its own measures only.
    pub fn hear_counted(&mut self, kind: Kind, mut counts: Vec<Count>) {
        counts.retain(|count| count.is_said_by(kind));
        counts.truncate(COUNTS);
        self.counts.told.insert(kind, counts);
    }

    fn processes(&self) -> Vec<Count> {
        let alive = |kind: &Kind| {
            let of_kind = self.members.values().filter(|member| member.kind == *kind);
            let alive = of_kind.count() as u64 + u64::from(*kind == Kind::Warden);
            Measure::Processes.count(kind.word(), alive)
        };
        Kind::ALL.iter().filter_map(alive).collect()
    }
}
