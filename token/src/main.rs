//! Seals the root by a key that never leaves a PKCS#11 token, and opens it again.
//!
//! The vendor's module is C, unknown to us, and may do anything: so it is loaded here, in a
//! process that lives for one question and holds nothing else of the house. The question comes on
//! standard input, one `word value` a line, then its end: `module` (a path), `token` and `key`
//! (labels), `pin`, `act` (`make`, `seal` or `open`), `data` (base32). The answer is one line of
//! base32.
//!
//! # Holds          the PIN and the root, for one question
//! # May ask        the token
//! # Network        what the module wants (some tokens are far away)
//! # If taken over  the root: a token's module is trusted with it
//! # Never          keeps anything; takes a secret as an argument

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use data_encoding::BASE32_NOPAD;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::process::ExitCode;
use zeroize::Zeroizing;

/// A question of a few lines.
const QUESTION_BYTES: u64 = 64 * 1024;
const NONCE_BYTES: usize = 12;
const TAG_BITS: u64 = 128;
const KEY_BYTES: u64 = 32;
const DOMAIN: &[u8] = b"sekisho root by token v1";

fn main() -> ExitCode {
    match answer() {
        Ok(bytes) => {
            let line = Zeroizing::new(format!("{}\n", BASE32_NOPAD.encode(&bytes)));
            let told = std::io::stdout().write_all(line.as_bytes());
            if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn answer() -> Result<Zeroizing<Vec<u8>>, String> {
    let mut text = Zeroizing::new(String::new());
    let read = std::io::stdin().take(QUESTION_BYTES).read_to_string(&mut text);
    read.map_err(|error| format!("the question cannot be read: {error}"))?;
    let words: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once(' ')).collect();
    let word = |name: &str| {
        words.get(name).copied().ok_or_else(|| format!("expected {name}, found nothing"))
    };
    let session = enter(word("module")?, word("token")?, word("pin")?)?;
    let label = word("key")?;
    match word("act")? {
        "make" => make(&session, label).map(|()| Zeroizing::new(Vec::new())),
        "seal" => seal(&session, find(&session, label)?, &decoded(word("data")?)?),
        "open" => open(&session, find(&session, label)?, &decoded(word("data")?)?),
        other => Err(format!("expected make, seal or open, found {other}")),
    }
}

fn decoded(text: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let bytes = BASE32_NOPAD.decode(text.as_bytes()).map(Zeroizing::new);
    bytes.map_err(|_| "expected base32".to_owned())
}

/// Loads the module and signs in at the token of this label.
fn enter(module: &str, label: &str, pin: &str) -> Result<Session, String> {
    let fault = |doing: &'static str| move |error| format!("could not {doing}: {error}");
    let context = Pkcs11::new(module).map_err(fault("load the module"))?;
    let arguments = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    context.initialize(arguments).map_err(fault("start the module"))?;
    let slots = context.get_slots_with_token().map_err(fault("list the tokens"))?;
    let is_it = |slot: &cryptoki::slot::Slot| {
        context.get_token_info(*slot).is_ok_and(|token| token.label() == label)
    };
    let slot = slots.into_iter().find(is_it);
    let slot = slot.ok_or_else(|| format!("expected a token {label:?}, found none"))?;
    let session = context.open_rw_session(slot).map_err(fault("open a session"))?;
    let pin = AuthPin::new(pin.to_owned().into_boxed_str());
    session.login(UserType::User, Some(&pin)).map_err(fault("sign in at the token"))?;
    Ok(session)
}

/// A key that the token makes, keeps, and does not show.
fn make(session: &Session, label: &str) -> Result<(), String> {
    if find(session, label).is_ok() {
        return Err(format!("expected no key {label:?}, found one: it is not replaced"));
    }
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(KEY_BYTES.into()),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
    ];
    let made = session.generate_key(&Mechanism::AesKeyGen, &template);
    made.map(|_| ()).map_err(|error| format!("the token made no key: {error}"))
}

fn find(session: &Session, label: &str) -> Result<ObjectHandle, String> {
    let template =
        [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(label.as_bytes().to_vec())];
    let found = session.find_objects(&template).map_err(|error| error.to_string())?;
    match found.as_slice() {
        [one] => Ok(*one),
        others => Err(format!("expected one key {label:?}, found {}", others.len())),
    }
}

fn seal(session: &Session, key: ObjectHandle, plain: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let fault = |error: cryptoki::error::Error| format!("the token did not seal: {error}");
    let mut nonce = [0u8; NONCE_BYTES];
    session.generate_random_slice(&mut nonce).map_err(fault)?;
    let mut used = nonce;
    let gcm = GcmParams::new(&mut used, DOMAIN, TAG_BITS.into()).map_err(fault)?;
    let sealed = session.encrypt(&Mechanism::AesGcm(gcm), key, plain).map_err(fault)?;
    Ok(Zeroizing::new([&nonce[..], &sealed].concat()))
}

fn open(session: &Session, key: ObjectHandle, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    let fault = |error: cryptoki::error::Error| format!("the token did not open it: {error}");
    let (nonce, sealed) =
        sealed.split_first_chunk::<NONCE_BYTES>().ok_or("expected a sealed root")?;
    let mut nonce = *nonce;
    let gcm = GcmParams::new(&mut nonce, DOMAIN, TAG_BITS.into()).map_err(fault)?;
    session.decrypt(&Mechanism::AesGcm(gcm), key, sealed).map(Zeroizing::new).map_err(fault)
}
