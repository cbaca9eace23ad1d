//! Facts: what an entry says of whom, cut to one size, so that an index can keep a billion.

use evidence::{Body, Entry, Released, Word};
use terms::{ConnectionId, GrantId, InstanceId, MessageId, TenantId, UserId};

/// What a fact is about. Numbers stand in indexes and never change meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Deed {
    Start = 1,
    Stop = 2,
    /// A connection was handed to an instance; the item is its id.
    Connection = 3,
    /// A message was kept for a person; the item is its id.
    Deliver = 4,
    /// What was kept came over a connection: the item is its id, and 1 behind it if it is known.
    Arrival = 5,
    /// A message left; the item is its id.
    Send = 6,
    /// Something was released; the item is the grant. `Body`, `Summary`, `Month` and `Transit` of
    /// the same entry follow.
    Release = 7,
    /// A message was released whole; the item is its id.
    Body = 8,
    /// Every summary of a month was released; the item is the month. 0: names of folders alone.
    Month = 9,
    SignIn = 10,
    /// The item is the grant. `GrantEnd` of the same entry follows: the item is when, in ms.
    Grant = 11,
    GrantEnd = 12,
    /// A credential was used; the item is the beginning of its sort's word.
    Credential = 13,
    Alarm = 14,
    /// Keys; the item is the beginning of the word for what they are for. Of the public pages' TLS
    /// keys: since when all of them are new ([`Item::pages_keys_since`]).
    Create = 15,
    Rotate = 16,
    Shred = 17,
    /// Any other deed that touches a person or a tenant.
    Other = 18,
    /// An instance took messages that were not kept; the item is how many, and the connection.
    Passed = 19,
    /// A message on its way was released whole, with its envelope; the item is its id.
    Transit = 20,
    /// A message was taken into the queue; the item is its id.
    Queue = 21,
    /// The summary of a message was released; the item is its id.
    Summary = 22,
    /// Somebody showed a secret that was right, so that whoever took it in knows it; the item is
    /// the id of the app password, or nothing: a password has no id.
    Secret = 23,
}

impl Deed {
    const ALL: [Self; 23] = [
        Self::Start,
        Self::Stop,
        Self::Connection,
        Self::Deliver,
        Self::Arrival,
        Self::Send,
        Self::Release,
        Self::Body,
        Self::Month,
        Self::SignIn,
        Self::Grant,
        Self::GrantEnd,
        Self::Credential,
        Self::Alarm,
        Self::Create,
        Self::Rotate,
        Self::Shred,
        Self::Other,
        Self::Passed,
        Self::Transit,
        Self::Queue,
        Self::Summary,
        Self::Secret,
    ];

    pub fn from_number(number: u8) -> Option<Self> {
        // They stand in the order of their numbers, from 1.
        let deed = Self::ALL.get(usize::from(number).checked_sub(1)?).copied()?;
        (deed as u8 == number).then_some(deed)
    }
}

/// Whose: a contract, and a person of it where one is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person {
    pub tenant: TenantId,
    pub user: Option<UserId>,
}

/// What a rotation of the public pages' TLS keys is called; its number says since when all of them
/// are new.
const PAGES_KEYS: &str = "tls-key pages";
/// In the place of an app password's id, where an earlier version did not say it.
pub(crate) const UNNAMED: &str = "?";
/// In its item, in front of that number.
const PAGES_MARK: &[u8; 8] = b"tls-key\0";

/// Sixteen octets that mean what the deed says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item(pub [u8; 16]);

impl Item {
    fn from_slice(bytes: &[u8]) -> Self {
        let mut item = [0; 16];
        item.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
        Self(item)
    }

    pub fn word(word: &Word) -> Self {
        Self::from_slice(word.as_str().as_bytes())
    }

    pub fn message(self) -> MessageId {
        MessageId(self.0)
    }

    pub fn grant(self) -> GrantId {
        GrantId(self.0)
    }

    /// The number in the first eight octets.
    pub fn number(self) -> u64 {
        self.0.first_chunk::<8>().map_or(0, |eight| u64::from_be_bytes(*eight))
    }

    pub fn connection(self) -> Option<ConnectionId> {
        let (eight, rest) = self.0.split_first_chunk::<8>()?;
        (rest.first() == Some(&1)).then_some(ConnectionId(*eight))
    }

    fn of_connection(connection: Option<ConnectionId>) -> Self {
        match connection {
            Some(ConnectionId(id)) => Self::from_slice(&[&id[..], &[1]].concat()),
            None => Self::default(),
        }
    }

    fn of_number(number: u64) -> Self {
        Self::from_slice(&number.to_be_bytes())
    }

    /// All TLS keys of the public pages are new since then.
    fn of_pages_keys(since_ms: u64) -> Self {
        Self::from_slice(&[&PAGES_MARK[..], &since_ms.to_be_bytes()].concat())
    }

    /// Since when, in ms, all TLS keys of the public pages are new, where a rotation says that.
    pub fn pages_keys_since(self) -> Option<u64> {
        let (mark, since) = self.0.split_first_chunk::<8>()?;
        let since = since.first_chunk::<8>().map(|eight| u64::from_be_bytes(*eight));
        since.filter(|since| mark == PAGES_MARK && *since > 0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    pub at_ms: u64,
    /// The entry that says it.
    pub index: u64,
    pub deed: Deed,
    /// Whose deed it is; the author itself where the entry names no process.
    pub instance: InstanceId,
    /// The author's start.
    pub start: InstanceId,
    pub person: Option<Person>,
    pub item: Item,
}

/// Hands on every fact of an entry.
pub fn facts(index: u64, entry: &Entry, mut fact: impl FnMut(Fact)) {
    let instance = entry.body.instance().unwrap_or(entry.start);
    let blank = Fact {
        at_ms: entry.time_ms,
        index,
        deed: Deed::Other,
        instance,
        start: entry.start,
        person: None,
        item: Item::default(),
    };
    let of = |tenant: TenantId, user: Option<UserId>| Some(Person { tenant, user });
    let maybe = |tenant: Option<TenantId>, user: Option<UserId>| {
        tenant.map(|tenant| Person { tenant, user })
    };
    let mut say = |deed, person, item| fact(Fact { deed, person, item, ..blank });
    match &entry.body {
        Body::ProcessStart { .. } => say(Deed::Start, None, Item::default()),
        Body::ProcessStop { .. } => say(Deed::Stop, None, Item::default()),
        Body::Connection { connection, .. } => {
            say(Deed::Connection, None, Item::of_connection(Some(*connection)));
        }
        Body::Deliver { tenant, messages, connection, .. } => {
            say(Deed::Arrival, of(*tenant, None), Item::of_connection(*connection));
            for one in messages {
                say(Deed::Deliver, of(*tenant, Some(one.user)), Item(one.message.0));
            }
        }
        Body::Queue { tenant, messages, .. } => {
            say(Deed::Arrival, of(*tenant, None), Item::default());
            for one in messages {
                say(Deed::Queue, of(*tenant, Some(one.user)), Item(one.message.0));
            }
        }
        Body::Release { grant, tenant, user, released, .. } => {
            let person = of(*tenant, Some(*user));
            say(Deed::Release, person, Item(grant.0));
            opened(released, |deed, item| say(deed, person, item));
        }
        Body::Send { tenant, user, message, .. } => {
            say(Deed::Send, of(*tenant, Some(*user)), Item(message.0));
        }
        Body::Sent { tenant, messages, .. } => {
            for one in messages {
                say(Deed::Send, of(*tenant, Some(one.user)), Item(one.message.0));
            }
        }
        Body::SignIn { tenant, user, ok, protocol, credential, .. } => {
            let person = maybe(*tenant, *user);
            say(Deed::SignIn, person, Item::of_number((*ok).into()));
            let shown = shown_secret(protocol.as_str(), *ok, credential.as_ref());
            if let Some(item) = shown.filter(|_| user.is_some()) {
                say(Deed::Secret, person, item);
            }
        }
        Body::Grant { grant, tenant, user, until_ms, .. } => {
            say(Deed::Grant, of(*tenant, Some(*user)), Item(grant.0));
            say(Deed::GrantEnd, of(*tenant, Some(*user)), Item::of_number(*until_ms));
        }
        Body::CredentialUse { credential, tenant, .. } => {
            say(Deed::Credential, maybe(*tenant, None), Item::word(credential));
        }
        Body::Alarm { call, .. } => say(Deed::Alarm, None, Item::word(call)),
        Body::NotKept { messages, connection, .. } => {
            say(Deed::Passed, None, Item::of_passed(*messages, *connection));
        }
        other => decided(other, &mut say),
    }
}

/// Which secret was right that somebody showed. Refused, too, it is known to whoever took it in.
fn shown_secret(protocol: &str, ok: bool, credential: Option<&Word>) -> Option<Item> {
    match (protocol, credential) {
        // Of passes the use of each is told by itself.
        ("export" | "case", _) => None,
        (_, Some(id)) => Some(Item::word(id)),
        ("approval" | "first-password", None) if ok => Some(Item::default()),
        // An earlier version did not say which.
        ("imap" | "pop3" | "smtp", None) if ok => Some(Item::word(&Word::new(UNNAMED))),
        _ => None,
    }
}

/// What a release opened, one by one.
fn opened(released: &Released, mut say: impl FnMut(Deed, Item)) {
    match released {
        Released::Bodies(messages) => {
            messages.iter().for_each(|one| say(Deed::Body, Item(one.0)));
        }
        Released::Transit(messages) => {
            messages.iter().for_each(|one| say(Deed::Transit, Item(one.0)));
        }
        Released::Summaries(messages) => {
            // Names of folders are opened the same way: something of theirs, and no mail.
            if messages.iter().any(|one| one.is_no_mail()) {
                say(Deed::Month, Item::of_number(0));
            }
            let mail = messages.iter().filter(|one| !one.is_no_mail());
            mail.for_each(|one| say(Deed::Summary, Item(one.0)));
        }
        Released::Months(months) => {
            months.iter().for_each(|month| say(Deed::Month, Item::of_number((*month).into())));
        }
    }
}

/// What was decided about people, contracts and keys.
fn decided(body: &Body, say: &mut impl FnMut(Deed, Option<Person>, Item)) {
    let of = |tenant: TenantId, user: Option<UserId>| Some(Person { tenant, user });
    let maybe = |tenant: Option<TenantId>, user: Option<UserId>| {
        tenant.map(|tenant| Person { tenant, user })
    };
    match body {
        Body::KeyCreate { what, tenant, user, .. } => {
            say(Deed::Create, maybe(*tenant, *user), Item::word(what));
        }
        Body::KeyRotate { what, epoch, tenant, user } => {
            let item = match what.as_str() {
                PAGES_KEYS if *epoch > 0 => Item::of_pages_keys(*epoch),
                _ => Item::word(what),
            };
            say(Deed::Rotate, maybe(*tenant, *user), item);
        }
        Body::KeyShred { what, tenant, user, .. } => {
            say(Deed::Shred, maybe(*tenant, *user), Item::word(what));
        }
        Body::RuleChange { what, tenant, user, .. } | Body::Export { what, tenant, user, .. } => {
            say(Deed::Other, maybe(*tenant, *user), Item::word(what));
        }
        Body::Incident { cause, tenant, user, .. } => {
            say(Deed::Alarm, maybe(*tenant, *user), Item::word(cause));
        }
        Body::Approve { request, tenant, approver } | Body::Deny { request, tenant, approver } => {
            say(Deed::Other, of(*tenant, Some(*approver)), Item::from_slice(&request.0));
        }
        Body::Request { what, tenant, user, .. }
        | Body::CarryOut { what, tenant, user, .. }
        | Body::Freeze { what, tenant, user, .. }
        | Body::Unfreeze { what, tenant, user, .. } => {
            say(Deed::Other, maybe(*tenant, *user), Item::word(what));
        }
        Body::Ending { tenant, user, state, .. } => {
            say(Deed::Other, of(*tenant, *user), Item::word(state));
        }
        Body::Destroyed { tenant, user, .. }
        | Body::Hold { tenant, user, .. }
        | Body::KeyHold { tenant, user, .. } => {
            say(Deed::Other, of(*tenant, *user), Item::default());
        }
        Body::KeySeal { tenant, .. } => say(Deed::Other, of(*tenant, None), Item::default()),
        Body::KeyFreeze { tenant, user, .. } => {
            say(Deed::Other, maybe(*tenant, *user), Item::default());
        }
        // Heartbeats, and deeds that touch nobody.
        _ => {}
    }
}

impl Item {
    /// Of how many messages, over which connection.
    fn of_passed(messages: u32, ConnectionId(connection): ConnectionId) -> Self {
        Self::from_slice(&[&connection[..], &[1], &messages.to_be_bytes()].concat())
    }

    pub fn passed(self) -> u64 {
        let count = self.0.get(9..13).and_then(|four| four.try_into().ok());
        count.map_or(0, |four| u64::from(u32::from_be_bytes(four)))
    }
}
