//! Copies of one message for the people it is for, or for the queue: from here on nobody in the
//! house can read it but through the vault.
//!
//! People of one tenant who get the same octets share them: those are sealed once, and the key of
//! each content is wrapped to each person. The parts:
//! - summary: length of the added fields (u32, little endian), the added fields, and the overview
//!   of the message as `mime` writes it (postcard);
//! - body: the added fields, and the message.
//!
//! Mail that leaves is sealed to its tenant's transit key: its body as above, and in the summary's
//! place the envelope (postcard of `wire::post::Envelope`) of each leg.
//!
//! **Never** learns a private key or asks anybody. Whether a key is somebody's is for the caller to
//! know: the vault signed it.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod group;
mod judged;
mod leaving;

mod frames;

pub use frames::frames;
pub use group::{Group, Message, Person, seal};
pub use judged::{place_of, rules, verdict_field};
pub use leaving::{Leaving, leave};

/// What broke on our side.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("could not seal a message")]
    Seal(#[source] seal::Fault),
    #[error("could not hold a sealed message")]
    Hold(#[source] wire::Fault),
    #[error("could not write a sealed message into memory")]
    Memory(#[source] std::io::Error),
    #[error("a frame has more contents than it can carry")]
    Full,
}
