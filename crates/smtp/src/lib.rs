//! A strict receiver of RFC 5321 mail, from strangers and (RFC 6409) from people who sign in:
//! octets in, events out. No sockets, no clock.
//!
//! The caller reads from its peer, feeds what it read and asks for events until one says `Read`:
//!
//! ```
//! use smtp::{Event, Limits, Reply, Session};
//!
//! let mut session = Session::new(Limits::default(), "mx.example.jp", false, true);
//! session.greet();
//! session.feed(b"EHLO client.example\r\nQUIT\r\n");
//! loop {
//!     match session.next_event() {
//!         Event::Read | Event::Close(_) => break,
//!         Event::Mail(_) | Event::Rcpt(_) | Event::End => session.reply(Reply::ok()),
//!         Event::Data => session.reply(Reply::go_ahead()),
//!         _ => {}
//!     }
//! }
//! assert!(session.take_output().starts_with(b"220 mx.example.jp"));
//! ```
//!
//! Only CRLF ends a line and only CRLF.CRLF ends a message. A bare CR, a bare LF or a NUL never
//! ends anything; it costs the message, and where it looked like an end, the connection.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod event;
mod session;

mod address;
mod command;
mod input;
mod limits;
mod parameters;
mod path;
mod reply;
mod sign_in;
mod text;

pub use address::Address;
pub use command::{Hello, Mail, Rcpt, Recipient};
pub use event::{Event, Patience, Why};
pub use limits::Limits;
pub use parameters::{Body, Notify, Original, Return, xtext};
pub use reply::Reply;
pub use session::Session;
pub use sign_in::Credentials;
pub use text::{Oddity, oddity_in_file};

#[cfg(test)]
mod tests;
