//! Those identity may ask.

use crate::Fault;
use journal::Journal;
use std::time::Duration;
use terms::{GrantId, InstanceId, Kind, TenantId, UserId};
use wire::Channel;
use wire::vault::{FromIdentity, Grant, ToIdentity};

/// An HMAC takes microseconds; a silent vault is away.
const VAULT_PATIENCE: Duration = Duration::from_secs(3);
const DIRECTORY_PATIENCE: Duration = Duration::from_secs(3);

pub struct Friends {
    pub vault: Option<Channel>,
    pub directory: Option<Channel>,
    pub journal: Journal,
}

impl Friends {
    pub fn new(instance: InstanceId) -> Self {
        Self { vault: None, directory: None, journal: Journal::new(Kind::Identity, instance) }
    }

    pub fn table_key(&mut self) -> Option<Vec<u8>> {
        match self.ask(&FromIdentity::TableKey) {
            Ok(ToIdentity::Key(key)) => Some(key),
            _ => None,
        }
    }

    /// What may be stored of a secret.
    pub fn verifier(&mut self, purpose: &str, digest: &[u8]) -> Result<Vec<u8>, Fault> {
        let purpose = purpose.to_owned();
        match self.ask(&FromIdentity::Digest { purpose, digest: digest.to_vec() })? {
            ToIdentity::Verifier(verifier) => Ok(verifier),
            _ => Err(Fault::VaultAway),
        }
    }

    pub fn compare(
        &mut self,
        purpose: &str,
        digest: &[u8],
        verifier: &[u8],
    ) -> Result<bool, Fault> {
        let question = FromIdentity::Compare {
            purpose: purpose.to_owned(),
            digest: digest.to_vec(),
            verifier: verifier.to_vec(),
        };
        match self.ask(&question)? {
            ToIdentity::Same(same) => Ok(same),
            _ => Err(Fault::VaultAway),
        }
    }

    pub fn grant(&mut self, grant: Grant) -> Result<(), Fault> {
        match self.ask(&FromIdentity::Grant(grant))? {
            ToIdentity::Done => Ok(()),
            _ => Err(Fault::VaultAway),
        }
    }

    pub fn revoke(&mut self, grant: GrantId) {
        let _ = self.ask(&FromIdentity::Revoke(grant)); // a vault that is away holds no grants
    }

    /// Whose address this is, aliases and details included.
    pub fn person(&mut self, address: &str) -> Result<Option<(TenantId, UserId)>, Fault> {
        let question = wire::directory::FromIdentity::Person(address.to_owned());
        let directory = self.directory.as_mut().ok_or(Fault::VaultAway)?;
        match directory.ask(&question, &[], DIRECTORY_PATIENCE) {
            Ok((wire::directory::ToIdentity::Person(found), _)) => Ok(found),
            Err(wire::Fault::Silent) => Err(Fault::VaultAway),
            Err(_) => {
                self.directory = None;
                Err(Fault::VaultAway)
            }
        }
    }

    fn ask(&mut self, question: &FromIdentity) -> Result<ToIdentity, Fault> {
        let vault = self.vault.as_mut().ok_or(Fault::VaultAway)?;
        match vault.ask(question, &[], VAULT_PATIENCE) {
            Ok((answer, _)) => Ok(answer),
            Err(wire::Fault::Silent) => Err(Fault::VaultAway),
            Err(_) => {
                self.vault = None;
                Err(Fault::VaultAway)
            }
        }
    }
}
