//! SEARCH: a tree of criteria. RFC 3501 §6.4.4, RFC 4731 (ESEARCH), RFC 7162 §3.1.5 (MODSEQ).

use crate::date::{Day, day};
use crate::flags::{Flags, keyword};
use crate::limit::{SEARCH_DEPTH, SEARCH_KEYS};
use crate::sequence::{SequenceSet, sequence_set};
use crate::words::{Why, Words};

#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq)]
pub struct Search {
    pub uid: bool,
    /// As named by the client; the caller decodes the strings or answers `NO [BADCHARSET]`.
    pub charset: Option<String>,
    /// `Some` asks for an ESEARCH response.
    pub results: Option<Results>,
    pub key: Key,
}

/// What ESEARCH shall tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Results {
    pub min: bool,
    pub max: bool,
    pub all: bool,
    pub count: bool,
}

/// One criterion. Strings are raw octets in the search's charset. Depth is bounded by
/// `SEARCH_DEPTH`, so walking and dropping the tree is safe.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq)]
pub enum Key {
    All,
    And(Vec<Key>),
    Or(Box<Key>, Box<Key>),
    Not(Box<Key>),
    /// The flag is set.
    Flag(Flags),
    Keyword(String),
    /// RECENT without SEEN.
    New,
    Sequence(SequenceSet),
    Uid(SequenceSet),
    /// INTERNALDATE, without time and zone.
    Before(Day),
    On(Day),
    Since(Day),
    /// The Date field.
    SentBefore(Day),
    SentOn(Day),
    SentSince(Day),
    Larger(u64),
    Smaller(u64),
    Bcc(Vec<u8>),
    Cc(Vec<u8>),
    From(Vec<u8>),
    To(Vec<u8>),
    Subject(Vec<u8>),
    Header {
        name: Vec<u8>,
        value: Vec<u8>,
    },
    Body(Vec<u8>),
    Text(Vec<u8>),
    ModSeq(u64),
}

pub(crate) fn search(words: &mut Words, uid: bool) -> Result<Search, Why> {
    let mut results = None;
    if words.eat_word("RETURN") {
        words.space()?;
        results = Some(results_wanted(words)?);
        words.space()?;
    }
    let mut charset = None;
    if words.eat_word("CHARSET") {
        words.space()?;
        let name = words.astring()?;
        charset = Some(String::from_utf8(name).map_err(|_| "expected a charset")?);
        words.space()?;
    }
    let mut left = SEARCH_KEYS;
    let mut keys = vec![key(words, SEARCH_DEPTH, &mut left)?];
    while words.eat(b' ') {
        keys.push(key(words, SEARCH_DEPTH, &mut left)?);
    }
    Ok(Search { uid, charset, results, key: all_of(keys) })
}

fn results_wanted(words: &mut Words) -> Result<Results, Why> {
    let mut results = Results::default();
    let asked = words.listed(8, |words| {
        match words.capitals()?.as_str() {
            "MIN" => results.min = true,
            "MAX" => results.max = true,
            "ALL" => results.all = true,
            "COUNT" => results.count = true,
            _ => return Err("unknown SEARCH return option"),
        }
        Ok(())
    })?;
    results.all |= asked.is_empty(); // RFC 4731 §3.1
    Ok(results)
}

fn all_of(mut keys: Vec<Key>) -> Key {
    match keys.pop() {
        Some(key) if keys.is_empty() => key,
        Some(key) => {
            keys.push(key);
            Key::And(keys)
        }
        None => Key::All,
    }
}

fn key(words: &mut Words, depth: usize, left: &mut usize) -> Result<Key, Why> {
    if depth == 0 {
        return Err("the search is nested too deeply");
    }
    *left = left.checked_sub(1).ok_or("the search has too many keys")?;
    match words.peek() {
        Some(b'(') => {
            let keys = words.listed(SEARCH_KEYS, |words| key(words, depth - 1, left))?;
            return if keys.is_empty() { Err("empty parentheses") } else { Ok(all_of(keys)) };
        }
        Some(b'0'..=b'9' | b'*') => return sequence_set(words).map(Key::Sequence),
        _ => {}
    }
    let name = words.capitals()?;
    if let Some(key) = flag_key(&name) {
        return Ok(key);
    }
    words.space()?;
    Ok(match name.as_str() {
        "NOT" => not(key(words, depth - 1, left)?),
        "OR" => {
            let one = key(words, depth - 1, left)?;
            words.space()?;
            Key::Or(Box::new(one), Box::new(key(words, depth - 1, left)?))
        }
        "KEYWORD" => keyword_key(words)?,
        "UNKEYWORD" => not(keyword_key(words)?),
        "UID" => Key::Uid(sequence_set(words)?),
        "BEFORE" => Key::Before(day(words)?),
        "ON" => Key::On(day(words)?),
        "SINCE" => Key::Since(day(words)?),
        "SENTBEFORE" => Key::SentBefore(day(words)?),
        "SENTON" => Key::SentOn(day(words)?),
        "SENTSINCE" => Key::SentSince(day(words)?),
        "LARGER" => Key::Larger(words.number()?),
        "SMALLER" => Key::Smaller(words.number()?),
        "BCC" => Key::Bcc(words.astring()?),
        "CC" => Key::Cc(words.astring()?),
        "FROM" => Key::From(words.astring()?),
        "TO" => Key::To(words.astring()?),
        "SUBJECT" => Key::Subject(words.astring()?),
        "BODY" => Key::Body(words.astring()?),
        "TEXT" => Key::Text(words.astring()?),
        "HEADER" => header_key(words)?,
        "MODSEQ" => modseq_key(words)?,
        _ => return Err("unknown search key"),
    })
}

fn not(key: Key) -> Key {
    Key::Not(Box::new(key))
}

fn flag_key(name: &str) -> Option<Key> {
    Some(match name {
        "ALL" => Key::All,
        "ANSWERED" => Key::Flag(Flags::ANSWERED),
        "DELETED" => Key::Flag(Flags::DELETED),
        "DRAFT" => Key::Flag(Flags::DRAFT),
        "FLAGGED" => Key::Flag(Flags::FLAGGED),
        "RECENT" => Key::Flag(Flags::RECENT),
        "SEEN" => Key::Flag(Flags::SEEN),
        "NEW" => Key::New,
        "OLD" => not(Key::Flag(Flags::RECENT)),
        "UNANSWERED" => not(Key::Flag(Flags::ANSWERED)),
        "UNDELETED" => not(Key::Flag(Flags::DELETED)),
        "UNDRAFT" => not(Key::Flag(Flags::DRAFT)),
        "UNFLAGGED" => not(Key::Flag(Flags::FLAGGED)),
        "UNSEEN" => not(Key::Flag(Flags::SEEN)),
        _ => return None,
    })
}

/// A keyword beginning with `$` or any atom.
fn keyword_key(words: &mut Words) -> Result<Key, Why> {
    keyword(words).map(Key::Keyword)
}

fn header_key(words: &mut Words) -> Result<Key, Why> {
    let name = words.astring()?;
    words.space()?;
    Ok(Key::Header { name, value: words.astring()? })
}

/// `MODSEQ ["/flags/\\draft" all] 620162338`; the named entry narrows nothing, because we keep one
/// mod-sequence for all of a message's flags (RFC 7162 §3.1.5 allows that).
fn modseq_key(words: &mut Words) -> Result<Key, Why> {
    if words.peek() == Some(b'"') {
        words.string()?;
        words.space()?;
        if !matches!(words.capitals()?.as_str(), "PRIV" | "SHARED" | "ALL") {
            return Err("expected priv, shared or all");
        }
        words.space()?;
    }
    words.number().map(Key::ModSeq)
}
