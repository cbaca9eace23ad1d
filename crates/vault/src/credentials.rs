//! Tenants' sign-ins to smart hosts: kept under the tenant's connector key, lent for one session to
//! whoever has that tenant's mail in hand, and recorded each time.

use crate::Fault;
use crate::hands::Denial;
use crate::keys::Keys;
use crate::life::{Change as RowChange, changed};
use crate::record::Deed;
use crate::rows::Row;
use crate::vault::{Asker, Then, Vault};
use evidence::{Body, Word};
use serde::Deserialize;
use std::sync::Arc;
use terms::{GrantId, InstanceId, TenantId};
use unseal::Agreed;
use wire::vault::{Acted, Credential, CredentialShown, ToAdmin, ToDepart, purpose};
use zeroize::{Zeroize, Zeroizing};

/// The sort of these credentials, in the ledger.
pub(crate) const SORT: &str = "smart-host";
/// Hosts that one tenant signs in to: the one of today, and those of letters that still wait.
const HOSTS: usize = 8;
/// RFC 4616 §2 sets 255 octets for names; passwords of services are tokens of some hundred.
const USER_BYTES: usize = 255;
const PASSWORD_BYTES: usize = 1_024;

/// A release that waits for its proof.
pub(crate) struct Lend {
    pub asker: Asker,
    agreed: Arc<Agreed>,
    tenant: TenantId,
    id: [u8; 8],
    purpose: String,
}

/// What follows once it is recorded.
pub(crate) enum Change {
    Set { tenant: TenantId, id: [u8; 8], stored: Zeroizing<Vec<u8>>, before: Option<[u8; 8]> },
    Forget(TenantId),
}

/// A [`Credential`] read where it lies, so that nothing of it is copied.
#[derive(Deserialize)]
struct Plain<'a> {
    host: &'a str,
    port: u16,
    user: &'a str,
    #[serde(rename = "password")]
    _password: &'a str,
}

impl Vault {
    pub(crate) fn set_credential(
        &mut self,
        asker: Asker,
        tenant: TenantId,
        mut credential: Credential,
    ) {
        let change = match objection(&credential) {
            Some(refusal) => Err(refusal),
            None => self.keys.prepare(tenant, &credential),
        };
        credential.password.zeroize();
        let change = match change {
            Ok(change) => change,
            Err(refusal) => return self.answer(asker, &refusal),
        };
        let (what, tenant, user) = (Word::new(SORT), Some(tenant), None);
        let body = match &change {
            Change::Set { before: None, .. } => Body::KeyCreate { what, epoch: 0, tenant, user },
            _ => Body::KeyRotate { what, epoch: 0, tenant, user },
        };
        self.record_lasting(Deed::Plain(body), Then::Credentials(asker, change));
    }

    pub(crate) fn forget_credentials(&mut self, asker: Asker, tenant: TenantId) {
        if self.keys.credentials_of(tenant).is_empty() {
            let found = format!("none of tenant {tenant}");
            let hint = "see `tenant show NAME`";
            return self.answer(asker, &refused("a sign-in to a smart host", found, hint));
        }
        let (what, user) = (Word::new(SORT), None);
        let body = Body::KeyShred { what, epoch: 0, tenant: Some(tenant), user };
        let change = Change::Forget(tenant);
        self.record_lasting(Deed::Plain(body), Then::Credentials(asker, change));
    }

    /// Recorded: now it is done.
    pub(crate) fn change_credentials(&mut self, asker: Asker, change: Change, entry: u64) {
        let at_ms = self.now_ms();
        match self.keys.change_credentials(change, at_ms) {
            Ok(keys) => {
                let (last_openable_ms, epochs_to_destroy) = (None, Vec::new());
                let acted = Acted { entry, at_ms, keys, last_openable_ms, epochs_to_destroy };
                self.answer(asker, &ToAdmin::Acted(acted));
            }
            Err(fault) => {
                self.alarm(format!("recorded and not done, sign-ins to smart hosts: {fault}"));
                self.answer(asker, &ToAdmin::EvidenceAway);
            }
        }
    }

    pub(crate) fn list_credentials(&self, tenant: TenantId) -> ToAdmin {
        let shown = |id: &[u8; 8]| {
            let set_ms = self.keys.state.credentials.get(&(tenant, *id))?.at_ms;
            let octets = self.keys.credential(tenant, id)?;
            let plain: Plain<'_> = postcard::from_bytes(&octets).ok()?;
            let (host, user) = (plain.host.to_owned(), plain.user.to_owned());
            Some(CredentialShown { host, port: plain.port, user, set_ms })
        };
        ToAdmin::Credentials(self.keys.credentials_of(tenant).iter().filter_map(shown).collect())
    }

    /// To whoever has mail of the tenant in hand: its own sign-in to that very host.
    pub(crate) fn lend_credential(
        &mut self,
        asker: Asker,
        instance: InstanceId,
        grant: GrantId,
        (host, port): (&str, u16),
    ) -> Result<(), Denial> {
        let (tenant, agreed) = self.hands.lend(instance, grant, self.steady_ms())?;
        if self.keys.state.is_closed(tenant) {
            self.answer(asker, &ToDepart::EvidenceAway);
            return Ok(());
        }
        let Some(id) = self.keys.credential_for(tenant, host, port) else {
            self.answer(asker, &ToDepart::Lent(None));
            return Ok(());
        };
        let name: String = id.iter().map(|octet| format!("{octet:02x}")).collect();
        let (credential, name) = (Word::new(SORT), Word::new(&name));
        let body = Body::CredentialUse { credential, instance, name, tenant: Some(tenant) };
        let lend = Lend { asker, agreed, tenant, id, purpose: purpose(host, port) };
        self.record(Deed::Plain(body), Then::Lend(lend), true);
        Ok(())
    }

    /// Recorded and proven.
    pub(crate) fn lend(&mut self, lend: Lend) {
        let Lend { asker, agreed, tenant, id, purpose } = lend;
        if self.keys.state.is_closed(tenant) {
            // Sealed or frozen while it was recorded.
            return self.answer(asker, &ToDepart::EvidenceAway);
        }
        let octets = self.keys.credential(tenant, &id);
        let lent = octets.and_then(|octets| agreed.lend(&purpose, &octets).ok());
        self.answer(asker, &ToDepart::Lent(lent));
    }
}

impl Keys {
    fn credentials_of(&self, tenant: TenantId) -> Vec<[u8; 8]> {
        let range = (tenant, [0; 8])..=(tenant, [u8::MAX; 8]);
        self.state.credentials.range(range).map(|((_, id), _)| *id).collect()
    }

    pub(crate) fn credential(&self, tenant: TenantId, id: &[u8; 8]) -> Option<Zeroizing<Vec<u8>>> {
        let row = self.state.credentials.get(&(tenant, *id))?;
        self.tenant_key(tenant).ok()?.open_credential(id, &row.stored).ok()
    }

    fn credential_for(&self, tenant: TenantId, host: &str, port: u16) -> Option<[u8; 8]> {
        let is_it = |id: &[u8; 8]| {
            let octets = self.credential(tenant, id);
            octets.is_some_and(|octets| {
                let plain = postcard::from_bytes::<Plain<'_>>(&octets);
                plain.is_ok_and(|plain| plain.host == host && plain.port == port)
            })
        };
        self.credentials_of(tenant).into_iter().find(is_it)
    }

    /// What is to be kept, sealed already.
    fn prepare(&self, tenant: TenantId, credential: &Credential) -> Result<Change, ToAdmin> {
        let Ok(key) = self.tenant_key(tenant) else {
            let found = format!("tenant {tenant}, sealed or unknown");
            return Err(refused("a tenant with a key", found, "see `keys list`"));
        };
        let before = self.credential_for(tenant, &credential.host, credential.port);
        if before.is_none() && self.credentials_of(tenant).len() >= HOSTS {
            let (expected, found) = ("sign-ins to 8 hosts at most", "a ninth".to_owned());
            return Err(refused(expected, found, "forget them: tenant set NAME --no-send-user"));
        }
        let id = compartment::random::<8>();
        let octets = postcard::to_stdvec(credential).map(Zeroizing::new);
        let stored = octets.ok().and_then(|octets| key.seal_credential(&id, &octets).ok());
        let stored = stored.map(Zeroizing::new).ok_or(ToAdmin::EvidenceAway)?;
        Ok(Change::Set { tenant, id, stored, before })
    }

    /// Those that are replaced or forgotten leave the file, too.
    fn change_credentials(&mut self, change: Change, at_ms: u64) -> Result<u64, Fault> {
        let (tenant, gone, rows) = match change {
            Change::Set { tenant, id, stored, before } => {
                let row = Row::Credential { tenant, id, at_ms, stored: stored.to_vec() };
                match before {
                    None => return self.keep(vec![row]).map(|()| 1),
                    Some(before) => (tenant, vec![before], vec![row]),
                }
            }
            Change::Forget(tenant) => (tenant, self.credentials_of(tenant), Vec::new()),
        };
        let (records, _) = changed(self.journal.records()?, rows, |row| {
            Ok(match row {
                Row::Credential { tenant: of, id, .. } if of == tenant && gone.contains(&id) => {
                    RowChange::Gone
                }
                _ => RowChange::Not,
            })
        })?;
        self.replace(&records, None)?;
        Ok(gone.len() as u64)
    }
}

fn objection(credential: &Credential) -> Option<ToAdmin> {
    let Credential { host, port, user, password } = credential;
    let is_plain = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && !text.chars().any(char::is_control)
    };
    if !is_plain(host, USER_BYTES) || *port == 0 {
        return Some(refused("a host and its port", format!("{host}:{port}"), ""));
    }
    if !is_plain(user, USER_BYTES) {
        let hint = "--send-user NAME, as the smart host's operator gave it";
        return Some(refused("a name of 1 to 255 octets", user.escape_debug().to_string(), hint));
    }
    // Not a word of it is said again.
    let found = format!("{} octets", password.len());
    let expected = "a password of 1 to 1,024 octets on one line";
    let hint = "it is read from --send-password-file, a descriptor or standard input";
    (!is_plain(password, PASSWORD_BYTES)).then(|| refused(expected, found, hint))
}

fn refused(expected: &str, found: String, hint: &str) -> ToAdmin {
    let (expected, hint) = (expected.to_owned(), hint.to_owned());
    ToAdmin::Refused { expected, found, hint }
}
