//! The cells, computed from what was observed; nothing is written down beforehand but the most
//! that each compartment may yield.

use super::alike::{Alike, likeness};
use super::cast::Intruder;
use super::control::Control;
use super::foreign;
use super::markers::{Marker, Side, found_in};
use super::play::{Phase, Played};
use super::stage::Set;
use super::start_up;
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
const REPORTED_BYTES: usize = 64 * 1024;
/// Told one by one; a foreign program may raise any number.
const ALARMS_TOLD: usize = 20_000;

/// One compartment's yield of one asset.
pub struct Cell {
    pub kind: Kind,
    pub asset: Asset,
    pub attempted: usize,
    pub got: Got,
    pub what: String,
    pub alarm_ms: Option<u64>,
    pub likeness: Option<Alike>,
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
    pub turns: Vec<Value>,
    /// Attacks that are no calls off charter, and what came of each.
    pub attacks: Vec<Value>,
}

pub fn reach(set: &Set, played: Played) -> Result<Findings, Trouble> {
    let mut findings = Findings {
        cells: Vec::new(),
        alarms: Vec::new(),
        broken: Vec::new(),
        absent: Vec::new(),
        replaced: Vec::new(),
        turns: Vec::new(),
        attacks: Vec::new(),
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
    let evidence = Evidence::of(set, &played, &entries);
    for phase in &played.phases {
        judge_phase(phase, &played, &entries, &evidence, &mut findings);
        findings.turns.push(turn(phase));
    }
    evidence.complain(&played, &mut findings);
    for attack in &played.attacks {
        findings.attacks.extend(attack.judged(&entries, &mut findings.broken));
    }
    let drilled: BTreeSet<InstanceId> =
        played.phases.iter().flat_map(|phase| &phase.intruders).map(|one| one.instance).collect();
    findings.alarms = played.alarms;
    findings.alarms.retain(|(alarm, _)| drilled.contains(&alarm.instance));
    findings.alarms.truncate(ALARMS_TOLD);
    Ok(findings)
}

/// Of one turn, what no cell has room for.
fn turn(phase: &Phase) -> Value {
    let reading = phase.reading.as_ref();
    let seen = || phase.intruders.iter().map(|one| &one.seen);
    let handed = seen().flat_map(|seen| &seen.handed).collect::<BTreeSet<_>>().len();
    let asked: usize = seen().map(|seen| seen.asked).sum();
    json!({
        "compartment": phase.kind.word(),
        "seconds": (phase.seconds * 10.0).round() / 10.0,
        "intruders": phase.intruders.len(),
        "reading_ms": reading.map(|reading| reading.millis),
        "reading_said": reading.map(|reading| reading.said.clone()),
        "got_out": phase.got_out,
        "whole_again": phase.is_whole,
        "control": phase.control.as_ref().map(Control::json),
        "reported": reported(phase),
        "handed_markers": phase.is_program.then_some(handed),
        "asked": phase.is_program.then_some(asked),
    })
}

/// The beginning of what a foreign program wrote on its report channel.
fn reported(phase: &Phase) -> Option<String> {
    let told = phase.intruders.iter().flat_map(|one| &one.told).filter(|_| phase.is_program);
    let octets = told.filter_map(|told| match told {
        Told::Obtained { bytes, .. } => Some(bytes.as_slice()),
        _ => None,
    });
    let octets: Vec<u8> = octets.flatten().copied().take(REPORTED_BYTES).collect();
    phase.is_program.then(|| String::from_utf8_lossy(&octets).into_owned())
}

/// What became of the log.
struct Evidence {
    sound: bool,
    problem: String,
    /// Lies that stand in it, by the kind and start that signed them.
    lies: Vec<(Kind, InstanceId)>,
    /// Entries of the warden's that it was told are durable and that are not there.
    dropped: usize,
    /// Numbers of the warden's own entries that stand in it.
    written: BTreeSet<u64>,
}

impl Evidence {
    fn of(set: &Set, played: &Played, entries: &[Entry]) -> Self {
        let lies = entries.iter().filter(|entry| match &entry.body {
            Body::Alarm { what, .. } => what.as_str() == "forged-by-a-drill",
            _ => false,
        });
        let lies = lies.map(|entry| (entry.author, entry.start)).collect();
        let found = ledger::verify(&set.data.join("ledger"), Some(&set.data.join("mirror")));
        let (sound, problem) = match found {
            Ok(found) => (found.ok, found.problems.into_iter().next().unwrap_or_default()),
            Err(fault) => (false, fault.to_string()),
        };
        let written: BTreeSet<u64> = entries
            .iter()
            .filter(|entry| entry.author == Kind::Warden)
            .map(|entry| entry.seq)
            .collect();
        let told = played.alarms.iter().filter(|(_, leaf)| leaf.is_some());
        let dropped = told.filter(|(alarm, _)| alarm.number.is_some_and(|n| !written.contains(&n)));
        let dropped = dropped.count();
        Self { sound, problem, lies, dropped, written }
    }

    fn has(&self, alarm: &Alarm) -> bool {
        alarm.number.is_some_and(|number| self.written.contains(&number))
    }

    /// What one compartment did to it: nothing forged or dropped unnoticed is the promise.
    fn by(&self, phase: &Phase) -> Option<(Got, String)> {
        let is_own = |(kind, start): &&(Kind, InstanceId)| {
            *kind == phase.kind && phase.intruders.iter().any(|one| one.instance == *start)
        };
        let own = self.lies.iter().filter(is_own).count();
        let forged = self.lies.len() - self.lies.iter().filter(|lie| self.is_anybodys(lie)).count();
        let owns_log = matches!(phase.kind, Kind::Ledger | Kind::Mirror);
        if owns_log && (forged > 0 || self.dropped > 0 || !self.sound) {
            let did = format!("{forged} forged, {} dropped", self.dropped);
            return Some(match self.sound {
                true => (Got::Everything, format!("{did}, and the log verifies")),
                false => (Got::Bounded, format!("{did}; `ledger verify` says: {}", self.problem)),
            });
        }
        match own {
            0 => None,
            lies => Some((Got::Bounded, format!("{lies} lie in its own name; none in another's"))),
        }
    }

    /// A lie under the liar's own name is no forgery; nobody starts as instance 7.
    fn is_anybodys(&self, (_, start): &(Kind, InstanceId)) -> bool {
        *start != InstanceId([7; 6])
    }

    fn complain(&self, played: &Played, findings: &mut Findings) {
        let owned = |phase: &Phase| matches!(phase.kind, Kind::Ledger | Kind::Mirror);
        let forged = self.lies.iter().any(|lie| !self.is_anybodys(lie));
        if (forged || !self.sound) && !played.phases.iter().any(owned) {
            let what = format!("evidence: forged: {forged}; the log: {}", self.problem);
            findings.broken.push(what);
            let cells = findings.cells.iter_mut().filter(|cell| cell.asset == Asset::Evidence);
            cells.for_each(|cell| cell.got = Got::Everything);
        }
    }
}

pub fn read_entries(data: &Path) -> Result<Vec<Entry>, Trouble> {
    let mut entries = Vec::new();
    let read = ledger::entries(&data.join("ledger"), |_, entry| entries.push(entry.clone()));
    read.map_err(|fault| Trouble::fault(fault.to_string(), "the drill's ledger must be readable"))?;
    Ok(entries)
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

fn judge_phase(
    phase: &Phase,
    played: &Played,
    entries: &[Entry],
    evidence: &Evidence,
    findings: &mut Findings,
) {
    let likeness = likeness(phase, entries);
    let is_recorded = is_recorded(phase, entries);
    let kind = phase.kind;
    complain(phase, played, is_recorded, findings);
    let tries = tries(phase, &played.alarms, evidence, findings);
    for asset in Asset::ALL {
        let own: Vec<&Try> = tries.iter().filter(|one| one.asset == *asset).collect();
        let (mut got, mut what) = yielded(phase, played, *asset, is_recorded);
        if *asset == Asset::Evidence
            && let Some((more, how)) = evidence.by(phase).filter(|(more, _)| *more >= got)
        {
            (got, what) = (more, how);
        }
        if *asset == Asset::Evidence && kind == Kind::Ledger && !phase.is_program {
            what = format!("{what}; {}", noticed(phase, played));
        }
        if *asset == Asset::Host && phase.is_program {
            let count = |one| start_up_calls(one, &played.alarms);
            what.push_str(&start_up::words(phase.intruders.iter().map(count).sum()));
            what = what.trim_start_matches("; ").to_owned();
        }
        let is_mail =
            matches!(asset, Asset::MailInFlight | Asset::StoredBodies | Asset::StoredHeaders);
        let passed = is_mail && (!phase.passed.is_empty() || phase.passed_unkept > 0);
        if phase.is_program {
            findings.broken.extend(foreign::broken(phase, played, *asset));
        }
        // What passes through a program's hands is the other side's as well.
        let is_judged = phase.is_program && *asset == Asset::OtherTenants;
        if got > allowed(kind, *asset) && !is_judged {
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

/// What of a whole turn did not go as it must.
fn complain(phase: &Phase, played: &Played, is_recorded: bool, findings: &mut Findings) {
    let kind = phase.kind;
    if kind == Kind::Depart && !is_recorded {
        findings.broken.push("depart: it opened what no release names".to_owned());
    }
    if phase.intruders.is_empty() {
        findings.broken.push(format!("{}: nothing hostile was ever born", kind.word()));
    }
    if !phase.is_whole && !phase.is_program {
        findings.broken.push(format!("{}: mail did not pass again afterwards", kind.word()));
    }
    if kind == Kind::Ledger && !phase.is_program && first_notice(phase, played).is_none() {
        findings.broken.push("ledger: nobody saw that it kept nothing of what it took".to_owned());
    }
    if let Some(what) = phase.control.as_ref().and_then(Control::failed) {
        findings.broken.push(format!("{}: {what}", kind.word()));
    }
    if let Some(replaced) = phase.replaced {
        findings.replaced.push((kind, replaced));
        if !replaced {
            findings.broken.push(format!("{}: was not replaced", kind.word()));
        }
    }
}

/// One attempt off charter and the alarm that it raised.
struct Try {
    asset: Asset,
    after_ms: Option<u64>,
}

/// Attempts and alarms of one instance come in the same order.
fn tries(
    phase: &Phase,
    alarms: &[(Alarm, Option<u64>)],
    evidence: &Evidence,
    findings: &mut Findings,
) -> Vec<Try> {
    let mut tries = Vec::new();
    let deaf = !findings.absent.is_empty();
    for intruder in &phase.intruders {
        let mut heard = alarms.iter().filter(|(alarm, _)| alarm.instance == intruder.instance);
        if phase.is_program {
            let own: Vec<&Alarm> = heard.map(|(alarm, _)| alarm).collect();
            let is_written = |alarm: &Alarm| evidence.has(alarm);
            findings.broken.extend(foreign::late_or_lost(phase.kind, &own, is_written));
            let own = own.iter().skip(start_up_calls(intruder, alarms));
            tries.extend(
                own.map(|alarm| Try { asset: Asset::Host, after_ms: Some(alarm.after_ms) }),
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

/// Of a foreign program: its C library's calls among those that were refused.
fn start_up_calls(intruder: &Intruder, alarms: &[(Alarm, Option<u64>)]) -> usize {
    let refused = alarms.iter().filter(|(alarm, _)| alarm.instance == intruder.instance);
    start_up::calls(refused.map(|(alarm, _)| alarm.call.as_str()))
}

/// Whether the ledger names, as released or delivered, every message that was in hand.
fn is_recorded(phase: &Phase, entries: &[Entry]) -> bool {
    let mut named: BTreeSet<MessageId> = BTreeSet::new();
    let window = phase.from_ms..phase.to_ms;
    for entry in entries.iter().filter(|entry| window.contains(&entry.time_ms)) {
        let Body::Release { released, .. } = &entry.body else { continue };
        match released {
            evidence::Released::Bodies(messages)
            | evidence::Released::Summaries(messages)
            | evidence::Released::Transit(messages) => named.extend(messages),
            evidence::Released::Months(_) => {}
        }
    }
    phase.passed.is_subset(&named)
}

/// What the intruders of a phase got of one asset, from the markers that they held.
fn yielded(phase: &Phase, played: &Played, asset: Asset, is_recorded: bool) -> (Got, String) {
    let mut worst = (Got::Nothing, String::new());
    for intruder in &phase.intruders {
        let found = yielded_by(phase, intruder, played, asset, is_recorded);
        // Of two that got as much, whoever has more to say of it.
        let says_more = found.0 == worst.0 && found.1.len() > worst.1.len();
        if found.0 > worst.0 || says_more {
            worst = found;
        }
    }
    let unrecorded = phase.passed_unkept;
    if asset == Asset::Evidence && phase.kind == Kind::Gate && unrecorded > 0 {
        let what = format!("{unrecorded} connection of its own went unrecorded; none forged");
        worst = worst.max((Got::Bounded, what));
    }
    if asset == Asset::Host && phase.got_out > 0 {
        let what = format!("{} datagrams reached another port of this host", phase.got_out);
        worst = worst.max((Got::Bounded, what));
    }
    worst
}

fn yielded_by(
    phase: &Phase,
    one: &Intruder,
    played: &Played,
    asset: Asset,
    is_recorded: bool,
) -> (Got, String) {
    if phase.is_program {
        let share = foreign::share(phase, &one.seen, played, asset);
        return (share.got(), share.words());
    }
    let mut partly = None;
    for told in &one.told {
        match told {
            Told::Act { asset: at, act, errno: None, .. } if *at == asset => {
                return (Got::Everything, format!("{act} worked"));
            }
            Told::Word { asset: at, act, held: false, answer } if *at == asset => {
                return (Got::Everything, format!("{act}: {answer}"));
            }
            Told::Partly { asset: at, what } if *at == asset => {
                let noticed = noticed(phase, played);
                partly = Some((Got::Bounded, format!("{what}; {noticed}")));
            }
            _ => {}
        }
    }
    let counts = |marker: &Marker| counts(phase, one.side, asset, marker);
    let wanted: Vec<&Marker> = played.markers.iter().filter(|marker| counts(marker)).collect();
    let held = held(phase, one, played, counts);
    let (found, all) = (held.len(), wanted.len());
    // Whole is one sort of what others own, or all of an asset: unless it only passed by, or each
    // piece of it stands in the ledger as released.
    let is_whole = |sort: &&Asset| {
        let mut of = wanted.iter().filter(|marker| marker.asset == **sort).peekable();
        of.peek().is_some() && of.all(|marker| held.contains(marker.text.as_str()))
    };
    let is_released =
        |sort: Asset| matches!(sort, Asset::StoredBodies | Asset::StoredHeaders) && is_recorded;
    let mut whole: Vec<Asset> = Asset::ALL.iter().filter(is_whole).copied().collect();
    whole.retain(|sort| *sort != Asset::MailInFlight);
    whole.sort_by_key(|sort| is_released(*sort));
    match (found, whole.first().copied()) {
        (0, _) => partly.unwrap_or_else(|| {
            (Got::Nothing, format!("0 of {all} markers{}", denials(phase, asset)))
        }),
        (_, Some(sort)) if !is_released(sort) => {
            let of = if asset == Asset::OtherTenants { sort_words(sort) } else { "" };
            (Got::Everything, format!("{found} of {all} markers{of}, nothing of it recorded"))
        }
        (_, Some(_)) => {
            (Got::Bounded, format!("{found} of {all} markers, each released and recorded"))
        }
        (found, None) => {
            let more = partly.map_or(String::new(), |(_, what)| format!("; {what}"));
            let what = format!("{found} of {all} markers, of what passed through it{more}");
            (Got::Bounded, what)
        }
    }
}

/// Whether a marker is of an asset, to whoever does this side's work.
pub fn counts(phase: &Phase, side: Side, asset: Asset, marker: &Marker) -> bool {
    match asset {
        Asset::OtherTenants => marker.side != side,
        // What flew in an earlier turn is stored by now.
        Asset::MailInFlight => {
            marker.asset == asset && (phase.from_ms..phase.to_ms).contains(&marker.at_ms)
        }
        _ => marker.asset == asset,
    }
}

/// The markers that count, of those that this intruder had in hand or strangers were given.
fn held<'a>(
    phase: &Phase,
    one: &Intruder,
    played: &'a Played,
    counts: impl Fn(&Marker) -> bool,
) -> BTreeSet<&'a str> {
    let loot = one.told.iter().filter_map(|told| match told {
        Told::Obtained { bytes, .. } => Some(bytes),
        _ => None,
    });
    let found =
        loot.chain(&phase.by_strangers).flat_map(|octets| found_in(octets, &played.markers));
    found.filter(|marker| counts(marker)).map(|marker| marker.text.as_str()).collect()
}

fn sort_words(sort: Asset) -> &'static str {
    match sort {
        Asset::OtherTenants => ", every address",
        Asset::StoredBodies | Asset::StoredHeaders => ", all their mail",
        _ => ", all of one sort",
    }
}

/// Whether anybody raised an alarm over lies that no system call shows, and how long it took: from
/// the moment that the intruder said it would to the warden's hearing of it, by one clock.
fn noticed(phase: &Phase, played: &Played) -> String {
    match first_notice(phase, played) {
        Some((who, after_ms)) => format!("{} raised an alarm after {after_ms} ms", who.word()),
        None => "nobody raised an alarm".to_owned(),
    }
}

fn first_notice(phase: &Phase, played: &Played) -> Option<(Kind, u128)> {
    let began = phase.intruders.iter().find_map(|one| one.lied_at);
    let others = played.alarms.iter().map(|(alarm, _)| alarm).filter(|alarm| {
        alarm.call == "report"
            && began.is_some_and(|began| alarm.heard_at >= began)
            && phase.intruders.iter().all(|one| one.instance != alarm.instance)
    });
    let (alarm, began) = others.min_by_key(|alarm| alarm.heard_at).zip(began)?;
    Some((alarm.kind, alarm.heard_at.duration_since(began).as_millis()))
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

/// The most that a compartment may yield: what architecture §1 allows, and what `docs/` says is
/// open. A cell above it is a broken promise; no cell is filled in from here.
pub fn allowed(kind: Kind, asset: Asset) -> Got {
    use Asset::*;
    match (kind, asset) {
        (Kind::Vault, AccountSecrets | StoredBodies | StoredHeaders | OtherTenants) => {
            Got::Everything
        }
        // The addresses of all tenants' people are what these know them by.
        (Kind::Directory | Kind::Identity | Kind::Admin, OtherTenants) => Got::Everything,
        (Kind::Directory, MailInFlight) => Got::Bounded,
        (Kind::Admin | Kind::Identity, AccountSecrets | StoredBodies | StoredHeaders) => {
            Got::Bounded
        }
        (Kind::Access, AccountSecrets | StoredBodies | StoredHeaders | MailInFlight) => {
            Got::Bounded
        }
        (Kind::Dispatch | Kind::Depart, MailInFlight) => Got::Bounded,
        // The sign-in of the tenant whose mail it carries, each time recorded.
        (Kind::Depart, CloudCredentials) => Got::Bounded,
        // It keeps them.
        (Kind::Vault, CloudCredentials) => Got::Everything,
        // What is signed stands in the header, and a signer reads what it signs.
        (Kind::Signer, MailInFlight) => Got::Bounded,
        (Kind::Scanner | Kind::Edge | Kind::Gate | Kind::Names | Kind::Zone, MailInFlight) => {
            Got::Bounded
        }
        (Kind::Zone, Host) => Got::Bounded,
        (_, Evidence) if wire::charter(kind).is_some_and(|charter| charter.is_author) => {
            Got::Bounded
        }
        (Kind::Ledger | Kind::Mirror, Evidence) => Got::Bounded,
        _ => Got::Nothing,
    }
}

impl Findings {
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
                "scope_precision": cell.likeness.map(|alike| alike.likeness.precision),
                "scope_recall": cell.likeness.map(|alike| alike.likeness.recall),
                "scope_of": cell.likeness.map(|alike| alike.of.word()),
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
            "turns": self.turns,
            "attacks": self.attacks,
        })
    }
}
