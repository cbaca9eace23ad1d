//! Fetch brings one outside HTTPS resource at a time, for those who may not reach outside, and
//! carries the sentinel's alarms to where the operator wants them.
//!
//! # Holds          the one resource in hand; where alarms go, and the one on its way
//! # May ask        names
//! # Network        sockets that the warden dialled, at the port of HTTPS and at those of the
//! #                operator's webhook and relay for alarms
//! # If taken over  the intruder can lie about what is fetched, sees which hosts are asked and
//! #                which alarms pass, and can keep them back (they stand on the console, in the
//! #                host's log and in the ledger too); it cannot sign one for the webhook
//! # Never          follows a redirect; asks a private address but the ones named for alarms; keeps
//! #                what it brought; lets the sentinel say where an alarm goes
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod desk;

mod exchange;

mod alarms;
mod letters;

mod request;
mod response;

mod turns;

#[cfg(test)]
mod tests;

use compartment::House;
use std::process::ExitCode;

/// What ends the process; a resource that cannot be had is an answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("lost the warden")]
    Control(#[source] compartment::Fault),
    #[error("could not wait for askers")]
    Channel(#[source] wire::Fault),
}

/// Runs until told to stop or left alone.
pub fn run(mut house: House) -> ExitCode {
    compartment::abort_on_panic("fetch");
    let lived = house
        .jail()
        .and_then(|()| house.ready(None, None))
        .map_err(Fault::Control)
        .and_then(|()| desk::attend(house));
    match lived {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("sekisho fetch: {fault}");
            ExitCode::FAILURE
        }
    }
}
