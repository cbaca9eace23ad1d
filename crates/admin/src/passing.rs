//! Where mail goes on: forwards, answers, groups, gateway domains.

use crate::outgoing::{host_json, is_dialled};
use crate::peers::{Answer, Peers};
use crate::places::{directory, items};
use serde_json::{Value, json};
use std::net::IpAddr;
use wire::admin::OutletChange;
use wire::directory::{
    AbsenceTold, Forward, FromAdmin, Gateway, Group, OUTLET_FIELD, Outlet, ToAdmin,
};

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
    if let FromAdmin::Gateway { host: Some(host), .. } = &question {
        is_dialled(host.port, &peers.ports_of_hosts(), "--host")?;
    }
    directory(peers, &question, |answer| {
        let ToAdmin::Gateway(gateway) = answer else { return None };
        let Gateway { domain, tenant, host, recipients, checked, sync_ms } = gateway;
        Some(json!({
            "domain": domain,
            "tenant": tenant,
            "gateway": host.as_ref().map(host_json),
            "recipients": recipients,
            "check_new": checked.is_some(),
            "found_by_checks": checked,
            "sync_ms": sync_ms,
        }))
    })
}

/// A tenant's own server that sends out through us: set, ended, or shown. A new secret is shown
/// here and nowhere again.
pub fn outlet(peers: &mut Peers<'_>, tenant: String, change: Option<OutletChange>) -> Answer {
    let change = change.map(|change| (change.terms, change.is_fresh));
    directory(peers, &FromAdmin::Outlet { tenant, change }, |answer| {
        let ToAdmin::Outlet(Outlet { tenant, terms, secret }) = answer else { return None };
        let network = |(address, bits): &(IpAddr, u8)| format!("{address}/{bits}");
        Some(json!({
            "tenant": tenant,
            "outlet": terms.map(|terms| json!({
                "certificate": terms.names,
                "authorities": terms.authorities.len(),
                "from": terms.from.iter().map(network).collect::<Vec<_>>(),
                "in_a_day": terms.in_a_day,
            })),
            "header": secret.map(|secret| format!("{OUTLET_FIELD}: {secret}")),
        }))
    })
}
