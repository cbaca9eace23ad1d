//! Depart carries mail to where it goes, a list's to its members: one batch of one tenant after
//! another, and then leaves.
//!
//! # Holds          the batch in hand, opened, in memory; its tenant's sign-in to a smart host,
//! #                until it is said
//! # May ask        post (what to carry), vault (its keys), names, fetch, directory, mailbox,
//! #                signer (in its tenant's name)
//! # Network        sockets that the warden dialled, at the ports of mail and no other
//! # If taken over  the intruder gets the batch in hand, its relay sessions and that tenant's
//! #                sign-ins to smart hosts, the members of lists whose mail it spreads, and can
//! #                lie about what became of it, and of TLS in that tenant's reports; have false
//! #                policies kept for that tenant, until they are fetched anew (a day); hand mail
//! #                of its making to lists, forwards and groups of other tenants; have mail
//! #                signed in that tenant's domains (100,000 questions; that it signs is
//! #                recorded), and a notice queued for each letter in hand; every opened message
//! #                and every sign-in lent is recorded
//! # Never          opens what it was not handed; speaks for a second tenant; carries a letter on
//! #                from another tenant's address; sends a bare CR or
//! #                LF; writes a notice to anybody but a sender; takes apart mail
//! #                that somebody else than its own tenant's person wrote, but for header fields
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod account;
mod batch;
mod follow;

mod opening;

mod finish;

mod here;
mod onward;
mod outside;
mod parked;
mod passing;
mod spread;
mod web;

mod policies;
mod road;
mod trust;

mod accepted;
mod conversation;
mod tally;
mod traced;

mod fates;
mod told;
mod unreturned;

mod absent;

mod back;

mod neighbours;

#[cfg(test)]
mod tests;

use compartment::House;
use neighbours::Neighbours;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use wire::control::Report;

/// What broke on our side: whatever it concerns is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("could not settle in")]
    Settle(#[source] compartment::Fault),
    #[error("{0} is away")]
    Away(&'static str),
    #[error("{peer} answered something else than was asked")]
    Strange { peer: &'static str },
    #[error("the vault releases nothing now")]
    NotReleased,
    #[error("could not open what is to be carried")]
    Open(#[source] open::Fault),
    #[error("could not seal")]
    Seal(#[source] seal::Fault),
    #[error(transparent)]
    Copies(#[from] copies::Fault),
    #[error("could not take or pass on a parcel")]
    Parcel(#[source] wire::Fault),
}

/// How long things may take. Tests have less patience.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// A TCP connection to one address.
    pub connect: Duration,
    pub handshake: Duration,
    /// No single answer is waited for longer than this, whatever RFC 5321 allows.
    pub answer: Duration,
    /// For the next piece of a text to be taken (RFC 5321 §4.5.3.2.5).
    pub piece: Duration,
    /// For one letter, all of it.
    pub letter: Duration,
    /// A destination that brings nothing to an end for so long is left alone: a few hosts that
    /// answer slowly, each in its five minutes, must not hold an instance for hours.
    pub attempt: Duration,
    /// While other destinations of the batch wait behind this one, no word of it for so long lets
    /// them go: somebody else carries them.
    pub stall: Duration,
    /// A connection that took its letters stays open so long for more; zero: not at all.
    pub keep: Duration,
    /// How TLS fared gathers so long before the directory is told.
    pub gather: Duration,
    /// An instance that has a tenant and nothing to do leaves after this: another one is born when
    /// there is mail again.
    pub idle: Duration,
}

impl Limits {
    /// For what is passed on: a stranger chose where it goes, and would keep instances for as long
    /// as they may be kept. Whoever means to take mail answers sooner than this.
    pub(crate) fn of_others(self) -> Self {
        Self {
            connect: self.connect.min(Duration::from_secs(15)),
            handshake: self.handshake.min(Duration::from_secs(30)),
            answer: self.answer.min(Duration::from_secs(60)),
            letter: self.letter.min(Duration::from_secs(10 * 60)),
            attempt: self.attempt.min(Duration::from_secs(2 * 60)),
            ..self
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            handshake: Duration::from_secs(60),
            answer: Duration::from_secs(10 * 60),
            piece: Duration::from_secs(3 * 60),
            letter: Duration::from_secs(60 * 60),
            attempt: Duration::from_secs(10 * 60),
            stall: Duration::from_secs(2),
            keep: Duration::from_secs(2),
            gather: Duration::from_secs(2),
            idle: Duration::from_secs(30),
        }
    }
}

/// How long one instance serves its tenant before a fresh one takes its place. A birth costs more
/// than a hundred letters, and what an intruder gets is the batch in hand either way.
const LIFE: Duration = Duration::from_secs(10 * 60);

/// The whole life of an instance: settle in, carry what post hands over, leave.
pub fn serve(house: House) -> ExitCode {
    compartment::abort_on_panic("depart");
    compartment::jail::keep_memory();
    live(house, Limits::default())
}

fn live(house: House, limits: Limits) -> ExitCode {
    let mut neighbours = match Neighbours::settle_in(house, limits) {
        Ok(neighbours) => neighbours,
        Err(_) => return ExitCode::FAILURE,
    };
    let mut tenant = None;
    let born = Instant::now();
    while born.elapsed() < LIFE || tenant.is_none() {
        let Some(batch) = neighbours.next_batch(tenant) else { break };
        // Post knows whose we are; a second tenant would be its error, and ours to refuse.
        if tenant.is_some_and(|tenant| tenant != batch.tenant) {
            let what = "post handed over a second tenant's mail".to_owned();
            neighbours.report(&Report::Alarm { what });
            break;
        }
        tenant = Some(batch.tenant);
        if let Err(fault) = batch::carry(batch, &mut neighbours) {
            neighbours.report(&Report::Note { text: format!("depart: {fault}") });
            break;
        }
    }
    neighbours.tell_the_rest();
    neighbours.lot.close_all();
    neighbours.wait_until_kept();
    neighbours.let_go_of_post();
    neighbours.look_at_policies_again();
    ExitCode::SUCCESS
}
