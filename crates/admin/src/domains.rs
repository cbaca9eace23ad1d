//! Domains: added, listed, checked against the DNS; and the keys that sign their mail.

use crate::peers::{Answer, Peers, Refusal};
use crate::people::{one_tenant, set};
use crate::places::{directory, items};
use serde_json::{Value, json};
use terms::Kind;
use wire::directory::{Domain, FromAdmin, ToAdmin};
use wire::names::RecordKind;
use wire::pages::TransportPolicy;
use wire::signer::{FromSigner, MailRecord, ToSigner};

mod check;

mod asking;
mod spf;
pub(crate) mod trust;
mod wanted;
mod words;

#[cfg(test)]
mod tests;

use asking::Asking;
use check::{State, check};
use wanted::{Ours, Wanted, gateway_json, sts_policy, wanted};
use words::{Gap, NO_KEYS, Step, step};

/// A name of other letters than those of ASCII, as people know it.
pub fn in_letters(shown: &mut Value, domain: &str) {
    let letters = terms::letters_name(domain);
    if letters != domain {
        crate::people::set(shown, "name", json!(letters));
    }
}

pub fn add(peers: &mut Peers<'_>, domain: String, tenant: String) -> Answer {
    let mut added = directory(peers, &FromAdmin::DomainAdd { domain, tenant }, |answer| {
        let ToAdmin::Domain(added) = answer else { return None };
        let mut shown = json!({ "domain": added.domain, "tenant": added.tenant });
        in_letters(&mut shown, &added.domain);
        Some(shown)
    })?;
    let word = |name: &str| added.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (domain, tenant) = (word("domain"), word("tenant"));
    // The domain is there, whatever becomes of its keys: `domain keys` makes them later.
    let keys = make_keys(peers, &domain, &tenant);
    let mut ours = place(peers, TransportPolicy::default());
    ours.source = one_tenant(peers, &tenant).ok().and_then(|found| found.sending.source);
    let shown = keys.as_deref().unwrap_or_default();
    let records: Vec<Value> = wanted(&domain, &ours, shown).iter().map(Wanted::json).collect();
    let decoy = plant_decoy(peers, &added).unwrap_or_default();
    if let Some(fields) = added.as_object_mut() {
        fields.insert("records".to_owned(), json!(records));
        fields.insert("mta_sts_policy".to_owned(), sts_policy(&domain, &ours));
        fields.insert("decoy".to_owned(), decoy);
        if keys.is_err() {
            fields.insert("keys".to_owned(), NO_KEYS.json());
        }
    }
    Ok(added)
}

fn place(peers: &Peers<'_>, transport: TransportPolicy) -> Ours {
    let (host, pages) = (peers.host_name().to_owned(), peers.pages_host().to_owned());
    Ours { host, pages, transport, onward: None, source: None }
}

/// With its first domain a tenant gets its decoy. Without one the domain serves as well.
fn plant_decoy(peers: &mut Peers<'_>, added: &Value) -> Option<Value> {
    let word = |name: &str| added.get(name).and_then(Value::as_str).map(str::to_owned);
    let (domain, tenant) = (word("domain")?, word("tenant")?);
    let question = FromAdmin::DomainList { tenant: Some(tenant.clone()) };
    let all = directory(peers, &question, |answer| match answer {
        ToAdmin::Domains(domains) => Some(json!(domains.len())),
        _ => None,
    });
    if all.ok()?.as_u64() != Some(1) {
        return None;
    }
    let number = u16::from_le_bytes(compartment::random());
    crate::watch::add_decoy(peers, format!("records-{number:04x}@{domain}"), tenant).ok()
}

pub fn list(peers: &mut Peers<'_>, tenant: Option<String>) -> Answer {
    let found = directory(peers, &FromAdmin::DomainList { tenant }, |answer| match answer {
        ToAdmin::Domains(domains) => Some(json!(domains)),
        _ => None,
    })?;
    let domains: Vec<Domain> = serde_json::from_value(found).unwrap_or_default();
    let mut unproven = trust::of_all(peers, &domains).unwrap_or_default().into_iter();
    let shown = domains.iter().map(|each| {
        let mut shown = crate::outgoing::domain_json(each);
        if let Some(policy) = shown.get_mut("mta_sts") {
            set(policy, "unproven", json!(unproven.next()));
        }
        shown
    });
    Ok(items(shown.collect()))
}

/// A domain by any of its spellings, and whose it is.
fn find(peers: &mut Peers<'_>, domain: &str) -> Result<(String, Option<Domain>), Refusal> {
    let wanted = terms::dns_name(domain);
    let found = directory(peers, &FromAdmin::DomainList { tenant: None }, |answer| {
        let ToAdmin::Domains(domains) = answer else { return None };
        let ours = domains.iter().find(|each| each.domain == wanted);
        Some(json!(ours))
    })?;
    Ok((wanted, serde_json::from_value(found).unwrap_or_default()))
}

/// One of ours.
fn ours(peers: &mut Peers<'_>, domain: &str) -> Result<Domain, Refusal> {
    let (domain, found) = find(peers, domain)?;
    let hint = "see `domain list`; add it by `domain add`";
    found.ok_or_else(|| Refusal::new("a domain of this service", &domain, hint))
}

/// What the DNS says of a domain, and what is to be done. Wanting: exit 1.
pub fn check_domain(peers: &mut Peers<'_>, domain: &str, allow: &[String]) -> Answer {
    let allow = allow.iter().map(|text| allowed(text)).collect::<Result<Vec<_>, _>>()?;
    let (domain, found) = find(peers, domain)?;
    let mut ours = place(peers, found.as_ref().map(|found| found.transport).unwrap_or_default());
    if found.is_some() {
        ours.onward = onward(peers, &domain);
    }
    let is_untold = found.as_ref().is_some_and(|found| found.is_untold);
    let (host, tenant) = (ours.host.clone(), found.map(|found| found.tenant));
    if let Some(tenant) = &tenant {
        ours.source = one_tenant(peers, tenant)?.sending.source;
    }
    let keys = match &tenant {
        Some(tenant) => make_keys(peers, &domain, tenant)?,
        None => Vec::new(),
    };
    let wanted = wanted(&domain, &ours, &keys);
    let mut asking = Asking::new(peers);
    let addresses = [RecordKind::A, RecordKind::Aaaa].map(|kind| (host.clone(), kind));
    let questions = wanted.iter().map(|one| (one.name.clone(), one.kind)).chain(addresses);
    asking.ask_all(&questions.collect::<Vec<_>>())?;
    let mut report = check(&mut asking, &domain, (&host, ours.source), wanted, &allow);
    if tenant.is_none() {
        report.gaps.insert(0, (Gap::NotOurs, domain.clone()));
        // Nobody is told to publish for a domain whose mail nobody here would take.
        report.records.iter_mut().for_each(|(_, checked)| checked.todo = None);
    }
    if tenant.is_some() {
        let is_here = report.leads_here(&format!("mta-sts.{domain}"));
        report.gaps.extend(trust::doubts(peers, &domain, ours.transport, is_here)?);
    }
    let policy = tenant.as_ref().map(|_| sts_policy(&domain, &ours));
    let is_wanting = report.is_wanting();
    let shown = json!({
        "domain": domain,
        "tenant": tenant,
        "ours": tenant.is_some(),
        "ok": !is_wanting,
        "host": { "name": host, "addresses": report.addresses_json(&host) },
        "signed": report.is_signed,
        "bypass": report.gaps_json(),
        "allow_unused": report.unused_json(),
        "records": report.records_json(),
        "mta_sts_policy": policy,
        "gateway": ours.onward.map(|server| {
            let mut shown = gateway_json(&server, &report.let_in(ours.source));
            if is_untold {
                set(&mut shown, "warning", json!(crate::passing::NOBODY_TOLD));
            }
            shown
        }),
    });
    if is_wanting { Err(Refusal::Pending(shown)) } else { Ok(shown) }
}

/// A term that is meant to let others send.
fn allowed(text: &str) -> Result<String, Refusal> {
    let hint = "--allow include:NAME, ip4:ADDRESS, …: as `domain check` shows it in bypass";
    let expected = "a term of an SPF record that lets somebody send";
    let found = if text.trim().is_empty() { "an empty text" } else { text };
    spf::allowable(text).ok_or_else(|| Refusal::new(expected, found, hint))
}

/// Where a gateway domain's mail goes on to.
fn onward(peers: &mut Peers<'_>, domain: &str) -> Option<String> {
    let question = FromAdmin::GatewayShow { domain: domain.to_owned() };
    let shown = directory(peers, &question, |answer| match answer {
        ToAdmin::Gateway(gateway) => {
            Some(json!(gateway.host.map(|host| format!("{}:{}", host.name, host.port))))
        }
        _ => None,
    });
    shown.ok()?.as_str().map(str::to_owned)
}

/// The keys of a domain, as they are published.
pub fn keys(peers: &mut Peers<'_>, domain: &str) -> Answer {
    let Domain { domain, tenant, .. } = ours(peers, domain)?;
    let keys = make_keys(peers, &domain, &tenant)?;
    Ok(keys_json(&domain, &keys, None))
}

/// A next pair; once its records are found, it signs; or what no longer signs is forgotten.
pub fn rotate(peers: &mut Peers<'_>, domain: &str, retire: bool, unchecked: bool) -> Answer {
    let Domain { domain, tenant, .. } = ours(peers, domain)?;
    let keys = make_keys(peers, &domain, &tenant)?;
    let next = next(&keys);
    let done = match (retire, next.is_empty()) {
        (true, _) => Step::Retired,
        (false, true) => Step::Publish,
        (false, false) => Step::Rotated,
    };
    if done == Step::Rotated && !unchecked {
        published(peers, &domain, next)?;
    }
    let question = ToSigner::RotateMailKeys { domain: domain.clone(), retire };
    let refused = || {
        let hint = "forget those that no longer sign: `domain rotate-keys DOMAIN --retire`";
        Refusal::new("a domain with few pairs of keys", &domain, hint)
    };
    match peers.ask(Kind::Signer, &question)? {
        FromSigner::MailRecords(keys) => Ok(keys_json(&domain, &keys, Some(done))),
        FromSigner::Refused => Err(refused()),
        _ => Err(Refusal::unexpected(Kind::Signer)),
    }
}

/// Whether the next pair's records stand in the DNS: mail signed by it would fail before.
fn published(peers: &mut Peers<'_>, domain: &str, next: &[MailRecord]) -> Result<(), Refusal> {
    let ours = place(peers, TransportPolicy::default());
    let (all, host) = (wanted(domain, &ours, next), ours.host.clone());
    let wanted: Vec<Wanted> =
        all.into_iter().filter(|one| next.iter().any(|key| key.name == one.name)).collect();
    let mut asking = Asking::new(peers);
    let questions: Vec<_> = wanted.iter().map(|one| (one.name.clone(), one.kind)).collect();
    asking.ask_all(&questions)?;
    let report = check(&mut asking, domain, (&host, None), wanted, &[]);
    let absent = report.records.iter().find(|(_, checked)| checked.state != State::Good);
    let Some((record, checked)) = absent else { return Ok(()) };
    let expected = format!("the published record {}", record.name);
    let hint = "publish what `domain keys` shows and wait an hour; or --dangerous-unchecked";
    let found = match checked.state {
        State::Unknown => "no answer from the DNS",
        State::Wrong => "another one",
        State::Good | State::Missing | State::Advised => "none",
    };
    Err(Refusal::new(&expected, found, hint))
}

/// Those behind the pair that signs.
fn next(keys: &[MailRecord]) -> &[MailRecord] {
    let end = keys.iter().rposition(|key| key.signs).map_or(0, |last| last + 1);
    keys.get(end..).unwrap_or_default()
}

fn make_keys(
    peers: &mut Peers<'_>,
    domain: &str,
    tenant: &str,
) -> Result<Vec<MailRecord>, Refusal> {
    let tenant = one_tenant(peers, tenant)?.tenant;
    let question = ToSigner::MakeMailKeys { tenant, domain: domain.to_owned() };
    match peers.ask(Kind::Signer, &question)? {
        FromSigner::MailRecords(keys) => Ok(keys),
        FromSigner::Refused => {
            Err(Refusal::Fault("the signer has no keys now; try again in a moment".to_owned()))
        }
        _ => Err(Refusal::unexpected(Kind::Signer)),
    }
}

fn keys_json(domain: &str, keys: &[MailRecord], done: Option<Step>) -> Value {
    let first = keys.iter().position(|key| key.signs).unwrap_or(0);
    let records: Vec<Value> = keys
        .iter()
        .enumerate()
        .map(|(at, key)| {
            let mut shown = wanted::key_json(key);
            let state = match (key.signs, at < first) {
                (true, _) => "signs",
                (false, true) => "rests",
                (false, false) => "next",
            };
            if let Some(fields) = shown.as_object_mut() {
                fields.insert("state".to_owned(), json!(state));
            }
            shown
        })
        .collect();
    json!({ "domain": domain, "records": records, "todo": done.map(|done| step(done).json()) })
}
