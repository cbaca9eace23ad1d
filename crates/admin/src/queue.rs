//! Mail that leaves: what waits, why, and what an operator does about it.

mod members;
mod words;

use crate::peers::{Answer, Peers, Refusal};
use crate::people::{names, set};
use evidence::rfc3339;
use serde_json::{Value, json};
use std::collections::HashMap;
use terms::{Kind, MessageId, TenantId, UserId};
use wire::directory::Part;
use wire::post::{
    AtEnd, Decided, Decider, FromAdmin, LegEnd, LegState, QueueAct, Queued, State, ToAdmin,
};

/// Messages on one page.
const PAGE: u32 = 500;

pub fn list(peers: &mut Peers<'_>, tenant: Option<String>, after: Option<String>) -> Answer {
    let tenant = match tenant {
        Some(name) => Some(tenant_of(peers, name)?),
        None => None,
    };
    let after = after.as_deref().map(parse).transpose()?;
    match post(peers, &FromAdmin::List { tenant, after, limit: PAGE })? {
        ToAdmin::Messages { items, next } => {
            let shown = messages(peers, &items)?;
            Ok(json!({ "items": shown, "next": next.map(|id| id.to_string()) }))
        }
        _ => Err(Refusal::unexpected(Kind::Post)),
    }
}

pub fn show(peers: &mut Peers<'_>, id: &str) -> Answer {
    let message = parse(id)?;
    match post(peers, &FromAdmin::Show(message))? {
        ToAdmin::Message { message: queued, legs } => {
            let is_stopped = queued.hold.is_some() || is_cancelled(queued.decided);
            let mut shown = messages(peers, &[queued])?.pop().unwrap_or_default();
            set(&mut shown, "destinations", legs.iter().map(leg).collect());
            let mut outcomes: Vec<Value> =
                legs.iter().map(|leg| living_leg(leg, is_stopped)).collect();
            members::follow(peers, message, &mut outcomes);
            set(&mut shown, "outcomes", json!(outcomes));
            Ok(shown)
        }
        ToAdmin::Past { at_ms, sent, not_sent, decided, legs, .. } => {
            let is_stopped = is_cancelled(decided);
            let mut outcomes: Vec<Value> =
                legs.iter().map(|leg| ended_leg(leg, is_stopped)).collect();
            let followed = members::follow(peers, message, &mut outcomes);
            Ok(json!({
                "id": message.to_string(),
                "state": members::state(past_state(&legs, sent, not_sent), followed),
                "at": rfc3339(at_ms),
                "destinations_sent": sent,
                "destinations_not_sent": not_sent,
                "outcomes": outcomes,
                "decided": decided.map(decided_json),
            }))
        }
        ToAdmin::NoSuch => Err(no_such(id)),
        _ => Err(Refusal::unexpected(Kind::Post)),
    }
}

pub fn act(peers: &mut Peers<'_>, act: &str, id: &str) -> Answer {
    let message = parse(id)?;
    let Some(done) = QueueAct::parse(act) else {
        return Err(Refusal::new("hold, release or cancel", act, "see `sekisho help`"));
    };
    let question = match done {
        QueueAct::Hold => FromAdmin::Hold(message),
        QueueAct::Release => FromAdmin::Release(message),
        QueueAct::Cancel => FromAdmin::Cancel(message),
    };
    let queued = match post(peers, &FromAdmin::Show(message))? {
        ToAdmin::Message { message, .. } => message,
        ToAdmin::Past { sent, not_sent, decided, legs, .. } => {
            return Err(is_over(past_state(&legs, sent, not_sent), decided));
        }
        _ => return Err(no_such(id)),
    };
    if queued.state == State::Cancelled {
        let hint = "its sender hears of it, and it is over; see `queue show ID`";
        return Err(Refusal::new("a message that nobody cancelled", "cancelled already", hint));
    }
    // What is delayed is tried at once; what is on its way already needs no release.
    if done == QueueAct::Release && matches!(queued.state, State::Ready | State::Leaving) {
        let hint = "nothing was to be done; see `queue show ID`";
        return Err(Refusal::new("a message that waits", queued.state.word(), hint));
    }
    // Recorded in the name of whose mail it is, before it counts.
    let part = Part { tenant: queued.tenant, user: Some(queued.user) };
    let noted = wire::directory::FromAdmin::QueueAct { part, message, act: done };
    crate::places::directory(peers, &noted, |answer| match answer {
        wire::directory::ToAdmin::Done => Some(Value::Null),
        _ => None,
    })?;
    match post(peers, &question)? {
        ToAdmin::Done { under_way } => {
            let of = (queued.tenant, queued.user);
            let still_held = still_held(peers, of)?;
            let mut shown = json!({ "id": id, "done": act, "still_held": still_held });
            if under_way > 0 && done != QueueAct::Release {
                let [ja, en] = words::under_way();
                set(&mut shown, "done", json!("too late for some"));
                set(&mut shown, "under_way", json!(under_way));
                set(&mut shown, "in_words", json!({ "ja": ja, "en": en }));
            }
            Ok(shown)
        }
        ToAdmin::NoSuch => Err(no_such(id)),
        _ => Err(Refusal::unexpected(Kind::Post)),
    }
}

/// How many of that sender's wait for a word all the same: a person decides about one at a time.
fn still_held(peers: &mut Peers<'_>, (tenant, user): (TenantId, UserId)) -> Result<u32, Refusal> {
    match post(peers, &FromAdmin::StillHeld { tenant, user })? {
        ToAdmin::StillHeld(held) => Ok(held),
        _ => Err(Refusal::unexpected(Kind::Post)),
    }
}

pub fn status(peers: &mut Peers<'_>) -> Answer {
    match post(peers, &FromAdmin::Status)? {
        ToAdmin::Status(status) => Ok(json!({
            "messages": status.messages,
            "deliveries": status.legs,
            "held": status.held,
            "delayed": status.delayed,
            "leaving": status.leaving,
            "destinations": status.destinations,
            "unreachable": status.unreachable,
            "bytes": status.bytes,
            "fullest_percent": status.fullest_percent,
            "refused": status.refused,
            "disk_free_bytes": status.free_bytes,
            "near": near(&status),
        })),
        _ => Err(Refusal::unexpected(Kind::Post)),
    }
}

/// A share of the queue that is so full is told of.
const NEAR_PERCENT: u64 = 80;

/// What an operator should know before mail is refused, in English and Japanese.
fn near(status: &wire::post::Status) -> Value {
    if status.fullest_percent < NEAR_PERCENT {
        return Value::Null;
    }
    let percent = status.fullest_percent;
    json!({
        "en": format!(
            "a share of the queue is full to {percent} %: see `queue list` for whose mail waits, \
             and [queue] in the settings"
        ),
        "ja": format!(
            "キューの割り当ての一つが {percent} % まで埋まっています。`queue list` で誰のメールが\
             待っているか、設定の [queue] で上限を確認してください。"
        ),
    })
}

/// How far a message that was handed in has come.
pub struct Fate {
    pub state: String,
    /// Of each of its ways.
    pub destinations: Value,
    /// What became of the recipients of each, and why.
    pub outcomes: Vec<Value>,
    /// Who decided about it, if it was held.
    pub decided: Value,
    /// When the last of it was over.
    pub ended: Value,
}

/// `None`: the queue knows nothing of it any more.
pub fn fate(peers: &mut Peers<'_>, message: MessageId) -> Option<Fate> {
    let (state, destinations, mut outcomes, decided, ended) =
        match post(peers, &FromAdmin::Show(message)).ok()? {
            ToAdmin::Message { message, legs } => {
                let destinations = legs.iter().map(leg).collect();
                let is_stopped = message.hold.is_some() || is_cancelled(message.decided);
                let outcomes = legs.iter().map(|leg| living_leg(leg, is_stopped));
                let outcomes: Vec<Value> = outcomes.collect();
                (message.state.word(), destinations, outcomes, message.decided, Value::Null)
            }
            ToAdmin::Past { at_ms, sent, not_sent, decided, legs, .. } => {
                let counts = json!({ "sent": sent, "not_sent": not_sent });
                let is_stopped = is_cancelled(decided);
                let outcomes = legs.iter().map(|leg| ended_leg(leg, is_stopped)).collect();
                let state = past_state(&legs, sent, not_sent);
                (state, counts, outcomes, decided, json!(rfc3339(at_ms)))
            }
            _ => return None,
        };
    let followed = members::follow(peers, message, &mut outcomes);
    let state = members::state(state, followed).to_owned();
    let decided = decided.map_or(Value::Null, decided_json);
    Some(Fate { state, destinations, outcomes, decided, ended })
}

fn is_cancelled(decided: Option<Decided>) -> bool {
    decided.is_some_and(|decided| !decided.released)
}

/// What was decided about a held message, and by whom.
fn decided_json(decided: Decided) -> Value {
    let by = match decided.by {
        Decider::Sender => "sender, by link",
        Decider::Operator => "operator",
    };
    json!({ "what": if decided.released { "released" } else { "cancelled" }, "by": by })
}

/// By recipients, where their numbers are known: one that was cancelled may have gone to some.
fn past_state(legs: &[LegEnd], sent: u16, not_sent: u16) -> &'static str {
    let some = |of: fn(&LegEnd) -> u16| legs.iter().any(|leg| of(leg) > 0);
    match (sent > 0 || some(|leg| leg.sent), not_sent > 0 || some(|leg| leg.not_sent)) {
        (_, false) => "sent",
        (false, _) => "not-sent",
        _ => "partly-sent",
    }
}

fn messages(peers: &mut Peers<'_>, items: &[Queued]) -> Result<Vec<Value>, Refusal> {
    let tenants = tenant_names(peers)?;
    let senders = names(peers, items.iter().map(|item| item.user).collect())?;
    let shown = items.iter().zip(senders).map(|(item, sender)| {
        json!({
            "id": item.message.to_string(),
            "state": item.state.word(),
            "size": item.size,
            "at": rfc3339(item.at_ms),
            "next_try": item.next_try_ms.map(rfc3339),
            "tenant": tenants.get(&item.tenant),
            "sender": sender,
            "destinations_left": item.legs,
            "decided": item.decided.map(decided_json),
            "held_until": item.hold.map(|hold| rfc3339(hold.until_ms)),
            "held_for": item.hold.map(|hold| held_for(hold.then).0),
            "held_for_ja": item.hold.map(|hold| held_for(hold.then).1),
        })
    });
    Ok(shown.collect())
}

/// What a held message waits for, and what becomes of it, in English and Japanese.
fn held_for(then: AtEnd) -> (&'static str, &'static str) {
    match then {
        AtEnd::Send => (
            "the delay that its tenant wishes (`--send-delay`): it leaves then by itself",
            "組織の設定した送信の待ち時間（`--send-delay`）です。時刻になると自動で送信されます。",
        ),
        AtEnd::Return => (
            "somebody's word, for the brake or an operator stopped it (`trace ID` says why): \
             `queue release ID` or `queue cancel ID`; else it goes back to its sender then",
            "送信ブレーキまたは管理者が止めました（理由は `trace ID`）。`queue release ID` か \
             `queue cancel ID` で決めてください。時刻になると差出人に戻されます。",
        ),
    }
}

fn leg(leg: &LegState) -> Value {
    let (japanese, english) = match leg.why.map(words::waits_for) {
        Some([japanese, english]) => (Some(japanese), Some(english)),
        None => (None, None),
    };
    json!({
        "destination": data_encoding::HEXLOWER.encode(&leg.route.0),
        "state": leg.state.word(),
        "recipients": leg.recipients,
        "attempts": leg.attempts,
        "next_try": leg.next_try_ms.map(rfc3339),
        "waits_for": english,
        "waits_for_ja": japanese,
    })
}

/// What became of the recipients of a leg that is not over, or is.
/// `is_stopped`: somebody has held or cancelled its message.
fn living_leg(leg: &LegState, is_stopped: bool) -> Value {
    let LegState { state, sent, not_sent, why, .. } = *leg;
    let is_over = matches!(state, State::Sent | State::Failed | State::Cancelled);
    let mut shown = ended_leg(&LegEnd { leg: leg.leg, state, sent, not_sent, why }, is_stopped);
    crate::people::set(&mut shown, "waiting", json!(if is_over { 0 } else { leg.recipients }));
    if !is_over {
        let [ja, en] = words::stands(state, why, is_stopped);
        crate::people::set(&mut shown, "why", json!({ "ja": ja, "en": en }));
    }
    shown
}

fn ended_leg(end: &LegEnd, is_cancelled: bool) -> Value {
    let [ja, en] = words::ended(end.state, end.why, is_cancelled);
    json!({
        "destination": end.leg + 1,
        "state": end.state.word(),
        "sent": end.sent,
        "not_sent": end.not_sent,
        "waiting": 0,
        "status": end.why.and_then(words::status),
        "why": { "ja": ja, "en": en },
    })
}

/// Names of the tenants that there are.
pub fn tenant_names(peers: &mut Peers<'_>) -> Result<HashMap<TenantId, String>, Refusal> {
    match peers.ask(Kind::Directory, &wire::directory::FromAdmin::TenantList)? {
        wire::directory::ToAdmin::Tenants(tenants) => {
            Ok(tenants.into_iter().map(|tenant| (tenant.tenant, tenant.name)).collect())
        }
        wire::directory::ToAdmin::Fault(what) => Err(Refusal::Fault(what)),
        _ => Err(Refusal::unexpected(Kind::Directory)),
    }
}

pub fn tenant_of(peers: &mut Peers<'_>, name: String) -> Result<TenantId, Refusal> {
    let found = tenant_names(peers)?.into_iter().find(|(_, known)| *known == name);
    let hint = "see `tenant list`";
    found.map(|(tenant, _)| tenant).ok_or_else(|| Refusal::new("a tenant's name", &name, hint))
}

fn parse(id: &str) -> Result<MessageId, Refusal> {
    MessageId::parse(id).ok_or_else(|| no_such(id))
}

fn no_such(id: &str) -> Refusal {
    Refusal::new("the id of a message in the queue", id, "see `queue list`, or `trace`")
}

/// Nothing can be done about what is over; how it ended is said.
fn is_over(state: &str, decided: Option<Decided>) -> Refusal {
    let found = match decided {
        None => format!("it is over: {state}"),
        Some(Decided { by: Decider::Sender, released: true }) => {
            format!("it is over: {state}, released by its sender's link")
        }
        Some(Decided { by: Decider::Sender, released: false }) => {
            format!("it is over: {state}, cancelled by its sender's link")
        }
        Some(Decided { by: Decider::Operator, released: true }) => {
            format!("it is over: {state}, released by an operator")
        }
        Some(Decided { by: Decider::Operator, released: false }) => {
            format!("it is over: {state}, cancelled by an operator")
        }
    };
    Refusal::new("a message that is in the queue", &found, "see `queue show ID`, or `trace ID`")
}

fn post(peers: &mut Peers<'_>, question: &FromAdmin) -> Result<ToAdmin, Refusal> {
    match peers.ask(Kind::Post, question)? {
        ToAdmin::Fault(what) => Err(Refusal::Fault(what)),
        answer => Ok(answer),
    }
}
