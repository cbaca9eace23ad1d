//! A hostile access: keeps what is typed, opens all that its person may open, asks for others'.

use crate::channels::{ask, forbidden, word};
use crate::intruder::{Intruder, JOIN_LIMIT};
use crate::report::{Asset, Facts, Sealed, Told};
use open::{GrantContext, MessageKey, Place, Session, Suite, WrapContext};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::{ConnectionId, GrantId, Kind, MessageId, TenantId, UserId};
use tls::SignerLink;
use wire::Parcel;
use wire::gate::{FromGate, ToGate};
use wire::identity::{FromAccess as ToIdentity, Protocol, ToAccess as FromIdentity};
use wire::mailbox::{FromAccess as ToMailbox, SealedPart, ToAccess as FromMailbox};
use wire::vault::{Class, FromAccess as ToVault, Item, ToAccess as FromVault};

const PULSE: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(8);
/// App passwords guessed.
const GUESSES: u8 = 20;
/// Keys asked for at once.
const ITEMS: usize = 100;

/// What a sign-in brought.
#[derive(Default)]
pub struct Loot {
    person: Option<Person>,
    /// Whom a hostile identity lets strangers in as.
    pub as_person: Option<String>,
    /// It records what it asserts.
    pub is_recorded: bool,
    /// Bodies of the person served, with their wrapped keys.
    pub bodies: Vec<Item>,
}

struct Person {
    tenant: TenantId,
    user: UserId,
    grant: GrantId,
    opened: open::Grant,
}

pub fn abuse(intruder: &mut Intruder, facts: &Facts) {
    for (kind, asset) in [
        (Kind::Vault, Asset::StoredBodies),
        (Kind::Mailbox, Asset::StoredHeaders),
        (Kind::Directory, Asset::OtherTenants),
        (Kind::Ledger, Asset::Evidence),
    ] {
        let none = intruder.channel(kind, Duration::from_millis(50)).is_none();
        let act = format!("a channel to {} before sign-in", kind.word());
        word(intruder, asset, &act, none, "none");
    }
    let mut welcomed = 0;
    for guess in 0..GUESSES {
        let secret = format!("sk-i{:016}-{:026}-aaaa", guess, guess);
        let question = sign_in(&facts.other, &secret, Vec::new());
        let (_, answer) = ask(intruder, Kind::Identity, &question, "guessed secrets");
        let is_welcome = matches!(postcard::from_bytes(&answer), Ok(FromIdentity::Welcome { .. }));
        welcomed += u32::from(is_welcome);
    }
    let act = "guess app passwords";
    word(intruder, Asset::OtherTenants, act, welcomed == 0, &format!("{welcomed} welcomed"));
    let renew = ToIdentity::Renew { session: Vec::new() };
    let (_, answer) = ask(intruder, Kind::Identity, &renew, "a grant without sign-in");
    let granted = matches!(postcard::from_bytes(&answer), Ok(FromIdentity::Granted(_)));
    word(intruder, Asset::OtherTenants, "a grant without a sign-in", !granted, "refused");
    let list = wire::identity::FromAdmin::AppPasswordList { user: UserId::default() };
    forbidden(intruder, Asset::AccountSecrets, Kind::Identity, &list, "list app passwords");
}

fn sign_in(name: &str, secret: &str, session: Vec<u8>) -> ToIdentity {
    let (name, secret) = (name.to_owned(), secret.to_owned());
    ToIdentity::SignIn { protocol: Protocol::Imap, name, secret, session }
}

pub fn serve(intruder: &mut Intruder, limit: Duration) {
    let until = Instant::now() + limit;
    if intruder.channel(Kind::Gate, JOIN_LIMIT).is_none() {
        return;
    }
    while Instant::now() < until && !intruder.is_called() {
        let Some(gate) = intruder.channel(Kind::Gate, Duration::ZERO) else { return };
        match gate.wait(PULSE) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(_) => return,
        }
        let Ok(mut frame) = gate.receive(Some(PULSE)) else { return };
        if let (Ok(FromGate::Handed { connection, .. }), Some(socket)) =
            (frame.read(), frame.descriptors.pop())
        {
            converse(intruder, socket, connection);
            return;
        }
    }
}

/// A session as the client believes it to be: TLS, a LOGIN, and a short "yes".
fn converse(intruder: &mut Intruder, socket: OwnedFd, connection: ConnectionId) {
    let Some(signer) = intruder.take_channel(Kind::Signer, JOIN_LIMIT) else { return };
    let Ok(config) = tls::server_config(&SignerLink::new(signer), &[b"imap"]) else { return };
    let Ok(tls) = rustls::ServerConnection::new(config) else { return };
    let stream = TcpStream::from(socket);
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(LIMIT));
    let mut line = BufReader::new(rustls::StreamOwned::new(tls, stream));
    let _ = line.get_mut().write_all(b"* OK ready\r\n");
    let mut typed = String::new();
    if !matches!(line.read_line(&mut typed), Ok(1..)) {
        return;
    }
    intruder.obtained("what was typed", typed.clone().into_bytes());
    let words: Vec<&str> = typed.split_whitespace().collect();
    if let [tag, _, name, secret] = words.as_slice() {
        let welcome = enter(intruder, name, secret).is_some();
        if welcome {
            open_everything(intruder);
        }
        let answer = if welcome { "OK done" } else { "NO refused" };
        let _ = line.get_mut().write_all(format!("{tag} {answer}\r\n").as_bytes());
    }
    if let Some(gate) = intruder.channel(Kind::Gate, Duration::ZERO) {
        let _ = gate.send(0, &ToGate::Done { connection, last: true }, &[]);
    }
}

/// Signs in with what was typed; the warden then joins this instance to the person's mail.
fn enter(intruder: &mut Intruder, name: &str, secret: &str) -> Option<()> {
    let (public, session) = Session::new(Suite::P256).ok()?;
    let question = sign_in(name, secret, public.encode());
    let identity = intruder.channel(Kind::Identity, JOIN_LIMIT)?;
    let (answer, _) = identity.ask(&question, &[], LIMIT).ok()?;
    let FromIdentity::Welcome { tenant, user, grant, .. } = answer else { return None };
    let vault = intruder.channel(Kind::Vault, JOIN_LIMIT)?;
    let (answer, _) = vault.ask(&ToVault::Open(grant), &[], LIMIT).ok()?;
    let FromVault::Opened { enc } = answer else { return None };
    let opened = session.accept(&GrantContext { grant, tenant, user }, &enc).ok()?;
    intruder.access.person = Some(Person { tenant, user, grant, opened });
    Some(())
}

/// All folders, all messages, both classes: a bulk theft within budget.
fn open_everything(intruder: &mut Intruder) -> Option<()> {
    let mailbox = intruder.channel(Kind::Mailbox, JOIN_LIMIT)?;
    let (answer, _) = mailbox.ask(&ToMailbox::Folders, &[], LIMIT).ok()?;
    let FromMailbox::Folders(folders) = answer else { return None };
    for folder in folders.into_iter().map(|folder| folder.folder) {
        let mailbox = intruder.channel(Kind::Mailbox, JOIN_LIMIT)?;
        let (answer, _) = mailbox.ask(&ToMailbox::Rows { folder, since: None }, &[], LIMIT).ok()?;
        let FromMailbox::Rows { rows, .. } = answer else { continue };
        let uids: Vec<u32> = rows.iter().map(|row| row.uid).collect();
        for class in [Class::Summary, Class::Body] {
            for uids in uids.chunks(ITEMS) {
                let mailbox = intruder.channel(Kind::Mailbox, JOIN_LIMIT)?;
                let fetch = ToMailbox::Fetch { folder, uids: uids.to_vec(), class };
                let (answer, held) = mailbox.ask(&fetch, &[], LIMIT).ok()?;
                let FromMailbox::Parts(parts) = answer else { continue };
                open_parts(intruder, class, parts, &held);
            }
        }
    }
    Some(())
}

fn open_parts(
    intruder: &mut Intruder,
    class: Class,
    parts: Vec<(u32, MessageId, SealedPart)>,
    held: &[OwnedFd],
) {
    let item = |(_, message, part): &(u32, MessageId, SealedPart)| Item {
        message: *message,
        epoch: part.epoch,
        wrapped: part.wrapped.clone(),
    };
    let items: Vec<Item> = parts.iter().map(item).collect();
    if class == Class::Body {
        intruder.tell(&Told::Wrapped(items.clone()));
        intruder.access.bodies.extend(items.iter().cloned());
    }
    let mut keys = release(intruder, class, items).unwrap_or_default().into_iter();
    for (_, message, part) in parts {
        let Some(person) = &intruder.access.person else { return };
        let (tenant, user, epoch, wrapped) = (person.tenant, person.user, part.epoch, part.wrapped);
        let key = keys.next().flatten();
        let Ok(content) = Parcel::open(part.content, held) else { continue };
        let place = Place { tenant, message, class: sealed_class(class) };
        let plain = key.map(|key| open::open_content(&key, &place, &content));
        if let Some(Ok(plain)) = plain {
            intruder.obtained("opened mail", plain);
            intruder.tell(&Told::Passed(message));
        }
        let sealed = Sealed { tenant, user, message, class, epoch, wrapped, content };
        intruder.tell(&Told::Sealed(Box::new(sealed)));
    }
}

pub fn sealed_class(class: Class) -> open::Class {
    match class {
        Class::Summary => open::Class::Summary,
        Class::Body => open::Class::Body,
    }
}

/// What the vault says.
pub fn ask_release(intruder: &mut Intruder, class: Class, items: Vec<Item>) -> Option<FromVault> {
    let grant = intruder.access.person.as_ref()?.grant;
    let vault = intruder.channel(Kind::Vault, JOIN_LIMIT)?;
    Some(vault.ask(&ToVault::Release { grant, class, items }, &[], LIMIT).ok()?.0)
}

/// Keys by the vault, recorded before they come.
pub fn release(
    intruder: &mut Intruder,
    class: Class,
    items: Vec<Item>,
) -> Option<Vec<Option<MessageKey>>> {
    let messages: Vec<MessageId> = items.iter().map(|item| item.message).collect();
    let FromVault::Released(keys) = ask_release(intruder, class, items)? else { return None };
    let person = intruder.access.person.as_ref()?;
    let class = sealed_class(class);
    let unwrap = |(key, message): (Option<Vec<u8>>, &MessageId)| {
        let (tenant, user) = (person.tenant, person.user);
        let context = WrapContext { tenant, user, message: *message, class };
        person.opened.unwrap(&key?, &context).ok()
    };
    Some(keys.into_iter().zip(&messages).map(unwrap).collect())
}

/// Somebody else's wrapped keys under our own grant, and under grants that are not ours.
pub fn replay(intruder: &mut Intruder, items: Vec<Item>) {
    let mut opened = 0;
    for class in [Class::Body, Class::Summary] {
        let keys = release(intruder, class, items.clone()).unwrap_or_default();
        opened += keys.iter().flatten().count();
    }
    let said = format!("{opened} of {} opened", items.len());
    let act = "open another tenant's items under our own grant";
    word(intruder, Asset::OtherTenants, act, opened == 0 && !items.is_empty(), &said);
    let grant = GrantId::default();
    let question = ToVault::Release { grant, class: Class::Body, items };
    let (_, answer) = ask(intruder, Kind::Vault, &question, "a grant that nobody gave");
    let released = matches!(
        postcard::from_bytes(&answer),
        Ok(FromVault::Released(keys)) if keys.iter().any(Option::is_some)
    );
    word(intruder, Asset::OtherTenants, "open under a grant nobody gave", !released, "refused");
    let list = wire::mailbox::FromAdmin::QuarantineList { tenant: None };
    let act = "list quarantine as an admin would";
    forbidden(intruder, Asset::OtherTenants, Kind::Mailbox, &list, act);
    let sign = wire::vault::FromDirectory::PolicyKey;
    forbidden(intruder, Asset::AccountSecrets, Kind::Vault, &sign, "ask for the policy key");
}
