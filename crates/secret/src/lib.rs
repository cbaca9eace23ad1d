//! App passwords: made by us, 128 bits, readable, and recognisable as ours.
//!
//! `sk-i3f7…-abcd…-k2mq`: the protocol's letter and a public look-up key of 80 bits, the secret of
//! 128 bits, and a checksum, so that a slip of the finger is told from a wrong secret and nothing
//! that a person made up is ever passed on.

#![cfg_attr(test, allow(clippy::unwrap_used))]

use data_encoding::{BASE32_NOPAD, Encoding};
use sha2::{Digest, Sha256};

const PREFIX: &str = "sk-";
const KEY_CHARACTERS: usize = 16;
const SECRET_CHARACTERS: usize = 26;
const CHECK_CHARACTERS: usize = 4;
/// The longest text looked at.
const TEXT_BYTES: usize = 80;

/// An app password as typed, taken apart. Holds no secret but its digest.
#[derive(Clone, PartialEq, Eq)]
pub struct AppPassword {
    /// `i` IMAP, `p` POP3, `s` SMTP.
    pub protocol: char,
    /// What it is looked up by; not secret.
    pub key: String,
    /// SHA-256 of the secret part.
    pub digest: [u8; 32],
}

/// Writes a new app password from fresh random octets; gives the text and what is kept of it.
pub fn make(protocol: char, key: [u8; 10], secret: [u8; 16]) -> (String, AppPassword) {
    let key = lower(&BASE32_NOPAD, &key);
    let secret = lower(&BASE32_NOPAD, &secret);
    let body = format!("{PREFIX}{protocol}{key}-{secret}");
    let text = format!("{body}-{}", check(&body));
    (text, AppPassword { protocol, key, digest: digest(&secret) })
}

/// Reads one; `None` if it is not ours or mistyped. Blanks and case do not matter.
pub fn parse(text: &str) -> Option<AppPassword> {
    if text.len() > TEXT_BYTES {
        return None;
    }
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let text = text.to_ascii_lowercase();
    let (body, found) = text.rsplit_once('-')?;
    let (head, secret) = body.strip_prefix(PREFIX)?.split_once('-')?;
    let mut letters = head.chars();
    let protocol = letters.next()?;
    let key = letters.as_str();
    let is_sound = matches!(protocol, 'i' | 'p' | 's')
        && is_base32(key, KEY_CHARACTERS)
        && is_base32(secret, SECRET_CHARACTERS)
        && found == check(body);
    is_sound.then(|| AppPassword { protocol, key: key.to_owned(), digest: digest(secret) })
}

fn is_base32(text: &str, characters: usize) -> bool {
    text.len() == characters && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
}

fn lower(encoding: &Encoding, bytes: &[u8]) -> String {
    encoding.encode(bytes).to_ascii_lowercase()
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn check(body: &str) -> String {
    let mut check = lower(&BASE32_NOPAD, &digest(body));
    check.truncate(CHECK_CHARACTERS);
    check
}

#[cfg(test)]
mod tests {
    use super::{make, parse};

    #[test]
    fn what_was_made_is_read_and_slips_are_noticed() {
        let (text, kept) = make('i', [7; 10], [9; 16]);
        assert_eq!(text.len(), 3 + 1 + 16 + 1 + 26 + 1 + 4);
        assert!(parse(&text) == Some(kept.clone()));
        assert!(parse(&text.to_uppercase()) == Some(kept.clone()));
        assert!(parse(&format!(" {} ", text.replace('-', " - "))) == Some(kept));
        for at in 0..text.len() {
            let mut slip = text.clone().into_bytes();
            slip[at] = if slip[at] == b'a' { b'b' } else { b'a' };
            assert!(parse(std::str::from_utf8(&slip).unwrap()).is_none(), "{at}");
        }
        assert!(parse("hunter2").is_none());
        assert!(parse(&"sk-".repeat(100)).is_none());
    }
}
