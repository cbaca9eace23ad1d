//! TLS for compartments that hold no private key: the certificate's key stays in `signer`. And the
//! client's side, for those that go out.
//!
//! `rustls` asks for a signature in the middle of a handshake; the question goes to `signer` as a
//! whole message, and blocks for at most two seconds (the trait is synchronous, and a process
//! serves one connection). A restart of `signer` costs at most one handshake.
//!
//! # Never  holds a private key; resumes a session; keeps a secret between connections

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod config;

mod link;

mod client;

mod line;

mod vouched;

#[cfg(test)]
mod tests;

pub use client::{Anybody, Authorities, client_config, verify_handshake, verify_schemes};
pub use config::server_config;
pub use line::Line;
pub use link::{SIGN_LIMIT, SignerLink};
pub use vouched::{asking_config, vouched_name};

/// A fault of ours; what a client does wrong is rustls's to answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("could not set up TLS")]
    Setup(#[source] rustls::Error),
}
