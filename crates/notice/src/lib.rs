//! Notices about mail: the ones that we write (RFC 3461 to 3464, 6533) and the ones that come
//! back to us from ninety kinds of mail systems, in words that people understand; complaints (RFC
//! 5965); the answer of somebody who is away (RFC 3834); and letters of lists and about TLS (RFC
//! 8460).
//!
//! Pure: octets in, values out; values in, octets out. **Never** quotes a peer's words into a
//! field unwashed; **never** answers a notice with a notice (that is for the caller: see
//! [`Notice::is_due`]).

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod absence;
pub mod list;
pub mod tls;

mod feedback;
pub mod redirected;
mod returned;
pub mod unreturned;
mod write;

mod clues;
mod reason;
mod status;
mod told;
mod words;

pub use feedback::{Feedback, feedback, is_complaint};
// Octets that were read for a clue, so that tests can count work.
#[cfg(test)]
thread_local!(static READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });

pub use reason::{Reason, reason};
pub use returned::{Bounce, Kind, Victim, read};
pub use words::say;
pub use write::{Action, Fate, Notice, Original, write};

#[cfg(test)]
mod tests;
