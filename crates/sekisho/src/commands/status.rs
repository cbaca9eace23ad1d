//! `sekisho status`: what the keepers say of themselves, who is cut off, and whether the evidence
//! is whole.

use super::people::folder;
use super::{keyless, losses, site, whole};
use crate::arguments::Arguments;
use crate::client::value;
use crate::demo::screen::say;
use crate::outcome::{Answer, Outcome};
use crate::words;
use serde_json::{Value, json};
use wire::admin::Request;

pub fn run(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.option("--data")?;
    arguments.finish()?;
    let data = folder(data)?;
    let mut status = value(&data, &Request::Status)?;
    super::insert(&mut status, "losses", json!(losses::told(&data)));
    super::insert(&mut status, "without_keys", json!(keyless::listed(&data)));
    let full = site::without_room(&data);
    let silent = silent(&status);
    let is_sound = unable(&status).is_empty()
        && taken(&status).is_empty()
        && full.is_none()
        && silent.is_empty();
    let told = silent.iter().map(|(kind, what)| json!({ "component": kind, "what": what }));
    super::insert(&mut status, "silent", told.collect());
    if let Some(what) = full {
        super::insert(&mut status, "disk", json!({ "what": what }));
    }
    if !as_json {
        mark(&mut status);
    }
    let status = if is_sound { Outcome::Done(status) } else { Outcome::Wanting(status) };
    Ok(whole::told(&whole::standing(&data), status))
}

/// Parts that cannot start or go on: who, and the sentence.
pub fn unable(status: &Value) -> Vec<(String, String)> {
    listed(status, "unable")
}

/// Parts that have no place left for whoever comes: who, and the sentence.
pub fn taken(status: &Value) -> Vec<(String, String)> {
    listed(status, "full")
}

fn listed(status: &Value, name: &str) -> Vec<(String, String)> {
    let word = |item: &Value, name: &str| item.get(name)?.as_str().map(str::to_owned);
    let items = status.get(name).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| Some((word(item, "component")?, word(item, "what")?))).collect()
}

/// Of ledger or mirror the vault knows that one is away, not which.
const NO_EVIDENCE: &str =
    "nobody can read: ledger or mirror is away, see `alarms list`; mail arrives";

/// Who runs and did not answer, and what that means for people. That a part cannot start is said
/// already.
pub fn silent(status: &Value) -> Vec<(String, String)> {
    let known: Vec<String> = unable(status).into_iter().map(|(kind, _)| kind).collect();
    let away = status.get("away").and_then(Value::as_array).into_iter().flatten();
    let away = away.filter_map(Value::as_str).filter(|kind| !known.iter().any(|one| one == kind));
    let mut silent: Vec<(String, String)> = away
        .map(|kind| (kind.to_owned(), format!("{kind} does not answer: {}", means(kind))))
        .collect();
    let is_unproven = status.pointer("/vault/evidence").and_then(Value::as_bool) == Some(false);
    let is_said = |kind: &&str| {
        known.iter().any(|one| one == kind) || silent.iter().any(|(one, _)| one == kind)
    };
    if is_unproven && !["ledger", "mirror"].iter().any(|kind| is_said(kind)) {
        silent.push(("mirror".to_owned(), NO_EVIDENCE.to_owned()));
    }
    silent
}

/// What people notice of a part that hangs.
fn means(kind: &str) -> &'static str {
    match kind {
        "mailbox" => "mail is put off, and nobody can read",
        "vault" => "mail for those who had none lately is put off, and nobody can read",
        "directory" => "mail is put off, and nobody can sign in",
        "identity" => "nobody can sign in",
        "signer" => "TLS handshakes fail: nobody can sign in, and mail comes in plain or waits",
        "ledger" | "mirror" => "mail is taken and kept, and nobody can read",
        "post" => "mail that leaves waits",
        "sentinel" => "nobody judges what happens, and no alarm leaves the house",
        _ => "whoever needs it waits",
    }
}

/// Lists that are empty in a house that is well.
const NONE_AT_BEST: &[&str] =
    &["isolated", "unable", "full", "away", "frozen", "losses", "without_keys", "silent"];

/// People see it where they look for the part: a keeper that is away says why.
fn mark(status: &mut Value) {
    let isolated = status.get("isolated").and_then(Value::as_array).cloned().unwrap_or_default();
    let word = |item: &Value, name: &str| {
        item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    for item in &isolated {
        let (kind, since) = (word(item, "component"), word(item, "since"));
        if status.get(&kind).is_some_and(Value::is_null) {
            let told = match say("ja", "en") {
                "ja" => format!("切り離し中（{since} から。`release {kind}` で戻す）"),
                _ => format!("ISOLATED since {since}; `release {kind}` lets it in again"),
            };
            super::insert(status, &kind, json!(told));
        }
    }
    for (kind, what) in unable(status) {
        if status.get(&kind).is_some_and(Value::is_null) {
            super::insert(status, &kind, json!(words::said(&what)));
        }
    }
    let Some(fields) = status.as_object_mut() else { return };
    for (name, value) in fields.iter_mut() {
        let is_answered = ["mailbox", "vault", "approvals", "sentinel", "frozen"];
        if value.is_null() && is_answered.contains(&name.as_str()) {
            *value = json!(say("応答なし", "does not answer"));
        }
        let is_none = value.as_array().is_some_and(Vec::is_empty);
        if is_none && NONE_AT_BEST.contains(&name.as_str()) {
            *value = json!(say("なし", "none"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::mark;
    use serde_json::json;

    #[test]
    fn who_cannot_start_is_marked() {
        let what = "vault cannot start: signal 6; mail is put off, and nobody can read until that \
                    is mended: it is tried again";
        let unable = json!([{ "component": "vault", "since": "2026-11-22", "what": what }]);
        let mut status = json!({ "vault": null, "mailbox": null, "unable": unable });
        assert_eq!(super::unable(&status), [("vault".to_owned(), what.to_owned())]);
        mark(&mut status);
        assert_eq!(status["vault"], json!(crate::words::said(what)));
        assert_ne!(status["mailbox"], status["vault"]);
        let japanese = crate::words::in_japanese(what).unwrap();
        assert!(japanese.contains("signal 6") && !japanese.contains("mended"), "{japanese}");
    }

    /// Each that may hang is said with what it means, in both languages; who cannot start is not
    /// said twice.
    #[test]
    fn who_hangs_is_said_with_what_it_means() {
        let kinds =
            ["mailbox", "vault", "directory", "identity", "signer", "ledger", "mirror", "post"];
        let told = super::silent(&json!({ "away": kinds, "vault": null }));
        assert_eq!(told.len(), kinds.len());
        for (kind, what) in &told {
            assert!(what.starts_with(&format!("{kind} does not answer: ")), "{what}");
            let japanese = crate::words::in_japanese(what).unwrap();
            let is_ours = japanese.starts_with(&format!("{kind} が応答しません: "));
            assert!(is_ours && !japanese.contains("mail "), "{japanese}");
        }
        let unable = json!([{ "component": "vault", "what": "vault cannot start: signal 6" }]);
        assert!(super::silent(&json!({ "away": ["vault"], "unable": unable })).is_empty());
        let unproven = super::silent(&json!({ "away": [], "vault": { "evidence": false } }));
        assert!(unproven.iter().any(|(_, what)| what.contains("ledger or mirror is away")));
        assert!(super::silent(&json!({ "away": [], "vault": { "evidence": true } })).is_empty());
    }

    #[test]
    fn why_a_source_is_missing_is_said_in_the_readers_language() {
        for why in ["the audit of this host is off", "not configured", "not told yet"] {
            let shown = crate::words::in_values(json!({ "why_not": why }));
            assert!(shown["why_not"].as_str().is_some_and(|shown| !shown.is_ascii()), "{shown}");
        }
    }

    #[test]
    fn who_is_cut_off_is_marked() {
        let isolated = json!([{ "component": "mailbox", "since": "2026-11-22T09:00:00.000Z" }]);
        let mut status = json!({
            "mailbox": null, "vault": { "releases": 1 }, "sentinel": null, "isolated": isolated,
            "frozen": [],
        });
        mark(&mut status);
        let told = status["mailbox"].as_str().unwrap();
        assert!(told.contains("release mailbox") && told.contains("2026-11-22"), "{told}");
        assert_eq!(status["vault"]["releases"], 1);
        assert!(status["sentinel"].is_string() && status["frozen"].is_string());
        assert_eq!(status["isolated"], isolated);
    }
}
