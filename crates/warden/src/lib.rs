//! The warden starts every other process, watches it, and hears what it must not do.
//!
//! # Holds          the listening ports, the ends of new channels, a sealed credential in a memfd
//! # May ask        all (their health); the ledger as root author
//! # Network        binds the listeners, and hands them to `gate`
//! # If taken over  everything in the default tier
//! # Never          parses a byte from outside; waits for a compartment; opens a key
//!
//! Reading order: [`plan`] (what to run), [`household`] (the loop), `roster` (who is alive),
//! `wants`, `births`, `joins`, `endings`, `shortage` (of memory), `ears` (refused calls), `eyes`
//! (programs that are started), `feeds` (what the sentinel is told), `isolations`, `troubles`,
//! `recorder` (evidence), `stopping`.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod plan;
pub mod workshop;

mod births;
mod carried;
mod counts;
mod crowds;
mod dials;
mod ears;
mod earshot;
mod endings;
mod eyes;
mod feeds;
mod household;
mod isolations;
mod joins;
mod listening;
mod ports;
mod recorder;
mod reports;
mod resolvers;
mod roster;
mod shortage;
mod stopping;
mod troubles;
mod wants;

pub use endings::NO_ROOM;
pub use household::run;
pub use plan::{Drill, Drills, Happening, Patience, Plan, Program, Published, Tapped};
pub use workshop::{Refused, Worker, Workshop};

use std::io;

/// What broke on our side before or while the house stood.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A port, folder or lock that the warden needs is not to be had.
    #[error("could not {doing} {what}")]
    Unable {
        /// A verb.
        doing: &'static str,
        /// Which.
        what: String,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// Another warden runs on this data folder.
    #[error("another sekisho runs on {folder}")]
    Taken {
        /// The data folder.
        folder: String,
    },
    /// Too few to bring everything up and serve a few people.
    #[error(
        "expected a limit of {expected} or more open descriptors, found {found}: \
         raise it (`ulimit -n`, LimitNOFILE= of the unit)"
    )]
    Descriptors {
        /// The hard limit of this process.
        found: u64,
        /// What is needed.
        expected: u64,
    },
    /// The jail failed.
    #[error("could not bring up a compartment")]
    Compartment(#[from] compartment::Fault),
    /// A channel failed.
    #[error("could not use a channel")]
    Channel(#[from] wire::Fault),
}

impl Fault {
    /// With what lies behind it.
    fn in_full(&self) -> String {
        compartment::in_full(self)
    }
}
