//! The server's side of HTTP/1.1 (RFC 9112), without a socket: octets in, one request at a time;
//! an answer as octets out.
//!
//! What could be understood in two ways is refused and ends the connection: whoever stands before
//! us must not see another request than we do.
//!
//! # Never  knows a clock; ends a line on anything but CRLF; reads a body of unknown length

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod reader;
mod request;

mod head;

mod answer;
mod date;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Ending};
pub use date::http_date;
pub use reader::{CONTINUE, Reader, Step};
pub use request::{Method, Refusal, Request};

/// Request line and fields together: mail programs send some hundred octets.
pub const HEAD_BYTES: usize = 8 * 1024;
/// What is asked for, in the request line.
pub const TARGET_BYTES: usize = 2 * 1024;
pub const FIELDS: usize = 64;
/// A form with one field, or an Outlook's question.
pub const BODY_BYTES: usize = 16 * 1024;
