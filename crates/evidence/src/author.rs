//! Signing by authors, and reading what they signed. A frame is an entry and 64 octets more.

use crate::body::Body;
use crate::entry::{ENTRY_BYTES, Entry};
use crate::item::PublicKey;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use sha2::{Digest, Sha512};
use terms::{InstanceId, Kind};

pub const SIGNATURE_BYTES: usize = 64;

/// One start of a compartment that writes entries. The key lives and dies with it.
pub struct Author {
    kind: Kind,
    start: InstanceId,
    next_seq: u64,
    key: SigningKey,
}

impl Author {
    /// `seed` is 32 octets from the system's generator, used for nothing else.
    pub fn new(kind: Kind, start: InstanceId, seed: &[u8; 32]) -> Self {
        Self { kind, start, next_seq: 0, key: SigningKey::from_bytes(seed) }
    }

    pub fn start(&self) -> InstanceId {
        self.start
    }

    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.key.verifying_key().to_bytes())
    }

    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The next frame of the series. `None` if the entry is too long; the number is not used then.
    pub fn sign(&mut self, time_ms: u64, body: Body) -> Option<Vec<u8>> {
        let (author, start, seq) = (self.kind, self.start, self.next_seq);
        let mut frame = Entry { author, start, seq, time_ms, body }.encode()?;
        let signature = self.key.sign(&frame);
        frame.extend_from_slice(&signature.to_bytes());
        self.next_seq += 1;
        Some(frame)
    }
}

/// An entry as it was signed.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    pub entry: Entry,
    pub cbor: &'a [u8],
    signature: &'a [u8; SIGNATURE_BYTES],
}

impl<'a> Frame<'a> {
    /// Reads a frame. Nothing is verified by reading it.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > ENTRY_BYTES + SIGNATURE_BYTES {
            return None;
        }
        let (cbor, signature) = bytes.split_last_chunk::<SIGNATURE_BYTES>()?;
        Some(Self { entry: Entry::decode(cbor)?, cbor, signature })
    }

    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        AuthorKey::new(key).is_some_and(|key| self.is_signed_with(&key))
    }

    /// As `is_signed_by`, with a key that was unpacked before: a third of the work less.
    #[must_use]
    pub fn is_signed_with(&self, key: &AuthorKey) -> bool {
        let signature = Signature::from_bytes(self.signature);
        key.0.verify(self.cbor, &signature).is_ok()
    }
}

/// A public key, unpacked and found sound once.
#[derive(Clone, Debug)]
pub struct AuthorKey(VerifyingKey);

impl AuthorKey {
    /// `None` for what is no key, or a key under which anybody can sign.
    pub fn new(key: &PublicKey) -> Option<Self> {
        let key = VerifyingKey::from_bytes(&key.0).ok()?;
        (!key.is_weak()).then_some(Self(key))
    }
}

/// Fewer signatures than this are as soon checked one by one.
const BATCH_LEAST: usize = 8;

impl AuthorKey {
    /// Whether all of these frames are signed with this key: one equation for all, a fraction of
    /// the work. After `false`, `is_signed_with` tells which is not. Only who holds the key could
    /// make a signature on which the two differ.
    #[must_use]
    pub fn signed_all(&self, frames: &[Frame]) -> bool {
        match frames.len() < BATCH_LEAST {
            true => frames.iter().all(|frame| frame.is_signed_with(self)),
            false => self.sum_is_zero(frames) == Some(true),
        }
    }

    /// Σz·R + (Σz·h)·A − (Σz·s)·B, with factors z that nobody can foresee: they are drawn from a
    /// hash over everything that is checked.
    fn sum_is_zero(&self, frames: &[Frame]) -> Option<bool> {
        let key = self.0.as_bytes();
        let mut all = Sha512::new_with_prefix(b"sekisho/evidence batch\n");
        let mut parts = Vec::with_capacity(frames.len());
        for Frame { cbor, signature, .. } in frames {
            let (r, s) = signature.split_first_chunk::<32>()?;
            let s = s.first_chunk::<32>()?;
            let hash = Sha512::new_with_prefix(r).chain_update(key).chain_update(cbor).finalize();
            all.update(hash);
            all.update(s);
            let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(*s))?;
            let h = Scalar::from_bytes_mod_order_wide(&hash.into());
            parts.push((CompressedEdwardsY(*r).decompress()?, h, s));
        }
        let seed = all.finalize();
        let (mut of_key, mut of_base) = (Scalar::ZERO, Scalar::ZERO);
        let mut scalars = Vec::with_capacity(parts.len() + 2);
        let mut points = Vec::with_capacity(parts.len() + 2);
        for (number, (r, h, s)) in (0u64..).zip(&parts) {
            let drawn = Sha512::new_with_prefix(seed).chain_update(number.to_le_bytes()).finalize();
            let z = Scalar::from(u128::from_le_bytes(*drawn.first_chunk::<16>()?));
            of_key += z * h;
            of_base -= z * s;
            scalars.push(z);
            points.push(*r);
        }
        scalars.extend([of_key, of_base]);
        points.extend([self.0.to_edwards(), curve25519_dalek::constants::ED25519_BASEPOINT_POINT]);
        Some(EdwardsPoint::vartime_multiscalar_mul(scalars, points).is_identity())
    }
}
