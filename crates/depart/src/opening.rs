//! Opening what was handed over: keys from the vault, for this instance, recorded one by one.

use crate::Fault;
use crate::fates::Leg;
use crate::neighbours::Neighbours;
use compartment::View;
use courier::Login;
use open::{GrantContext, MessageKey, Place, WrapContext};
use seal::{Class, Suite};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::MessageId;
use terms::{GrantId, TenantId, UserId};
use wire::directory;
use wire::mailbox::SealedPart;
use wire::post::{Envelope, Load};
use wire::vault::{self, FromDepart, ToDepart, TransitItem};
use wire::{INLINE_BYTES, Parcel};

/// A small text's key is asked for with its envelope's: one release, one entry, one proof.
const TOGETHER_OCTETS: u64 = 256 * 1024;
/// A tenant's public key of today may be yesterday's by then.
const AGREED: Duration = Duration::from_secs(10 * 60);

/// What the vault agreed with this instance, and gave for one batch.
pub(crate) struct Hand {
    tenant: TenantId,
    grant: GrantId,
    agreed: open::Grant,
    /// The tenant's public key of today.
    transit: seal::PublicKey,
    since: Instant,
    /// Keys of texts that came with their envelopes.
    texts: RefCell<HashMap<MessageId, MessageKey>>,
}

impl Hand {
    pub(crate) fn open(tenant: TenantId, house: &mut Neighbours) -> Result<Self, Fault> {
        // It lasts for minutes and protects nothing that is stored: the suite that costs the vault
        // a sixth.
        let (public, session) = open::Session::new(Suite::X25519).map_err(Fault::Open)?;
        let question = FromDepart::Open { tenant, session: public.encode() };
        match house.ask_vault(&question)? {
            ToDepart::Opened { grant, enc, transit } => {
                let context = GrantContext::transit(grant, tenant);
                let agreed = session.accept(&context, &enc).map_err(Fault::Open)?;
                let transit = seal::public_key(&transit).map_err(Fault::Seal)?;
                let (since, texts) = (Instant::now(), RefCell::default());
                Ok(Self { tenant, grant, agreed, transit, since, texts })
            }
            ToDepart::EvidenceAway | ToDepart::Refused(_) => Err(Fault::NotReleased),
            _ => Err(Fault::Strange { peer: "vault" }),
        }
    }

    /// Whether it serves for another batch of that tenant.
    pub(crate) fn serves(&self, tenant: TenantId) -> bool {
        self.tenant == tenant && self.since.elapsed() < AGREED
    }

    /// The envelopes of a batch, in its order.
    pub(crate) fn envelopes(
        &self,
        loads: &[Load],
        held: &[OwnedFd],
        house: &mut Neighbours,
    ) -> Result<Vec<Opened>, Fault> {
        let items: Vec<TransitItem> =
            loads.iter().map(|load| item(load, Class::Summary, &load.envelope)).collect();
        self.texts.borrow_mut().clear();
        let is_small = |load: &&Load| load.body.content.len() <= TOGETHER_OCTETS;
        let mut small: Vec<&Load> = loads.iter().filter(is_small).collect();
        small.sort_by_key(|load| load.message);
        small.dedup_by_key(|load| load.message);
        let texts = small.iter().map(|load| item(load, Class::Body, &load.body));
        let together: Vec<TransitItem> = items.iter().cloned().chain(texts).collect();
        let keys = match self.release(together, house).map(|mut keys| {
            let texts = keys.split_off(items.len());
            let known =
                small.iter().zip(texts).filter_map(|(load, key)| Some((load.message, key?)));
            self.texts.borrow_mut().extend(known);
            keys
        }) {
            // One sender may be frozen: the others' mail goes.
            Err(Fault::NotReleased) => self.release_by_sender(&items, house)?,
            released => released?.into_iter().map(Some).collect(),
        };
        let open = |(load, key): (&Load, Option<Option<MessageKey>>)| match key {
            Some(key) => match self.envelope(load, key, held) {
                Some(envelope) => Opened::Envelope(envelope),
                None => Opened::Never,
            },
            None => Opened::NotNow,
        };
        Ok(loads.iter().zip(keys).map(open).collect())
    }

    fn envelope(&self, load: &Load, key: Option<MessageKey>, held: &[OwnedFd]) -> Option<Envelope> {
        let sealed = load.envelope.content.clone().open(held).ok()?;
        let plain = open::open_content(&key?, &self.place(load, Class::Summary), &sealed).ok()?;
        Envelope::read(&plain)
    }

    /// The text of a load: its key, and where it lies.
    pub(crate) fn text(
        &self,
        load: &Load,
        held: &[OwnedFd],
        house: &mut Neighbours,
    ) -> Result<Text, Fault> {
        let texts = self.texts(&[load], held, house)?;
        texts.into_iter().next().flatten().ok_or(Fault::NotReleased)
    }

    /// The same for several; `None` where one does not open.
    pub(crate) fn texts(
        &self,
        loads: &[&Load],
        held: &[OwnedFd],
        house: &mut Neighbours,
    ) -> Result<Vec<Option<Text>>, Fault> {
        if loads.is_empty() {
            return Ok(Vec::new());
        }
        let mut keys: Vec<Option<MessageKey>> = {
            let mut known = self.texts.borrow_mut();
            loads.iter().map(|load| known.remove(&load.message)).collect()
        };
        let lacks = |(_, key): &(&&Load, &Option<MessageKey>)| key.is_none();
        let lacking: Vec<&Load> =
            loads.iter().zip(&keys).filter(lacks).map(|(load, _)| *load).collect();
        if !lacking.is_empty() {
            let items = lacking.iter().map(|load| item(load, Class::Body, &load.body)).collect();
            let mut released = self.release(items, house)?.into_iter();
            for key in keys.iter_mut().filter(|key| key.is_none()) {
                *key = released.next().flatten();
            }
        }
        let text = |(load, key): (&&Load, Option<MessageKey>)| {
            key.map(|key| self.text_with(key, load, held)).transpose()
        };
        loads.iter().zip(keys).map(text).collect()
    }

    fn text_with(&self, key: MessageKey, load: &Load, held: &[OwnedFd]) -> Result<Text, Fault> {
        let sealed = match load.body.content.file(held).map_err(Fault::Parcel)? {
            Some(file) => Sealed::File(file),
            None => Sealed::Memory(load.body.content.clone().open(held).map_err(Fault::Parcel)?),
        };
        let torn = Fault::Open(open::Fault::Torn);
        let bytes = open::plain_length(load.body.content.len()).ok_or(torn)?;
        Ok(Text { key, place: self.place(load, Class::Body), sealed, bytes, on_top: Vec::new() })
    }

    /// Each sender's keys apart; `None` where that sender's are not released now.
    fn release_by_sender(
        &self,
        items: &[TransitItem],
        house: &mut Neighbours,
    ) -> Result<Vec<Option<Option<MessageKey>>>, Fault> {
        let mut senders: Vec<UserId> = items.iter().map(|item| item.user).collect();
        senders.sort_unstable();
        senders.dedup();
        if senders.len() < 2 {
            return Err(Fault::NotReleased);
        }
        let mut keys: Vec<Option<Option<MessageKey>>> = items.iter().map(|_| None).collect();
        for sender in senders {
            let is_theirs = |item: &&TransitItem| item.user == sender;
            let theirs: Vec<TransitItem> = items.iter().filter(is_theirs).cloned().collect();
            let mut released = match self.release(theirs, house) {
                Ok(released) => released.into_iter(),
                Err(Fault::NotReleased) => continue,
                Err(fault) => return Err(fault),
            };
            for (slot, item) in keys.iter_mut().zip(items) {
                if item.user == sender {
                    *slot = Some(released.next().flatten());
                }
            }
        }
        Ok(keys)
    }

    fn release(
        &self,
        items: Vec<TransitItem>,
        house: &mut Neighbours,
    ) -> Result<Vec<Option<MessageKey>>, Fault> {
        let contexts: Vec<WrapContext> = items
            .iter()
            .map(|item| WrapContext {
                tenant: self.tenant,
                user: item.user,
                message: item.message,
                class: class(item.class),
            })
            .collect();
        let question = FromDepart::Release { grant: self.grant, items };
        match house.ask_vault(&question)? {
            ToDepart::Released(keys) if keys.len() == contexts.len() => {
                let unwrap = |(key, context): (Option<Vec<u8>>, &WrapContext)| {
                    self.agreed.unwrap(&key?, context).ok()
                };
                Ok(keys.into_iter().zip(&contexts).map(unwrap).collect())
            }
            ToDepart::EvidenceAway | ToDepart::Refused(_) => Err(Fault::NotReleased),
            _ => Err(Fault::Strange { peer: "vault" }),
        }
    }

    /// The tenant's sign-in to a host, for one session with it: recorded before it comes, wiped
    /// once it was said. `None`: it has none.
    pub(crate) fn sign_in(
        &self,
        (host, port): (&str, u16),
        house: &mut Neighbours,
    ) -> Result<Option<Login>, Fault> {
        let question = FromDepart::Credential { grant: self.grant, host: host.to_owned(), port };
        let lent = match house.ask_vault(&question)? {
            ToDepart::Lent(None) => return Ok(None),
            ToDepart::Lent(Some(lent)) => lent,
            ToDepart::EvidenceAway | ToDepart::Refused(_) => return Err(Fault::NotReleased),
            _ => return Err(Fault::Strange { peer: "vault" }),
        };
        let plain = self.agreed.take_lent(&lent, &vault::purpose(host, port));
        let read = postcard::from_bytes::<vault::Credential>(&plain.map_err(Fault::Open)?);
        let read = read.map_err(|_| Fault::Strange { peer: "vault" })?;
        Ok(Some(Login { user: read.user.into(), password: read.password.into() }))
    }

    fn place(&self, load: &Load, class: Class) -> Place {
        Place { tenant: self.tenant, message: load.message, class }
    }

    /// The envelope of who is left, sealed to today's transit key.
    pub(crate) fn seal_rest(
        &self,
        leg: &Leg,
        rest: &Envelope,
        held: &mut Vec<OwnedFd>,
    ) -> Result<SealedPart, Fault> {
        let torn = || Fault::Seal(seal::Fault::Torn);
        let plain = postcard::to_stdvec(rest).map_err(|_| torn())?;
        let place = self.place(&leg.load, Class::Summary);
        let (sealed, key) = seal::seal_content(&place, &plain).map_err(Fault::Seal)?;
        let (tenant, message, class) = (self.tenant, leg.load.message, Class::Summary);
        let context = WrapContext { tenant, user: leg.load.user, message, class };
        let wrapped = seal::wrap(&self.transit, &key, &context).map_err(Fault::Seal)?.encode();
        let content = Parcel::pack(sealed, INLINE_BYTES / 2, held).map_err(Fault::Parcel)?;
        Ok(SealedPart { epoch: self.transit.epoch(), wrapped, content })
    }

    /// The tenant's public key of today, as it goes over the wire.
    pub(crate) fn transit(&self) -> directory::PublicKey {
        let (suite, epoch) = (self.transit.suite().byte(), self.transit.epoch());
        directory::PublicKey { suite, epoch, bytes: self.transit.point().to_vec() }
    }

    pub(crate) fn tenant(&self) -> TenantId {
        self.tenant
    }
}

/// What became of an envelope.
pub(crate) enum Opened {
    Envelope(Envelope),
    /// Its sender's keys are not released now.
    NotNow,
    /// Its key or its content is none.
    Never,
}

fn class(class: vault::Class) -> Class {
    match class {
        vault::Class::Summary => Class::Summary,
        vault::Class::Body => Class::Body,
    }
}

fn item(load: &Load, class: Class, part: &SealedPart) -> TransitItem {
    TransitItem {
        user: load.user,
        message: load.message,
        class: match class {
            Class::Summary => vault::Class::Summary,
            Class::Body => vault::Class::Body,
        },
        epoch: part.epoch,
        wrapped: part.wrapped.clone(),
    }
}

/// A message's text as it will be opened: a piece at a time, as often as it is needed.
pub(crate) struct Text {
    key: MessageKey,
    place: Place,
    sealed: Sealed,
    bytes: u64,
    /// Fields that were put on top of it since.
    on_top: Vec<u8>,
}

enum Sealed {
    Memory(Vec<u8>),
    File(File),
}

impl Text {
    pub(crate) fn len(&self) -> u64 {
        self.on_top.len() as u64 + self.bytes
    }

    /// The text with these fields before all others.
    pub(crate) fn add_top(&mut self, fields: String) {
        self.on_top.splice(..0, fields.into_bytes());
    }

    /// Gives all octets to `take`, a chunk at a time. Only if this is `Ok` was it the whole text.
    pub(crate) fn each_piece<E: From<Fault>>(
        &self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.on_top.is_empty() {
            take(&self.on_top)?;
        }
        match &self.sealed {
            Sealed::Memory(octets) => self.pieces_of(octets, &mut take),
            Sealed::File(file) => {
                let torn = |source| Fault::Open(open::Fault::Stream(source));
                self.pieces_of(&View::of(file).map_err(torn)?, &mut take)
            }
        }
    }

    fn pieces_of<E: From<Fault>>(
        &self,
        sealed: &[u8],
        take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut passing = Passing { take, broken: None };
        let opened = open::Opener::new(&mut passing, &self.key, &self.place)
            .and_then(|mut opener| opener.push(sealed).and_then(|()| opener.finish().map(drop)));
        match (passing.broken, opened) {
            (Some(broken), _) => Err(broken),
            (None, opened) => opened.map_err(|fault| E::from(Fault::Open(fault))),
        }
    }

    /// The first octets, at most so many.
    pub(crate) fn head(&self, most: u64) -> Result<Vec<u8>, Fault> {
        let length = seal::sealed_length(self.bytes);
        let read = |octets: &[u8]| {
            let read_at = |at: u64, into: &mut [u8]| {
                let from = usize::try_from(at).ok();
                let piece = from.and_then(|from| octets.get(from..from.checked_add(into.len())?));
                let piece = piece.ok_or(std::io::ErrorKind::UnexpectedEof)?;
                into.copy_from_slice(piece);
                Ok(())
            };
            open::open_range(&self.key, &self.place, length, read_at, 0, most).map_err(Fault::Open)
        };
        let opened = match &self.sealed {
            Sealed::Memory(octets) => read(octets),
            Sealed::File(file) => {
                let view = View::of(file).map_err(|s| Fault::Open(open::Fault::Stream(s)))?;
                read(&view)
            }
        };
        let mut head = self.on_top.clone();
        head.extend(opened?);
        head.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        Ok(head)
    }

    /// All of it, in memory.
    pub(crate) fn whole(&self) -> Result<Vec<u8>, Fault> {
        let mut whole = Vec::with_capacity(usize::try_from(self.bytes).unwrap_or(0));
        self.each_piece::<Fault>(|piece| {
            whole.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(whole)
    }
}

/// Where opened chunks go. The taker's own fault passes by the opener, which knows only streams.
struct Passing<'a, E> {
    take: &'a mut dyn FnMut(&[u8]) -> Result<(), E>,
    broken: Option<E>,
}

impl<E> Write for Passing<'_, E> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match (self.take)(octets) {
            Ok(()) => Ok(octets.len()),
            Err(broken) => {
                self.broken = Some(broken);
                Err(io::ErrorKind::Other.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
