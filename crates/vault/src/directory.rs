//! What `directory` may ask: keys for new tenants and people, statements signed, its policy key.

use crate::Fault;
use crate::stood::{Standing, is_own, is_way_back, is_word};
use crate::vault::{Asker, OwnKey, Then, Vault};
use serde::de::DeserializeOwned;
use terms::{TenantId, UserId};
use unseal::{Class, PublicKey, Suite};
use wire::Label;
use wire::directory::{
    self, ONWARD, Onward, Path, Recipient, SENDING_DOMAIN, STATEMENT_DOMAIN, Sending, Statement,
    WAY_BACK,
};
use wire::lists;
use wire::post::Hop;
use wire::reports;
use wire::vault::{FromAdmin, FromDirectory, KeyAct, PEOPLE_AT_ONCE, Proven, ToAdmin, ToDirectory};

/// A statement lives a day, with a little for clocks.
const STATEMENT_MS: u64 = 24 * 3_600_000 + 60_000;
/// People behind one address: a larger group is a mailing list, which is another thing.
const RECIPIENTS: usize = 100;
/// Such a statement's octets: a hundred people with two keys of 65 octets each, and as many ways.
const STATEMENT_BYTES: usize = 64 * 1024;
const NOBODY: UserId = UserId([0; 8]);

/// What a recorded change made different.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Who stands behind an address.
    Others,
    /// Only where their mail goes, or what it is answered.
    TheSame,
}

impl Vault {
    pub(crate) fn directory(&mut self, asker: Asker, label: &Label, question: FromDirectory) {
        // A plain file's public keys may be anybody's until it is compared (`older`): mail waits.
        let is_of_keys = matches!(
            question,
            FromDirectory::MakeTenant(_)
                | FromDirectory::MakeUser { .. }
                | FromDirectory::Current { .. }
                | FromDirectory::Transit(_)
                | FromDirectory::Sign(_)
                | FromDirectory::SignChanged { .. }
                | FromDirectory::SignSending(_)
                | FromDirectory::SignSendingAs { .. }
                | FromDirectory::Speakers { .. }
        );
        if is_of_keys && self.keys.is_plain() {
            return self.answer(asker, &ToDirectory::EvidenceAway);
        }
        let done = match question {
            FromDirectory::MakeTenant(tenant) => self.make_tenant(asker, tenant),
            FromDirectory::MakeUser { tenant, user } => self.make_user(asker, tenant, user),
            FromDirectory::Current { tenant, user } => self.current(asker, tenant, user),
            FromDirectory::Sign(bytes) => self.sign(asker, &bytes, None),
            FromDirectory::Transit(tenant) => self.transit(asker, tenant),
            FromDirectory::SignSending(bytes) => self.sign_sending(asker, &bytes, &mut []),
            FromDirectory::SignSendingAs { sending, mut speakers } => {
                self.sign_sending(asker, &sending, &mut speakers)
            }
            FromDirectory::Speakers { tenant, address, mut speakers, change } => {
                self.speak(asker, (&address, tenant), &mut speakers, change.as_ref())
            }
            FromDirectory::SignChanged { statement, change } => {
                self.sign(asker, &statement, Some(&change))
            }
            FromDirectory::End(act) => {
                self.end(asker, act);
                Ok(())
            }
            FromDirectory::EndedKeys(tenant) => {
                self.admin(asker, FromAdmin::Keys { tenant: Some(tenant) });
                Ok(())
            }
            FromDirectory::BackupEpochs => {
                self.admin(asker, FromAdmin::BackupEpochs);
                Ok(())
            }
            FromDirectory::WhoIsWithout(people) => {
                self.who_is_without(asker, people);
                Ok(())
            }
            FromDirectory::HasStood { tenant, address } => {
                self.has_stood(asker, (&address, tenant))
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

    /// The directory ends contracts, and holds them. It does nothing else to keys.
    fn end(&mut self, asker: Asker, act: KeyAct) {
        let is_ending = matches!(
            act,
            KeyAct::ShredTenant { .. } | KeyAct::ShredUser { .. } | KeyAct::Hold { .. }
        );
        match is_ending {
            true => self.act(Some(asker), act),
            false => {
                self.alarm(format!("directory asks for {act:?}"));
                let (expected, found) = ("an ending or a hold".to_owned(), format!("{act:?}"));
                let hint = String::new();
                self.answer(asker, &ToAdmin::Refused { expected, found, hint });
            }
        }
    }

    fn make_tenant(&mut self, asker: Asker, tenant: TenantId) -> Result<(), Fault> {
        match self.keys.make_tenant(tenant)? {
            Some(made) => self.record_made(made, tenant, None, Then::Made(asker)),
            None => self.refuse(asker, "this tenant's keys were destroyed"),
        }
        Ok(())
    }

    fn make_user(&mut self, asker: Asker, tenant: TenantId, user: UserId) -> Result<(), Fault> {
        match self.keys.make_user(tenant, user, self.month())? {
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

    /// After a restore with older keys than data, a statement that this vault signed may still be
    /// good for somebody whose keys are not here.
    fn who_is_without(&mut self, asker: Asker, mut people: Vec<(TenantId, UserId)>) {
        if people.len() > PEOPLE_AT_ONCE {
            return self.refuse(asker, "expected fewer people at once");
        }
        let state = &self.keys.state;
        people.retain(|(tenant, user)| {
            !state.users.contains_key(&(*tenant, *user)) && !state.is_shredded(*tenant, *user)
        });
        match people.is_empty() {
            true => self.answer(asker, &ToDirectory::Done),
            false => self.answer(asker, &ToDirectory::Without(people)),
        }
    }

    /// Whoever is given an address anew gets what is still written to whom it was before.
    fn has_stood(
        &mut self,
        asker: Asker,
        (address, tenant): (&str, TenantId),
    ) -> Result<(), Fault> {
        let has_stood = self.stood.is_known(address, tenant)?;
        let answer = if has_stood { ToDirectory::HasStood } else { ToDirectory::Done };
        self.answer(asker, &answer);
        Ok(())
    }

    fn transit(&mut self, asker: Asker, tenant: TenantId) -> Result<(), Fault> {
        match self.transit_key(tenant)? {
            Some(public) => self.answer(asker, &ToDirectory::Transit(public)),
            None => self.refuse(asker, "expected a tenant with a key, found none"),
        }
        Ok(())
    }

    /// Who of several may write as their address. Each is a person of that tenant.
    fn speak(
        &mut self,
        asker: Asker,
        (address, tenant): (&str, TenantId),
        speakers: &mut [UserId],
        change: Option<&Proven>,
    ) -> Result<(), Fault> {
        let has_keys = |user: &UserId| self.keys.state.users.contains_key(&(tenant, *user));
        if speakers.len() > RECIPIENTS || !speakers.iter().all(has_keys) {
            self.refuse(asker, "expected at most a hundred people with keys");
            return Ok(());
        }
        let proven = change.filter(|change| {
            self.recorder.is_proven(&change.entry, &change.proof, &change.checkpoint)
        });
        let entry = proven.map(|change| (change.entry.as_slice(), change.proof.index));
        match self.stood.speak((address, tenant), speakers, entry)? {
            Standing::Changed { what } => self.answer(asker, &ToDirectory::NeedsChange { what }),
            Standing::Full => self.refuse(asker, "too many addresses"),
            Standing::Same | Standing::New | Standing::Onward { .. } => {
                if proven.is_some() {
                    // As for every recorded change of who stands behind an address.
                    self.alarm(format!(
                        "others write as an address of several: tenant {tenant}, as recorded before"
                    ));
                }
                self.answer(asker, &ToDirectory::Done);
            }
        }
        Ok(())
    }

    /// `speakers`: who may write as that address, where several have it.
    fn sign_sending(
        &mut self,
        asker: Asker,
        bytes: &[u8],
        speakers: &mut [UserId],
    ) -> Result<(), Fault> {
        let sending = match self.believable_sending(bytes)? {
            Ok(sending) => sending,
            Err(why) => {
                self.refuse(asker, why);
                return Ok(());
            }
        };
        let Sending { address, tenant, user, .. } = &sending;
        let is_server = *user == directory::server_of(*tenant);
        // What a gateway passes on has nobody here behind it: it is the server's own.
        let is_beyond = is_server && self.stood.is_nobody_s(address, *tenant)?;
        let is_shared =
            speakers.contains(user) && self.stood.may_speak((address, *tenant), speakers)?;
        if !is_beyond && !is_shared && self.stood.is_another_s(address, *tenant, *user)? {
            self.alarm(format!("user {user} of tenant {tenant} would write as somebody else"));
            self.refuse(asker, "somebody else stands behind this address");
            return Ok(());
        }
        let signature = self.keys.statement.sign(SENDING_DOMAIN, bytes);
        self.answer(asker, &ToDirectory::Signature(signature.to_vec()));
        Ok(())
    }

    /// What is true of a sender as far as the vault knows: a person of that tenant, its own pair of
    /// today, and for no longer than a day.
    fn believable_sending(&mut self, bytes: &[u8]) -> Result<Result<Sending, &'static str>, Fault> {
        let Some(sending) = read::<Sending>(bytes) else {
            return Ok(Err("expected a statement about a sender"));
        };
        if sending.valid_until_ms > self.now_ms() + STATEMENT_MS {
            return Ok(Err("a statement is valid for a day at most"));
        }
        // A tenant's own server is no person, and never speaks as one (`is_another_s`).
        let is_server = sending.user == directory::server_of(sending.tenant);
        let has_keys = self.keys.state.users.contains_key(&(sending.tenant, sending.user));
        if !has_keys && !(is_server && self.keys.state.tenants.contains_key(&sending.tenant)) {
            return Ok(Err("expected a user with keys, found none"));
        }
        let domain = sending.address.rsplit_once('@').map(|(_, domain)| domain);
        if domain != Some(sending.domain.as_str()) {
            return Ok(Err("another domain than the address's own would sign"));
        }
        let today = self.transit_key(sending.tenant)?;
        Ok(match today == Some(sending.transit.clone()) {
            true => Ok(sending),
            false => Err("the transit key is not today's"),
        })
    }

    fn refuse(&mut self, asker: Asker, why: &str) {
        self.answer(asker, &ToDirectory::Refused(why.to_owned()));
    }

    fn sign(&mut self, asker: Asker, bytes: &[u8], change: Option<&Proven>) -> Result<(), Fault> {
        let statement = match self.believable(bytes)? {
            Ok(statement) => statement,
            Err(why) => {
                self.refuse(asker, why);
                return Ok(());
            }
        };
        let is_changed = match change {
            Some(change) => self.is_changed(&statement, change)?,
            None => None,
        };
        match self.stood.weigh(&statement)? {
            Standing::Same => self.stood.settle(&statement)?,
            Standing::New => self.stood.learn(&statement)?,
            Standing::Full => {
                let tenant = statement.tenant;
                self.alarm(format!("tenant {tenant} has more addresses than can be watched"));
                self.refuse(asker, "too many addresses");
                return Ok(());
            }
            Standing::Changed { what } => {
                let tenant = statement.tenant;
                // Where a catch-all gets the rest, mail for somebody who is gone is no alarm.
                if !self.stood.is_caught(&statement)? {
                    // The ledger keeps 64 octets of it: the tenant stands within, and the word is
                    // that of the change which was not recorded. No address leaves the vault.
                    let who = format!("tenant {tenant}, {what}");
                    self.alarm(format!("others would stand behind an address: {who}"));
                }
                self.answer(asker, &ToDirectory::NeedsChange { what });
                return Ok(());
            }
            // The people are those of before: nothing goes on until it is recorded.
            Standing::Onward { what } => {
                self.answer(asker, &ToDirectory::NeedsChange { what });
                return Ok(());
            }
        }
        if is_changed == Some(Whose::Others) {
            let tenant = statement.tenant;
            let who = format!("tenant {tenant}, as recorded before");
            self.alarm(format!("others stand behind an address: {who}"));
        }
        let signature = self.keys.statement.sign(STATEMENT_DOMAIN, bytes);
        self.answer(asker, &ToDirectory::Signature(signature.to_vec()));
        Ok(())
    }

    /// Whether the change that a statement needs stands in the ledger, proven and not used yet.
    fn is_changed(
        &mut self,
        statement: &Statement,
        change: &Proven,
    ) -> Result<Option<Whose>, Fault> {
        let whose = match self.stood.weigh(statement)? {
            Standing::Same => return Ok(None),
            Standing::Onward { .. } => Whose::TheSame,
            Standing::Changed { .. } | Standing::New | Standing::Full => Whose::Others,
        };
        if !self.recorder.is_proven(&change.entry, &change.proof, &change.checkpoint) {
            return Ok(None);
        }
        let has_served = self.stood.change(statement, &change.entry, change.proof.index)?;
        Ok(has_served.then_some(whose))
    }

    /// What is true as far as the vault knows: keys of its own, the last of these very users, and
    /// for no longer than a day.
    fn believable(&mut self, bytes: &[u8]) -> Result<Result<Statement, &'static str>, Fault> {
        let Some(statement) = read::<Statement>(bytes) else {
            return Ok(Err("expected a statement"));
        };
        if statement.valid_until_ms > self.now_ms() + STATEMENT_MS {
            return Ok(Err("a statement is valid for a day at most"));
        }
        let leads_nowhere = statement.recipients.is_empty() && statement.onward.is_empty();
        if leads_nowhere || statement.recipients.len() > RECIPIENTS {
            return Ok(Err("expected one to a hundred recipients"));
        }
        let own = |recipient: &Recipient| {
            self.is_own(&statement, recipient, Class::Body, &recipient.body)
                && self.is_own(&statement, recipient, Class::Summary, &recipient.summary)
        };
        if !statement.recipients.iter().all(own) {
            return Ok(Err("a key of the statement is not that user's last one"));
        }
        if let Err(why) = self.leads_where_it_may(&statement) {
            return Ok(Err(why));
        }
        let leaves = !statement.onward.is_empty() || statement.absence.is_some();
        let transit = match leaves {
            true => self.transit_key(statement.tenant)?,
            false => None,
        };
        Ok(match statement.transit == transit && leaves == transit.is_some() {
            true => Ok(statement),
            false => Err("the transit key is not today's"),
        })
    }

    /// Whether each way on is one of the kinds that there are.
    fn leads_where_it_may(&self, statement: &Statement) -> Result<(), &'static str> {
        let Statement { address, tenant, recipients, onward, absence, .. } = statement;
        let is_person = |user: &UserId| self.keys.state.users.contains_key(&(*tenant, *user));
        let is_bare = recipients.is_empty() && absence.is_none() && onward.len() == 1;
        let is_way = |way: &Onward| match way.path {
            Path::Null => is_bare && way.user == NOBODY && address.starts_with(WAY_BACK),
            Path::AsItCame => {
                let is_host = matches!(way.hop, Hop::Host { .. });
                is_bare && way.user == NOBODY && is_host && way.to == *address
            }
            Path::List => {
                let is_itself = way.hop == Hop::List && way.to == *address;
                is_bare && way.user == NOBODY && is_itself
            }
            Path::Word => {
                let is_itself = way.hop == Hop::List && way.to == *address;
                is_bare && way.user == NOBODY && is_itself && lists::word(address).is_some()
            }
            Path::Report => {
                let is_itself = way.hop == Hop::Here && way.to == *address;
                is_bare && way.user == NOBODY && is_itself && reports::takes_reports(address)
            }
            Path::Rewritten => {
                let domain = way.to.rsplit_once('@').map(|(_, domain)| domain);
                let is_to_it = match &way.hop {
                    Hop::Domain(of) => domain == Some(of.as_str()),
                    Hop::Here | Hop::Host { .. } => true,
                    // A list is posted to at its own address alone; no mail is handed up.
                    Hop::List | Hop::Web { .. } | Hop::On => false,
                };
                is_to_it && (way.user == NOBODY || is_person(&way.user))
            }
        };
        if onward.len() > ONWARD || !onward.iter().all(is_way) {
            return Err("it would go on in a way that there is not");
        }
        // Nobody could take such an address, and bounces would be lost.
        if address.starts_with(WAY_BACK) != is_way_back(statement) {
            return Err("a way back is no person's address");
        }
        if lists::word(address).is_some() != is_word(statement) {
            return Err("a word about a subscription is no person's address");
        }
        if directory::is_own_mailbox(address) != is_own(statement) {
            return Err("one person's own mailbox is another's by no word");
        }
        let is_recipient = |user: UserId| recipients.iter().any(|one| one.user == user);
        match absence.as_ref().is_none_or(|absence| is_recipient(absence.user)) {
            true => Ok(()),
            false => Err("somebody else would answer"),
        }
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

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let fits = bytes.len() <= STATEMENT_BYTES;
    let (said, rest) = fits.then(|| postcard::take_from_bytes(bytes).ok()).flatten()?;
    rest.is_empty().then_some(said)
}

/// A public key in the words of `wire`.
pub(crate) fn stated(public: &PublicKey) -> directory::PublicKey {
    directory::PublicKey {
        suite: public.suite().byte(),
        epoch: public.epoch(),
        bytes: public.point().to_vec(),
    }
}
