//! A private half, and opening what was wrapped to its public half (RFC 9180, base mode).

use crate::cipher;
use p256::elliptic_curve::sec1::ToSec1Point;
use sealed::{
    Fault, MessageKey, PublicKey, Schedule, Secret, Suite, WrapContext, Wrapped, schedule,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use x25519_dalek::StaticSecret;

/// Both wipe themselves when dropped.
enum Private {
    P256(p256::SecretKey),
    X25519(StaticSecret),
}

/// One pair of one epoch. The public half is kept, so that opening costs one multiplication.
pub struct Pair {
    private: Private,
    public: PublicKey,
    /// What was agreed with senders who wrap in company, by encapsulation and info.
    agreed: Mutex<HashMap<Vec<u8>, Arc<Schedule>>>,
}

/// Senders remembered for one pair: those who write now. One that is forgotten costs one
/// multiplication.
const AGREED: usize = 512;

/// Tries before giving up on making a P-256 scalar: one in 2^32 draws is out of range.
const DRAWS: usize = 8;

impl Pair {
    pub(crate) fn make(suite: Suite, epoch: u32) -> Result<(PublicKey, Secret), Fault> {
        for _ in 0..DRAWS {
            let secret = cipher::random_secret()?;
            if let Ok(private) = Private::new(suite, &secret) {
                return PublicKey::new(suite, epoch, &private.point()).map(|key| (key, secret));
            }
        }
        Err(Fault::NoRandomness)
    }

    /// `public` must have been bound to `secret` when it was stored.
    pub(crate) fn new(public: PublicKey, secret: &Secret) -> Result<Self, Fault> {
        let (private, agreed) = (Private::new(public.suite(), secret)?, Mutex::default());
        Ok(Self { private, public, agreed })
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Opens a wrapped message key; refused for any other pair, epoch or context.
    pub fn open(&self, wrapped: &Wrapped, context: &WrapContext) -> Result<MessageKey, Fault> {
        let share = &wrapped.share;
        if share.suite != self.public.suite() || share.epoch != self.public.epoch() {
            return Err(Fault::Refused);
        }
        let info = context.info(share.epoch);
        if let Some(nonce) = &share.company {
            let agreed = self.agreed_with(&share.enc, &info)?;
            let own = agreed.export(&context.exporter());
            let opened = cipher::open(&own, nonce, &context.associated(), &share.sealed);
            return opened.map(MessageKey::new);
        }
        self.open_one(&share.enc, &info, &context.associated(), &share.sealed).map(MessageKey::new)
    }

    fn agreed_with(&self, enc: &[u8], info: &[u8]) -> Result<Arc<Schedule>, Fault> {
        let name = [enc, info].concat();
        if let Some(agreed) = self.remembered().get(&name) {
            return Ok(agreed.clone());
        }
        let dh = self.private.agree(enc)?;
        let agreed = schedule(self.public.suite(), &dh, enc, self.public.point(), info);
        let agreed = Arc::new(agreed);
        let mut remembered = self.remembered();
        if remembered.len() >= AGREED {
            remembered.clear();
        }
        remembered.insert(name, agreed.clone());
        Ok(agreed)
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Arc<Schedule>>> {
        self.agreed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// RFC 9180 §6.1: single-shot `OpenBase`, of a plaintext of 32 octets.
    fn open_one(
        &self,
        enc: &[u8],
        info: &[u8],
        associated: &[u8],
        sealed: &[u8],
    ) -> Result<Secret, Fault> {
        let dh = self.private.agree(enc)?;
        let context = schedule(self.public.suite(), &dh, enc, self.public.point(), info);
        cipher::open(&context.key, &context.nonce, associated, sealed)
    }
}

/// An ephemeral pair made for one encapsulation: the encapsulated key and the agreed value.
pub(crate) fn encapsulate(public: &PublicKey) -> Result<(Vec<u8>, Secret), Fault> {
    let (ephemeral, secret) = Pair::make(public.suite(), 0)?;
    let dh = Private::new(public.suite(), &secret)?.agree(public.point())?;
    Ok((ephemeral.point().to_vec(), dh))
}

impl Private {
    fn new(suite: Suite, secret: &Secret) -> Result<Self, Fault> {
        let bytes = secret.dangerous_expose();
        match suite {
            Suite::P256 => p256::SecretKey::from_slice(bytes)
                .map(Self::P256)
                .map_err(|_| Fault::Shape { shape: "private key" }),
            Suite::X25519 => Ok(Self::X25519(StaticSecret::from(*bytes))),
        }
    }

    fn point(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => key.public_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::X25519(key) => x25519_dalek::PublicKey::from(key).as_bytes().to_vec(),
        }
    }

    /// RFC 9180 §7.1.4: the peer's point is validated, and an all-zero X25519 value refused.
    fn agree(&self, point: &[u8]) -> Result<Secret, Fault> {
        match self {
            Self::P256(key) => {
                let uncompressed = point.len() == 65 && point.first() == Some(&4);
                let peer = p256::PublicKey::from_sec1_bytes(point).ok().filter(|_| uncompressed);
                let shared = key.diffie_hellman(&peer.ok_or(Fault::PublicKey)?);
                Secret::from_slice(shared.raw_secret_bytes()).ok_or(Fault::PublicKey)
            }
            Self::X25519(key) => {
                let point: [u8; 32] = point.try_into().map_err(|_| Fault::PublicKey)?;
                let shared = key.diffie_hellman(&x25519_dalek::PublicKey::from(point));
                let contributory = shared.was_contributory();
                Some(Secret::new(shared.to_bytes()))
                    .filter(|_| contributory)
                    .ok_or(Fault::PublicKey)
            }
        }
    }
}

/// What two sides agree on, for the vectors of others.
#[cfg(test)]
pub(crate) fn agreed(suite: Suite, private: &[u8], point: &[u8]) -> Option<Vec<u8>> {
    let private = Private::new(suite, &Secret::from_slice(private)?).ok()?;
    private.agree(point).ok().map(|secret| secret.dangerous_expose().to_vec())
}

#[cfg(test)]
pub(crate) fn open_vector(
    suite: Suite,
    private: &[u8],
    enc: &[u8],
    info: &[u8],
    associated: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, Fault> {
    use aes_gcm::aead::{Aead, KeyInit, Payload};
    let private = Private::new(suite, &Secret::from_slice(private).unwrap())?;
    let dh = private.agree(enc)?;
    let context = schedule(suite, &dh, enc, &private.point(), info);
    let cipher = aes_gcm::Aes256Gcm::new(&(*context.key.dangerous_expose()).into());
    let payload = Payload { msg: sealed, aad: associated };
    cipher.decrypt(&context.nonce.into(), payload).map_err(|_| Fault::Refused)
}
