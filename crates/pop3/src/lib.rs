//! POP3 as a format: lines of a client become commands, values become response octets.
//!
//! Sans-IO. RFC 1939, with CAPA (RFC 2449) and response codes (RFC 2449 §8, RFC 3206). There is no
//! STLS: the port speaks TLS from its first octet (RFC 8314 §3.3).
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod command;
mod reader;
mod writer;

pub use command::{Command, Secret};
pub use reader::{Reader, Step};
pub use writer::{Stuffer, Writer, top};

/// One command line with its end. RFC 2449 §4 allows 255; an app password fits many times.
pub const LINE_BYTES: usize = 512;
/// Commands of one session: LIST, UIDL, then RETR and DELE for each message of a large box.
pub const COMMANDS: u64 = 1_000_000;
/// Unreadable commands in a row before the connection ends.
pub const BAD_IN_A_ROW: u32 = 20;

#[cfg(test)]
mod tests;
