//! The root under a passphrase: Argon2id stretches it, AES-256-GCM seals.
//!
//! One line: `sekisho-root-1 argon2id MEMORY_KIB PASSES LANES SALT SEALED`, the last two in
//! base32. Everything before SEALED is associated data. Lines around it are for people.

use crate::{Fault, ROOT_BYTES, Root, RootSeal, random};
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

pub(crate) const HEAD: &str = "sekisho-root-1 ";
/// RFC 9106 §4, second recommendation: 64 MiB, three passes, four lanes.
const COST: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 4 };
/// A text from elsewhere must not use up the machine.
const MOST: Cost = Cost { memory_kib: 1024 * 1024, passes: 64, lanes: 64 };
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
/// What is found in place of one that will do.
const LIMIT: &str = "one that is too short or too long: a passphrase has 12 to 1,024 characters";
/// Seven words of a dice list, or twelve characters that nobody chose.
const SHORTEST: usize = 12;
const LONGEST: usize = 1_024;

#[derive(Clone, Copy)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// A passphrase that somebody remembers.
pub struct Passphrase {
    phrase: Zeroizing<String>,
    cost: Cost,
}

impl Passphrase {
    /// Line ends around it are not part of it.
    pub fn new(phrase: &str) -> Result<Self, Fault> {
        let phrase = Zeroizing::new(phrase.trim_matches(['\r', '\n']).to_owned());
        match phrase.chars().count() {
            SHORTEST..=LONGEST => Ok(Self { phrase, cost: COST }),
            _ => Err(Fault::Limit { limit: LIMIT }),
        }
    }

    fn cipher(&self, cost: Cost, salt: &[u8]) -> Result<Aes256Gcm, Fault> {
        let Cost { memory_kib, passes, lanes } = cost;
        let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(|_| Fault::System)?;
        let mut key = Zeroizing::new([0u8; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(self.phrase.as_bytes(), salt, key.as_mut_slice())
            .map_err(|_| Fault::System)?;
        Ok(Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key)))
    }
}

impl RootSeal for Passphrase {
    fn word(&self) -> &'static str {
        "passphrase"
    }

    fn seal(&self, root: &Root) -> Result<Vec<String>, Fault> {
        let (mut salt, mut nonce) = ([0u8; SALT_BYTES], [0u8; NONCE_BYTES]);
        random(&mut salt)?;
        random(&mut nonce)?;
        let Cost { memory_kib, passes, lanes } = self.cost;
        let salt_text = BASE32_NOPAD.encode(&salt);
        let head = format!("{HEAD}argon2id {memory_kib} {passes} {lanes} {salt_text} ");
        let payload = Payload { msg: root.as_slice(), aad: head.as_bytes() };
        let sealed = self.cipher(self.cost, &salt)?.encrypt(&Nonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| Fault::System)?;
        let sealed = BASE32_NOPAD.encode(&[&nonce[..], &sealed].concat());
        Ok(vec![format!("{head}{sealed}")])
    }

    fn open(&self, kept: &[String]) -> Result<Root, Fault> {
        let text = kept.first().map(String::as_str).unwrap_or_default();
        let sealed = Sealed::read(text)
            .ok_or(Fault::Shape { expected: "a root that is sealed under a passphrase" })?;
        let cipher = self.cipher(sealed.cost, &sealed.salt)?;
        let payload = Payload { msg: &sealed.sealed, aad: sealed.head.as_bytes() };
        let root = cipher.decrypt(&Nonce::from(sealed.nonce), payload);
        let root = Zeroizing::new(root.map_err(|_| Fault::Refused)?);
        let root: [u8; ROOT_BYTES] = root.as_slice().try_into().map_err(|_| Fault::Refused)?;
        Ok(Zeroizing::new(root))
    }
}

struct Sealed {
    head: String,
    cost: Cost,
    salt: Vec<u8>,
    nonce: [u8; NONCE_BYTES],
    sealed: Vec<u8>,
}

impl Sealed {
    fn read(text: &str) -> Option<Self> {
        let line = text.lines().map(str::trim).find(|line| line.starts_with(HEAD))?;
        let (head, sealed) = line.rsplit_once(' ')?;
        let [_, "argon2id", memory_kib, passes, lanes, salt] =
            head.split(' ').collect::<Vec<_>>()[..]
        else {
            return None;
        };
        let number = |text: &str, most: u32| {
            text.parse::<u32>().ok().filter(|found| (1..=most).contains(found))
        };
        let cost = Cost {
            memory_kib: number(memory_kib, MOST.memory_kib)?,
            passes: number(passes, MOST.passes)?,
            lanes: number(lanes, MOST.lanes)?,
        };
        let salt = BASE32_NOPAD.decode(salt.as_bytes()).ok()?;
        let sealed = BASE32_NOPAD.decode(sealed.as_bytes()).ok()?;
        let (nonce, sealed) = sealed.split_first_chunk()?;
        let (head, nonce, sealed) = (format!("{head} "), *nonce, sealed.to_vec());
        Some(Self { head, cost, salt, nonce, sealed })
    }
}
