//! The sentinel weighs what happens in the house, says what is an incident, and acts.
//!
//! # Holds          ids of who reads when, learned hours, the shipped Sigma rules; no content
//! # May ask        ledger (the stream, its own entries), identity (to freeze; who is a decoy)
//! # Network        none; one socket connected to the host's syslog, opened by the warden
//! # If taken over  the intruder can silence the sentinel's own alarms (the warden records each
//! #                raw event too), raise false ones, freeze people and isolate compartments
//! #                until an operator lifts it; it learns which opaque ids read when, and which
//! #                are decoys
//! # Never          holds a capability; sees mail, a name, an address; lifts a freeze; reads a
//! #                stranger's rule
//!
//! Reading order: `desk` (facts come, incidents go), `telling` (ledger, warden, syslog), `audit`
//! (records of the kernel), `memory` (what is learned).

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod audit;

mod desk;
mod memory;
mod telling;

use compartment::House;
use std::path::Path;
use std::process::ExitCode;
use wire::control::Report;

/// What broke on our side.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("expected a folder, was given none")]
    NoFolder,
    #[error("could not open what was learned")]
    Memory(#[source] std::io::Error),
    #[error("could not settle in")]
    Settle(#[source] compartment::Fault),
    #[error("could not use the channels")]
    Channels(#[source] wire::Fault),
}

/// Runs until it is told to stop or the warden is gone.
pub fn run(house: House) -> ExitCode {
    match keep(house) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("sekisho: the sentinel ends: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn keep(mut house: House) -> Result<(), Fault> {
    let folder = house.start.folder.clone().ok_or(Fault::NoFolder)?;
    let (memory, hours) = memory::open(Path::new(&folder)).map_err(Fault::Memory)?;
    house.jail().map_err(Fault::Settle)?;
    let desk = desk::Desk::open(&house, memory, hours);
    house.ready(Some(desk.public()), None).map_err(Fault::Settle)?;
    if let Some(text) = desk.unread_rules() {
        house.report(&Report::Note { text }, &[]).map_err(Fault::Settle)?;
    }
    desk.stand(house)
}
