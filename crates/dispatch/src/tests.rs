//! Journeys through a whole instance: real channels, neighbours that are played.

mod bcc;
mod messages;
mod odd_headers;
mod together;

// The jailed test plays the same neighbours.
#[path = "../tests/neighbourhood/mod.rs"]
mod neighbourhood;

use compartment::House;
use neighbourhood::Plan;
use std::process::ExitCode;
use std::thread::{self, JoinHandle};

type Neighbourhood = neighbourhood::Neighbourhood<JoinHandle<ExitCode>>;

/// A dispatch on a thread of this process.
fn settle(plan: Plan) -> Neighbourhood {
    Neighbourhood::around(plan, |control| {
        let house = House::begin_on(control).unwrap();
        thread::spawn(move || crate::live(house))
    })
}
