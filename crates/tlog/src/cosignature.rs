//! A second pair of eyes: timestamped cosignatures of witnesses and mirrors (C2SP
//! tlog-cosignature, `cosignature/v1`).

use crate::note::{Note, NoteSignature, decode_key, encode_key, is_key_name, key_id};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

/// Signature type of `cosignature/v1` with Ed25519.
const COSIGNATURE: u8 = 0x04;

/// The octets that are signed: the time is bound to the checkpoint.
fn message(seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

/// Cosigns checkpoints. The key wipes itself when dropped.
pub struct Cosigner {
    name: String,
    key: SigningKey,
}

impl Cosigner {
    /// `seed` is 32 octets from the system's generator. `None` if the name may not name a key.
    pub fn new(name: &str, seed: &[u8; 32]) -> Option<Self> {
        is_key_name(name).then(|| Self { name: name.to_owned(), key: SigningKey::from_bytes(seed) })
    }

    pub fn public(&self) -> CosignerKey {
        CosignerKey::from_key(&self.name, self.key.verifying_key())
    }

    /// Signs a checkpoint's text (without signatures) at `seconds` since 1970.
    pub fn cosign(&self, seconds: u64, text: &str) -> NoteSignature {
        let mut bytes = seconds.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.key.sign(message(seconds, text).as_bytes()).to_bytes());
        NoteSignature { name: self.name.clone(), key_id: self.public().key_id, bytes }
    }
}

/// Whom we believe to have cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignerKey {
    pub name: String,
    pub key_id: [u8; 4],
    key: VerifyingKey,
}

impl CosignerKey {
    /// `None` if the name may not name a key or the octets are no key.
    pub fn new(name: &str, key: &[u8; 32]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(key).ok()?;
        is_key_name(name).then(|| Self::from_key(name, key))
    }

    fn from_key(name: &str, key: VerifyingKey) -> Self {
        Self { name: name.to_owned(), key_id: key_id(name, COSIGNATURE, key.as_bytes()), key }
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (name, key) = decode_key(text, COSIGNATURE)?;
        Some(Self::from_key(&name, key))
    }

    pub fn to_text(&self) -> String {
        encode_key(&self.name, COSIGNATURE, &self.key)
    }

    pub fn key_bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The time in seconds at which this key cosigned `text`, if `line` says so truly.
    pub fn time_of(&self, text: &str, line: &NoteSignature) -> Option<u64> {
        if line.name != self.name || line.key_id != self.key_id {
            return None;
        }
        let (seconds, signature) = line.bytes.split_first_chunk::<8>()?;
        let seconds = u64::from_be_bytes(*seconds);
        let signature = Signature::from_bytes(signature.try_into().ok()?);
        let message = message(seconds, text);
        self.key.verify_strict(message.as_bytes(), &signature).ok().map(|()| seconds)
    }

    /// The latest time at which this key cosigned the note.
    pub fn cosigned(&self, note: &Note) -> Option<u64> {
        note.signatures.iter().filter_map(|line| self.time_of(&note.text, line)).max()
    }
}
