//! Seals mail for people, with their public keys only.
//!
//! Holds no private key and can open nothing: a message that went through here comes back only
//! through the vault. The shapes are those of `sealed`; the engine is aws-lc.
//!
//! # Never  learns, makes or keeps a private key; reuses a message key

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod content;

mod statement;

mod wrap;

pub use content::{Sealer, fresh_key, seal_content, seal_stream};
pub use sealed::{
    Class, Fault, MessageKey, Place, PublicKey, Share, Suite, WRAPPED_BYTES, WrapContext, Wrapped,
    plain_length, sealed_length,
};
pub use statement::{
    StatementRefused, public_key, verify_sending, verify_signature, verify_statement,
};
pub use wrap::{Wrapper, wrap};
