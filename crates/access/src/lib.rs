//! Access serves one IMAP or POP3 connection, from its first octet to its last.
//!
//! # Holds          one socket; one person's opened summaries and one body, in memory
//! # May ask        signer, identity; once signed in also vault and mailbox, for that person only
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

// what it stands on
mod ends;
mod fault;
mod folders;
mod keeper;
mod line;
mod person;
mod view;

pub use fault::Fault;

use compartment::House;
use ends::Ends;
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
    let protocol: &[u8] = match handed.service {
        Service::Pop3s => b"pop3",
        _ => b"imap",
    };
    let config = tls::server_config(ends.signer(), &[protocol]).map_err(Fault::Tls)?;
    let served = match Line::open(handed.socket, config) {
        Ok(line) if handed.service == Service::Pop3s => pop::serve(line, &mut ends),
        Ok(line) => imap4::serve(line, &mut ends),
        Err(fault) => Err(fault),
    };
    ends.done(handed.connection);
    served
}
