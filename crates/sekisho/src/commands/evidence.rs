//! `sekisho ledger` and `sekisho scope`: they read the log's own files, service or no service.

use crate::arguments::Arguments;
use crate::demo::screen::say;
use crate::outcome::{Answer, Outcome, Trouble};
use serde_json::json;
use std::io::Write;
use std::path::Path;

const HINT: &str = "give --data the folder of a service that has run, as a user who may read it";

pub fn fault(fault: impl std::fmt::Display) -> Trouble {
    Trouble::fault(fault.to_string(), HINT)
}

pub fn ledger(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.data()?;
    let (own, mirror) = (data.join("ledger"), data.join("mirror"));
    let act = arguments.word("verify, head or export")?;
    match act.as_str() {
        "verify" => {
            arguments.finish()?;
            verify(&own, &mirror)
        }
        "head" => {
            arguments.finish()?;
            let head = ledger::head(&own, Some(&mirror)).map_err(fault)?;
            Ok(Outcome::Done(json!({
                "size": head.size,
                "root": head.root.to_base64(),
                "checkpoint": head.checkpoint,
                "cosigned": head.cosigned,
            })))
        }
        "export" => {
            let from = arguments.parsed("--from", "an index")?.unwrap_or(0);
            let to = arguments.parsed("--to", "an index")?.unwrap_or(u64::MAX);
            arguments.finish()?;
            export(&own, from, to, as_json)
        }
        other => Err(Trouble::wrong_use("verify, head or export", other, "sekisho help")),
    }
}

fn verify(own: &Path, mirror: &Path) -> Answer {
    let found = ledger::verify(own, Some(mirror)).map_err(fault)?;
    let value = json!({
        "size": found.size,
        "root": found.root.to_base64(),
        "entries_checked": found.entries_checked,
        "mirror_agrees": found.mirror_agrees,
        "mirror_size": found.mirror_size,
        "problems": found.problems,
        "ok": found.ok,
    });
    Ok(if found.ok { Outcome::Done(value) } else { Outcome::Wanting(value) })
}

/// One line an entry. Readers without `--json` get the same lines: they are the readable form.
fn export(own: &Path, from: u64, to: u64, _as_json: bool) -> Answer {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut broken = None;
    ledger::export(own, from, to, |line| {
        if broken.is_none() {
            broken = writeln!(out, "{line}").err();
        }
    })
    .map_err(fault)?;
    match broken.or_else(|| out.flush().err()) {
        None => Ok(Outcome::Told(0)),
        Some(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Outcome::Told(0)),
        Some(error) => Err(fault(error)),
    }
}

/// What reading leaves behind, newest last, one readable line an entry.
pub fn newest(data: &Path, count: usize) -> Vec<String> {
    let mut kept = std::collections::VecDeque::new();
    let _ = ledger::entries(&data.join("ledger"), |index, entry| {
        if let Some(line) = readable(index, &entry) {
            kept.push_back(line);
        }
        if kept.len() > count {
            kept.pop_front();
        }
    });
    kept.into()
}

fn readable(index: u64, entry: &::evidence::Entry) -> Option<String> {
    use ::evidence::Body;
    let told = match &entry.body {
        Body::SignIn { instance, protocol, ok, user, .. } => {
            let who = user.map(|user| user.to_string()).unwrap_or_default();
            let how = match ok {
                true => say("がサインイン", "signed in"),
                false => say("のサインインを拒否", "was refused"),
            };
            format!("{who} {how} ({}, {instance})", protocol.as_str())
        }
        Body::Grant { instance, user, .. } => {
            let may = say("に閲覧を十五分間許可:", "for a quarter of an hour may read");
            format!("{instance} {may} {user}")
        }
        Body::Release { vault_seq, instance, user, released, .. } => {
            let what = match released {
                ::evidence::Released::Months(months) => {
                    let month = |month: &u32| format!("{:04}-{:02}", month / 100, month % 100);
                    let months: Vec<String> = months.iter().map(month).collect();
                    format!("{} {}", say("ヘッダー", "headers of"), months.join(", "))
                }
                ::evidence::Released::Bodies(bodies) => {
                    format!("{} {}", say("本文", "bodies:"), bodies.len())
                }
            };
            let release = say("開示", "release");
            format!("{release} {vault_seq} → {instance}: {what} ({user})")
        }
        Body::Alarm { instance, kind, pid, call, .. } => {
            format!("ALARM {} {instance} pid {pid} called {}", kind.word(), call.as_str())
        }
        _ => return None,
    };
    Some(format!("leaf {index:<6} {:<8} {told}", entry.author.word()))
}

pub fn scope(mut arguments: Arguments) -> Answer {
    let data = arguments.data()?;
    let component = arguments.required("--component")?;
    let version = arguments.option("--version")?;
    let from = time(&arguments.required("--from")?)?;
    let to = time(&arguments.required("--to")?)?;
    let recheck = arguments.switch("--recheck");
    arguments.finish()?;
    let Some(kind) = terms::Kind::parse(&component) else {
        let hint = "docs/generated/compartments.md lists them";
        return Err(Trouble::wrong_use("a compartment's name", component, hint));
    };
    if from > to {
        let hint = "--from is the earlier of the two";
        return Err(Trouble::wrong_use("--from before --to", "the reverse", hint));
    }
    let (own, mirror) = (data.join("ledger"), data.join("mirror"));
    let found = match recheck {
        true => {
            let found = ledger::verify(&own, Some(&mirror)).map_err(fault)?;
            (found.size, found.root, found.ok)
        }
        false => {
            let head = ledger::head(&own, Some(&mirror)).map_err(fault)?;
            (head.size, head.root, false)
        }
    };
    let proven = scope::Proven { entries: found.0, root: found.1.to_base64(), verified: found.2 };
    let question = scope::Question { component: kind, version, from_ms: from, to_ms: to };
    let scope = scope::measure(&question, proven, |take| {
        ledger::entries(&own, |_, entry| take(&entry)).map(|_| ())
    });
    let value = serde_json::to_value(scope.map_err(fault)?);
    value.map(Outcome::Done).map_err(fault)
}

/// RFC 3339, or milliseconds since 1970.
pub fn time(text: &str) -> Result<u64, Trouble> {
    let read = text.parse::<u64>().ok().or_else(|| ::evidence::parse_rfc3339(text));
    let hint = "such as 2026-11-22T09:00:00Z, or milliseconds since 1970";
    read.ok_or_else(|| Trouble::wrong_use("a time", text, hint))
}
