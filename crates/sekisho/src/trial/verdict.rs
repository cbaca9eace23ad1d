//! The cells, computed from what was observed; nothing is written down beforehand but the most
//! that each compartment may yield.

use super::markers::{Marker, found_in};
use super::play::{Intruder, Phase, Played};
use super::stage::Set;
use super::watch::Alarm;
use crate::outcome::Trouble;
use compartment::{Policy, Verdict, numbers};
use drill::{Asset, Got, Told};
use evidence::{Body, Entry};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use terms::{InstanceId, Kind, MessageId};

const EPERM: i32 = 1;
/// The promise: noticed within a second.
const ALARM_MS: u64 = 1_000;

/// One compartment's yield of one asset.
pub struct Cell {
    pub kind: Kind,
    pub asset: Asset,
    pub attempted: usize,
    pub got: Got,
    pub what: String,
    pub alarm_ms: Option<u64>,
    pub likeness: Option<scope::Likeness>,
}

/// Everything that a drill found.
pub struct Findings {
    pub cells: Vec<Cell>,
    pub alarms: Vec<(Alarm, Option<u64>)>,
    /// Denials that did not hold, in words.
    pub broken: Vec<String>,
    /// Said, but no failure: walls that this kernel does not grant.
    pub absent: Vec<String>,
    pub replaced: Vec<(Kind, bool)>,
}

pub fn reach(set: &Set, played: Played) -> Result<Findings, Trouble> {
    let mut findings = Findings {
        cells: Vec::new(),
        alarms: Vec::new(),
        broken: Vec::new(),
        absent: Vec::new(),
        replaced: Vec::new(),
    };
    let deaf = |(kind, wall): &&(Kind, String)| wall.contains("noti") && *kind != Kind::Warden;
    findings.absent = played
        .missing
        .iter()
        .filter(deaf)
        .map(|(kind, wall)| {
            format!("{}: {wall} absent: calls are refused without an alarm", kind.word())
        })
        .collect();
    let entries = read_entries(&set.data)?;
    for phase in &played.phases {
        judge_phase(phase, &played, &entries, &mut findings);
    }
    check_ledger(set, &entries, &mut findings);
    let drilled: BTreeSet<InstanceId> =
        played.phases.iter().flat_map(|phase| &phase.intruders).map(|one| one.instance).collect();
    findings.alarms = played.alarms;
    findings.alarms.retain(|(alarm, _)| drilled.contains(&alarm.instance));
    Ok(findings)
}

fn read_entries(data: &Path) -> Result<Vec<Entry>, Trouble> {
    let mut entries = Vec::new();
    let read = ledger::entries(&data.join("ledger"), |_, entry| entries.push(entry.clone()));
    read.map_err(|fault| Trouble::fault(fault.to_string(), "the drill's ledger must be readable"))?;
    Ok(entries)
}

/// Nothing forged stands in the log, nothing is missing, and the mirror agrees.
fn check_ledger(set: &Set, entries: &[Entry], findings: &mut Findings) {
    let forged = |entry: &&Entry| match &entry.body {
        Body::Alarm { what, .. } => what.as_str() == "forged-by-a-drill",
        _ => false,
    };
    let forged = entries.iter().filter(forged).count();
    let found = ledger::verify(&set.data.join("ledger"), Some(&set.data.join("mirror")));
    let sound = found.is_ok_and(|found| found.ok);
    if forged > 0 || !sound {
        let what = format!("evidence: {forged} forged entries; the log verifies: {sound}");
        findings.broken.push(what);
        let cells = findings.cells.iter_mut().filter(|cell| cell.asset == Asset::Evidence);
        cells.for_each(|cell| cell.got = Got::Everything);
    }
}

/// The refused calls of an intruder that its charter does not know: each must be an alarm.
pub fn off_charter(kind: Kind, intruder: &Intruder) -> impl Iterator<Item = (Asset, &str)> {
    let policy = Policy::of(kind.word()).unwrap_or_default();
    intruder.told.iter().filter_map(move |told| match told {
        Told::Act { asset, call, errno: Some(EPERM), .. } => {
            let number = numbers::number_of(call)?;
            let off = policy.judge(number) == Verdict::OffCharter;
            off.then_some((*asset, call.as_str()))
        }
        _ => None,
    })
}

fn judge_phase(phase: &Phase, played: &Played, entries: &[Entry], findings: &mut Findings) {
    let likeness = likeness(phase, entries);
    let kind = phase.kind;
    if phase.intruders.is_empty() {
        findings.broken.push(format!("{}: nothing hostile was ever born", kind.word()));
    }
    if let Some(replaced) = phase.replaced {
        findings.replaced.push((kind, replaced));
        if !replaced {
            findings.broken.push(format!("{}: was not replaced", kind.word()));
        }
    }
    let tries = tries(phase, &played.alarms, findings);
    for asset in Asset::ALL {
        let own: Vec<&Try> = tries.iter().filter(|one| one.asset == *asset).collect();
        let (got, what) = yielded(phase, played, *asset);
        let passed = match asset {
            Asset::MailInFlight => matches!(kind, Kind::Scanner | Kind::Edge | Kind::Gate),
            Asset::StoredBodies | Asset::StoredHeaders => kind == Kind::Access,
            _ => false,
        };
        if got > allowed(kind, *asset) {
            let said = format!("{}: {} {}: {what}", kind.word(), got.word(), asset.word());
            findings.broken.push(said);
        }
        findings.cells.push(Cell {
            kind,
            asset: *asset,
            attempted: own.len(),
            got,
            what,
            alarm_ms: own.iter().filter_map(|one| one.after_ms).max(),
            likeness: likeness.filter(|_| passed && got > Got::Nothing),
        });
    }
}

/// One attempt off charter and the alarm that it raised.
struct Try {
    asset: Asset,
    after_ms: Option<u64>,
}

/// Attempts and alarms of one instance come in the same order.
fn tries(phase: &Phase, alarms: &[(Alarm, Option<u64>)], findings: &mut Findings) -> Vec<Try> {
    let mut tries = Vec::new();
    let deaf = !findings.absent.is_empty();
    for intruder in &phase.intruders {
        let mut heard = alarms.iter().filter(|(alarm, _)| alarm.instance == intruder.instance);
        if phase.is_program {
            tries.extend(
                heard.map(|(alarm, _)| Try { asset: Asset::Host, after_ms: Some(alarm.after_ms) }),
            );
            continue;
        }
        for (asset, call) in off_charter(phase.kind, intruder) {
            let alarm = heard.find(|(alarm, _)| alarm.call == call);
            let after_ms = alarm.map(|(alarm, _)| alarm.after_ms);
            let who = phase.kind.word();
            match (alarm, after_ms) {
                (None, _) if !deaf => {
                    findings.broken.push(format!("{who}: {call} was refused without an alarm"));
                }
                (_, Some(late)) if late > ALARM_MS => {
                    findings.broken.push(format!("{who}: {call} alarmed after {late} ms"));
                }
                (Some((_, None)), _) => {
                    findings.broken.push(format!("{who}: the alarm of {call} is not recorded"));
                }
                _ => {}
            }
            tries.push(Try { asset, after_ms });
        }
    }
    tries
}

/// What the intruders of a phase got of one asset, from the markers that they held.
fn yielded(phase: &Phase, played: &Played, asset: Asset) -> (Got, String) {
    let mut worst = (Got::Nothing, String::new());
    for intruder in &phase.intruders {
        let found = yielded_by(phase, intruder, played, asset);
        if found.0 > worst.0 || worst.1.is_empty() {
            worst = found;
        }
    }
    if asset == Asset::Evidence && phase.kind == Kind::Gate && worst.0 == Got::Nothing {
        let unrecorded = phase.passed_unkept;
        if unrecorded > 0 {
            let what = format!("{unrecorded} connection of its own went unrecorded; none forged");
            return (Got::Bounded, what);
        }
    }
    worst
}

fn yielded_by(phase: &Phase, one: &Intruder, played: &Played, asset: Asset) -> (Got, String) {
    for told in &one.told {
        match told {
            Told::Act { asset: at, act, errno: None, .. } if *at == asset => {
                return (Got::Everything, format!("{act} worked"));
            }
            Told::Word { asset: at, act, held: false, answer } if *at == asset => {
                return (Got::Everything, format!("{act}: {answer}"));
            }
            _ => {}
        }
    }
    let counts = |marker: &Marker| match asset {
        Asset::OtherTenants => marker.side != one.side,
        // What flew in an earlier turn is stored by now.
        Asset::MailInFlight => {
            marker.asset == asset && (phase.from_ms..phase.to_ms).contains(&marker.at_ms)
        }
        _ => marker.asset == asset,
    };
    let mut held: BTreeSet<&str> = BTreeSet::new();
    let mut kinds = 0;
    for told in &one.told {
        let Told::Obtained { bytes, .. } = told else { continue };
        for marker in found_in(bytes, &played.markers) {
            if counts(marker) && held.insert(marker.text.as_str()) {
                kinds += 1;
            }
        }
    }
    let all = played.markers.iter().filter(|marker| counts(marker)).count();
    let is_bound = asset == Asset::MailInFlight;
    match kinds {
        0 => (Got::Nothing, format!("0 of {all} markers{}", denials(phase, asset))),
        found if found == all && !is_bound => (Got::Everything, format!("all {all} markers")),
        found => (Got::Bounded, format!("{found} of {all} markers, of what passed through it")),
    }
}

/// How many requests were turned down, for the cell's words.
fn denials(phase: &Phase, asset: Asset) -> String {
    let told = phase.intruders.iter().flat_map(|one| &one.told);
    let denied = told.filter(|told| match told {
        Told::Act { asset: at, errno: Some(_), .. } => *at == asset,
        Told::Word { asset: at, held: true, .. } => *at == asset,
        _ => false,
    });
    match denied.count() {
        0 => String::new(),
        count => format!(", {count} attempts denied"),
    }
}

/// The most that a compartment may yield (architecture §1).
fn allowed(kind: Kind, asset: Asset) -> Got {
    match (kind, asset) {
        (Kind::Scanner | Kind::Edge | Kind::Gate, Asset::MailInFlight) => Got::Bounded,
        (Kind::Gate, Asset::Evidence) => Got::Bounded,
        (
            Kind::Access,
            Asset::AccountSecrets
            | Asset::StoredBodies
            | Asset::StoredHeaders
            | Asset::MailInFlight,
        ) => Got::Bounded,
        _ => Got::Nothing,
    }
}

/// The ledger's scope of exactly these instances, against what really was in hand.
///
/// A message that was never kept has no number: it stands for one unattributed connection on
/// either side.
fn likeness(phase: &Phase, entries: &[Entry]) -> Option<scope::Likeness> {
    let ours: BTreeSet<InstanceId> = phase.intruders.iter().map(|one| one.instance).collect();
    // A delivery is recorded up to a second after it.
    let scope = scope_in(entries, phase.kind, &ours, phase.from_ms, phase.to_ms + 1_200)?;
    let mut named = scope.messages;
    named.extend((0..scope.unattributed_connections).map(unkept));
    let mut passed = phase.passed.clone();
    passed.extend((0..phase.passed_unkept).map(unkept));
    Some(scope::compare(&named, &passed))
}

/// As `sekisho scope` measures it, narrowed to some instances of a kind; from the log's files.
pub fn scope_of(
    data: &Path,
    kind: Kind,
    ours: &BTreeSet<InstanceId>,
    from_ms: u64,
    to_ms: u64,
) -> Option<scope::Scope> {
    scope_in(&read_entries(data).ok()?, kind, ours, from_ms, to_ms)
}

fn scope_in(
    entries: &[Entry],
    kind: Kind,
    ours: &BTreeSet<InstanceId>,
    from_ms: u64,
    to_ms: u64,
) -> Option<scope::Scope> {
    let is_other = |entry: &Entry| match &entry.body {
        Body::ProcessStart { instance, kind: started, .. } => {
            *started == kind && !ours.contains(instance)
        }
        _ => false,
    };
    let question = scope::Question { component: kind, version: None, from_ms, to_ms };
    let read = |take: &mut dyn FnMut(&Entry)| {
        entries.iter().filter(|entry| !is_other(entry)).for_each(take);
        Ok::<(), std::convert::Infallible>(())
    };
    scope::measure(&question, scope::Proven::default(), read).ok()
}

fn unkept(number: u64) -> MessageId {
    let mut id = MessageId::default();
    for (to, from) in id.0.iter_mut().zip(number.to_be_bytes()) {
        *to = from ^ 0xff;
    }
    id
}

impl Findings {
    pub fn held(&self) -> bool {
        self.broken.is_empty()
    }

    /// As the contract has it.
    pub fn json(&self) -> Value {
        let cells = self.cells.iter().map(|cell| {
            json!({
                "compartment": cell.kind.word(),
                "asset": cell.asset.word(),
                "attempted": cell.attempted,
                "got": cell.got.word(),
                "what": cell.what,
                "alarm_ms": cell.alarm_ms,
                "scope_precision": cell.likeness.map(|likeness| likeness.precision),
                "scope_recall": cell.likeness.map(|likeness| likeness.recall),
            })
        });
        let alarms = self.alarms.iter().map(|(alarm, leaf)| {
            json!({
                "instance": alarm.instance.to_string(),
                "pid": alarm.pid,
                "call": alarm.call,
                "entry": leaf,
            })
        });
        json!({
            "cells": cells.collect::<Vec<_>>(),
            "alarms": alarms.collect::<Vec<_>>(),
            "broken": self.broken,
            "absent": self.absent,
            "replaced": self.replaced.iter().map(|(kind, replaced)| {
                json!({ "compartment": kind.word(), "replaced": replaced })
            }).collect::<Vec<_>>(),
        })
    }
}
