//! Names for ids, as far as there are any: an ended contract keeps its own, an ended person none.

use crate::peers::{Answer, Peers, Refusal};
use crate::people::names;
use crate::places::directory;
use crate::queue::tenant_names;
use serde_json::{Value, json};
use std::collections::HashMap;
use terms::{TenantId, UserId};
use wire::directory::{EndingState, FromAdmin, Part, ToAdmin};

/// How a contract is called.
pub struct Called {
    pub name: String,
    pub is_ended: bool,
}

/// Every contract that there is or was.
pub fn tenants(peers: &mut Peers<'_>) -> Result<HashMap<TenantId, Called>, Refusal> {
    let mut called = HashMap::new();
    directory(peers, &FromAdmin::EndingList, |answer| match answer {
        ToAdmin::Endings(endings) => {
            let whole = endings.into_iter().filter(|one| one.part.user.is_none());
            let gone = whole.filter(|one| one.state == EndingState::Destroyed);
            called.extend(
                gone.map(|one| (one.part.tenant, Called { name: one.name, is_ended: true })),
            );
            Some(Value::Null)
        }
        _ => None,
    })?;
    let live = tenant_names(peers)?.into_iter();
    called.extend(live.map(|(tenant, name)| (tenant, Called { name, is_ended: false })));
    Ok(called)
}

/// The name of a contract, and the address of a person of it.
pub fn part(
    peers: &mut Peers<'_>,
    part: Part,
) -> Result<(Option<String>, Option<String>), Refusal> {
    let tenant = tenants(peers)?.remove(&part.tenant).map(|called| called.name);
    let person = match part.user {
        Some(user) => names(peers, vec![user])?.pop().flatten(),
        None => None,
    };
    Ok((tenant, person))
}

/// Addresses and names for ids, for whoever reads a report made from the ledger alone.
pub fn render(peers: &mut Peers<'_>, users: Vec<String>, with_tenants: bool) -> Answer {
    let ids: Vec<UserId> = users.iter().filter_map(|id| UserId::parse(id)).collect();
    let found = names(peers, ids.clone())?;
    let pairs = ids.iter().zip(found);
    let named = pairs.map(|(id, name)| json!({ "user": id.to_string(), "address": name }));
    let named: Vec<Value> = named.collect();
    let known = if with_tenants { tenants(peers)? } else { HashMap::new() };
    let tenants = known.iter().map(|(tenant, called)| {
        json!({ "tenant": tenant.to_string(), "name": called.name, "ended": called.is_ended })
    });
    Ok(json!({ "items": named, "next": null, "tenants": tenants.collect::<Vec<Value>>() }))
}
