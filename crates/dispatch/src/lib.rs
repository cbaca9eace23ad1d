//! Dispatch takes one person's outgoing mail: judged whole, signed, sealed, and only then queued.
//!
//! # Holds          the messages that this person hands in, in memory, until each is answered
//! # May ask        access (who hands in), a scanner of its own, directory, signer, post
//! # Network        none
//! # If taken over  the intruder gets what this person sends while it owns it, and can have mail
//! #                signed in the person's domain; every message is counted and recorded
//! # Never          reads stored mail; learns a password; speaks for a second person; passes on a
//! #                Bcc field
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

use compartment::House;
use std::process::ExitCode;

pub fn serve(house: House) -> ExitCode {
    compartment::abort_on_panic("dispatch");
    match house.ready(None, None) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
