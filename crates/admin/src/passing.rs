//! Where mail goes on: forwards, answers, groups, gateway domains.

use crate::approvals;
use crate::outgoing::{host_json, is_dialled};
use crate::peers::{Answer, Peers, Refusal};
use crate::people::set;
use crate::places::{directory, items};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use terms::Kind;
use wire::admin::OutletChange;
use wire::approval::Act;
use wire::directory::{
    AbsenceTold, Forward, FromAdmin, Gateway, Grace, Group, OUTLET_FIELD, Outlet, OutletTerms,
    STATED_FOR, Taken, ToAdmin,
};
use wire::lists::Command;
use wire::redirection::Redirection;

/// Of a gateway whose tenant has nobody who answers for it.
pub const NOBODY_TOLD: &str = "nobody hears of mail that its server refuses later: user add \
                               ADDRESS --tenant T --role tenant-admin";

/// A change of where mail goes or who may speak. Where others would get more by it than before, the
/// directory does nothing and says whose it is: then it is an act for two persons.
pub fn redirect(peers: &mut Peers<'_>, change: Redirection) -> Answer {
    match peers.ask(Kind::Directory, &change.clone().question())? {
        ToAdmin::ForTwo(part) => {
            let (tenant, user) = (part.tenant, part.user);
            let permission = approvals::permission(peers)?;
            let act = Act::Redirect { tenant, user, change: Box::new(change) };
            approvals::perform(peers, act, permission)
        }
        answer => done(answer),
    }
}

/// How what was changed stands now.
pub fn done(answer: ToAdmin) -> Answer {
    match answer {
        ToAdmin::Refused { expected, found, hint } => {
            Err(Refusal::Wanting { expected, found, hint })
        }
        ToAdmin::Fault(what) => Err(Refusal::Fault(what)),
        ToAdmin::Domain(domain) => Ok(crate::outgoing::domain_json(&domain)),
        answer @ ToAdmin::Groups(_) => shown(one_group(answer)),
        answer @ ToAdmin::Gateway(_) => shown(gateway_json(answer)),
        answer @ ToAdmin::Outlet(_) => shown(outlet_json(answer)),
        ToAdmin::Lists(lists) => shown(lists.first().map(crate::lists::list_json)),
        answer => shown(forward_json(answer)),
    }
}

fn shown(value: Option<Value>) -> Answer {
    value.ok_or_else(|| Refusal::unexpected(Kind::Directory))
}

/// For those who must agree: what exactly goes where.
pub fn details(change: &Redirection) -> Value {
    match change {
        Redirection::Forward { to, keep, .. } => json!({ "to": to, "keep": keep }),
        Redirection::Away { absence, .. } => absence_json(absence),
        Redirection::CatchAll { domain, address } => {
            json!({ "domain": domain, "catch_all": address })
        }
        Redirection::Transport { domain, mode, max_age_seconds } => json!({
            "domain": domain,
            "mta_sts": mode.map(|mode| mode.word()),
            "max_age": max_age_seconds,
        }),
        Redirection::Group { address, with, without, .. } => {
            json!({ "address": address, "with": with, "without": without })
        }
        Redirection::Gateway { domain, host, .. } => {
            json!({ "domain": domain, "gateway": host_json(host), "recipients": "any" })
        }
        Redirection::GatewayListed { domain, host, taken, list } => json!({
            "domain": domain,
            "gateway": host_json(host),
            "recipients": list.recipients,
            "list_digest": HEXLOWER.encode(&list.digest),
            "check_new": *taken == Taken::ListedOrChecked,
        }),
        Redirection::Outlet { terms, is_fresh, .. } => {
            json!({ "outlet": terms_json(terms), "new_header": is_fresh })
        }
        Redirection::List(Command::Members { address, with, without }) => {
            json!({ "address": address, "with": with, "without": without })
        }
        Redirection::List(
            Command::Set { address, change } | Command::Add { address, change, .. },
        ) => json!({
            "address": address,
            "posting": change.posting.map(|posting| posting.word()),
            "with_owners": change.with_owners,
            "without_owners": change.without_owners,
        }),
        Redirection::List(_) => json!({}),
        Redirection::Share { address, with, without } => {
            json!({ "address": address, "with": with, "without": without })
        }
        Redirection::Person { address, role, aliases, .. } => {
            json!({ "address": address, "role": role, "aliases": aliases })
        }
    }
}

pub fn forward(
    peers: &mut Peers<'_>,
    address: String,
    to: Option<Vec<String>>,
    keep: bool,
) -> Answer {
    match to {
        Some(to) => redirect(peers, Redirection::Forward { address, to, keep }),
        None => directory(peers, &FromAdmin::Forward { address, change: None }, forward_json),
    }
}

pub fn away(peers: &mut Peers<'_>, address: String, absence: Option<AbsenceTold>) -> Answer {
    match absence {
        Some(absence) => redirect(peers, Redirection::Away { address, absence }),
        None => directory(peers, &FromAdmin::Away { address, absence }, forward_json),
    }
}

fn forward_json(answer: ToAdmin) -> Option<Value> {
    let ToAdmin::Forward(Forward { address, tenant, to, keep, absence }) = answer else {
        return None;
    };
    let absence = absence.as_ref().map(absence_json);
    let keep = keep || to.is_empty();
    Some(json!({
        "address": address, "tenant": tenant, "to": to, "keep": keep, "absence": absence,
    }))
}

fn absence_json(told: &AbsenceTold) -> Value {
    json!({ "subject": told.subject, "text": told.text, "until_ms": told.until_ms })
}

pub fn change_group(
    peers: &mut Peers<'_>,
    address: String,
    tenant: Option<String>,
    (with, without): (Vec<String>, Vec<String>),
) -> Answer {
    redirect(peers, Redirection::Group { address, tenant, with, without })
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

fn group_json(Group { address, tenant, members, writers }: &Group) -> Value {
    json!({ "address": address, "tenant": tenant, "members": members, "writers": writers })
}

/// Who writes as a group's address. Fewer than before is nobody's redirection, and done alone.
pub fn share_group(
    peers: &mut Peers<'_>,
    address: String,
    (with, without): (Vec<String>, Vec<String>),
    none: bool,
) -> Answer {
    match none {
        false => redirect(peers, Redirection::Share { address, with, without }),
        true => {
            directory(peers, &FromAdmin::GroupShare { address, with, without, none }, one_group)
        }
    }
}

/// Any question about a gateway: each is answered by how it stands.
pub fn set_gateway(peers: &mut Peers<'_>, question: FromAdmin) -> Answer {
    match question {
        FromAdmin::Gateway { domain, host: Some(host), taken, list } => {
            is_dialled(host.port, &peers.ports_of_hosts(), "--host")?;
            let change = match list {
                Some(list) => Redirection::GatewayListed { domain, host, taken, list },
                None => Redirection::Gateway { domain, host, taken },
            };
            redirect(peers, change)
        }
        FromAdmin::Gateway { host: None, .. } => {
            let taken = directory(peers, &question, gateway_json)?;
            // Until then an edge may answer by the statement that it has: "done" means that none
            // does any more.
            std::thread::sleep(STATED_FOR);
            Ok(taken)
        }
        question => directory(peers, &question, gateway_json),
    }
}

/// A gateway keeps its server, and takes mail for every name from now on.
pub fn end_list(peers: &mut Peers<'_>, domain: String) -> Answer {
    let show = FromAdmin::GatewayShow { domain: domain.clone() };
    let host = match peers.ask(Kind::Directory, &show)? {
        ToAdmin::Gateway(gateway) => gateway.host,
        answer => return done(answer),
    };
    let Some(host) = host else {
        let hint = "domain gateway DOMAIN --host HOST:PORT [--recipients FILE]";
        return Err(Refusal::new("a gateway domain", &domain, hint));
    };
    redirect(peers, Redirection::Gateway { domain, host, taken: Taken::Any })
}

fn gateway_json(answer: ToAdmin) -> Option<Value> {
    let ToAdmin::Gateway(gateway) = answer else { return None };
    let Gateway { domain, tenant, host, recipients, checked, sync_ms, .. } = &gateway;
    let going = |one: &Grace| {
        json!({
            "address": one.address,
            "until_ms": one.until_ms,
            "found_by_check": one.is_checked,
        })
    };
    let grace: Vec<Value> = gateway.grace.iter().map(going).collect();
    let mut shown = json!({
        "domain": domain,
        "tenant": tenant,
        "gateway": host.as_ref().map(host_json),
        "recipients": recipients,
        "check_new": checked.is_some(),
        "found_by_checks": checked,
        "sync_ms": sync_ms,
        "in_grace": recipients.map(|_| gateway.in_grace),
        "grace": grace,
    });
    if gateway.is_untold {
        set(&mut shown, "warning", json!(NOBODY_TOLD));
    }
    if let Some(asked) = &gateway.asked {
        set(&mut shown, "asked", json!(asked));
    }
    Some(shown)
}

/// A tenant's own server that sends out through us: set, ended, or shown. A new secret is shown
/// here and nowhere again.
pub fn outlet(peers: &mut Peers<'_>, tenant: String, change: Option<OutletChange>) -> Answer {
    match change {
        Some(OutletChange { terms: Some(mut terms), is_fresh, keeps_authorities }) => {
            if keeps_authorities {
                terms.authorities = authorities(peers, &tenant)?;
            }
            redirect(peers, Redirection::Outlet { tenant, terms, is_fresh })
        }
        change => {
            let change = change.map(|change| (change.terms, change.is_fresh));
            directory(peers, &FromAdmin::Outlet { tenant, change }, outlet_json)
        }
    }
}

/// Those that vouch for a tenant's server now; none: the well-known ones, or there is no server.
fn authorities(peers: &mut Peers<'_>, tenant: &str) -> Result<Vec<Vec<u8>>, Refusal> {
    let question = FromAdmin::Outlet { tenant: tenant.to_owned(), change: None };
    match peers.ask(Kind::Directory, &question)? {
        ToAdmin::Outlet(outlet) => Ok(outlet.terms.map_or_else(Vec::new, |it| it.authorities)),
        answer => done(answer).map(|_| Vec::new()),
    }
}

fn outlet_json(answer: ToAdmin) -> Option<Value> {
    let ToAdmin::Outlet(Outlet { tenant, terms, secret }) = answer else { return None };
    Some(json!({
        "tenant": tenant,
        "outlet": terms.as_ref().map(terms_json),
        "header": secret.map(|secret| format!("{OUTLET_FIELD}: {secret}")),
    }))
}

/// As `openssl x509 -fingerprint -sha256` has it.
pub fn fingerprint(certificate: &[u8]) -> String {
    let octets = Sha256::digest(certificate);
    octets.iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(":")
}

fn terms_json(terms: &OutletTerms) -> Value {
    let network = |(address, bits): &(IpAddr, u8)| format!("{address}/{bits}");
    let authorities = terms.authorities.iter().map(|one| fingerprint(one));
    json!({
        "certificate": terms.names,
        "authorities": terms.authorities.len(),
        "authorities_sha256": authorities.collect::<Vec<_>>(),
        "from": terms.from.iter().map(network).collect::<Vec<_>>(),
        "in_a_day": terms.in_a_day,
    })
}
