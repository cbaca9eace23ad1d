//! The sending side of SMTP: says what to write next and reads what comes back. No sockets, no
//! clock.
//!
//! The caller writes `take_output`, reads, feeds what it read, and asks [`Courier::next`] what is
//! wanted. A remote may answer everything that RFC 5321 allows and a good deal that it does not:
//! whatever it says ends in one [`Outcome`] for each recipient.
//!
//! **Never** sends a bare CR or LF; **never** believes an octet that came before TLS; **never**
//! reads without a bound.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod courier;

mod answer;
mod extensions;
mod letter;
mod sign_in;
mod stuffing;

pub use answer::{Answer, Answers, Malformed};
pub use courier::{Broken, Courier, Outcome, Tls, Want};
pub use extensions::Extensions;
pub use letter::{Letter, Notify, Receiver, Unfit};
pub use sign_in::Login;
pub use stuffing::{Bare, Stuffing};

#[cfg(test)]
mod tests;
