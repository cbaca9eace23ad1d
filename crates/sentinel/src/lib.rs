//! The sentinel weighs what happens in the house, says what is an incident, and acts.
//!
//! # Holds          ids of who reads when, learned hours, the shipped Sigma rules; no content; the
//! #                secret that signs alarms for the operator's webhook, and alarms not sent yet
//! # May ask        ledger (the stream, its own entries), identity (to freeze; who is a decoy),
//! #                fetch (to carry alarms to where the operator wants them)
//! # Network        none; one socket connected to the host's syslog, opened by the warden
//! # If taken over  the intruder can silence the sentinel's own alarms (the warden records each
//! #                raw event too), raise false ones, freeze people and isolate edge, scanner,
//! #                access, pages, dispatch or depart (the warden takes no other out by its word)
//! #                until an operator lifts it (identity or the warden tells of each, too: it
//! #                shuts nobody out in silence, and everybody only one by one); it learns which
//! #                opaque ids read when, and which are decoys
//! # Never          holds a capability; sees mail, a name, an address; lifts a freeze or an
//! #                isolation; reads a stranger's rule
//!
//! Reading order: `desk` (facts come, incidents go), `past` (what was ended before), `telling`
//! (our own entries, the line for a log), `doors` (the ways out together, and their test),
//! `outward` (one route: gathered, tried again), `message` (what is told), `log` (syslog), `audit`
//! (records of the kernel), `sightings` (what is seen in the words of rules, and which rules can
//! match), `memory` (what outlives a restart).

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod audit;
pub mod sightings;

mod desk;
mod past;
mod tally;
mod telling;

mod doors;
mod outward;

mod log;
mod memory;
mod message;

use compartment::House;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::ExitCode;
use wire::control::Report;
use wire::sentinel::RULES_BYTES;

/// What broke on our side.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("expected a folder, was given none")]
    NoFolder,
    #[error("could not open what was learned, or the house's rules")]
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
            let words = compartment::in_full(&fault);
            compartment::tell(format_args!("sekisho: the sentinel ends: {words}"));
            ExitCode::FAILURE
        }
    }
}

/// Rules of the house, beside the shipped ones. Read by position: the offset is shared with every
/// other sentinel's.
fn further_rules(house: &mut House) -> Result<Vec<String>, Fault> {
    if !house.start.vigilance.has_rules || house.descriptors.is_empty() {
        return Ok(Vec::new());
    }
    let file = File::from(house.descriptors.remove(0));
    let length = file.metadata().map_err(Fault::Memory)?.len();
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(RULES_BYTES);
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0).map_err(Fault::Memory)?;
    postcard::from_bytes(&bytes).map_err(|_| Fault::Memory(ErrorKind::InvalidData.into()))
}

fn keep(mut house: House) -> Result<(), Fault> {
    let folder = house.start.folder.clone().ok_or(Fault::NoFolder)?;
    let folder = Path::new(&folder);
    let (memory, hours) = memory::open(folder, memory::HOURS).map_err(Fault::Memory)?;
    let (unsent, kept) = memory::open(folder, memory::UNSENT).map_err(Fault::Memory)?;
    let doors = doors::Doors::open(&house.start, unsent, kept);
    let rules = further_rules(&mut house)?;
    house.jail().map_err(Fault::Settle)?;
    let desk = desk::Desk::open(&house, (memory, hours), doors, &rules);
    house.ready(Some(desk.public()), None).map_err(Fault::Settle)?;
    if let Some(text) = desk.unread_rules() {
        house.report(&Report::Note { text }, &[]).map_err(Fault::Settle)?;
    }
    desk.stand(house)
}
