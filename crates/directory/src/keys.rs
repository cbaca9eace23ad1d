//! What the directory has done to keys: destroyed at the end of a contract, held until then.

use crate::Fault;
use crate::friends::Friends;
use std::time::Duration;
use terms::UserId;
use wire::directory::Part;
use wire::vault::{BackupEpoch, FromDirectory, KeyAct, ToAdmin};

/// An act upon keys waits for the ledger and the mirror.
const PATIENCE: Duration = Duration::from_secs(6);

/// When the last copy of keys that are destroyed could still open.
pub enum LastOpen {
    /// Milliseconds since 1970.
    At(u64),
    /// Not before the keys of these backup epochs are destroyed.
    Unknown(Vec<u32>),
}

impl Friends {
    /// Destroys the keys of a contract, or of one person. Told again after a crash: what is
    /// destroyed already is as good as destroyed now.
    pub fn shred(&mut self, part: Part) -> Result<(), Fault> {
        let Part { tenant, user } = part;
        let act = match user {
            None => KeyAct::ShredTenant { tenant },
            Some(user) => KeyAct::ShredUser { tenant, user },
        };
        match self.ask_of_keys(&FromDirectory::End(act))? {
            ToAdmin::Acted(_) => Ok(()),
            // Refused, because nothing is there any more?
            ToAdmin::Refused { expected, .. } if expected != "no hold" => {
                match self.has_keys(part)? {
                    false => Ok(()),
                    true => Err(Fault::VaultAway),
                }
            }
            _ => Err(Fault::VaultAway),
        }
    }

    /// Whether the vault was told to hold these keys, or any of them.
    pub fn are_keys_held(&mut self, part: Part) -> Result<bool, Fault> {
        let covers =
            |held: &Option<UserId>| part.user.is_none() || held.is_none() || *held == part.user;
        match self.ask_of_keys(&FromDirectory::EndedKeys(part.tenant))? {
            ToAdmin::Keys(keys) => Ok(keys.iter().any(|one| one.held.iter().any(covers))),
            _ => Err(Fault::VaultAway),
        }
    }

    fn has_keys(&mut self, part: Part) -> Result<bool, Fault> {
        let Part { tenant, user } = part;
        if let Some(user) = user {
            return Ok(self.current_keys(tenant, user).is_ok());
        }
        match self.ask_of_keys(&FromDirectory::EndedKeys(tenant))? {
            ToAdmin::Keys(keys) => Ok(keys.iter().any(|one| one.shredded_ms.is_none())),
            _ => Err(Fault::VaultAway),
        }
    }

    /// The last moment at which a copy of keys made before `shredded_ms` could still open, or the
    /// backup epochs that had them and whose key is not said to be destroyed.
    pub fn last_open(&mut self, shredded_ms: u64) -> Result<LastOpen, Fault> {
        let epochs = match self.ask_of_keys(&FromDirectory::BackupEpochs)? {
            ToAdmin::BackupEpochs(epochs) => epochs,
            _ => return Err(Fault::VaultAway),
        };
        let (mut last, mut waiting) = (shredded_ms, Vec::new());
        // The shredding itself ended the last epoch that had these keys.
        let had = |epoch: &&BackupEpoch| epoch.ended_ms.is_some_and(|ended| ended <= shredded_ms);
        for epoch in epochs.iter().filter(had) {
            match epoch.destroyed_ms {
                Some(destroyed) => last = last.max(destroyed),
                None => waiting.push(epoch.epoch),
            }
        }
        Ok(if waiting.is_empty() { LastOpen::At(last) } else { LastOpen::Unknown(waiting) })
    }

    pub fn hold(&mut self, part: Part, on: bool) -> Result<(), Fault> {
        let act = KeyAct::Hold { tenant: part.tenant, user: part.user, on };
        match self.ask_of_keys(&FromDirectory::End(act))? {
            ToAdmin::Acted(_) => Ok(()),
            _ => Err(Fault::VaultAway),
        }
    }

    fn ask_of_keys(&mut self, question: &FromDirectory) -> Result<ToAdmin, Fault> {
        let vault = self.vault.as_mut().ok_or(Fault::VaultAway)?;
        match vault.ask(question, &[], PATIENCE) {
            Ok((answer, _)) => Ok(answer),
            Err(wire::Fault::Silent) => Err(Fault::VaultAway),
            Err(_) => {
                self.vault = None;
                Err(Fault::VaultAway)
            }
        }
    }
}
