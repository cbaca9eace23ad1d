//! What is judged an incident, from facts and a clock that are arguments.
//!
//! Declared behaviour first: whatever leaves a charter is an incident, with no tuning. Then what
//! only the whole shows: mail opened without a sign-in, keys made without a recorded change, a
//! burst in an hour that has always been quiet, a decoy touched, an ended credential used, a
//! keeper that is silent, a program that nobody ordered. Sigma rules come last, for what is known
//! of others.
//!
//! Reading order: [`Vigil`] (facts in, incidents out), [`incident`] (what is said), `entries` (the
//! ledger's stream), `ended` (what opens nothing any more), `lives` (who lives, and since when),
//! `hours` (learned quiet), `programs`, `guesses` (passwords at the command line), `strikes` (who
//! comes again and again), `folds` (a storm is one incident with a number), `words` (what is one
//! sort).
//!
//! # Never  fails; asks anybody; knows a clock of its own; learns a name, an address, a subject

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod incident;

mod ended;
mod entries;
mod folds;
mod guesses;
mod hours;
mod lives;
mod programs;
mod strikes;
mod words;

#[cfg(test)]
mod tests;

pub use hours::Hours;
pub use incident::{Action, Cause, Incident, Whose};
pub use programs::Program;
pub use words::shape;

use ended::Ended;
use entries::Entries;
use evidence::{Body, Entry};
use folds::Folds;
use guesses::Guesses;
use lives::Lives;
use std::collections::HashSet;
use strikes::Strikes;
use terms::{InstanceId, Kind, TenantId, UserId};

/// Decoys remembered: one for each contract, and some more.
const DECOYS: usize = 100_000;

/// What may be tuned; nothing of it decides whether leaving a charter is an incident.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Items released in one hour that has always been quiet.
    pub burst: u32,
    /// A keeper without a word for so long is silent.
    pub silence_ms: u64,
    /// Equal incidents within so long are one.
    pub fold_ms: u64,
    /// A session's absolute limit: a release needs a sign-in younger than this.
    pub session_ms: u64,
    /// So many instances of one kind off charter within so long: more than one chance find. Fewer
    /// would let anybody who owns one instance for a moment take the kind away from all others.
    pub strikes: (u32, u64),
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            burst: 50,
            silence_ms: 10_000,
            fold_ms: 60_000,
            session_ms: 24 * 3_600_000,
            strikes: (32, 600_000),
        }
    }
}

/// Something that came to light.
#[derive(Clone, Debug)]
pub enum Fact {
    /// The warden heard it: a refused call, or what a compartment itself found alarming.
    Raw {
        instance: InstanceId,
        kind: Kind,
        call: String,
        what: String,
    },
    Born {
        instance: InstanceId,
        kind: Kind,
        pid: u32,
        is_instance: bool,
        drilled: bool,
    },
    Ended {
        instance: InstanceId,
        kind: Kind,
        clean: bool,
        cause: String,
    },
    Alive {
        instance: InstanceId,
    },
    /// An entry of the ledger, in the order of the ledger.
    Entry(Entry),
    /// A program was started or a process traced.
    Program(Program),
    /// The kernel's audit: a process of ours was denied something.
    Denied {
        pid: u32,
        what: String,
    },
}

/// Everything that is remembered.
pub struct Vigil {
    bounds: Bounds,
    lives: Lives,
    entries: Entries,
    ended: Ended,
    strikes: Strikes,
    guesses: Guesses,
    folds: Folds,
    decoys: HashSet<(TenantId, UserId)>,
    pub hours: Hours,
    /// Somebody is to be forgotten on the disk too, and soon.
    pub has_forgotten: bool,
    /// While what happened before is read again, nothing is said.
    is_learning: bool,
}

impl Vigil {
    pub fn new(bounds: Bounds) -> Self {
        Self {
            lives: Lives::default(),
            entries: Entries::default(),
            ended: Ended::default(),
            strikes: Strikes::default(),
            guesses: Guesses::default(),
            folds: Folds::new(bounds.fold_ms),
            decoys: HashSet::new(),
            hours: Hours::default(),
            has_forgotten: false,
            is_learning: false,
            bounds,
        }
    }

    /// Those whose name only an intruder uses. Whoever tells us may be owned: a decoy that is not
    /// named any more stays one, until its destruction stands in the evidence.
    pub fn know_decoys(&mut self, decoys: impl IntoIterator<Item = (TenantId, UserId)>) {
        let room = DECOYS.saturating_sub(self.decoys.len());
        self.decoys.extend(decoys.into_iter().take(room));
    }

    pub fn decoys(&self) -> usize {
        self.decoys.len()
    }

    /// From now on entries are old news (`true`), or news.
    pub fn learn(&mut self, is_learning: bool) {
        self.is_learning = is_learning;
    }

    /// From now on the news of what is ended waits for what was before it.
    pub fn await_past(&mut self) {
        self.ended.await_past();
    }

    /// An entry from before the news that ends something, or lets somebody in; in order.
    pub fn recall(&mut self, entry: &Entry) {
        self.ended.recall(entry);
    }

    /// All of it was told: the news is judged.
    pub fn past_is_known(&mut self, now_ms: u64) -> Vec<Incident> {
        let found = self.ended.past_is_known();
        found.into_iter().filter_map(|one| self.folds.take(now_ms, one)).collect()
    }

    /// Weighs one fact that came to light at `now_ms`: by a clock that only goes forward, and not
    /// that of the entries.
    pub fn weigh(&mut self, now_ms: u64, fact: &Fact) -> Vec<Incident> {
        let found = match fact {
            Fact::Raw { instance, kind, call, what } => {
                let raw = incident::raw(*instance, *kind, call, what);
                // A drill's intruder is ours, and of a process that nobody knows nothing is known.
                let counts = raw.cause == Cause::OffCharter && self.lives.is_wild(*instance);
                let many = counts.then_some(self.bounds.strikes);
                let whose = (*instance, *kind);
                let storm = many.and_then(|many| self.strikes.count(now_ms, whose, many));
                std::iter::once(raw).chain(storm).collect()
            }
            Fact::Born { instance, kind, pid, is_instance, drilled } => {
                self.lives.born((*instance, *kind, *pid), *is_instance, *drilled);
                Vec::new()
            }
            Fact::Ended { instance, kind, clean, cause } => {
                self.lives.ended(*instance);
                incident::ended(*instance, *kind, *clean, cause).into_iter().collect()
            }
            Fact::Alive { instance } => {
                self.lives.alive(now_ms, *instance);
                Vec::new()
            }
            Fact::Entry(entry) => self.read(now_ms, entry),
            Fact::Program(program) => programs::weigh(program, &self.lives),
            Fact::Denied { pid, what } => self.lives.denied(*pid, what).into_iter().collect(),
        };
        if self.is_learning && matches!(fact, Fact::Entry(_)) {
            return Vec::new();
        }
        found.into_iter().filter_map(|one| self.folds.take(now_ms, one)).collect()
    }

    /// What time brings: keepers that are silent, storms that are over.
    pub fn tick(&mut self, now_ms: u64) -> Vec<Incident> {
        let silent = self.lives.silent(now_ms, self.bounds.silence_ms);
        let unrecorded = self.entries.overdue(now_ms);
        let fresh: Vec<Incident> = silent
            .into_iter()
            .chain(unrecorded)
            .filter_map(|one| self.folds.take(now_ms, one))
            .collect();
        fresh.into_iter().chain(self.folds.over(now_ms)).collect()
    }

    fn read(&mut self, now_ms: u64, entry: &Entry) -> Vec<Incident> {
        if let Body::Destroyed { tenant, user, .. } = &entry.body {
            self.hours.forget(*tenant, *user);
            let is_theirs = |of: &TenantId, decoy: &UserId| {
                of == tenant && user.is_none_or(|user| user == *decoy)
            };
            self.decoys.retain(|(of, decoy)| !is_theirs(of, decoy));
            self.has_forgotten = true;
        }
        let unfounded = self.entries.weigh(entry, &self.bounds, &self.decoys, now_ms);
        let mut found: Vec<Incident> = unfounded.into_iter().collect();
        if !self.is_learning {
            found.extend(self.ended.read(entry));
        }
        if let Body::SignIn { protocol, ok, tenant: Some(tenant), user: Some(user), .. } =
            &entry.body
        {
            let whose = (*tenant, *user);
            found.extend(self.guesses.count(entry.time_ms, protocol.as_str(), *ok, whose));
        }
        if let Some((tenant, user, items)) = entries::released(entry) {
            let burst = self.hours.count(entry.time_ms, tenant, user, items, self.bounds.burst);
            found.extend(burst);
        }
        found
    }
}
