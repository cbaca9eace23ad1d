//! Attacks that no system call shows: reading in bulk, writing in floods, falling silent, signing
//! people in who never came, a sentinel's powers turned against its house. What came of each is
//! counted by markers, by the warden's clock and in the ledger.

mod bulk;
mod flood;
mod powers;
mod silence;
mod strangers;

use super::alike::likeness;
use super::cast::{Cast, Intruder};
use super::play::{self, Phase, Played, RECORD_LAG};
use super::stage::House;
use crate::outcome::Trouble;
use drill::{Count, Got, Told};
use evidence::Entry;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};

/// Houses of attacks: nobody reads for an hour whose budget is spent, and a flood is long.
pub const HOUSES: &[&[Kind]] =
    &[&[Kind::Access, Kind::Identity, Kind::Mailbox, Kind::Sentinel], &[Kind::Post]];

type Play = fn(&mut House) -> Result<Attack, Trouble>;

const ATTACKS: &[(Kind, Play)] = &[
    (Kind::Access, bulk::play),
    (Kind::Identity, strangers::play),
    (Kind::Mailbox, silence::mailbox),
    (Kind::Sentinel, silence::sentinel),
    (Kind::Sentinel, silence::kept_inside),
    (Kind::Sentinel, powers::play),
    (Kind::Post, flood::play),
];

/// One owned compartment, and what it tried in one stay.
pub struct Attack {
    pub phase: Phase,
    pub rows: Vec<Row>,
}

/// One attack and its outcome.
pub struct Row {
    pub name: &'static str,
    pub got: Got,
    pub what: String,
    pub noticed: Option<Notice>,
    /// Whether the ledger's scope is compared with what was in hand.
    pub is_scoped: bool,
    /// What was promised and did not hold.
    pub broken: Vec<String>,
}

/// Who said so, and how long after the attack began.
pub struct Notice {
    pub by: Kind,
    pub how: String,
    pub after_ms: u64,
}

/// One word of somebody who noticed something.
pub struct Said<'a> {
    pub at: Instant,
    pub by: Kind,
    pub how: &'a str,
    pub what: &'a str,
    pub about: Option<InstanceId>,
}

pub fn everything(house: &mut House, kinds: &[Kind]) -> Result<Played, Trouble> {
    house.furnish()?;
    let mut attacks = Vec::new();
    for (kind, play) in ATTACKS.iter().filter(|(kind, _)| kinds.contains(kind)) {
        eprintln!("sekisho drill: attacks of {} …", kind.word());
        attacks.push(play(house)?);
    }
    let mut played = play::ended(house, Vec::new());
    played.attacks = attacks;
    Ok(played)
}

impl Attack {
    /// For the table, with what did not hold.
    pub fn judged(&self, entries: &[Entry], broken: &mut Vec<String>) -> Vec<Value> {
        let phase = &self.phase;
        let kind = phase.kind.word();
        if phase.intruders.is_empty() {
            broken.push(format!("{kind}: nothing hostile was ever born"));
        }
        if !phase.is_whole {
            broken.push(format!("{kind}: mail did not pass again afterwards"));
        }
        let alike = likeness(phase, entries).map(|alike| alike.likeness);
        let row = |row: &Row| {
            broken.extend(row.broken.iter().map(|what| format!("{kind}: {}: {what}", row.name)));
            let alike = alike.filter(|_| row.is_scoped);
            if alike.is_some_and(|alike| alike.recall < 1.0) {
                broken.push(format!("{kind}: {}: the scope left something out", row.name));
            }
            json!({
                "compartment": kind,
                "attack": row.name,
                "got": row.got.word(),
                "what": row.what,
                "noticed_by": row.noticed.as_ref().map(|notice| notice.by.word()),
                "noticed_as": row.noticed.as_ref().map(|notice| notice.how.as_str()),
                "noticed_ms": row.noticed.as_ref().map(|notice| notice.after_ms),
                "scope_precision": alike.map(|alike| alike.precision),
                "scope_recall": alike.map(|alike| alike.recall),
            })
        };
        self.rows.iter().map(row).collect()
    }
}

/// Ends it as a turn is ended: what was done until now is recorded within a second.
fn close(house: &mut House, cast: Cast, phase: &mut Phase) {
    phase.to_ms = compartment::now_ms() + 1;
    std::thread::sleep(RECORD_LAG);
    phase.is_whole = play::dismiss(house, cast, phase);
    play::collect_passed(house, phase);
}

/// The first to say what is looked for, since the attack began. What is said of an intruder is
/// said by the warden.
fn noticed(
    house: &mut House,
    phase: &Phase,
    began: Option<Instant>,
    is_it: impl Fn(&Said<'_>) -> bool,
) -> Option<Notice> {
    house.watch.pump();
    let began = began?;
    let is_own = |instance| phase.intruders.iter().any(|one| one.instance == instance);
    let alarms = house.watch.alarms.iter().map(|alarm| Said {
        at: alarm.heard_at,
        by: if is_own(alarm.instance) { Kind::Warden } else { alarm.kind },
        how: &alarm.call,
        what: &alarm.what,
        about: Some(alarm.instance),
    });
    let incidents = house.watch.incidents.iter().map(|(at, incident)| Said {
        at: *at,
        by: Kind::Sentinel,
        how: &incident.cause,
        what: &incident.what,
        about: incident.instance,
    });
    let said = alarms.chain(incidents).filter(|said| said.at >= began && is_it(said));
    said.min_by_key(|said| said.at).map(|said| Notice {
        by: said.by,
        how: format!("{}: {}", said.how, said.what),
        after_ms: u64::try_from(said.at.duration_since(began).as_millis()).unwrap_or(u64::MAX),
    })
}

/// Waits for it.
fn await_notice(
    house: &mut House,
    phase: &Phase,
    began: Option<Instant>,
    limit: Duration,
    is_it: impl Fn(&Said<'_>) -> bool,
) -> Option<Notice> {
    let until = Instant::now() + limit;
    loop {
        let found = noticed(house, phase, began, &is_it);
        if found.is_some() || Instant::now() >= until {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the intruders counted.
fn counted(phase: &Phase, wanted: Count) -> u64 {
    let told = phase.intruders.iter().flat_map(|one| &one.told);
    let counts = told.filter_map(|told| match told {
        Told::Counted { what, count } if *what == wanted => Some(*count),
        _ => None,
    });
    counts.sum()
}

/// Hears one until it says that its attack begins.
fn hear_begin(one: &mut Intruder, limit: Duration) -> Option<Instant> {
    let until = Instant::now() + limit;
    while one.lied_at.is_none() && !one.gone && Instant::now() < until {
        one.hear(Duration::from_millis(5));
    }
    one.lied_at
}

fn yes_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "NO" }
}
