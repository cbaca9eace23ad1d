//! Programs that were started, and processes that were traced.

use crate::incident::{Cause, Incident};
use crate::lives::Lives;

/// A process event, as the warden's eyes saw it.
#[derive(Clone, Debug, Default)]
pub struct Program {
    pub pid: u32,
    pub parent: u32,
    /// A descendant of the warden.
    pub is_ours: bool,
    pub is_traced: bool,
    /// Titles do not leave this crate: a rule is named by its id.
    pub rules: Vec<String>,
}

/// In our tree nothing is started but by the warden, which does not report its own orders.
pub fn weigh(program: &Program, lives: &Lives) -> Vec<Incident> {
    let source = lives.of_pid(program.pid).or_else(|| lives.of_pid(program.parent));
    if source.is_some_and(|(_, _, drilled)| drilled) {
        return Vec::new();
    }
    let place = |incident: Incident| match source {
        Some((instance, kind, _)) => incident.of(instance, kind),
        None => incident,
    };
    let mut found = Vec::new();
    if program.is_traced {
        let what = format!("pid {} is traced", program.pid);
        found.push(place(Incident::new(Cause::Traced, what)));
    } else if program.is_ours {
        let what = format!("pid {} was started by nobody's order", program.pid);
        found.push(place(Incident::new(Cause::Program, what)));
    }
    for rule in &program.rules {
        let what = format!("pid {}", program.pid);
        let mut incident = place(Incident::new(Cause::Rule, what));
        incident.rule = Some(rule.clone());
        found.push(incident);
    }
    found
}
