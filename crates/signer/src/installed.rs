//! A certificate that an operator brings: from a public authority, for our own host name.
//!
//! It is checked before it replaces what serves: the key is the leaf's, the leaf names this host,
//! and its time has not run out. Connections that stand are not touched; new handshakes get it.

use crate::certificate::Kept;
use crate::house_names::Group;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

/// Certificates of one chain.
const CHAIN: usize = 6;
/// Octets of all of them: the sealed file holds them and the key.
const CHAIN_BYTES: usize = 48 * 1024;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// What is wrong with an offered certificate: expected, found, and what to do.
pub(crate) type Objection = (&'static str, String, &'static str);

/// Checks what an operator brings.
pub(crate) fn check(
    chain: Vec<Vec<u8>>,
    pkcs8: Vec<u8>,
    host_name: &str,
    now_ms: u64,
) -> Result<Kept, Objection> {
    let octets: usize = chain.iter().map(Vec::len).sum();
    let leaf = chain.first().filter(|_| chain.len() <= CHAIN && octets <= CHAIN_BYTES);
    let Some(leaf) = leaf else {
        let found = format!("{} of {octets} octets", chain.len());
        return Err(("1 to 6 certificates, leaf first", found, "give the chain as it was issued"));
    };
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8);
    let Ok(key) = key else {
        let hint = "ask the authority for an ECDSA key on P-256, and give it as PKCS #8";
        return Err(("a P-256 key in PKCS #8", "another key".to_owned(), hint));
    };
    if !holds(leaf, key.public_key().as_ref()) {
        let hint = "the leaf comes first in the chain, and the key is the one it was made for";
        return Err(("the key of the first certificate", "a key of another".to_owned(), hint));
    }
    if !names_host(leaf, host_name) {
        let hint = "the certificate is for `house.host_name`, the name in your MX record";
        return Err(("a certificate for this host", "one for other names".to_owned(), hint));
    }
    let hint = "renew it first";
    match not_after_ms(leaf) {
        Some(not_after_ms) if not_after_ms > now_ms => {
            let names = Group::Mail.names(host_name, false);
            Ok(Kept { names, chain, pkcs8, not_after_ms })
        }
        Some(_) => Err(("a certificate that still holds", "one that has run out".to_owned(), hint)),
        None => Err(("an X.509 certificate", "something else".to_owned(), hint)),
    }
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
    use super::{GENERALIZED_TIME, UTC_TIME, check, moment, not_after_ms};
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd};

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
        let said = |chain: Vec<Vec<u8>>, key: &[u8], host: &str| match check(
            chain,
            key.to_vec(),
            host,
            now,
        ) {
            Ok(_) => "taken".to_owned(),
            Err((expected, ..)) => expected.to_owned(),
        };
        let (leaf, key) = made("mx.example.jp", 2040);
        assert_eq!(said(vec![leaf.clone()], &key, "MX.example.jp"), "taken");
        let (wild, wild_key) = made("*.example.jp", 2040);
        assert_eq!(said(vec![wild], &wild_key, "mx.example.jp"), "taken");
        assert_eq!(said(vec![leaf.clone()], &key, "x.example.jp"), "a certificate for this host");
        let (other, other_key) = made("mx.example.jp", 2040);
        let expected = "the key of the first certificate";
        assert_eq!(said(vec![leaf.clone()], &other_key, "mx.example.jp"), expected);
        assert_eq!(said(vec![other, leaf], &key, "mx.example.jp"), expected);
        let (old, old_key) = made("mx.example.jp", 2020);
        assert_eq!(said(vec![old], &old_key, "mx.example.jp"), "a certificate that still holds");
        assert_eq!(said(vec![], &old_key, "mx.example.jp"), "1 to 6 certificates, leaf first");
        assert_eq!(said(vec![vec![7; 9]], b"no key", "mx.example.jp"), "a P-256 key in PKCS #8");
    }
}
