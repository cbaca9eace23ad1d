//! Dispatch takes one person's outgoing mail, or that of a tenant's own server: judged whole,
//! signed, sealed, and only then queued.
//!
//! # Holds          the messages that this person hands in, in memory, until each is answered
//! # May ask        access or edge (who hands in), a scanner of its own, directory, signer,
//! #                mailbox, post
//! # Network        none
//! # If taken over  the intruder gets what this person sends while it owns it, and can have mail
//! #                signed in the person's domain; every message is counted and recorded
//! # Never          reads stored mail; learns a password; speaks for a second person; passes on a
//! #                Bcc field
//!
//! It reads the header itself, and the parts of a message that gets a text put under it, or whose
//! lines or octets not every server takes: what our
//! own person wrote. What is in it besides is for the scanner to find.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod desk;

mod handing;

mod brake;
mod header;
mod legs;
mod letter;
mod mailboxes;
mod parameters;
mod postscript;
mod recoding;
mod rules;
mod sealing;
mod signing;

mod draft;
mod neighbours;
mod stop;
mod wording;

#[cfg(test)]
mod tests;

use compartment::House;
use neighbours::Neighbours;
use std::process::ExitCode;

/// What each instance would make for itself, made by whoever forks them.
pub use trace::look_at_processor as prepare;

/// What broke on our side. The client hears 451 in every case.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("could not settle in")]
    Settle(#[source] compartment::Fault),
    #[error("{0} is away")]
    Away(&'static str),
    #[error("{peer} answered something else than was asked")]
    Strange { peer: &'static str },
    #[error("a message in hand")]
    Flight(#[from] flight::Fault),
    #[error("could not seal a message")]
    Seal(#[source] seal::Fault),
    #[error("could not hold a message")]
    Hold(#[source] wire::Fault),
    #[error("could not write an envelope down")]
    Envelope,
}

/// The whole life of an instance: settle in, serve one access, leave with it.
pub fn serve(house: House) -> ExitCode {
    compartment::abort_on_panic("dispatch");
    compartment::jail::keep_memory();
    live(house)
}

fn live(house: House) -> ExitCode {
    match Neighbours::settle_in(house) {
        Ok(neighbours) => desk::attend(neighbours),
        Err(_) => ExitCode::FAILURE,
    }
}
