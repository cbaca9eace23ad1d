//! Journeys through a whole instance: real channels and sockets, neighbours that are played.

mod another_post;
mod back;
mod chance;
mod finished;
mod hostile;
mod house;
mod letters;
mod lists;
mod onward;
mod reported;
mod roads;
mod unreturned;

// The jailed test plays the same neighbours.
#[path = "../tests/neighbourhood/mod.rs"]
mod neighbourhood;

use crate::Limits;
use compartment::House;
use neighbourhood::Plan;
use std::process::ExitCode;
use std::thread::{self, JoinHandle};
use std::time::Duration;

type Neighbourhood = neighbourhood::Neighbourhood<JoinHandle<ExitCode>>;

/// Every connection is over with its batch.
fn impatient() -> Limits {
    Limits { keep: Duration::ZERO, gather: Duration::ZERO, ..Limits::default() }
}

/// A depart on a thread of this process, with little patience.
fn settle(plan: Plan) -> Neighbourhood {
    let limits = Limits {
        answer: Duration::from_millis(1_500),
        piece: Duration::from_secs(5),
        handshake: Duration::from_secs(2),
        ..impatient()
    };
    settle_with(plan, limits)
}

fn settle_with(plan: Plan, limits: Limits) -> Neighbourhood {
    Neighbourhood::around(plan, |control| {
        let house = House::begin_on(control).unwrap();
        thread::spawn(move || crate::live(house, limits))
    })
}
