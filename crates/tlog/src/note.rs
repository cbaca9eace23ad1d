//! Signed notes (C2SP signed-note): a text, an empty line, and a line for each signature.

use data_encoding::BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// A longer note is not read: a checkpoint with every signature allowed below stays under it.
pub const NOTE_BYTES: usize = 64 * 1024;
/// Signatures that are read; C2SP lets a reader set a bound. More than any quorum of mirrors.
const NOTE_SIGNATURES: usize = 32;
/// One signature decoded; ML-DSA-44 has 2,420 octets.
const SIGNATURE_BYTES: usize = 4_096;
/// Signature types as C2SP numbers them.
pub(crate) const ED25519: u8 = 0x01;
const DASH: &str = "\u{2014} ";

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    pub name: String,
    pub key_id: [u8; 4],
    pub bytes: Vec<u8>,
}

impl NoteSignature {
    /// The line with its end.
    pub fn to_line(&self) -> String {
        let mut signature = self.key_id.to_vec();
        signature.extend_from_slice(&self.bytes);
        format!("{DASH}{} {}\n", self.name, BASE64.encode(&signature))
    }

    /// Reads one line without its end.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix(DASH)?.split_once(' ')?;
        if !is_key_name(name) || signature.len() > SIGNATURE_BYTES * 2 {
            return None;
        }
        let signature = BASE64.decode(signature.as_bytes()).ok()?;
        let (key_id, bytes) = signature.split_first_chunk::<4>()?;
        (!bytes.is_empty()).then(|| Self {
            name: name.to_owned(),
            key_id: *key_id,
            bytes: bytes.to_vec(),
        })
    }
}

/// A text and who signed it. Nothing is verified by reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Ends with a line end; the signatures are over exactly these octets.
    pub text: String,
    pub signatures: Vec<NoteSignature>,
}

impl Note {
    pub fn to_text(&self) -> String {
        let lines: String = self.signatures.iter().map(NoteSignature::to_line).collect();
        format!("{}\n{lines}", self.text)
    }

    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > NOTE_BYTES {
            return None;
        }
        let whole = std::str::from_utf8(bytes).ok().filter(|text| is_note_text(text))?;
        // The last empty line divides: the text may contain empty lines of its own.
        let (text, signatures) = whole.rsplit_once("\n\n")?;
        let signatures = signatures.strip_suffix('\n')?;
        if signatures.split('\n').count() > NOTE_SIGNATURES {
            return None;
        }
        let signatures = signatures.split('\n').map(NoteSignature::parse);
        Some(Self { text: format!("{text}\n"), signatures: signatures.collect::<Option<_>>()? })
    }

    /// Whether `key` signed this text. A false signature under its name and id counts as none,
    /// even beside a true one (C2SP signed-note, "Verification").
    #[must_use]
    pub fn is_signed_by(&self, key: &NoteVerifier) -> bool {
        let mut own = self
            .signatures
            .iter()
            .filter(|line| line.name == key.name && line.key_id == key.key_id)
            .peekable();
        own.peek().is_some() && own.all(|line| key.accepts(&self.text, &line.bytes))
    }
}

/// What may stand in a note: UTF-8 without control characters but the line end.
pub(crate) fn is_note_text(text: &str) -> bool {
    text.bytes().all(|byte| byte >= 0x20 || byte == b'\n')
}

/// Key names are not empty and hold neither space nor plus.
pub(crate) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|one| one.is_whitespace() || one == '+')
}

/// SHA-256(name, line end, type, key), its first four octets.
pub(crate) fn key_id(name: &str, kind: u8, key: &[u8; 32]) -> [u8; 4] {
    let digest =
        Sha256::new_with_prefix(name).chain_update([b'\n', kind]).chain_update(key).finalize();
    let [a, b, c, d, ..] = <[u8; 32]>::from(digest);
    [a, b, c, d]
}

/// `name+hexid+base64(type, key)`, the way C2SP prints public keys.
pub(crate) fn encode_key(name: &str, kind: u8, key: &VerifyingKey) -> String {
    let id = u32::from_be_bytes(key_id(name, kind, key.as_bytes()));
    let mut bytes = vec![kind];
    bytes.extend_from_slice(key.as_bytes());
    format!("{name}+{id:08x}+{}", BASE64.encode(&bytes))
}

/// Reads a printed public key of type `kind`; the id must be the right one.
pub(crate) fn decode_key(text: &str, kind: u8) -> Option<(String, VerifyingKey)> {
    let mut fields = text.splitn(3, '+');
    let (name, id, key) = (fields.next()?, fields.next()?, fields.next()?);
    if !is_key_name(name) || key.len() != 44 {
        return None;
    }
    let bytes = BASE64.decode(key.as_bytes()).ok()?;
    let key = match bytes.split_first()? {
        (first, rest) if *first == kind => VerifyingKey::from_bytes(rest.try_into().ok()?).ok()?,
        _ => return None,
    };
    (encode_key(name, kind, &key) == format!("{name}+{id}+{}", BASE64.encode(&bytes)))
        .then(|| (name.to_owned(), key))
}

/// A name and a public key that signs notes with plain Ed25519.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteVerifier {
    pub name: String,
    pub key_id: [u8; 4],
    key: VerifyingKey,
}

impl NoteVerifier {
    /// `None` if the name may not name a key or the octets are no key.
    pub fn new(name: &str, key: &[u8; 32]) -> Option<Self> {
        let verifying = VerifyingKey::from_bytes(key).ok()?;
        is_key_name(name).then(|| Self {
            name: name.to_owned(),
            key_id: key_id(name, ED25519, key),
            key: verifying,
        })
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (name, key) = decode_key(text, ED25519)?;
        Self::new(&name, key.as_bytes())
    }

    pub fn to_text(&self) -> String {
        encode_key(&self.name, ED25519, &self.key)
    }

    pub fn key_bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    fn accepts(&self, text: &str, signature: &[u8]) -> bool {
        let Ok(signature) = <&[u8; 64]>::try_from(signature) else {
            return false;
        };
        self.key.verify_strict(text.as_bytes(), &Signature::from_bytes(signature)).is_ok()
    }
}

/// Signs notes. The key wipes itself when dropped.
pub struct NoteSigner {
    name: String,
    key: SigningKey,
}

impl NoteSigner {
    /// `seed` is 32 octets from the system's generator. `None` if the name may not name a key.
    pub fn new(name: &str, seed: &[u8; 32]) -> Option<Self> {
        is_key_name(name).then(|| Self { name: name.to_owned(), key: SigningKey::from_bytes(seed) })
    }

    pub fn verifier(&self) -> NoteVerifier {
        let key = self.key.verifying_key();
        NoteVerifier {
            name: self.name.clone(),
            key_id: key_id(&self.name, ED25519, key.as_bytes()),
            key,
        }
    }

    /// `text` must end with a line end, as a checkpoint's does.
    pub fn sign(&self, text: &str) -> NoteSignature {
        NoteSignature {
            name: self.name.clone(),
            key_id: key_id(&self.name, ED25519, self.key.verifying_key().as_bytes()),
            bytes: self.key.sign(text.as_bytes()).to_bytes().to_vec(),
        }
    }
}
