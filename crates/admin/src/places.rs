//! Tenants, the certificate authority.

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

pub fn items(items: Vec<Value>) -> Value {
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
    let mut found = None;
    let mut shown = directory(peers, &FromAdmin::TenantShow { name }, |answer| match answer {
        ToAdmin::Tenant(tenant) => {
            found = Some(tenant.tenant);
            Some(tenant_json(&tenant))
        }
        _ => None,
    })?;
    if let Some(tenant) = found {
        shown["sending"]["sign_ins"] = crate::credentials::shown(peers, tenant);
    }
    Ok(crate::endings::tenant_view(peers, shown))
}

/// The certificate authority that signed our certificates, for clients of the demo.
pub fn authority(peers: &mut Peers<'_>) -> Answer {
    match peers.ask(Kind::Signer, &wire::signer::ToSigner::Authority)? {
        wire::signer::FromSigner::Authority(pem) => Ok(json!({ "ca": pem })),
        _ => Err(Refusal::Fault("the signer has no authority of its own".to_owned())),
    }
}

/// A certificate from elsewhere, for names of ours. Its key goes through here to the signer.
pub fn install(peers: &mut Peers<'_>, chain: &[String], key: String) -> Answer {
    use wire::signer::{FromSigner, ToSigner};
    let key = zeroize::Zeroizing::new(key);
    let octets = |text: &str| {
        let hint = "give PEM files: the chain with its leaf first, and the key";
        let wrong = |_| Refusal::new("base64", "something else", hint);
        data_encoding::BASE64.decode(text.as_bytes()).map_err(wrong)
    };
    let chain = chain.iter().map(|one| octets(one)).collect::<Result<Vec<_>, _>>()?;
    match peers.ask(Kind::Signer, &ToSigner::Install { chain, pkcs8: octets(&key)? })? {
        FromSigner::Installed { not_after_ms, names } => {
            Ok(json!({ "not_after": evidence::rfc3339(not_after_ms), "names": names }))
        }
        FromSigner::NotInstalled { expected, found, hint } => {
            Err(Refusal::new(&expected, &found, &hint))
        }
        _ => Err(Refusal::Fault("the signer could not keep it".to_owned())),
    }
}

/// New keys for the certificates of our own authority.
pub fn renew(peers: &mut Peers<'_>) -> Answer {
    use wire::signer::{FromSigner, ToSigner};
    match peers.ask(Kind::Signer, &ToSigner::Renew)? {
        FromSigner::Renewed { names, others } => {
            Ok(json!({ "renewed": names, "from_elsewhere": others }))
        }
        _ => Err(Refusal::Fault("the signer could not renew its keys".to_owned())),
    }
}
