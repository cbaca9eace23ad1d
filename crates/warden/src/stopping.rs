//! Stopping: those who take connections first, keepers next, evidence last. By frames; by SIGKILL
//! only for who does not go.

use crate::household::Household;
use crate::joins::is_served_by_gate;
use crate::recorder;
use crate::roster::{Member, Role};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use wire::control::Order;

/// Sessions have this long to answer 421 or BYE and leave.
const SESSIONS: Duration = Duration::from_secs(5);
/// Whoever stands after this is killed; the rest of the ten seconds is for evidence.
const EVERYBODY: Duration = Duration::from_secs(8);
/// Our own last entries have this long to become durable once the keepers are gone.
const LAST_WORDS: Duration = Duration::from_millis(800);

/// How far the stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// `gate`, sessions, zygotes.
    Sessions,
    /// Keepers but those of the evidence and the keys.
    Keepers,
    Vault,
    /// Our own last entries.
    LastWords,
    /// `ledger`, `mirror`.
    Evidence,
}

pub struct Stopping {
    began: Instant,
    stage: Stage,
    stage_began: Instant,
}

impl Household {
    /// Begins to stop; a second signal changes nothing.
    pub fn begin_stopping(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        let now = Instant::now();
        self.wants.clear();
        self.stopping = Some(Stopping { began: now, stage: Stage::Sessions, stage_began: now });
        self.say_stop(Stage::Sessions);
    }

    /// Moves on when a stage is empty or its time is over.
    pub fn go_on_stopping(&mut self, now: Instant) {
        let Some(stopping) = &self.stopping else {
            return;
        };
        let (stage, since) = (stopping.stage, now.duration_since(stopping.stage_began));
        let late = now.duration_since(stopping.began) >= EVERYBODY;
        let over = match stage {
            Stage::Sessions => since >= SESSIONS,
            Stage::LastWords => self.recorder.has_all_recorded() || since >= LAST_WORDS,
            Stage::Keepers | Stage::Vault | Stage::Evidence => late,
        };
        if over || late {
            self.kill_stage(stage);
        }
        let empty = !self.members.values().any(|member| stage_of(member) == stage);
        let next = match stage {
            _ if !empty && stage != Stage::LastWords => return,
            Stage::Sessions => Stage::Keepers,
            Stage::Keepers => Stage::Vault,
            Stage::Vault => {
                self.recorder.record(recorder::stop(self.own, true, "stopped"));
                Stage::LastWords
            }
            Stage::LastWords if over => Stage::Evidence,
            Stage::LastWords | Stage::Evidence => return,
        };
        if let Some(stopping) = &mut self.stopping {
            stopping.stage = next;
            stopping.stage_began = now;
        }
        self.say_stop(next);
    }

    /// Done: nobody is left.
    pub fn finished(&self) -> Option<ExitCode> {
        let stopping = self.stopping.as_ref()?;
        let last = stopping.stage == Stage::Evidence;
        (last && self.members.is_empty()).then_some(ExitCode::SUCCESS)
    }

    fn say_stop(&mut self, stage: Stage) {
        let mut hearers = Vec::new();
        for member in self.members.values_mut().filter(|member| stage_of(member) == stage) {
            // A zygote goes when its last instance has gone.
            member.dismissed |= member.role == Role::Zygote;
            hearers.push(member.control);
            // Scanners go with their edges, and dispatches with their clients, who need them still.
            let goes_with_another = matches!(member.kind, Kind::Scanner | Kind::Dispatch);
            if goes_with_another && member.role != Role::Zygote {
                hearers.pop();
            }
        }
        for control in hearers {
            let _ = self.hub.send(control, 0, &Order::Stop, Vec::new());
        }
    }

    fn kill_stage(&mut self, stage: Stage) {
        let of_stage = |member: &&Member| stage_of(member) == stage;
        let late: Vec<InstanceId> =
            self.members.values().filter(of_stage).map(|member| member.instance).collect();
        for instance in late {
            if let Some(member) = self.members.get_mut(&instance) {
                let goes_with_another = matches!(member.kind, Kind::Scanner | Kind::Dispatch);
                member.dismissed |= is_served_by_gate(member) || goes_with_another;
            }
            self.kill(instance);
        }
    }
}

fn stage_of(member: &Member) -> Stage {
    match (member.kind, member.role) {
        (Kind::Ledger | Kind::Mirror, _) => Stage::Evidence,
        (Kind::Vault, _) => Stage::Vault,
        (Kind::Gate, _) | (_, Role::Zygote | Role::Instance(_)) => Stage::Sessions,
        _ => Stage::Keepers,
    }
}
