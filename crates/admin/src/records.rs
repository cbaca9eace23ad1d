//! Traces and the state of the house. Names are put to ids only here, for the caller.

mod words;

use crate::peers::{Answer, Peers, Refusal};
use crate::people::names;
use crate::queue::Fate;
use evidence::rfc3339;
use serde_json::{Value, json};
use std::collections::HashMap;
use terms::{Kind, MessageId, TenantId, UserId};
use wire::directory;
use wire::ledger::{FromLedger, ToLedger};
use wire::mailbox::{FromAdmin, Journey, State, ToAdmin};
use wire::signer::ToSigner;

/// Journeys shown for one query.
const SHOWN: u32 = 200;
/// Copies that are looked for in the quarantine for one query: a letter may have a thousand.
const LOOKED_FOR: usize = 500;

pub fn trace(peers: &mut Peers<'_>, query: &str) -> Answer {
    let query = query.trim();
    // As the quarantine names it: a message, and whose copy.
    let message = crate::quarantine::parse_id(query).map(|(message, _)| message.to_string());
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
    let arrived = arrived(&journeys);
    let mut items = Vec::with_capacity(journeys.len());
    let mut left = LOOKED_FOR;
    for journey in journeys {
        items.push(shown(peers, journey, &arrived, &mut left)?);
    }
    if items.is_empty() {
        items.extend(without_journey(peers, query));
    }
    Ok(json!({ "items": items, "next": null }))
}

/// Mail that was handed in is in the queue before its journey is written, and a crash between the
/// two takes the journey. By its id it is found all the same.
fn without_journey(peers: &mut Peers<'_>, id: &str) -> Option<Value> {
    MessageId::parse(id)?;
    let mut shown = crate::queue::show(peers, id).ok()?;
    let [ja, en] = words::WITHOUT_JOURNEY;
    let fields = shown.as_object_mut()?;
    fields.insert("direction".to_owned(), json!("out"));
    fields.insert("verdict".to_owned(), Value::Null);
    fields.insert("reasons".to_owned(), json!([]));
    fields.entry("recipients").or_insert_with(|| json!([]));
    fields.insert("note".to_owned(), json!({ "ja": ja, "en": en }));
    Some(shown)
}

/// People of the house who got a message that somebody of the house sent: it has one id.
fn arrived(journeys: &[Journey]) -> HashMap<MessageId, Vec<UserId>> {
    let mut people: HashMap<MessageId, Vec<UserId>> = HashMap::new();
    for journey in journeys.iter().filter(|journey| !is_leaving(journey)) {
        people.entry(journey.message).or_default().extend(&journey.recipients);
    }
    people
}

fn is_leaving(journey: &Journey) -> bool {
    matches!(journey.state, State::Queued | State::PassedOn)
}

/// Under which keyed hashes this text stands, in every tenant.
pub fn tokens(peers: &mut Peers<'_>, query: &str) -> Result<Vec<[u8; 16]>, Refusal> {
    let digests = vec![trace::digest(query)];
    match peers.ask(Kind::Directory, &wire::directory::FromAdmin::TraceTokens { digests })? {
        wire::directory::ToAdmin::TraceTokens(tokens) => Ok(tokens),
        wire::directory::ToAdmin::Fault(what) => Err(Refusal::Fault(what)),
        _ => Err(Refusal::unexpected(Kind::Directory)),
    }
}

fn shown(
    peers: &mut Peers<'_>,
    journey: Journey,
    arrived: &HashMap<MessageId, Vec<UserId>>,
    left: &mut usize,
) -> Answer {
    if is_leaving(&journey) {
        let here = arrived.get(&journey.message).cloned().unwrap_or_default();
        return shown_leaving(peers, journey, here);
    }
    let recipients = names(peers, journey.recipients.clone())?;
    let state = match journey.state {
        State::Kept => "kept",
        State::Quarantined => "quarantined",
        State::Refused => "refused",
        State::Queued | State::PassedOn => "queued",
    };
    let mut outcomes = Vec::with_capacity(recipients.len());
    for (user, recipient) in journey.recipients.iter().zip(&recipients) {
        let state = state_of(peers, (&journey, *user), left)?;
        let [ja, en] = words::arrived(state);
        outcomes.push(json!({
            "recipient": recipient, "state": state, "why": { "ja": ja, "en": en },
        }));
    }
    Ok(json!({
        "id": journey.message.to_string(),
        "at": rfc3339(journey.at_ms),
        "direction": "in",
        "state": state,
        "verdict": journey.verdict.word(),
        "reasons": journey.reasons,
        "recipients": recipients,
        "outcomes": outcomes,
    }))
}

/// What became of one recipient's copy: of several, one may be held and another not.
fn state_of(
    peers: &mut Peers<'_>,
    (journey, user): (&Journey, UserId),
    left: &mut usize,
) -> Result<&'static str, Refusal> {
    if journey.state == State::Refused {
        return Ok("refused");
    }
    if journey.verdict < terms::Verdict::Quarantine {
        let is_junk = journey.verdict == terms::Verdict::Junk;
        // The heaviest verdict is somebody's: of several, one may allow the sender.
        return Ok(match is_junk {
            true if journey.recipients.len() == 1 => "junk",
            true => "kept-or-junk",
            false => "kept",
        });
    }
    if *left == 0 {
        return Ok("not-looked-for");
    }
    *left -= 1;
    let answer = mailbox(peers, &FromAdmin::QuarantineShow(journey.message, user))?;
    Ok(match (answer, journey.state) {
        (ToAdmin::Quarantine(_), _) => "quarantined",
        (_, State::Quarantined) => "no-longer-held",
        // The heaviest verdict was another recipient's, or its own copy was released.
        _ => "kept",
    })
}

/// Mail that was handed in: the queue knows how far it has come, and others what became of it.
fn shown_leaving(peers: &mut Peers<'_>, journey: Journey, here: Vec<UserId>) -> Answer {
    let reports = crate::reports::about(peers, journey.tokens.clone())?;
    let (accepted, colleagues) = accepted(peers, journey.message)?;
    let sender = names(peers, journey.recipients)?.pop().flatten();
    let fate = crate::queue::fate(peers, journey.message).unwrap_or_else(|| Fate {
        state: "queued".to_owned(),
        destinations: Value::Null,
        outcomes: Vec::new(),
        decided: Value::Null,
        ended: Value::Null,
    });
    let mut here: Vec<UserId> = here.into_iter().chain(colleagues).collect();
    here.sort_unstable();
    here.dedup();
    let here = names(peers, here)?;
    let is_untold = journey.state == State::PassedOn
        && fate.outcomes.iter().any(|one| one.get("state").is_some_and(|it| it == "failed"))
        && is_untold(peers, journey.tenant)?;
    let [ja, en] = words::UNTOLD;
    Ok(json!({
        "id": journey.message.to_string(),
        "note": is_untold.then(|| json!({ "ja": ja, "en": en })),
        "at": rfc3339(journey.at_ms),
        "direction": "out",
        "state": fate.state,
        "verdict": journey.verdict.word(),
        "reasons": journey.reasons,
        "sender": sender,
        "recipients": here,
        "outcomes": fate.outcomes,
        "destinations": fate.destinations,
        "decided": fate.decided,
        "ended": fate.ended,
        "accepted": accepted,
        "reports": reports,
    }))
}

/// Whether mail of the tenant's gateways may fail without anybody's hearing of it.
fn is_untold(peers: &mut Peers<'_>, tenant: TenantId) -> Result<bool, Refusal> {
    let tenant = crate::approvals::tenant_name(peers, tenant)?;
    let question = wire::directory::FromAdmin::DomainList { tenant };
    match peers.ask(Kind::Directory, &question)? {
        wire::directory::ToAdmin::Domains(all) => Ok(all.iter().any(|one| one.is_untold)),
        _ => Ok(false),
    }
}

/// Which hosts took it, and what each said; and colleagues of the sender who have it.
fn accepted(
    peers: &mut Peers<'_>,
    message: MessageId,
) -> Result<(Vec<Value>, Vec<UserId>), Refusal> {
    let question = wire::directory::FromAdmin::Accepted(message);
    let lines = match peers.ask(Kind::Directory, &question)? {
        wire::directory::ToAdmin::Accepted(lines) => lines,
        wire::directory::ToAdmin::Fault(what) => return Err(Refusal::Fault(what)),
        _ => return Err(Refusal::unexpected(Kind::Directory)),
    };
    let shown = |line: &wire::accepted::Accepted| {
        json!({
            "destination": line.leg + 1,
            "at": rfc3339(line.at_ms),
            "recipients": line.recipients,
            "host": line.host,
            "address": line.address,
            "tls": line.tls,
            "proven_by": line.safety.word(),
            "words": line.words,
        })
    };
    let people = lines.iter().flat_map(|line| &line.people).copied().collect();
    let hosts = lines.iter().filter(|line| !line.host.is_empty());
    Ok((hosts.map(shown).collect(), people))
}

pub fn mailbox(peers: &mut Peers<'_>, question: &FromAdmin) -> Result<ToAdmin, Refusal> {
    match peers.ask(Kind::Mailbox, question)? {
        ToAdmin::Fault(what) => Err(Refusal::Fault(what)),
        answer => Ok(answer),
    }
}

/// Of a directory that cannot go on.
const OLDER: &str = "the directory is older than what was recorded of it: all mail waits; put the \
                     newest copy of DIR/directory back, or: ledger acknowledge-loss";

/// What mail the mailbox lacks, and whose cannot be read.
fn of_mailbox(peers: &mut Peers<'_>) -> Vec<Value> {
    let Ok(ToAdmin::Standing { lacks, damaged }) = mailbox(peers, &FromAdmin::Standing) else {
        return Vec::new();
    };
    let damaged = damaged.into_iter().map(|user| {
        format!(
            "mailbox of user {user} is damaged: stop the house and put the newest copy of \
             DIR/mailbox back"
        )
    });
    let told = lacks.into_iter().chain(damaged);
    told.map(|what| json!({ "component": "mailbox", "since": null, "what": what })).collect()
}

/// What the keepers say of themselves. Whoever is away keeps nobody waiting: it is said instead.
pub fn status(peers: &mut Peers<'_>) -> Answer {
    peers.hurry();
    // Of these the warden knows that they do not answer.
    let (isolated, mut unable) = (crate::watch::isolated(peers), crate::watch::unable(peers));
    let full = crate::watch::full(peers);
    let named = |item: &Value| Kind::parse(item.get("component")?.as_str()?);
    let those = |list: &Value| list.as_array().into_iter().flatten().filter_map(named).collect();
    let (cut_off, cannot): (Vec<Kind>, Vec<Kind>) = (those(&isolated), those(&unable));
    cut_off.iter().chain(&cannot).for_each(|kind| peers.is_away(*kind));
    // First, and heard last: the ledger listens for its mirror, and needs the time.
    let head = peers.begin(Kind::Ledger, &ToLedger::Head);
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
    if let Ok(directory::ToAdmin::IsOlder(true)) =
        peers.ask(Kind::Directory, &directory::FromAdmin::IsOlder)
        && let Some(unable) = unable.as_array_mut()
    {
        unable.push(json!({ "component": "directory", "since": null, "what": OLDER }));
    }
    if let Some(unable) = unable.as_array_mut() {
        unable.extend(of_mailbox(peers));
    }
    let approvals = crate::approvals::mode_of_house(peers);
    let is_two = approvals.get("mode").and_then(Value::as_str) == Some("two-persons");
    let (sentinel, frozen) = (crate::watch::status(peers), crate::watch::frozen(peers));
    let endings = crate::endings::waiting(peers);
    // They have no figures here: whether they answer is what is asked.
    let _ = peers.ask::<_, wire::signer::FromSigner>(Kind::Signer, &ToSigner::Authority);
    let _ = peers.ask::<_, wire::post::ToAdmin>(Kind::Post, &wire::post::FromAdmin::Status);
    if let Ok(FromLedger::Away) = head.and_then(|head| peers.hear_out(head)) {
        peers.is_away(Kind::Mirror);
    }
    let away = peers.away().into_iter().filter(|kind| !cut_off.contains(kind));
    let away: Vec<&str> = away.map(Kind::word).collect();
    let single_operator = if approvals.is_null() { Value::Null } else { json!(!is_two) };
    let mut status = json!({
        "mailbox": mailbox,
        "vault": vault,
        "approvals": approvals,
        "sentinel": sentinel,
        "single_operator": single_operator,
        "isolated": isolated,
        "unable": unable,
        "full": full,
        "away": away,
        "frozen": frozen,
    });
    if !endings.is_empty() {
        crate::people::set(&mut status, "endings", json!(endings));
    }
    Ok(status)
}
