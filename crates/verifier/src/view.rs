//! A view, checked from its folder; and `view.json`, what it says that it was asked for, against
//! the entries: nobody signed that file.

use crate::json;
use crate::memory::Shown;
use crate::report::Report;
use crate::said::Said;
use annals::{Fault, check_view};
use evidence::{Body, Entry};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use terms::{TenantId, UserId};

const NAME: &str = "view.json";
const FIELDS: &[&str] = &["tenant", "user", "from_ms", "until_ms", "entries", "size", "root", "to"];

/// An entry that names persons.
struct Touching {
    index: u64,
    at_ms: u64,
    is_alarm: bool,
    persons: Vec<(TenantId, Option<UserId>)>,
}

/// Checks the view in `folder`.
///
/// # Errors
/// Files that cannot be read.
pub fn check(
    folder: &Path,
    before: Option<u64>,
    mut keep: impl FnMut(u64, &Entry),
) -> Result<(Report, Shown), Fault> {
    let mut touching = Vec::new();
    let (found, keys) = check_view(folder, before, |index, entry| {
        let mut persons = Vec::new();
        scope::facts(index, entry, |fact| {
            persons.extend(fact.person.map(|person| (person.tenant, person.user)));
        });
        if !persons.is_empty() {
            let is_alarm = matches!(entry.body, Body::Alarm { .. });
            touching.push(Touching { index, at_ms: entry.time_ms, is_alarm, persons });
        }
        keep(index, entry);
    })?;
    let shown = Shown { ledger: keys.ledger.clone(), note: found.note, before: found.before };
    let mut report = Report {
        size: found.size,
        root: found.root,
        entries: found.entries,
        cosigned_at: found.cosigned_at,
        ledger: keys.ledger.to_text(),
        mirror: keys.mirror.map(|mirror| mirror.to_text()),
        problems: found.problems.into_iter().map(Said::from).collect(),
        notes: vec!["a view cannot show that nothing was left out".into()],
        ..Report::of("view")
    };
    let asked = asked(folder, &mut report);
    if let Some(asked) = &asked {
        judge(asked, &touching, &mut report);
    }
    report.view = Some(told(asked.unwrap_or_default(), &touching));
    Ok((report, shown))
}

/// What `view.json` says, if it can be read.
fn asked(folder: &Path, report: &mut Report) -> Option<Map<String, Value>> {
    let Ok(text) = std::fs::read(folder.join(NAME)) else {
        report.notes.push(Said::new(
            "there is no `view.json`: what was asked for is not told, only what is shown",
            "`view.json` がないので、何が求められた view かは分からない（示された記録だけが分かる）",
        ));
        return None;
    };
    match json::read(&text) {
        Ok(Value::Object(fields)) => Some(fields),
        Ok(_) => {
            problem(report, "`view.json` is no object", "`view.json` が正しい形でない");
            None
        }
        Err(why) => {
            problem(
                report,
                format!("`view.json` cannot be read: {why}"),
                format!("`view.json` が読めない: {why}"),
            );
            None
        }
    }
}

fn problem(report: &mut Report, english: impl Into<String>, japanese: impl Into<String>) {
    report.problems.push(Said::new(english, japanese));
}

fn judge(asked: &Map<String, Value>, touching: &[Touching], report: &mut Report) {
    for name in asked.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
        problem(
            report,
            format!("`view.json`: `{name}` is no field of it: nothing vouches for it"),
            format!("`view.json`: `{name}` はその項目ではなく、裏づけがない"),
        );
    }
    let expected = [
        ("entries", json!(report.entries)),
        ("size", json!(report.size)),
        ("root", json!(report.root.to_base64())),
    ];
    for (field, expected) in expected {
        let found = asked.get(field).map_or_else(|| "nothing".to_owned(), Value::to_string);
        if found != expected.to_string() {
            problem(
                report,
                format!("`view.json`: `{field}` says {found}, the entries {expected}"),
                format!("`view.json`: `{field}` には {found}、記録には {expected} とある"),
            );
        }
    }
    judge_whose(asked, touching, report);
    report.notes.push(Said::new(
        "whom and which time the view was asked for, `view.json` says; the entries bear it out as \
         far as they go, and nobody signed it",
        "だれの、どの期間の view かは `view.json` の記載による。示された記録とは矛盾しないが、署名はない",
    ));
}

/// Every entry that names persons names those that were asked for, within that time.
fn judge_whose(asked: &Map<String, Value>, touching: &[Touching], report: &mut Report) {
    let word = |field: &str| asked.get(field).and_then(Value::as_str);
    let is_there = |field: &str| asked.get(field).is_some_and(|value| !value.is_null());
    let tenant = word("tenant").and_then(TenantId::parse);
    let user = word("user").and_then(UserId::parse);
    let from_ms = asked.get("from_ms").and_then(Value::as_u64);
    let until_ms = asked.get("until_ms").and_then(Value::as_u64);
    let wrong = [
        ("tenant", tenant.is_none()),
        ("user", is_there("user") && user.is_none()),
        ("from_ms", from_ms.is_none()),
        ("until_ms", is_there("until_ms") && until_ms.is_none()),
    ];
    for (field, _) in wrong.iter().filter(|(_, is_wrong)| *is_wrong) {
        problem(
            report,
            format!("`view.json`: `{field}` cannot be read"),
            format!("`view.json`: `{field}` が読めない"),
        );
    }
    let (Some(tenant), Some(from_ms)) = (tenant, from_ms) else { return };
    let time = from_ms..until_ms.unwrap_or(u64::MAX);
    for Touching { index, at_ms, is_alarm, persons } in touching {
        let is_theirs = |(of, who): &(TenantId, Option<UserId>)| {
            *of == tenant && (user.is_none() || *is_alarm || *who == user)
        };
        if !persons.iter().any(is_theirs) {
            problem(
                report,
                format!("entry {index} names others than `view.json` says"),
                format!("記録 {index} が示す契約・利用者は、`view.json` と違う"),
            );
        } else if !is_alarm && !time.contains(at_ms) {
            problem(
                report,
                format!("entry {index} is of another time than `view.json` says"),
                format!("記録 {index} の時刻は、`view.json` の期間の外にある"),
            );
        }
    }
}

/// For readers: what it says, and how many entries name which contract.
fn told(mut asked: Map<String, Value>, touching: &[Touching]) -> Value {
    let mut named: BTreeMap<String, u64> = BTreeMap::new();
    for one in touching {
        let mut tenants: Vec<TenantId> = one.persons.iter().map(|(tenant, _)| *tenant).collect();
        tenants.sort_unstable();
        tenants.dedup();
        for tenant in tenants {
            *named.entry(tenant.to_string()).or_default() += 1;
        }
    }
    asked.remove("to");
    json!({ "asked": asked, "named": named })
}

/// The same, for people.
pub fn lines(view: &Value, is_japanese: bool) -> Vec<String> {
    let say = |japanese: &'static str, english| if is_japanese { japanese } else { english };
    let mut lines = Vec::new();
    let fields = [
        ("tenant", say("求められた契約", "asked for contract")),
        ("user", say("求められた利用者", "asked for person")),
        ("from_ms", say("期間の始まり (ms)", "from (ms)")),
        ("until_ms", say("期間の終わり (ms)", "until (ms)")),
    ];
    for (field, label) in fields {
        match view.get("asked").and_then(|asked| asked.get(field)) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => lines.push(format!("{label}: {text}")),
            Some(other) => lines.push(format!("{label}: {other}")),
        }
    }
    let named = view.get("named").and_then(Value::as_object);
    for (tenant, count) in named.into_iter().flatten() {
        lines.push(match is_japanese {
            true => format!("契約 {tenant} の名がある記録: {count}"),
            false => format!("entries that name contract {tenant}: {count}"),
        });
    }
    lines
}
