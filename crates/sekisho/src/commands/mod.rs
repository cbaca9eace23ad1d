//! Every command, by its words.

mod approvals;
mod certificate;
mod contracts;
mod countries;
mod deeds;
mod demo;
mod doctor;
mod epochs;
mod evidence;
mod export;
mod grounds;
mod held;
mod help;
mod install;
mod journeys;
mod keeping;
mod keyless;
mod keys;
mod lists;
mod losses;
mod manual;
mod named;
mod outgoing;
mod outside;
mod outward;
mod passing;
mod people;
mod questions;
mod remains;
mod reports;
mod returned;
mod rules;
mod scan;
mod secrets;
mod site;
mod soak;
mod sources;
mod spelled;
mod status;
mod subject;
mod terminal;
mod token;
mod touched;
mod trial;
mod unsealing;
mod watch;
mod whole;
mod whose;

use crate::arguments::Arguments;
use crate::outcome::{Answer, Outcome, Trouble, tell};
use serde_json::json;
use std::process::ExitCode;

/// Carries out what was typed.
pub fn run(arguments: Vec<String>) -> ExitCode {
    let asked_for = |name: &str| arguments.iter().any(|word| word == name);
    // A scope is asked for a --version of its own.
    let asks_version = arguments.first().is_some_and(|word| word == "--version");
    let arguments = match (asked_for("--help"), asks_version) {
        (true, _) => {
            let of = arguments.into_iter().find(|word| !word.starts_with("--"));
            std::iter::once("help".to_owned()).chain(of.filter(|word| word != "help")).collect()
        }
        (false, true) => vec!["version".to_owned()],
        (false, false) => arguments,
    };
    let mut arguments = Arguments::new(arguments);
    let as_json = arguments.switch("--json");
    let answer = arguments.word("a command").and_then(|word| {
        choose_language(&word, &mut arguments)?;
        act(&word, arguments, as_json)
    });
    tell(answer, as_json)
}

/// `--lang` before anything is said. Some commands take it themselves, for what they make.
fn choose_language(word: &str, arguments: &mut Arguments) -> Result<(), Trouble> {
    let is_their_own = matches!(word, "drill" | "reports" | "scope" | "touched");
    let given = match is_their_own {
        true => arguments.look("--lang"),
        false => arguments.choice("--lang", &["ja", "en"])?,
    };
    if let Some(word) = given.filter(|word| matches!(word.as_str(), "ja" | "en")) {
        crate::demo::screen::choose(word == "ja");
    }
    Ok(())
}

/// One command, by its word.
pub fn act(word: &str, arguments: Arguments, as_json: bool) -> Answer {
    match word {
        "demo" => demo::run(arguments, as_json),
        "init" => install::init(arguments, as_json),
        "run" => install::run(arguments),
        "tenant" => people::tenant(arguments, as_json),
        "domain" => people::domain(arguments, as_json),
        "group" => passing::group(arguments),
        "list" => lists::list(arguments),
        "user" => people::user(arguments, as_json),
        "app-password" => people::app_password(arguments),
        "approval" => approvals::approval(arguments),
        "hold" => contracts::hold(arguments),
        "trace" => journeys::trace(arguments, as_json),
        "quarantine" => held::quarantine(arguments, as_json),
        "queue" => journeys::queue(arguments, as_json),
        "tls-reports" => outgoing::tls_reports(arguments),
        "reports" => reports::reports(arguments, as_json),
        "status" => status::run(arguments, as_json),
        "certificate" => people::certificate(arguments),
        "authority" => people::authority(arguments, as_json),
        "export" => export::run(arguments),
        "touched" => touched::run(arguments, as_json),
        "scan" => scan::run(arguments, as_json),
        "ledger" => evidence::ledger(arguments, as_json),
        "scope" => evidence::scope(arguments, as_json),
        "keys" => keys::run(arguments),
        "alarms" => watch::alarms(arguments, as_json),
        "alarm" => outward::alarm(arguments, as_json),
        "freeze" => watch::freeze(arguments, true, as_json),
        "unfreeze" => watch::freeze(arguments, false, as_json),
        "isolate" => watch::isolate(arguments, as_json),
        "release" => watch::release(arguments),
        "decoy" => watch::decoy(arguments),
        "sigma" => rules::sigma(arguments, as_json),
        "soak" => soak::run(arguments),
        "backup" => keeping::backup(arguments, as_json),
        "restore" => keeping::restore(arguments, as_json),
        "drill" => trial::run(arguments, as_json),
        "doctor" => doctor::run(arguments, as_json),
        "help" | "-h" => help::help(arguments),
        "version" if as_json => Ok(Outcome::Done(json!({ "sekisho": env!("CARGO_PKG_VERSION") }))),
        "version" => {
            println!("sekisho {}", env!("CARGO_PKG_VERSION"));
            Ok(Outcome::Told(0))
        }
        other => Err(Trouble::wrong_use("a command", other, "sekisho help")),
    }
}

/// Sets one field of a JSON object.
fn insert(value: &mut serde_json::Value, name: &str, to: serde_json::Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert(name.to_owned(), to);
    }
}

pub use self::evidence::{attend, before_start};
pub use remains::daily as search_daily;

pub use demo::make_folder;
pub use help::has_option;
pub use install::log;

/// The newest entries of the ledger, for the demo's screen.
pub fn newest_entries(data: &std::path::Path, count: usize) -> Vec<String> {
    evidence::newest(data, count)
}

/// Secret octets as a sealed memfd, the only form in which they are handed on.
pub fn sealed(secret: &[u8]) -> Result<std::os::fd::OwnedFd, Trouble> {
    let hint = "this kernel must grant memfd_create";
    let fault = |fault: wire::Fault| Trouble::fault(fault.to_string(), hint);
    let mut held = Vec::new();
    wire::Parcel::pack(secret.to_vec(), 0, &mut held).map_err(fault)?;
    held.pop().ok_or_else(|| Trouble::fault("no descriptor", hint))
}

#[cfg(test)]
mod tests;
