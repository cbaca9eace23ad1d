//! ARC: what those who passed the message on had found. RFC 8617, the reading half.

pub mod seal;

use crate::canon::{self, Canon};
use crate::dkim::{Bodies, Claim, algorithm, fetch_key, signed_header, without_signature};
use crate::fields::{Field, Parts};
use crate::resolver::Inquiry;
use crate::tags::{Tags, number};
use serde::{Deserialize, Serialize};

/// Sets in one chain (RFC 8617 §4.2.1).
pub const SETS: usize = 50;

/// The state of a chain (RFC 8617 §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArcResult {
    None,
    Pass,
    Fail,
}

impl ArcResult {
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }
}

/// A chain, judged. A pass says only that the sealers are who they say; trust is policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arc {
    pub result: ArcResult,
    /// In our words; empty unless failed.
    pub reason: String,
    /// The sealing domains from first to last, of a chain that passed.
    pub sealers: Vec<String>,
    /// What the last sealer says it had found, of a chain that passed: its
    /// ARC-Authentication-Results behind `i=`. Text from outside, at most 2,000 characters.
    pub last_results: String,
    /// For each sealer, the domain in From for which its results say that DMARC passed; empty if
    /// they say no such thing. Of a chain that passed.
    pub dmarc_passes: Vec<String>,
}

/// Octets kept of [`Arc::last_results`].
const RESULTS_OCTETS: usize = 2_000;

/// The three fields of one instance.
#[derive(Clone, Copy, Default)]
struct Set<'p, 'a> {
    results: Option<&'p Field<'a>>,
    message_signature: Option<&'p Field<'a>>,
    seal: Option<&'p Field<'a>>,
}

struct FullSet<'p, 'a> {
    results: &'p Field<'a>,
    message_signature: &'p Field<'a>,
    seal: &'p Field<'a>,
}

/// Verifies a chain (RFC 8617 §5.2).
pub fn verify(parts: &Parts<'_>, bodies: &mut Bodies<'_>, inquiry: &mut Inquiry<'_>) -> Arc {
    match chain(parts, bodies, inquiry) {
        Ok(sealers) if sealers.is_empty() => Arc::told(ArcResult::None, ""),
        Ok(sealers) => Arc {
            sealers,
            last_results: last_results(parts),
            dmarc_passes: dmarc_passes(parts),
            ..Arc::told(ArcResult::Pass, "")
        },
        Err(reason) => Arc::told(ArcResult::Fail, reason),
    }
}

impl Arc {
    fn told(result: ArcResult, reason: &str) -> Self {
        let (sealers, last_results) = (Vec::new(), String::new());
        let dmarc_passes = Vec::new();
        Self { result, reason: reason.to_owned(), sealers, last_results, dmarc_passes }
    }
}

/// The domains of all sealers, or what is wrong with the chain.
fn chain(
    parts: &Parts<'_>,
    bodies: &mut Bodies<'_>,
    inquiry: &mut Inquiry<'_>,
) -> Result<Vec<String>, &'static str> {
    let sets = collect(parts)?;
    let Some(newest) = sets.last() else {
        return Ok(Vec::new());
    };
    check_states(&sets)?;
    check_message_signature(newest.message_signature, parts, bodies, inquiry)?;
    check_seals(&sets, inquiry)
}

/// RFC 8617 §5.2 step 3: instances 1 to N, each with exactly one field of each kind.
fn collect<'p, 'a>(parts: &'p Parts<'a>) -> Result<Vec<FullSet<'p, 'a>>, &'static str> {
    let mut sets: Vec<Set<'p, 'a>> = Vec::new();
    for field in &parts.fields {
        let kind = if field.is("ARC-Authentication-Results") {
            0
        } else if field.is("ARC-Message-Signature") {
            1
        } else if field.is("ARC-Seal") {
            2
        } else {
            continue;
        };
        let instance = instance(field.value, kind == 0).ok_or("an instance is malformed")?;
        if sets.len() < instance {
            sets.resize(instance, Set::default());
        }
        let set = sets.get_mut(instance - 1).ok_or("an instance is malformed")?;
        let place = match kind {
            0 => &mut set.results,
            1 => &mut set.message_signature,
            _ => &mut set.seal,
        };
        if place.replace(field).is_some() {
            return Err("a field of a set stands twice");
        }
    }
    sets.iter().map(|set| set.full().ok_or("a set is not complete")).collect()
}

impl<'p, 'a> Set<'p, 'a> {
    fn full(&self) -> Option<FullSet<'p, 'a>> {
        Some(FullSet {
            results: self.results?,
            message_signature: self.message_signature?,
            seal: self.seal?,
        })
    }
}

/// `i=`, 1 to 50. In ARC-Authentication-Results it comes first (RFC 8617 §4.1.1).
fn instance(value: &[u8], comes_first: bool) -> Option<usize> {
    let value = if comes_first {
        let end = memchr::memchr(b';', value)?;
        value.get(..end)?
    } else {
        value
    };
    let tags = Tags::parse(value)?;
    let instance = usize::try_from(number(tags.value("i")?)?).ok()?;
    (1..=SETS).contains(&instance).then_some(instance)
}

/// RFC 8617 §5.2 steps 2 and 3: the first set found no chain, every later one a good one.
fn check_states(sets: &[FullSet<'_, '_>]) -> Result<(), &'static str> {
    for (number, set) in sets.iter().enumerate() {
        let tags = Tags::parse(set.seal.value).ok_or("a seal is malformed")?;
        let expected = if number == 0 { "none" } else { "pass" };
        match tags.value("cv") {
            Some(state) if state.eq_ignore_ascii_case(expected) => {}
            Some(state) if state.eq_ignore_ascii_case("fail") => {
                return Err("a sealer found the chain broken");
            }
            _ => return Err("a seal states an impossible chain"),
        }
    }
    Ok(())
}

/// RFC 8617 §5.2 step 4: only the newest message signature must still hold.
fn check_message_signature(
    field: &Field<'_>,
    parts: &Parts<'_>,
    bodies: &mut Bodies<'_>,
    inquiry: &mut Inquiry<'_>,
) -> Result<(), &'static str> {
    let tags = Tags::parse(field.value).ok_or("the message signature is malformed")?;
    let claim = Claim::read(&tags).map_err(|(_, reason)| reason)?;
    // RFC 8617 §4.1.2: seals are not covered by message signatures.
    if claim.names.iter().any(|name| name.eq_ignore_ascii_case("arc-seal")) {
        return Err("the message signature covers a seal");
    }
    let hash = bodies.hash(claim.body_canon, claim.length);
    let too_long = claim.length.is_some_and(|length| length > hash.canonical_octets);
    if too_long || hash.sha256.as_slice() != claim.body_hash.as_slice() {
        return Err("the body hash does not match");
    }
    // What stands behind `l=` may have been added by anybody: the chain does not vouch for it.
    if claim.length.is_some_and(|length| length < hash.canonical_octets) {
        return Err("the message signature leaves out the end of the body");
    }
    let (domain, selector) = signer(&tags).ok_or("the message signature names no signer")?;
    let record = fetch_key(selector, &domain, claim.kind, inquiry).map_err(|(_, why)| why)?;
    let signed = signed_header(&claim, parts, field);
    if record.key.verifies(&signed, &claim.signature) {
        Ok(())
    } else {
        Err("the message signature does not match")
    }
}

fn signer<'a>(tags: &Tags<'a>) -> Option<(String, &'a str)> {
    let domain = tags.value("d").filter(|domain| !domain.is_empty())?;
    let selector = tags.value("s").filter(|selector| !selector.is_empty())?;
    Some((domain.to_ascii_lowercase(), selector))
}

/// RFC 8617 §5.1.1: each seal signs all sets up to its own, in the order results, message
/// signature, seal; always relaxed. The common beginning is canonicalised once.
fn check_seals(
    sets: &[FullSet<'_, '_>],
    inquiry: &mut Inquiry<'_>,
) -> Result<Vec<String>, &'static str> {
    let mut sealed = Vec::new();
    let mut sealers = Vec::new();
    for set in sets {
        canon::header(Canon::Relaxed, set.results.raw, &mut sealed);
        canon::header(Canon::Relaxed, set.message_signature.raw, &mut sealed);
        let before = sealed.len();
        canon::header(Canon::Relaxed, &without_signature(set.seal.raw), &mut sealed);
        let end = sealed.len().saturating_sub(2);
        sealers.push(check_seal(set.seal, sealed.get(..end).unwrap_or_default(), inquiry)?);
        sealed.truncate(before);
        canon::header(Canon::Relaxed, set.seal.raw, &mut sealed);
    }
    Ok(sealers)
}

fn check_seal(
    seal: &Field<'_>,
    signed: &[u8],
    inquiry: &mut Inquiry<'_>,
) -> Result<String, &'static str> {
    let tags = Tags::parse(seal.value).ok_or("a seal is malformed")?;
    // RFC 8617 §4.1.3: a seal covers sets only; these tags would say otherwise.
    if tags.value("h").is_some() || tags.value("bh").is_some() {
        return Err("a seal covers more than it may");
    }
    let kind = algorithm(tags.value("a").unwrap_or_default()).map_err(|(_, why)| why)?;
    let signature = tags.base64("b").ok_or("a seal is malformed")?;
    let (domain, selector) = signer(&tags).ok_or("a seal names no sealer")?;
    let record = fetch_key(selector, &domain, kind, inquiry).map_err(|(_, why)| why)?;
    if record.key.verifies(signed, &signature) { Ok(domain) } else { Err("a seal does not match") }
}

fn last_results(parts: &Parts<'_>) -> String {
    let all = parts.fields.iter().filter(|field| field.is("ARC-Authentication-Results"));
    let newest = all.max_by_key(|field| instance(field.value, true));
    let value = newest.map(|field| field.value).unwrap_or_default();
    let behind = memchr::memchr(b';', value).and_then(|at| value.get(at + 1..));
    let text = behind.unwrap_or_default().iter().take(RESULTS_OCTETS);
    let shown = text.map(|byte| if (32..127).contains(byte) { char::from(*byte) } else { ' ' });
    shown.collect::<String>().trim().to_owned()
}

/// What each set's results say of DMARC, in the order of the sets.
fn dmarc_passes(parts: &Parts<'_>) -> Vec<String> {
    let all = parts.fields.iter().filter(|field| field.is("ARC-Authentication-Results"));
    let mut told: Vec<(Option<usize>, String)> =
        all.map(|field| (instance(field.value, true), dmarc_pass(field.value))).collect();
    told.sort_by_key(|(instance, _)| *instance);
    told.into_iter().map(|(_, domain)| domain).collect()
}

/// The `header.from` of a `dmarc=pass` (RFC 8601 §2.2), behind the instance and the sealer's name.
fn dmarc_pass(value: &[u8]) -> String {
    let plain = without_comments(value);
    let found = plain.split(';').skip(2).find_map(|result| {
        let mut words = result.split_ascii_whitespace();
        words.next().filter(|word| word.eq_ignore_ascii_case("dmarc=pass"))?;
        words.find_map(|word| {
            let (name, domain) = word.split_once('=')?;
            name.eq_ignore_ascii_case("header.from").then(|| domain.to_ascii_lowercase())
        })
    });
    found.unwrap_or_default()
}

/// Comments out, quotes off (what they hold cannot end a result), no space around `=`.
fn without_comments(value: &[u8]) -> String {
    let mut cursor = terms::Cursor::new(value);
    let mut plain = String::with_capacity(value.len());
    while let Some(byte) = cursor.next() {
        match byte {
            b'(' => {
                crate::author::skip_comment(&mut cursor);
            }
            b'"' => quoted(&mut cursor, &mut plain),
            b'=' => {
                plain.truncate(plain.trim_end().len());
                plain.push('=');
                cursor.take_while(|byte| byte.is_ascii_whitespace());
            }
            byte if byte.is_ascii() => plain.push(char::from(byte)),
            _ => plain.push('?'),
        }
    }
    plain
}

fn quoted(cursor: &mut terms::Cursor<'_>, plain: &mut String) {
    while let Some(byte) = cursor.next() {
        let byte = match byte {
            b'"' => return,
            b'\\' => cursor.next().unwrap_or(b'?'),
            byte => byte,
        };
        let is_plain = byte.is_ascii_alphanumeric() || b".-@_".contains(&byte);
        plain.push(if is_plain { char::from(byte) } else { '?' });
    }
}

#[cfg(test)]
mod tests {
    use super::dmarc_pass;

    #[test]
    fn results_speak_of_the_domain_in_from() {
        let check = |value: &str, expected: &str| {
            assert_eq!(dmarc_pass(value.as_bytes()), expected, "{value}");
        };
        check("i=1; mx.example; spf=pass; dmarc=pass header.from=A.example", "a.example");
        check(
            "i=1; mx.example;\r\n dmarc = pass (p=REJECT)\r\n header.from = a.example",
            "a.example",
        );
        check("i=1; mx.example; dmarc=pass header.from=\"a.example\"", "a.example");
        check("i=1; mx.example; dmarc=fail header.from=a.example", "");
        check("i=1; mx.example; dmarc=pass", "");
        check("i=1; mx.example; dmarc=passed header.from=a.example", "");
        check("i=1; mx.example; none; x=\"; dmarc=pass header.from=a.example\"", "");
        check("i=1; mx.example (; ; dmarc=pass header.from=a.example); none", "");
        check("i=1; dmarc=pass header.from=a.example", "");
        check("i=1; mx; xdmarc=pass header.from=a.example", "");
    }
}
