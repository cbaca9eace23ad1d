//! The post keeps mail that leaves until it has left, and forgets none that it answered for.
//!
//! # Holds          ciphertext, wrapped keys, route tokens, sizes, times and states of mail that
//! #                leaves
//! # May ask        ledger (its own `queue` and `send` entries, and which it has)
//! # Network        none
//! # If taken over  the intruder learns how much mail left from whom (opaque ids), how large and
//! #                when, and that two letters went to one place; can hold back, drop or send
//! #                again, which is noticed; text, addresses and host names are not here
//! # Never          holds a key; knows an address or a destination's name; answers before the disk
//!
//! Reading order: [`run`], `state` (what each state promises), `desk` (one loop over all peers),
//! `store` (staged, committed, followed), `table` (what is in the queue), `schedule` (who leaves
//! next).

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod desk;
mod entry;
mod erasure;
mod fault;
mod forward;
mod leg;
mod months;
mod parts;
mod past;
mod pressing;
mod promises;
mod refusals;
mod returns;
mod room;
mod schedule;
mod senders;
mod shared;
mod snapshot;
mod state;
mod store;
mod table;

#[cfg(test)]
mod awaiting_tests;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod desk_tests;
#[cfg(test)]
mod tests;

pub use fault::Fault;
pub use store::{Store, Taken};
pub use table::Hand;

use compartment::House;
use desk::Desk;
use std::path::Path;
use std::process::ExitCode;

/// Runs until it is told to stop or the warden is gone.
pub fn run(house: House) -> ExitCode {
    compartment::abort_on_panic("post");
    match serve(house) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            compartment::tell(format_args!("sekisho: post ends: {}", fault.story()));
            compartment::failure(fault.is_full())
        }
    }
}

/// Files first, then the walls, then peers.
fn serve(mut house: House) -> Result<(), Fault> {
    let folder = house.start.folder.clone().ok_or(Fault::NoFolder)?;
    let bounds = house.start.bounds;
    let store = Store::open_within(Path::new(&folder), bounds, compartment::now_ms())?;
    house.jail().map_err(Fault::Jail)?;
    let outgoing = journal::Rounds::new(terms::Kind::Post, &house.start);
    house.ready(Some(outgoing.public()), None).map_err(Fault::Jail)?;
    let mut hub = wire::Hub::new().map_err(Fault::Channels)?;
    let (warden, start) = house.seat_control(&mut hub).map_err(Fault::Jail)?;
    Desk::new(hub, store, outgoing, warden).after(&start.carriers).serve()
}
