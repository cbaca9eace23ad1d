//! Who lives, since when, and who has said so.

use crate::incident::{Cause, Incident};
use std::collections::HashMap;
use terms::{InstanceId, Kind};

/// Members of a house: far more than the warden lets live at once.
const LIVES: usize = 100_000;

struct Life {
    kind: Kind,
    pid: u32,
    is_instance: bool,
    drilled: bool,
    /// Counted from its first word: before, it is still being started.
    heard_ms: Option<u64>,
    is_silent: bool,
}

/// Whoever looks so seldom was itself kept from listening.
const PAUSE_MS: u64 = 3_000;

#[derive(Default)]
pub struct Lives {
    all: HashMap<InstanceId, Life>,
    looked_ms: Option<u64>,
}

impl Lives {
    pub fn born(
        &mut self,
        (instance, kind, pid): (InstanceId, Kind, u32),
        is_instance: bool,
        drilled: bool,
    ) {
        if self.all.len() < LIVES {
            let (heard_ms, is_silent) = (None, false);
            let life = Life { kind, pid, is_instance, drilled, heard_ms, is_silent };
            self.all.insert(instance, life);
        }
    }

    /// An instance that lives, and is not of a drill.
    pub fn is_wild(&self, instance: InstanceId) -> bool {
        self.all.get(&instance).is_some_and(|life| life.is_instance && !life.drilled)
    }

    pub fn ended(&mut self, instance: InstanceId) {
        self.all.remove(&instance);
    }

    pub fn alive(&mut self, now_ms: u64, instance: InstanceId) {
        if let Some(life) = self.all.get_mut(&instance) {
            life.heard_ms = life.heard_ms.max(Some(now_ms));
            life.is_silent = false;
        }
    }

    /// Keepers that have said nothing for `limit_ms`; each is told once, until it is heard again.
    pub fn silent(&mut self, now_ms: u64, limit_ms: u64) -> Vec<Incident> {
        let looked_ms = self.looked_ms.replace(now_ms);
        let paused_ms = looked_ms.map_or(0, |looked_ms| now_ms.saturating_sub(looked_ms));
        let mut found = Vec::new();
        for (instance, life) in &mut self.all {
            // While nobody listened, nobody can be said to have been silent.
            if paused_ms >= PAUSE_MS {
                life.heard_ms = life.heard_ms.map(|heard_ms| (heard_ms + paused_ms).min(now_ms));
            }
            let Some(heard_ms) = life.heard_ms else { continue };
            let since_ms = now_ms.saturating_sub(heard_ms);
            let is_silent = !life.is_instance && since_ms >= limit_ms;
            if is_silent && !life.is_silent {
                life.is_silent = true;
                let what = format!("no word for {} s", since_ms / 1_000);
                found.push(Incident::new(Cause::Silence, what).of(*instance, life.kind));
            }
        }
        found
    }

    /// Whose process it is.
    pub fn of_pid(&self, pid: u32) -> Option<(InstanceId, Kind, bool)> {
        let mut lives = self.all.iter();
        let found = lives.find(|(_, life)| life.pid == pid)?;
        Some((*found.0, found.1.kind, found.1.drilled))
    }

    /// The kernel denied something to a process of ours.
    pub fn denied(&self, pid: u32, what: &str) -> Option<Incident> {
        let (instance, kind, _) = self.of_pid(pid)?;
        Some(Incident::new(Cause::OffCharter, what).of(instance, kind))
    }
}
