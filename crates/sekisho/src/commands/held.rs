//! `sekisho quarantine`: what was set aside, and why, in words; and that it may leave.

use super::people::{folder, unknown};
use crate::arguments::Arguments;
use crate::client::{ask, value};
use crate::demo::screen::is_japanese;
use crate::outcome::{Answer, Outcome, Trouble};
use policy::Language;
use serde_json::{Value, json};
use wire::admin::Request;

const ACTS: &str = "list, show or release";

/// No key of the house's own opens these, and none is made for an operator.
const NOT_SHOWN: [&str; 2] = [
    "差出人、件名、本文は表示できません。受取人の鍵でしか開かないように封をしてあるためです。\
     差出人のアドレス、件名の全文、Message-ID のどれかが分かれば、--about で照合できます。",
    "sender, subject and text are not shown: they are sealed, and only the recipient's key opens \
     them. Who knows the sender's address, the whole subject or the Message-ID finds the message \
     with --about.",
];

pub fn quarantine(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.option("--data")?;
    let request = match arguments.word(ACTS)?.as_str() {
        "list" => Request::QuarantineList {
            tenant: arguments.option("--tenant")?,
            about: about(&mut arguments)?,
        },
        "show" => {
            Request::QuarantineShow { about: about(&mut arguments)?, id: arguments.word("the id")? }
        }
        "release" => Request::QuarantineRelease { id: arguments.word("the id")? },
        other => return Err(unknown(ACTS, other.to_owned())),
    };
    arguments.finish()?;
    let data = folder(data)?;
    if matches!(request, Request::QuarantineRelease { .. }) {
        return ask(&data, &request);
    }
    let held = told(value(&data, &request)?, as_json);
    Ok(if as_json { held } else { held.in_one_language(is_japanese()) })
}

fn about(arguments: &mut Arguments) -> Result<Option<String>, Trouble> {
    let text = arguments.option("--about")?;
    match &text {
        Some(text) if text.trim().is_empty() => {
            let shape = "a sender's address, a whole subject or a Message-ID";
            Err(Trouble::wrong_use(shape, "an empty text", "--about news@shop.example"))
        }
        _ => Ok(text),
    }
}

/// With the reasons in words, and what nobody here can read. Programs get the reasons' ids too.
fn told(mut value: Value, as_json: bool) -> Outcome {
    match value.get_mut("items").and_then(Value::as_array_mut) {
        Some(items) => items.iter_mut().for_each(|item| explain(item, as_json)),
        None => explain(&mut value, as_json),
    }
    super::insert(&mut value, "not_shown", json!({ "ja": NOT_SHOWN[0], "en": NOT_SHOWN[1] }));
    Outcome::Done(value)
}

/// Reasons in words.
pub fn explain(held: &mut Value, as_json: bool) {
    let reasons = held.get("reasons").and_then(Value::as_array).cloned().unwrap_or_default();
    let words = |reason: &Value| {
        let id = reason.as_str().unwrap_or_default();
        let [ja, en] = [Language::Japanese, Language::English].map(|one| policy::why(id, one, ""));
        json!({ "ja": ja, "en": en })
    };
    let why: Vec<Value> = reasons.iter().map(words).collect();
    super::insert(held, "why", json!(why));
    if !as_json && let Some(fields) = held.as_object_mut() {
        fields.remove("reasons");
    }
}

#[cfg(test)]
mod tests {
    use super::told;
    use crate::outcome::Outcome;
    use serde_json::json;

    #[test]
    fn reasons_in_words_and_what_is_sealed() {
        let held = |as_json| {
            let item = json!({ "id": "a.b", "reasons": ["auth.none", "no.such.reason"] });
            let Outcome::Done(value) = told(json!({ "items": [item] }), as_json) else { panic!() };
            value
        };
        let programs = held(true);
        assert_eq!(programs["items"][0]["reasons"][0], "auth.none");
        assert_eq!(programs["items"][0]["why"][0]["en"], "nothing authenticates the sender");
        assert_eq!(programs["items"][0]["why"][1]["ja"], "no.such.reason");
        let people = Outcome::Done(held(false)).in_one_language(true);
        let Outcome::Done(people) = people else { panic!() };
        assert!(people["items"][0]["reasons"].is_null());
        let ja = "送信ドメイン認証がまったくありません";
        assert_eq!(people["items"][0]["why"][0], ja);
        assert!(people["not_shown"].as_str().unwrap().contains("受取人の鍵"));
    }
}
