//! Tenants, domains, the certificate authority.

use crate::outgoing::sending_json;
use crate::peers::{Answer, Peers, Refusal};
use serde_json::{Value, json};
use terms::Kind;
use wire::directory::{FromAdmin, Tenant, TenantSettings, ToAdmin};

/// Reads an answer of the directory; `shown` makes the JSON of the one expected.
pub fn directory(
    peers: &mut Peers<'_>,
    question: &FromAdmin,
    shown: impl FnOnce(ToAdmin) -> Option<Value>,
) -> Answer {
    match peers.ask(Kind::Directory, question)? {
        ToAdmin::Refused { expected, found, hint } => {
            Err(Refusal::Wanting { expected, found, hint })
        }
        ToAdmin::Fault(what) => Err(Refusal::Fault(what)),
        answer => shown(answer).ok_or_else(|| Refusal::unexpected(Kind::Directory)),
    }
}

pub fn tenant_json(tenant: &Tenant) -> Value {
    let ending = tenant.ending.as_ref();
    json!({
        "tenant": tenant.name,
        "id": tenant.tenant.to_string(),
        "domains": tenant.domains,
        "users": tenant.users,
        "state": ending.map_or("active", |ending| ending.state.word()),
        "grace_until": ending.map(|ending| evidence::rfc3339(ending.grace_until_ms)),
        "holds": tenant.holds,
        "settings": settings_json(&tenant.settings),
        "sending": sending_json(&tenant.sending),
    })
}

/// Marks as people write them: a number of 32 bits shows its own digits, not those of 64.
pub fn settings_json(settings: &TenantSettings) -> Value {
    let mark = |mark: f32| mark.to_string().parse::<f64>().unwrap_or_default();
    json!({
        "tag_from": mark(settings.tag_from),
        "junk_from": mark(settings.junk_from),
        "quarantine_from": mark(settings.quarantine_from),
        "refuse_from": mark(settings.refuse_from),
        "obey_dmarc": settings.obey_dmarc,
        "greylist": settings.greylist,
        "trusted_sealers": settings.trusted_sealers,
    })
}

fn items(items: Vec<Value>) -> Value {
    json!({ "items": items, "next": null })
}

pub fn add_tenant(peers: &mut Peers<'_>, name: String) -> Answer {
    directory(peers, &FromAdmin::TenantAdd { name }, |answer| match answer {
        ToAdmin::Tenant(tenant) => Some(tenant_json(&tenant)),
        _ => None,
    })
}

pub fn list_tenants(peers: &mut Peers<'_>) -> Answer {
    directory(peers, &FromAdmin::TenantList, |answer| match answer {
        ToAdmin::Tenants(tenants) => Some(items(tenants.iter().map(tenant_json).collect())),
        _ => None,
    })
}

pub fn show_tenant(peers: &mut Peers<'_>, name: String) -> Answer {
    let shown = directory(peers, &FromAdmin::TenantShow { name }, |answer| match answer {
        ToAdmin::Tenant(tenant) => Some(tenant_json(&tenant)),
        _ => None,
    })?;
    Ok(crate::endings::tenant_view(peers, shown))
}

/// The records that a domain's owner should publish.
fn records(domain: &str, host_name: &str) -> Value {
    json!([
        { "name": domain, "type": "MX", "value": format!("10 {host_name}.") },
        { "name": domain, "type": "TXT", "value": format!("v=spf1 a:{host_name} -all") },
        { "name": format!("_dmarc.{domain}"), "type": "TXT",
          "value": format!("v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}") },
    ])
}

pub fn add_domain(peers: &mut Peers<'_>, domain: String, tenant: String) -> Answer {
    let host_name = peers.host_name().to_owned();
    let mut added = directory(peers, &FromAdmin::DomainAdd { domain, tenant }, |answer| {
        let ToAdmin::Domain(added) = answer else { return None };
        Some(json!({
            "domain": added.domain,
            "tenant": added.tenant,
            "records": records(&added.domain, &host_name),
        }))
    })?;
    let decoy = plant_decoy(peers, &added).unwrap_or_default();
    if let Some(shown) = added.as_object_mut() {
        shown.insert("decoy".to_owned(), decoy);
    }
    Ok(added)
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

pub fn list_domains(peers: &mut Peers<'_>, tenant: Option<String>) -> Answer {
    directory(peers, &FromAdmin::DomainList { tenant }, |answer| match answer {
        ToAdmin::Domains(domains) => {
            let shown = domains.iter().map(|each| {
                json!({
                    "domain": each.domain, "tenant": each.tenant, "catch_all": each.catch_all,
                })
            });
            Some(items(shown.collect()))
        }
        _ => None,
    })
}

/// What should be published for a domain of ours.
pub fn check_domain(peers: &mut Peers<'_>, domain: &str) -> Answer {
    let host_name = peers.host_name().to_owned();
    let wanted = domain.trim().trim_end_matches('.').to_lowercase();
    directory(peers, &FromAdmin::DomainList { tenant: None }, |answer| match answer {
        ToAdmin::Domains(domains) => {
            let ours = domains.iter().find(|each| each.domain == wanted);
            Some(json!({
                "domain": wanted,
                "ours": ours.is_some(),
                "tenant": ours.map(|each| each.tenant.clone()),
                "records": records(&wanted, &host_name),
            }))
        }
        _ => None,
    })
}

/// The certificate authority that signed our certificates, for clients of the demo.
pub fn authority(peers: &mut Peers<'_>) -> Answer {
    match peers.ask(Kind::Signer, &wire::signer::ToSigner::Authority)? {
        wire::signer::FromSigner::Authority(pem) => Ok(json!({ "ca": pem })),
        _ => Err(Refusal::Fault("the signer has no authority of its own".to_owned())),
    }
}
