//! Questions to `names`.

use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};

/// One question, answered by one [`Answer`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Question {
    /// Without the final dot; for `Ptr` the reversed name.
    pub name: String,
    pub kind: RecordKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RecordKind {
    A,
    Aaaa,
    Mx,
    Txt,
    Ptr,
    Tlsa,
    Srv,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub outcome: Outcome,
    pub security: Security,
    pub ttl_seconds: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Records(Vec<Record>),
    /// The name exists, this type does not (NODATA).
    NoRecords,
    /// NXDOMAIN.
    NoSuchName,
    /// Time-out, SERVFAIL, lame answers: ask later.
    Failed,
    /// No resolver of this house answers, whatever it is asked: it says nothing of the name.
    Unanswered,
}

impl Outcome {
    /// Nobody can say now.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed | Self::Unanswered)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Security {
    Secure,
    Insecure,
    Bogus,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Mx {
        preference: u16,
        host: String,
    },
    /// The character strings of one TXT record, joined.
    Txt(Vec<u8>),
    Ptr(String),
    /// RFC 6698: usage, selector, matching, and the data.
    Tlsa {
        usage: u8,
        selector: u8,
        matching: u8,
        data: Vec<u8>,
    },
    Srv {
        priority: u16,
        weight: u16,
        port: u16,
        host: String,
    },
}
