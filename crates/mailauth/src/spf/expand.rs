//! Macros become text. RFC 7208 §7.

use super::Identity;
use super::record::{Allowed, Macro, expand_macro};
use crate::resolver::{Answer, Inquiry, NAME_OCTETS, Record, RecordKind, is_at_or_below};
use std::fmt::Write;
use std::net::IpAddr;
use terms::Cursor;

/// PTR names that are looked at (RFC 7208 §4.6.4); the rest is ignored.
pub const POINTERS: usize = 10;
/// The longest expansion kept; a name is cut to 253, an explanation shown in one SMTP reply.
pub const EXPANSION_OCTETS: usize = 2_048;

/// All that macros may speak of.
pub struct Scene<'a> {
    pub who: &'a Identity<'a>,
    /// `local@domain`, both present.
    pub sender: &'a str,
    /// The domain whose record is being read.
    pub domain: &'a str,
}

/// Expands a checked domain-spec to a name, cut from the left to 253 octets (RFC 7208 §7.3).
pub fn name(spec: &str, scene: &Scene<'_>, inquiry: &mut Inquiry<'_>) -> String {
    let mut name = expand(spec, Allowed::Domain, scene, inquiry).unwrap_or_default();
    if name.ends_with('.') {
        name.pop();
    }
    while name.len() > NAME_OCTETS {
        match name.split_once('.') {
            Some((_, shorter)) => name = shorter.to_owned(),
            None => break,
        }
    }
    name
}

/// Expands an explanation; `None` if it breaks the grammar.
pub fn explanation(text: &str, scene: &Scene<'_>, inquiry: &mut Inquiry<'_>) -> Option<String> {
    expand(text, Allowed::Explanation, scene, inquiry)
}

fn expand(
    text: &str,
    allowed: Allowed,
    scene: &Scene<'_>,
    inquiry: &mut Inquiry<'_>,
) -> Option<String> {
    let mut expanded = String::new();
    let mut cursor = Cursor::new(text.as_bytes());
    while let Some(byte) = cursor.next() {
        match byte {
            b'%' => match expand_macro(&mut cursor, allowed)? {
                Macro::Literal(text) => expanded.push_str(text),
                Macro::Expand { letter, keep, reverse, delimiters } => {
                    let value = value(letter.to_ascii_lowercase(), scene, inquiry);
                    let value = transform(&value, keep, reverse, &delimiters);
                    if letter.is_ascii_uppercase() {
                        escape(&value, &mut expanded);
                    } else {
                        expanded.push_str(&value);
                    }
                }
            },
            b' '..=b'~' => expanded.push(char::from(byte)),
            _ => return None,
        }
        if expanded.len() > EXPANSION_OCTETS {
            return None;
        }
    }
    Some(expanded)
}

fn value(letter: u8, scene: &Scene<'_>, inquiry: &mut Inquiry<'_>) -> String {
    let (local, origin) = scene.sender.rsplit_once('@').unwrap_or(("postmaster", scene.sender));
    match letter {
        b's' => scene.sender.to_owned(),
        b'l' => local.to_owned(),
        b'o' => origin.to_owned(),
        b'd' => scene.domain.to_owned(),
        b'i' => dotted(scene.who.client_ip),
        b'p' => proven_name(scene, inquiry),
        b'v' => if scene.who.client_ip.is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
        b'h' => scene.who.helo.to_owned(),
        b'c' => scene.who.client_ip.to_string(),
        b'r' => scene.who.our_name.to_owned(),
        b't' => scene.who.now.to_string(),
        _ => String::new(),
    }
}

/// RFC 7208 §7.3: IPv6 addresses as dotted nibbles.
fn dotted(ip: IpAddr) -> String {
    let ip = match ip {
        IpAddr::V4(ip) => return ip.to_string(),
        IpAddr::V6(ip) => ip,
    };
    let nibbles: Vec<String> = ip
        .octets()
        .iter()
        .flat_map(|octet| [octet >> 4, octet & 15])
        .map(|nibble| format!("{nibble:X}"))
        .collect();
    nibbles.join(".")
}

fn transform(value: &str, keep: Option<usize>, reverse: bool, delimiters: &[u8]) -> String {
    let plain = keep.is_none() && !reverse && delimiters.is_empty();
    if plain {
        return value.to_owned();
    }
    let delimiters = if delimiters.is_empty() { b"." } else { delimiters };
    let is_delimiter = |letter: char| u8::try_from(letter).is_ok_and(|b| delimiters.contains(&b));
    let mut parts: Vec<&str> = value.split(is_delimiter).collect();
    if reverse {
        parts.reverse();
    }
    let skip = keep.map_or(0, |keep| parts.len().saturating_sub(keep));
    parts.get(skip..).unwrap_or_default().join(".")
}

/// RFC 7208 §7.3: everything but RFC 3986's unreserved set.
fn escape(value: &str, into: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

/// The names that point back to the client's address (RFC 7208 §5.5), in the order given.
pub fn proven_names(ip: IpAddr, inquiry: &mut Inquiry<'_>) -> Vec<String> {
    let Answer::Records(records) = inquiry.ask(&reverse_name(ip), RecordKind::Pointer) else {
        return Vec::new();
    };
    let names = records.into_iter().filter_map(|record| match record {
        Record::Pointer(name) => Some(name),
        _ => None,
    });
    names.take(POINTERS).filter(|name| leads_to(name, ip, inquiry)).collect()
}

fn leads_to(name: &str, ip: IpAddr, inquiry: &mut Inquiry<'_>) -> bool {
    match inquiry.ask(name, address_kind(ip)) {
        Answer::Records(records) => records.contains(&Record::Address(ip)),
        _ => false,
    }
}

pub fn address_kind(ip: IpAddr) -> RecordKind {
    if ip.is_ipv4() { RecordKind::Address4 } else { RecordKind::Address6 }
}

pub fn reverse_name(ip: IpAddr) -> String {
    let zone = if ip.is_ipv4() { "in-addr.arpa" } else { "ip6.arpa" };
    format!("{}.{zone}", transform(&dotted(ip), None, true, b""))
}

/// `%{p}`: the domain itself if proven, else a name below it, else any (RFC 7208 §7.3).
fn proven_name(scene: &Scene<'_>, inquiry: &mut Inquiry<'_>) -> String {
    let names = proven_names(scene.who.client_ip, inquiry);
    let same = names.iter().find(|name| name.eq_ignore_ascii_case(scene.domain));
    let below = || names.iter().find(|name| is_at_or_below(name, scene.domain));
    let best = same.or_else(below).or(names.first());
    best.map_or_else(|| "unknown".to_owned(), |name| name.trim_end_matches('.').to_owned())
}
