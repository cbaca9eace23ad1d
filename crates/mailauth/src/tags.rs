//! Lists of `tag=value;`, the grammar that DKIM, ARC and DMARC share (RFC 6376 §3.2).

use data_encoding::BASE64_NOPAD;

/// Tags in one list; standards define a dozen.
pub const TAGS: usize = 64;
/// The longest list read. A key of 8,192 bits in base64 needs 1,400.
pub const LIST_OCTETS: usize = 16 * 1024;

/// A tag list that kept to the grammar: names once each, case-sensitive, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags<'a> {
    list: Vec<(&'a str, &'a str)>,
}

impl<'a> Tags<'a> {
    /// `None` if the list breaks the grammar or names a tag twice.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let mut tags = Self::default();
        for part in parts(text)? {
            tags.add(part)?;
        }
        Some(tags)
    }

    /// Steps over what breaks the grammar; of a tag named twice the first counts.
    pub fn parse_leniently(text: &'a [u8]) -> Option<Self> {
        let mut tags = Self::default();
        for part in parts(text)? {
            let _skipped = tags.add(part);
        }
        Some(tags)
    }

    fn add(&mut self, part: &'a str) -> Option<()> {
        let (name, value) = part.split_once('=')?;
        let (name, value) = (name.trim_end_matches(is_space), value.trim_start_matches(is_space));
        if self.value(name).is_some() || !is_tag_name(name) || self.list.len() == TAGS {
            return None;
        }
        self.list.push((name, value));
        Some(())
    }

    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.list.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    pub fn first(&self) -> Option<(&'a str, &'a str)> {
        self.list.first().copied()
    }

    pub fn number(&self, name: &str) -> Option<Option<u64>> {
        self.value(name).map(number)
    }

    /// A base64 value whose folding is ignored.
    pub fn base64(&self, name: &str) -> Option<Vec<u8>> {
        base64(self.value(name)?)
    }

    /// The parts of a colon-separated value.
    pub fn words(&self, name: &str) -> Option<impl Iterator<Item = &'a str> + use<'a>> {
        self.value(name).map(|value| value.split(':').map(|word| word.trim_matches(is_space)))
    }
}

fn parts(text: &[u8]) -> Option<impl Iterator<Item = &str>> {
    if text.len() > LIST_OCTETS {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    Some(text.split(';').map(|part| part.trim_matches(is_space)).filter(|part| !part.is_empty()))
}

/// Folding white space as it stands inside a raw field.
pub fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\r' | '\n')
}

/// Decimal digits only; `None` for anything else or more than 20 of them.
pub fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let mut packed: Vec<u8> = text.bytes().filter(|byte| !is_space(char::from(*byte))).collect();
    while packed.last() == Some(&b'=') {
        packed.pop();
    }
    BASE64_NOPAD.decode(&packed).ok()
}

fn is_tag_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
