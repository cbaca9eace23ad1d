//! Access serves one IMAP, POP3 or submission connection, from its first octet to its last.
//!
//! # Holds          one socket; one person's opened summaries and one body, in memory
//! # May ask        signer, identity; once signed in also vault and mailbox, for that person only;
//! #                where mail is handed in, instead of them, the dispatch born for that person
//! # Network        the one socket that the gate passed
//! # If taken over  the intruder reads this person's mail within budget, every item recorded
//! # Never          serves a second person; passes on an account password; writes a file
//!
//! An intruder keeps that until the session's absolute end, and has the app password that was
//! typed on this connection.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

// the story
mod imap4;
mod pop;
mod submission;

// what it stands on
mod ends;
mod fault;
mod folded;
mod folders;
mod keeper;
mod line;
mod person;
mod view;

pub use fault::Fault;

use compartment::House;
use ends::{Ends, Handed};
use line::Line;
use std::process::ExitCode;
use wire::control::Service;

/// Waits for its one connection, serves it, and ends.
pub fn serve(house: House) -> ExitCode {
    match attend(house) {
        Ok(()) | Err(Fault::Line) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn attend(house: House) -> Result<(), Fault> {
    let mut ends = Ends::join(house)?;
    let Some(handed) = ends.await_connection()? else {
        return Ok(());
    };
    let connection = handed.connection;
    let served = serve_one(handed, &mut ends);
    ends.done(connection);
    served
}

fn serve_one(handed: Handed, ends: &mut Ends) -> Result<(), Fault> {
    let names: &[&[u8]] = match handed.service {
        Service::Pop3s => &[b"pop3"],
        Service::Submission | Service::Submissions => &[],
        _ => &[b"imap"],
    };
    let config = tls::server_config(ends.signer(), names).map_err(Fault::Tls)?;
    let client_ip = handed.peer.ip().to_canonical();
    match handed.service {
        Service::Submission => {
            submission::serve(Line::in_clear(handed.socket), Some(config), client_ip, ends)
        }
        Service::Submissions => {
            submission::serve(Line::open(handed.socket, config)?, None, client_ip, ends)
        }
        Service::Pop3s => pop::serve(Line::open(handed.socket, config)?, ends),
        _ => imap4::serve(Line::open(handed.socket, config)?, ends),
    }
}
