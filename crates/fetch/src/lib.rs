//! Fetch brings one outside HTTPS resource at a time, for those who may not reach outside, carries
//! the sentinel's alarms to where the operator wants them, and asks customers' own servers whether
//! they have an address.
//!
//! # Holds          the one resource in hand; where alarms go, and the one on its way; the address
//! #                that is asked for
//! # May ask        names
//! # Network        sockets that the warden dialled, at the port of HTTPS and at those of the
//! #                operator's webhook and relay for alarms; at ports of mail only right after the
//! #                directory told the warden of a question, a few for each
//! # If taken over  the intruder can lie about what is fetched and who has an address, sees which
//! #                hosts are asked and which alarms pass, and can keep them back (they stand on
//! #                the console, in the host's log and in the ledger too); it cannot sign one for
//! #                the webhook
//! # Never          follows a redirect; asks a private address but the ones named for alarms; keeps
//! #                what it brought; lets the sentinel say where an alarm goes; passes on a word of
//! #                a server that was asked for an address
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod desk;

mod exchange;

mod alarms;
mod letters;

mod inquiries;
mod talk;

mod request;
mod response;

mod mute;
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
            compartment::tell(format_args!("sekisho fetch: {fault}"));
            ExitCode::FAILURE
        }
    }
}
