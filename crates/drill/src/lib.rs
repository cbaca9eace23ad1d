//! Hostile code for the drills: what an intruder does inside each real sandbox, with the real
//! channels. It says on a channel of the drill's own what it tried and everything it obtained.
//!
//! # Holds          what the compartment in whose place it stands would hold
//! # May ask        whom that compartment may ask, and not as it should
//! # Network        that compartment's
//! # If taken over  it is: that is what it is for
//! # Never          runs but after a `Begin` with `drill`, which only a drill gives

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod report;

mod access;
mod acts;
mod admin;
mod bulk;
mod channels;
mod depart;
mod dials;
mod directory;
mod dispatch;
mod edge;
mod fetch;
mod flood;
mod gate;
mod guesses;
mod identity;
mod intruder;
mod keeper;
mod ledgers;
mod pages;
mod post;
mod scanner;
mod sentinel;
mod session;
mod signer;
mod sockets;
mod vault;

pub use access::sealed_class;
pub use intruder::{Opener, hostile, hostile_keeper};
pub use report::{Ask, Asset, Count, Facts, Got, Reach, Sealed, Told};
