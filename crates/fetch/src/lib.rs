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

use compartment::House;
use std::process::ExitCode;

pub fn run(house: House) -> ExitCode {
    compartment::abort_on_panic("fetch");
    match house.ready(None, None) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
