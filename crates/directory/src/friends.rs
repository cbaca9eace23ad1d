//! Those the directory may ask: the vault for keys and signatures, the ledger for its record, the
//! queue to take letters; vault, mailbox, queue and signer to end what ends.

use crate::Fault;
use evidence::Body;
use journal::Journal;
use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::time::Duration;
use terms::{InstanceId, Kind, TenantId, UserId};
use wire::Channel;
use wire::directory::PublicKey;
use wire::mailbox;
use wire::post::{self, Awaited, Outgoing, ToSender};
use wire::reports::Sent;
use wire::signer::{self, FromSigner, ToSigner};
use wire::vault::{FromDirectory, PEOPLE_AT_ONCE, Proven, ToDirectory};

/// A signature or a pair of public keys takes well under a millisecond; new pairs wait for the
/// ledger and the mirror.
const VAULT_PATIENCE: Duration = Duration::from_secs(3);
/// Erasing a large mailbox is one commit and one turn of the index; it first settles what it was
/// told.
const MAILBOX_PATIENCE: Duration = Duration::from_secs(5);
/// A durable commit, which waits for company.
const POST_PATIENCE: Duration = Duration::from_secs(3);
/// Five hundred files are removed, each durably.
const SIGNER_PATIENCE: Duration = Duration::from_secs(5);

/// The vault's channel and the pen of this start.
pub struct Friends {
    pub vault: Option<Channel>,
    pub mailbox: Option<Channel>,
    pub post: Option<Channel>,
    pub signer: Option<Channel>,
    pub journal: Journal,
}

impl Friends {
    pub fn new(instance: InstanceId) -> Self {
        Self {
            vault: None,
            mailbox: None,
            post: None,
            signer: None,
            journal: Journal::new(Kind::Directory, instance),
        }
    }

    pub fn policy_key(&mut self) -> Option<Vec<u8>> {
        match self.ask(&FromDirectory::PolicyKey) {
            Ok(ToDirectory::Key(key)) => Some(key),
            _ => None,
        }
    }

    /// `false`: the keys of a tenant with this id were destroyed, and it does not come back.
    pub fn make_tenant(&mut self, tenant: TenantId) -> Result<bool, Fault> {
        match self.ask(&FromDirectory::MakeTenant(tenant))? {
            ToDirectory::Done => Ok(true),
            ToDirectory::Refused(_) => Ok(false),
            _ => Err(Fault::VaultAway),
        }
    }

    /// `false`: the keys of a person with this id were destroyed, or the tenant's are sealed.
    pub fn make_user(&mut self, tenant: TenantId, user: UserId) -> Result<bool, Fault> {
        match self.ask(&FromDirectory::MakeUser { tenant, user })? {
            ToDirectory::Done | ToDirectory::Keys { .. } => Ok(true),
            ToDirectory::Refused(_) => Ok(false),
            _ => Err(Fault::VaultAway),
        }
    }

    /// Body and summary keys that mail for this person is sealed to now.
    pub fn current_keys(
        &mut self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<(PublicKey, PublicKey), Fault> {
        match self.ask(&FromDirectory::Current { tenant, user })? {
            ToDirectory::Keys { body, summary } => Ok((body, summary)),
            _ => Err(Fault::VaultAway),
        }
    }

    /// `Err` too where others stood behind the address before: mail waits until somebody who may
    /// change that has done so.
    pub fn sign(&mut self, statement: &[u8]) -> Result<Vec<u8>, Fault> {
        match self.ask(&FromDirectory::Sign(statement.to_vec()))? {
            ToDirectory::Signature(signature) => Ok(signature),
            _ => Err(Fault::VaultAway),
        }
    }

    /// The same for an address that nobody has. `None`: it was somebody's, and is nobody else's.
    pub fn sign_caught(&mut self, statement: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        match self.ask(&FromDirectory::Sign(statement.to_vec()))? {
            ToDirectory::Signature(signature) => Ok(Some(signature)),
            ToDirectory::NeedsChange { .. } => Ok(None),
            _ => Err(Fault::VaultAway),
        }
    }

    /// Whose keys the vault does not have, of these.
    pub fn without_keys(
        &mut self,
        people: &[(TenantId, UserId)],
    ) -> Result<Vec<(TenantId, UserId)>, Fault> {
        let mut without = Vec::new();
        for some in people.chunks(PEOPLE_AT_ONCE) {
            match self.ask(&FromDirectory::WhoIsWithout(some.to_vec()))? {
                ToDirectory::Done => {}
                ToDirectory::Without(these) => without.extend(these),
                _ => return Err(Fault::VaultAway),
            }
        }
        Ok(without)
    }

    /// Whether an address of a tenant's was somebody's before.
    pub fn has_stood(&mut self, address: &str, tenant: TenantId) -> Result<bool, Fault> {
        let address = address.to_owned();
        match self.ask(&FromDirectory::HasStood { tenant, address })? {
            ToDirectory::Done => Ok(false),
            ToDirectory::HasStood => Ok(true),
            _ => Err(Fault::VaultAway),
        }
    }

    /// The key that this tenant's outgoing mail is sealed to today.
    pub fn transit(&mut self, tenant: TenantId) -> Result<PublicKey, Fault> {
        match self.ask(&FromDirectory::Transit(tenant))? {
            ToDirectory::Transit(public) => Ok(public),
            _ => Err(Fault::VaultAway),
        }
    }

    /// `None`: the vault does not believe it; a key of yesterday's, as a rule.
    /// `speakers`: who may write as that address, where several have it.
    pub fn sign_sending(
        &mut self,
        sending: &[u8],
        speakers: &[UserId],
    ) -> Result<Option<Vec<u8>>, Fault> {
        let (sending, speakers) = (sending.to_vec(), speakers.to_vec());
        let question = match speakers.is_empty() {
            true => FromDirectory::SignSending(sending),
            false => FromDirectory::SignSendingAs { sending, speakers },
        };
        match self.ask(&question)? {
            ToDirectory::Signature(signature) => Ok(Some(signature)),
            ToDirectory::Refused(_) => Ok(None),
            _ => Err(Fault::VaultAway),
        }
    }

    /// Has a statement signed that a person's command has just made different: the vault wants to
    /// see the change in the ledger first.
    pub fn sign_changed(
        &mut self,
        statement: &[u8],
        tenant: TenantId,
        user: Option<UserId>,
    ) -> Result<Vec<u8>, Fault> {
        let mut answer = self.ask(&FromDirectory::Sign(statement.to_vec()))?;
        // The people, their ways on and their answer are three words, each with its own record.
        for _ in 0..3 {
            let what = match answer {
                ToDirectory::Signature(signature) => return Ok(signature),
                ToDirectory::NeedsChange { what } => what,
                _ => return Err(Fault::VaultAway),
            };
            let change = self.prove(changed(tenant, user, &what))?;
            let question = FromDirectory::SignChanged { statement: statement.to_vec(), change };
            answer = self.ask(&question)?;
        }
        match answer {
            ToDirectory::Signature(signature) => Ok(signature),
            _ => Err(Fault::VaultAway),
        }
    }

    /// Who of several may write as their address, from now on: the vault wants to see it in the
    /// ledger first.
    pub fn speakers(
        &mut self,
        tenant: TenantId,
        address: &str,
        speakers: &[UserId],
    ) -> Result<(), Fault> {
        let question = |change| FromDirectory::Speakers {
            tenant,
            address: address.to_owned(),
            speakers: speakers.to_vec(),
            change,
        };
        let what = match self.ask(&question(None))? {
            ToDirectory::Done => return Ok(()),
            ToDirectory::NeedsChange { what } => what,
            _ => return Err(Fault::VaultAway),
        };
        let change = self.prove(changed(tenant, None, &what))?;
        match self.ask(&question(Some(change)))? {
            ToDirectory::Done => Ok(()),
            _ => Err(Fault::VaultAway),
        }
    }

    /// A change counts only after the ledger took its entry.
    pub fn record_change(
        &mut self,
        tenant: TenantId,
        user: Option<UserId>,
        what: &str,
    ) -> Result<(), Fault> {
        self.write(changed(tenant, user, what))
    }

    fn prove(&mut self, body: Body) -> Result<Proven, Fault> {
        let (entry, proof, checkpoint) = self.journal.prove(body).map_err(Fault::Unrecorded)?;
        Ok(Proven { entry, proof, checkpoint })
    }

    pub fn write(&mut self, body: Body) -> Result<(), Fault> {
        self.journal.record(body).map_err(Fault::Unrecorded)
    }

    /// Erases some people's mail; messages, octets, rows.
    pub fn erase_mail(
        &mut self,
        tenant: TenantId,
        users: Vec<UserId>,
        whole: bool,
    ) -> Result<(u64, u64, u64), Fault> {
        match self.ask_mailbox(&mailbox::FromDirectory::Erase { tenant, users, whole })? {
            mailbox::ToDirectory::Erased { messages, bytes, rows } => Ok((messages, bytes, rows)),
            _ => Err(Fault::MailboxAway),
        }
    }

    /// Whether dead bytes of erased mail still lie on the mailbox's disk.
    pub fn sweep_mail(&mut self) -> Result<bool, Fault> {
        match self.ask_mailbox(&mailbox::FromDirectory::Sweep)? {
            mailbox::ToDirectory::Swept { left } => Ok(left),
            _ => Err(Fault::MailboxAway),
        }
    }

    /// Hands a letter to the queue; `Ok` means durable.
    pub fn queue(&mut self, outgoing: Outgoing, held: &[OwnedFd]) -> Result<(), Fault> {
        let channel = self.post.as_mut().ok_or(Fault::PostAway)?;
        match channel.ask(&post::FromDirectory::Queue(Box::new(outgoing)), held, POST_PATIENCE) {
            Ok((ToSender::Queued, _)) => Ok(()),
            Ok(_) | Err(wire::Fault::Silent) => Err(Fault::PostAway),
            Err(_) => {
                self.post = None;
                Err(Fault::PostAway)
            }
        }
    }

    /// In whose name a message left that the tenant finds by this token.
    pub fn who_sent(&mut self, tenant: TenantId, token: [u8; 16]) -> Result<Option<Sent>, Fault> {
        match self.ask_mailbox(&mailbox::FromDirectory::Sent { tenant, token })? {
            mailbox::ToDirectory::Sent(sent) => Ok(sent),
            _ => Err(Fault::MailboxAway),
        }
    }

    /// Whether that message went to one of these places.
    pub fn went_to(
        &mut self,
        tenant: TenantId,
        token: [u8; 16],
        places: Vec<[u8; 16]>,
    ) -> Result<bool, Fault> {
        match self.ask_mailbox(&mailbox::FromDirectory::WentTo { tenant, token, places })? {
            mailbox::ToDirectory::WentTo(went) => Ok(went),
            _ => Err(Fault::MailboxAway),
        }
    }

    /// A reader complained about mail that this person sent.
    pub fn complained(&mut self, user: UserId) -> Result<(), Fault> {
        self.decide(&post::FromDirectory::Complained { user }).map(drop)
    }

    /// Whether a message still waits for its person's word.
    pub fn is_awaited(&mut self, awaited: Awaited) -> Result<bool, Fault> {
        self.decide(&post::FromDirectory::Waits(awaited))
    }

    /// `false`: somebody was faster.
    pub fn release_held(&mut self, awaited: Awaited) -> Result<bool, Fault> {
        self.decide(&post::FromDirectory::Release(awaited))
    }

    pub fn cancel_held(&mut self, awaited: Awaited) -> Result<bool, Fault> {
        self.decide(&post::FromDirectory::Cancel(awaited))
    }

    /// Ends what some people have in the queue; messages, octets.
    pub fn erase_queue(
        &mut self,
        tenant: TenantId,
        users: Vec<UserId>,
        whole: bool,
    ) -> Result<(u64, u64), Fault> {
        match self.ask_post(&post::FromDirectory::Erase { tenant, users, whole })? {
            post::ToDirectory::Erased { messages, bytes } => Ok((messages, bytes)),
            _ => Err(Fault::PostAway),
        }
    }

    /// Whether dead octets still lie on the queue's disk.
    pub fn sweep_queue(&mut self) -> Result<bool, Fault> {
        match self.ask_post(&post::FromDirectory::Sweep)? {
            post::ToDirectory::Swept { left } => Ok(left),
            _ => Err(Fault::PostAway),
        }
    }

    /// Destroys the keys of these domains of a tenant: they are on no disk when it returns.
    pub fn forget_keys(&mut self, tenant: TenantId, domains: &[String]) -> Result<(), Fault> {
        for some in domains.chunks(signer::NAMES) {
            match self.ask_signer(&ToSigner::ForgetKeys { tenant, domains: some.to_vec() })? {
                FromSigner::Forgotten { .. } => {}
                _ => return Err(Fault::SignerAway),
            }
        }
        Ok(())
    }

    /// The files of keys that belong to none of these domains and their tenants.
    pub fn stray_keys(&mut self, domains: &[(TenantId, String)]) -> Result<Vec<[u8; 16]>, Fault> {
        let mut files = Vec::new();
        loop {
            let after = files.last().copied();
            match self.ask_signer(&ToSigner::KeyFiles { after })? {
                FromSigner::KeyFiles(some) if some.is_empty() => break,
                FromSigner::KeyFiles(some) => files.extend(some),
                _ => return Err(Fault::SignerAway),
            }
        }
        // Asked after: keys that are made meanwhile are of a domain that is known.
        let mut known = HashSet::new();
        for some in domains.chunks(signer::NAMES) {
            match self.ask_signer(&ToSigner::KeyFilesOf { domains: some.to_vec() })? {
                FromSigner::KeyFiles(some) => known.extend(some),
                _ => return Err(Fault::SignerAway),
            }
        }
        files.retain(|file| !known.contains(file));
        Ok(files)
    }

    fn ask_signer(&mut self, question: &ToSigner) -> Result<FromSigner, Fault> {
        let channel = self.signer.as_mut().ok_or(Fault::SignerAway)?;
        match channel.ask(question, &[], SIGNER_PATIENCE) {
            Ok((answer, _)) => Ok(answer),
            Err(wire::Fault::Silent) => Err(Fault::SignerAway),
            Err(_) => {
                self.signer = None;
                Err(Fault::SignerAway)
            }
        }
    }

    /// How many messages of this person's wait for a word.
    pub fn still_held(&mut self, tenant: TenantId, user: UserId) -> Result<u32, Fault> {
        match self.ask_post(&post::FromDirectory::StillHeld { tenant, user })? {
            post::ToDirectory::StillHeld(held) => Ok(held),
            _ => Err(Fault::PostAway),
        }
    }

    fn decide(&mut self, question: &post::FromDirectory) -> Result<bool, Fault> {
        match self.ask_post(question)? {
            post::ToDirectory::Yes => Ok(true),
            post::ToDirectory::No => Ok(false),
            _ => Err(Fault::PostAway),
        }
    }

    pub(crate) fn ask_post(
        &mut self,
        question: &post::FromDirectory,
    ) -> Result<post::ToDirectory, Fault> {
        let channel = self.post.as_mut().ok_or(Fault::PostAway)?;
        match channel.ask(question, &[], POST_PATIENCE) {
            Ok((answer, _)) => Ok(answer),
            Err(wire::Fault::Silent) => Err(Fault::PostAway),
            Err(_) => {
                self.post = None;
                Err(Fault::PostAway)
            }
        }
    }

    pub(crate) fn ask_mailbox(
        &mut self,
        question: &mailbox::FromDirectory,
    ) -> Result<mailbox::ToDirectory, Fault> {
        let channel = self.mailbox.as_mut().ok_or(Fault::MailboxAway)?;
        match channel.ask(question, &[], MAILBOX_PATIENCE) {
            Ok((answer, _)) => Ok(answer),
            Err(wire::Fault::Silent) => Err(Fault::MailboxAway),
            Err(_) => {
                self.mailbox = None;
                Err(Fault::MailboxAway)
            }
        }
    }

    fn ask(&mut self, question: &FromDirectory) -> Result<ToDirectory, Fault> {
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

fn changed(tenant: TenantId, user: Option<UserId>, what: &str) -> Body {
    Body::RuleChange {
        tenant: Some(tenant),
        user,
        what: what.into(),
        weakened: None,
        by: None,
        credential: None,
    }
}
