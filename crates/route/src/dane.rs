//! DANE for SMTP (RFC 7672): TLSA records that are signed say which key a host has.

use crate::public_key_info;
use sha2::{Digest, Sha256, Sha512};

/// Records of one host.
const RECORDS: usize = 32;

/// One TLSA record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    pub usage: u8,
    pub selector: u8,
    pub matching: u8,
    pub data: Vec<u8>,
}

impl Tlsa {
    /// As a zone file has it (RFC 6698 §2.2).
    pub fn written(&self) -> String {
        let Self { usage, selector, matching, data } = self;
        let data: String = data.iter().map(|octet| format!("{octet:02x}")).collect();
        format!("{usage} {selector} {matching} {data}")
    }
}

/// What a host's TLSA records demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Usable {
    /// None, or not signed: DANE says nothing.
    Nothing,
    /// Signed records, none of them usable: TLS must be made, whoever answers (§2.2).
    AnyTls,
    /// TLS must be made with a certificate that one of these matches.
    Keys(Vec<Tlsa>),
}

/// Sorts out a host's records. Only signed ones count. Usages 0 and 1 are not for SMTP (§3.1.3).
pub fn usable(records: &[Tlsa], are_signed: bool) -> Usable {
    if !are_signed || records.is_empty() {
        return Usable::Nothing;
    }
    let is_usable = |record: &&Tlsa| {
        let length_fits = match record.matching {
            0 => !record.data.is_empty(),
            1 => record.data.len() == 32,
            2 => record.data.len() == 64,
            _ => false,
        };
        matches!(record.usage, 2 | 3) && record.selector <= 1 && length_fits
    };
    let keys: Vec<Tlsa> = records.iter().filter(is_usable).take(RECORDS).cloned().collect();
    if keys.is_empty() { Usable::AnyTls } else { Usable::Keys(keys) }
}

/// Whether a chain (leaf first, DER) is the one that a record means. For usage 3 the leaf alone
/// counts, with whatever name and date it has (§3.1.1). For usage 2 it says which certificate of
/// the chain is trusted: its place, and the caller verifies the chain up to it.
pub fn matches(record: &Tlsa, chain: &[&[u8]]) -> Option<usize> {
    let candidates = match record.usage {
        3 => chain.get(..1)?,
        2 => chain,
        _ => return None,
    };
    candidates.iter().position(|certificate| is_meant(record, certificate))
}

fn is_meant(record: &Tlsa, certificate: &[u8]) -> bool {
    let selected = match record.selector {
        0 => Some(certificate),
        1 => public_key_info(certificate),
        _ => None,
    };
    let Some(selected) = selected else { return false };
    match record.matching {
        0 => selected == record.data,
        1 => Sha256::digest(selected).as_slice() == record.data,
        2 => Sha512::digest(selected).as_slice() == record.data,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Tlsa, Usable, matches, usable};
    use crate::public_key_info;
    use sha2::{Digest, Sha256, Sha512};

    /// A certificate's skeleton: version, serial, algorithm, issuer, validity, subject, key.
    fn certificate(key: &[u8]) -> Vec<u8> {
        let wrap = |tag: u8, contents: &[u8]| {
            let mut out = vec![tag];
            match contents.len() {
                length @ 0..=0x7f => out.push(length as u8),
                length => out.extend([0x82, (length >> 8) as u8, length as u8]),
            }
            out.extend_from_slice(contents);
            out
        };
        let info = wrap(0x30, &wrap(0x03, key));
        let tbs = [
            wrap(0xa0, &wrap(0x02, &[2])),
            wrap(0x02, &[1, 2, 3]),
            wrap(0x30, b"algorithm"),
            wrap(0x30, b"issuer"),
            wrap(0x30, b"validity"),
            wrap(0x30, b"subject"),
            info,
            wrap(0xa3, b"extensions"),
        ]
        .concat();
        wrap(0x30, &[wrap(0x30, &tbs), wrap(0x30, b"alg"), wrap(0x03, b"sig")].concat())
    }

    fn tlsa(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Tlsa {
        Tlsa { usage, selector, matching, data: data.to_vec() }
    }

    #[test]
    fn keys_are_found_in_certificates() {
        let one = certificate(&[7; 300]);
        let info = public_key_info(&one).unwrap();
        assert!(info.starts_with(&[0x30, 0x82]) && info.ends_with(&[7; 300]));
        for cut in 0..one.len() {
            assert_eq!(public_key_info(&one[..cut]), None);
        }
        assert_eq!(public_key_info(&[0x30, 0x84, 1, 1, 1, 1]), None);
    }

    #[test]
    fn records_and_the_chains_that_they_mean() {
        let (leaf, above) = (certificate(&[1; 40]), certificate(&[2; 40]));
        let chain: [&[u8]; 2] = [&leaf, &above];
        let check = |record: Tlsa, place: Option<usize>| {
            assert_eq!(matches(&record, &chain), place, "{record:?}");
        };
        let key = |of: &[u8]| public_key_info(of).unwrap().to_vec();
        check(tlsa(3, 1, 1, &Sha256::digest(key(&leaf))), Some(0));
        check(tlsa(3, 1, 2, &Sha512::digest(key(&leaf))), Some(0));
        check(tlsa(3, 0, 1, &Sha256::digest(&leaf)), Some(0));
        check(tlsa(3, 0, 0, &leaf), Some(0));
        check(tlsa(3, 1, 1, &Sha256::digest(key(&above))), None);
        check(tlsa(2, 1, 1, &Sha256::digest(key(&above))), Some(1));
        check(tlsa(2, 0, 1, &Sha256::digest(&leaf)), Some(0));
        check(tlsa(3, 1, 1, &[0; 32]), None);
        assert_eq!(tlsa(3, 1, 1, &[0, 0xab]).written(), "3 1 1 00ab");
        check(tlsa(1, 1, 1, &Sha256::digest(key(&leaf))), None);
    }

    #[test]
    fn what_records_demand() {
        let good = tlsa(3, 1, 1, &[1; 32]);
        let check = |records: &[Tlsa], signed: bool, expected: Usable| {
            assert_eq!(usable(records, signed), expected, "{records:?}");
        };
        check(&[], true, Usable::Nothing);
        check(std::slice::from_ref(&good), false, Usable::Nothing);
        check(std::slice::from_ref(&good), true, Usable::Keys(vec![good.clone()]));
        check(&[tlsa(1, 1, 1, &[1; 32])], true, Usable::AnyTls);
        check(&[tlsa(3, 1, 1, &[1; 31])], true, Usable::AnyTls);
        check(&[tlsa(3, 2, 1, &[1; 32]), good.clone()], true, Usable::Keys(vec![good]));
    }
}
