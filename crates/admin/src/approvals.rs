//! Acts for two persons: asked for, shown, answered, carried out.
//!
//! Whether an act may be done is identity's word, here as everywhere: this process brings it the
//! act, the grounds, and the digest of a typed password.

use crate::peers::{Answer, Peers, Refusal};
use crate::people::{self, names, one_tenant, one_user, set};
use crate::words;
use compartment::random;
use data_encoding::BASE64;
use evidence::rfc3339;
use serde_json::{Value, json};
use terms::{Kind, RequestId, UserId};
use wire::admin::Request as Asked;
use wire::approval::{Act, NEEDED, Permission, Proof, Purpose, Request, WhoseLog};
use wire::directory::{FromAdmin as ToDirectory, TenantSettings, ToAdmin as FromDirectory};
use wire::identity::{FromAdmin, ToAdmin, Whose};
use wire::mailbox;
use wire::redirection::Redirection;

/// The grounds of this request, with a digest in the password's place.
pub fn permission(peers: &mut Peers<'_>) -> Result<Permission, Refusal> {
    let grounds = peers.grounds.clone();
    let by = match (grounds.by, grounds.password) {
        (Some(address), Some(password)) => Some(prove(peers, &address, &password)?),
        (Some(address), None) => {
            let hint = "it is read from the terminal, or from --password-fd N";
            return Err(Refusal::new("a password", &format!("none of {address}"), hint));
        }
        (None, _) => None,
    };
    Ok(Permission { request: None, reason: grounds.reason, by, lasts_ms: grounds.lasts_ms })
}

/// The digest of a person's password under their own salt.
pub fn prove(peers: &mut Peers<'_>, address: &str, password: &str) -> Result<Proof, Refusal> {
    let address = address.to_owned();
    match ask(peers, &FromAdmin::Salt { address: address.clone() })? {
        ToAdmin::Salt(salt) => {
            let digest = people::stretch(password, &salt)?;
            Ok(Proof { address, digest })
        }
        _ => Err(Refusal::unexpected(Kind::Identity)),
    }
}

/// Asks identity. A request that waits is no success: the caller hears what it waits for.
pub fn ask(peers: &mut Peers<'_>, question: &FromAdmin) -> Result<ToAdmin, Refusal> {
    match peers.ask(Kind::Identity, question)? {
        ToAdmin::Refused { expected, found, hint } => {
            Err(Refusal::Wanting { expected, found, hint })
        }
        ToAdmin::Fault(what) => Err(Refusal::Fault(what)),
        ToAdmin::Pending(request) => Err(Refusal::Pending(shown(peers, &request)?)),
        ToAdmin::PendingShort { request, others } => {
            let mut value = shown(peers, &request)?;
            set(&mut value, "warning", too_few(others));
            Err(Refusal::Pending(value))
        }
        answer => Ok(answer),
    }
}

/// Nobody need find out when the request has run out.
fn too_few(others: u32) -> Value {
    json!({
        "ja": format!(
            "承認には申請者以外の {NEEDED} 人が必要ですが、今は {others} 人しかいません。承認できる人を\
             増やすか、approval deny で取り下げて、--as なしで、または別の人が申請してください。"
        ),
        "en": format!(
            "it needs {NEEDED} others than who asks, and there are {others}: add one who may \
             approve, or take it back (approval deny ID) and have somebody else ask, or nobody \
             (without --as)"
        ),
    })
}

/// As `ask`, where a request is what was asked for.
fn ask_for_one(peers: &mut Peers<'_>, question: &FromAdmin) -> Result<Request, Refusal> {
    match peers.ask(Kind::Identity, question)? {
        ToAdmin::Pending(request) => Ok(*request),
        ToAdmin::Refused { expected, found, hint } => {
            Err(Refusal::Wanting { expected, found, hint })
        }
        ToAdmin::Fault(what) => Err(Refusal::Fault(what)),
        _ => Err(Refusal::unexpected(Kind::Identity)),
    }
}

/// Has the directory do an act with identity's leave.
pub fn carried(
    peers: &mut Peers<'_>,
    act: Act,
    permission: Permission,
) -> Result<(FromDirectory, Option<String>), Refusal> {
    match ask(peers, &FromAdmin::Carry { act, permission })? {
        ToAdmin::Carried { answer, weakened } => match *answer {
            FromDirectory::Refused { expected, found, hint } => {
                Err(Refusal::Wanting { expected, found, hint })
            }
            FromDirectory::Fault(what) => Err(Refusal::Fault(what)),
            answer => Ok((answer, weakened)),
        },
        _ => Err(Refusal::unexpected(Kind::Identity)),
    }
}

pub fn list(peers: &mut Peers<'_>) -> Answer {
    let requests = match ask(peers, &FromAdmin::Requests)? {
        ToAdmin::Requests(requests) => requests,
        _ => return Err(Refusal::unexpected(Kind::Identity)),
    };
    let mut items = Vec::with_capacity(requests.len());
    for request in &requests {
        items.push(shown(peers, request)?);
    }
    Ok(json!({ "items": items, "next": null }))
}

pub fn show(peers: &mut Peers<'_>, id: &str) -> Answer {
    let request = find(peers, id)?;
    shown(peers, &request)
}

fn find(peers: &mut Peers<'_>, id: &str) -> Result<Request, Refusal> {
    let id = parse(id)?;
    ask_for_one(peers, &FromAdmin::Request(id))
}

fn parse(id: &str) -> Result<RequestId, Refusal> {
    RequestId::parse(id)
        .ok_or_else(|| Refusal::new("the id of a request", id, "see `approval list`"))
}

/// A person's yes or no.
pub fn answer(peers: &mut Peers<'_>, id: &str, agree: bool) -> Answer {
    let request = parse(id)?;
    let Some(proof) = permission(peers)?.by else {
        let hint = "--as ADDRESS; the password is read from the terminal, or --password-fd N";
        return Err(Refusal::new("who answers", "nobody", hint));
    };
    let question = match agree {
        true => FromAdmin::Agree { request, proof },
        false => FromAdmin::Deny { request, proof },
    };
    let request = ask_for_one(peers, &question)?;
    shown(peers, &request)
}

pub fn mode(peers: &mut Peers<'_>, mode: Option<&str>) -> Answer {
    let answer = match mode {
        None => ask(peers, &FromAdmin::Mode)?,
        Some("two-persons") => ask(peers, &FromAdmin::TwoPersons)?,
        Some("single-operator") => {
            let permission = permission(peers)?;
            ask(peers, &FromAdmin::Carry { act: Act::SingleOperator, permission })?
        }
        Some(other) => {
            let hint = "approval mode two-persons";
            return Err(Refusal::new("two-persons or single-operator", other, hint));
        }
    };
    match answer {
        ToAdmin::Mode { two_persons, able, open } => Ok(mode_json(two_persons, able, open)),
        _ => Err(Refusal::unexpected(Kind::Identity)),
    }
}

fn mode_json(two_persons: bool, able: u32, open: u32) -> Value {
    let mode = if two_persons { "two-persons" } else { "single-operator" };
    let mut told = json!({
        "mode": mode,
        "who_may_approve": able,
        "open_requests": open,
        "weakened": (!two_persons).then_some("single-operator"),
    });
    if two_persons && able as usize <= NEEDED {
        set(&mut told, "warning", json!(JUST_ENOUGH));
    }
    told
}

/// Who asks does not answer: where nobody is left over, their request can never be approved.
const JUST_ENOUGH: &str = "what one of them asks for cannot be approved by two others: add a third \
                           who may approve, or ask without --as; a request is taken back by \
                           approval deny ID";

/// Does exactly what was approved.
pub fn carry_out(peers: &mut Peers<'_>, id: &str) -> Answer {
    let request = find(peers, id)?;
    let permission = Permission { request: Some(request.request), ..Permission::default() };
    let mut value = perform(peers, request.act, permission)?;
    set(&mut value, "request", json!(id));
    Ok(value)
}

/// What a log lost is known from now on.
pub fn acknowledge(peers: &mut Peers<'_>, whose: &str, size: u64, root: &str) -> Answer {
    let wrong = |expected, found: &str| {
        Refusal::new(expected, found, "sekisho ledger acknowledge-loss finds it itself")
    };
    let found = WhoseLog::ALL.into_iter().find(|one| one.word() == whose);
    let whose = found.ok_or_else(|| wrong("ledger, mirror, both, directory or mailbox", whose))?;
    let octets = BASE64.decode(root.as_bytes()).ok();
    let root = octets.and_then(|octets| <[u8; 32]>::try_from(octets).ok());
    let root = root.ok_or_else(|| wrong("the root of a log in base 64", "something else"))?;
    if whose == WhoseLog::Mailbox && mailbox_lacks(peers)?.is_none() {
        return Err(wrong("a mailbox that is older than what was recorded", "none"));
    }
    let permission = permission(peers)?;
    perform(peers, Act::AcknowledgeLoss { whose, size, root }, permission)
}

fn mailbox_lacks(peers: &mut Peers<'_>) -> Result<Option<String>, Refusal> {
    match crate::records::mailbox(peers, &mailbox::FromAdmin::Standing)? {
        mailbox::ToAdmin::Standing { lacks, .. } => Ok(lacks),
        _ => Err(Refusal::unexpected(Kind::Mailbox)),
    }
}

fn acknowledge_under(peers: &mut Peers<'_>, act: Act, permission: Permission) -> Answer {
    let Act::AcknowledgeLoss { whose, size, root } = act else {
        return Err(Refusal::unexpected(Kind::Identity));
    };
    match ask(peers, &FromAdmin::Carry { act, permission })? {
        ToAdmin::Done { weakened } => {
            if whose == WhoseLog::Mailbox {
                crate::records::mailbox(peers, &mailbox::FromAdmin::Acknowledge)?;
            }
            let mut value = loss_json(whose, size, &root);
            set(&mut value, "acknowledged", json!(true));
            set(&mut value, "weakened", json!(weakened));
            Ok(value)
        }
        _ => Err(Refusal::unexpected(Kind::Identity)),
    }
}

fn loss_json(whose: WhoseLog, size: u64, root: &[u8; 32]) -> Value {
    json!({ "whose": whose.word(), "size": size, "root": BASE64.encode(root) })
}

/// An act, with the grounds for it.
pub fn perform(peers: &mut Peers<'_>, act: Act, permission: Permission) -> Answer {
    match act {
        Act::AppPassword { user, protocol, device, .. } => {
            let Some(known) = people::known_protocol(protocol.word()) else {
                return Err(Refusal::unexpected(Kind::Identity));
            };
            let parts = (random(), random());
            people::app_password_under(peers, user, known, device, parts, permission)
        }
        Act::ResetPassword { user, .. } => {
            let address = names(peers, vec![user])?.pop().flatten();
            let shown = json!({ "user": user.to_string(), "address": address });
            people::reset_under(peers, user, permission, shown)
        }
        act @ Act::Disable { .. } => people::disable_under(peers, act, permission),
        act @ Act::AddPerson { .. } => {
            let password = people::made_password();
            people::add_approver(peers, act, permission, &password)
        }
        Act::Redirect { change, tenant, user } => {
            let is_person = matches!(*change, Redirection::Person { .. });
            let act = Act::Redirect { change, tenant, user };
            if is_person {
                return people::add_approver(peers, act, permission, &people::made_password());
            }
            let (answer, weakened) = carried(peers, act, permission)?;
            let mut value = crate::passing::done(answer)?;
            set(&mut value, "weakened", json!(weakened));
            Ok(value)
        }
        act @ Act::Read { .. } => pass_under(peers, act, permission),
        Act::Keys(act) => crate::keys::act_under(peers, act, permission),
        Act::Thaw(whose) => crate::watch::thaw_under(peers, whose, permission),
        Act::Rejoin(kind) => crate::watch::rejoin_under(peers, kind, permission),
        act @ Act::AcknowledgeLoss { .. } => acknowledge_under(peers, act, permission),
        Act::SingleOperator => match ask(peers, &FromAdmin::Carry { act, permission })? {
            ToAdmin::Mode { two_persons, able, open } => Ok(mode_json(two_persons, able, open)),
            _ => Err(Refusal::unexpected(Kind::Identity)),
        },
        Act::Other { .. } => {
            let hint = "repeat the command that asked for it: it finds its approval";
            Err(Refusal::new("an act that is carried out here", act.word(), hint))
        }
        act => {
            let (answer, weakened) = carried(peers, act, permission)?;
            let mut value = crate::endings::answer_json(peers, answer)?;
            set(&mut value, "weakened", json!(weakened));
            Ok(value)
        }
    }
}

/// A pass to read somebody's mail.
pub fn pass(peers: &mut Peers<'_>, address: String, purpose: &str, for_ms: u64) -> Answer {
    let purpose = match purpose {
        "export" => Purpose::Export,
        "case" => Purpose::Case,
        other => return Err(Refusal::new("export or case", other, "--purpose case")),
    };
    let user = one_user(peers, &ToDirectory::UserFind { address })?;
    let act = Act::Read { tenant: user.tenant_id, user: user.user, purpose, for_ms };
    let permission = permission(peers)?;
    pass_under(peers, act, permission)
}

fn pass_under(peers: &mut Peers<'_>, act: Act, permission: Permission) -> Answer {
    let Some(user) = act.user() else { return Err(Refusal::unexpected(Kind::Identity)) };
    let address = names(peers, vec![user])?.pop().flatten();
    let (text, made) = secret::make('i', random(), random());
    let (key, digest) = (made.key.clone(), made.digest.to_vec());
    let weakened = people::identity(peers, &FromAdmin::PassAdd { act, key, digest, permission })?;
    Ok(json!({ "id": made.key, "secret": text, "address": address, "weakened": weakened }))
}

/// `tenant set`: what protects as much is done at once, what protects less is an act for two.
pub fn set_tenant(peers: &mut Peers<'_>, request: Asked) -> Answer {
    let Asked::TenantSet {
        name,
        tag_from,
        junk_from,
        quarantine_from,
        refuse_from,
        obey_dmarc,
        greylist,
        trust_sealers,
        distrust_sealers,
    } = request
    else {
        return Err(Refusal::Fault("another request".to_owned()));
    };
    let changes_marks =
        [tag_from, junk_from, quarantine_from, refuse_from].iter().any(Option::is_some);
    let tenant = one_tenant(peers, &name)?;
    let before = tenant.settings;
    let settings = TenantSettings {
        tag_from: tag_from.unwrap_or(before.tag_from),
        junk_from: junk_from.unwrap_or(before.junk_from),
        quarantine_from: quarantine_from.unwrap_or(before.quarantine_from),
        refuse_from: refuse_from.unwrap_or(before.refuse_from),
        obey_dmarc: obey_dmarc.unwrap_or(before.obey_dmarc),
        greylist: greylist.unwrap_or(before.greylist),
        trusted_sealers: sealers(&before.trusted_sealers, &trust_sealers, &distrust_sealers),
    };
    if changes_marks && !settings.is_in_order() {
        return Err(out_of_order(&settings));
    }
    if settings.is_weaker_than(&before) {
        let permission = permission(peers)?;
        let act = Act::ChangeSettings { tenant: tenant.tenant, settings };
        return perform(peers, act, permission);
    }
    let question = ToDirectory::Settings { tenant: name, settings };
    crate::places::directory(peers, &question, |answer| match answer {
        FromDirectory::Tenant(tenant) => Some(crate::places::tenant_json(&tenant)),
        _ => None,
    })
}

/// A mark above the next graver one would never be reached: whoever set it would think it is.
fn out_of_order(settings: &TenantSettings) -> Refusal {
    let TenantSettings { tag_from, junk_from, quarantine_from, refuse_from, .. } = settings;
    let found = format!(
        "tag from {tag_from}, junk from {junk_from}, quarantine from {quarantine_from}, \
         refuse from {refuse_from}"
    );
    let expected = "marks in order: tag, junk, quarantine, refuse, none above the next";
    Refusal::new(expected, &found, "change the graver mark in the same command, or a smaller one")
}

/// Those believed until now, with the new ones and without those no longer believed.
fn sealers(before: &[String], trusted: &[String], distrusted: &[String]) -> Vec<String> {
    let plain = |domain: &String| terms::dns_name(domain);
    let gone: Vec<String> = distrusted.iter().map(plain).collect();
    let mut sealers: Vec<String> =
        before.iter().filter(|sealer| !gone.contains(sealer)).cloned().collect();
    for sealer in trusted.iter().map(plain) {
        if !sealers.contains(&sealer) {
            sealers.push(sealer);
        }
    }
    sealers
}

/// A request with names, for whoever decides on it.
fn shown(peers: &mut Peers<'_>, request: &Request) -> Answer {
    let mut people: Vec<UserId> = request.approvals.iter().map(|voice| voice.user).collect();
    people.extend(request.act.user());
    people.extend(request.requester);
    people.extend(request.denied_by.map(|voice| voice.user));
    let found = names(peers, people.clone())?;
    let name = |user: UserId| {
        let place = people.iter().position(|known| *known == user);
        let address = place.and_then(|place| found.get(place).cloned().flatten());
        address.unwrap_or_else(|| user.to_string())
    };
    let tenant = match request.act.tenant() {
        Some(tenant) => tenant_name(peers, tenant)?,
        None => None,
    };
    let person = request.act.user().map(name);
    let id = || request.act.tenant().map(|tenant| tenant.to_string());
    let about = words::About {
        tenant: &tenant.clone().or_else(id).unwrap_or_default(),
        person: person.as_deref().unwrap_or_default(),
    };
    let approvals: Vec<Value> = request
        .approvals
        .iter()
        .map(|voice| json!({ "by": name(voice.user), "at": rfc3339(voice.at_ms) }))
        .collect();
    Ok(json!({
        "request": request.request.to_string(),
        "state": request.state.word(),
        "what": request.act.word(),
        "in_words": words::told(&request.act, &about),
        "details": details(&request.act),
        "tenant": tenant,
        "person": person,
        "reason": request.reason,
        "requester": request.requester.map(name),
        "made": rfc3339(request.made_ms),
        "expires": rfc3339(request.expires_ms),
        "needs": NEEDED.saturating_sub(request.approvals.len()),
        "approvals": approvals,
        "denied_by": request.denied_by.map(|voice| name(voice.user)),
        "done": request.done_ms.map(rfc3339),
        "digest": data_encoding::HEXLOWER.encode(&request.digest),
    }))
}

/// What exactly it is, beyond its name and whom it concerns.
fn details(act: &Act) -> Value {
    match act {
        Act::AppPassword { protocol, device, .. } => {
            json!({ "protocol": protocol.word(), "device": device })
        }
        Act::AddPerson { address, role, aliases, .. } => {
            json!({ "address": address, "role": role, "aliases": aliases })
        }
        Act::ChangeSettings { settings, .. } => crate::places::settings_json(settings),
        Act::ChangeSending { settings, .. } => crate::outgoing::sending_json(settings),
        Act::Redirect { change, .. } => crate::passing::details(change),
        Act::Read { for_ms, .. } => json!({ "hours": *for_ms as f64 / 3_600_000.0 }),
        Act::TerminateTenant { grace_ms, .. } | Act::TerminateUser { grace_ms, .. } => {
            json!({ "grace_days": *grace_ms as f64 / 86_400_000.0 })
        }
        Act::LiftHold { hold, .. } => json!({ "hold": hold.to_string() }),
        Act::Other { detail, .. } => {
            json!({ "detail": data_encoding::HEXLOWER.encode(detail) })
        }
        Act::Thaw(Whose::Kind(kind)) | Act::Rejoin(kind) => json!({ "component": kind.word() }),
        Act::AcknowledgeLoss { whose, size, root } => loss_json(*whose, *size, root),
        Act::ResetPassword { .. }
        | Act::SingleOperator
        | Act::Keys(_)
        | Act::Thaw(_)
        | Act::Disable { .. } => json!({}),
    }
}

pub fn tenant_name(
    peers: &mut Peers<'_>,
    tenant: terms::TenantId,
) -> Result<Option<String>, Refusal> {
    match peers.ask(Kind::Directory, &ToDirectory::TenantList)? {
        FromDirectory::Tenants(tenants) => {
            let found = tenants.into_iter().find(|each| each.tenant == tenant);
            Ok(found.map(|each| each.name))
        }
        FromDirectory::Fault(what) => Err(Refusal::Fault(what)),
        _ => Err(Refusal::unexpected(Kind::Directory)),
    }
}

/// How decisions are made here, for whoever looks at the house or at a tenant.
pub fn mode_of_house(peers: &mut Peers<'_>) -> Value {
    match ask(peers, &FromAdmin::Mode) {
        Ok(ToAdmin::Mode { two_persons, able, open }) => mode_json(two_persons, able, open),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::mode_json;

    #[test]
    fn two_who_may_approve_hear_that_neither_can_ask() {
        let warns = |two_persons, able| mode_json(two_persons, able, 0).get("warning").is_some();
        assert!(warns(true, 2));
        assert!(!warns(true, 3));
        assert!(!warns(false, 2));
    }
}
