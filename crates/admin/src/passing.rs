//! Where mail goes on: forwards, answers, groups, gateway domains.

use crate::outgoing::host_json;
use crate::peers::{Answer, Peers};
use crate::places::{directory, items};
use serde_json::{Value, json};
use wire::directory::{AbsenceTold, Forward, FromAdmin, Gateway, Group, ToAdmin};

pub fn forward(
    peers: &mut Peers<'_>,
    address: String,
    to: Option<Vec<String>>,
    keep: bool,
) -> Answer {
    let change = to.map(|to| (to, keep));
    directory(peers, &FromAdmin::Forward { address, change }, forward_json)
}

pub fn away(peers: &mut Peers<'_>, address: String, absence: Option<AbsenceTold>) -> Answer {
    directory(peers, &FromAdmin::Away { address, absence }, forward_json)
}

fn forward_json(answer: ToAdmin) -> Option<Value> {
    let ToAdmin::Forward(Forward { address, tenant, to, keep, absence }) = answer else {
        return None;
    };
    let absence = absence.as_ref().map(
        |told| json!({ "subject": told.subject, "text": told.text, "until_ms": told.until_ms }),
    );
    let keep = keep || to.is_empty();
    Some(json!({
        "address": address, "tenant": tenant, "to": to, "keep": keep, "absence": absence,
    }))
}

pub fn change_group(
    peers: &mut Peers<'_>,
    address: String,
    tenant: Option<String>,
    (with, without): (Vec<String>, Vec<String>),
) -> Answer {
    let question = FromAdmin::GroupChange { address, tenant, with, without };
    directory(peers, &question, one_group)
}

pub fn remove_group(peers: &mut Peers<'_>, address: String) -> Answer {
    directory(peers, &FromAdmin::GroupRemove { address }, one_group)
}

/// One group, or a list of them.
pub fn list_groups(
    peers: &mut Peers<'_>,
    address: Option<String>,
    tenant: Option<String>,
) -> Answer {
    let is_one = address.is_some();
    directory(peers, &FromAdmin::GroupList { address, tenant }, |answer| match answer {
        _ if is_one => one_group(answer),
        ToAdmin::Groups(groups) => Some(items(groups.iter().map(group_json).collect())),
        _ => None,
    })
}

fn one_group(answer: ToAdmin) -> Option<Value> {
    match answer {
        ToAdmin::Groups(groups) => groups.first().map(group_json),
        _ => None,
    }
}

fn group_json(Group { address, tenant, members }: &Group) -> Value {
    json!({ "address": address, "tenant": tenant, "members": members })
}

/// Any question about a gateway: each is answered by how it stands.
pub fn set_gateway(peers: &mut Peers<'_>, question: FromAdmin) -> Answer {
    directory(peers, &question, |answer| {
        let ToAdmin::Gateway(Gateway { domain, tenant, host, recipients, sync_ms }) = answer else {
            return None;
        };
        Some(json!({
            "domain": domain,
            "tenant": tenant,
            "gateway": host.as_ref().map(host_json),
            "recipients": recipients,
            "sync_ms": sync_ms,
        }))
    })
}
