//! A hostile depart: opens the batch that it is handed, says nothing of how it ended, and asks for
//! what it was not handed.

use crate::access::sealed_class;
use crate::channels::{Taken, ask, forbidden, word};
use crate::dispatch::{copy, sign_for_others};
use crate::intruder::{Intruder, JOIN_LIMIT};
use crate::report::{Asset, Facts, Told};
use crate::{dials, guesses};
use open::{GrantContext, MessageKey, Place, Session, Suite, WrapContext};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::{FolderId, GrantId, Kind, MessageId, TenantId, UserId};
use wire::directory::{FromDepart as ToDirectory, Stated, Statement, ToDepart as FromDirectory};
use wire::mailbox::{FromEdge as ToMailbox, SealedPart, ToEdge as FromMailbox};
use wire::post::{Envelope, FromDepart as ToPost, Load, Outcome, ToDepart as FromPost};
use wire::vault::{Class, FromDepart as ToVault, ToDepart as FromVault, TransitItem};

const PULSE: Duration = Duration::from_millis(50);
/// A release waits for ledger and mirror.
const LIMIT: Duration = Duration::from_secs(8);

/// What the vault gave for the batch in hand.
pub struct Hand {
    tenant: TenantId,
    grant: GrantId,
    opened: open::Grant,
}

pub fn serve(intruder: &mut Intruder, limit: Duration) {
    let until = Instant::now() + limit;
    let Some(post) = intruder.channel(Kind::Post, JOIN_LIMIT) else { return };
    if post.send(0, &ToPost::Idle { tenant: None }, &[]).is_err() {
        return;
    }
    while Instant::now() < until && !intruder.is_called() {
        let Some(post) = intruder.channel(Kind::Post, Duration::ZERO) else { return };
        match post.wait(PULSE) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(_) => return,
        }
        let Ok(frame) = post.receive(Some(PULSE)) else { return };
        if let Ok(FromPost::Batch { tenant, legs }) = frame.read() {
            intruder.obtained("the batch as it was handed over", frame.payload.clone());
            take(intruder, tenant, &legs, &frame.descriptors);
        }
    }
}

/// Opens the batch as the compartment does. Nothing is said of how it ended: it is tried again.
fn take(intruder: &mut Intruder, tenant: TenantId, legs: &[Load], held: &[OwnedFd]) {
    let item = |load: &Load, class: Class, part: &SealedPart| TransitItem {
        user: load.user,
        message: load.message,
        class,
        epoch: part.epoch,
        wrapped: part.wrapped.clone(),
    };
    let parts: Vec<(&Load, Class, &SealedPart)> = legs
        .iter()
        .flat_map(|load| [(load, Class::Summary, &load.envelope), (load, Class::Body, &load.body)])
        .collect();
    let items: Vec<TransitItem> =
        parts.iter().map(|(load, class, part)| item(load, *class, part)).collect();
    intruder.tell(&Told::InHand { tenant, items: items.clone() });
    if begin(intruder, tenant).is_none() {
        return;
    }
    let keys = release(intruder, items).unwrap_or_default();
    for ((load, class, part), key) in parts.into_iter().zip(keys) {
        let place = Place { tenant, message: load.message, class: sealed_class(class) };
        let content = part.content.clone().open(held).ok();
        let Some((key, content)) = key.zip(content) else { continue };
        let Ok(plain) = open::open_content(&key, &place, &content) else { continue };
        if let Ok(envelope) = postcard::from_bytes::<Envelope>(&plain)
            && class == Class::Summary
        {
            intruder.tell(&Told::Serves(envelope.from));
        }
        intruder.obtained("opened mail on its way", plain);
        intruder.tell(&Told::Passed(load.message));
    }
}

fn begin(intruder: &mut Intruder, tenant: TenantId) -> Option<()> {
    let (public, session) = Session::new(Suite::P256).ok()?;
    let vault = intruder.channel(Kind::Vault, JOIN_LIMIT)?;
    let question = ToVault::Open { tenant, session: public.encode() };
    let (answer, _) = vault.ask(&question, &[], LIMIT).ok()?;
    let FromVault::Opened { grant, enc, .. } = answer else { return None };
    let opened = session.accept(&GrantContext::transit(grant, tenant), &enc).ok()?;
    intruder.hand = Some(Hand { tenant, grant, opened });
    Some(())
}

/// Keys by the vault, recorded before they come.
fn release(intruder: &mut Intruder, items: Vec<TransitItem>) -> Option<Vec<Option<MessageKey>>> {
    let contexts: Vec<(UserId, MessageId, Class)> =
        items.iter().map(|item| (item.user, item.message, item.class)).collect();
    let grant = intruder.hand.as_ref()?.grant;
    let vault = intruder.channel(Kind::Vault, JOIN_LIMIT)?;
    let (answer, _) = vault.ask(&ToVault::Release { grant, items }, &[], LIMIT).ok()?;
    let FromVault::Released(keys) = answer else { return None };
    let hand = intruder.hand.as_ref()?;
    let unwrap = |(key, (user, message, class)): (Option<Vec<u8>>, (UserId, MessageId, Class))| {
        let (tenant, class) = (hand.tenant, sealed_class(class));
        hand.opened.unwrap(&key?, &WrapContext { tenant, user, message, class }).ok()
    };
    Some(keys.into_iter().zip(contexts).map(unwrap).collect())
}

/// Mail that another instance was handed, for another organisation: under its own grant, and
/// under one of that organisation's.
pub fn carry_foreign(intruder: &mut Intruder, tenant: TenantId, items: Vec<TransitItem>) {
    let count = items.len();
    let keys = release(intruder, items).unwrap_or_default();
    let opened = keys.iter().flatten().count();
    let held = opened == 0 && count > 0;
    let act = "open mail that another was handed";
    word(intruder, Asset::OtherTenants, act, held, &format!("{opened} of {count} opened"));
    let own = intruder.hand.take();
    let begun = begin(intruder, tenant).is_some();
    intruder.hand = own;
    word(intruder, Asset::OtherTenants, "begin another organisation's batch", !begun, "refused");
    let never = TransitItem {
        user: UserId::default(),
        message: MessageId(compartment::random()),
        class: Class::Body,
        epoch: 1,
        wrapped: vec![7; 96],
    };
    let opened = release(intruder, vec![never]).unwrap_or_default().iter().flatten().count();
    let act = "open a message that it was never handed";
    word(intruder, Asset::StoredBodies, act, opened == 0, &format!("{opened} opened"));
}

/// What costs a channel comes last.
pub fn abuse(intruder: &mut Intruder, facts: &Facts) {
    intruder.gather();
    for (kind, asset) in [
        (Kind::Identity, Asset::AccountSecrets),
        (Kind::Ledger, Asset::Evidence),
        (Kind::Dispatch, Asset::MailInFlight),
    ] {
        let none = !intruder.held.iter().any(|(label, _)| label.kind == kind);
        word(intruder, asset, &format!("a channel to {}", kind.word()), none, "none");
    }
    borrow_sign_ins(intruder, facts);
    dials::dial_about(intruder, facts);
    forge_mail(intruder, facts);
    sign_for_others(intruder, facts);
    let asset = Asset::OtherTenants;
    guesses::guess(intruder, &facts.domain, asset, ToDirectory::Address, is_known);
    let folder = FolderId([0, 0, 0, 1]);
    let rows = wire::mailbox::FromAccess::Rows { folder, since: None };
    let act = "list a folder as an access would";
    forbidden(intruder, Asset::StoredHeaders, Kind::Mailbox, &rows, act);
    claim_a_sending(intruder);
    let class = wire::vault::Class::Body;
    let (grant, items) = (GrantId::default(), Vec::new());
    let stored = wire::vault::FromAccess::Release { grant, class, items };
    let act = "have stored mail's keys released as an access would";
    forbidden(intruder, Asset::StoredBodies, Kind::Vault, &stored, act);
}

/// The sign-in of whoever's mail is in hand is there for it, recorded; nobody else's is.
fn borrow_sign_ins(intruder: &mut Intruder, facts: &Facts) {
    for (number, host) in facts.smart_hosts.iter().enumerate() {
        let lent = borrow(intruder, host);
        let found = if lent.is_some() { "lent" } else { "not lent" };
        if let Some(octets) = lent {
            intruder.obtained("a sign-in to a smart host", octets);
        } else if number > 0 {
            let act = "borrow another organisation's sign-in";
            word(intruder, Asset::CloudCredentials, act, true, found);
        }
    }
}

fn borrow(intruder: &mut Intruder, host: &str) -> Option<Vec<u8>> {
    let grant = intruder.hand.as_ref()?.grant;
    let vault = intruder.channel(Kind::Vault, JOIN_LIMIT)?;
    let question = ToVault::Credential { grant, host: host.to_owned(), port: 587 };
    let (answer, _) = vault.ask(&question, &[], LIMIT).ok()?;
    let FromVault::Lent(Some(lent)) = answer else { return None };
    let opened = &intruder.hand.as_ref()?.opened;
    let plain = opened.take_lent(&lent, &wire::vault::purpose(host, 587)).ok()?;
    Some(plain.to_vec())
}

fn is_known(answer: &[u8]) -> bool {
    matches!(postcard::from_bytes(answer), Ok(FromDirectory::Stated(Stated::Known { .. })))
}

/// A letter that nobody wrote, for somebody of another organisation.
fn forge_mail(intruder: &mut Intruder, facts: &Facts) {
    let Some(reader) = whose(intruder, &facts.neighbour) else { return };
    let act = "put a letter that nobody wrote into a neighbour's mailbox";
    let message = MessageId(compartment::random());
    let copies = vec![copy(reader, message)];
    let keep = ToMailbox::Keep { copies, journeys: Vec::new(), more: false };
    let (taken, answer) = ask(intruder, Kind::Mailbox, &keep, act);
    match postcard::from_bytes(&answer) {
        Ok(FromMailbox::Kept) => {
            let (asset, what) = (Asset::MailInFlight, format!("{act}: kept"));
            intruder.tell(&Told::Partly { asset, what });
            intruder.tell(&Told::Forged(message));
        }
        _ => word(intruder, Asset::MailInFlight, act, true, &format!("{taken:?}")),
    }
}

fn whose(intruder: &mut Intruder, address: &str) -> Option<(TenantId, UserId)> {
    let directory = intruder.channel(Kind::Directory, JOIN_LIMIT)?;
    let question = ToDirectory::Address(address.to_owned());
    let (answer, _) = directory.ask(&question, &[], LIMIT).ok()?;
    let FromDirectory::Stated(Stated::Known { statement, .. }) = answer else { return None };
    let statement: Statement = postcard::from_bytes(&statement).ok()?;
    Some((statement.tenant, statement.recipients.first()?.user))
}

/// That somebody else's letter has left.
fn claim_a_sending(intruder: &mut Intruder) {
    let message = MessageId(compartment::random());
    let ended = ToPost::Ended { message, leg: 0, outcome: Outcome::Sent { recipients: 1 } };
    let act = "say that a letter of others has left";
    let (taken, _) = ask(intruder, Kind::Post, &ended, act);
    let held = taken == Taken::Dropped;
    word(intruder, Asset::MailInFlight, act, held, &format!("{taken:?}"));
}
