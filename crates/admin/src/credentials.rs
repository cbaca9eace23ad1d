//! Sign-ins to smart hosts: carried from who typed them to the vault, and never back.

use crate::keys;
use crate::peers::{Peers, Refusal};
use serde_json::{Value, json};
use terms::TenantId;
use wire::admin::SignIn;
use wire::directory::SmartHost;
use wire::post::HopTls;
use wire::vault::{Credential, FromAdmin, ToAdmin};

/// Keeps a sign-in to `host`, in the place of the one before it.
pub fn set(
    peers: &mut Peers<'_>,
    tenant: TenantId,
    host: Option<&SmartHost>,
    sign_in: SignIn,
) -> Result<(), Refusal> {
    let hint = "tenant set NAME --smart-host HOST:PORT --send-user NAME, in one command";
    let Some(host) = host else {
        return Err(Refusal::new("a smart host to sign in to", "none", hint));
    };
    if host.tls == HopTls::IfOffered {
        let found = "a host with which TLS proves nobody (if-offered)";
        return Err(Refusal::new("a host that shows a certificate", found, hint));
    }
    let (host, port, SignIn { user, password }) = (host.name.clone(), host.port, sign_in);
    let credential = Credential { host, port, user, password };
    match keys::ask(peers, &FromAdmin::SetCredential { tenant, credential })? {
        ToAdmin::Acted(_) => Ok(()),
        _ => Err(Refusal::unexpected(terms::Kind::Vault)),
    }
}

pub fn forget(peers: &mut Peers<'_>, tenant: TenantId) -> Result<(), Refusal> {
    match keys::ask(peers, &FromAdmin::ForgetCredentials(tenant))? {
        ToAdmin::Acted(_) => Ok(()),
        _ => Err(Refusal::unexpected(terms::Kind::Vault)),
    }
}

/// Which there are; a vault that cannot say hides nothing else of a tenant.
pub fn shown(peers: &mut Peers<'_>, tenant: TenantId) -> Value {
    let Ok(ToAdmin::Credentials(shown)) = keys::ask(peers, &FromAdmin::Credentials(tenant)) else {
        return Value::Null;
    };
    let one = |one: wire::vault::CredentialShown| {
        let set = evidence::rfc3339(one.set_ms);
        json!({ "host": one.host, "port": one.port, "user": one.user, "set": set })
    };
    shown.into_iter().map(one).collect()
}
