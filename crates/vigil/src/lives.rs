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

#[derive(Default)]
pub struct Lives(HashMap<InstanceId, Life>);

impl Lives {
    pub fn born(
        &mut self,
        (instance, kind, pid): (InstanceId, Kind, u32),
        is_instance: bool,
        drilled: bool,
    ) {
        if self.0.len() < LIVES {
            let (heard_ms, is_silent) = (None, false);
            let life = Life { kind, pid, is_instance, drilled, heard_ms, is_silent };
            self.0.insert(instance, life);
        }
    }

    /// An instance that lives, and is not of a drill.
    pub fn is_wild(&self, instance: InstanceId) -> bool {
        self.0.get(&instance).is_some_and(|life| life.is_instance && !life.drilled)
    }

    pub fn ended(&mut self, instance: InstanceId) {
        self.0.remove(&instance);
    }

    pub fn alive(&mut self, now_ms: u64, instance: InstanceId) {
        if let Some(life) = self.0.get_mut(&instance) {
            life.heard_ms = life.heard_ms.max(Some(now_ms));
            life.is_silent = false;
        }
    }

    /// Keepers that have said nothing for `limit_ms`; each is told once, until it is heard again.
    pub fn silent(&mut self, now_ms: u64, limit_ms: u64) -> Vec<Incident> {
        let mut found = Vec::new();
        for (instance, life) in &mut self.0 {
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
        let mut lives = self.0.iter();
        let found = lives.find(|(_, life)| life.pid == pid)?;
        Some((*found.0, found.1.kind, found.1.drilled))
    }

    /// The kernel denied something to a process of ours.
    pub fn denied(&self, pid: u32, what: &str) -> Option<Incident> {
        let (instance, kind, _) = self.of_pid(pid)?;
        Some(Incident::new(Cause::OffCharter, what).of(instance, kind))
    }
}
