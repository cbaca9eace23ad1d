//! Message flags: the system's as bits, people's keywords as words. RFC 3501 §2.3.2.

use crate::limit::{FLAGS, KEYWORD_BYTES};
use crate::words::{Why, Words, is_atom};

/// System flags as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    pub const SEEN: Flags = Flags(1);
    pub const ANSWERED: Flags = Flags(2);
    pub const FLAGGED: Flags = Flags(4);
    pub const DELETED: Flags = Flags(8);
    pub const DRAFT: Flags = Flags(16);
    /// Shown by the server, never set by a client.
    pub const RECENT: Flags = Flags(32);

    /// Every system flag with its word.
    pub const WORDS: [(Flags, &'static str); 6] = [
        (Self::ANSWERED, "\\Answered"),
        (Self::FLAGGED, "\\Flagged"),
        (Self::DELETED, "\\Deleted"),
        (Self::SEEN, "\\Seen"),
        (Self::DRAFT, "\\Draft"),
        (Self::RECENT, "\\Recent"),
    ];

    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    pub fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }
}

/// Flags as a client gives them.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FlagSet {
    pub system: Flags,
    /// As written; compared without regard to ASCII case.
    pub keywords: Vec<String>,
}

impl FlagSet {
    fn add(&mut self, flag: OneFlag) -> Result<(), Why> {
        match flag {
            OneFlag::System(system) => self.system = self.system.with(system),
            OneFlag::Keyword(keyword) => {
                if !self.keywords.iter().any(|known| known.eq_ignore_ascii_case(&keyword)) {
                    self.keywords.push(keyword);
                }
            }
        }
        if self.keywords.len() > FLAGS { Err("too many keywords") } else { Ok(()) }
    }
}

enum OneFlag {
    System(Flags),
    Keyword(String),
}

/// A list in parentheses, or the bare words of STORE.
pub(crate) fn flag_set(words: &mut Words) -> Result<FlagSet, Why> {
    let mut set = FlagSet::default();
    if words.peek() == Some(b'(') {
        words.listed(2 * FLAGS, |words| set.add(flag(words)?))?;
        return Ok(set);
    }
    set.add(flag(words)?)?;
    while words.eat(b' ') {
        set.add(flag(words)?)?;
    }
    Ok(set)
}

fn flag(words: &mut Words) -> Result<OneFlag, Why> {
    if words.eat(b'\\') {
        let word = words.atom()?;
        return Flags::WORDS
            .iter()
            .filter(|(flag, _)| *flag != Flags::RECENT)
            .find(|(_, name)| {
                name.as_bytes().get(1..).is_some_and(|n| n.eq_ignore_ascii_case(word))
            })
            .map(|(flag, _)| OneFlag::System(*flag))
            .ok_or("there is no such system flag to set");
    }
    keyword(words).map(OneFlag::Keyword)
}

/// A keyword: any atom of ours up to its limit.
pub(crate) fn keyword(words: &mut Words) -> Result<String, Why> {
    let word = words.take_while(is_atom);
    if word.is_empty() || word.len() > KEYWORD_BYTES {
        return Err("expected a flag of at most 64 octets");
    }
    String::from_utf8(word.to_vec()).map_err(|_| "expected a flag")
}
