//! Opens mail inside a signed-in session, with the session's own key.
//!
//! A session makes a key pair that lives as long as itself; the vault releases message keys to it
//! under a key agreed once per grant. No stored private key ever comes here.
//!
//! # Never  holds a user's private key; outlives its session; writes a key anywhere

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod session;

mod content;

mod page;

#[cfg(test)]
mod tests;

pub use content::{Opener, open_content, open_range, open_stream};
pub use page::{PAGE_OVERHEAD_BYTES, open_page, seal_page};
pub use sealed::{
    Class, Fault, GrantContext, HEADER_BYTES, MessageKey, Place, PublicKey, RELEASED_BYTES, Suite,
    WrapContext, plain_length, sealed_length,
};
pub use session::{Grant, Session};
