//! Fetch brings one outside HTTPS resource at a time, for those who may not reach outside.
//!
//! # Holds          the one resource in hand
//! # May ask        names
//! # Network        sockets that the warden dialled, at the port of HTTPS
//! # If taken over  the intruder can lie about what is fetched, and sees which hosts are asked
//! # Never          follows a redirect; asks a private address; keeps what it brought
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod desk;

mod exchange;

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
