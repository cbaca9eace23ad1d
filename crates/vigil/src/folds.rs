//! A storm of equal incidents is told at its first, and once more, with its number, when it is
//! over.

use crate::incident::{Cause, Incident};
use std::collections::HashMap;
use terms::{InstanceId, Kind, UserId};

/// Different incidents counted apart; what is beyond is counted together.
const FOLDS: usize = 4_096;

/// Equal is: the same cause from the same source, about the same person.
type Key = (Cause, Option<Kind>, Option<InstanceId>, Option<UserId>, Option<String>);

struct Fold {
    since_ms: u64,
    first: Incident,
    more: u64,
}

pub struct Folds {
    span_ms: u64,
    open: HashMap<Key, Fold>,
}

impl Folds {
    pub fn new(span_ms: u64) -> Self {
        Self { span_ms, open: HashMap::new() }
    }

    /// The incident, if it is the first of its sort.
    pub fn take(&mut self, now_ms: u64, incident: Incident) -> Option<Incident> {
        let mut key = (
            incident.cause,
            incident.kind,
            incident.instance,
            incident.user,
            incident.rule.clone(),
        );
        if self.open.len() >= FOLDS && !self.open.contains_key(&key) {
            // An intruder who changes its name with each act shall not fill our memory.
            key = (incident.cause, incident.kind, None, None, None);
        }
        if let Some(fold) = self.open.get_mut(&key)
            && now_ms.saturating_sub(fold.since_ms) < self.span_ms
        {
            fold.more += incident.count;
            return None;
        }
        let before =
            self.open.insert(key, Fold { since_ms: now_ms, first: incident.clone(), more: 0 });
        let forgotten = before.map_or(0, |fold| fold.more);
        Some(Incident { count: incident.count + forgotten, ..incident })
    }

    /// Storms that are over, each with what came after its first.
    pub fn over(&mut self, now_ms: u64) -> Vec<Incident> {
        let span_ms = self.span_ms;
        let over = self
            .open
            .extract_if(|_, fold| now_ms.saturating_sub(fold.since_ms) >= span_ms)
            .filter(|(_, fold)| fold.more > 0);
        let told = over.map(|(_, fold)| {
            let what = format!("{} more: {}", fold.more, fold.first.what);
            // What follows by itself has followed at the first.
            Incident { count: fold.more, what, actions: Vec::new(), ..fold.first }
        });
        told.collect()
    }
}
