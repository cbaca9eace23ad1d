//! Questions to the DNS: what can be asked, what can come back, and how often.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use terms::ascii_name;

/// Questions that one message may cause. SPF alone may need 10 terms with 10 names each
/// (RFC 7208 §4.6.4), twice; a chain of 50 ARC sets needs 100 keys. Beyond it: temporary failure.
pub const QUESTIONS_PER_MESSAGE: usize = 200;
/// The longest name that the DNS can carry, written with dots (RFC 1035 §2.3.4).
pub const NAME_OCTETS: usize = 253;
/// The longest label (RFC 1035 §2.3.4).
pub const LABEL_OCTETS: usize = 63;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RecordKind {
    Text,
    Address4,
    Address6,
    Exchange,
    Pointer,
}

/// One record; names are written with dots and without the last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// All character-strings of one TXT record, joined without space (RFC 7208 §3.3).
    Text(Vec<u8>),
    Address(IpAddr),
    Exchange {
        preference: u16,
        host: String,
    },
    Pointer(String),
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    Records(Vec<Record>),
    /// NXDOMAIN: neither this name nor anything below it exists.
    NoSuchName,
    /// The name exists without records of this kind.
    NoRecords,
    /// Time-out, SERVFAIL, bogus: ask again later.
    Failed,
}

/// Whoever can answer. Aliases (CNAME) are followed by the resolver.
pub trait Resolver {
    fn ask(&mut self, name: &str, kind: RecordKind) -> Answer;
}

/// The questions of one message: counted, remembered, refused when a name cannot exist.
pub struct Inquiry<'a> {
    resolver: &'a mut dyn Resolver,
    known: BTreeMap<(String, RecordKind), Answer>,
    left: usize,
}

impl<'a> Inquiry<'a> {
    pub fn new(resolver: &'a mut dyn Resolver) -> Self {
        Self { resolver, known: BTreeMap::new(), left: QUESTIONS_PER_MESSAGE }
    }

    /// Asks, or answers from memory. A name that the DNS cannot hold does not exist.
    pub fn ask(&mut self, name: &str, kind: RecordKind) -> Answer {
        let name = ascii_name(name.strip_suffix('.').unwrap_or(name));
        if !is_askable(&name) {
            return Answer::NoSuchName;
        }
        let question = (name, kind);
        if let Some(answer) = self.known.get(&question) {
            return answer.clone();
        }
        let Some(left) = self.left.checked_sub(1) else {
            return Answer::Failed;
        };
        self.left = left;
        let answer = match self.resolver.ask(&question.0, kind) {
            Answer::Records(records) if records.is_empty() => Answer::NoRecords,
            answer => answer,
        };
        self.known.insert(question, answer.clone());
        answer
    }

    /// The TXT records of a name; none of the other kinds of answer is told apart but failure.
    pub fn texts(&mut self, name: &str) -> Texts {
        match self.ask(name, RecordKind::Text) {
            Answer::Failed => Texts::Failed,
            Answer::NoSuchName | Answer::NoRecords => Texts::Found(Vec::new()),
            Answer::Records(records) => {
                Texts::Found(records.into_iter().filter_map(Record::into_text).collect())
            }
        }
    }
}

/// TXT records, or the news that nobody could say.
pub enum Texts {
    Found(Vec<Vec<u8>>),
    Failed,
}

impl Record {
    fn into_text(self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Whether the DNS can hold this name at all.
pub fn is_askable(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_OCTETS
        && name.split('.').all(|label| !label.is_empty() && label.len() <= LABEL_OCTETS)
}

/// Whether `name` is `domain` or lies below it.
pub fn is_at_or_below(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.trim_end_matches('.'), domain.trim_end_matches('.'));
    let split = name.len().checked_sub(domain.len());
    let Some((below, end)) = split.and_then(|at| name.split_at_checked(at)) else {
        return false;
    };
    end.eq_ignore_ascii_case(domain) && (below.is_empty() || below.ends_with('.'))
}
