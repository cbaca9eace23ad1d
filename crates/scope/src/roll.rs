//! The roll of processes: who lived when, as what, beside whom.

use evidence::{Body, Entry, Word};
use std::collections::HashMap;
use terms::{InstanceId, Kind};

/// A delivery has the moment at which it was kept, which is a little after its passing; a scanner
/// may be gone by then.
pub const LAG_MS: u64 = 5_000;

/// One run of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    pub kind: Kind,
    pub version: Word,
    pub from_ms: u64,
    /// `None` while it lives.
    pub to_ms: Option<u64>,
    /// A scanner's edge: whose messages pass through it.
    pub serves: Option<InstanceId>,
}

/// Lives by process, as the warden tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roll(pub HashMap<InstanceId, Life>);

impl Roll {
    pub fn note(&mut self, entry: &Entry) {
        if entry.author != Kind::Warden {
            return;
        }
        match &entry.body {
            Body::ProcessStart { instance, kind, version, serves, .. } => {
                // Nobody is left to write down how a warden ended: the next one's birth says it.
                // All that it had borne ended with it, as they are tied to its life.
                if *kind == Kind::Warden {
                    let before = self.0.values_mut().filter(|life| life.to_ms.is_none());
                    before.for_each(|life| life.to_ms = Some(entry.time_ms));
                }
                let life = Life {
                    kind: *kind,
                    version: version.clone(),
                    from_ms: entry.time_ms,
                    to_ms: None,
                    serves: *serves,
                };
                self.0.insert(*instance, life);
            }
            Body::ProcessStop { instance, .. } => {
                if let Some(life) = self.0.get_mut(instance) {
                    life.to_ms = Some(entry.time_ms);
                }
            }
            _ => {}
        }
    }
}
