//! Depart carries mail to where it goes: one batch of one tenant after another, and then leaves.
//!
//! # Holds          the batch in hand, opened, in memory
//! # May ask        post (what to carry), vault (its keys), names, fetch, directory, mailbox
//! # Network        sockets that the warden dialled, at the ports of mail and no other
//! # If taken over  the intruder gets the batch in hand and its relay sessions, and can lie about
//! #                what became of it; every opened message is recorded
//! # Never          opens what it was not handed; speaks for a second tenant; sends a bare CR or
//! #                LF; writes a notice to anybody but a sender of this house
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

use compartment::House;
use std::process::ExitCode;

pub fn serve(house: House) -> ExitCode {
    compartment::abort_on_panic("depart");
    match house.ready(None, None) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
