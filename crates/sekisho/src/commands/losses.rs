//! What the logs lost: told by `ledger verify`, `doctor` and `status`, and acknowledged by those
//! who decide for the house. It stays told for good; acknowledged, it is a failure no more.

use super::evidence::fault;
use super::grounds;
use super::named::Names;
use super::whole;
use crate::arguments::Arguments;
use crate::client::ask_on;
use crate::outcome::{Answer, Outcome, Trouble};
use annals::{Acknowledged, Acknowledgements};
use evidence::rfc3339;
use ledger::Loss;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;
use terms::UserId;
use tlog::Hash;
use wire::admin::{Grounds, Request};

/// As the evidence names them.
const DIRECTORY: &str = "directory";
const MAILBOX: &str = "mailbox";

/// What was lost, and what of it is known.
fn found(data: &Path) -> Result<(Vec<Loss>, Acknowledgements), Trouble> {
    let (own, mirror) = (data.join("ledger"), data.join("mirror"));
    ledger::losses(&own, Some(&mirror), whole::remembered(data)).map_err(fault)
}

/// Names in the place of ids, for people.
pub fn with_names(data: &Path, known: &Acknowledgements, notes: &mut [String], is_japanese: bool) {
    let users: HashSet<UserId> = known.0.iter().flat_map(|one| one.approvers.clone()).collect();
    if users.is_empty() {
        return;
    }
    let names = Names::ask(data, &users);
    for user in users {
        let id = user.to_string();
        let name = names.person(&id, is_japanese);
        notes.iter_mut().for_each(|note| *note = note.replace(&id, &name));
    }
}

/// Who acknowledged these.
pub fn who_knew(losses: &[::scope::Loss]) -> HashSet<UserId> {
    losses.iter().flat_map(|one| &one.by).filter_map(|id| UserId::parse(id)).collect()
}

/// Sentences about losses with names in the place of ids.
pub fn named(
    mut text: String,
    losses: &[::scope::Loss],
    names: &Names,
    is_japanese: bool,
) -> String {
    for id in who_knew(losses).iter().map(ToString::to_string) {
        text = text.replace(&id, &names.person(&id, is_japanese));
    }
    text
}

/// For `status` and `doctor`: every loss that is remembered, and every one that was acknowledged.
/// `None`: the logs cannot be read from here.
pub fn told(data: &Path) -> Option<Vec<Value>> {
    let (losses, known) = found(data).ok()?;
    let open = losses.iter().filter(|loss| loss.acknowledged.is_none());
    let open = open.map(|loss| {
        json!({
            "whose": loss.whose,
            "size": loss.size,
            "root": loss.root.to_base64(),
            "what": loss.what,
            "acknowledged": null,
        })
    });
    let known = known.0.iter().map(|one| {
        json!({
            "whose": one.whose,
            "size": one.size,
            "root": one.root.to_base64(),
            "what": one.note(),
            "acknowledged": by(one),
        })
    });
    Some(open.chain(known).collect())
}

fn by(one: &Acknowledged) -> Value {
    json!({
        "index": one.index,
        "at": rfc3339(one.at_ms),
        "request": one.request.map(|request| request.to_string()),
        "by": one.approvers.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// What of this is nobody's knowledge yet, in words.
pub fn open(told: &[Value]) -> Vec<String> {
    let is_open = |loss: &&Value| loss.get("acknowledged").is_some_and(Value::is_null);
    let word = |loss: &Value| loss.get("what").and_then(Value::as_str).map(str::to_owned);
    let mut words: Vec<String> = told.iter().filter(is_open).filter_map(word).collect();
    words.dedup();
    words
}

/// `sekisho ledger acknowledge-loss`: what either log lost, each loss by itself, the newest first.
pub fn acknowledge(mut arguments: Arguments, data: &Path) -> Answer {
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    let (losses, _) = found(data)?;
    let wanted = not_acknowledged(&losses);
    if wanted.is_empty() {
        return acknowledge_tables(data, &grounds);
    }
    let mut done = Vec::new();
    for (whose, size, root) in wanted {
        let request = Request::AcknowledgeLoss { whose: whose.to_owned(), size, root };
        match ask_on(data, &request, &grounds)? {
            Outcome::Done(value) => done.push(value),
            // It waits for two persons: the next one is asked about afterwards.
            waits => return Ok(waits),
        }
    }
    Ok(Outcome::Done(json!({ "items": done })))
}

/// Tables are no log: only the house that runs knows how old they are.
fn acknowledge_tables(data: &Path, grounds: &Grounds) -> Answer {
    for whose in [DIRECTORY, MAILBOX] {
        let root = Hash([0; 32]).to_base64();
        let request = Request::AcknowledgeLoss { whose: whose.to_owned(), size: 0, root };
        match ask_on(data, &request, grounds) {
            Ok(Outcome::Done(value)) => return Ok(Outcome::Done(json!({ "items": [value] }))),
            Err(Trouble::Refused { .. }) => {}
            other => return other,
        }
    }
    let hint = "sekisho ledger verify tells what is missing, and what is acknowledged";
    Err(Trouble::refused("a loss that nobody has acknowledged", "none", hint))
}

/// Whose, size and root of each, once however often it is remembered.
fn not_acknowledged(losses: &[Loss]) -> Vec<(&'static str, u64, String)> {
    let open = || losses.iter().filter(|one| one.acknowledged.is_none());
    let mut places: Vec<(u64, String)> =
        open().map(|one| (one.size, one.root.to_base64())).collect();
    places.sort_by(|one, other| other.cmp(one));
    places.dedup();
    let with_whose = |(size, root): (u64, String)| {
        let is_of = |whose: &str| {
            open().any(|one| {
                one.whose == whose && (one.size, one.root.to_base64()) == (size, root.clone())
            })
        };
        let whose = match (is_of("ledger"), is_of("mirror")) {
            (true, true) => "both",
            (false, true) => "mirror",
            _ => "ledger",
        };
        (whose, size, root)
    };
    places.into_iter().map(with_whose).collect()
}
