//! The text of an SPF record as terms. RFC 7208 §4.6 and §12.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use terms::Cursor;

/// Terms that cause questions: `include`, `a`, `mx`, `ptr`, `exists`, `redirect`
/// (RFC 7208 §4.6.4).
pub const LOOKUP_TERMS: usize = 10;
/// The longest record read; the DNS could carry 64 KiB, real ones stay under 1 KiB.
pub const RECORD_OCTETS: usize = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qualifier {
    Pass,
    Fail,
    SoftFail,
    Neutral,
}

/// A domain-spec: checked text with macros still in it.
pub type DomainSpec = String;

/// Prefix lengths of `a` and `mx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    pub v4: u8,
    pub v6: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    All,
    Include(DomainSpec),
    A(Option<DomainSpec>, Cidr),
    Mx(Option<DomainSpec>, Cidr),
    Ptr(Option<DomainSpec>),
    Ip(IpAddr, u8),
    Exists(DomainSpec),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    pub qualifier: Qualifier,
    pub mechanism: Mechanism,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpfRecord {
    pub directives: Vec<Directive>,
    pub redirect: Option<DomainSpec>,
    pub explanation: Option<DomainSpec>,
}

/// Whether this TXT record is an SPF record at all (RFC 7208 §4.5).
pub fn is_spf(text: &[u8]) -> bool {
    let mut cursor = Cursor::new(text);
    cursor.eat_word(b"v=spf1") && matches!(cursor.peek(), None | Some(b' '))
}

/// Reads a whole record. `None` is a permanent error: one bad term spoils the record, wherever
/// it stands (RFC 7208 §4.6).
pub fn parse(text: &[u8]) -> Option<SpfRecord> {
    if !is_spf(text) || !text.is_ascii() || text.len() > RECORD_OCTETS {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let mut record = SpfRecord::default();
    for term in text.split(' ').skip(1).filter(|term| !term.is_empty()) {
        match modifier(term) {
            Some((name, value)) => take_modifier(&mut record, name, value)?,
            None => record.directives.push(directive(term)?),
        }
    }
    Some(record)
}

/// `name=value`, where the name comes first and keeps to the grammar.
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let mut letters = name.bytes();
    let starts = letters.next().is_some_and(|first| first.is_ascii_alphabetic());
    let goes_on = letters.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    (starts && goes_on).then_some((name, value))
}

fn take_modifier(record: &mut SpfRecord, name: &str, value: &str) -> Option<()> {
    let place = if name.eq_ignore_ascii_case("redirect") {
        &mut record.redirect
    } else if name.eq_ignore_ascii_case("exp") {
        &mut record.explanation
    } else {
        // RFC 7208 §6: unknown modifiers are ignored, but must be well formed.
        return macros(value, Allowed::Domain).then_some(());
    };
    // RFC 7208 §6: each at most once.
    if place.is_some() {
        return None;
    }
    *place = Some(domain_spec(value)?);
    Some(())
}

fn directive(term: &str) -> Option<Directive> {
    let (qualifier, term) = match term.split_at_checked(1)? {
        ("+", rest) => (Qualifier::Pass, rest),
        ("-", rest) => (Qualifier::Fail, rest),
        ("~", rest) => (Qualifier::SoftFail, rest),
        ("?", rest) => (Qualifier::Neutral, rest),
        _ => (Qualifier::Pass, term),
    };
    let end = term.find([':', '/']).unwrap_or(term.len());
    let (name, rest) = term.split_at_checked(end)?;
    let mechanism = match name.to_ascii_lowercase().as_str() {
        "all" if rest.is_empty() => Mechanism::All,
        "include" => Mechanism::Include(domain_spec(rest.strip_prefix(':')?)?),
        "exists" => Mechanism::Exists(domain_spec(rest.strip_prefix(':')?)?),
        "ptr" if rest.is_empty() => Mechanism::Ptr(None),
        "ptr" => Mechanism::Ptr(Some(domain_spec(rest.strip_prefix(':')?)?)),
        "a" => {
            let (domain, cidr) = domain_and_cidr(rest)?;
            Mechanism::A(domain, cidr)
        }
        "mx" => {
            let (domain, cidr) = domain_and_cidr(rest)?;
            Mechanism::Mx(domain, cidr)
        }
        "ip4" => network::<Ipv4Addr>(rest.strip_prefix(':')?, 32)?,
        "ip6" => network::<Ipv6Addr>(rest.strip_prefix(':')?, 128)?,
        _ => return None,
    };
    Some(Directive { qualifier, mechanism })
}

fn network<T: std::str::FromStr + Into<IpAddr>>(text: &str, widest: u8) -> Option<Mechanism> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, prefix_length(length, widest)?),
        None => (text, widest),
    };
    Some(Mechanism::Ip(address.parse::<T>().ok()?.into(), length))
}

/// Digits without a leading zero (RFC 7208 §5.6).
fn prefix_length(text: &str, widest: u8) -> Option<u8> {
    let padded = text.len() > 1 && text.starts_with('0');
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let length: u8 = text.parse().ok()?;
    (digits && !padded && length <= widest).then_some(length)
}

/// `[":" domain-spec] ["/" ip4-length] ["//" ip6-length]`, read from its end, since a slash may
/// also be part of the domain-spec.
fn domain_and_cidr(text: &str) -> Option<(Option<DomainSpec>, Cidr)> {
    let mut cidr = Cidr { v4: 32, v6: 128 };
    let mut rest = text;
    if let Some((before, digits)) = rest.rsplit_once("//").filter(|(_, tail)| is_digits(tail)) {
        cidr.v6 = prefix_length(digits, 128)?;
        rest = before;
    }
    if let Some((before, digits)) = rest.rsplit_once('/').filter(|(_, tail)| is_digits(tail)) {
        cidr.v4 = prefix_length(digits, 32)?;
        rest = before;
    }
    if rest.is_empty() {
        return Some((None, cidr));
    }
    Some((Some(domain_spec(rest.strip_prefix(':')?)?), cidr))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `macro-string domain-end`: the end is a macro, or a dot and a label that is not a number.
fn domain_spec(text: &str) -> Option<DomainSpec> {
    if !macros(text, Allowed::Domain) {
        return None;
    }
    let ends_well = text.ends_with('}') || {
        let trimmed = text.strip_suffix('.').unwrap_or(text);
        trimmed.rsplit_once('.').is_some_and(|(_, label)| is_top_label(label))
    };
    ends_well.then(|| text.to_owned())
}

fn is_top_label(label: &str) -> bool {
    let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let hyphen_outside = label.starts_with('-') || label.ends_with('-');
    letters && !label.is_empty() && !hyphen_outside && !is_digits(label)
}

/// Where a macro-string stands decides what it may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// In a term: no space, no `c`, `r`, `t`.
    Domain,
    /// In an explanation.
    Explanation,
}

/// Whether every macro in the text is well formed (RFC 7208 §7.1).
pub fn macros(text: &str, allowed: Allowed) -> bool {
    let mut cursor = Cursor::new(text.as_bytes());
    while let Some(byte) = cursor.next() {
        let good = match byte {
            b'%' => expand_macro(&mut cursor, allowed).is_some(),
            b' ' => allowed == Allowed::Explanation,
            0x21..=0x7e => true,
            _ => false,
        };
        if !good {
            return false;
        }
    }
    true
}

/// One macro behind its percent sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Macro {
    Literal(&'static str),
    Expand { letter: u8, keep: Option<usize>, reverse: bool, delimiters: Vec<u8> },
}

/// Reads what follows a `%`.
pub fn expand_macro(cursor: &mut Cursor<'_>, allowed: Allowed) -> Option<Macro> {
    match cursor.next()? {
        b'%' => return Some(Macro::Literal("%")),
        b'_' => return Some(Macro::Literal(" ")),
        b'-' => return Some(Macro::Literal("%20")),
        b'{' => {}
        _ => return None,
    }
    let letter = cursor.next()?;
    let known = match letter.to_ascii_lowercase() {
        b's' | b'l' | b'o' | b'd' | b'i' | b'p' | b'h' | b'v' => true,
        b'c' | b'r' | b't' => allowed == Allowed::Explanation,
        _ => false,
    };
    let digits = cursor.take_while(|byte| byte.is_ascii_digit());
    let digits = std::str::from_utf8(digits).ok()?;
    // RFC 7208 §7.1: a number of parts must not be zero. Too large to hold means "all".
    let keep = if digits.is_empty() { None } else { Some(digits.parse().unwrap_or(usize::MAX)) };
    let reverse = cursor.eat(b'r') || cursor.eat(b'R');
    let delimiters = cursor.take_while(|byte| b".-+,/_=".contains(&byte)).to_vec();
    let closed = cursor.eat(b'}');
    (known && closed && keep != Some(0)).then_some(Macro::Expand {
        letter,
        keep,
        reverse,
        delimiters,
    })
}
