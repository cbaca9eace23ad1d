//! Reports of others, in words: who could not reach us safely, what readers complained about, what
//! came back. Names are put to ids only here, for the caller.

mod words;

use crate::peers::{Answer, Peers, Refusal};
use crate::people::names;
use data_encoding::HEXLOWER;
use evidence::rfc3339;
use serde_json::{Value, json};
use std::collections::HashMap;
use terms::{Kind as Peer, UserId};
use wire::directory::{FromAdmin, ToAdmin};
use wire::reports::{
    Kept, Kind, Page, Query, Report, TlsFailure, TlsPolicy, TlsPolicyKind, Victim,
};

/// What stands beside each other in a list; `show` has the rest.
const LISTED: [&str; 7] = ["id", "at", "kind", "tenant", "by", "proven", "words"];

pub fn list(
    peers: &mut Peers<'_>,
    (tenant, domain): (Option<String>, Option<String>),
    kind: Option<String>,
    after: Option<String>,
) -> Answer {
    let kind = kind.map(|word| kind_of(&word)).transpose()?;
    let after = after.map(|id| parse(&id)).transpose()?;
    let page = ask(peers, Query::List { tenant, domain, kind, after })?;
    let next = page.next.map(|id| HEXLOWER.encode(&id));
    Ok(json!({ "items": shown(peers, &page, &LISTED)?, "next": next }))
}

pub fn show(peers: &mut Peers<'_>, id: &str) -> Answer {
    let page = ask(peers, Query::Show(parse(id)?))?;
    shown(peers, &page, &[])?.pop().ok_or_else(|| no_such(id))
}

/// What others said of a message of ours, for its trace.
pub fn about(peers: &mut Peers<'_>, tokens: Vec<[u8; 16]>) -> Result<Vec<Value>, Refusal> {
    let page = ask(peers, Query::About(tokens))?;
    shown(peers, &page, &["id", "at", "kind", "by", "proven", "words"])
}

fn ask(peers: &mut Peers<'_>, query: Query) -> Result<Page, Refusal> {
    match peers.ask(Peer::Directory, &FromAdmin::Reports(query))? {
        ToAdmin::Reports(page) => Ok(page),
        ToAdmin::Refused { expected, found, hint } => {
            Err(Refusal::Wanting { expected, found, hint })
        }
        ToAdmin::Fault(what) => Err(Refusal::Fault(what)),
        _ => Err(Refusal::unexpected(Peer::Directory)),
    }
}

/// `fields`: those that are shown; none: all.
fn shown(peers: &mut Peers<'_>, page: &Page, fields: &[&str]) -> Result<Vec<Value>, Refusal> {
    let mut users: Vec<UserId> =
        page.items.iter().filter_map(|kept| kept.sent).map(|sent| sent.user).collect();
    users.sort_unstable();
    users.dedup();
    let found = match users.is_empty() {
        true => Vec::new(),
        false => names(peers, users.clone())?,
    };
    let addresses: HashMap<UserId, String> =
        users.into_iter().zip(found).filter_map(|(user, name)| Some((user, name?))).collect();
    let shown = page.items.iter().map(|kept| {
        let sender = kept.sent.and_then(|sent| addresses.get(&sent.user)).map(String::as_str);
        let mut value = report_json(kept, sender);
        if let Some(object) = value.as_object_mut().filter(|_| !fields.is_empty()) {
            object.retain(|name, _| fields.contains(&name.as_str()));
        }
        value
    });
    Ok(shown.collect())
}

fn report_json(kept: &Kept, sender: Option<&str>) -> Value {
    let told = words::of(kept, sender);
    let mut value = json!({
        "id": HEXLOWER.encode(&kept.id),
        "at": rfc3339(kept.at_ms),
        "kind": kept.report.kind().word(),
        "tenant": kept.tenant,
        "to": kept.to,
        "by": kept.by,
        "proven": kept.is_proven,
        "words": told.said,
        "todo": told.todo,
    });
    let more = match &kept.report {
        Report::Tls(report) => json!({
            "organisation": report.organisation,
            "report_id": report.id,
            "from": rfc3339(report.begin_s.saturating_mul(1_000)),
            "until": rfc3339(report.end_s.saturating_mul(1_000)),
            "policies": report.policies.iter().map(policy_json).collect::<Vec<_>>(),
        }),
        Report::Feedback(feedback) => json!({
            "feedback_type": feedback.kind,
            "agent": feedback.agent,
            "message_id": feedback.about,
            "reader_at": feedback.reader,
            "source_ip": feedback.source_ip.map(|address| address.to_string()),
            "arrived": feedback.arrived_s.map(|at| rfc3339(at.saturating_mul(1_000))),
            "incidents": feedback.incidents,
            "complaints_in_30_days": kept.complaints,
        }),
        Report::Returned(returned) => json!({
            "late": returned.is_late,
            "message_id": returned.about,
            "recipients": returned.victims.iter().map(victim_json).collect::<Vec<_>>(),
        }),
    };
    let sent = kept.sent.map(|sent| {
        json!({
            "sender": sender,
            "message": sent.message.to_string(),
            "passed_on": sent.is_passed_on,
        })
    });
    let others = [more, sent.unwrap_or_default()];
    let others = others.into_iter().filter_map(|other| match other {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    if let Some(object) = value.as_object_mut() {
        others.for_each(|fields| object.extend(fields));
    }
    value
}

fn policy_json(policy: &TlsPolicy) -> Value {
    let kind = match policy.kind {
        TlsPolicyKind::Tlsa => "tlsa",
        TlsPolicyKind::Sts => "sts",
        TlsPolicyKind::None => "no-policy-found",
    };
    let failure = |failure: &TlsFailure| {
        let TlsFailure { what, mx, sessions } = failure;
        json!({ "what": what, "mx": mx, "sessions": sessions })
    };
    json!({
        "policy": kind,
        "domain": policy.domain,
        "successful": policy.successful,
        "failed": policy.failed,
        "failures": policy.failures.iter().map(failure).collect::<Vec<_>>(),
    })
}

fn victim_json(victim: &Victim) -> Value {
    let status =
        victim.status.map(|(class, subject, detail)| format!("{class}.{subject}.{detail}"));
    json!({ "at": victim.domain, "status": status, "reason": victim.reason })
}

fn kind_of(word: &str) -> Result<Kind, Refusal> {
    let found = Kind::ALL.into_iter().find(|kind| kind.word() == word);
    found.ok_or_else(|| Refusal::new("tls, feedback or returned", word, "--kind tls"))
}

fn parse(id: &str) -> Result<[u8; 16], Refusal> {
    let octets = HEXLOWER.decode(id.as_bytes()).ok();
    octets.and_then(|octets| octets.try_into().ok()).ok_or_else(|| no_such(id))
}

fn no_such(id: &str) -> Refusal {
    Refusal::new("the id of a report", id, "see `reports list`")
}
