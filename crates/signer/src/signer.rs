//! The story: wait for the storage key, open or make the keys, then answer handshakes and mail.

use crate::Fault;
use crate::before::Before;
use crate::certificate::{Authority, Kept};
use crate::handshake::is_handshake;
use crate::house_names::{Group, group_for};
use crate::installed::{self, Place};
use crate::mail::OpenDomains;
use crate::public::OpenNames;
use crate::store::Store;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use compartment::now_ms;
use evidence::{Author, Body, Word};
use journal::Carrier;
use rows::RowKey;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind, TenantId};
use wire::control::{Order, Report, Start};
use wire::signer::{FromSigner, ToSigner};
use wire::{Event, Frame, Hub, Label, Peer, vault};
use zeroize::Zeroizing;

/// RFC 8446 §4.2.3: ecdsa_secp256r1_sha256, the one scheme of our keys.
const SCHEME: u16 = 0x0403;
/// Between two questions to a vault that has no evidence now, or is away.
const ASK_AGAIN: Duration = Duration::from_millis(300);
/// A vault answers, if only with "away", within eight seconds.
const VAULT_SILENT: Duration = Duration::from_secs(10);
/// Handshakes that wait for the start to end, and how long: their client waits two seconds.
const WAITING: usize = 1_024;
const WAIT: Duration = Duration::from_millis(1_800);
/// Entries that wait for the ledger; one for each instance that had something signed.
const OUTBOX: usize = 20_000;
/// The longest message that TLS gives to sign: two randoms and a P-384 point.
const MESSAGE_BYTES: usize = 512;
/// A certificate with less than this left is issued again while the signer runs.
const DUE_MS: u64 = 29 * 86_400_000;
/// Certificates are looked after once an hour.
const LOOK_AFTER: Duration = Duration::from_secs(3_600);

/// A key in use.
pub(crate) struct Served {
    pub key: EcdsaKeyPair,
    pub chain: Vec<Vec<u8>>,
    pub not_after_ms: u64,
    /// What handshakes call it by: the digest of its certificate, shortened.
    pub number: [u8; 16],
}

/// Everything that needs the storage key.
struct Unlocked {
    storage: RowKey,
    authority: Authority,
    served: HashMap<Group, Served>,
}

struct Question {
    peer: Peer,
    call: u32,
    label: Label,
    asked: ToSigner,
    at: Instant,
}

pub(crate) struct Signer {
    hub: Hub,
    control: Peer,
    store: Store,
    pub(crate) start: Start,
    unlocked: Option<Unlocked>,
    pub(crate) open_domains: OpenDomains,
    pub(crate) open_names: OpenNames,
    pub(crate) before: Before,
    vault: Option<Peer>,
    asked_vault: Option<Instant>,
    ask_vault_at: Instant,
    waiting: Vec<Question>,
    carrier: Carrier,
    last_call: u32,
    seen: HashSet<InstanceId>,
    /// Questions about mail, by who asks.
    pub(crate) asked_of: HashMap<InstanceId, u32>,
    looked: Instant,
}

impl Signer {
    pub fn new(hub: Hub, control: Peer, store: Store, author: Author, start: Start) -> Self {
        let now = Instant::now();
        let carrier = Carrier::new(author, OUTBOX).with_keys_of(&start);
        Self {
            carrier,
            last_call: 0,
            hub,
            control,
            store,
            start,
            unlocked: None,
            open_domains: OpenDomains::default(),
            open_names: OpenNames::default(),
            before: Before::default(),
            vault: None,
            asked_vault: None,
            ask_vault_at: now,
            waiting: Vec::new(),
            seen: HashSet::new(),
            asked_of: HashMap::new(),
            looked: now,
        }
    }

    /// Until the warden says stop, or is gone.
    pub fn serve(mut self) -> Result<(), Fault> {
        loop {
            let rest =
                if self.unlocked.is_none() || self.carrier.waiting() > 0 { 50 } else { 1_000 };
            let rest = Duration::from_millis(rest);
            for event in self.hub.wait(Some(rest)).map_err(Fault::Channel)? {
                match event {
                    Event::Gone(peer, _) if peer == self.control => return Ok(()),
                    Event::Frame(peer, frame) if peer == self.control => {
                        if self.ordered(frame)? {
                            return Ok(());
                        }
                    }
                    Event::Frame(peer, frame) => self.spoken(peer, &frame)?,
                    Event::Gone(peer, label) => self.left(peer, &label),
                    Event::Ready(_) => {}
                }
            }
            self.ask_vault();
            self.give_up_waiting();
            self.carrier.tend(&mut self.hub, Instant::now(), true);
            self.carrier.take_lie().into_iter().for_each(|what| self.alarm(what));
            self.look_after();
        }
    }

    /// Whether to leave.
    fn ordered(&mut self, mut frame: Frame) -> Result<bool, Fault> {
        match frame.read::<Order>().map_err(Fault::Channel)? {
            Order::Stop => return Ok(true),
            Order::Pulse => drop(self.hub.send(self.control, 0, &Report::Alive, Vec::new())),
            Order::Keys(keys) => self.carrier.learn(keys),
            Order::Join(label) => {
                if let Some(fd) = frame.descriptors.pop() {
                    let kind = label.kind;
                    let peer = self.hub.seat(fd.into(), label).map_err(Fault::Channel)?;
                    match kind {
                        Kind::Vault => (self.vault, self.asked_vault) = (Some(peer), None),
                        Kind::Ledger => self.carrier.join(peer),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(false)
    }

    fn spoken(&mut self, peer: Peer, frame: &Frame) -> Result<(), Fault> {
        let Some(label) = self.hub.label(peer).cloned() else { return Ok(()) };
        let read = match label.kind {
            Kind::Vault => match frame.read() {
                Ok(answer) => return self.unlock(answer),
                Err(fault) => Err(fault),
            },
            Kind::Ledger => {
                self.carrier.hear(peer, frame);
                return Ok(());
            }
            Kind::Edge
            | Kind::Access
            | Kind::Pages
            | Kind::Dispatch
            | Kind::Depart
            | Kind::Directory
            | Kind::Admin => frame.read().map(|asked| {
                let at = Instant::now();
                self.asked(Question { peer, call: frame.call, label: label.clone(), asked, at });
            }),
            _ => Err(wire::Fault::Malformed),
        };
        if read.is_err() {
            self.alarm(format!(
                "{} {} spoke what is no question",
                label.kind.word(),
                label.instance
            ));
            self.hub.dismiss(peer);
            self.left(peer, &label);
        }
        Ok(())
    }

    fn left(&mut self, peer: Peer, label: &Label) {
        if self.vault == Some(peer) {
            (self.vault, self.asked_vault) = (None, None);
        }
        self.carrier.gone(peer);
        self.seen.remove(&label.instance);
        self.asked_of.remove(&label.instance);
    }

    pub(crate) fn alarm(&mut self, what: String) {
        let _ = self.hub.send(self.control, 0, &Report::Alarm { what }, Vec::new());
    }

    pub(crate) fn storage(&self) -> Option<&RowKey> {
        self.unlocked.as_ref().map(|unlocked| &unlocked.storage)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    // --- the start

    fn ask_vault(&mut self) {
        let now = Instant::now();
        let waits = self.asked_vault.is_some_and(|at| now - at < VAULT_SILENT);
        let Some(vault) = self.vault.filter(|_| self.unlocked.is_none()) else { return };
        if waits || now < self.ask_vault_at {
            return;
        }
        self.asked_vault = Some(now);
        self.ask_vault_at = now + ASK_AGAIN;
        self.last_call = self.last_call.wrapping_add(1).max(1);
        let question = vault::FromSigner::StorageKey;
        let _ = self.hub.send(vault, self.last_call, &question, Vec::new());
    }

    fn unlock(&mut self, answer: vault::ToSigner) -> Result<(), Fault> {
        let vault::ToSigner::Key { storage, demo_seed } = answer else {
            self.asked_vault = None;
            return Ok(());
        };
        if self.unlocked.is_some() {
            return Ok(());
        }
        let storage = Zeroizing::new(storage);
        // Without a demo's seed the authority's key hangs on the storage key alone.
        let seed = Zeroizing::new(demo_seed.unwrap_or_else(|| storage.to_vec()));
        let authority = Authority::new(&seed, self.store.authority(), now_ms())?;
        if self.store.authority().as_deref() != Some(authority.certificate())
            && let Err(fault) = self.store.keep_authority(authority.certificate())
        {
            self.alarm(fault.to_string());
        }
        let (storage, served) = (RowKey::new(&storage), HashMap::new());
        self.unlocked = Some(Unlocked { storage, authority, served });
        for group in Group::ALL {
            self.open_or_issue(group)?;
        }
        for question in std::mem::take(&mut self.waiting) {
            self.asked(question);
        }
        Ok(())
    }

    fn open_or_issue(&mut self, group: Group) -> Result<(), Fault> {
        let mut kept_fault = None;
        let Some(unlocked) = &mut self.unlocked else { return Ok(()) };
        let names = group.names(&self.start);
        if names.is_empty() {
            return Ok(());
        }
        let now = now_ms();
        if let Some(installed) = self.store.installed(group, &unlocked.storage)?
            && installed.not_after_ms > now
        {
            self.before.put(group, unlocked.served.insert(group, served(&installed)?));
            return Ok(());
        }
        let kept = self.store.kept(group, &unlocked.storage)?;
        let kept = match kept.filter(|kept| kept.serves(&names, now)) {
            Some(kept) => kept,
            None => {
                let kept = unlocked.authority.issue(&names, group, now)?;
                // A full disk stops no handshake: this start serves what it could not keep.
                kept_fault = self.store.keep(group, &unlocked.storage, &kept).err();
                kept
            }
        };
        self.before.put(group, unlocked.served.insert(group, served(&kept)?));
        if let Some(fault) = kept_fault {
            self.alarm(fault.to_string());
        }
        Ok(())
    }

    /// Issues again what runs out, while the signer runs.
    fn look_after(&mut self) {
        if self.looked.elapsed() < LOOK_AFTER {
            return;
        }
        self.looked = Instant::now();
        self.before.forget();
        let now = now_ms();
        let due = |served: &Served| served.not_after_ms < now + DUE_MS;
        let served = self.unlocked.iter().flat_map(|unlocked| &unlocked.served);
        let groups: Vec<Group> =
            served.filter(|(_, served)| due(served)).map(|(group, _)| *group).collect();
        for group in groups {
            if let Err(fault) = self.open_or_issue(group) {
                self.alarm(fault.to_string());
            }
        }
    }

    // --- questions

    fn asked(&mut self, question: Question) {
        if self.unlocked.is_none() && self.waiting.len() < WAITING {
            return self.waiting.push(question);
        }
        let Question { peer, call, label, asked, .. } = question;
        let answer = self.answer(&label, asked);
        let _ = self.hub.send(peer, call, &answer, Vec::new());
    }

    fn give_up_waiting(&mut self) {
        let now = Instant::now();
        let (late, waiting) =
            std::mem::take(&mut self.waiting).into_iter().partition(|one| now - one.at > WAIT);
        self.waiting = waiting;
        let late: Vec<Question> = late;
        for one in late {
            let _ = self.hub.send(one.peer, one.call, &FromSigner::Refused, Vec::new());
        }
    }

    fn answer(&mut self, label: &Label, asked: ToSigner) -> FromSigner {
        match asked {
            ToSigner::Chain { server_name } => self.chain(label.kind, server_name.as_deref()),
            ToSigner::Sign { server_name, scheme, message, key } => {
                self.sign(label, server_name.as_deref(), scheme, (&message, key))
            }
            ToSigner::Authority if label.kind == Kind::Admin => {
                self.unlocked.as_ref().map_or(FromSigner::Refused, |unlocked| {
                    FromSigner::Authority(unlocked.authority.pem())
                })
            }
            ToSigner::Install { chain, pkcs8 } if label.kind == Kind::Admin => {
                self.install(chain, pkcs8)
            }
            ToSigner::Renew if label.kind == Kind::Admin => self.renew(),
            ToSigner::Unproven { names } if label.kind == Kind::Admin => self.unproven(names),
            ToSigner::Authority
            | ToSigner::Install { .. }
            | ToSigner::Renew
            | ToSigner::Unproven { .. } => FromSigner::Refused,
            of_mail => self.mail(label, of_mail),
        }
    }

    /// A certificate from elsewhere takes the place of our own, for handshakes from now on.
    fn install(&mut self, chain: Vec<Vec<u8>>, pkcs8: Vec<u8>) -> FromSigner {
        let kept = match chain.is_empty() {
            true => Ok((Place::Group(self.installed_group()), None)),
            false => self.check(chain, pkcs8),
        };
        let before = self.keys_of_groups();
        let (place, kept) = match kept {
            Ok(found) => found,
            Err((expected, found, hint)) => {
                let (expected, hint) = (expected.to_owned(), hint.to_owned());
                return FromSigner::NotInstalled { expected, found, hint };
            }
        };
        let brought = match self.brought_by_file(&place, kept.as_ref()) {
            Ok(brought) => brought,
            Err(fault) => {
                self.alarm(fault.to_string());
                return FromSigner::Refused;
            }
        };
        let not_after_ms = match self.keep_installed(&place, kept.as_ref()) {
            Ok(Some(not_after_ms)) => not_after_ms,
            Ok(None) => return FromSigner::Refused,
            Err(fault) => {
                self.alarm(fault.to_string());
                return FromSigner::Refused;
            }
        };
        let word = if kept.is_some() { "tls.install" } else { "tls.uninstall" };
        let what = Word::new(word);
        self.record(Body::RuleChange {
            what,
            tenant: None,
            user: None,
            weakened: None,
            by: None,
            credential: None,
        });
        self.note_new_keys(&before, &brought);
        let names = match place {
            Place::Group(group) => group.names(&self.start),
            Place::Names(names) => names,
        };
        FromSigner::Installed { not_after_ms, names }
    }

    /// The group that is served by a certificate from elsewhere, mail first: whoever takes away
    /// takes one after the other.
    fn installed_group(&self) -> Group {
        let key = self.unlocked.as_ref().map(|unlocked| &unlocked.storage);
        let is_installed = |group: Group| {
            key.is_some_and(|key| matches!(self.store.installed(group, key), Ok(Some(_))))
        };
        match !is_installed(Group::Mail) && is_installed(Group::Pages) {
            true => Group::Pages,
            false => Group::Mail,
        }
    }

    fn check(
        &self,
        chain: Vec<Vec<u8>>,
        pkcs8: Vec<u8>,
    ) -> Result<(Place, Option<Kept>), installed::Objection> {
        let is_ours = |name: &str| self.is_ours(name).unwrap_or(false);
        let of_mail = Group::Mail.names(&Start { demo: false, ..self.start.clone() });
        let of_pages = Group::Pages.names(&self.start);
        let own = installed::Own { of_mail: &of_mail, of_pages: &of_pages, is_ours: &is_ours };
        let (place, kept) = installed::check(chain, pkcs8, &own, now_ms())?;
        Ok((place, Some(kept)))
    }

    /// Until when what serves there now holds; `None`: there is no key yet.
    fn keep_installed(&mut self, place: &Place, kept: Option<&Kept>) -> Result<Option<u64>, Fault> {
        let Some(unlocked) = &self.unlocked else { return Ok(None) };
        match (place, kept) {
            (Place::Group(group), kept) => {
                self.store.keep_installed(*group, &unlocked.storage, kept)?;
                self.open_or_issue(*group)?;
                Ok(Some(self.of_group(*group).map_or(0, |served| served.not_after_ms)))
            }
            (Place::Names(names), Some(kept)) => {
                for name in names {
                    self.store.keep_installed_name(name, &unlocked.storage, kept)?;
                    self.before.put(Group::Pages, self.open_names.forget(name));
                }
                Ok(Some(kept.not_after_ms))
            }
            (Place::Names(_), None) => Ok(None),
        }
    }

    pub(crate) fn start(&self) -> &Start {
        &self.start
    }

    /// Whether what serves this group is from elsewhere.
    pub(crate) fn is_brought(&self, group: Group) -> Result<bool, Fault> {
        let Some(unlocked) = &self.unlocked else { return Ok(false) };
        let installed = self.store.installed(group, &unlocked.storage)?;
        Ok(installed.is_some_and(|kept| kept.not_after_ms > now_ms()))
    }

    pub(crate) fn keep_own(&mut self, group: Group, kept: &Kept) -> Result<(), Fault> {
        match &self.unlocked {
            Some(unlocked) => self.store.keep(group, &unlocked.storage, kept),
            None => Ok(()),
        }
    }

    pub(crate) fn put_served(&mut self, group: Group, served: Served) {
        if let Some(unlocked) = &mut self.unlocked {
            self.before.put(group, unlocked.served.insert(group, served));
        }
    }

    /// Names of public pages get new keys when they are asked for.
    pub(crate) fn close_names(&mut self) {
        for served in self.open_names.forget_all() {
            self.before.put(Group::Pages, Some(served));
        }
    }

    pub(crate) fn of_group(&self, group: Group) -> Option<&Served> {
        self.unlocked.as_ref()?.served.get(&group)
    }

    /// `None`: there is no key yet.
    pub(crate) fn issue(
        &self,
        names: &[String],
        group: Group,
        now_ms: u64,
    ) -> Result<Option<Kept>, Fault> {
        let unlocked = self.unlocked.as_ref();
        unlocked.map(|unlocked| unlocked.authority.issue(names, group, now_ms)).transpose()
    }

    fn chain(&mut self, kind: Kind, server_name: Option<&str>) -> FromSigner {
        match self.served(kind, server_name) {
            Some(served) => FromSigner::Chain {
                certificates: served.chain.clone(),
                schemes: vec![SCHEME],
                key: served.number,
            },
            None => FromSigner::Refused,
        }
    }

    /// Signs a handshake for a name of this peer's, and nothing else: with the key that serves, or
    /// with the one that served when the handshake took its chain.
    fn sign(
        &mut self,
        label: &Label,
        server_name: Option<&str>,
        scheme: u16,
        (message, key): (&[u8], [u8; 16]),
    ) -> FromSigner {
        let fits = scheme == SCHEME && message.len() <= MESSAGE_BYTES && is_handshake(message);
        let serves = self.served(label.kind, server_name).map(|served| served.number);
        let found = match serves {
            Some(number) if number == key => self.served(label.kind, server_name),
            _ => group_for(label.kind, server_name).and_then(|group| self.before.of(group, &key)),
        };
        if fits && serves.is_some() && found.is_none() {
            return FromSigner::Refused; // its chain is too old, and no signature would fit it
        }
        let signed = found.filter(|_| fits).and_then(|served| {
            let signature = served.key.sign(&SystemRandom::new(), message).ok()?;
            Some(signature.as_ref().to_vec())
        });
        match (signed, Group::ALL.into_iter().find(|group| group.may_ask(label.kind))) {
            (Some(signature), Some(group)) => {
                self.count_use(label, "tls-key", group.word(), None);
                FromSigner::Signature(signature)
            }
            _ => {
                self.alarm(format!(
                    "{} {} asked to sign what is no handshake of its own",
                    label.kind.word(),
                    label.instance
                ));
                FromSigner::Refused
            }
        }
    }

    // --- evidence

    /// The first signature for an instance is recorded; it follows at once if the ledger is away:
    /// mail goes on arriving.
    pub(crate) fn count_use(
        &mut self,
        label: &Label,
        credential: &str,
        name: &str,
        tenant: Option<TenantId>,
    ) {
        if self.seen.insert(label.instance) {
            let (credential, name) = (Word::new(credential), Word::new(name));
            let instance = label.instance;
            self.record(Body::CredentialUse { credential, instance, name, tenant });
        }
    }

    pub(crate) fn record(&mut self, body: Body) {
        let word = body.word();
        if !self.carrier.record(now_ms(), body) {
            self.alarm(format!("the ledger has been away too long: {word} is not recorded"));
        }
    }
}

pub(crate) fn served(kept: &Kept) -> Result<Served, Fault> {
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &kept.pkcs8);
    let leaf = digest(&SHA256, kept.chain.first().map_or(&[], Vec::as_slice));
    let number = leaf.as_ref().first_chunk().copied().unwrap_or_default();
    Ok(Served {
        number,
        key: key.map_err(|_| Fault::Key)?,
        chain: kept.chain.clone(),
        not_after_ms: kept.not_after_ms,
    })
}
