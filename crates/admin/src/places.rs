//! Tenants, the certificate authority.

use crate::outgoing::sending_json;
use crate::peers::{Answer, Peers, Refusal};
use crate::people::set;
use serde_json::{Value, json};
use terms::{Kind, TenantId};
use wire::directory::{FromAdmin, Tenant, TenantSettings, ToAdmin};
use wire::vault::TenantKeys;

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
    let mut found = Vec::new();
    directory(peers, &FromAdmin::TenantList, |answer| match answer {
        ToAdmin::Tenants(tenants) => {
            found = tenants;
            Some(Value::Null)
        }
        _ => None,
    })?;
    let keys = crate::keys::rows(peers, None).ok();
    let shown = found.iter().map(|tenant| {
        let mut shown = tenant_json(tenant);
        set(&mut shown, "sealed", is_sealed(keys.as_deref(), tenant.tenant));
        shown
    });
    Ok(items(shown.collect()))
}

/// Whether a tenant's keys are sealed, so that nobody reads; nothing, if the vault cannot say.
fn is_sealed(keys: Option<&[TenantKeys]>, tenant: TenantId) -> Value {
    let row = keys.map(|rows| rows.iter().find(|row| row.tenant == tenant));
    // A tenant without keys has nothing to read yet.
    json!(row.map(|row| row.is_some_and(|row| row.sealed)))
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
        let sign_ins = crate::credentials::shown(peers, tenant);
        let host = shown.pointer("/sending/smart_host").cloned().filter(|host| !host.is_null());
        if let Some(host) = host {
            let signs_in = signs_in(&host, &sign_ins);
            if let Some(host) = shown.pointer_mut("/sending/smart_host") {
                set(host, "sign_in", signs_in);
            }
        }
        if let Some(sending) = shown.pointer_mut("/sending") {
            set(sending, "sign_ins", sign_ins);
        }
        let keys = crate::keys::rows(peers, Some(tenant)).ok();
        set(&mut shown, "sealed", is_sealed(keys.as_deref(), tenant));
    }
    Ok(crate::endings::tenant_view(peers, shown))
}

/// As whom mail signs in to the smart host: `false` is as nobody, nothing that the vault cannot
/// say. The secret is the vault's alone.
fn signs_in(host: &Value, sign_ins: &Value) -> Value {
    let Some(sign_ins) = sign_ins.as_array() else { return Value::Null };
    let is_same = |one: &Value, name: &str| one.get(name) == host.get(name);
    let is_its = |one: &&Value| is_same(one, "host") && is_same(one, "port");
    let user = sign_ins.iter().find(is_its).and_then(|one| one.get("user").cloned());
    user.unwrap_or(Value::Bool(false))
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

#[cfg(test)]
mod tests {
    use super::{is_sealed, signs_in};
    use serde_json::{Value, json};
    use terms::TenantId;

    #[test]
    fn a_smart_host_says_as_whom_mail_signs_in() {
        let host = json!({ "host": "out.example", "port": 587, "tls": "starttls" });
        let of = |name: &str, port: u16| json!([{ "host": name, "port": port, "user": "kaede" }]);
        assert_eq!(signs_in(&host, &of("out.example", 587)), "kaede");
        assert_eq!(signs_in(&host, &of("out.example", 465)), false);
        assert_eq!(signs_in(&host, &of("old.example", 587)), false);
        assert_eq!(signs_in(&host, &json!([])), false);
        assert_eq!(signs_in(&host, &Value::Null), Value::Null);
    }

    #[test]
    fn what_the_vault_cannot_say_is_not_said() {
        assert_eq!(is_sealed(None, TenantId([1; 8])), Value::Null);
        assert_eq!(is_sealed(Some(&[]), TenantId([1; 8])), false);
    }
}
