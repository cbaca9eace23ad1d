//! Every act for two persons can be asked for as people type it.
#![allow(clippy::unwrap_used)]

use super::act;
use crate::arguments::Arguments;
use crate::outcome::Trouble;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use terms::{HoldId, Kind, TenantId, UserId};
use wire::admin::Response;
use wire::approval::Act;
use wire::directory::{OutletTerms, SendingSettings, TenantSettings};
use wire::identity::{Protocol, Whose};
use wire::lists::Command;
use wire::redirection::Redirection;
use wire::vault::{Freeze, KeyAct, Rotation};

const TENANT: TenantId = TenantId([1; 8]);
const USER: UserId = UserId([2; 8]);

/// How each is typed; nothing: no command of its own asks for it. An act that is new is a line here
/// before it compiles.
fn typed(act: &Act) -> &'static [&'static str] {
    match act {
        Act::AppPassword { .. } => &["app-password add a@b.example --protocol imap"],
        Act::ResetPassword { .. } => &["user reset a@b.example"],
        Act::AddPerson { .. } => &["user add a@b.example --tenant T --role approver"],
        Act::ChangeSettings { .. } => &["tenant set T --junk-from 9"],
        Act::ChangeSending { .. } => &["tenant set T --send-in-a-day 9"],
        // Both look at more than the socket first: `export` and `losses` take the same grounds.
        Act::Read { .. } | Act::AcknowledgeLoss { .. } | Act::Other { .. } => &[],
        Act::TerminateTenant { .. } => &["tenant terminate T --grace 0 --yes"],
        Act::TerminateUser { .. } => &["user terminate a@b.example --grace 0 --yes"],
        Act::LiftHold { .. } => &["hold lift 01"],
        Act::SingleOperator => &["approval mode single-operator"],
        Act::Keys(act) => upon_keys(act),
        Act::Thaw(Whose::Person(..)) => &["unfreeze a@b.example"],
        Act::Thaw(Whose::Tenant(_)) => &["unfreeze --tenant T"],
        Act::Thaw(Whose::Kind(_)) => &["unfreeze --component access"],
        Act::Rejoin(_) => &["release scanner"],
        Act::Redirect { change, .. } => redirected(change),
        Act::Disable { disabled: true, .. } => &["user disable a@b.example"],
        Act::Disable { disabled: false, .. } => &["user enable a@b.example"],
    }
}

fn upon_keys(act: &KeyAct) -> &'static [&'static str] {
    match act {
        KeyAct::SealTenant { .. } => &["keys seal --tenant T"],
        KeyAct::UnsealTenant { .. } => &["keys unseal --tenant T"],
        KeyAct::Hold { .. } => &["keys hold --off --tenant T"],
        KeyAct::Freeze(_) => &["keys freeze --off --tenant T"],
        KeyAct::Rotate(Rotation::Root) => &["keys rotate --level root"],
        KeyAct::Rotate(Rotation::Tenant { .. }) => &["keys rotate --level tenant --tenant T"],
        KeyAct::Rotate(_) => &[
            "keys rotate --level user --user a@b.example",
            "keys rotate --level pairs --user a@b.example",
        ],
        KeyAct::EpochGone { .. } => &["keys epochs end --gone 1"],
        // The directory's, at the end of a contract.
        KeyAct::ShredTenant { .. } | KeyAct::ShredUser { .. } => &[],
        KeyAct::StartBackupEpoch
        | KeyAct::EpochDestroyed { .. }
        | KeyAct::EpochKeyDestroyed { .. } => &[],
    }
}

fn redirected(change: &Redirection) -> &'static [&'static str] {
    match change {
        Redirection::Forward { .. } => &["user forward a@b.example --to x@out.example"],
        Redirection::Away { .. } => &["user away a@b.example --text Later"],
        Redirection::CatchAll { .. } => &["domain set b.example --catch-all a@b.example"],
        Redirection::Transport { .. } => &["domain set b.example --mta-sts none"],
        Redirection::Group { .. } => &[
            "group add g@b.example --tenant T --member x@out.example",
            "group set g@b.example --member x@out.example",
        ],
        Redirection::Gateway { .. } => &["domain gateway b.example --host h.example:25"],
        Redirection::GatewayListed { .. } => {
            &["domain gateway b.example --host h.example:25 --recipients FILE"]
        }
        Redirection::Outlet { .. } => &["tenant outlet T --certificate h.example --from 192.0.2.1"],
        Redirection::List(_) => &[
            "list add l@b.example --tenant T --owner x@out.example",
            "list set l@b.example --owner x@out.example",
            "list member add l@b.example x@out.example",
        ],
        Redirection::Person { .. } => &["user add a@b.example --tenant T"],
        Redirection::Share { .. } => &["group share g@b.example --with a@b.example"],
    }
}

/// One of each that a command asks for.
fn acts() -> Vec<Act> {
    let (tenant, user, grace_ms) = (TENANT, USER, 0);
    let address = || "a@b.example".to_owned();
    let redirect = |change| Act::Redirect { tenant, user: None, change: Box::new(change) };
    let freeze = Freeze { on: false, tenant: Some(tenant), user: None, instance: None };
    let keys = [
        KeyAct::SealTenant { tenant },
        KeyAct::UnsealTenant { tenant },
        KeyAct::Hold { tenant, user: None, on: false },
        KeyAct::Freeze(freeze),
        KeyAct::Rotate(Rotation::Root),
        KeyAct::Rotate(Rotation::Tenant { tenant }),
        KeyAct::Rotate(Rotation::User { tenant, user }),
        KeyAct::EpochGone { epoch: 1 },
    ];
    let whose = [Whose::Person(tenant, user), Whose::Tenant(tenant), Whose::Kind(Kind::Access)];
    let (domain, to, (with, without)) = ("b.example".to_owned(), Vec::new(), Default::default());
    let person = Redirection::Person {
        address: address(),
        tenant: "T".to_owned(),
        role: "user".to_owned(),
        aliases: Vec::new(),
    };
    let terms =
        OutletTerms { names: Vec::new(), authorities: Vec::new(), from: Vec::new(), in_a_day: 1 };
    let redirections = [
        Redirection::Forward { address: address(), to, keep: true },
        Redirection::CatchAll { domain: domain.clone(), address: address() },
        Redirection::Transport { domain, mode: None, max_age_seconds: None },
        Redirection::Group { address: address(), tenant: None, with, without },
        Redirection::Outlet { tenant: "T".to_owned(), terms, is_fresh: false },
        Redirection::List(Command::Remove { address: address() }),
        Redirection::Share { address: address(), with: Vec::new(), without: Vec::new() },
        person,
    ];
    let mut acts = vec![
        Act::AppPassword { tenant, user, protocol: Protocol::Imap, device: String::new() },
        Act::ResetPassword { tenant, user },
        Act::AddPerson {
            tenant,
            address: address(),
            role: "approver".to_owned(),
            aliases: Vec::new(),
        },
        Act::ChangeSettings { tenant, settings: TenantSettings::default() },
        Act::ChangeSending { tenant, settings: SendingSettings::default() },
        Act::TerminateTenant { tenant, grace_ms },
        Act::TerminateUser { tenant, user, grace_ms },
        Act::LiftHold { tenant, hold: HoldId([0; 8]) },
        Act::SingleOperator,
        Act::Rejoin(Kind::Scanner),
        Act::Disable { tenant, user, disabled: true },
        Act::Disable { tenant, user, disabled: false },
    ];
    acts.extend(keys.into_iter().map(Act::Keys));
    acts.extend(whose.into_iter().map(Act::Thaw));
    acts.extend(redirections.into_iter().map(redirect));
    acts
}

/// A service that says no to everything; what it was asked last.
fn asked_by(data: &Path, line: &str) -> (String, bool) {
    let socket = data.join("admin.sock");
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).unwrap();
    let heard = Arc::new(Mutex::new(String::new()));
    let hearing = Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut asked = String::new();
            BufReader::new(&stream).read_line(&mut asked).unwrap();
            *hearing.lock().unwrap() = asked;
            let no = || "no".to_owned();
            let answer = Response::Refused { expected: no(), found: no(), hint: no() };
            writeln!(&stream, "{}", serde_json::to_string(&answer).unwrap()).unwrap();
        }
    });
    let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let word = words.remove(0);
    let more = ["--reason", "because", "--expires", "1h", "--data", data.to_str().unwrap()];
    words.extend(more.map(str::to_owned));
    let answer = act(&word, Arguments::new(words), true);
    let is_refused =
        matches!(answer, Err(Trouble::Refused { ref expected, .. }) if expected == "no");
    (heard.lock().unwrap().clone(), is_refused)
}

/// Known from the line alone: nobody is asked.
#[test]
fn what_a_line_says_wrong_is_wrong_use() {
    for line in [
        "tenant set T",
        "list set l@b.example",
        "group set g@b.example",
        "domain set b.example --mta-sts-max-age 5",
        "user forward a@b.example --to foo",
        "list member add l@b.example notanaddress",
        "group add g@b.example --tenant T --member foo",
        "tenant outlet T --certificate h.example",
        "tenant outlet T --certificate h.example --from 10.0.0.0/33",
        "tenant outlet T --certificate h.example --from 0.0.0.0/0",
        "tenant outlet T --certificate h.example --from ::/15",
    ] {
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let word = words.remove(0);
        words.extend(["--data", "/nowhere"].map(str::to_owned));
        let answer = act(&word, Arguments::new(words), true);
        assert!(matches!(answer, Err(Trouble::WrongUse { .. })), "{line}");
    }
}

#[test]
fn every_act_for_two_is_asked_for_with_a_reason() {
    let data = std::env::temp_dir().join(format!("sekisho-asked-{}", std::process::id()));
    std::fs::create_dir_all(&data).unwrap();
    let mut lines: Vec<&str> = acts().iter().flat_map(|act| typed(act).iter().copied()).collect();
    lines.push("domain gateway b.example --host h.example:25");
    assert!(lines.len() > 30, "{}", lines.len());
    for line in lines {
        let (heard, is_refused) = asked_by(&data, line);
        assert!(is_refused && heard.contains(r#""reason":"because""#), "{line}: {heard}");
    }
    std::fs::remove_dir_all(&data).unwrap();
}
