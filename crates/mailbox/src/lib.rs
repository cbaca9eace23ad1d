//! The mailbox keeps sealed mail, flags and numbered folders, and forgets nothing it answered for.
//!
//! # Holds          ciphertext, wrapped keys, sizes, times, flags, numbers of folders and people
//! # May ask        ledger (its own `deliver` entries, and which it has)
//! # Network        none
//! # If taken over  the intruder learns how much mail came for whom (opaque ids) and when, and
//! #                can delete or hold back mail, which is noticed; plaintext, subjects, addresses
//! #                and folder names are not here
//! # Never          holds a key; believes a frame about whose mail it is; answers before the disk
//!
//! Reading order: [`run`], `desk` (one loop over all peers), `acts` and `views` (what is asked),
//! `store` (staged, committed, told to the index), `entry` (what the log says).

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod acts;
mod change;
mod compact;
mod desk;
mod entry;
mod erasure;
mod fault;
mod forward;
mod gather;
mod index;
mod judged;
mod once;
mod parts;
mod person;
mod refused;
mod shelf;
mod store;
mod views;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod desk_tests;
#[cfg(test)]
mod tests;

pub use acts::{Adornment, Batch, FlagChange};
pub use fault::Fault;
pub use store::{Change, Store, Whose};

use compartment::House;
use desk::Desk;
use std::path::Path;
use std::process::ExitCode;

/// Runs until it is told to stop or the warden is gone.
pub fn run(house: House) -> ExitCode {
    compartment::abort_on_panic("mailbox");
    match serve(house) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            compartment::tell(format_args!("sekisho: mailbox ends: {}", fault.story()));
            compartment::failure(fault.is_full())
        }
    }
}

/// Files first, then the walls, then peers.
fn serve(mut house: House) -> Result<(), Fault> {
    let folder = house.start.folder.clone().ok_or(Fault::NoFolder)?;
    let mut store = Store::open(Path::new(&folder))?;
    store.local_time = std::mem::take(&mut house.start.local_time);
    house.jail().map_err(Fault::Jail)?;
    let outgoing = journal::Rounds::new(terms::Kind::Mailbox, &house.start);
    house.ready(Some(outgoing.public()), None).map_err(Fault::Jail)?;
    let mut hub = wire::Hub::new().map_err(Fault::Channels)?;
    let (warden, _) = house.seat_control(&mut hub).map_err(Fault::Jail)?;
    Desk::new(hub, store, outgoing, warden).serve()
}
