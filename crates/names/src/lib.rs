//! `names` asks the DNS for everybody else, so that nobody else owns a resolver or a DNS socket.
//!
//! # Holds          answers, until their time is up
//! # May ask        no one
//! # Network        sockets that the warden connected to the configured DNS servers
//! # If taken over  the intruder can lie about DNS, and sees which names are asked for
//! # Never          learns who a message is for; writes a file; follows a server's referral
//!
//! It forwards: the configured servers (else those of the system) do the recursion. It does not
//! validate DNSSEC by itself: an answer is called [`wire::names::Security::Secure`] only when a
//! configured server on this very host says so (the AD bit of RFC 6840 §5.8), whatever servers
//! elsewhere say: theirs came over a wire. So DANE (RFC 7672) is used where a validating resolver
//! runs beside us, and nowhere else. Against forged answers stand a random id, a fresh source port
//! for every question, letters of random case on the first try, and answers taken only from the
//! server asked, for the question asked.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod cache;
mod desk;
mod health;
mod inquiry;
mod life;
mod packet;
mod sockets;
mod system;
#[cfg(test)]
mod tests;

pub use life::run;
pub use packet::{Reading, Sent, read_answer};
pub use system::{servers as system_servers, servers_in};

/// Our side's failures.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the warden is out of reach")]
    Control(#[source] compartment::Fault),
    #[error("a channel broke")]
    Channel(#[source] wire::Fault),
}
