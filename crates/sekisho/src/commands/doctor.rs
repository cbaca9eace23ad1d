//! `sekisho doctor`: which walls this machine grants, what is weakened here, and whether the
//! evidence is whole.

use super::{
    epochs, install, keyless, losses, questions, returned, site, sources, status, unsealing, whole,
};
use crate::arguments::Arguments;
use crate::outcome::{Answer, Outcome};
use compartment::Wall;
use serde_json::{Value, json};
use std::error::Error;
use std::path::{Path, PathBuf};

pub fn run(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.option("--data")?.map(PathBuf::from);
    let config = arguments.option("--config")?.map(PathBuf::from);
    arguments.finish()?;
    let settings = config.map(|path| install::settings_in(&path)).transpose()?;
    let data = data.or_else(|| settings.as_ref().map(|settings| settings.house.data.clone()));
    let countries = settings.as_ref().map(|one| super::countries::told(&one.brake.countries));
    let root = settings.as_ref().map(|settings| unsealing::told(&settings.unseal));
    let keys = data.as_deref().map(about_keys);
    let (folder, amiss) = data.as_deref().map(site::told).unzip();
    let laid_amiss = data.as_deref().map(site::laid_amiss).unwrap_or_default();
    let full = data.as_deref().and_then(site::without_room);
    let is_asked = data.is_some();
    let asked = data.as_deref().map(questions::asked).unwrap_or_default();
    let questions::Told { status: service, endings, tenants, domains, queue } = asked;
    let endings = endings.and_then(|told| told.get("items").cloned());
    let language = if crate::demo::screen::is_japanese() { "ja" } else { "en" };
    let near = queue.as_ref().and_then(|told| told.get("near")?.get(language)?.as_str());
    let near = near.map(str::to_owned);
    let losses = data.as_deref().map(losses::told);
    let keyless = data.as_deref().and_then(|data| keyless::missing(data).ok());
    let back = data.as_deref().map(|data| returned::search(data, &[])).unwrap_or_default();
    let (doubts, is_read) = data.as_deref().map(whole::examined).unwrap_or_default();
    let glance = is_asked && is_read.is_none();
    let glance = glance.then_some("the ledger is large and was only looked at: ledger verify");
    let mut weakened =
        weak_points((is_asked, service.as_ref()), tenants.as_ref(), domains.as_ref());
    weakened.extend(amiss.flatten());
    weakened.extend(laid_amiss);
    let unable = service.as_ref().map(status::unable).unwrap_or_default();
    weakened.extend(unable.into_iter().map(|(_, what)| what));
    let taken = service.as_ref().map(status::taken).unwrap_or_default();
    weakened.extend(taken.into_iter().map(|(_, what)| what));
    let silent = service.as_ref().map(status::silent).unwrap_or_default();
    let silent: Vec<String> = silent.into_iter().map(|(_, what)| what).collect();
    weakened.extend(silent.into_iter().filter(|what| !weakened.contains(what)).collect::<Vec<_>>());
    weakened.extend(full);
    weakened.extend(endings.iter().flat_map(waiting_for_keys));
    weakened.extend(near);
    weakened.extend(losses.iter().flatten().flat_map(|told| losses::open(told)));
    weakened.extend(back.found.iter().map(|place| format!("{place}: keys epochs end destroys it")));
    weakened.extend(back.unread);
    weakened.extend(keyless.as_deref().and_then(keyless::warning));
    let found = json!({
        "service": service,
        "queue": queue,
        "data_folder": folder,
        "root": root,
        "keys": keys,
        "countries": countries,
        "contracts_ending": endings,
        "losses": losses.flatten(),
        "evidence_not_read": glance,
    });
    Ok(whole::told(&doubts, judged(found, weakened, as_json)))
}

/// What is wanting makes the exit code 1 and is named as such; what was chosen does not, or else a
/// monitor of such a house would never see a disk that fills up.
fn judged(mut found: Value, weakened: Vec<String>, as_json: bool) -> Outcome {
    let walls = compartment::walls();
    let names = |walls: &[Wall]| walls.iter().map(ToString::to_string).collect::<Vec<_>>();
    let missing = names(&walls.missing);
    let chosen = chosen(found.get("service"));
    let absent = missing.iter().map(|wall| format!("a wall is missing: {wall}"));
    let wanting: Vec<String> = absent.chain(weakened.iter().cloned()).collect();
    let is_sound = wanting.is_empty();
    super::insert(&mut found, "walls", json!(names(&walls.granted)));
    super::insert(&mut found, "landlock", json!(walls.landlock));
    super::insert(&mut found, "missing_walls", json!(missing));
    super::insert(&mut found, "wanting", json!(wanting));
    super::insert(&mut found, "weaker_by_choice", json!(chosen));
    if as_json {
        let all: Vec<String> = chosen.into_iter().chain(weakened).collect();
        super::insert(&mut found, "weakened", json!(all));
    }
    if is_sound { Outcome::Done(found) } else { Outcome::Wanting(found) }
}

/// Less than the house could do, as somebody decided: told, and no fault.
fn chosen(service: Option<&Value>) -> Vec<String> {
    let is_single = |status: &Value| status.get("single_operator").and_then(Value::as_bool);
    let single = service.and_then(is_single).unwrap_or(false).then(|| {
        "single-operator: what should need two persons is done by one and recorded".to_owned()
    });
    single.into_iter().chain(just_enough(service)).collect()
}

/// What is weakened here, in words. `service`: whether one is asked, and its status.
fn weak_points(
    (is_asked, service): (bool, Option<&Value>),
    tenants: Option<&Value>,
    domains: Option<&Value>,
) -> Vec<String> {
    let is_unproven = service.is_some_and(nothing_opens);
    let mut weakened: Vec<String> = Vec::new();
    let mut say = |is_so: bool, what: &str| weakened.extend(is_so.then(|| what.to_owned()));
    say(
        !compartment::is_root(),
        "not root: compartments share one user id; namespaces as the kernel grants",
    );
    say(is_asked && service.is_none(), "no service answers on this data folder");
    say(is_unproven, "nobody can read: ledger or mirror is away, see `alarms list`; mail arrives");
    for (tenant, source) in tenants.into_iter().flat_map(sources::gone) {
        let what = format!(
            "mail of {tenant} waits: it leaves from {source}, which this host does not have \
             any more"
        );
        weakened.push(what);
    }
    for (domain, names) in domains.into_iter().flat_map(unproven) {
        weakened.push(format!(
            "MTA-STS of {domain} is enforced, but no sender trusts the certificate of {names}: \
             `domain check` says what to do"
        ));
    }
    let untold = domains.into_iter().flat_map(untold);
    weakened.extend(untold.map(|(domain, warning)| format!("{domain}: {warning}")));
    weakened
}

/// Gateways whose failures nobody hears of, as `domain list` tells them.
fn untold(domains: &Value) -> Vec<(String, String)> {
    let items = domains.get("items").and_then(Value::as_array).into_iter().flatten();
    let word = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).map(str::to_owned);
    items.filter_map(|one| word(one, "domain").zip(word(one, "warning"))).collect()
}

/// Two persons decide, and no third is there whom one of them could ask.
fn just_enough(service: Option<&Value>) -> Option<String> {
    let approvals = service?.get("approvals")?;
    let warning = approvals.get("warning")?.as_str()?;
    let able = approvals.get("who_may_approve")?.as_u64()?;
    Some(format!("only {able} may approve: {warning}"))
}

/// Ends of contracts that wait until somebody destroys the key of a backup.
fn waiting_for_keys(endings: &Value) -> Vec<String> {
    let all = endings.as_array().into_iter().flatten();
    let waiting = all.filter_map(|one| {
        let word = |field: &str| one.get(field).and_then(Value::as_str);
        let waits = word("waits_for").filter(|_| word("state") == Some("destroying"))?;
        let whose = word("person").or(word("user_id")).or(word("tenant"))?;
        Some(format!("{whose}: {waits}"))
    });
    waiting.collect()
}

/// Whether ledger or mirror is away, by what the vault says in `status`.
fn nothing_opens(status: &Value) -> bool {
    status.pointer("/vault/evidence").and_then(Value::as_bool) == Some(false)
}

/// Domains that enforce a policy (as `domain list` tells them), with the names in it that only our
/// own authority vouches for.
fn unproven(domains: &Value) -> Vec<(String, String)> {
    let items = domains.get("items").and_then(Value::as_array).into_iter().flatten();
    let found = items.filter_map(|domain| {
        let names = domain.pointer("/mta_sts/unproven")?.as_array()?.iter();
        let names: Vec<&str> = names.filter_map(Value::as_str).collect();
        let name = domain.get("domain")?.as_str()?;
        (!names.is_empty()).then(|| (name.to_owned(), names.join(", ")))
    });
    found.collect()
}

/// The key store without any key: what is destroyed, sealed, held, and which backups could open.
fn about_keys(data: &Path) -> Value {
    let told = match vault::look(&data.join("vault")) {
        Ok(told) => told,
        Err(fault) => {
            let source = fault.source().map(|source| format!(": {source}"));
            return json!({ "fault": format!("{fault}{}", source.unwrap_or_default()) });
        }
    };
    let here = epochs::present(&epochs::beside(data));
    let epochs: Vec<Value> = told
        .backup_epochs
        .iter()
        .map(|epoch| {
            json!({
                "epoch": epoch.epoch,
                "ended": epoch.ended_ms.map(evidence::rfc3339),
                "destroyed": epoch.destroyed_ms.map(evidence::rfc3339),
                "key_here": here.contains(&epoch.epoch),
            })
        })
        .collect();
    json!({
        "tenants": told.tenants,
        "shredded": told.shredded,
        "sealed": told.sealed,
        "holds": told.holds,
        "unfinished": told.unfinished,
        "backup_epochs": epochs,
    })
}

#[cfg(test)]
mod tests {
    use super::{chosen, judged, just_enough, waiting_for_keys, weak_points};
    use crate::outcome::Outcome;
    use serde_json::json;

    #[test]
    fn it_is_said_that_no_third_may_approve() {
        let approvals = json!({ "who_may_approve": 2, "warning": "what one of them asks for" });
        let told = just_enough(Some(&json!({ "approvals": approvals })));
        assert_eq!(told.as_deref(), Some("only 2 may approve: what one of them asks for"));
        assert_eq!(just_enough(Some(&json!({ "approvals": { "who_may_approve": 3 } }))), None);
    }

    /// A monitor must tell one operator, as somebody decided, from a disk that is full.
    #[test]
    fn what_was_chosen_is_told_and_makes_no_fault() {
        let one = json!({ "service": { "single_operator": true } });
        let value = |outcome| match outcome {
            Outcome::Done(value) | Outcome::Wanting(value) => value,
            _ => panic!("neither"),
        };
        let plain = value(judged(one.clone(), vec!["the disk is full".to_owned()], false));
        assert!(plain["wanting"].to_string().contains("the disk is full"), "{plain}");
        assert!(plain["weaker_by_choice"][0].as_str().unwrap().starts_with("single-operator: "));
        assert!(plain.get("weakened").is_none(), "people read each once: {plain}");
        let all = value(judged(one.clone(), vec!["the disk is full".to_owned()], true));
        assert_eq!(all["weakened"].as_array().unwrap().len(), 2, "{all}");
        let missing = compartment::walls().missing.len();
        let outcome = judged(one, Vec::new(), true);
        assert_eq!(matches!(outcome, Outcome::Done(_)), missing == 0);
        assert_eq!(value(outcome)["wanting"].as_array().unwrap().len(), missing);
        assert!(chosen(Some(&json!({ "single_operator": false }))).is_empty());
    }

    #[test]
    fn it_is_said_for_whose_key_an_ending_waits() {
        let waits = "waits for the key of backup epoch 1, 2: where no key backup was made, or the \
            key lies beside the data, the house ends it by itself within minutes; elsewhere: \
            `keys epochs end --epoch-keys DIR`";
        let endings = json!([
            { "tenant": "house2", "state": "destroying", "waits_for": waits },
            { "tenant": "acme", "state": "destroying", "waits_for": null },
        ]);
        let told = waiting_for_keys(&endings);
        assert_eq!(told, [format!("house2: {waits}")]);
        let japanese = crate::words::in_japanese(&told[0]).unwrap();
        assert!(japanese.contains("バックアップ期 1, 2 の鍵"), "{japanese}");
    }

    #[test]
    fn it_is_said_that_nobody_can_read() {
        let says = |status| {
            let told = weak_points((true, Some(&status)), None, None);
            told.iter().any(|one| one.starts_with("nobody can read: ledger or mirror is away"))
        };
        assert!(says(json!({ "vault": { "evidence": false } })));
        assert!(!says(json!({ "vault": { "evidence": true } })));
        assert!(!says(json!({ "vault": null })), "the vault's silence says nothing of the ledger");
    }
}
