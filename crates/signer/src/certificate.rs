//! The house's own authority and the certificates that it issues.

use crate::Fault;
use crate::house_names::Group;
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber, date_time_ymd,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use zeroize::Zeroizing;

const DAY_MS: u64 = 86_400_000;
/// Mail clients refuse certificates that live much longer than a year.
const LEAF_DAYS: u64 = 397;
/// Renewed while a month is left, so that a stopped machine has time to start again.
const RENEW_DAYS: u64 = 30;
/// The authority is trusted by hand; it outlives many certificates.
const AUTHORITY_DAYS: u64 = 3_650;

/// A certificate and its key, as kept (sealed).
#[derive(Serialize, Deserialize)]
pub(crate) struct Kept {
    pub names: Vec<String>,
    /// Leaf first.
    pub chain: Vec<Vec<u8>>,
    pub pkcs8: Vec<u8>,
    pub not_after_ms: u64,
}

impl Kept {
    pub fn serves(&self, names: &[String], now_ms: u64) -> bool {
        self.names == names && self.not_after_ms > now_ms + RENEW_DAYS * DAY_MS
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.pkcs8);
    }
}

/// The authority's key, the same for the same seed: whoever trusted it once goes on trusting it.
pub(crate) struct Authority {
    key: KeyPair,
    certificate: Vec<u8>,
}

impl Authority {
    pub fn new(seed: &[u8], kept: Option<Vec<u8>>, now_ms: u64) -> Result<Self, Fault> {
        let key = key_from(seed)?;
        let own = kept.filter(|certificate| contains(certificate, key.public_key_raw()));
        let certificate = match own {
            Some(certificate) => certificate,
            None => authority_params(now_ms)?
                .self_signed(&key)
                .map_err(Fault::Certificate)?
                .der()
                .to_vec(),
        };
        Ok(Self { key, certificate })
    }

    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    pub fn issue(&self, names: &[String], group: Group, now_ms: u64) -> Result<Kept, Fault> {
        let leaf = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Fault::Certificate)?;
        // Only the name and the key's id go from the issuer into the leaf; both are constant.
        let own = authority_params(now_ms)?;
        let signed = leaf_params(names, group, now_ms)?
            .signed_by(&leaf, &Issuer::from_params(&own, &self.key))
            .map_err(Fault::Certificate)?;
        Ok(Kept {
            names: names.to_vec(),
            chain: vec![signed.der().to_vec(), self.certificate.clone()],
            pkcs8: leaf.serialize_der(),
            not_after_ms: now_ms + LEAF_DAYS * DAY_MS,
        })
    }

    /// For people to trust: PEM (RFC 7468).
    pub fn pem(&self) -> String {
        let encoded = base64(&self.certificate);
        let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
        for line in encoded.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
        pem
    }
}

fn authority_params(now_ms: u64) -> Result<CertificateParams, Fault> {
    let mut params = CertificateParams::new(Vec::new()).map_err(Fault::Certificate)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "Sekisho local authority");
    lasts(&mut params, now_ms, AUTHORITY_DAYS);
    Ok(params)
}

fn leaf_params(names: &[String], group: Group, now_ms: u64) -> Result<CertificateParams, Fault> {
    let mut params = CertificateParams::new(names.to_vec()).map_err(Fault::Certificate)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let name = names.first().map_or(group.word(), String::as_str);
    params.distinguished_name.push(DnType::CommonName, name);
    // RFC 5280 §4.1.2.2: positive, at most 20 octets.
    let mut serial = compartment::random::<16>();
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    lasts(&mut params, now_ms, LEAF_DAYS);
    Ok(params)
}

/// From a day ago, so that a clock which is a little behind still believes.
fn lasts(params: &mut CertificateParams, now_ms: u64, days: u64) {
    let epoch = date_time_ymd(1970, 1, 1);
    let at = |days: u64| Duration::from_secs(days * 86_400);
    let today = now_ms / DAY_MS;
    params.not_before = epoch + at(today.saturating_sub(1));
    params.not_after = epoch + at(today + days);
}

/// A P-256 key from a seed: the hash is a valid scalar but for one in 2^32 seeds; then the next
/// hash is taken.
fn key_from(seed: &[u8]) -> Result<KeyPair, Fault> {
    for round in 0..8u8 {
        let mut input = Zeroizing::new(b"sekisho authority v1".to_vec());
        input.push(round);
        input.extend_from_slice(seed);
        let scalar = digest(&SHA256, &input);
        let Ok(private) = PrivateKey::from_private_key(&ECDH_P256, scalar.as_ref()) else {
            continue;
        };
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&private).map_err(|_| Fault::Key)?;
        return key_of(der.as_ref());
    }
    Err(Fault::Key)
}

fn key_of(pkcs8: &[u8]) -> Result<KeyPair, Fault> {
    KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.into(), &PKCS_ECDSA_P256_SHA256)
        .map_err(Fault::Certificate)
}

fn contains(certificate: &[u8], key: &[u8]) -> bool {
    certificate.windows(key.len()).any(|window| window == key)
}

/// RFC 4648 §4.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let octet = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place) & 63) as usize;
            let letter = LETTERS.get(index).copied().map_or('=', char::from);
            text.push(if place <= group.len() { letter } else { '=' });
        }
    }
    text
}
