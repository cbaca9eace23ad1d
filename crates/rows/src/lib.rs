//! Sealed table rows: what a keeper writes to its own tables, so that a copied disk says nothing.
//!
//! A [`RowKey`] comes from the vault once per start. Look-ups go by keyed hash ([`RowKey::token`]);
//! contents are AES-256-GCM under a key of their own, bound to the table and the row they stand in.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A look-up token: half of an HMAC-SHA-256; collisions are beyond any table's size.
pub const TOKEN_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;

/// The key of one keeper's tables. Not printable, wiped when dropped.
pub struct RowKey {
    content: Aes256Gcm,
    lookup: Zeroizing<[u8; 32]>,
}

impl RowKey {
    /// `key`: 32 octets from the vault. Two keys are derived from it, one per use.
    pub fn new(key: &[u8]) -> Self {
        let derive = Hkdf::<Sha256>::new(None, key);
        let mut content = Zeroizing::new([0u8; 32]);
        let mut lookup = Zeroizing::new([0u8; 32]);
        // HKDF refuses only outputs above 255 × 32 octets.
        let _ = derive.expand(b"sekisho rows content v1", content.as_mut());
        let _ = derive.expand(b"sekisho rows lookup v1", lookup.as_mut());
        let content = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*content));
        Self { content, lookup }
    }

    /// The keyed hash under which `text` is found in `table`.
    pub fn token(&self, table: &str, text: &[u8]) -> [u8; TOKEN_BYTES] {
        let Ok(mut mac) = <Hmac<Sha256> as hmac::digest::KeyInit>::new_from_slice(&*self.lookup)
        else {
            return [0; TOKEN_BYTES]; // not reached: HMAC takes keys of every length
        };
        mac.update(table.as_bytes());
        mac.update(&[0]);
        mac.update(text);
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let mut token = [0; TOKEN_BYTES];
        token.copy_from_slice(full.split_at(TOKEN_BYTES).0);
        token
    }

    /// Seals `content` for the row `row` of `table`; `None` only if there is no randomness.
    pub fn seal(&self, table: &str, row: &[u8], content: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0u8; NONCE_BYTES];
        getrandom::fill(&mut nonce).ok()?;
        let bound = bound_to(table, row);
        let payload = Payload { msg: content, aad: &bound };
        let sealed = self.content.encrypt(&Nonce::from(nonce), payload).ok()?;
        let mut out = nonce.to_vec();
        out.extend_from_slice(&sealed);
        Some(out)
    }

    /// Opens what [`RowKey::seal`] made for this very row; `None` if it was changed or moved.
    pub fn open(&self, table: &str, row: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, content) = sealed.split_at_checked(NONCE_BYTES)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
        let bound = bound_to(table, row);
        let payload = Payload { msg: content, aad: &bound };
        self.content.decrypt(&Nonce::from(nonce), payload).ok()
    }
}

fn bound_to(table: &str, row: &[u8]) -> Vec<u8> {
    let mut bound = table.as_bytes().to_vec();
    bound.push(0);
    bound.extend_from_slice(row);
    bound
}

#[cfg(test)]
mod tests {
    use super::RowKey;

    #[test]
    fn a_row_opens_only_where_it_stands() {
        let key = RowKey::new(&[7; 32]);
        let sealed = key.seal("person", b"1", b"aoi@example.jp").unwrap();
        assert_eq!(key.open("person", b"1", &sealed).unwrap(), b"aoi@example.jp");
        assert!(key.open("person", b"2", &sealed).is_none());
        assert!(key.open("tenant", b"1", &sealed).is_none());
        assert!(RowKey::new(&[8; 32]).open("person", b"1", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open("person", b"1", &changed).is_none());
        }
        assert!(key.open("person", b"1", &sealed[..5]).is_none());
    }

    #[test]
    fn tokens_differ_by_table_text_and_key() {
        let key = RowKey::new(&[7; 32]);
        assert_eq!(key.token("a", b"x"), key.token("a", b"x"));
        assert_ne!(key.token("a", b"x"), key.token("b", b"x"));
        assert_ne!(key.token("a", b"x"), key.token("a", b"y"));
        assert_ne!(key.token("a", b"x"), RowKey::new(&[8; 32]).token("a", b"x"));
    }
}
