//! What guards the house: decoys, freezes, isolation, and what the sentinel says of itself.

use crate::approvals;
use crate::called;
use crate::peers::{Answer, Peers, Refusal};
use crate::people::{self, identity, names, one_user};
use evidence::rfc3339;
use serde_json::{Value, json};
use std::time::Duration;
use terms::Kind;
use wire::approval::{Act, Permission};
use wire::control::{Full, Isolation, Report};
use wire::directory::{DECOY_ROLE, FromAdmin as ToDirectory};
use wire::identity::{FromAdmin, ToAdmin, Whose};
use wire::sentinel::is_needed_to_agree;

/// Routes that are away have ten seconds each, and the sentinel answers after forty.
const TEST_PATIENCE: Duration = Duration::from_secs(50);

/// Whose grants, by name: exactly one of them.
pub struct Meant {
    pub address: Option<String>,
    pub tenant: Option<String>,
    pub component: Option<String>,
}

/// A mailbox that nobody has and a credential that nobody uses. The secret is shown once, to be
/// left where a thief would look.
pub fn add_decoy(peers: &mut Peers<'_>, address: String, tenant: String) -> Answer {
    let role = Some(DECOY_ROLE.to_owned());
    let new = people::New { address, tenant, role, aliases: Vec::new(), password: None };
    let added = people::add(peers, new)?;
    let address = added.get("address").and_then(Value::as_str).unwrap_or_default().to_owned();
    // First of all a decoy: where an app password takes two persons, the name alone tells.
    let user = one_user(peers, &ToDirectory::UserFind { address: address.clone() })?.user;
    identity(peers, &FromAdmin::Decoy { user })?;
    let device = Some("phone".to_owned());
    let secret =
        people::add_app_password(peers, address.clone(), "imap", device, None).unwrap_or_default();
    Ok(json!({
        "address": address,
        "user": user.to_string(),
        "secret": secret.get("secret"),
        "leave_it": "where a thief would look: whoever signs in with it or in this name is one",
    }))
}

/// To freeze protects and is done at once; to lift a freeze is an act for two.
pub fn freeze(peers: &mut Peers<'_>, meant: Meant, frozen: bool) -> Answer {
    let (whose, shown) = find(peers, meant)?;
    let weakened = match frozen {
        true => {
            identity(peers, &FromAdmin::Freeze(whose))?;
            None
        }
        false => {
            let permission = approvals::permission(peers)?;
            lift(peers, whose, permission)?
        }
    };
    Ok(json!({ "whose": shown, "frozen": frozen, "weakened": weakened }))
}

/// Lifted as two persons agreed.
pub fn thaw_under(peers: &mut Peers<'_>, whose: Whose, permission: Permission) -> Answer {
    let (_, shown) = named(peers, whose)?;
    let weakened = lift(peers, whose, permission)?;
    Ok(json!({ "whose": shown, "frozen": false, "weakened": weakened }))
}

fn lift(
    peers: &mut Peers<'_>,
    whose: Whose,
    permission: Permission,
) -> Result<Option<String>, Refusal> {
    match approvals::ask(peers, &FromAdmin::Carry { act: Act::Thaw(whose), permission })? {
        ToAdmin::Done { weakened } => Ok(weakened),
        _ => Err(Refusal::unexpected(Kind::Identity)),
    }
}

fn find(peers: &mut Peers<'_>, meant: Meant) -> Result<(Whose, String), Refusal> {
    match (meant.address, meant.tenant, meant.component) {
        (Some(address), None, None) => {
            let user = one_user(peers, &ToDirectory::UserFind { address })?;
            Ok((Whose::Person(user.tenant_id, user.user), user.address))
        }
        (None, Some(name), None) => {
            let question = ToDirectory::TenantShow { name: name.clone() };
            match peers.ask(Kind::Directory, &question)? {
                wire::directory::ToAdmin::Tenant(tenant) => {
                    Ok((Whose::Tenant(tenant.tenant), tenant.name))
                }
                wire::directory::ToAdmin::Refused { expected, found, hint } => {
                    Err(Refusal::Wanting { expected, found, hint })
                }
                _ => Err(Refusal::unexpected(Kind::Directory)),
            }
        }
        (None, None, Some(word)) => match Kind::parse(&word) {
            Some(Kind::Access) => Ok((Whose::Kind(Kind::Access), word)),
            _ => Err(Refusal::new("a component that holds grants", &word, "it is `access`")),
        },
        _ => Err(Refusal::new(
            "one of an address, --tenant T, --component C",
            "none or several",
            "sekisho freeze ADDRESS",
        )),
    }
}

pub fn list_freezes(peers: &mut Peers<'_>) -> Answer {
    let ToAdmin::Frozen(frozen) = peers.ask(Kind::Identity, &FromAdmin::Frozen)? else {
        return Err(Refusal::unexpected(Kind::Identity));
    };
    let mut items = Vec::with_capacity(frozen.len());
    for (whose, since_ms) in frozen {
        let (what, name) = named(peers, whose)?;
        let id = match whose {
            Whose::Person(_, user) => Some(user.to_string()),
            Whose::Tenant(tenant) => Some(tenant.to_string()),
            Whose::Kind(_) => None,
        };
        let since = rfc3339(since_ms);
        items.push(json!({ "what": what, "name": name, "since": since, "id": id }));
    }
    Ok(json!({ "items": items, "next": null }))
}

/// Who is frozen, for the state of the house; null while identity is away.
pub fn frozen(peers: &mut Peers<'_>) -> Value {
    let found = list_freezes(peers).ok();
    found.and_then(|found| found.get("items").cloned()).unwrap_or_default()
}

/// What is isolated, by the warden's word; null while it is away.
pub fn isolated(peers: &mut Peers<'_>) -> Value {
    let found = list_isolated(peers).ok();
    found.and_then(|found| found.get("items").cloned()).unwrap_or_default()
}

/// Which parts cannot start or go on, and why; null while the warden is away.
pub fn unable(peers: &mut Peers<'_>) -> Value {
    let Ok(parts) = peers.unable() else { return Value::Null };
    let told = parts.iter().map(|part| {
        json!({
            "component": part.kind.word(),
            "since": rfc3339(part.since_ms),
            "what": part.what(),
        })
    });
    Value::Array(told.collect())
}

/// Where no place is left for whoever comes; null while the warden is away.
pub fn full(peers: &mut Peers<'_>) -> Value {
    let Ok(kinds) = peers.full() else { return Value::Null };
    let told = kinds.iter().map(|full| {
        let Full { kind, taken, places, since_ms } = *full;
        let since = rfc3339(since_ms);
        let what = match kind {
            Kind::Edge => format!(
                "no session is free for others who bring mail since {since}, {taken} of {places} \
                 are taken: they are put off (421)"
            ),
            Kind::Access => format!(
                "no session is free for others who sign in since {since}, {taken} of {places} are \
                 taken: they are turned away"
            ),
            _ => format!(
                "the public pages have no connection free since {since}, {taken} of {places} are \
                 taken: whoever else comes is turned away"
            ),
        };
        json!({
            "component": kind.word(), "taken": taken, "places": places, "since": since,
            "what": what,
        })
    });
    Value::Array(told.collect())
}

pub fn list_isolated(peers: &mut Peers<'_>) -> Answer {
    let items = peers.isolated()?.into_iter().map(|Isolation { kind, since_ms, by }| {
        json!({ "component": kind.word(), "since": rfc3339(since_ms), "by": by.word() })
    });
    Ok(json!({ "items": items.collect::<Vec<Value>>(), "next": null }))
}

/// What it is, and its name if it has one.
fn named(peers: &mut Peers<'_>, whose: Whose) -> Result<(&'static str, Option<String>), Refusal> {
    Ok(match whose {
        Whose::Person(_, user) => ("person", names(peers, vec![user])?.pop().flatten()),
        Whose::Tenant(tenant) => {
            let name = called::tenants(peers)?.remove(&tenant).map(|called| called.name);
            ("tenant", Some(name.unwrap_or_else(|| tenant.to_string())))
        }
        Whose::Kind(kind) => ("component", Some(kind.word().to_owned())),
    })
}

/// The warden takes it out of the house; its note says when it has. To isolate protects and is
/// done at once; to let somebody in again is an act for two.
pub fn isolate(peers: &mut Peers<'_>, component: &str) -> Answer {
    let kind = one_that_may_be_isolated(component)?;
    peers.report(&Report::Isolate { kind, isolated: true })?;
    Ok(json!({ "component": component, "isolated": true }))
}

fn one_that_may_be_isolated(component: &str) -> Result<Kind, Refusal> {
    let known = Kind::parse(component).filter(|kind| wire::sentinel::may_be_isolated(*kind));
    known.ok_or_else(|| {
        let hint = "not warden, admin, ledger, mirror or sentinel: nobody could let it in again";
        Refusal::new("a component that can be done without", component, hint)
    })
}

pub fn rejoin(peers: &mut Peers<'_>, component: &str) -> Answer {
    let kind = one_that_may_be_isolated(component)?;
    let isolated = peers.isolated()?;
    if !isolated.iter().any(|one| one.kind == kind) {
        return Ok(json!({ "component": component, "isolated": false, "was_isolated": false }));
    }
    // While one of those who ask two persons is away nobody can be asked: one lets it in again.
    if isolated.iter().any(|one| is_needed_to_agree(one.kind)) {
        return match is_needed_to_agree(kind) {
            true => let_in(peers, kind, Some("nobody-to-ask".to_owned())),
            false => Err(Refusal::new(
                "identity, directory and vault in the house",
                "one of them is isolated",
                "release that one first: sekisho isolate list",
            )),
        };
    }
    let permission = approvals::permission(peers)?;
    rejoin_under(peers, kind, permission)
}

/// Let in again as two persons agreed.
pub fn rejoin_under(peers: &mut Peers<'_>, kind: Kind, permission: Permission) -> Answer {
    match approvals::ask(peers, &FromAdmin::Carry { act: Act::Rejoin(kind), permission })? {
        ToAdmin::Done { weakened } => let_in(peers, kind, weakened),
        _ => Err(Refusal::unexpected(Kind::Identity)),
    }
}

fn let_in(peers: &mut Peers<'_>, kind: Kind, weakened: Option<String>) -> Answer {
    peers.report(&Report::Isolate { kind, isolated: false })?;
    let component = kind.word();
    Ok(json!({
        "component": component, "isolated": false, "was_isolated": true, "weakened": weakened,
    }))
}

/// One alarm over every route of the sentinel's, and what each of them answered.
pub fn test_alarms(peers: &mut Peers<'_>) -> Answer {
    let question = wire::sentinel::FromAdmin::Test;
    let answer = peers.ask_within(Kind::Sentinel, &question, TEST_PATIENCE)?;
    let wire::sentinel::ToAdmin::Tested(tried) = answer else {
        return Err(Refusal::unexpected(Kind::Sentinel));
    };
    if tried.is_empty() {
        let hint = "wait a minute, then ask again";
        return Err(Refusal::new("no other test under way", "one that is not over", hint));
    }
    let items = tried.into_iter().map(|route| {
        let arrived = route.is_configured.then_some(route.is_taken);
        json!({ "route": route.route, "arrived": arrived, "said": route.said })
    });
    Ok(json!({ "items": items.collect::<Vec<Value>>(), "next": null }))
}

/// What the sentinel says of itself; null while it is away.
pub fn status(peers: &mut Peers<'_>) -> Value {
    let question = wire::sentinel::FromAdmin::Status;
    let Ok(wire::sentinel::ToAdmin::Status(status)) = peers.ask(Kind::Sentinel, &question) else {
        return Value::Null;
    };
    let sources = status.sources.iter().map(|(source, missing)| {
        json!({ "source": source.word(), "there": missing.is_none(), "why_not": missing })
    });
    json!({
        "events": status.events,
        "incidents": status.incidents,
        "followed": status.followed,
        "rules": status.rules,
        "decoys": status.decoys,
        "sources": sources.collect::<Vec<Value>>(),
        "routes": status.routes.iter().map(standing).collect::<Vec<Value>>(),
    })
}

fn standing(route: &wire::sentinel::Standing) -> Value {
    json!({
        "route": route.route,
        "sent": route.sent,
        "waiting": route.waiting,
        "given_up": route.given_up,
        "last_taken": route.last_taken_ms.map(rfc3339),
        "trouble": route.trouble,
    })
}
