//! Ended contracts, holds, and what a search for remains needs to know.

use crate::approvals::{self, perform, permission};
use crate::called;
use crate::peers::{Answer, Peers, Refusal};
use crate::people::{one_tenant, one_user};
use crate::places::{self, directory};
use data_encoding::HEXLOWER;
use evidence::rfc3339;
use serde_json::{Value, json};
use terms::HoldId;
use wire::approval::Act;
use wire::directory::{Ending, FromAdmin, Hold, Part, ToAdmin};

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

pub fn list(peers: &mut Peers<'_>) -> Answer {
    let mut endings = Vec::new();
    directory(peers, &FromAdmin::EndingList, |answer| match answer {
        ToAdmin::Endings(found) => {
            endings = found;
            Some(Value::Null)
        }
        _ => None,
    })?;
    // A person's part bears no name of its own: the contract's, which may go on.
    let called = called::tenants(peers)?;
    let shown = endings.iter().map(|ending| {
        let mut shown = ending_json(ending);
        let contract = called.get(&ending.part.tenant).map(|called| &called.name);
        crate::people::set(&mut shown, "contract", json!(contract));
        shown
    });
    Ok(items(shown.collect()))
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
    let mut holds = Vec::new();
    directory(peers, &FromAdmin::HoldList, |answer| match answer {
        ToAdmin::Holds(found) => {
            holds = found;
            Some(Value::Null)
        }
        _ => None,
    })?;
    let named: Result<Vec<Value>, Refusal> =
        holds.iter().map(|hold| named_hold(peers, hold)).collect();
    Ok(items(named?))
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
        ToAdmin::Patterns(patterns) => {
            let words = patterns.iter().filter_map(|one| {
                let (is_shredded, id) = one.split_first()?;
                Some(json!({ "id": HEXLOWER.encode(id), "is_shredded": *is_shredded == 1 }))
            });
            Some(items(words.collect()))
        }
        _ => None,
    })
}

pub fn searched(
    peers: &mut Peers<'_>,
    contracts: u64,
    files: u64,
    bytes: u64,
    found: Vec<String>,
) -> Answer {
    let question = FromAdmin::Searched { contracts, files, bytes, found };
    directory(peers, &question, |answer| match answer {
        ToAdmin::Done => Some(json!({ "recorded": true })),
        _ => None,
    })
}

/// What the directory answered to an act that was carried out.
pub fn answer_json(peers: &mut Peers<'_>, answer: ToAdmin) -> Answer {
    match answer {
        ToAdmin::Tenant(tenant) => Ok(places::tenant_json(&tenant)),
        ToAdmin::Endings(endings) => Ok(endings.first().map_or(Value::Null, ending_json)),
        ToAdmin::Hold(hold) => named_hold(peers, &hold),
        ToAdmin::Done => Ok(json!({ "done": true })),
        answer => crate::passing::done(answer),
    }
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
        "connectors_revoked": "none: there are no connectors yet",
    })
}

fn named_hold(peers: &mut Peers<'_>, hold: &Hold) -> Answer {
    let (tenant, person) = called::part(peers, hold.part)?;
    Ok(json!({
        "hold": hold.hold.to_string(),
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
