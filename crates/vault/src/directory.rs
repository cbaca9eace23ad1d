//! What `directory` may ask: keys for new tenants and people, statements signed, its policy key.

use crate::Fault;
use crate::vault::{Asker, OwnKey, Then, Vault};
use compartment::now_ms;
use terms::{TenantId, UserId};
use unseal::{Class, PublicKey, Suite};
use wire::Label;
use wire::directory::{self, Recipient, STATEMENT_DOMAIN, Statement};
use wire::vault::{FromDirectory, ToDirectory};

/// A statement lives a day, with a little for clocks.
const STATEMENT_MS: u64 = 24 * 3_600_000 + 60_000;
/// People behind one address: a larger group is a mailing list, which is another thing.
const RECIPIENTS: usize = 100;
/// Such a statement's octets: a hundred people with two keys of 65 octets each.
const STATEMENT_BYTES: usize = 32 * 1024;

impl Vault {
    pub(crate) fn directory(&mut self, asker: Asker, label: &Label, question: FromDirectory) {
        let done = match question {
            FromDirectory::MakeTenant(tenant) => self.make_tenant(asker, tenant),
            FromDirectory::MakeUser { tenant, user } => self.make_user(asker, tenant, user),
            FromDirectory::Current { tenant, user } => self.current(asker, tenant, user),
            FromDirectory::Sign(bytes) => {
                match self.sign(&bytes) {
                    Ok(signature) => {
                        self.answer(asker, &ToDirectory::Signature(signature.to_vec()));
                    }
                    Err(why) => self.refuse(asker, why),
                }
                Ok(())
            }
            FromDirectory::PolicyKey => {
                self.hand_own_key(asker, label, OwnKey::Policy);
                Ok(())
            }
        };
        if let Err(fault) = done {
            self.alarm(fault.to_string());
            self.refuse(asker, "the key store takes nothing now");
        }
    }

    fn make_tenant(&mut self, asker: Asker, tenant: TenantId) -> Result<(), Fault> {
        let made = self.keys.make_tenant(tenant)?;
        self.record_made(made, tenant, None, Then::Made(asker));
        Ok(())
    }

    fn make_user(&mut self, asker: Asker, tenant: TenantId, user: UserId) -> Result<(), Fault> {
        match self.keys.make_user(tenant, user, Self::month())? {
            Some(made) => self.record_made(made, tenant, Some(user), Then::Made(asker)),
            None => self.refuse(asker, "expected a tenant with a key, found none"),
        }
        Ok(())
    }

    fn current(&mut self, asker: Asker, tenant: TenantId, user: UserId) -> Result<(), Fault> {
        match self.current_keys(tenant, user)? {
            Some((body, summary)) => self.answer(asker, &ToDirectory::Keys { body, summary }),
            None => self.refuse(asker, "expected a user with keys, found none"),
        }
        Ok(())
    }

    fn refuse(&mut self, asker: Asker, why: &str) {
        self.answer(asker, &ToDirectory::Refused(why.to_owned()));
    }

    /// Signs what is true as far as the vault knows: keys of its own, of these very users, and
    /// for no longer than a day. Who stands behind an address is the directory's recorded word.
    fn sign(&mut self, bytes: &[u8]) -> Result<[u8; 64], &'static str> {
        let read = (bytes.len() <= STATEMENT_BYTES)
            .then(|| postcard::take_from_bytes::<Statement>(bytes).ok())
            .flatten();
        let Some((statement, [])) = read else {
            return Err("expected a statement");
        };
        if statement.valid_until_ms > now_ms() + STATEMENT_MS {
            return Err("a statement is valid for a day at most");
        }
        if statement.recipients.is_empty() || statement.recipients.len() > RECIPIENTS {
            return Err("expected one to a hundred recipients");
        }
        let own = |recipient: &Recipient| {
            self.is_own(&statement, recipient, Class::Body, &recipient.body)
                && self.is_own(&statement, recipient, Class::Summary, &recipient.summary)
        };
        if !statement.recipients.iter().all(own) {
            return Err("a key of the statement is not that user's");
        }
        if self.stood.has_changed(&statement) {
            let tenant = statement.tenant;
            self.alarm(format!("others than before stand behind an address of tenant {tenant}"));
        }
        Ok(self.keys.statement.sign(STATEMENT_DOMAIN, bytes))
    }

    fn is_own(
        &self,
        statement: &Statement,
        recipient: &Recipient,
        class: Class,
        key: &directory::PublicKey,
    ) -> bool {
        let suite = Suite::from_byte(key.suite);
        let public = suite.and_then(|suite| PublicKey::new(suite, key.epoch, &key.bytes).ok());
        public
            .is_some_and(|public| self.keys.knows(statement.tenant, recipient.user, class, &public))
    }
}

/// A public key in the words of `wire`.
pub(crate) fn stated(public: &PublicKey) -> directory::PublicKey {
    directory::PublicKey {
        suite: public.suite().byte(),
        epoch: public.epoch(),
        bytes: public.point().to_vec(),
    }
}
