//! The key schedule of HPKE (RFC 9180), base mode: what is common to sealing and opening.
//!
//! The Diffie-Hellman value comes from the caller's engine; what leaves is the key, the nonce of
//! the one message that a context seals, and the secret for exports.

use crate::{KEY_BYTES, Secret, Suite};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// RFC 9180 §7.2: HKDF-SHA256.
const KDF_ID: u16 = 0x0001;
/// RFC 9180 §7.3: AES-256-GCM.
const AEAD_ID: u16 = 0x0002;
const BASE_MODE: u8 = 0x00;
const NONCE_BYTES: usize = 12;
const HASH_BYTES: usize = 32;

/// One context that seals or opens one message (sequence number 0) or exports one secret.
pub struct Schedule {
    /// The AES-256-GCM key.
    pub key: Secret,
    /// The base nonce, which is the nonce of sequence number 0.
    pub nonce: [u8; NONCE_BYTES],
    exporter: Secret,
    suite: Suite,
}

impl Schedule {
    /// RFC 9180 §5.3: `Context.Export(exporter_context, 32)`.
    pub fn export(&self, exporter_context: &[u8]) -> Secret {
        let suite_id = hpke_suite_id(self.suite);
        expand(&suite_id, self.exporter.dangerous_expose(), b"sec", exporter_context)
    }
}

/// RFC 9180 §4.1 (`ExtractAndExpand`) and §5.1 (`KeySchedule`, base mode).
///
/// `dh` is the Diffie-Hellman value (RFC 9180 §7.1.3: 32 octets for both suites), `enc` the
/// encapsulated key, `recipient` the recipient's point.
pub fn schedule(suite: Suite, dh: &Secret, enc: &[u8], recipient: &[u8], info: &[u8]) -> Schedule {
    let shared = shared_secret(suite, dh, enc, recipient);
    let suite_id = hpke_suite_id(suite);
    let psk_id_hash = extract(&suite_id, &[], b"psk_id_hash", &[]);
    let info_hash = extract(&suite_id, &[], b"info_hash", info);
    let mut context = Vec::with_capacity(1 + 2 * HASH_BYTES);
    context.push(BASE_MODE);
    context.extend_from_slice(psk_id_hash.as_slice());
    context.extend_from_slice(info_hash.as_slice());
    let secret = extract(&suite_id, shared.dangerous_expose(), b"secret", &[]);
    let mut nonce = [0u8; NONCE_BYTES];
    expand_into(&suite_id, secret.as_slice(), b"base_nonce", &context, &mut nonce);
    Schedule {
        key: expand(&suite_id, secret.as_slice(), b"key", &context),
        nonce,
        exporter: expand(&suite_id, secret.as_slice(), b"exp", &context),
        suite,
    }
}

/// RFC 9180 §4.1: the KEM's own suite id, then `eae_prk` and `shared_secret`.
pub(crate) fn shared_secret(suite: Suite, dh: &Secret, enc: &[u8], recipient: &[u8]) -> Secret {
    let [high, low] = suite.kem_id().to_be_bytes();
    let suite_id = [b'K', b'E', b'M', high, low];
    let prk = extract(&suite_id, &[], b"eae_prk", dh.dangerous_expose());
    let mut kem_context = Vec::with_capacity(enc.len() + recipient.len());
    kem_context.extend_from_slice(enc);
    kem_context.extend_from_slice(recipient);
    expand(&suite_id, prk.as_slice(), b"shared_secret", &kem_context)
}

fn hpke_suite_id(suite: Suite) -> [u8; 10] {
    let [kem_high, kem_low] = suite.kem_id().to_be_bytes();
    let [kdf_high, kdf_low] = KDF_ID.to_be_bytes();
    let [aead_high, aead_low] = AEAD_ID.to_be_bytes();
    [b'H', b'P', b'K', b'E', kem_high, kem_low, kdf_high, kdf_low, aead_high, aead_low]
}

/// RFC 9180 §4: `LabeledExtract`.
fn extract(suite_id: &[u8], salt: &[u8], label: &[u8], input: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut labelled = Zeroizing::new(Vec::with_capacity(64 + label.len() + input.len()));
    labelled.extend_from_slice(b"HPKE-v1");
    labelled.extend_from_slice(suite_id);
    labelled.extend_from_slice(label);
    labelled.extend_from_slice(input);
    let (prk, _) = Hkdf::<Sha256>::extract(Some(salt), &labelled);
    Zeroizing::new(prk.to_vec())
}

fn expand(suite_id: &[u8], prk: &[u8], label: &[u8], info: &[u8]) -> Secret {
    let mut out = Zeroizing::new([0u8; KEY_BYTES]);
    expand_into(suite_id, prk, label, info, out.as_mut_slice());
    Secret::new(*out)
}

/// RFC 9180 §4: `LabeledExpand`. Every length here is at most 32 and every `prk` is 32 octets,
/// which HKDF-SHA256 never refuses; were it to, the output would be the hash of the input and
/// nothing would open.
fn expand_into(suite_id: &[u8], prk: &[u8], label: &[u8], info: &[u8], out: &mut [u8]) {
    let length = u16::try_from(out.len()).unwrap_or(0).to_be_bytes();
    let parts: [&[u8]; 5] = [&length, b"HPKE-v1", suite_id, label, info];
    let expanded = Hkdf::<Sha256>::from_prk(prk)
        .ok()
        .and_then(|hkdf| hkdf.expand_multi_info(&parts, out).ok());
    if expanded.is_none() {
        let hash = Sha256::digest(prk);
        out.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    }
}
