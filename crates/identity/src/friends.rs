//! Those identity may ask.

use crate::Fault;
use journal::Journal;
use serde::de::DeserializeOwned;
use std::time::Duration;
use terms::{GrantId, InstanceId, Kind, TenantId, UserId};
use wire::Channel;
use wire::approval::Act;
use wire::directory::{Part, Standing, Who};
use wire::vault::{FromIdentity, Grant, KeyAct, Proven, ToIdentity};

/// An HMAC takes microseconds; a silent vault is away.
const VAULT_PATIENCE: Duration = Duration::from_secs(3);
const DIRECTORY_PATIENCE: Duration = Duration::from_secs(3);
/// An act waits for new keys, which wait for the ledger and the mirror.
const CARRY_PATIENCE: Duration = Duration::from_secs(8);

pub struct Friends {
    pub vault: Option<Channel>,
    pub directory: Option<Channel>,
    pub journal: Journal,
    /// This start of identity.
    pub own: InstanceId,
}

impl Friends {
    pub fn new(instance: InstanceId) -> Self {
        let journal = Journal::new(Kind::Identity, instance);
        Self { vault: None, directory: None, journal, own: instance }
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

    pub fn grant(&mut self, grant: Grant, recorded: Proven) -> Result<(), Fault> {
        match self.ask(&FromIdentity::Grant { grant, recorded })? {
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
        match self.directory(&question, DIRECTORY_PATIENCE)? {
            wire::directory::ToIdentity::Person(found) => Ok(found),
            _ => Err(Fault::DirectoryAway),
        }
    }

    /// Who an address is, with what they may approve. Nobody who is disabled.
    pub fn who(&mut self, address: &str) -> Result<Option<Who>, Fault> {
        let question = wire::directory::FromIdentity::Who(address.to_owned());
        match self.directory(&question, DIRECTORY_PATIENCE)? {
            wire::directory::ToIdentity::Who(who) => Ok(who),
            _ => Err(Fault::DirectoryAway),
        }
    }

    /// How many may approve what concerns `tenant`; and how many there are, with those who are
    /// shut out or whose contract ends.
    pub fn able(&mut self, tenant: Option<TenantId>) -> Result<(u32, u32), Fault> {
        let question = wire::directory::FromIdentity::Able(tenant);
        match self.directory(&question, DIRECTORY_PATIENCE)? {
            wire::directory::ToIdentity::Able { able, known } => Ok((able, known)),
            _ => Err(Fault::DirectoryAway),
        }
    }

    /// What a person, or anybody of a contract, has a voice in.
    pub fn standing(&mut self, part: Part) -> Result<Standing, Fault> {
        let question = wire::directory::FromIdentity::Standing(part);
        match self.directory(&question, DIRECTORY_PATIENCE)? {
            wire::directory::ToIdentity::Standing(standing) => Ok(standing),
            _ => Err(Fault::DirectoryAway),
        }
    }

    /// Has the directory do what was found permitted.
    pub fn carry(&mut self, act: Act) -> Result<wire::directory::ToAdmin, Fault> {
        let question = wire::directory::FromIdentity::Carry(act);
        match self.directory(&question, CARRY_PATIENCE)? {
            wire::directory::ToIdentity::Carried(answer) => Ok(*answer),
            _ => Err(Fault::DirectoryAway),
        }
    }

    /// Has the vault do what was found permitted.
    pub fn act(&mut self, act: KeyAct) -> Result<wire::vault::ToAdmin, Fault> {
        self.vault_within(&FromIdentity::Act(act), CARRY_PATIENCE)
    }

    /// Whose rows are to be destroyed.
    pub fn ending(&mut self) -> Result<Vec<Part>, Fault> {
        match self.directory(&wire::directory::FromIdentity::Ending, DIRECTORY_PATIENCE)? {
            wire::directory::ToIdentity::Ending(parts) => Ok(parts),
            _ => Err(Fault::DirectoryAway),
        }
    }

    pub fn erased(&mut self, part: Part, rows: u64) -> Result<(), Fault> {
        let question = wire::directory::FromIdentity::Erased { part, rows };
        self.directory(&question, CARRY_PATIENCE).map(drop)
    }

    /// Whose app passwords for sending are to be revoked: they said that mail in their name was not
    /// theirs.
    pub fn robbed(&mut self) -> Result<Vec<Part>, Fault> {
        match self.directory(&wire::directory::FromIdentity::Robbed, DIRECTORY_PATIENCE)? {
            wire::directory::ToIdentity::Robbed(parts) => Ok(parts),
            _ => Err(Fault::DirectoryAway),
        }
    }

    /// How many entries stand up to the newest that the directory has forgotten, if there is any.
    pub fn directory_forgot(&mut self) -> Result<Option<u64>, Fault> {
        match self.directory(&wire::directory::FromIdentity::IsOlder, DIRECTORY_PATIENCE)? {
            wire::directory::ToIdentity::Older(upto) => Ok(upto),
            _ => Err(Fault::DirectoryAway),
        }
    }

    pub fn locked(&mut self, part: Part) -> Result<(), Fault> {
        let question = wire::directory::FromIdentity::Locked(part);
        self.directory(&question, DIRECTORY_PATIENCE).map(drop)
    }

    fn directory(
        &mut self,
        question: &wire::directory::FromIdentity,
        patience: Duration,
    ) -> Result<wire::directory::ToIdentity, Fault> {
        let directory = self.directory.as_mut().ok_or(Fault::DirectoryAway)?;
        match directory.ask(question, &[], patience) {
            Ok((answer, _)) => Ok(answer),
            Err(wire::Fault::Silent) => Err(Fault::DirectoryAway),
            Err(_) => {
                self.directory = None;
                Err(Fault::DirectoryAway)
            }
        }
    }

    fn ask(&mut self, question: &FromIdentity) -> Result<ToIdentity, Fault> {
        self.vault_within(question, VAULT_PATIENCE)
    }

    fn vault_within<A: DeserializeOwned>(
        &mut self,
        question: &FromIdentity,
        patience: Duration,
    ) -> Result<A, Fault> {
        let vault = self.vault.as_mut().ok_or(Fault::VaultAway)?;
        match vault.ask(question, &[], patience) {
            Ok((answer, _)) => Ok(answer),
            Err(wire::Fault::Silent) => Err(Fault::VaultAway),
            Err(_) => {
                self.vault = None;
                Err(Fault::VaultAway)
            }
        }
    }
}
