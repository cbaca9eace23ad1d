//! `sekisho trace` and `sekisho queue`: how far a message came and why, for each recipient as far
//! as anybody here may know.

use super::held::explain;
use super::people::{folder, unknown};
use crate::arguments::Arguments;
use crate::client::{ask, value};
use crate::demo::screen::is_japanese;
use crate::outcome::{Answer, Outcome, Trouble};
use serde_json::{Value, json};
use wire::admin::Request;

const QUEUE_ACTS: &str = "list, show, status, hold, release or cancel";

/// The queue has envelopes sealed, and forgets them when they have left.
const NOT_SHOWN: [&str; 2] = [
    "外部の宛先は表示できません。送信するプロセスだけが開けるように封をしてあり、\
     送信後は残りません。宛先ごとの結果は outcomes にあり、\
     届かなかった宛先は差出人に通知しています（通知を断った差出人と、誰のものでもない\
     アドレスの差出人を除きます）。転送したメールの差出人を確かめられないときは、\
     差出人には通知せず、転送を設定した人のメールボックスに入れてその人に知らせるか、\
     テナントの管理者がいればその人に知らせます。\
     trace ADDRESS で、その宛先へのメールかどうかを確かめられます。",
    "recipients elsewhere are not listed: only who carries the mail can open them, and they are \
     forgotten afterwards. What became of each destination is in outcomes, and the sender was told \
     which recipients did not get it, unless they wanted no notice or their address is nobody's. \
     Where mail was passed on and nothing proves who sent it, its sender is not told: it is put \
     into the mailbox of whoever passes it on, who is told, or their tenant's administrator is, \
     if it has one. trace ADDRESS tells whether a message was for that one.",
];

/// Members of mailing lists are sealed, and told to whoever spreads a list's mail alone (decision
/// 0012): no journey names one.
const NOTHING_OF_MEMBERS: [&str; 2] = [
    "このアドレスでは何も見つかりません。メーリングリストの参加者は封をして保管しており、\
     リストの配信は参加者のアドレスでは探せません。\
     リストのアドレスで探してください（参加しているかどうかは list show LIST で分かります）。",
    "nothing is found by this address. Members of mailing lists are sealed, so what a list spread \
     is not found by a member's address: look for the list's (list show LIST tells its members).",
];

const NOTHING: [&str; 2] = [
    "何も見つかりません。Message-ID、アドレス、件名の全体、番号のどれかで探してください\
     （sekisho trace '*' は新しいものから表示します）。",
    "nothing is found: look by a Message-ID, an address, a whole subject or an id (sekisho trace \
     '*' shows the newest).",
];

pub fn trace(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.option("--data")?;
    let shape = "a Message-ID, an address, a whole subject or an id";
    let query = arguments.word(shape)?;
    arguments.finish()?;
    if query.trim().is_empty() {
        return Err(Trouble::wrong_use(
            shape,
            "an empty text",
            "sekisho trace '*' shows the newest",
        ));
    }
    let may_be_member = query.contains('@');
    let mut found = value(&folder(data)?, &Request::Trace { query })?;
    let is_found = !is_empty(&found);
    if !is_found {
        let [ja, en] = if may_be_member { NOTHING_OF_MEMBERS } else { NOTHING };
        super::insert(&mut found, "not_found", json!({ "ja": ja, "en": en }));
    }
    let items = found.get_mut("items").and_then(Value::as_array_mut);
    let mut is_any_leaving = false;
    for item in items.into_iter().flatten() {
        is_any_leaving |= item.get("direction").is_some_and(|way| way == "out");
        told(item, as_json);
    }
    if is_any_leaving {
        super::insert(&mut found, "not_shown", json!({ "ja": NOT_SHOWN[0], "en": NOT_SHOWN[1] }));
    }
    let found = if is_found { Outcome::Done(found) } else { Outcome::Wanting(found) };
    Ok(if as_json { found } else { found.in_one_language(is_japanese()) })
}

fn is_empty(found: &Value) -> bool {
    found.get("items").and_then(Value::as_array).is_some_and(Vec::is_empty)
}

/// Programs get everything; people get each thing once, in words.
fn told(item: &mut Value, as_json: bool) {
    if item.get("reasons").is_some() {
        explain(item, as_json);
    }
    let Some(fields) = item.as_object_mut().filter(|_| !as_json) else { return };
    let outcomes = fields.get("outcomes").and_then(Value::as_array);
    if outcomes.is_some_and(|all| !all.is_empty()) {
        fields.remove("destinations");
    }
    // Empty or without a meaning for this message.
    fields.retain(|_, value| !(value.is_null() || value.as_array().is_some_and(Vec::is_empty)));
}

pub fn queue(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.option("--data")?;
    let request = match arguments.word(QUEUE_ACTS)?.as_str() {
        "list" => {
            let (tenant, after) = (arguments.option("--tenant")?, arguments.option("--after")?);
            arguments.finish()?;
            let shown = ask(&folder(data)?, &Request::QueueList { tenant, after })?;
            let Outcome::Done(shown) = shown else { return Ok(shown) };
            return Ok(Outcome::Done(for_reader(shown, as_json, is_japanese())));
        }
        "show" => {
            let id = arguments.word("the id")?;
            arguments.finish()?;
            let mut shown = value(&folder(data)?, &Request::QueueShow { id })?;
            told(&mut shown, as_json);
            let shown = Outcome::Done(for_reader(shown, as_json, is_japanese()));
            return Ok(if as_json { shown } else { shown.in_one_language(is_japanese()) });
        }
        "status" => Request::QueueStatus,
        act @ ("hold" | "release" | "cancel") => {
            let act = act.to_owned();
            Request::QueueAct { act, id: arguments.word("the id")? }
        }
        other => return Err(unknown(QUEUE_ACTS, other.to_owned())),
    };
    arguments.finish()?;
    ask(&folder(data)?, &request)
}

/// For people, of `waits_for` and `waits_for_ja` the one that they read.
fn for_reader(value: Value, as_json: bool, is_japanese: bool) -> Value {
    let go_on = |value| for_reader(value, as_json, is_japanese);
    match value {
        Value::Object(mut fields) if !as_json => {
            let doubled: Vec<String> = fields
                .keys()
                .filter_map(|key| key.strip_suffix("_ja"))
                .map(str::to_owned)
                .collect();
            for name in doubled {
                let japanese = fields.remove(&format!("{name}_ja"));
                if let Some(japanese) = japanese.filter(|_| is_japanese) {
                    fields.insert(name, japanese);
                }
            }
            Value::Object(fields.into_iter().map(|(name, value)| (name, go_on(value))).collect())
        }
        Value::Array(items) if !as_json => items.into_iter().map(go_on).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{for_reader, told};
    use serde_json::json;

    #[test]
    fn people_read_why_it_waits_in_one_language() {
        let item = || json!([{ "legs": [{ "waits_for": "why", "waits_for_ja": "理由" }] }]);
        let one = |as_json, is_japanese| for_reader(item(), as_json, is_japanese);
        assert_eq!(one(true, true), item());
        assert_eq!(one(false, true), json!([{ "legs": [{ "waits_for": "理由" }] }]));
        assert_eq!(one(false, false), json!([{ "legs": [{ "waits_for": "why" }] }]));
    }

    #[test]
    fn people_read_outcomes_and_programs_everything() {
        let item = || {
            json!({
                "direction": "out", "reasons": ["auth.none"], "recipients": [], "decided": null,
                "destinations": { "sent": 0, "not_sent": 1 },
                "outcomes": [{ "destination": 1, "state": "failed", "status": "5.1.1" }],
            })
        };
        let (mut people, mut programs) = (item(), item());
        told(&mut people, false);
        told(&mut programs, true);
        assert_eq!(people["outcomes"][0]["status"], "5.1.1");
        assert_eq!(people["why"][0]["en"], "nothing authenticates the sender");
        for word in ["destinations", "reasons", "recipients", "decided"] {
            assert!(people.get(word).is_none() && programs.get(word).is_some(), "{word}");
        }
        // Before anything is known of its legs, their number is all there is.
        let mut early = json!({ "destinations": { "sent": 1 }, "outcomes": [] });
        told(&mut early, false);
        assert_eq!(early, json!({ "destinations": { "sent": 1 } }));
    }
}
