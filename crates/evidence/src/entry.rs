//! One entry: who says it, its place in the series of that author's start, when, and the deed.

use crate::body::Body;
use crate::cbor::{Reader, Writer};
use crate::item::Item;
use crate::time::rfc3339;
use std::fmt::Write;
use terms::{InstanceId, Kind};

/// An entry with its signature fits a bundle of the log, which writes lengths in 16 bits.
pub const ENTRY_BYTES: usize = 65_535 - crate::SIGNATURE_BYTES;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The compartment that says it.
    pub author: Kind,
    /// The start of that compartment; its key stands in the warden's `process.start`.
    pub start: InstanceId,
    /// From 0 at each start, without a gap.
    pub seq: u64,
    /// When the deed was done, in milliseconds since 1970. What waited to be told may stand behind
    /// younger entries, also of its own author: the series is in the order of telling.
    pub time_ms: u64,
    pub body: Body,
}

impl Entry {
    /// Deterministic CBOR: `{0: author, 1: start, 2: seq, 3: time, 4: deed, 5: {fields}}`.
    /// `None` if it is longer than `ENTRY_BYTES`.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut to = Writer::default();
        to.map(6);
        to.unsigned(0);
        self.author.write(&mut to);
        to.unsigned(1);
        self.start.write(&mut to);
        to.unsigned(2);
        to.unsigned(self.seq);
        to.unsigned(3);
        to.unsigned(self.time_ms);
        to.unsigned(4);
        to.unsigned(self.body.number());
        to.unsigned(5);
        self.body.write(&mut to);
        (to.0.len() <= ENTRY_BYTES).then_some(to.0)
    }

    /// Reads the one form that `encode` writes, and nothing else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > ENTRY_BYTES {
            return None;
        }
        let mut from = Reader::new(bytes);
        let from = &mut from;
        if from.map()? != 6 {
            return None;
        }
        let author = from.key(0).then(|| Kind::read(from))??;
        let start = from.key(1).then(|| InstanceId::read(from))??;
        let seq = from.key(2).then(|| from.unsigned())??;
        let time_ms = from.key(3).then(|| from.unsigned())??;
        let number = from.key(4).then(|| from.unsigned())??;
        let body = from.key(5).then(|| Body::read(number, from))??;
        from.is_at_end().then_some(Self { author, start, seq, time_ms, body })
    }

    /// Whether `identity` says that something opens nothing any more, or does again (a credential,
    /// a person, a freeze), or the warden that it was no identity of ours.
    pub fn ends_or_lets_in(&self) -> bool {
        match &self.body {
            Body::RuleChange { what, credential, .. } => {
                let is_person = matches!(what.as_str(), "person.disable" | "person.enable");
                self.author == Kind::Identity && (is_person || credential.is_some())
            }
            Body::Freeze { .. } | Body::Unfreeze { .. } => self.author == Kind::Identity,
            body => {
                let found = body.off_charter().map(|(kind, _)| kind);
                self.author == Kind::Warden && found == Some(Kind::Identity)
            }
        }
    }

    /// One line of `ledger export`.
    pub fn to_json(&self, index: u64) -> String {
        let mut line = String::with_capacity(256);
        let _ = write!(
            line,
            "{{\"index\":{index},\"entry\":\"{}\",\"at\":\"{}\",\"time_ms\":{},\
             \"author\":\"{}\",\"start\":\"{}\",\"seq\":{}",
            self.body.word(),
            rfc3339(self.time_ms),
            self.time_ms,
            self.author.word(),
            self.start,
            self.seq,
        );
        self.body.json(&mut line);
        line.push('}');
        line
    }
}
