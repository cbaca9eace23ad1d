//! Secrets as types that cannot be shown, compared by accident, stored or copied unseen.

use zeroize::Zeroize;

/// AES-256, HMAC-SHA256 and both curves use 32 octets.
pub const KEY_BYTES: usize = 32;

/// Thirty-two secret octets; wiped when dropped. No Debug, Display, Serialize, Clone, PartialEq.
pub struct Secret([u8; KEY_BYTES]);

impl Secret {
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut copy = [0u8; KEY_BYTES];
        if bytes.len() != KEY_BYTES {
            return None;
        }
        copy.copy_from_slice(bytes);
        let secret = Self(copy);
        copy.zeroize();
        Some(secret)
    }

    /// The octets themselves: hand them to a cipher, keep them nowhere.
    pub fn dangerous_expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The key of one part of one recipient's copy of one message.
pub struct MessageKey(Secret);

/// A symmetric key for AES-256-GCM; where it comes from stands at the function that returns it.
pub type AesKey = Secret;

impl MessageKey {
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    pub fn secret(&self) -> &Secret {
        &self.0
    }
}
