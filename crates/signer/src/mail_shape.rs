//! What mail wants signed, told from everything else: a canonical header whose last field is the
//! signature to be, with an empty `b=`. A digest, a handshake, a statement never fits.

use wire::signer::CANONICAL_BYTES;

/// RFC 8617 §4.2.1.
const ARC_SETS: u32 = 50;
/// Header fields under one signature; `h=` names them.
const FIELDS: usize = 400;

/// The key that is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub domain: &'a str,
    pub selector: &'a str,
    pub algorithm: &'a str,
}

/// Whether `canonical` is a header to be signed by this very key: relaxed (RFC 6376 §3.4.2), its
/// fields those that `h=` names, its last one the signature's own (§3.7), or a set of RFC 8617.
pub(crate) fn is_mail_header(canonical: &[u8], asked: Asked<'_>) -> bool {
    read(canonical, asked).is_some()
}

fn read(canonical: &[u8], asked: Asked<'_>) -> Option<()> {
    if canonical.len() > CANONICAL_BYTES {
        return None;
    }
    let mut fields = Vec::new();
    for line in lines(canonical)? {
        fields.push(field(line)?);
    }
    let (name, value) = fields.pop()?;
    let tags = tags(value)?;
    let tag = |name: &str| tags.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let is = |name: &str, expected: &str| tag(name) == Some(expected);
    let own = is("d", asked.domain) && is("s", asked.selector) && is("a", asked.algorithm);
    let dated = tag("t").is_none_or(is_number);
    // The empty `b=` stands last: nothing behind it is left out of what is signed.
    let unsigned = tags.last() == Some(&("b", ""));
    if !own || !dated || !unsigned {
        return None;
    }
    let allows = |names: &[&str]| tags.iter().all(|(name, _)| names.contains(name));
    let fits = match name {
        b"dkim-signature" => {
            allows(&["v", "a", "c", "d", "i", "s", "t", "x", "h", "bh", "b"])
                && is("v", "1")
                && tag("i").is_none_or(|identity| is_of(identity, asked.domain))
                && tag("x").is_none_or(is_number)
                && covers(&fields, tag("h")?, tag("c")?, tag("bh")?)
                && names(tag("h")?).any(|name| name.eq_ignore_ascii_case("from"))
        }
        b"arc-message-signature" => {
            allows(&["i", "a", "c", "d", "s", "t", "h", "bh", "b"])
                && instance(tag("i")?).is_some()
                && covers(&fields, tag("h")?, tag("c")?, tag("bh")?)
                // RFC 8617 §4.1.2: seals are covered by seals alone.
                && !names(tag("h")?).any(|name| name.eq_ignore_ascii_case("arc-seal"))
        }
        b"arc-seal" => {
            allows(&["i", "a", "cv", "d", "s", "t", "b"])
                && seals(&fields, instance(tag("i")?)?, tag("cv")?)
        }
        _ => false,
    };
    fits.then_some(())
}

/// Lines between CRLFs; no other control stands anywhere, and the last line has no end.
fn lines(canonical: &[u8]) -> Option<Vec<&[u8]>> {
    let mut lines = Vec::new();
    let mut rest = canonical;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\r') {
        let (line, after) = rest.split_at_checked(end)?;
        lines.push(line);
        rest = after.strip_prefix(b"\r\n")?;
        if lines.len() > FIELDS {
            return None;
        }
    }
    lines.push(rest);
    Some(lines)
}

/// `name:value`, relaxed: the name in lower case, one space between words and none at the ends.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let value = value.strip_prefix(b":")?;
    let is_name = |byte: &u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
    let named = !name.is_empty() && name.iter().all(is_name);
    let bare = !value.iter().any(|byte| matches!(byte, b'\t' | b'\r' | b'\n'));
    let doubled = value.windows(2).any(|pair| pair == b"  ");
    let padded = value.first() == Some(&b' ') || value.last() == Some(&b' ');
    (named && bare && !doubled && !padded).then_some((name, value))
}

/// `name=value; …`, each name once, in order.
fn tags(value: &[u8]) -> Option<Vec<(&str, &str)>> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.is_ascii())?;
    let mut tags: Vec<(&str, &str)> = Vec::new();
    for part in text.split("; ") {
        let (name, value) = part.split_once('=')?;
        let is_new = tags.iter().all(|(known, _)| *known != name) && !value.contains(';');
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
        (is_new && is_name).then(|| tags.push((name, value)))?;
    }
    Some(tags)
}

/// Whether the fields are those of `h=` in its order (a name may stand for an absent field), in
/// the relaxed form, with the hash of a whole body.
fn covers(fields: &[(&[u8], &[u8])], h: &str, c: &str, bh: &str) -> bool {
    let mut names = names(h);
    let ordered = fields
        .iter()
        .all(|(field, _)| names.any(|name| name.as_bytes().eq_ignore_ascii_case(field)));
    let hash = bh.strip_suffix('=').unwrap_or_default();
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    ordered && c == "relaxed/relaxed" && hash.len() == 43 && hash.bytes().all(is_digit)
}

fn names(h: &str) -> impl Iterator<Item = &str> {
    h.split(':').map(|name| name.trim_matches(' '))
}

/// `i=` of DKIM: the domain itself, whoever in it.
fn is_of(identity: &str, domain: &str) -> bool {
    identity.rsplit_once('@').is_some_and(|(_, of)| of == domain)
}

fn is_number(text: &str) -> bool {
    (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn instance(text: &str) -> Option<u32> {
    is_number(text).then_some(())?;
    text.parse().ok().filter(|number| (1..=ARC_SETS).contains(number))
}

/// RFC 8617 §5.1.1: all sets from the first, each as results, message signature, seal; §5.1.2: of
/// a broken chain the newest set alone. The newest seal is the signature itself.
fn seals(fields: &[(&[u8], &[u8])], newest: u32, state: &str) -> bool {
    let first = match (state, newest) {
        ("none", 1) => 1,
        ("pass", 2..) => 1,
        ("fail", _) => newest,
        _ => return false,
    };
    let set = ["arc-authentication-results", "arc-message-signature", "arc-seal"];
    let mut expected = (first..=newest).flat_map(|number| set.map(|name| (name, number)));
    let ordered = fields.iter().all(|(name, value)| {
        expected.next().is_some_and(|(known, number)| {
            *name == known.as_bytes() && instance_of(value) == Some(number)
        })
    });
    ordered && expected.next() == Some(("arc-seal", newest))
}

/// The `i=` among a field's tags; in results it stands first.
fn instance_of(value: &[u8]) -> Option<u32> {
    let mut parts = value.split(|byte| *byte == b';');
    let found = parts.find_map(|part| {
        let text = std::str::from_utf8(part).ok()?;
        let (name, number) = text.split_once('=')?;
        (name.trim_matches(' ') == "i").then_some(number.trim_matches(' '))
    })?;
    instance(found)
}
