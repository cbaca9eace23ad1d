//! The grammar of paths, RFC 5321 §4.1.2 and §4.1.3, with UTF-8 as RFC 6531 §3.3 adds it.

use crate::address::{Address, DOMAIN_BYTES, LOCAL_BYTES, PATH_BYTES};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use terms::Cursor;

/// Where dots may stand in a local part that is not quoted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dots {
    AsInTheGrammar,
    /// Japanese carriers gave out `name.@` and `na..me@` until 2009, and their owners still send
    /// mail from them. A dot more or less changes nothing about where a message ends.
    AsTheyCome,
}

/// What stands between the angle brackets.
pub(crate) enum Path {
    Null,
    /// `<postmaster>` without a domain, RFC 5321 §4.5.1.
    Postmaster,
    Mailbox(Address),
}

/// `"<" [ A-d-l ":" ] Mailbox ">"`, `"<>"` or `"<postmaster>"`.
pub(crate) fn path(cursor: &mut Cursor, dots: Dots) -> Option<Path> {
    let start = cursor.position();
    if !cursor.eat(b'<') {
        return None;
    }
    if cursor.eat(b'>') {
        return Some(Path::Null);
    }
    if cursor.eat_word(b"postmaster>") {
        return Some(Path::Postmaster);
    }
    if cursor.peek() == Some(b'@') {
        source_route(cursor)?;
    }
    let address = mailbox(cursor, dots)?;
    let closed = cursor.eat(b'>') && cursor.position() - start <= PATH_BYTES;
    closed.then_some(Path::Mailbox(address))
}

/// `Local-part "@" ( Domain / address-literal )`.
pub(crate) fn mailbox(cursor: &mut Cursor, dots: Dots) -> Option<Address> {
    let local = local_part(cursor, dots)?;
    if !cursor.eat(b'@') {
        return None;
    }
    if cursor.peek() == Some(b'[') {
        let literal = address_literal(cursor)?;
        return Some(Address::of(local, &literal));
    }
    domain(cursor).map(|domain| Address::of(local, &domain))
}

/// RFC 5321 §4.1.2: a source route must be accepted and should be ignored.
fn source_route(cursor: &mut Cursor) -> Option<()> {
    loop {
        if !cursor.eat(b'@') {
            return None;
        }
        domain(cursor)?;
        if !cursor.eat(b',') {
            return cursor.eat(b':').then_some(());
        }
    }
}

fn local_part(cursor: &mut Cursor, dots: Dots) -> Option<String> {
    let local = if cursor.peek() == Some(b'"') {
        quoted(cursor)?
    } else {
        let bare = cursor.take_while(|byte| is_atom_byte(byte) || byte == b'.');
        let bare = std::str::from_utf8(bare).ok()?;
        let fits = match dots {
            Dots::AsInTheGrammar => is_dot_string(bare),
            Dots::AsTheyCome => !bare.is_empty() && bare.chars().all(is_dot_or_atom),
        };
        fits.then(|| bare.to_owned())?
    };
    (local.len() <= LOCAL_BYTES).then_some(local)
}

/// `DQUOTE *QcontentSMTP DQUOTE`, given back without quotes and backslashes.
fn quoted(cursor: &mut Cursor) -> Option<String> {
    cursor.next();
    let mut meant = Vec::new();
    loop {
        match cursor.next()? {
            b'"' => {
                return String::from_utf8(meant).ok().filter(|text| has_no_control(text));
            }
            b'\\' => meant.push(cursor.next().filter(|byte| matches!(byte, 32..=126))?),
            byte @ (32..=126 | 128..) => meant.push(byte),
            _ => return None,
        }
        if meant.len() > LOCAL_BYTES {
            return None;
        }
    }
}

/// Labels of letters, digits and inner hyphens, or of UTF-8, in the one spelling of such a name:
/// IDNA counts U+3002, U+FF0E and U+FF61 as dots, and wide letters as their narrow ones.
fn domain(cursor: &mut Cursor) -> Option<String> {
    let name = cursor
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | 128..));
    let name = std::str::from_utf8(name).ok().filter(|name| name.len() <= DOMAIN_BYTES)?;
    let name = terms::mapped_name(name);
    (name.len() <= DOMAIN_BYTES && name.split('.').all(is_label)).then_some(name)
}

fn is_label(label: &str) -> bool {
    // RFC 1035 §2.3.4: 63 octets; a label of UTF-8 is longer than its A-label, so only the
    // domain's own limit counts there.
    let fits = !label.is_empty() && (label.len() <= 63 || !label.is_ascii());
    fits && !label.starts_with('-') && !label.ends_with('-') && label.chars().all(is_label_letter)
}

/// Letters of other shapes may have become ones that no name has. Two joiners that nobody sees have
/// a meaning in some scripts (RFC 5892 appendix A).
fn is_label_letter(letter: char) -> bool {
    match letter.is_ascii() {
        true => letter.is_ascii_alphanumeric() || letter == '-',
        false => !terms::is_unseen(letter) || matches!(letter, '\u{200c}' | '\u{200d}'),
    }
}

/// `[192.0.2.1]` or `[IPv6:2001:db8::1]`; no other kind is registered.
fn address_literal(cursor: &mut Cursor) -> Option<String> {
    cursor.next();
    let inside = cursor.take_while(|byte| byte.is_ascii_graphic() && !matches!(byte, b'[' | b']'));
    if !cursor.eat(b']') {
        return None;
    }
    let inside = std::str::from_utf8(inside).ok()?;
    if let Ok(four) = inside.parse::<Ipv4Addr>() {
        return Some(format!("[{four}]"));
    }
    let tagged = inside.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:"));
    let six: Ipv6Addr = tagged.and(inside.get(5..))?.parse().ok()?;
    Some(format!("[IPv6:{six}]"))
}

/// `Atom *("." Atom)`.
pub(crate) fn is_dot_string(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom))
}

/// What needs no quotes, save where dots stand side by side.
pub(crate) fn is_dot_or_atom(letter: char) -> bool {
    letter == '.' || is_atom(letter)
}

/// atext of RFC 5322 §3.2.3, and UTF-8.
fn is_atom(letter: char) -> bool {
    match u8::try_from(letter) {
        Ok(byte) if byte.is_ascii() => is_atom_byte(byte),
        _ => !letter.is_control(),
    }
}

fn is_atom_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte) || byte >= 128
}

fn has_no_control(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// What EHLO may name: a domain or a literal. Real clients send host names with underscores and
/// addresses without brackets; RFC 5321 §4.1.4 forbids refusing a name for being wrong, so only
/// letters that no name can have are refused, and brackets in which no address stands (§4.1.3).
pub(crate) fn hello_name(text: &[u8]) -> Option<String> {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(byte);
    if text.is_empty() || text.len() > DOMAIN_BYTES || !text.iter().all(fits) {
        return None;
    }
    let name = String::from_utf8(text.to_vec()).ok()?;
    if name.contains(['[', ']']) && !is_bracketed_address(&name) {
        return None;
    }
    Some(name)
}

/// Some clients leave `IPv6:` away; what they mean is plain.
fn is_bracketed_address(name: &str) -> bool {
    let inside = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let Some(inside) = inside else { return false };
    let tagged = inside.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:"));
    match tagged.and(inside.get(5..)) {
        Some(six) => six.parse::<Ipv6Addr>().is_ok(),
        None => inside.parse::<IpAddr>().is_ok(),
    }
}
