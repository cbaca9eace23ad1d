//! The domains in From: whom the reader will believe the message to be from.

use crate::fields::Parts;
use crate::punycode::ascii_name;
use crate::resolver::is_askable;
use terms::Cursor;

/// Author domains judged; a From with more is treated as having these only.
pub const AUTHOR_DOMAINS: usize = 4;
/// The part of a From value that is read.
const FROM_OCTETS: usize = 16 * 1024;

/// What From says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authors {
    /// Distinct domains, lower case, at least one.
    Domains(Vec<String>),
    /// No From, or no address in it that has a domain.
    Unknown,
}

/// Reads every From field (RFC 5322 wants exactly one; RFC 9989 §5.3.1 says what else may come).
pub fn authors(parts: &Parts<'_>) -> Authors {
    let mut domains: Vec<String> = Vec::new();
    for field in parts.fields.iter().filter(|field| field.is("From")) {
        let value = field.value.get(..FROM_OCTETS).unwrap_or(field.value);
        for domain in domains_in(value) {
            if !domains.contains(&domain) && domains.len() < AUTHOR_DOMAINS {
                domains.push(domain);
            }
        }
    }
    if domains.is_empty() { Authors::Unknown } else { Authors::Domains(domains) }
}

/// Domains of the addresses in a list of mailboxes, leniently: an angle-addr counts, or bare
/// text with an at sign; quoted strings and comments never do (RFC 5322 §3.4).
pub fn domains_in(value: &[u8]) -> Vec<String> {
    let mut cursor = Cursor::new(value);
    let mut found = Vec::new();
    let (mut bare, mut angle): (Vec<u8>, Option<Vec<u8>>) = (Vec::new(), None);
    loop {
        match cursor.next() {
            Some(b'"') => {
                skip_quoted(&mut cursor);
                bare.push(b'q');
            }
            Some(b'(') => skip_comment(&mut cursor),
            // One address has one pair of brackets; of two, either may be shown.
            Some(b'<') => found.extend(
                angle.replace(angle_address(&mut cursor)).and_then(|before| domain_of(&before)),
            ),
            Some(b',' | b';') | None => {
                let address = angle.take().unwrap_or_else(|| std::mem::take(&mut bare));
                found.extend(domain_of(&address));
                bare.clear();
                if cursor.is_at_end() {
                    return found;
                }
            }
            // A group's name (RFC 5322 §3.4).
            Some(b':') => bare.clear(),
            Some(byte) => bare.push(byte),
        }
    }
}

fn skip_quoted(cursor: &mut Cursor<'_>) {
    while let Some(byte) = cursor.next() {
        match byte {
            b'\\' => drop(cursor.next()),
            b'"' => return,
            _ => {}
        }
    }
}

/// Steps over a comment and those inside it, counting instead of recursing.
pub(crate) fn skip_comment(cursor: &mut Cursor<'_>) {
    let mut depth = 1usize;
    while let Some(byte) = cursor.next() {
        match byte {
            b'\\' => drop(cursor.next()),
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

fn angle_address(cursor: &mut Cursor<'_>) -> Vec<u8> {
    let mut address = Vec::new();
    while let Some(byte) = cursor.next() {
        match byte {
            b'"' => {
                skip_quoted(cursor);
                address.push(b'q');
            }
            b'(' => skip_comment(cursor),
            b'>' => break,
            _ => address.push(byte),
        }
    }
    address
}

fn domain_of(address: &[u8]) -> Option<String> {
    let at = memchr::memrchr(b'@', address)?;
    let domain = address.get(at + 1..)?;
    let packed: Vec<u8> = domain.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let domain = ascii_name(std::str::from_utf8(&packed).ok()?);
    let domain = domain.trim_end_matches('.');
    (is_askable(domain) && !domain.starts_with('[')).then(|| domain.to_owned())
}
