//! What was set aside: for whom, when, why, how large. Whom it is from and what about is sealed to
//! its recipient; whether it is what somebody names, the keyed hashes of `trace` tell.

use crate::peers::{Answer, Peers, Refusal};
use crate::people::names;
use crate::queue::{tenant_names, tenant_of};
use crate::records::{mailbox, tokens};
use evidence::rfc3339;
use serde_json::{Value, json};
use std::collections::HashSet;
use terms::{Kind, MessageId, UserId};
use wire::mailbox::{FromAdmin, Quarantined, ToAdmin};

/// Journeys looked at for one text.
const LOOKED_AT: u32 = 1_000;

pub fn list(peers: &mut Peers<'_>, tenant: Option<String>, about: Option<String>) -> Answer {
    let tenant = tenant.map(|name| tenant_of(peers, name)).transpose()?;
    let mut held = held(peers, &FromAdmin::QuarantineList { tenant })?;
    if let Some(about) = about {
        let carry = carriers(peers, &about)?;
        held.retain(|each| carry.contains(&each.message));
    }
    Ok(json!({ "items": shown(peers, &held)?, "next": null }))
}

pub fn show(peers: &mut Peers<'_>, id: &str, about: Option<String>) -> Answer {
    let (message, user) = parse_id(id).ok_or_else(|| no_such(id))?;
    let held = held(peers, &FromAdmin::QuarantineShow(message, user))?;
    let mut shown = shown(peers, &held)?.pop().ok_or_else(|| no_such(id))?;
    if let Some(about) = about {
        let is_it = carriers(peers, &about)?.contains(&message);
        crate::people::set(&mut shown, "about", json!(about));
        crate::people::set(&mut shown, "is_it", json!(is_it));
    }
    Ok(shown)
}

pub fn release(peers: &mut Peers<'_>, id: &str) -> Answer {
    let (message, user) = parse_id(id).ok_or_else(|| no_such(id))?;
    match mailbox(peers, &FromAdmin::QuarantineRelease { message, user })? {
        ToAdmin::Done => Ok(json!({ "id": id, "released": true })),
        ToAdmin::NoSuch => Err(no_such(id)),
        _ => Err(Refusal::unexpected(Kind::Mailbox)),
    }
}

/// Messages that carry this as their sender, recipient, subject or Message-ID.
fn carriers(peers: &mut Peers<'_>, about: &str) -> Result<HashSet<MessageId>, Refusal> {
    let tokens = tokens(peers, about)?;
    if tokens.is_empty() {
        return Ok(HashSet::new()); // without a tenant nothing can be looked for, and none is all
    }
    match mailbox(peers, &FromAdmin::Trace { tokens, limit: LOOKED_AT })? {
        ToAdmin::Journeys(found) => Ok(found.into_iter().map(|one| one.message).collect()),
        _ => Err(Refusal::unexpected(Kind::Mailbox)),
    }
}

fn held(peers: &mut Peers<'_>, question: &FromAdmin) -> Result<Vec<Quarantined>, Refusal> {
    match mailbox(peers, question)? {
        ToAdmin::Quarantine(held) => Ok(held),
        ToAdmin::NoSuch => Ok(Vec::new()),
        _ => Err(Refusal::unexpected(Kind::Mailbox)),
    }
}

fn shown(peers: &mut Peers<'_>, held: &[Quarantined]) -> Result<Vec<Value>, Refusal> {
    let tenants = tenant_names(peers)?;
    let recipients = names(peers, held.iter().map(|each| each.user).collect())?;
    let shown = held.iter().zip(recipients).map(|(each, recipient)| {
        json!({
            "id": format!("{}.{}", each.message, each.user),
            "recipient": recipient,
            "tenant": tenants.get(&each.tenant),
            "at": rfc3339(each.at_ms),
            "expires": rfc3339(each.expires_ms),
            "size": each.size,
            "verdict": each.verdict.map(terms::Verdict::word),
            "reasons": each.reasons,
        })
    });
    Ok(shown.collect())
}

/// A message, and whose copy.
pub fn parse_id(id: &str) -> Option<(MessageId, UserId)> {
    let (message, user) = id.split_once('.')?;
    Some((MessageId::parse(message)?, UserId::parse(user)?))
}

fn no_such(id: &str) -> Refusal {
    Refusal::new("the id of a quarantined message", id, "see `quarantine list`")
}
