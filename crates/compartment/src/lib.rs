//! The jail: how a compartment is born, what walls it stands in, and how its knocks are heard.
//!
//! Reading order: [`birth`] (the warden's side: one clone, one exec), [`jail`] (inside: limits,
//! Landlock, the filter), [`zygote`] (forked instances), [`notices`] (calls off charter, as the
//! warden receives them), [`policy`] and [`filter`] (readable policies made into BPF).
//!
//! # Never  reads a byte from outside; decides on what a pointer of a jailed process points at
//!
//! This is the only crate that may contain `unsafe`: each block says why it is sound.
#![allow(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod birth;
pub mod drill;
pub mod events;
pub mod fence;
pub mod filter;
pub mod hostile;
pub mod house;
pub mod jail;
pub mod lender;
pub mod notices;
pub mod numbers;
pub mod policy;
pub mod signals;
pub mod slab;
pub mod title;
pub mod view;
pub mod walls;
pub mod zygote;

mod local;
mod plain;
mod room;
#[cfg(test)]
mod tests;
mod voice;

pub use birth::{Birth, Spawned, spawn};
pub use drill::exec_program;
pub use fence::Grounds;
pub use house::{House, now_ms, prepared_zygote_main, random, steady_ms, zygote_main};
pub use jail::{Entered, abort_on_panic, enter};
pub use lender::{Lender, Loan};
pub use local::local_time;
pub use notices::{Notice, Notices};
pub use plain::{give_memory_back, terminal_columns};
pub use policy::{Policy, Verdict};
pub use room::{NO_ROOM, failure, is_full_by_kernel, is_full_by_sqlite, story};
pub use slab::Slab;
pub use view::View;
pub use voice::{in_full, last_words, tell};
pub use walls::{Wall, Walls, is_root, walls};
pub use zygote::{Forked, become_instance, enter_zygote, fork_instance};

use std::io;

/// What broke on our side of the wall.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A system call that the jail needs was refused.
    #[error("the jail could not {step}")]
    Refused {
        /// What we were doing, as a verb.
        step: &'static str,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// The child failed between its clone and its exec.
    #[error("the newborn process could not {step}")]
    Stillborn {
        /// What the child was doing.
        step: &'static str,
        /// The kernel's answer to the child.
        #[source]
        source: io::Error,
    },
    /// A channel broke: above all the control channel, whose end is our end.
    #[error("the jail lost a channel")]
    Channel(#[source] wire::Fault),
    /// The first frame was not `Begin`, or names no kind.
    #[error("expected a first frame that begins a compartment, found another")]
    NoBeginning,
    /// The warden said stop while something else was waited for.
    #[error("the warden said stop")]
    Stopped,
    /// A policy file of ours is wrong; found by the tests before it is found by a user.
    #[error("policy {policy}, line {line}: {why}")]
    Policy {
        /// The policy's file name without its ending.
        policy: String,
        /// Line, counted from one.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Fault {
    pub(crate) fn refused(step: &'static str) -> Self {
        Fault::Refused { step, source: io::Error::last_os_error() }
    }
}

impl From<wire::Fault> for Fault {
    fn from(fault: wire::Fault) -> Self {
        Fault::Channel(fault)
    }
}
