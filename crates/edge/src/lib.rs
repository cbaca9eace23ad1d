//! The edge takes mail from strangers: SMTP, examination, judgement, sealing, keeping, and what
//! is passed on or answered by itself.
//!
//! # Holds          the messages passing through this instance, in memory, until each is answered
//! # May ask        gate, names, directory, signer, mailbox, post, and a scanner of its own; a
//! #                dispatch, where a customer's own server brings mail to be sent on
//! # Network        one passed socket at a time
//! # If taken over  the intruder gets messages passing through this instance and can lie about
//! #                them; can have TLS handshakes signed while it owns it (counted); can send in
//! #                the name of servers whose mail it has seen (each recorded); can make up reports
//! #                of others, some hundred an hour for a tenant, and so have a person's mail wait
//! # Never          reads stored mail; holds a private key or a list of addresses; opens a file or
//! #                a connection; takes a message apart itself
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod addressee;
mod arrival;

mod connection;

mod examination;
mod judgement;
mod listing;
mod onward;
mod outlet;
mod own;
mod reports;
mod sealing;

mod absent;

mod fields;
mod heard;
mod line;
mod neighbours;
mod passage;
mod patience;
mod questions;

#[cfg(test)]
mod tests;

use compartment::House;
use neighbours::Neighbours;
use std::process::ExitCode;

/// What each instance would make for itself, made by whoever forks them.
pub use trace::look_at_processor as prepare;
use wire::control::Report;

/// Connections that one instance serves, one after the other, before a fresh one takes its place:
/// what one stranger leaves behind in a process reaches at most these.
const CONNECTIONS: usize = 64;

/// What broke on our side. The sender hears 451 in every case.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("could not settle in")]
    Settle(#[source] compartment::Fault),
    #[error("{0} is away")]
    Away(&'static str),
    #[error("{peer} answered something else than was asked")]
    Strange { peer: &'static str },
    #[error("a message in hand")]
    Flight(#[from] flight::Fault),
    #[error(transparent)]
    Copies(#[from] copies::Fault),
    #[error("could not hold a message")]
    Hold(#[source] wire::Fault),
    #[error("could not read or write a message held in memory")]
    Memory(#[source] std::io::Error),
    #[error("could not set up TLS")]
    Tls(#[source] tls::Fault),
}

/// The whole life of an instance: settle in, serve what the gate hands over, leave.
pub fn serve(house: House) -> ExitCode {
    compartment::abort_on_panic("edge");
    compartment::jail::keep_memory();
    compartment::Slab::keep_one();
    live(house)
}

fn live(house: House) -> ExitCode {
    let mut neighbours = match Neighbours::settle_in(house) {
        Ok(neighbours) => neighbours,
        Err(_) => return ExitCode::FAILURE,
    };
    for served in 1..=CONNECTIONS {
        let Some(handed) = neighbours.next_connection() else { return ExitCode::SUCCESS };
        let connection = handed.connection;
        if let Err(fault) = connection::converse(handed, &mut neighbours) {
            neighbours.report(&Report::Note { text: fault.to_string() });
        }
        let last = served == CONNECTIONS || neighbours.is_worn();
        neighbours.done(connection, last);
        if last {
            break;
        }
    }
    ExitCode::SUCCESS
}
