//! Traces, the quarantine, the state of the house. Names are put to ids only here, for the caller.

use crate::peers::{Answer, Peers, Refusal};
use crate::people::names;
use crate::queue::Fate;
use evidence::rfc3339;
use serde_json::{Value, json};
use terms::{Kind, MessageId, UserId};
use wire::mailbox::{FromAdmin, Journey, Quarantined, State, ToAdmin};

/// Journeys shown for one query.
const SHOWN: u32 = 200;

pub fn trace(peers: &mut Peers<'_>, query: &str) -> Answer {
    let query = query.trim();
    // As the quarantine names it: a message, and whose copy.
    let message = parse_id(query).map(|(message, _)| message.to_string());
    let query = message.as_deref().unwrap_or(query);
    let tokens = if query.is_empty() || query == "*" { Vec::new() } else { tokens(peers, query)? };
    let mut journeys = match mailbox(peers, &FromAdmin::Trace { tokens, limit: SHOWN })? {
        ToAdmin::Journeys(journeys) => journeys,
        _ => return Err(Refusal::unexpected(Kind::Mailbox)),
    };
    if journeys.is_empty()
        && let Some(wanted) = MessageId::parse(query)
    {
        let question = FromAdmin::Trace { tokens: Vec::new(), limit: SHOWN };
        if let ToAdmin::Journeys(all) = mailbox(peers, &question)? {
            journeys = all.into_iter().filter(|journey| journey.message == wanted).collect();
        }
    }
    let mut items = Vec::with_capacity(journeys.len());
    for journey in journeys {
        items.push(shown(peers, journey)?);
    }
    Ok(json!({ "items": items, "next": null }))
}

fn tokens(peers: &mut Peers<'_>, query: &str) -> Result<Vec<[u8; 16]>, Refusal> {
    let digests = vec![trace::digest(query)];
    match peers.ask(Kind::Directory, &wire::directory::FromAdmin::TraceTokens { digests })? {
        wire::directory::ToAdmin::TraceTokens(tokens) => Ok(tokens),
        wire::directory::ToAdmin::Fault(what) => Err(Refusal::Fault(what)),
        _ => Err(Refusal::unexpected(Kind::Directory)),
    }
}

fn shown(peers: &mut Peers<'_>, journey: Journey) -> Answer {
    if matches!(journey.state, State::Queued | State::PassedOn) {
        return shown_leaving(peers, journey);
    }
    let recipients = names(peers, journey.recipients)?;
    let state = match journey.state {
        State::Kept => "kept",
        State::Quarantined => "quarantined",
        State::Refused => "refused",
        State::Queued | State::PassedOn => "queued",
    };
    Ok(json!({
        "id": journey.message.to_string(),
        "at": rfc3339(journey.at_ms),
        "direction": "in",
        "state": state,
        "verdict": journey.verdict.word(),
        "reasons": journey.reasons,
        "recipients": recipients,
    }))
}

/// Mail that was handed in: the queue knows how far it has come, and others what became of it.
fn shown_leaving(peers: &mut Peers<'_>, journey: Journey) -> Answer {
    let reports = crate::reports::about(peers, journey.tokens.clone())?;
    let sender = names(peers, journey.recipients)?.pop().flatten();
    let fate = crate::queue::fate(peers, journey.message).unwrap_or_else(|| Fate {
        state: "queued".to_owned(),
        destinations: Value::Null,
        decided: Value::Null,
    });
    Ok(json!({
        "id": journey.message.to_string(),
        "at": rfc3339(journey.at_ms),
        "direction": "out",
        "state": fate.state,
        "verdict": journey.verdict.word(),
        "reasons": journey.reasons,
        "sender": sender,
        "recipients": [],
        "destinations": fate.destinations,
        "decided": fate.decided,
        "reports": reports,
    }))
}

pub fn list_quarantine(peers: &mut Peers<'_>) -> Answer {
    let held = held(peers)?;
    let mut items = Vec::with_capacity(held.len());
    for each in held {
        items.push(held_json(peers, &each)?);
    }
    Ok(json!({ "items": items, "next": null }))
}

pub fn show_quarantine(peers: &mut Peers<'_>, id: &str) -> Answer {
    let (message, user) = parse_id(id)?;
    let found = held(peers)?.into_iter().find(|each| (each.message, each.user) == (message, user));
    match found {
        Some(each) => held_json(peers, &each),
        None => Err(no_such(id)),
    }
}

pub fn release_quarantine(peers: &mut Peers<'_>, id: &str) -> Answer {
    let (message, user) = parse_id(id)?;
    match mailbox(peers, &FromAdmin::QuarantineRelease { message, user })? {
        ToAdmin::Done => Ok(json!({ "id": id, "released": true })),
        ToAdmin::NoSuch => Err(no_such(id)),
        _ => Err(Refusal::unexpected(Kind::Mailbox)),
    }
}

fn held(peers: &mut Peers<'_>) -> Result<Vec<Quarantined>, Refusal> {
    match mailbox(peers, &FromAdmin::QuarantineList { tenant: None })? {
        ToAdmin::Quarantine(held) => Ok(held),
        _ => Err(Refusal::unexpected(Kind::Mailbox)),
    }
}

fn held_json(peers: &mut Peers<'_>, each: &Quarantined) -> Answer {
    let recipient = names(peers, vec![each.user])?.pop().flatten();
    Ok(json!({
        "id": format!("{}.{}", each.message, each.user),
        "recipient": recipient,
        "at": rfc3339(each.at_ms),
        "expires": rfc3339(each.expires_ms),
        "reasons": each.reasons,
    }))
}

fn parse_id(id: &str) -> Result<(MessageId, UserId), Refusal> {
    let parsed = id
        .split_once('.')
        .and_then(|(message, user)| Some((MessageId::parse(message)?, UserId::parse(user)?)));
    parsed.ok_or_else(|| no_such(id))
}

fn no_such(id: &str) -> Refusal {
    Refusal::new("the id of a quarantined message", id, "see `quarantine list`")
}

fn mailbox(peers: &mut Peers<'_>, question: &FromAdmin) -> Result<ToAdmin, Refusal> {
    match peers.ask(Kind::Mailbox, question)? {
        ToAdmin::Fault(what) => Err(Refusal::Fault(what)),
        answer => Ok(answer),
    }
}

/// What the keepers say of themselves.
pub fn status(peers: &mut Peers<'_>) -> Answer {
    let mailbox = match mailbox(peers, &FromAdmin::Status) {
        Ok(ToAdmin::Status { users, messages, bytes, pending_evidence }) => json!({
            "users": users, "messages": messages, "bytes": bytes,
            "pending_evidence": pending_evidence,
        }),
        _ => Value::Null,
    };
    let vault = match peers.ask(Kind::Vault, &wire::vault::FromAdmin::Status) {
        Ok(wire::vault::ToAdmin::Status { releases, live_grants, evidence, .. }) => json!({
            "releases": releases, "live_grants": live_grants, "evidence": evidence,
        }),
        _ => Value::Null,
    };
    let approvals = crate::approvals::mode_of_house(peers);
    let is_two = approvals.get("mode").and_then(Value::as_str) == Some("two-persons");
    Ok(json!({
        "mailbox": mailbox,
        "vault": vault,
        "approvals": approvals,
        "sentinel": crate::watch::status(peers),
        "single_operator": !is_two,
    }))
}
