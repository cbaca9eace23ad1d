//! DKIM: which domains answer for this message as it is? RFC 6376, 8301, 8463.

use crate::canon::{self, BodyHash, Canon};
use crate::fields::{Field, Parts};
use crate::key::{self, KeyKind, KeyRecord};
use crate::resolver::{Answer, Inquiry, Record, RecordKind};
use crate::tags::{Tags, is_space};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use terms::ascii_name;

/// Signatures looked at; each costs a question and a modular power (RFC 6376 §8.4).
pub const SIGNATURES: usize = 10;
/// Names in `h=`; real signatures have under 40.
pub const SIGNED_NAMES: usize = 200;
/// Key records tried at one name; the standard leaves more than one undefined (§3.6.2.2).
const KEY_RECORDS: usize = 3;

/// RFC 8601 §2.7.1. `Policy`: perhaps genuine, but by means that we must not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DkimResult {
    None,
    Pass,
    Fail,
    Policy,
    Neutral,
    TempError,
    PermError,
}

impl DkimResult {
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Policy => "policy",
            Self::Neutral => "neutral",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// What became of one signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dkim {
    pub result: DkimResult,
    /// In our words; empty for a pass.
    pub reason: String,
    /// `d=`, lower case.
    pub domain: String,
    pub selector: String,
    /// `i=`, or `@` and the domain.
    pub identity: String,
    /// `a=`.
    pub algorithm: String,
    /// The first eight characters of `b=`, which tell signatures apart (RFC 6008).
    pub signature_start: String,
    /// `l=` left out so many canonical octets of the body: anybody may have written them.
    pub unsigned_octets: u64,
    pub testing: bool,
    pub key_bits: usize,
    /// It holds, by a key that is for TLS reports alone: of other mail it proves nothing, and the
    /// result says so.
    pub holds_of_report: bool,
}

impl Dkim {
    /// It holds, of all that is shown. What stands behind `l=` may be a stranger's (RFC 6376 §8.2),
    /// and an unsigned Content-Type makes it the whole of what a person sees.
    pub fn is_of_all(&self) -> bool {
        self.result == DkimResult::Pass && self.unsigned_octets == 0
    }

    /// It may speak for its domain. By a key that is being tried out (`t=y`) a message must not be
    /// treated otherwise than an unsigned one (RFC 6376 §3.6.1).
    pub fn vouches(&self) -> bool {
        self.is_of_all() && !self.testing
    }
}

/// The bodies of one message, hashed once for each form asked for.
pub struct Bodies<'a> {
    body: &'a [u8],
    known: BTreeMap<(Canon, Option<u64>), BodyHash>,
}

impl<'a> Bodies<'a> {
    pub fn new(body: &'a [u8]) -> Self {
        Self { body, known: BTreeMap::new() }
    }

    pub fn hash(&mut self, canon: Canon, limit: Option<u64>) -> BodyHash {
        let body = self.body;
        let fresh = || canon::body_hash(canon, limit, body);
        *self.known.entry((canon, limit)).or_insert_with(fresh)
    }
}

/// Verifies every signature, top to bottom, up to [`SIGNATURES`].
pub fn verify(
    parts: &Parts<'_>,
    bodies: &mut Bodies<'_>,
    now: u64,
    inquiry: &mut Inquiry<'_>,
) -> Vec<Dkim> {
    let signatures = parts.fields.iter().filter(|field| field.is("DKIM-Signature"));
    signatures.take(SIGNATURES).map(|field| one(parts, field, bodies, now, inquiry)).collect()
}

/// Why a signature is not a pass.
pub(crate) type Verdict = Result<(), (DkimResult, &'static str)>;

fn one(
    parts: &Parts<'_>,
    field: &Field<'_>,
    bodies: &mut Bodies<'_>,
    now: u64,
    inquiry: &mut Inquiry<'_>,
) -> Dkim {
    let mut dkim = Dkim {
        result: DkimResult::Pass,
        reason: String::new(),
        domain: String::new(),
        selector: String::new(),
        identity: String::new(),
        algorithm: String::new(),
        signature_start: String::new(),
        unsigned_octets: 0,
        testing: false,
        key_bits: 0,
        holds_of_report: false,
    };
    let verdict = match Tags::parse(field.value) {
        Some(tags) => judge(&tags, parts, field, bodies, now, inquiry, &mut dkim),
        None => Err((DkimResult::PermError, "tag list is malformed")),
    };
    if let Err((result, reason)) = verdict {
        dkim.result = result;
        reason.clone_into(&mut dkim.reason);
    }
    dkim
}

fn judge(
    tags: &Tags<'_>,
    parts: &Parts<'_>,
    field: &Field<'_>,
    bodies: &mut Bodies<'_>,
    now: u64,
    inquiry: &mut Inquiry<'_>,
    dkim: &mut Dkim,
) -> Verdict {
    describe(tags, dkim);
    check_tags(tags, dkim, now)?;
    let claim = Claim::read(tags)?;
    let hash = bodies.hash(claim.body_canon, claim.length);
    check_length(&claim, hash, dkim)?;
    let record = find_key(&dkim.selector, &dkim.domain, claim.kind, inquiry)?;
    dkim.testing = record.testing;
    dkim.key_bits = record.key.bits();
    let verdict = weigh(&record, &claim, hash, (parts, field), dkim);
    if record.only_reports {
        dkim.holds_of_report = verdict.is_ok();
        return Err(OTHER_USE);
    }
    verdict
}

fn weigh(
    record: &KeyRecord,
    claim: &Claim<'_>,
    hash: BodyHash,
    (parts, field): (&Parts<'_>, &Field<'_>),
    dkim: &Dkim,
) -> Verdict {
    let identity_domain = dkim.identity.rsplit_once('@').map_or("", |(_, domain)| domain);
    // RFC 6376 §3.6.1: under t=s a subdomain may not sign for itself with this key.
    if record.exact_domain && ascii_name(identity_domain) != dkim.domain {
        return Err((DkimResult::PermError, "key is for its own domain only"));
    }
    if hash.sha256.as_slice() != claim.body_hash.as_slice() {
        return Err((DkimResult::Fail, "body hash does not match"));
    }
    let signed = signed_header(claim, parts, field);
    if record.key.verifies(&signed, &claim.signature) {
        Ok(())
    } else {
        Err((DkimResult::Fail, "signature does not match"))
    }
}

/// What is worth telling even of a broken signature.
fn describe(tags: &Tags<'_>, dkim: &mut Dkim) {
    let text = |name: &str| tags.value(name).unwrap_or_default().to_owned();
    // RFC 8616 §5: the DNS is asked for the ASCII form.
    dkim.domain = ascii_name(text("d").trim_end_matches('.'));
    dkim.selector = text("s");
    dkim.algorithm = text("a");
    dkim.identity = match tags.value("i") {
        Some(identity) => identity.to_owned(),
        None => format!("@{}", dkim.domain),
    };
    let packed = tags.value("b").unwrap_or_default().chars().filter(|letter| !is_space(*letter));
    dkim.signature_start = packed.take(8).collect();
}

fn check_tags(tags: &Tags<'_>, dkim: &Dkim, now: u64) -> Verdict {
    let broken = |reason| Err((DkimResult::PermError, reason));
    if tags.value("v") != Some("1") {
        return broken("version is not 1");
    }
    if dkim.domain.is_empty() || dkim.selector.is_empty() {
        return broken("domain or selector is missing");
    }
    let under = |domain: &str| crate::resolver::is_at_or_below(&ascii_name(domain), &dkim.domain);
    if !dkim.identity.rsplit_once('@').is_some_and(|(_, domain)| under(domain)) {
        return broken("identity lies outside the domain");
    }
    let from_signed = tags
        .words("h")
        .is_some_and(|mut names| names.any(|name| name.eq_ignore_ascii_case("from")));
    if !from_signed {
        return broken("From is not signed");
    }
    if !tags.words("q").is_none_or(|mut ways| ways.any(|way| way == "dns/txt")) {
        return broken("query method is unknown");
    }
    match (tags.number("t"), tags.number("x")) {
        (Some(None), _) | (_, Some(None)) => broken("time is malformed"),
        (Some(Some(made)), Some(Some(ends))) if ends <= made => broken("expires before it begins"),
        (_, Some(Some(ends))) if ends < now => Err((DkimResult::Fail, "signature has expired")),
        _ => Ok(()),
    }
}

fn check_length(claim: &Claim<'_>, hash: BodyHash, dkim: &mut Dkim) -> Verdict {
    let Some(length) = claim.length else {
        return Ok(());
    };
    // RFC 6376 §3.5: l= must not exceed the body.
    match hash.canonical_octets.checked_sub(length) {
        Some(unsigned) => dkim.unsigned_octets = unsigned,
        None => return Err((DkimResult::PermError, "signed length exceeds the body")),
    }
    Ok(())
}

/// What a signature claims, decoded. DKIM-Signature and ARC-Message-Signature are alike here.
pub(crate) struct Claim<'a> {
    pub kind: KeyKind,
    pub header_canon: Canon,
    pub body_canon: Canon,
    pub length: Option<u64>,
    pub body_hash: Vec<u8>,
    pub signature: Vec<u8>,
    pub names: Vec<&'a str>,
}

impl<'a> Claim<'a> {
    pub fn read(tags: &Tags<'a>) -> Result<Self, (DkimResult, &'static str)> {
        let broken = |reason| (DkimResult::PermError, reason);
        let kind = algorithm(tags.value("a").unwrap_or_default())?;
        let (header_canon, body_canon) =
            Canon::pair(tags.value("c")).ok_or(broken("canonicalisation is unknown"))?;
        let length = match tags.number("l") {
            Some(None) => return Err(broken("length is malformed")),
            Some(Some(length)) => Some(length),
            None => None,
        };
        let body_hash = tags.base64("bh").ok_or(broken("body hash is malformed"))?;
        let signature = tags.base64("b").filter(|octets| !octets.is_empty());
        let signature = signature.ok_or(broken("signature is malformed"))?;
        let names: Vec<&str> = tags.words("h").into_iter().flatten().collect();
        if names.is_empty() || names.len() > SIGNED_NAMES {
            return Err(broken("signed header names are malformed"));
        }
        Ok(Self { kind, header_canon, body_canon, length, body_hash, signature, names })
    }
}

/// `a=`. SHA-1 must not be counted (RFC 8301 §3.1).
pub(crate) fn algorithm(word: &str) -> Result<KeyKind, (DkimResult, &'static str)> {
    match word {
        "rsa-sha256" => Ok(KeyKind::Rsa),
        "ed25519-sha256" => Ok(KeyKind::Ed25519),
        "rsa-sha1" => Err((DkimResult::Policy, "SHA-1 does not count")),
        _ => Err((DkimResult::PermError, "algorithm is unknown")),
    }
}

/// The canonical header that was signed by `own`.
pub(crate) fn signed_header(claim: &Claim<'_>, parts: &Parts<'_>, own: &Field<'_>) -> Vec<u8> {
    let unsigned = without_signature(own.raw);
    signed_fields(claim.header_canon, &claim.names, &parts.fields, &unsigned)
}

/// The named fields from the bottom up, then the signature field itself with an empty `b=` and no
/// line end (RFC 6376 §3.7, §5.4.2).
pub(crate) fn signed_fields(
    canon: Canon,
    names: &[&str],
    fields: &[Field<'_>],
    unsigned: &[u8],
) -> Vec<u8> {
    with_own_field(canon, named_fields(canon, names, fields), unsigned)
}

/// The named fields alone, each with its line end.
pub(crate) fn named_fields(canon: Canon, names: &[&str], fields: &[Field<'_>]) -> Vec<u8> {
    let mut signed = Vec::with_capacity(4 * 1024);
    let mut taken = vec![false; fields.len()];
    for name in names {
        let candidates = fields.iter().zip(taken.iter_mut()).rev();
        let mut fitting = candidates.filter(|(field, taken)| !**taken && field.is(name));
        // A name without a field left signs its absence.
        if let Some((field, taken)) = fitting.next() {
            *taken = true;
            canon::header(canon, field.raw, &mut signed);
        }
    }
    signed
}

/// Those and the signature field itself.
pub(crate) fn with_own_field(canon: Canon, mut signed: Vec<u8>, unsigned: &[u8]) -> Vec<u8> {
    canon::header(canon, unsigned, &mut signed);
    signed.truncate(signed.len().saturating_sub(2));
    signed
}

/// The raw field without the value of its `b=` tag (and nothing else) (RFC 6376 §3.5).
pub(crate) fn without_signature(raw: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(raw.len());
    let colon = memchr::memchr(b':', raw).map_or(0, |at| at + 1);
    let (name, value) = raw.split_at_checked(colon).unwrap_or((raw, b""));
    kept.extend_from_slice(name);
    for (number, part) in value.split(|byte| *byte == b';').enumerate() {
        if number > 0 {
            kept.push(b';');
        }
        let equals = memchr::memchr(b'=', part);
        let tag = equals.and_then(|at| part.get(..at)).unwrap_or_default();
        match equals.and_then(|at| part.get(..=at)) {
            Some(until_equals) if tag.trim_ascii() == b"b" => kept.extend_from_slice(until_equals),
            _ => kept.extend_from_slice(part),
        }
    }
    kept
}

const OTHER_USE: (DkimResult, &str) = (DkimResult::PermError, "key is not for this use");

/// A key that signs mail.
pub(crate) fn fetch_key(
    selector: &str,
    domain: &str,
    wanted: KeyKind,
    inquiry: &mut Inquiry<'_>,
) -> Result<KeyRecord, (DkimResult, &'static str)> {
    let record = find_key(selector, domain, wanted, inquiry)?;
    if record.only_reports { Err(OTHER_USE) } else { Ok(record) }
}

/// Asks for `selector._domainkey.domain` (RFC 6376 §3.6.2). A key for all mail comes before one for
/// reports.
fn find_key(
    selector: &str,
    domain: &str,
    wanted: KeyKind,
    inquiry: &mut Inquiry<'_>,
) -> Result<KeyRecord, (DkimResult, &'static str)> {
    let name = format!("{selector}._domainkey.{domain}");
    let records = match inquiry.ask(&name, RecordKind::Text) {
        Answer::Failed => return Err((DkimResult::TempError, "key could not be asked for")),
        Answer::NoSuchName | Answer::NoRecords => Vec::new(),
        Answer::Records(records) => records,
    };
    let mut reason = "no key at this selector";
    let mut for_reports = None;
    for record in records.iter().take(KEY_RECORDS) {
        let Record::Text(text) = record else {
            continue;
        };
        match key::parse(text) {
            Ok(record) if record.key.kind() != wanted => reason = "key is of another kind",
            Ok(record) if !record.key.is_strong_enough() => {
                return Err((DkimResult::Policy, "key size does not count"));
            }
            Ok(record) if record.only_reports => for_reports = Some(record),
            Ok(record) => return Ok(record),
            Err(no_key) => reason = no_key.words(),
        }
    }
    for_reports.ok_or((DkimResult::PermError, reason))
}
