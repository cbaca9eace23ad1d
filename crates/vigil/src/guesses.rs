//! Passwords tried at the command line, in somebody's name: by whoever would agree in their stead,
//! or shut them out of agreeing. `identity` lets nobody try on after so many, and says so to who
//! tries; here it becomes an incident.

use crate::incident::{Cause, Incident};
use std::collections::HashMap;
use terms::{TenantId, UserId};

/// As `identity` counts: so many wrong ones lock a person out at the command line, for so long.
const TRIES: u32 = 5;
const WAIT_MS: u64 = 15 * 60 * 1000;
/// Protocols of passwords that were typed at the command line.
const TYPED: [&str; 2] = ["approval", "first-password"];
/// People who are remembered; far more than are named wrongly at once.
const PEOPLE: usize = 10_000;
pub const WHAT: &str =
    "a person's password was guessed wrong five times at the command line: locked for 15 minutes";

#[derive(Default)]
pub struct Guesses(HashMap<UserId, (u32, u64)>);

impl Guesses {
    /// Counts a password that was typed at `at_ms`; the one that locks the person out is told of.
    pub fn count(
        &mut self,
        at_ms: u64,
        protocol: &str,
        is_right: bool,
        (tenant, user): (TenantId, UserId),
    ) -> Option<Incident> {
        if !TYPED.contains(&protocol) {
            return None;
        }
        if is_right {
            self.0.remove(&user);
            return None;
        }
        if self.0.len() >= PEOPLE {
            self.0.retain(|_, (_, last_ms)| at_ms <= last_ms.saturating_add(WAIT_MS));
        }
        if self.0.len() >= PEOPLE && !self.0.contains_key(&user) {
            return None;
        }
        let (wrong, last_ms) = self.0.entry(user).or_default();
        *wrong = if at_ms > last_ms.saturating_add(WAIT_MS) { 1 } else { wrong.saturating_add(1) };
        *last_ms = at_ms;
        (*wrong == TRIES).then(|| Incident::new(Cause::Attention, WHAT).about(tenant, user))
    }
}
