//! Ended contracts, holds, and what a search for remains needs to know.

use crate::approvals::{self, perform, permission};
use crate::called;
use crate::peers::{Answer, Peers, Refusal};
use crate::people::{names, one_tenant, one_user};
use crate::places::{self, directory};
use data_encoding::HEXLOWER;
use evidence::rfc3339;
use serde_json::{Value, json};
use std::collections::HashMap;
use terms::{HoldId, UserId};
use wire::approval::Act;
use wire::directory::{Ending, EndingState, FromAdmin, Hold, Part, ToAdmin};

pub fn terminate_tenant(peers: &mut Peers<'_>, name: &str, grace_ms: u64) -> Answer {
    let tenant = one_tenant(peers, name)?.tenant;
    let permission = permission(peers)?;
    perform(peers, Act::TerminateTenant { tenant, grace_ms }, permission)
}

pub fn terminate_user(peers: &mut Peers<'_>, address: &str, grace_ms: u64) -> Answer {
    let part = part_of(peers, address)?;
    let Some(user) = part.user else {
        return Err(Refusal::new("a person's address", address, "tenant terminate NAME"));
    };
    let permission = permission(peers)?;
    perform(peers, Act::TerminateUser { tenant: part.tenant, user, grace_ms }, permission)
}

/// A tenant by its name, or a person by their address.
fn part_of(peers: &mut Peers<'_>, name: &str) -> Result<Part, Refusal> {
    if name.contains('@') {
        let user = one_user(peers, &FromAdmin::UserFind { address: name.to_owned() })?;
        return Ok(Part { tenant: user.tenant_id, user: Some(user.user) });
    }
    Ok(Part { tenant: one_tenant(peers, name)?.tenant, user: None })
}

pub fn cancel(peers: &mut Peers<'_>, name: &str) -> Answer {
    let part = part_of(peers, name)?;
    directory(peers, &FromAdmin::Cancel(part), |answer| match answer {
        ToAdmin::Done => Some(json!({ "cancelled": name, "state": "active" })),
        _ => None,
    })
}

/// All of them, or of people who had this address.
pub fn list(peers: &mut Peers<'_>, address: Option<String>) -> Answer {
    let mut endings = Vec::new();
    let question = match address {
        Some(address) => FromAdmin::EndingsOf { address },
        None => FromAdmin::EndingList,
    };
    directory(peers, &question, |answer| match answer {
        ToAdmin::Endings(found) => {
            endings = found;
            Some(Value::Null)
        }
        _ => None,
    })?;
    // A person's part bears no name of its own: theirs while they have one, and the contract's,
    // which may go on.
    let called = called::tenants(peers)?;
    let users: Vec<UserId> = endings.iter().filter_map(|ending| ending.part.user).collect();
    let addresses = names(peers, users.clone())?;
    let people: HashMap<UserId, Option<String>> = users.into_iter().zip(addresses).collect();
    let held = held_by(peers, &endings)?;
    let salts = name_salts(peers)?;
    let waits = waits(peers)?;
    let shown = endings.iter().zip(held).map(|(ending, held)| {
        let mut shown = ending_json(ending);
        let contract = called.get(&ending.part.tenant).map(|called| &called.name);
        let person = ending.part.user.and_then(|user| people.get(&user)).cloned().flatten();
        let salt = salts.get(&ending.part).map(|salt| HEXLOWER.encode(salt));
        for (field, value) in [
            ("contract", json!(contract)),
            ("person", json!(person)),
            ("held_by", json!(held)),
            ("waits_for", json!(waits.get(&ending.part))),
            ("name_salt", json!(salt)),
        ] {
            crate::people::set(&mut shown, field, value);
        }
        shown
    });
    Ok(items(shown.collect()))
}

/// What the names in certificates are checked with.
fn name_salts(peers: &mut Peers<'_>) -> Result<HashMap<Part, [u8; 16]>, Refusal> {
    let mut salts = HashMap::new();
    directory(peers, &FromAdmin::NameSalts, |answer| match answer {
        ToAdmin::NameSalts(found) => {
            salts = found.into_iter().collect();
            Some(Value::Null)
        }
        _ => None,
    })?;
    Ok(salts)
}

/// What each waits for, in a sentence.
pub fn waits(peers: &mut Peers<'_>) -> Result<HashMap<Part, String>, Refusal> {
    let mut waits = HashMap::new();
    directory(peers, &FromAdmin::EndingWaits, |answer| match answer {
        ToAdmin::EndingWaits(found) => {
            waits = found.into_iter().map(|(part, wait)| (part, wait.told())).collect();
            Some(Value::Null)
        }
        _ => None,
    })?;
    Ok(waits)
}

/// Whose end waits for what, for `status`; nobody is asked more where nothing waits.
pub fn waiting(peers: &mut Peers<'_>) -> Vec<String> {
    if waits(peers).is_ok_and(|waits| waits.is_empty()) {
        return Vec::new();
    }
    let told = list(peers, None).unwrap_or_default();
    let all = told.get("items").and_then(Value::as_array).into_iter().flatten();
    let waiting = all.filter_map(|one| {
        let word = |field: &str| one.get(field).and_then(Value::as_str);
        let whose = word("person").or(word("user_id")).or(word("tenant"))?;
        Some(format!("{whose}: {}", word("waits_for")?))
    });
    waiting.collect()
}

/// What holds each of these: holds by their id, and those that `keys hold` set.
fn held_by(peers: &mut Peers<'_>, endings: &[Ending]) -> Result<Vec<Vec<String>>, Refusal> {
    if endings.iter().all(|ending| ending.state != EndingState::Held) {
        return Ok(vec![Vec::new(); endings.len()]);
    }
    let holds = all_holds(peers)?;
    let upon_keys = holds_upon_keys(peers, &holds)?;
    let of = |ending: &Ending| {
        let named = holds.iter().filter(|hold| covers(hold.part, ending.part));
        let named = named.map(|hold| hold.hold.to_string());
        let keys = upon_keys.iter().filter(|part| covers(**part, ending.part));
        let keys = keys.map(|_| "keys hold".to_owned());
        match ending.state {
            EndingState::Held => named.chain(keys).collect(),
            _ => Vec::new(),
        }
    };
    Ok(endings.iter().map(of).collect())
}

/// A tenant's hold holds one of its people, too, and a person's the tenant.
fn covers(held: Part, part: Part) -> bool {
    held.tenant == part.tenant
        && (held.user.is_none() || part.user.is_none() || held.user == part.user)
}

fn all_holds(peers: &mut Peers<'_>) -> Result<Vec<Hold>, Refusal> {
    let mut holds = Vec::new();
    directory(peers, &FromAdmin::HoldList, |answer| match answer {
        ToAdmin::Holds(found) => {
            holds = found;
            Some(Value::Null)
        }
        _ => None,
    })?;
    Ok(holds)
}

/// What the vault was told to hold by `keys hold` alone: every hold of the directory's holds the
/// keys as well.
fn holds_upon_keys(peers: &mut Peers<'_>, known: &[Hold]) -> Result<Vec<Part>, Refusal> {
    let rows = crate::keys::rows(peers, None)?;
    let parts = rows
        .iter()
        .flat_map(|row| row.held.iter().map(|user| Part { tenant: row.tenant, user: *user }));
    Ok(parts.filter(|part| known.iter().all(|hold| hold.part != *part)).collect())
}

pub fn hold(peers: &mut Peers<'_>, name: &str, reason: String) -> Answer {
    let part = part_of(peers, name)?;
    let mut placed = None;
    directory(peers, &FromAdmin::HoldAdd { part, reason }, |answer| match answer {
        ToAdmin::Hold(hold) => {
            placed = Some(hold);
            Some(Value::Null)
        }
        _ => None,
    })?;
    placed.map_or_else(|| Ok(Value::Null), |hold| named_hold(peers, &hold))
}

pub fn list_holds(peers: &mut Peers<'_>) -> Answer {
    let holds = all_holds(peers)?;
    let mut shown = Vec::new();
    for hold in &holds {
        shown.push(named_hold(peers, hold)?);
    }
    // They have no id: whoever set them takes them off.
    for part in holds_upon_keys(peers, &holds)? {
        let (tenant, person) = called::part(peers, part)?;
        shown.push(json!({
            "hold": null,
            "kind": "keys",
            "tenant": tenant,
            "person": person,
            "tenant_id": part.tenant.to_string(),
            "user_id": part.user.map(|user| user.to_string()),
            "reason": "keys hold; keys hold --off",
            "placed": null,
        }));
    }
    Ok(items(shown))
}

/// Lifting a hold is an act for two: it lets something be destroyed.
pub fn lift(peers: &mut Peers<'_>, id: &str) -> Answer {
    let wrong = || Refusal::new("the id of a hold", id, "see `hold list`");
    let hold = HoldId::parse(id).ok_or_else(wrong)?;
    let found = match peers.ask(terms::Kind::Directory, &FromAdmin::HoldList)? {
        ToAdmin::Holds(holds) => holds.into_iter().find(|each| each.hold == hold),
        _ => None,
    };
    let tenant = found.ok_or_else(wrong)?.part.tenant;
    let permission = permission(peers)?;
    perform(peers, Act::LiftHold { tenant, hold }, permission)
}

pub fn patterns(peers: &mut Peers<'_>) -> Answer {
    directory(peers, &FromAdmin::Patterns, |answer| match answer {
        ToAdmin::Patterns { ids, named, keys } => {
            let words = ids.iter().filter_map(|one| {
                let (is_shredded, id) = one.split_first()?;
                Some(json!({ "id": HEXLOWER.encode(id), "is_shredded": *is_shredded == 1 }))
            });
            let mut shown = items(words.collect());
            let named = named
                .iter()
                .map(|(user, place)| json!({ "user": user.to_string(), "place": place }));
            crate::people::set(&mut shown, "named", named.collect());
            crate::people::set(&mut shown, "keys", json!(keys));
            Some(shown)
        }
        _ => None,
    })
}

pub fn searched(
    peers: &mut Peers<'_>,
    (contracts, files, bytes): (u64, u64, u64),
    found: Vec<String>,
    unread: Vec<String>,
) -> Answer {
    let question = FromAdmin::Searched { contracts, files, bytes, found, unread };
    directory(peers, &question, |answer| match answer {
        ToAdmin::Done => Some(json!({ "recorded": true })),
        _ => None,
    })
}

/// What the directory answered to an act that was carried out.
pub fn answer_json(peers: &mut Peers<'_>, answer: ToAdmin) -> Answer {
    match answer {
        ToAdmin::Tenant(tenant) => Ok(places::tenant_json(&tenant)),
        ToAdmin::Endings(endings) => begun(peers, &endings),
        ToAdmin::Hold(hold) => named_hold(peers, &hold),
        ToAdmin::Done => Ok(json!({ "done": true })),
        answer => crate::passing::done(answer),
    }
}

/// What stops an end, for whoever asked for it and waits.
const HELD: &str = "a hold stops it: nothing is destroyed until that is lifted (`hold lift ID`; \
    `keys hold … --off`, if it is one upon keys)";

/// An end that begins, or that a hold stops at once.
fn begun(peers: &mut Peers<'_>, endings: &[Ending]) -> Answer {
    let Some(ending) = endings.first() else { return Ok(Value::Null) };
    let mut shown = ending_json(ending);
    if ending.state == EndingState::Held {
        let held = held_by(peers, std::slice::from_ref(ending)).unwrap_or_default().pop();
        crate::people::set(&mut shown, "held_by", json!(held));
        crate::people::set(&mut shown, "what", json!(HELD));
    }
    Ok(shown)
}

pub fn ending_json(ending: &Ending) -> Value {
    let name = (!ending.name.is_empty()).then_some(&ending.name);
    json!({
        "tenant": name,
        "tenant_id": ending.part.tenant.to_string(),
        "user_id": ending.part.user.map(|user| user.to_string()),
        "state": ending.state.word(),
        "asked": rfc3339(ending.asked_ms),
        "grace_until": rfc3339(ending.grace_until_ms),
        "users": ending.users,
        "messages": ending.messages,
        "bytes": ending.bytes,
        "rows": ending.rows,
        "last_open": ending.last_open_ms.map(rfc3339),
        "destroyed": ending.destroyed_ms.map(rfc3339),
    })
}

fn named_hold(peers: &mut Peers<'_>, hold: &Hold) -> Answer {
    let (tenant, person) = called::part(peers, hold.part)?;
    Ok(json!({
        "hold": hold.hold.to_string(),
        "kind": "contract",
        "tenant": tenant,
        "person": person,
        "tenant_id": hold.part.tenant.to_string(),
        "user_id": hold.part.user.map(|user| user.to_string()),
        "reason": hold.reason,
        "placed": rfc3339(hold.made_ms),
    }))
}

fn items(items: Vec<Value>) -> Value {
    json!({ "items": items, "next": null })
}

/// How decisions are made here belongs to every tenant's view.
pub fn tenant_view(peers: &mut Peers<'_>, mut value: Value) -> Value {
    let mode = approvals::mode_of_house(peers);
    crate::people::set(&mut value, "approvals", mode.get("mode").cloned().unwrap_or_default());
    crate::people::set(&mut value, "weakened", mode.get("weakened").cloned().unwrap_or_default());
    value
}
