//! `sekisho alarms`, `freeze`, `isolate`, `decoy`, `sigma`: what is watched, and who is stopped.

use super::evidence::{fault, time};
use super::named::Names;
use super::{grounds, rules, terminal, whole};
use crate::arguments::Arguments;
use crate::client::{ask, ask_on};
use crate::demo::screen::{is_japanese, say};
use crate::outcome::{Answer, Outcome, Trouble};
use evidence::{Body, Entry, rfc3339};
use serde_json::{Value, json};
use sigma::Rule;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use terms::UserId;
use wire::admin::Request;

/// The newest that are shown.
const SHOWN: usize = 10_000;
/// How the vault's word for who stands behind an address begins.
const STANDS: &str = "stands/";
/// Of so many the person is remembered while the ledger is read: those of a year, and more.
const STANDING: usize = 100_000;

/// Read from the ledger's own files: what was recorded is shown, whatever became of the sentinel.
pub fn alarms(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.option("--data")?;
    let since = arguments.option("--since")?;
    let since_ms = since.map_or(Ok(0), |text| time(&text))?;
    let with_raw = arguments.switch("--raw");
    if let Some(folder) = arguments.option("--rules")?.map(PathBuf::from) {
        // Those who wrote the house's own rules are named as well.
        rules::know(&rules::texts(&[folder])?);
    }
    match arguments.word("list")?.as_str() {
        "list" => arguments.finish()?,
        other => return Err(Trouble::wrong_use("list", other, "sekisho alarms list")),
    }
    let data = PathBuf::from(data.map_or_else(|| arguments.required("--data"), Ok)?);
    let doubts = whole::doubts(&data)?;
    let mut items = std::collections::VecDeque::new();
    let mut raw = 0u64;
    let mut standing = HashMap::new();
    ledger::entries(&data.join("ledger"), |index, entry| {
        note_standing(&entry.body, &mut standing);
        let is_raw = matches!(entry.body, Body::Alarm { .. });
        if entry.time_ms < since_ms || !(is_raw || matches!(entry.body, Body::Incident { .. })) {
            return;
        }
        raw += u64::from(is_raw);
        if with_raw || !is_raw {
            items.push_back(shown(index, &entry));
        }
        if items.len() > SHOWN {
            items.pop_front();
        }
    })
    .map_err(fault)?;
    let mut items = Value::Array(items.into());
    let mut users = whom(&items);
    users.extend(behind(&items, &standing).map(|(_, user)| user));
    let names = Names::ask(&data, &users);
    match as_json {
        true => names.beside(&mut items),
        false => items.as_array_mut().into_iter().flatten().for_each(|item| {
            without_pointers(item);
            with_standing(item, &standing, &names, is_japanese());
            with_names(item, &names, is_japanese());
        }),
    }
    let found = json!({ "items": items, "next": null, "raw": raw });
    Ok(whole::told(&doubts, Outcome::Done(found)))
}

/// Who stands first behind an address, by the vault's keyed word for it: it is nothing that people
/// can read, and the change that was recorded says whom it concerns.
fn note_standing(body: &Body, standing: &mut HashMap<String, UserId>) {
    if let Body::RuleChange { what, user: Some(user), .. } = body
        && what.as_str().starts_with(STANDS)
    {
        if standing.len() >= STANDING {
            standing.clear();
        }
        standing.insert(what.as_str().to_owned(), *user);
    }
}

/// The keyed words in a list of incidents that are known, each with its person.
fn behind<'a>(
    items: &'a Value,
    standing: &'a HashMap<String, UserId>,
) -> impl Iterator<Item = (&'a str, UserId)> {
    let what = |item: &'a Value| item.get("what")?.as_str();
    let texts = items.as_array().into_iter().flatten().filter_map(what);
    texts.filter_map(|text| word_in(text, standing))
}

fn word_in<'a>(text: &'a str, standing: &HashMap<String, UserId>) -> Option<(&'a str, UserId)> {
    let rest = text.get(text.find(STANDS)?..)?;
    let is_end = |letter: char| !letter.is_ascii_alphanumeric() && letter != '/';
    let word = rest.split(is_end).next()?;
    standing.get(word).map(|user| (word, *user))
}

/// The person's name beside the word.
fn with_standing(
    item: &mut Value,
    standing: &HashMap<String, UserId>,
    names: &Names,
    is_japanese: bool,
) {
    let Some(Value::String(what)) = item.get_mut("what") else { return };
    let Some((word, user)) = word_in(what, standing) else { return };
    let name = names.person(&user.to_string(), is_japanese);
    let told = match is_japanese {
        true => format!("{word}（変更後の受取人: {name} など）"),
        false => format!("{word} (as changed it leads to {name}, perhaps to others too)"),
    };
    *what = what.replace(word, &told);
}

/// People in a list of incidents.
fn whom(items: &Value) -> HashSet<UserId> {
    let user = |item: &Value| UserId::parse(item.get("user")?.as_str()?);
    items.as_array().into_iter().flatten().filter_map(user).collect()
}

/// People read names.
fn with_names(item: &mut Value, names: &Names, is_japanese: bool) {
    let id = |item: &Value, name: &str| item.get(name)?.as_str().map(str::to_owned);
    if let Some(id) = id(item, "tenant")
        && let Some(name) = names.tenant(&id, is_japanese)
    {
        // An alarm's own words have the id as well: `tenant 0011223344556677`.
        if let Some(Value::String(what)) = item.get_mut("what") {
            *what = what.replace(&format!("tenant {id}"), &format!("tenant {name}"));
        }
        super::insert(item, "tenant", json!(name));
    }
    if let Some(user) = id(item, "user") {
        super::insert(item, "user", json!(names.person(&user, is_japanese)));
    }
}

/// The arguments of a refused call are numbers and places in a memory that is gone: in the table
/// for people its name is enough.
fn without_pointers(item: &mut Value) {
    let Some(Value::String(what)) = item.get_mut("what") else { return };
    while let Some(at) = what.find(" (0x") {
        let Some(end) = what.get(at..).and_then(|rest| rest.find(')')) else { return };
        what.replace_range(at..=at + end, "");
    }
}

fn shown(index: u64, entry: &Entry) -> Value {
    let at = rfc3339(entry.time_ms);
    match &entry.body {
        Body::Incident { cause, kind, instance, tenant, user, count, what, rule, after_ms } => {
            let rule = rule.as_ref().map(|name| match rules::rule_of(name.as_str()) {
                Some(Rule { id, title, author, .. }) => {
                    json!({ "id": id, "title": title, "author": author })
                }
                None => json!({ "id": name.as_str() }),
            });
            json!({
                "index": index, "at": at, "cause": cause.as_str(),
                "component": kind.map(|kind| kind.word()),
                "instance": instance.map(|one| one.to_string()),
                "tenant": tenant.map(|one| one.to_string()),
                "user": user.map(|one| one.to_string()),
                "count": count, "what": what.as_str(), "rule": rule, "after_ms": after_ms,
            })
        }
        Body::Alarm { instance, kind, pid, call, what } => json!({
            "index": index, "at": at, "cause": "raw", "component": kind.word(),
            "instance": instance.to_string(), "pid": pid, "call": call.as_str(),
            "what": what.as_str(),
        }),
        _ => Value::Null,
    }
}

pub fn freeze(mut arguments: Arguments, frozen: bool, as_json: bool) -> Answer {
    let data = arguments.data()?;
    let tenant = arguments.option("--tenant")?;
    let component = arguments.option("--component")?;
    let is_sure = arguments.switch("--yes");
    let address = match (&tenant, &component) {
        (None, None) => Some(arguments.word("an address, --tenant T, --component access or list")?),
        _ => None,
    };
    // To stop somebody needs no reason; to let them go on is an act for two.
    let grounds = (!frozen).then(|| grounds::take(&mut arguments)).transpose()?;
    arguments.finish()?;
    if frozen && let Some(many) = component.as_ref().or(tenant.as_ref()) {
        let what = say(
            "全員がただちにメールを読めなくなり、unfreeze まで続きます",
            "nobody of it reads mail from this moment on, until `unfreeze`",
        );
        be_sure(is_sure || as_json, "freeze", many, what)?;
    }
    match (address.as_deref(), grounds) {
        (Some("list"), None) => ask(&data, &Request::FreezeList),
        (_, None) => ask(&data, &Request::Freeze { address, tenant, component, frozen }),
        (_, Some(grounds)) => {
            ask_on(&data, &Request::Freeze { address, tenant, component, frozen }, &grounds)
        }
    }
}

/// `isolate C` and `isolate list`.
pub fn isolate(mut arguments: Arguments, as_json: bool) -> Answer {
    let is_sure = arguments.switch("--yes");
    let (component, data) = arguments.act_and_data("a compartment's name, or list")?;
    arguments.finish()?;
    if component == "list" {
        return isolated(&data);
    }
    let what = say(
        "この部分は止まり、頼るすべての処理が release まで使えません",
        "it is stopped, and whatever needs it is away, until `release`",
    );
    be_sure(is_sure || as_json, "isolate", &component, what)?;
    ask(&data, &Request::Isolate { component, isolated: true })
}

/// To let somebody in again is an act for two, like `unfreeze`.
pub fn release(mut arguments: Arguments) -> Answer {
    let (component, data) = arguments.act_and_data("a compartment's name")?;
    let grounds = grounds::take(&mut arguments)?;
    arguments.finish()?;
    let request = Request::Isolate { component, isolated: false };
    let mut value = match ask_on(&data, &request, &grounds)? {
        Outcome::Done(value) => value,
        other => return Ok(other),
    };
    if value.get("was_isolated").and_then(Value::as_bool) != Some(false) {
        return Ok(Outcome::Done(value));
    }
    let nothing =
        say("切り離していませんでした。何も変わりません。", "it was not isolated: nothing changed");
    super::insert(&mut value, "about", json!(nothing));
    Ok(Outcome::Wanting(value))
}

/// A person says the name again; a script says `--yes`, or speaks JSON and knows what it does.
pub(super) fn be_sure(is_sure: bool, act: &str, name: &str, what: &str) -> Result<(), Trouble> {
    if is_sure {
        return Ok(());
    }
    let hint = format!("sekisho {act} … --yes: {what}");
    if !terminal::is_there() {
        return Err(Trouble::wrong_use("--yes where nobody can be asked", "nothing", &hint));
    }
    let prompt = say("続けるには名前をもう一度", "its name once more, to go on");
    let typed = terminal::ask_plainly(&format!("{act} {name}: {what}.\n{prompt}"))?;
    match typed.trim() == name {
        true => Ok(()),
        false => Err(Trouble::refused(name, format!("`{}`", typed.trim()), &hint)),
    }
}

/// By the warden's word, which knows it at once; while it is away, from the ledger's own files.
fn isolated(data: &Path) -> Answer {
    if let Ok(told) = crate::client::value(data, &Request::IsolateList) {
        return Ok(Outcome::Done(told));
    }
    let doubts = whole::doubts(data)?;
    let found = json!({ "items": isolated_now(data)?, "next": null });
    Ok(whole::told(&doubts, Outcome::Done(found)))
}

fn isolated_now(data: &Path) -> Result<Vec<Value>, Trouble> {
    let mut now = std::collections::BTreeMap::new();
    ledger::entries(&data.join("ledger"), |index, entry| match &entry.body {
        Body::Isolate { kind, by } => drop(now.insert(
            kind.word(),
            json!({
                "component": kind.word(), "since": rfc3339(entry.time_ms),
                "by": by.as_str(), "index": index,
            }),
        )),
        Body::Rejoin { kind, .. } => drop(now.remove(kind.word())),
        _ => {}
    })
    .map_err(fault)?;
    Ok(now.into_values().collect())
}

pub fn decoy(mut arguments: Arguments) -> Answer {
    let data = arguments.option("--data")?;
    let tenant = arguments.option("--tenant")?;
    match arguments.word("add")?.as_str() {
        "add" => {}
        "list" => {
            let hint = "whoever could list them could pass them by: note each when it is made; \
                        `status` counts them";
            return Err(Trouble::wrong_use("add: decoys are listed to nobody", "list", hint));
        }
        other => return Err(Trouble::wrong_use("add", other, "sekisho decoy add ADDRESS")),
    }
    let address = arguments.word("an address that nobody has")?;
    arguments.finish()?;
    let hint = "sekisho decoy add ADDRESS --tenant T";
    let tenant = tenant.ok_or_else(|| Trouble::wrong_use("--tenant T", "nothing", hint))?;
    let data = super::people::folder(data)?;
    ask(&data, &Request::DecoyAdd { address, tenant })
}

#[cfg(test)]
mod tests {
    use super::super::named::Names;
    use super::{note_standing, with_names, with_standing, without_pointers};
    use evidence::Body;
    use serde_json::json;
    use std::collections::HashMap;

    #[test]
    fn an_alarms_own_words_name_the_tenant() {
        let user = terms::UserId([7; 8]);
        let names = Names::known(&json!({
            "items": [{ "user": user.to_string(), "address": "aoi@kaede.example" }],
            "tenants": [{ "tenant": "0011223344556677", "name": "Kaede", "ended": false }],
        }));
        let what = "others would stand behind an address: tenant 0011223344556677, stands/ab";
        let mut item = json!({ "tenant": "0011223344556677", "what": what });
        with_names(&mut item, &names, false);
        let expected = "others would stand behind an address: tenant Kaede, stands/ab";
        assert_eq!(item, json!({ "tenant": "Kaede", "what": expected }));
        // The recorded change says whom it concerns.
        let mut standing = HashMap::new();
        let change = |what: &str, user| Body::RuleChange {
            what: what.into(),
            tenant: None,
            user,
            weakened: None,
            by: None,
            credential: None,
        };
        note_standing(&change("group.set", Some(user)), &mut standing);
        note_standing(&change("stands/ac", Some(user)), &mut standing);
        with_standing(&mut item, &standing, &names, false);
        assert_eq!(item["what"], expected, "another's");
        note_standing(&change("stands/ab", Some(user)), &mut standing);
        with_standing(&mut item, &standing, &names, false);
        let told = "(as changed it leads to aoi@kaede.example, perhaps to others too)";
        assert_eq!(item["what"], format!("{expected} {told}"));
    }

    #[test]
    fn pointers_say_nothing_to_people() {
        let check = |what: &str, expected: &str| {
            let mut item = json!({ "what": what });
            without_pointers(&mut item);
            assert_eq!(item["what"], expected);
        };
        check("execve: refused (0x55869d178d80, 0x7ffc, 0x0)", "execve: refused");
        check("3 more: execve: refused (0x1, 0x2, 0x3)", "3 more: execve: refused");
        check("refused (0x1", "refused (0x1");
        check("a decoy (aoi) was touched", "a decoy (aoi) was touched");
    }
}
