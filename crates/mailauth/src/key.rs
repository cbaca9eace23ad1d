//! Public keys as domains publish them (RFC 6376 §3.6.1, RFC 8463 §4), and their verdict on a
//! signature. The DER of a key is read here, in Rust; arithmetic is left to aws-lc.

use crate::tags::Tags;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use terms::Cursor;

/// RFC 8301 §3.2: shorter keys must not be counted as valid.
pub const RSA_BITS_LEAST: usize = 1_024;
/// RFC 8301 §3.2 demands 4,096; beyond 8,192 a signature only costs time.
pub const RSA_BITS_MOST: usize = 8_192;

/// The name of an ASN.1 object: 1.2.840.113549.1.1.1, rsaEncryption.
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    Rsa,
    Ed25519,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    Ed25519(Vec<u8>),
}

/// One key record, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    pub key: PublicKey,
    /// `t=s`: the identity must be the signing domain itself.
    pub exact_domain: bool,
    /// `t=y`: the domain is trying DKIM out.
    pub testing: bool,
    /// `s=tlsrpt`: it signs TLS reports, and no other mail (RFC 8460 §3).
    pub only_reports: bool,
}

/// Why a key record gives no key. All are permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKey {
    Malformed,
    /// An empty `p=` (RFC 6376 §3.6.1).
    Revoked,
    /// `h=` or `s=` shuts this use out.
    NotForThis,
}

impl NoKey {
    pub fn words(self) -> &'static str {
        match self {
            Self::Malformed => "key record is malformed",
            Self::Revoked => "key was revoked",
            Self::NotForThis => "key is not for this use",
        }
    }
}

/// Reads a TXT record as a key record.
pub fn parse(text: &[u8]) -> Result<KeyRecord, NoKey> {
    let tags = Tags::parse(text).ok_or(NoKey::Malformed)?;
    // RFC 6376 §3.6.1: v= is optional, but if there it is the first and is "DKIM1".
    let version_good = match tags.value("v") {
        Some(_) => tags.first() == Some(("v", "DKIM1")),
        None => true,
    };
    if !version_good {
        return Err(NoKey::Malformed);
    }
    let hashes_good = tags.words("h").is_none_or(|mut words| words.any(|word| word == "sha256"));
    let is_mail = |word: &str| word == "*" || word == "email";
    let is_for_mail = tags.words("s").is_none_or(|mut words| words.any(is_mail));
    let is_for_reports = tags.words("s").is_some_and(|mut words| words.any(|w| w == "tlsrpt"));
    if !hashes_good || !(is_for_mail || is_for_reports) {
        return Err(NoKey::NotForThis);
    }
    if tags.value("p").ok_or(NoKey::Malformed)?.is_empty() {
        return Err(NoKey::Revoked);
    }
    let octets = tags.base64("p").ok_or(NoKey::Malformed)?;
    let key = match tags.value("k").unwrap_or("rsa") {
        "rsa" => rsa(&octets).ok_or(NoKey::Malformed)?,
        "ed25519" if octets.len() == 32 => PublicKey::Ed25519(octets),
        "ed25519" => return Err(NoKey::Malformed),
        _ => return Err(NoKey::NotForThis),
    };
    let flag = |wanted: &str| tags.words("t").is_some_and(|mut words| words.any(|w| w == wanted));
    let (exact_domain, testing) = (flag("s"), flag("y"));
    Ok(KeyRecord { key, exact_domain, testing, only_reports: !is_for_mail })
}

impl PublicKey {
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Rsa { .. } => KeyKind::Rsa,
            Self::Ed25519(_) => KeyKind::Ed25519,
        }
    }

    /// Bits of an RSA modulus; 256 for Ed25519.
    pub fn bits(&self) -> usize {
        match self {
            Self::Rsa { modulus, .. } => {
                let leading = modulus.first().map_or(0, |first| first.leading_zeros() as usize);
                (modulus.len() * 8).saturating_sub(leading)
            }
            Self::Ed25519(_) => 256,
        }
    }

    /// Whether the key is of a size that counts (RFC 8301 §3.2).
    pub fn is_strong_enough(&self) -> bool {
        match self {
            Self::Rsa { .. } => (RSA_BITS_LEAST..=RSA_BITS_MOST).contains(&self.bits()),
            Self::Ed25519(_) => true,
        }
    }

    /// Whether `signature` is this key's over the SHA-256 of `signed`.
    pub fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { modulus, exponent } => RsaPublicKeyComponents { n: modulus, e: exponent }
                .verify(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, signed, signature)
                .is_ok(),
            // RFC 8463 §3: PureEdDSA over the SHA-256 of the canonical header.
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key)
                .verify(digest(&SHA256, signed).as_ref(), signature)
                .is_ok(),
        }
    }
}

/// A SubjectPublicKeyInfo, or a bare RSAPublicKey as the text of RFC 6376 §3.6.1 has it.
fn rsa(der: &[u8]) -> Option<PublicKey> {
    let mut inside = Cursor::new(element(&mut Cursor::new(der), 0x30)?);
    if inside.peek() == Some(0x30) {
        let mut algorithm = Cursor::new(element(&mut inside, 0x30)?);
        if element(&mut algorithm, 0x06)? != RSA_ENCRYPTION {
            return None;
        }
        let bits = element(&mut inside, 0x03)?.strip_prefix(&[0])?;
        inside = Cursor::new(element(&mut Cursor::new(bits), 0x30)?);
    }
    let modulus = positive(element(&mut inside, 0x02)?)?;
    let exponent = positive(element(&mut inside, 0x02)?)?;
    Some(PublicKey::Rsa { modulus, exponent })
}

/// One DER element of the wanted kind: its contents.
fn element<'a>(cursor: &mut Cursor<'a>, wanted: u8) -> Option<&'a [u8]> {
    if !cursor.eat(wanted) {
        return None;
    }
    let length = match cursor.next()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(cursor.next()?),
        0x82 => usize::from(cursor.next()?) << 8 | usize::from(cursor.next()?),
        _ => return None,
    };
    cursor.take(length)
}

/// A positive INTEGER without its leading zeros, which aws-lc would refuse.
fn positive(octets: &[u8]) -> Option<Vec<u8>> {
    let start = octets.iter().position(|octet| *octet != 0)?;
    let negative = octets.first().is_some_and(|first| first & 0x80 != 0);
    let digits = octets.get(start..)?;
    (!negative).then(|| digits.to_vec())
}
