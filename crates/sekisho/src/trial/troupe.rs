//! A process for each house. Hostile code may do anything to the house that it is in, and to the
//! warden that watches it; whoever started the drill still gets an answer, in time.

use super::stage::{clear, fresh_folder};
use super::{Attacks, Wishes, attacks, perform, table};
use crate::outcome::Trouble;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use terms::Kind;

/// A house that has not ended by then is ended: its slowest turn, many times over, for each kind.
const HOUSE_LIMIT: Duration = Duration::from_secs(90);
/// Reading until a vault says no, and writing until a ledger does, take a minute or two.
const ATTACKS_LIMIT: Duration = Duration::from_secs(300);
const KIND_LIMIT: Duration = Duration::from_secs(45);
/// Houses that stand at the same time.
const AT_ONCE: usize = 2;
const PULSE: Duration = Duration::from_millis(50);

/// Plays every wish, in one house or in several, and puts what they found together.
pub fn run(wishes: &Wishes) -> Result<Value, Trouble> {
    let program = wishes.program.as_deref().map(read).transpose()?;
    if wishes.stage.is_some() {
        return perform(wishes, program);
    }
    let of = |is_in: &dyn Fn(Kind) -> bool| -> Vec<Kind> {
        wishes.kinds.iter().copied().filter(|kind| is_in(*kind)).collect()
    };
    let mut waiting: Vec<(Vec<Kind>, bool)> = Vec::new();
    if wishes.attacks != Attacks::None {
        waiting
            .extend(attacks::HOUSES.iter().map(|kinds| (of(&|kind| kinds.contains(&kind)), true)));
    }
    if wishes.attacks != Attacks::Alone {
        waiting.extend((0..HOUSES).map(|house| (of(&|kind| house_of(kind) == house), false)));
    }
    waiting.retain(|(kinds, _)| !kinds.is_empty());
    let mut whole = json!({
        "cells": [], "alarms": [], "attacks": [], "broken": [], "absent": [], "replaced": [],
        "turns": [],
    });
    let mut playing: Vec<House> = Vec::new();
    while !waiting.is_empty() || !playing.is_empty() {
        while playing.len() < AT_ONCE && !waiting.is_empty() {
            let (kinds, attacks) = waiting.remove(0);
            playing.push(House::start(kinds, attacks, wishes.program.as_deref())?);
        }
        std::thread::sleep(PULSE);
        playing.retain_mut(|house| match house.ended() {
            Some(found) => {
                add(&mut whole, found);
                false
            }
            None => true,
        });
    }
    let said = table::closing(&whole);
    if let Some(whole) = whole.as_object_mut() {
        whole.insert("said".to_owned(), said.into());
    }
    Ok(whole)
}

/// Which house a kind is drilled in. Whoever owns the evidence spoils it for all others.
fn house_of(kind: Kind) -> usize {
    match kind {
        Kind::Gate | Kind::Names | Kind::Edge | Kind::Scanner | Kind::Access | Kind::Zone => 0,
        Kind::Ledger => 2,
        Kind::Mirror => 3,
        _ => 1,
    }
}

const HOUSES: usize = 4;

fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    let hint = "--program takes a static executable of this machine";
    let program = std::fs::read(path)
        .map_err(|error| Trouble::fault(format!("{}: {error}", path.display()), hint))?;
    match super::elf::fault_of(&program) {
        None => Ok(program),
        Some(found) => Err(Trouble::wrong_use("a static executable of this machine", found, hint)),
    }
}

/// One house in a process of its own.
struct House {
    kinds: Vec<Kind>,
    child: Child,
    hear: std::thread::JoinHandle<Vec<u8>>,
    stage: PathBuf,
    until: Instant,
}

impl House {
    fn start(kinds: Vec<Kind>, attacks: bool, program: Option<&Path>) -> Result<Self, Trouble> {
        let fault = |error: std::io::Error| Trouble::fault(error.to_string(), "start it once more");
        let stage = fresh_folder();
        let mut command = Command::new(std::env::current_exe().map_err(fault)?);
        command.args(["drill", "--json", "--stage"]).arg(&stage).stdout(Stdio::piped());
        command.args(kinds.iter().flat_map(|kind| ["--compartment", kind.word()]));
        if attacks {
            command.arg("--attacks");
        }
        if let Some(program) = program {
            command.arg("--program").arg(program);
        }
        let mut child = command.stdin(Stdio::null()).spawn().map_err(fault)?;
        let mut said = child.stdout.take();
        let hear = std::thread::spawn(move || {
            let mut octets = Vec::new();
            let _ = said.as_mut().map(|said| said.read_to_end(&mut octets));
            octets
        });
        let least = if attacks { ATTACKS_LIMIT } else { HOUSE_LIMIT };
        let limit = least + KIND_LIMIT * u32::try_from(kinds.len()).unwrap_or(1);
        Ok(Self { kinds, child, hear, stage, until: Instant::now() + limit })
    }

    /// What it found, once it has ended or its time is up. All that it started dies with it.
    fn ended(&mut self) -> Option<Value> {
        let has_ended = !matches!(self.child.try_wait(), Ok(None));
        if !has_ended && Instant::now() < self.until {
            return None;
        }
        if !has_ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        let hear = std::mem::replace(&mut self.hear, std::thread::spawn(Vec::new));
        let said = hear.join().unwrap_or_default();
        clear(&self.stage);
        let found = serde_json::from_slice::<Value>(&said).ok();
        Some(found.filter(|found| found.get("cells").is_some()).unwrap_or_else(|| {
            let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.word()).collect();
            let how = if has_ended { "ended without an answer" } else { "was ended, out of time" };
            let why = String::from_utf8_lossy(&said).trim().chars().take(200).collect::<String>();
            json!({ "broken": [format!("the house of {} {how} {why}", kinds.join(", "))] })
        }))
    }
}

fn add(whole: &mut Value, found: Value) {
    let Some(whole) = whole.as_object_mut() else { return };
    for (name, list) in whole.iter_mut() {
        let more = found.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        if let Some(list) = list.as_array_mut() {
            list.extend(more);
        }
    }
}
