//! The gate accepts connections, counts them, and hands each to an instance of its own.
//!
//! # Holds          listeners; for a moment each accepted socket; counts for each client
//! # May ask        ledger (its own entries)
//! # Network        the listeners that the warden bound; it opens none
//! # If taken over  the intruder sees peers' addresses and what is sent before TLS, and can drop or
//! #                divert connections
//! # Never          reads an octet of a connection; holds mail, a password or a key of TLS
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod guard;

mod clients;
mod doors;
mod fullness;
mod memory;
mod pool;
mod records;

#[cfg(test)]
mod tests;

use compartment::House;
use guard::Guard;
use std::process::ExitCode;
use wire::control::Report;

/// What broke on our side.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("could not settle in")]
    Settle(#[source] compartment::Fault),
    #[error("could not use the channels")]
    Channels(#[source] wire::Fault),
}

/// Runs until it is told to stop or the warden is gone.
pub fn run(mut house: House) -> ExitCode {
    compartment::abort_on_panic("gate");
    if let Err(fault) = house.jail() {
        let _ = house.report(&Report::Note { text: fault.to_string() }, &[]);
        return ExitCode::FAILURE;
    }
    keep(house)
}

/// The gate's work, once its walls stand.
fn keep(house: House) -> ExitCode {
    match Guard::post(house).and_then(Guard::stand) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
