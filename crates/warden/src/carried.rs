//! Whether what the warden heard leaves the house. The sentinel tells of it, by `fetch`; the warden
//! makes the sockets for that, and so it sees by itself that nothing was sent.
//!
//! It is no judgement of whose fault that is: a sentinel that keeps alarms back, a `fetch` that
//! does, and a name server that does not answer look alike, and are told alike. Whoever asks a
//! resource at the port of the webhook counts as a dial, so that a silence may be missed where
//! both have one port; none is made up.

use crate::household::Household;
use crate::plan::Patience;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::fetch::Outward;

#[derive(Default)]
pub struct Carried {
    /// Since when an alarm of ours waits to be told outside.
    owed: Option<Instant>,
    dialled: Option<Instant>,
    is_told: bool,
}

impl Carried {
    fn alarmed(&mut self, now: Instant) {
        self.owed.get_or_insert(now);
    }

    fn dialled(&mut self, now: Instant) {
        *self = Self { owed: None, dialled: Some(now), is_told: false };
    }

    /// For how long nothing has left, if that is too long; told once, until something does.
    /// `gather`: so long the sentinel waits after a message for what follows.
    fn overdue(&mut self, patience: Patience, gather: Duration, now: Instant) -> Option<Duration> {
        let Patience { prompt, pause } = patience;
        let owed = self.owed.filter(|_| !self.is_told)?;
        let pauses = gather + pause;
        let is_recent = |at: Instant| owed.saturating_duration_since(at) < pauses;
        let patience = if self.dialled.is_some_and(is_recent) { pauses + prompt } else { prompt };
        let waited = now.saturating_duration_since(owed);
        self.is_told = waited >= patience;
        self.is_told.then_some(waited)
    }
}

impl Household {
    /// An alarm of ours was told to whoever tells it outside. (While the house begins, what was
    /// before is read, and nothing is said.)
    pub fn owe_outside(&mut self) {
        let outward = &self.plan.outward;
        if self.announced && (outward.webhook.is_some() || outward.mail.is_some()) {
            self.carried.alarmed(Instant::now());
        }
    }

    /// A socket is asked for.
    pub fn note_dial(&mut self, kind: Kind, to: SocketAddr) {
        if kind == Kind::Fetch && is_route(&self.plan.outward, to) {
            self.carried.dialled(Instant::now());
        }
    }

    /// On the console, in the ledger under our own name, and to whoever listens to us.
    pub fn look_whether_alarms_leave(&mut self, now: Instant) {
        let gather = Duration::from_millis(self.plan.vigilance.gather_ms);
        let Some(waited) = self.carried.overdue(self.plan.patience, gather, now) else { return };
        let seconds = waited.as_secs();
        let what = format!("no alarm has left this house by any route for {seconds} s");
        self.raise_alarm(self.own, Kind::Warden, std::process::id(), "outside", &what, None);
    }
}

fn is_route(outward: &Outward, to: SocketAddr) -> bool {
    outward.addresses().any(|named| named == to) || outward.ports().any(|port| port == to.port())
}

#[cfg(test)]
mod tests {
    use super::{Carried, Patience};
    use std::time::{Duration, Instant};

    const GATHER: Duration = Duration::from_secs(30);
    const PROMPT: Duration = Duration::from_secs(120);
    const PAUSE: Duration = Duration::from_secs(360);
    const PATIENCE: Patience = Patience { prompt: PROMPT, pause: PAUSE };
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_alarm_that_does_not_leave_is_told_once() {
        let (mut carried, start) = (Carried::default(), Instant::now());
        assert_eq!(carried.overdue(PATIENCE, GATHER, start + PAUSE), None, "nothing is owed");
        carried.alarmed(start);
        carried.alarmed(start + SECOND);
        assert_eq!(carried.overdue(PATIENCE, GATHER, start + PROMPT - SECOND), None);
        assert_eq!(carried.overdue(PATIENCE, GATHER, start + PROMPT), Some(PROMPT));
        assert_eq!(carried.overdue(PATIENCE, GATHER, start + PROMPT * 9), None, "told");
        // Something leaves, and the next silence is another.
        let at = start + PROMPT * 10;
        carried.dialled(at);
        assert_eq!(carried.overdue(PATIENCE, GATHER, at + PROMPT * 9), None);
        let late = at + GATHER + PAUSE;
        carried.alarmed(late);
        assert_eq!(carried.overdue(PATIENCE, GATHER, late + PROMPT), Some(PROMPT));
    }

    /// A route that fails is tried at longer and longer intervals: that is no silence.
    #[test]
    fn whoever_was_tried_lately_may_be_in_a_pause() {
        let (mut carried, start) = (Carried::default(), Instant::now());
        carried.dialled(start);
        carried.alarmed(start + SECOND);
        let patience = GATHER + PAUSE + PROMPT;
        assert_eq!(carried.overdue(PATIENCE, GATHER, start + patience), None);
        assert_eq!(carried.overdue(PATIENCE, GATHER, start + SECOND + patience), Some(patience));
    }
}
