//! A certificate that an operator brings: from a public authority, for our own host name, or for
//! names of public pages.
//!
//! It is checked before it replaces what serves: the key is the leaf's, the leaf names what is
//! ours, and its time has not run out. Connections that stand are not touched; new handshakes get
//! it.

use crate::certificate::Kept;
use crate::house_names::Group;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use wire::pages::LABELS;
use zeroize::Zeroizing;

/// Certificates of one chain.
const CHAIN: usize = 6;
/// Octets of all of them: the sealed file holds them and the key.
const CHAIN_BYTES: usize = 48 * 1024;
const SEQUENCE: u8 = 0x30;
const BOOLEAN: u8 = 0x01;
const OCTET_STRING: u8 = 0x04;
/// A GeneralName of that kind.
const DNS_NAME: u8 = 0x82;
/// 2.5.29.17, tag and length in front.
const SUBJECT_ALT_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x1d, 0x11];
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// What is wrong with an offered certificate: expected, found, and what to do.
pub(crate) type Objection = (&'static str, String, &'static str);

/// What a certificate serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Group(Group),
    /// Names of public pages.
    Names(Vec<String>),
}

/// Whose names are ours.
pub(crate) struct Own<'a> {
    pub of_mail: &'a [String],
    pub of_pages: &'a [String],
    /// A name of public pages, below a domain of ours.
    pub is_ours: &'a dyn Fn(&str) -> bool,
}

impl Own<'_> {
    /// The mail servers' first: no certificate serves two groups.
    fn place(&self, leaf: &[u8]) -> Option<(Place, Vec<String>)> {
        let has = |name: &String| names_host(leaf, name);
        for (group, names) in [(Group::Mail, self.of_mail), (Group::Pages, self.of_pages)] {
            if !names.is_empty() && names.iter().all(has) {
                return Some((Place::Group(group), names.to_vec()));
            }
        }
        let mut names: Vec<String> = dns_names(leaf).into_iter().flat_map(below).collect();
        names.retain(|name| (self.is_ours)(name));
        names.sort();
        names.dedup();
        (!names.is_empty()).then(|| (Place::Names(names.clone()), names))
    }
}

/// The names that a wildcard stands for here.
fn below(name: String) -> Vec<String> {
    match name.strip_prefix("*.") {
        Some(domain) => LABELS.iter().map(|label| format!("{label}.{domain}")).collect(),
        None => vec![name],
    }
}

/// Checks what an operator brings.
pub(crate) fn check(
    chain: Vec<Vec<u8>>,
    key: Vec<u8>,
    own: &Own<'_>,
    now_ms: u64,
) -> Result<(Place, Kept), Objection> {
    let octets: usize = chain.iter().map(Vec::len).sum();
    let leaf = chain.first().filter(|_| chain.len() <= CHAIN && octets <= CHAIN_BYTES);
    let Some(leaf) = leaf else {
        let found = format!("{} of {octets} octets", chain.len());
        return Err(("1 to 6 certificates, leaf first", found, "give the chain as it was issued"));
    };
    let key = Zeroizing::new(key);
    // PKCS #8, or as OpenSSL has written it for long (SEC 1, RFC 5915): it is kept as the first.
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let key = EcdsaKeyPair::from_pkcs8(algorithm, &key)
        .or_else(|_| EcdsaKeyPair::from_private_key_der(algorithm, &key));
    let kept = |key: EcdsaKeyPair| {
        let pkcs8 = key.to_pkcs8v1().ok()?.as_ref().to_vec();
        Some((key, pkcs8))
    };
    let Some((key, pkcs8)) = key.ok().and_then(kept) else {
        let hint = "have the certificate issued for an ECDSA key on P-256 (certbot: --key-type \
                    ecdsa --elliptic-curve secp256r1)";
        return Err(("an ECDSA key on P-256", "another key".to_owned(), hint));
    };
    if !holds(leaf, key.public_key().as_ref()) {
        let hint = "the leaf comes first in the chain, and the key is the one it was made for";
        return Err(("the key of the first certificate", "a key of another".to_owned(), hint));
    }
    let Some((place, names)) = own.place(leaf) else {
        let hint = "`house.host_name`, `house.pages_name`, or mta-sts, autoconfig, autodiscover \
                    below a domain that was added";
        return Err(("a certificate for a name of ours", "one for other names".to_owned(), hint));
    };
    let hint = "renew it first";
    match not_after_ms(leaf) {
        Some(not_after_ms) if not_after_ms > now_ms => {
            Ok((place, Kept { names, chain, pkcs8, not_after_ms }))
        }
        Some(_) => Err(("a certificate that still holds", "one that has run out".to_owned(), hint)),
        None => Err(("an X.509 certificate", "something else".to_owned(), hint)),
    }
}

/// The dNSNames of a leaf, in lower case: behind the object identifier of subjectAltName (RFC 5280
/// §4.2.1.6) stand, perhaps, a flag, and then the names in an octet string.
fn dns_names(leaf: &[u8]) -> Vec<String> {
    let Some(at) = leaf.windows(SUBJECT_ALT_NAME.len()).position(|one| one == SUBJECT_ALT_NAME)
    else {
        return Vec::new();
    };
    let behind = leaf.get(at + SUBJECT_ALT_NAME.len()..).unwrap_or_default();
    let behind = expect(behind, BOOLEAN).map_or(behind, |(_, behind)| behind);
    let inside = expect(behind, OCTET_STRING).and_then(|(inside, _)| expect(inside, SEQUENCE));
    let (mut rest, mut names) = (inside.map_or(&[][..], |(names, _)| names), Vec::new());
    while let Some((tag, name, behind)) = element(rest) {
        if tag == DNS_NAME && name.is_ascii() {
            names.push(String::from_utf8_lossy(name).to_ascii_lowercase());
        }
        rest = behind;
    }
    names
}

fn holds(octets: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && octets.windows(part.len()).any(|window| window == part)
}

/// Whether the leaf has this name, or the wildcard above it, among its own (dNSName is tag 2 of
/// GeneralName: its octets stand behind tag and length).
fn names_host(leaf: &[u8], host_name: &str) -> bool {
    let host = host_name.to_ascii_lowercase();
    let wildcard = host.split_once('.').map(|(_, above)| format!("*.{above}"));
    let has = |name: &str| {
        let Ok(length) = u8::try_from(name.len()) else { return false };
        let mut wanted = vec![0x82];
        if length > 127 {
            wanted.push(0x81);
        }
        wanted.push(length);
        wanted.extend_from_slice(name.as_bytes());
        holds(&leaf.to_ascii_lowercase(), &wanted.to_ascii_lowercase())
    };
    has(&host) || wildcard.as_deref().is_some_and(has)
}

/// One element: its tag, what is in it, and what stands behind it.
fn element(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = octets.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
            (length, rest)
        }
        _ => return None,
    };
    let (inside, behind) = rest.split_at_checked(length)?;
    Some((*tag, inside, behind))
}

fn expect(octets: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(octets).filter(|(found, ..)| *found == tag).map(|(_, inside, behind)| (inside, behind))
}

/// RFC 5280 §4.1: version, serial, algorithm and issuer stand before the validity.
fn not_after_ms(certificate: &[u8]) -> Option<u64> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (mut rest, _) = expect(certificate, SEQUENCE)?;
    if let Some((_, behind)) = expect(rest, VERSION) {
        rest = behind;
    }
    for _ in 0..3 {
        (_, _, rest) = element(rest)?;
    }
    let (validity, _) = expect(rest, SEQUENCE)?;
    let (_, _, not_after) = element(validity)?;
    let (tag, digits, _) = element(not_after)?;
    moment(tag, std::str::from_utf8(digits).ok()?)
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`, in milliseconds since 1970.
fn moment(tag: u8, text: &str) -> Option<u64> {
    let text = match tag {
        // RFC 5280 §4.1.2.5.1: 50 and above is the last century.
        UTC_TIME if text.get(..2)? >= "50" => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let digits = text.strip_suffix('Z').filter(|digits| digits.len() == 14)?;
    let number = |from: usize, to: usize| digits.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970, counted in years that begin in March.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::{GENERALIZED_TIME, Own, Place, UTC_TIME, check, moment, not_after_ms};
    use crate::house_names::Group;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd};
    use wire::pages::domain_of;

    fn made(name: &str, until: i32) -> (Vec<u8>, Vec<u8>) {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = date_time_ymd(until, 3, 1);
        let certificate = params.self_signed(&key).unwrap();
        (certificate.der().to_vec(), key.serialize_der())
    }

    #[test]
    fn times_are_read() {
        assert_eq!(moment(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(moment(UTC_TIME, "261129123456Z"), Some(1_795_955_696_000));
        assert_eq!(moment(GENERALIZED_TIME, "20500301000000Z"), Some(2_529_705_600_000));
        assert_eq!(moment(GENERALIZED_TIME, "2050"), None);
        let (leaf, _) = made("mx.example.jp", 2040);
        assert_eq!(not_after_ms(&leaf), Some(2_214_172_800_000));
    }

    #[test]
    fn only_our_own_certificate_with_its_own_key_is_taken() {
        let now = 1_795_955_696_000;
        let said = |chain: Vec<Vec<u8>>, key: &[u8], host: &str| {
            let own = Own {
                of_mail: &[host.to_owned()],
                of_pages: &["pages.example.jp".to_owned()],
                is_ours: &|name| domain_of(name) == "kaede.example",
            };
            match check(chain, key.to_vec(), &own, now) {
                Ok((Place::Group(Group::Mail), _)) => "taken".to_owned(),
                Ok((Place::Group(Group::Pages), _)) => "pages".to_owned(),
                Ok((Place::Names(names), kept)) => {
                    assert_eq!(names, kept.names);
                    names.join(" ")
                }
                Err((expected, ..)) => expected.to_owned(),
            }
        };
        let (leaf, key) = made("mx.example.jp", 2040);
        assert_eq!(said(vec![leaf.clone()], &key, "MX.example.jp"), "taken");
        let (wild, wild_key) = made("*.example.jp", 2040);
        assert_eq!(said(vec![wild], &wild_key, "mx.example.jp"), "taken");
        assert_eq!(
            said(vec![leaf.clone()], &key, "x.example.jp"),
            "a certificate for a name of ours"
        );
        let (other, other_key) = made("mx.example.jp", 2040);
        let expected = "the key of the first certificate";
        assert_eq!(said(vec![leaf.clone()], &other_key, "mx.example.jp"), expected);
        assert_eq!(said(vec![other, leaf], &key, "mx.example.jp"), expected);
        let (old, old_key) = made("mx.example.jp", 2020);
        assert_eq!(said(vec![old], &old_key, "mx.example.jp"), "a certificate that still holds");
        assert_eq!(said(vec![], &old_key, "mx.example.jp"), "1 to 6 certificates, leaf first");
        let (pages, pages_key) = made("pages.example.jp", 2040);
        assert_eq!(said(vec![pages], &pages_key, "mx.example.jp"), "pages");
        let (page, page_key) = made("MTA-STS.kaede.example", 2040);
        assert_eq!(said(vec![page], &page_key, "mx.example.jp"), "mta-sts.kaede.example");
        let (below, below_key) = made("*.kaede.example", 2040);
        let all = "autoconfig.kaede.example autodiscover.kaede.example mta-sts.kaede.example";
        assert_eq!(said(vec![below], &below_key, "mx.example.jp"), all);
        let (foreign, foreign_key) = made("mta-sts.ume.example", 2040);
        let expected = "a certificate for a name of ours";
        assert_eq!(said(vec![foreign], &foreign_key, "mx.example.jp"), expected);
        assert_eq!(said(vec![vec![7; 9]], b"no key", "mx.example.jp"), "an ECDSA key on P-256");
    }
}
