//! The private side of sealing: the key hierarchy, and what may be done with it.
//!
//! Used by `vault` alone. Pure Rust, no C. Nothing here can be shown, compared by accident or
//! written down, except in its wrapped form. What is released, and whether, is the vault's.
//!
//! # Never  releases a key in clear; keeps a key that was dropped; opens for another context

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod hierarchy;

mod pair;

mod grant;

mod word;

mod cipher;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wycheproof_tests;

pub use grant::{Agreed, agree};
pub use hierarchy::{RootKey, STORED_KEY_BYTES, TenantKey, UserKey};
pub use pair::Pair;
pub use sealed::{
    Class, Fault, GrantContext, MessageKey, PublicKey, Secret, Suite, WrapContext, Wrapped,
};
pub use word::{RecordKey, SecretsKey, StatementKey};
