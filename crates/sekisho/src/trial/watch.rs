//! What the warden told, gathered.

use std::collections::HashMap;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use warden::Happening;
use wire::sentinel::Incident;

/// Alarms remembered: a foreign program may raise any number.
const ALARMS: usize = 100_000;
const PULSE: Duration = Duration::from_millis(20);

/// A refused call, as the warden told it.
#[derive(Clone, Debug)]
pub struct Alarm {
    pub instance: InstanceId,
    pub kind: Kind,
    pub pid: u32,
    pub call: String,
    pub what: String,
    pub after_ms: u64,
    pub heard_at: Instant,
    /// In the warden's own series.
    pub number: Option<u64>,
}

/// One living instance or keeper.
#[derive(Clone, Copy, Debug)]
pub struct Alive {
    pub instance: InstanceId,
    pub kind: Kind,
    pub pid: u32,
    pub is_instance: bool,
}

pub struct Watch {
    told: Receiver<(Instant, Happening)>,
    pub alive: Vec<Alive>,
    pub alarms: Vec<Alarm>,
    /// What the sentinel judged, and when the warden told of it.
    pub incidents: Vec<(Instant, Incident)>,
    pub ended: HashMap<InstanceId, String>,
    pub missing: Vec<(Kind, String)>,
    /// First number, count, leaf of the first.
    recorded: Vec<(u64, u64, u64)>,
}

impl Watch {
    /// Happenings with the moment at which the warden told them.
    pub fn new(told: Receiver<(Instant, Happening)>) -> Self {
        let (alive, alarms, incidents, missing, recorded) = Default::default();
        Self { told, alive, alarms, incidents, ended: HashMap::new(), missing, recorded }
    }

    /// Takes what was told since.
    pub fn pump(&mut self) {
        while let Ok((at, happening)) = self.told.try_recv() {
            self.note(at, happening);
        }
    }

    /// Pumps until it is so, or the time is over; whether it is.
    pub fn until(&mut self, limit: Duration, mut is_so: impl FnMut(&Self) -> bool) -> bool {
        let end = Instant::now() + limit;
        loop {
            self.pump();
            if is_so(self) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            std::thread::sleep(PULSE);
        }
    }

    /// Takes one happening in.
    pub fn note(&mut self, heard_at: Instant, happening: Happening) {
        match happening {
            Happening::Born { instance, kind, pid, zygote } => {
                let is_instance = zygote.is_some();
                self.alive.push(Alive { instance, kind, pid, is_instance });
            }
            Happening::Ended { instance, cause, .. } => {
                self.alive.retain(|alive| alive.instance != instance);
                self.ended.insert(instance, cause);
            }
            Happening::Jailed { kind, missing, .. } => {
                for wall in missing {
                    if !self.missing.contains(&(kind, wall.clone())) {
                        self.missing.push((kind, wall));
                    }
                }
            }
            Happening::Incident(incident) => {
                if self.incidents.len() < ALARMS {
                    self.incidents.push((heard_at, incident));
                }
            }
            Happening::Alarm { instance, kind, pid, call, what, after_ms, entry } => {
                let number = entry;
                let alarm = Alarm { instance, kind, pid, call, what, after_ms, heard_at, number };
                if self.alarms.len() < ALARMS {
                    self.alarms.push(alarm);
                }
            }
            Happening::Recorded { first, count, index } => {
                self.recorded.push((first, count, index));
            }
            Happening::Ready
            | Happening::Note { .. }
            | Happening::Unable(_)
            | Happening::Able { .. } => {}
        }
    }

    /// The leaf of one of the warden's own entries.
    pub fn leaf(&self, number: u64) -> Option<u64> {
        let holds =
            |(first, count, _): &&(u64, u64, u64)| (*first..first + count).contains(&number);
        self.recorded.iter().find(holds).map(|(first, _, index)| index + (number - first))
    }

    pub fn alarms_of(&self, instance: InstanceId) -> usize {
        self.alarms.iter().filter(|alarm| alarm.instance == instance).count()
    }

    /// Ends every process of a kind that serves (of a zygote kind: its instances).
    pub fn end_all(&mut self, kind: Kind) {
        self.pump();
        let has_zygote = wire::charter(kind).is_some_and(|charter| charter.has_zygote);
        self.end_if(|alive| alive.kind == kind && alive.is_instance == has_zygote);
    }

    /// Ends these, whoever of them lives.
    pub fn end_these(&mut self, instances: &[InstanceId]) {
        self.pump();
        self.end_if(|alive| instances.contains(&alive.instance));
    }

    fn end_if(&self, is_wanted: impl Fn(&Alive) -> bool) {
        for alive in self.alive.iter().filter(|alive| is_wanted(alive)) {
            let pid = i32::try_from(alive.pid).ok().and_then(rustix::process::Pid::from_raw);
            if let Some(pid) = pid {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}
