//! The values that stand in entries: each knows its CBOR form and its JSON form.

use crate::cbor::{Reader, Writer};
use sha2::{Digest as _, Sha256};
use std::fmt::Write;
use std::net::IpAddr;
use terms::{
    ConnectionId, GrantId, HoldId, InstanceId, Kind, MessageId, RequestId, TenantId, UserId,
    Verdict,
};

/// Something that has one CBOR form and one JSON form.
pub(crate) trait Item: Sized {
    fn write(&self, to: &mut Writer);
    fn read(from: &mut Reader) -> Option<Self>;
    fn json(&self, to: &mut String);
}

/// A field of an entry: present, or left out.
pub(crate) trait Field: Sized {
    fn is_present(&self) -> bool {
        true
    }
    fn write_field(&self, key: u64, to: &mut Writer);
    /// Reads the field if its key stands here, and counts it in `left`.
    fn read_field(key: u64, from: &mut Reader, left: &mut usize) -> Option<Self>;
    fn json_field(&self, name: &str, to: &mut String);
}

impl<T: Item> Field for T {
    fn write_field(&self, key: u64, to: &mut Writer) {
        to.unsigned(key);
        self.write(to);
    }

    fn read_field(key: u64, from: &mut Reader, left: &mut usize) -> Option<Self> {
        if *left == 0 || !from.key(key) {
            return None;
        }
        *left -= 1;
        T::read(from)
    }

    fn json_field(&self, name: &str, to: &mut String) {
        let _ = write!(to, ",\"{name}\":");
        self.json(to);
    }
}

impl<T: Item> Field for Option<T> {
    fn is_present(&self) -> bool {
        self.is_some()
    }

    fn write_field(&self, key: u64, to: &mut Writer) {
        if let Some(value) = self {
            value.write_field(key, to);
        }
    }

    fn read_field(key: u64, from: &mut Reader, left: &mut usize) -> Option<Self> {
        if *left == 0 || !from.key(key) {
            return Some(None);
        }
        *left -= 1;
        T::read(from).map(Some)
    }

    fn json_field(&self, name: &str, to: &mut String) {
        match self {
            Some(value) => value.json_field(name, to),
            None => {
                let _ = write!(to, ",\"{name}\":null");
            }
        }
    }
}

macro_rules! opaque {
    ($($name:ident)*) => {$(
        impl Item for $name {
            fn write(&self, to: &mut Writer) {
                to.bytes(&self.0);
            }

            fn read(from: &mut Reader) -> Option<Self> {
                from.bytes()?.try_into().ok().map(Self)
            }

            fn json(&self, to: &mut String) {
                to.push('"');
                self.0.iter().for_each(|byte| {
                    let _ = write!(to, "{byte:02x}");
                });
                to.push('"');
            }
        }
    )*};
}

opaque! {
    ConnectionId GrantId HoldId InstanceId MessageId RequestId TenantId UserId PublicKey Digest
}

macro_rules! numbers {
    ($($name:ident)*) => {$(
        impl Item for $name {
            fn write(&self, to: &mut Writer) {
                to.unsigned(u64::from(*self));
            }

            fn read(from: &mut Reader) -> Option<Self> {
                Self::try_from(from.unsigned()?).ok()
            }

            fn json(&self, to: &mut String) {
                let _ = write!(to, "{self}");
            }
        }
    )*};
}

numbers! { u32 u64 }

impl Item for bool {
    fn write(&self, to: &mut Writer) {
        to.boolean(*self);
    }

    fn read(from: &mut Reader) -> Option<Self> {
        from.boolean()
    }

    fn json(&self, to: &mut String) {
        let _ = write!(to, "{self}");
    }
}

/// SHA-256 of words that stay elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Binds a contract's name without telling it: whoever has the salt can check a name.
    pub fn of_name(salt: &[u8], name: &str) -> Self {
        let hash = Sha256::new_with_prefix(b"sekisho/evidence name\n")
            .chain_update((salt.len() as u64).to_be_bytes())
            .chain_update(salt)
            .chain_update(name);
        Self(hash.finalize().into())
    }
}

/// The Ed25519 key of one start of an author.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 32]);

/// A short word of ours: a version, a cause, a call. Printable ASCII, at most 160 octets; it is
/// never taken from mail.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Word(String);

impl Word {
    const BYTES: usize = 160;

    /// Cuts it and puts `?` for what is not printable ASCII.
    pub fn new(text: &str) -> Self {
        let printable = |one: char| if (' '..='~').contains(&one) { one } else { '?' };
        Self(text.chars().take(Self::BYTES).map(printable).collect())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Item for Word {
    fn write(&self, to: &mut Writer) {
        to.text(&self.0);
    }

    fn read(from: &mut Reader) -> Option<Self> {
        let text = from.text()?;
        (text.len() <= Self::BYTES && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)))
            .then(|| Self(text.to_owned()))
    }

    fn json(&self, to: &mut String) {
        to.push('"');
        for one in self.0.chars() {
            if matches!(one, '"' | '\\') {
                to.push('\\');
            }
            to.push(one);
        }
        to.push('"');
    }
}

impl Item for Kind {
    fn write(&self, to: &mut Writer) {
        to.unsigned(u64::from(self.number()));
    }

    fn read(from: &mut Reader) -> Option<Self> {
        let number = from.unsigned()?;
        Self::ALL.iter().copied().find(|kind| u64::from(kind.number()) == number)
    }

    fn json(&self, to: &mut String) {
        let _ = write!(to, "\"{}\"", self.word());
    }
}

impl Item for Verdict {
    fn write(&self, to: &mut Writer) {
        to.unsigned(match self {
            Self::Deliver => 0,
            Self::Tag => 1,
            Self::Junk => 2,
            Self::Quarantine => 3,
            Self::Refuse => 4,
            Self::Defer => 5,
        });
    }

    fn read(from: &mut Reader) -> Option<Self> {
        Some(match from.unsigned()? {
            0 => Self::Deliver,
            1 => Self::Tag,
            2 => Self::Junk,
            3 => Self::Quarantine,
            4 => Self::Refuse,
            5 => Self::Defer,
            _ => return None,
        })
    }

    fn json(&self, to: &mut String) {
        let _ = write!(to, "\"{}\"", self.word());
    }
}

/// An address of a peer, 4 or 16 octets; it is the gate's own knowledge.
impl Item for IpAddr {
    fn write(&self, to: &mut Writer) {
        match self {
            Self::V4(address) => to.bytes(&address.octets()),
            Self::V6(address) => to.bytes(&address.octets()),
        }
    }

    fn read(from: &mut Reader) -> Option<Self> {
        let bytes = from.bytes()?;
        <[u8; 4]>::try_from(bytes)
            .map(Self::from)
            .or_else(|_| <[u8; 16]>::try_from(bytes).map(Self::from))
            .ok()
    }

    fn json(&self, to: &mut String) {
        let _ = write!(to, "\"{self}\"");
    }
}

/// One copy of one message, kept for one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub message: MessageId,
    pub user: UserId,
    pub bytes: u64,
    pub verdict: Verdict,
}

impl Item for Delivery {
    fn write(&self, to: &mut Writer) {
        to.array(4);
        self.message.write(to);
        self.user.write(to);
        self.bytes.write(to);
        self.verdict.write(to);
    }

    fn read(from: &mut Reader) -> Option<Self> {
        if from.array()? != 4 {
            return None;
        }
        Some(Self {
            message: Item::read(from)?,
            user: Item::read(from)?,
            bytes: Item::read(from)?,
            verdict: Item::read(from)?,
        })
    }

    fn json(&self, to: &mut String) {
        to.push_str("{\"message\":");
        self.message.json(to);
        self.user.json_field("user", to);
        self.bytes.json_field("bytes", to);
        self.verdict.json_field("verdict", to);
        to.push('}');
    }
}

/// One message that was taken into the queue, or left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued {
    pub message: MessageId,
    pub user: UserId,
    pub recipients: u32,
    pub bytes: u64,
}

impl Item for Queued {
    fn write(&self, to: &mut Writer) {
        to.array(4);
        self.message.write(to);
        self.user.write(to);
        self.recipients.write(to);
        self.bytes.write(to);
    }

    fn read(from: &mut Reader) -> Option<Self> {
        if from.array()? != 4 {
            return None;
        }
        Some(Self {
            message: Item::read(from)?,
            user: Item::read(from)?,
            recipients: Item::read(from)?,
            bytes: Item::read(from)?,
        })
    }

    fn json(&self, to: &mut String) {
        to.push_str("{\"message\":");
        self.message.json(to);
        self.user.json_field("user", to);
        self.recipients.json_field("recipients", to);
        self.bytes.json_field("bytes", to);
        to.push('}');
    }
}

impl<T: Item> Item for Vec<T> {
    fn write(&self, to: &mut Writer) {
        to.array(self.len());
        self.iter().for_each(|item| item.write(to));
    }

    fn read(from: &mut Reader) -> Option<Self> {
        let count = from.array()?;
        (0..count).map(|_| T::read(from)).collect()
    }

    fn json(&self, to: &mut String) {
        to.push('[');
        for (place, item) in self.iter().enumerate() {
            if place > 0 {
                to.push(',');
            }
            item.json(to);
        }
        to.push(']');
    }
}

/// What part of mail a release opens, by how much it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Headers, snippets, folder names.
    Summary,
    /// Whole messages.
    Body,
    /// Whole messages that are leaving, with their envelopes.
    Transit,
}

impl Class {
    pub fn word(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Body => "body",
            Self::Transit => "transit",
        }
    }
}

/// What a release opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Released {
    /// More summaries at once than are named: any message of these months (year × 100 + month,
    /// UTC).
    Months(Vec<u32>),
    /// Single messages, whole.
    Bodies(Vec<MessageId>),
    /// Messages that are leaving, whole and with their envelopes, to the process that carries them.
    Transit(Vec<MessageId>),
    /// The summaries of single messages: headers and snippets.
    Summaries(Vec<MessageId>),
}

impl Released {
    pub fn class(&self) -> Class {
        match self {
            Self::Months(_) | Self::Summaries(_) => Class::Summary,
            Self::Bodies(_) => Class::Body,
            Self::Transit(_) => Class::Transit,
        }
    }
}

impl Item for Released {
    fn write(&self, to: &mut Writer) {
        to.array(2);
        match self {
            Self::Months(months) => {
                to.unsigned(0);
                months.write(to);
            }
            Self::Bodies(messages) => {
                to.unsigned(1);
                messages.write(to);
            }
            Self::Transit(messages) => {
                to.unsigned(2);
                messages.write(to);
            }
            Self::Summaries(messages) => {
                to.unsigned(3);
                messages.write(to);
            }
        }
    }

    fn read(from: &mut Reader) -> Option<Self> {
        if from.array()? != 2 {
            return None;
        }
        match from.unsigned()? {
            0 => Some(Self::Months(Item::read(from)?)),
            1 => Some(Self::Bodies(Item::read(from)?)),
            2 => Some(Self::Transit(Item::read(from)?)),
            3 => Some(Self::Summaries(Item::read(from)?)),
            _ => None,
        }
    }

    fn json(&self, to: &mut String) {
        let _ = write!(to, "{{\"class\":\"{}\",\"items\":", self.class().word());
        match self {
            Self::Months(months) => months.json(to),
            Self::Bodies(messages) | Self::Transit(messages) | Self::Summaries(messages) => {
                messages.json(to);
            }
        }
        to.push('}');
    }
}
