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
mod install;
mod keeping;
mod keys;
mod lists;
mod outgoing;
mod outside;
mod outward;
mod passing;
mod people;
mod remains;
mod reports;
mod rules;
mod scan;
mod soak;
mod subject;
mod terminal;
mod token;
mod touched;
mod trial;
mod unsealing;
mod watch;

use crate::arguments::Arguments;
use crate::outcome::{Answer, Outcome, Trouble, tell};
use serde_json::json;
use std::process::ExitCode;

const HELP: &str = "\
sekisho (関所): mail for many organisations, behind walls

  sekisho demo [--data DIR] [--port-base N] [--json] [--no-sample]
               [--outside PORT [--outside-authority FILE]]
  sekisho init --data DIR [--unseal FILE] [--passphrase | --passphrase-fd N]
               [--shares T/N [--shares-to DIR]]
               [--token LABEL --token-module FILE --token-helper FILE]
  sekisho run --config FILE [--passphrase-fd N] [--share FILE]… [--share-fd N]…
  sekisho tenant add NAME | list | show NAME                             --data DIR
               | terminate NAME [--grace 30d] | cancel NAME | endings
               | certificate NAME [--to DIR] | search-remains [NAME]
  sekisho tenant set NAME [--junk-from N]… [--obey-dmarc on|off] [--greylist on|off]
               [--trust-sealer DOMAIN]… [--distrust-sealer DOMAIN]…      --data DIR
  sekisho tenant set NAME [--send-in-ten-minutes N] [--send-in-a-day N] [--send-bytes N]
               [--send-delay SECONDS] [--send-notice TEXT] [--refuse-kind K]… [--allow-kind K]…
               [--smart-host HOST:PORT[:implicit|starttls|if-offered] | --no-smart-host]
               [--send-user NAME [--send-password-file FILE | --send-password-fd N]
               | --no-send-user] [--source IP|none]                      --data DIR
  sekisho tenant outlet NAME [--certificate HOST… --from NETWORK… [--authority FILE]
               [--in-a-day N] [--new-header] | --none]                   --data DIR
  sekisho domain add DOMAIN --tenant T | list [--tenant T]               --data DIR
               | check DOMAIN [--allow SPF-TERM]… | keys DOMAIN
               | set DOMAIN [--catch-all ADDRESS|none]
                 [--mta-sts testing|enforce|none] [--mta-sts-max-age SECONDS]
               | gateway DOMAIN [--host HOST:PORT[:implicit|starttls|if-offered]
                 [--recipients FILE|any] [--check-new] | --none]
               | rotate-keys DOMAIN [--retire | --dangerous-unchecked]
  sekisho user add ADDRESS --tenant T [--role R] [--alias A]…
               | list [--tenant T] | disable | enable | reset ADDRESS    --data DIR
               | forward ADDRESS [--to A… [--keep] | --none]
               | away ADDRESS --text T [--subject S] [--until YYYY-MM-DD] | --back
               | password ADDRESS | terminate ADDRESS [--grace 30d] | cancel ADDRESS
  sekisho group add ADDRESS --tenant T --member A… | list [--tenant T] | show ADDRESS
               | set ADDRESS [--member A]… [--without A]… | remove ADDRESS   --data DIR
  sekisho list add ADDRESS --tenant T [--owner A]… [--name TEXT] [--language ja|en]
               [--posting members|owners|anyone] [--bytes N]             --data DIR
               | set ADDRESS [the same] [--without-owner A]… | list [--tenant T] | show ADDRESS
               | remove ADDRESS | member add|remove ADDRESS MEMBER…
  sekisho app-password add ADDRESS --protocol imap|pop3|smtp [--device TEXT]
               | list ADDRESS | revoke ID                                --data DIR
  sekisho approval list | show ID | approve ID --as ADDRESS | deny ID --as ADDRESS
               | carry-out ID | mode [two-persons|single-operator]       --data DIR
  sekisho hold add TENANT|ADDRESS --reason TEXT | list | lift ID         --data DIR
  sekisho trace QUERY                                                    --data DIR
  sekisho quarantine list | show ID | release ID                         --data DIR
  sekisho queue list [--tenant T] [--after ID] | show ID | status
               | hold ID | release ID | cancel ID                        --data DIR
  sekisho tls-reports list | send                                        --data DIR
  sekisho reports list [--tenant T | --domain D] [--kind tls|feedback|returned] [--after ID]
               | show ID [--lang ja|en]                                  --data DIR
  sekisho export --tenant T | --person ADDRESS --to DIR --imaps HOST:PORT
               [--format eml|mbox|maildir] [--host-name NAME]            --data DIR
  sekisho touched --person ADDRESS | --tenant T [--from T] [--to T] [--lang ja|en] --data DIR
  sekisho scan FILE|DIR… [--client-ip IP] [--helo NAME] [--mail-from A] [--auth dns|none]
  sekisho ledger verify | head | export [--from I] [--to I] | proof --index I
               | publish --to DIR | view --tenant T [--user A] [--from T] [--until T] --to DIR
               | witness-request [--old N] | witness-answer --key K      --data DIR
  sekisho scope --component C [--version V] --from T --to T [--recheck] [--statement]
               [--lang ja|en]                                            --data DIR
  sekisho drill [--compartment C]… [--program ELF]
  sekisho drill --story [--lang ja|en]
  sekisho alarms list [--since T] [--raw] [--rules DIR]                  --data DIR
  sekisho alarm test                                                     --data DIR
  sekisho freeze ADDRESS | --tenant T | --component access [--yes] | list --data DIR
  sekisho unfreeze ADDRESS | --tenant T | --component access             --data DIR
  sekisho isolate C [--yes] | list                                       --data DIR
  sekisho release C                                                      --data DIR
  sekisho decoy add ADDRESS --tenant T                                   --data DIR
  sekisho sigma [FILE|DIR…] [--lang ja|en]
  sekisho soak [--minutes N]
  sekisho keys list [--tenant T] | rotate --level root|tenant|user|pairs [--tenant T] [--user A]
               | seal | unseal --tenant T | hold | freeze [--off] (--tenant T | --user A)
               | epochs list|start|end [--epoch-keys DIR]                --data DIR
  sekisho keys reseal --config FILE [how the new root is kept, as for init]
  sekisho backup --to DIR [--keys-to DIR [--epoch-keys DIR]]             --data DIR
  sekisho restore --from DIR [--keys-from DIR [--epoch-keys DIR]]
               [--shreds-from DIR]                                       --data DIR
  sekisho status                                                         --data DIR
  sekisho authority                                                      --data DIR
  sekisho certificate install --chain FILE --key FILE | remove           --data DIR
  sekisho doctor [--data DIR] [--config FILE]
  sekisho help [COMMAND]
  sekisho version

Where two persons decide, privileged commands take --reason TEXT [--as ADDRESS] [--expires 24h] and
answer with a request; passwords are read from the terminal, standard input or --password-fd N.
Every command takes --json and gives one value on one line; `scan` and `ledger export` give one
a message or entry. Exit: 0 done, 1 refused or found wanting, 2 wrong use, 3 fault.";

/// Carries out what was typed.
pub fn run(arguments: Vec<String>) -> ExitCode {
    let asked_for = |name: &str| arguments.iter().any(|word| word == name);
    let arguments = match (asked_for("--help"), asked_for("--version")) {
        (true, _) => {
            let of = arguments.into_iter().find(|word| !word.starts_with("--"));
            std::iter::once("help".to_owned()).chain(of.filter(|word| word != "help")).collect()
        }
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
        "init" => install::init(arguments, as_json),
        "run" => install::run(arguments),
        "tenant" => people::tenant(arguments, as_json),
        "domain" => people::domain(arguments, as_json),
        "group" => passing::group(arguments),
        "list" => lists::list(arguments),
        "user" => people::user(arguments, as_json),
        "app-password" => people::app_password(arguments),
        "approval" => approvals::approval(arguments, as_json),
        "hold" => contracts::hold(arguments),
        "trace" => people::trace(arguments, as_json),
        "quarantine" => people::quarantine(arguments, as_json),
        "queue" => people::queue(arguments),
        "tls-reports" => outgoing::tls_reports(arguments),
        "reports" => reports::reports(arguments, as_json),
        "status" => people::status(arguments),
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
        "doctor" => doctor::run(arguments),
        "help" | "-h" => help(arguments),
        "version" if as_json => Ok(Outcome::Done(json!({ "sekisho": env!("CARGO_PKG_VERSION") }))),
        "version" => {
            println!("sekisho {}", env!("CARGO_PKG_VERSION"));
            Ok(Outcome::Told(0))
        }
        other => Err(Trouble::wrong_use("a command", other, "sekisho help")),
    }
}

/// All of it, or the lines of one command.
fn help(mut arguments: Arguments) -> Answer {
    let Ok(word) = arguments.word("a command") else {
        println!("{HELP}");
        return Ok(Outcome::Told(0));
    };
    let lines = lines_of(&word);
    if lines.is_empty() {
        return Err(Trouble::wrong_use("a command", word, "sekisho help"));
    }
    lines.iter().for_each(|line| println!("{line}"));
    Ok(Outcome::Told(0))
}

/// A command's own lines of the help: each begins with it, and goes on as far as it is indented.
fn lines_of(command: &str) -> Vec<&'static str> {
    let mut is_its_own = false;
    let mut lines = Vec::new();
    for line in HELP.lines() {
        match line.strip_prefix("  sekisho ") {
            Some(words) => is_its_own = words.split(' ').next() == Some(command),
            None => is_its_own &= line.starts_with("   "),
        }
        if is_its_own {
            lines.push(line);
        }
    }
    lines
}

/// Whether any command takes such an option.
pub fn has_option(name: &str) -> bool {
    let is_end = |next: Option<char>| next.is_none_or(|one| !one.is_alphanumeric() && one != '-');
    HELP.match_indices(name)
        .any(|(at, _)| is_end(HELP.get(at + name.len()..).and_then(|rest| rest.chars().next())))
}

/// Sets one field of a JSON object.
fn insert(value: &mut serde_json::Value, name: &str, to: serde_json::Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert(name.to_owned(), to);
    }
}

pub use remains::daily as search_daily;

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

#[cfg(test)]
mod tests {
    use super::{has_option, lines_of};

    #[test]
    fn help_is_of_one_command() {
        let of = |command| lines_of(command).join("\n");
        assert!(lines_of("tenant").len() > 8, "{}", of("tenant"));
        assert!(of("tenant").contains("search-remains") && !of("tenant").contains("domain add"));
        assert!(of("keys").ends_with("how the new root is kept, as for init]"), "{}", of("keys"));
        assert_eq!(lines_of("version").len(), 1);
        assert_eq!(lines_of("release").len(), 1);
        assert!(lines_of("dance").is_empty());
    }

    #[test]
    fn options_of_any_command() {
        assert!(has_option("--tenant") && has_option("--as") && has_option("--role"));
        assert!(!has_option("--roel") && !has_option("--ten") && !has_option("--"));
    }
}
