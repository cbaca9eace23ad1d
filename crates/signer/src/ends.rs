//! A contract ends: the keys of its domains go, and a search can tell that none is left.

use crate::Fault;
use crate::mail::{WHAT, is_domain};
use crate::mail_keys::KeptKeys;
use crate::signer::Signer;
use evidence::{Body, Word};
use terms::TenantId;
use wire::pages::LABELS;
use wire::signer::{FILES, FromSigner, NAMES, ToSigner};

impl Signer {
    /// What the directory asks. `None`: there is no storage key yet, or it is no question
    /// of its.
    pub(crate) fn of_ends(&mut self, asked: ToSigner) -> Result<Option<FromSigner>, Fault> {
        match asked {
            ToSigner::ForgetKeys { tenant, domains } if domains.len() <= NAMES => {
                self.forget_keys(tenant, &domains)
            }
            ToSigner::KeyFilesOf { domains } if domains.len() <= NAMES => {
                self.key_files_of(&domains)
            }
            ToSigner::KeyFiles { after } => {
                let mut files = self.store().mail_files()?;
                files.retain(|file| after.is_none_or(|after| *file > after));
                files.truncate(FILES);
                Ok(Some(FromSigner::KeyFiles(files)))
            }
            _ => {
                self.alarm("directory asked for what is not its own".to_owned());
                Ok(None)
            }
        }
    }

    /// Asked again after a crash, it finds what is left.
    fn forget_keys(
        &mut self,
        tenant: TenantId,
        domains: &[String],
    ) -> Result<Option<FromSigner>, Fault> {
        let mut keys = 0;
        for domain in domains.iter().filter(|domain| is_domain(domain)) {
            if self.storage().is_none() {
                return Ok(None);
            }
            let kept = match self.kept_keys(domain) {
                // Damaged, it is no one else's: the domain is this contract's.
                Err(Fault::Sealed { .. }) => None,
                kept => kept?,
            };
            // The domain went to another contract, with keys of its own.
            if kept.as_ref().is_some_and(|kept| kept.tenant != tenant) {
                continue;
            }
            keys += self.forget_pages(tenant, domain)?;
            if let Some(kept) = &kept {
                self.note_numbers(kept)?;
            }
            self.open_domains.forget(domain);
            if let Some(key) = self.storage() {
                self.store().forget_mail_keys(domain, key)?;
            }
            keys += kept.map_or(0, |kept| self.record_forgotten(&kept));
        }
        Ok(Some(FromSigner::Forgotten { keys }))
    }

    /// No selector names two keys, ever: whoever gets this domain next begins behind them all.
    fn note_numbers(&self, kept: &KeptKeys) -> Result<(), Fault> {
        match kept.last > self.store().last_forgotten()? {
            true => self.store().keep_last_forgotten(kept.last),
            false => Ok(()),
        }
    }

    fn record_forgotten(&mut self, kept: &KeptKeys) -> u64 {
        for pair in &kept.pairs {
            let (what, epoch) = (Word::new(WHAT), pair.number.into());
            self.record(Body::KeyShred { what, epoch, tenant: Some(kept.tenant), user: None });
        }
        kept.pairs.len() as u64
    }

    /// What an operator brought for the names of its public pages.
    fn forget_pages(&mut self, tenant: TenantId, domain: &str) -> Result<u64, Fault> {
        let mut keys = 0;
        let below = LABELS.iter().map(|label| format!("{label}.{domain}"));
        for name in std::iter::once(domain.to_owned()).chain(below) {
            drop(self.open_names.forget(&name));
            let Some(key) = self.storage() else { continue };
            if self.store().installed_name(&name, key)?.is_some() {
                self.store().forget_installed_name(&name, key)?;
                keys += 1;
                self.record(Body::RuleChange {
                    what: Word::new("tls.uninstall"),
                    tenant: Some(tenant),
                    user: None,
                    weakened: None,
                    by: None,
                    credential: None,
                });
            }
        }
        Ok(keys)
    }

    fn key_files_of(&self, domains: &[(TenantId, String)]) -> Result<Option<FromSigner>, Fault> {
        let mut files = Vec::new();
        for (tenant, domain) in domains {
            let Some(key) = self.storage() else { return Ok(None) };
            let is_theirs = match self.kept_keys(domain) {
                Err(Fault::Sealed { .. }) => true,
                kept => kept?.is_some_and(|kept| kept.tenant == *tenant),
            };
            if is_theirs {
                files.push(self.store().mail_token(domain, key));
            }
        }
        Ok(Some(FromSigner::KeyFiles(files)))
    }
}
