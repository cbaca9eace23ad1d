//! Journeys through a whole instance: real channels and sockets, neighbours that are played.

mod answers;
mod arrivals;
mod listing;
mod onward;
mod outlets;
mod reports;

// The jailed test plays the same neighbours.
#[path = "../tests/neighbourhood/mod.rs"]
mod neighbourhood;

use compartment::House;
use neighbourhood::{Plan, Scanner};
use std::process::ExitCode;
use std::thread::{self, JoinHandle};

type Neighbourhood = neighbourhood::Neighbourhood<JoinHandle<ExitCode>>;

/// An edge on a thread of this process.
fn settle(plan: Plan) -> Neighbourhood {
    Neighbourhood::around(plan, |control| {
        let house = House::begin_on(control).unwrap();
        thread::spawn(move || crate::live(house))
    })
}
