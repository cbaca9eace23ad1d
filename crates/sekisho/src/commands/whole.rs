//! Whether the evidence is whole: asked by every command that reads it, so that a part of it is
//! never told as all of it.

use super::evidence::{beside, fault};
use crate::outcome::{Outcome, Trouble};
use annals::{Lost, names};
use ledger::{Memory, Verified};
use serde_json::json;
use std::path::Path;

const HINT: &str = "sekisho ledger verify says everything that is wrong: put the ledger and its \
    mirror back from a backup, or, to go on without: sekisho ledger acknowledge-loss";

/// What the house, and whoever reads here, remember outside the ledger's folder, named by where it
/// lies.
pub fn memories(data: &Path) -> Vec<Memory> {
    let places = [data.join(ledger::SEEN), beside(data, "seen")];
    places.iter().filter_map(|path| Memory::of(path)).collect()
}

/// The same, as losses are told.
pub fn remembered(data: &Path) -> Vec<Lost> {
    let as_lost = |one: Memory| Some(Lost { name: one.place, signed: Some(one.signed?) });
    memories(data).into_iter().filter_map(as_lost).collect()
}

/// Everything, checked: the ledger, its mirror, their keys, and what is remembered of them.
pub fn checked(data: &Path) -> Result<Verified, Trouble> {
    let (own, mirror) = (data.join("ledger"), data.join("mirror"));
    // What is remembered before what is there: of a service that runs, both grow.
    let memories = memories(data);
    ledger::verify_remembering(&own, Some(&mirror), &memories).map_err(fault)
}

/// What speaks against telling what the ledger says as the whole of it.
pub fn doubts(data: &Path) -> Result<Vec<String>, Trouble> {
    let (own, mirror) = (data.join("ledger"), data.join("mirror"));
    ledger::doubts(&own, Some(&mirror), || memories(data)).map_err(fault)
}

/// The same for those who tell the state of a house, which may not have begun yet: what cannot be
/// read speaks against it as well. Of a folder that is not ours to look into nothing is said.
pub fn standing(data: &Path) -> Vec<String> {
    let begun = ["ledger", "mirror"].map(|folder| data.join(folder).join(names::LOG).exists());
    if data.read_dir().is_err() || !begun.contains(&true) && memories(data).is_empty() {
        return Vec::new();
    }
    let (own, mirror) = (data.join("ledger"), data.join("mirror"));
    let found = ledger::doubts(&own, Some(&mirror), || memories(data));
    found.unwrap_or_else(|fault| vec![fault.to_string()])
}

/// For answers that are worth nothing if they are not whole.
pub fn must_be(data: &Path) -> Result<(), Trouble> {
    doubts(data)?.first().map_or(Ok(()), |first| Err(trouble(first)))
}

fn trouble(first: &str) -> Trouble {
    Trouble::fault(format!("the evidence is not whole: {first}"), HINT)
}

/// An answer that helps also if it is not whole, and says so then.
pub fn told(doubts: &[String], outcome: Outcome) -> Outcome {
    let Some(first) = doubts.first() else { return outcome };
    let value = match outcome {
        Outcome::Done(mut value) | Outcome::Wanting(mut value) => {
            super::insert(&mut value, "incomplete", json!(doubts));
            Some(value)
        }
        Outcome::Told(_) => None,
        part @ Outcome::Part(..) => return part,
    };
    Outcome::Part(value, trouble(first))
}
