//! AES-256-GCM over short secrets, and randomness.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use sealed::{Fault, KEY_BYTES, Secret};
use zeroize::{Zeroize, Zeroizing};

pub(crate) const NONCE_BYTES: usize = 12;

pub(crate) fn random<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).map_err(|_| Fault::NoRandomness)?;
    Ok(bytes)
}

pub(crate) fn random_secret() -> Result<Secret, Fault> {
    let mut bytes = random::<KEY_BYTES>()?;
    let secret = Secret::new(bytes);
    bytes.zeroize();
    Ok(secret)
}

pub(crate) fn seal(
    key: &Secret,
    nonce: &[u8; NONCE_BYTES],
    associated: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, Fault> {
    cipher(key)
        .encrypt(&Nonce::from(*nonce), Payload { msg: plain, aad: associated })
        .map_err(|_| Fault::Refused)
}

pub(crate) fn open(
    key: &Secret,
    nonce: &[u8; NONCE_BYTES],
    associated: &[u8],
    sealed: &[u8],
) -> Result<Secret, Fault> {
    Secret::from_slice(&open_octets(key, nonce, associated, sealed)?).ok_or(Fault::Refused)
}

pub(crate) fn open_octets(
    key: &Secret,
    nonce: &[u8; NONCE_BYTES],
    associated: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    cipher(key)
        .decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: associated })
        .map(Zeroizing::new)
        .map_err(|_| Fault::Refused)
}

fn cipher(key: &Secret) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key.dangerous_expose()))
}
