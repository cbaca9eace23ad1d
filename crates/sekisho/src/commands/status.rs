//! `sekisho status`: what the keepers say of themselves, who is cut off, and whether the evidence
//! is whole.

use super::people::folder;
use super::{keyless, losses, whole};
use crate::arguments::Arguments;
use crate::client::value;
use crate::demo::screen::say;
use crate::outcome::{Answer, Outcome};
use serde_json::{Value, json};
use wire::admin::Request;

pub fn run(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.option("--data")?;
    arguments.finish()?;
    let data = folder(data)?;
    let mut status = value(&data, &Request::Status)?;
    super::insert(&mut status, "losses", json!(losses::told(&data)));
    super::insert(&mut status, "without_keys", json!(keyless::listed(&data)));
    if !as_json {
        mark(&mut status);
    }
    Ok(whole::told(&whole::standing(&data), Outcome::Done(status)))
}

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
    let Some(fields) = status.as_object_mut() else { return };
    for (name, value) in fields.iter_mut() {
        if value.is_null() && matches!(name.as_str(), "mailbox" | "vault" | "sentinel") {
            *value = json!(say("応答なし", "does not answer"));
        }
        let is_none = value.as_array().is_some_and(Vec::is_empty);
        if is_none && matches!(name.as_str(), "isolated" | "frozen" | "losses" | "without_keys") {
            *value = json!(say("なし", "none"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::mark;
    use serde_json::json;

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
