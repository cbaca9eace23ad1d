//! The vault's word: statements signed, and people's secrets compared without being kept.

use crate::RootKey;
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use sealed::{Fault, Secret};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Signs statements (Ed25519). Derived from the root: the same after every restart.
pub struct StatementKey(SigningKey);

impl StatementKey {
    pub fn new(root: &RootKey) -> Result<Self, Fault> {
        let seed = root.derive("statement key", &[])?;
        Ok(Self(SigningKey::from_bytes(seed.dangerous_expose())))
    }

    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs `domain` followed by `bytes`.
    pub fn sign(&self, domain: &[u8], bytes: &[u8]) -> [u8; 64] {
        self.0.sign(&[domain, bytes].concat()).to_bytes()
    }
}

/// Turns digests of secrets into verifiers that are worthless without this key.
pub struct SecretsKey(Secret);

impl SecretsKey {
    pub fn new(root: &RootKey) -> Result<Self, Fault> {
        Self::of(root, "secrets of people")
    }

    /// A key of its own, for another use than people's secrets.
    pub fn of(root: &RootKey, use_of_it: &str) -> Result<Self, Fault> {
        root.derive(use_of_it, &[]).map(Self)
    }

    /// The same key, for another holder.
    pub fn again(&self) -> Self {
        Self(Secret::new(*self.0.dangerous_expose()))
    }

    /// HMAC-SHA256 over the purpose, its length, and the digest.
    pub fn verifier(&self, purpose: &str, digest: &[u8]) -> Result<[u8; 32], Fault> {
        let shape = Fault::Shape { shape: "purpose" };
        let length = u8::try_from(purpose.len()).map_err(|_| shape)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.dangerous_expose())
            .map_err(|_| Fault::Refused)?;
        mac.update(&[length]);
        mac.update(purpose.as_bytes());
        mac.update(digest);
        Ok(mac.finalize().into_bytes().into())
    }

    /// Whether `digest` makes `verifier`, in constant time.
    pub fn same(&self, purpose: &str, digest: &[u8], verifier: &[u8]) -> bool {
        self.verifier(purpose, digest).is_ok_and(|found| bool::from(found.ct_eq(verifier)))
    }
}

/// Sums of very many short records under one key, which is taken up once. HMAC-SHA256.
#[derive(Clone)]
pub struct RecordKey(Hmac<Sha256>);

impl RecordKey {
    pub fn new(key: &SecretsKey) -> Result<Self, Fault> {
        let mac = Hmac::<Sha256>::new_from_slice(key.0.dangerous_expose());
        mac.map(Self).map_err(|_| Fault::Refused)
    }

    pub fn sum(&self, parts: [&[u8]; 3]) -> [u8; 32] {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}
