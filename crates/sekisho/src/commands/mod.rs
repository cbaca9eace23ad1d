//! Every command, by its words.

mod demo;
mod doctor;
mod evidence;
mod install;
mod keeping;
mod outside;
mod people;
mod scan;
mod trial;

use crate::arguments::Arguments;
use crate::outcome::{Answer, Outcome, Trouble, tell};
use serde_json::json;
use std::process::ExitCode;

const HELP: &str = "\
sekisho (関所): mail for many organisations, behind walls

  sekisho demo [--data DIR] [--port-base N] [--json] [--no-sample]
  sekisho init --data DIR [--unseal FILE]
  sekisho run --config FILE
  sekisho tenant add NAME | list | show NAME                             --data DIR
  sekisho domain add DOMAIN --tenant T | list [--tenant T] | check DOMAIN --data DIR
  sekisho user add ADDRESS --tenant T [--role R] [--alias A]…
               | list [--tenant T] | disable | enable | reset ADDRESS    --data DIR
  sekisho app-password add ADDRESS --protocol imap|pop3|smtp [--device TEXT]
               | revoke ID                                               --data DIR
  sekisho trace QUERY                                                    --data DIR
  sekisho quarantine list | show ID | release ID                         --data DIR
  sekisho scan FILE|DIR… [--client-ip IP] [--helo NAME] [--mail-from A] [--auth dns|none]
  sekisho ledger verify | head | export [--from I] [--to I] | proof --index I
               | publish --to DIR | view --tenant ID [--user ID] [--from T] [--until T] --to DIR
               | witness-request [--old N] | witness-answer --key K      --data DIR
  sekisho scope --component C [--version V] --from T --to T [--recheck] [--statement]
               [--lang ja|en]                                            --data DIR
  sekisho drill [--compartment C] [--program ELF]
  sekisho backup --to DIR [--keys-to DIR]                                --data DIR
  sekisho restore --from DIR [--keys-from DIR]                           --data DIR
  sekisho status                                                         --data DIR
  sekisho authority                                                      --data DIR
  sekisho doctor [--data DIR]
  sekisho help | version

Every command takes --json and gives one value on one line; `scan` and `ledger export` give one
a message or entry. Exit: 0 done, 1 refused or found wanting, 2 wrong use, 3 fault.";

/// Carries out what was typed.
pub fn run(arguments: Vec<String>) -> ExitCode {
    let asked_for = |name: &str| arguments.iter().any(|word| word == name);
    let arguments = match (asked_for("--help"), asked_for("--version")) {
        (true, _) => vec!["help".to_owned()],
        (false, true) => vec!["version".to_owned()],
        (false, false) => arguments,
    };
    let mut arguments = Arguments::new(arguments);
    let as_json = arguments.switch("--json");
    let answer = arguments.word("a command").and_then(|word| act(&word, arguments, as_json));
    tell(answer, as_json)
}

fn act(word: &str, arguments: Arguments, as_json: bool) -> Answer {
    match word {
        "demo" => demo::run(arguments, as_json),
        "init" => install::init(arguments),
        "run" => install::run(arguments),
        "tenant" => people::tenant(arguments),
        "domain" => people::domain(arguments),
        "user" => people::user(arguments),
        "app-password" => people::app_password(arguments),
        "trace" => people::trace(arguments),
        "quarantine" => people::quarantine(arguments),
        "status" => people::status(arguments),
        "authority" => people::authority(arguments, as_json),
        "scan" => scan::run(arguments, as_json),
        "ledger" => evidence::ledger(arguments, as_json),
        "scope" => evidence::scope(arguments, as_json),
        "backup" => keeping::backup(arguments),
        "restore" => keeping::restore(arguments),
        "drill" => trial::run(arguments, as_json),
        "doctor" => doctor::run(arguments),
        "help" | "-h" => {
            println!("{HELP}");
            Ok(Outcome::Told(0))
        }
        "version" => Ok(Outcome::Done(json!({ "sekisho": env!("CARGO_PKG_VERSION") }))),
        other => Err(Trouble::wrong_use("a command", other, "sekisho help")),
    }
}

pub use demo::make_folder;
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
