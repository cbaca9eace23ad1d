//! Pages answers one HTTPS connection with what everybody may know: settings for mail programs,
//! MTA-STS policies; takes whoever holds a list's token off that list; and brings a person's word
//! about mail that is held in their name.
//!
//! # Holds          one socket, one request in memory
//! # May ask        signer (handshakes for its own names), directory (is this domain ours; a token)
//! # Network        the one socket that the gate passed
//! # If taken over  the intruder can lie to this one connection; nothing that is not public
//! # Never          signs anybody in; serves a second connection; reads a body without a bound
//!
//! Reading order: [`serve`], `session` (a connection), `site` (which page), then the pages.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

// the story
mod session;
mod site;

// the pages
mod autoconfig;
mod held;
mod unsubscribe;

mod sheet;
mod words;

// what it stands on
mod ends;
mod line;

#[cfg(test)]
mod tests;

use compartment::House;
use ends::Ends;
use std::process::ExitCode;

/// Why a connection ends before its time.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("could not settle in the house")]
    House(#[source] compartment::Fault),
    #[error("could not set up TLS")]
    Tls(#[source] tls::Fault),
    /// The client's end of it: gone, or silent, or no TLS.
    #[error("the connection ended")]
    Line,
}

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
    let served = session::serve(handed.socket, &mut ends);
    ends.done(handed.connection);
    served
}
