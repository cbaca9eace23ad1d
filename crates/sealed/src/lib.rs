//! The shapes of what is sealed: suites, contents, wrapped keys, releases.
//!
//! Pure formats: bytes in, value out; no socket, clock, randomness or private key. `seal`, `open`
//! and `unseal` all speak them, each with its own engine, so that the vault needs no C.
//! The layouts are drawn in `docs/sealing.md`.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod suite;

mod key;

mod hpke;

mod content;

mod wrapped;

mod released;

#[cfg(test)]
mod tests;

pub use content::{
    CHUNK_BYTES, CHUNKS, Content, HEADER_BYTES, HEADER_PREFIX_BYTES, Place, SEALED_CHUNK_BYTES,
    TAG_BYTES, plain_length, sealed_length,
};
pub use hpke::{Schedule, schedule};
pub use key::{AesKey, KEY_BYTES, MessageKey, Secret};
pub use released::{GrantContext, Lent, RELEASED_BYTES, Released};
pub use suite::{Class, PublicKey, Suite};
pub use wrapped::{Share, WRAPPED_BYTES, WRAPPED_KEY_BYTES, WrapContext, Wrapped};

/// What went wrong on our side. Which byte was wrong is never said: an answer that differs would
/// be an oracle.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("these bytes are not a {shape} of ours")]
    Shape { shape: &'static str },
    #[error("the public key is not a point of its suite")]
    PublicKey,
    #[error("what was sealed does not open with this key and this context")]
    Refused,
    #[error("the content ends before its last chunk, or goes on behind it")]
    Torn,
    #[error("the content is larger than {limit} octets")]
    TooLarge { limit: u64 },
    #[error("the system gave no randomness")]
    NoRandomness,
    #[error("could not pass on what was read or written")]
    Stream(#[source] std::io::Error),
}
