//! Cosignatures that a quantum computer does not forge: ML-DSA-44 (C2SP tlog-cosignature, type
//! 0x06). They bind the cosigner's name, and sign subtrees too.

use data_encoding::BASE64;
use ml_dsa::signature::Keypair;
use ml_dsa::{EncodedSignature, EncodedVerifyingKey, MlDsa44, Signature, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use tlog::{Checkpoint, Hash, Note, NoteSignature};

const SORT: u8 = 0x06;
const LABEL: &[u8; 12] = b"subtree/v1\n\0";
/// Octets of a public key and of a signature (FIPS 204, ML-DSA-44).
const KEY_BYTES: usize = 1_312;
const SIGNATURE_BYTES: usize = 2_420;
/// What no key of another sort is made with.
const BESIDE: &[u8] = b"sekisho cosigner ml-dsa-44\n";
/// Names stand in the message with their length in one octet.
const NAME_BYTES: usize = 255;

/// `None` if a name does not fit.
fn message(
    cosigner: &str,
    seconds: u64,
    origin: &str,
    (start, end): (u64, u64),
    hash: &Hash,
) -> Option<Vec<u8>> {
    let mut to = LABEL.to_vec();
    let put = |to: &mut Vec<u8>, name: &str| {
        let length = u8::try_from(name.len()).ok().filter(|length| *length > 0)?;
        to.push(length);
        to.extend_from_slice(name.as_bytes());
        Some(())
    };
    put(&mut to, cosigner)?;
    to.extend_from_slice(&seconds.to_be_bytes());
    put(&mut to, origin)?;
    to.extend_from_slice(&start.to_be_bytes());
    to.extend_from_slice(&end.to_be_bytes());
    to.extend_from_slice(&hash.0);
    Some(to)
}

fn is_name(name: &str) -> bool {
    let odd = |one: char| one.is_whitespace() || one == '+';
    !name.is_empty() && name.len() <= NAME_BYTES && !name.chars().any(odd)
}

fn key_id(name: &str, key: &[u8]) -> [u8; 4] {
    let hash = Sha256::new_with_prefix(name).chain_update([b'\n', SORT]).chain_update(key);
    let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
    [a, b, c, d]
}

/// Cosigns. The key wipes itself when dropped.
pub struct LatticeCosigner {
    name: String,
    key: SigningKey<MlDsa44>,
}

impl LatticeCosigner {
    /// `seed` is 32 octets from the system's generator. `None` if the name may not name a key.
    pub fn new(name: &str, seed: &[u8; 32]) -> Option<Self> {
        let key = SigningKey::<MlDsa44>::from_seed(&(*seed).into());
        is_name(name).then(|| Self { name: name.to_owned(), key })
    }

    /// Beside another key of the same cosigner's, from whose seed this one's is made: there is one
    /// secret to keep. Nobody learns the one from what the other signs.
    pub fn beside(name: &str, other: &[u8; 32]) -> Option<Self> {
        let seed = Sha256::new_with_prefix(BESIDE).chain_update(other).finalize();
        Self::new(name, &seed.into())
    }

    pub fn public(&self) -> LatticeKey {
        LatticeKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// Signs a checkpoint as the largest one seen at `seconds` since 1970.
    pub fn cosign(&self, seconds: u64, checkpoint: &Checkpoint) -> Option<NoteSignature> {
        let Checkpoint { origin, size, root, .. } = checkpoint;
        self.sign(seconds, origin, (0, *size), root)
    }

    /// Signs the subtree `start..end`; nothing is said of when.
    pub fn cosign_subtree(
        &self,
        origin: &str,
        range: (u64, u64),
        hash: &Hash,
    ) -> Option<NoteSignature> {
        self.sign(0, origin, range, hash)
    }

    fn sign(
        &self,
        seconds: u64,
        origin: &str,
        range: (u64, u64),
        hash: &Hash,
    ) -> Option<NoteSignature> {
        if seconds > i64::MAX as u64 {
            return None;
        }
        let message = message(&self.name, seconds, origin, range, hash)?;
        let signature = self.key.expanded_key().sign_deterministic(&message, &[]).ok()?;
        let mut bytes = seconds.to_be_bytes().to_vec();
        bytes.extend_from_slice(&signature.encode());
        Some(NoteSignature { name: self.name.clone(), key_id: self.public().key_id(), bytes })
    }
}

/// Whom we believe to have cosigned.
#[derive(Clone, Debug, PartialEq)]
pub struct LatticeKey {
    pub name: String,
    key: VerifyingKey<MlDsa44>,
}

impl LatticeKey {
    /// `None` if the name may not name a key or the octets are no key.
    pub fn new(name: &str, key: &[u8]) -> Option<Self> {
        if key.len() != KEY_BYTES || !is_name(name) {
            return None;
        }
        let encoded = EncodedVerifyingKey::<MlDsa44>::try_from(key).ok()?;
        Some(Self { name: name.to_owned(), key: VerifyingKey::<MlDsa44>::decode(&encoded) })
    }

    pub fn key_bytes(&self) -> Vec<u8> {
        self.key.encode().to_vec()
    }

    pub fn key_id(&self) -> [u8; 4] {
        key_id(&self.name, &self.key_bytes())
    }

    /// `name+hexid+base64(type, key)`.
    pub fn to_text(&self) -> String {
        let id = u32::from_be_bytes(self.key_id());
        let key = [&[SORT], &self.key_bytes()[..]].concat();
        format!("{}+{id:08x}+{}", self.name, BASE64.encode(&key))
    }

    /// Reads what `to_text` writes, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.splitn(3, '+');
        let (name, _, key) = (fields.next()?, fields.next()?, fields.next()?);
        if key.len() > KEY_BYTES * 2 {
            return None;
        }
        let bytes = BASE64.decode(key.as_bytes()).ok()?;
        let (sort, key) = bytes.split_first()?;
        Self::new(name, key).filter(|key| *sort == SORT && key.to_text() == text)
    }

    /// The time at which this key cosigned the checkpoint, if `line` says so truly.
    pub fn time_of(&self, checkpoint: &Checkpoint, line: &NoteSignature) -> Option<u64> {
        let Checkpoint { origin, size, root, .. } = checkpoint;
        self.verify(origin, (0, *size), root, line)
    }

    /// Whether this key signed the subtree `start..end`.
    #[must_use]
    pub fn signed_subtree(
        &self,
        origin: &str,
        range: (u64, u64),
        hash: &Hash,
        line: &NoteSignature,
    ) -> bool {
        // Of a part that does not begin at 0 no time may be claimed.
        self.verify(origin, range, hash, line).is_some_and(|time| range.0 == 0 || time == 0)
    }

    fn verify(
        &self,
        origin: &str,
        range: (u64, u64),
        hash: &Hash,
        line: &NoteSignature,
    ) -> Option<u64> {
        if line.name != self.name || line.key_id != self.key_id() {
            return None;
        }
        let (seconds, signature) = line.bytes.split_first_chunk::<8>()?;
        let seconds = u64::from_be_bytes(*seconds);
        if seconds > i64::MAX as u64 || signature.len() != SIGNATURE_BYTES {
            return None;
        }
        let encoded = EncodedSignature::<MlDsa44>::try_from(signature).ok()?;
        let signature = Signature::<MlDsa44>::decode(&encoded)?;
        let message = message(&self.name, seconds, origin, range, hash)?;
        self.key.verify_with_context(&message, &[], &signature).then_some(seconds)
    }

    /// The latest time at which this key cosigned the note.
    pub fn cosigned(&self, note: &Note) -> Option<u64> {
        let checkpoint = Checkpoint::parse(&note.text)?;
        note.signatures.iter().filter_map(|line| self.time_of(&checkpoint, line)).max()
    }
}
