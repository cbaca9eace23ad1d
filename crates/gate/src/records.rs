//! Which connection went to which instance, on its way to the ledger: at most a second behind.

use compartment::now_ms;
use evidence::{Author, Body, Outbox};
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use wire::ledger::{FromLedger, ToLedger};
use wire::{Frame, Hub, Peer};

/// Entries that may wait while the ledger is away, some hours of ordinary arrival (10 MB): mail
/// goes on coming in without evidence's peers, but not for ever.
const WAITING: usize = 50_000;
/// So many are handed in at once, or those of so long.
const BATCH: usize = 64;
const BATCH_TIME: Duration = Duration::from_millis(250);
/// The ledger answers within two seconds, or never will.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// After an answer that was no yes.
const PAUSE: Duration = Duration::from_millis(500);

pub struct Records {
    outbox: Outbox,
    ledger: Option<Peer>,
    calls: u32,
    /// Call, entries in it, and when it left.
    asked: Option<(u32, usize, Instant)>,
    not_before: Instant,
    oldest: Option<Instant>,
}

impl Records {
    pub fn new(own: InstanceId) -> Self {
        let author = Author::new(Kind::Gate, own, &compartment::random());
        Self {
            outbox: Outbox::new(author, WAITING),
            ledger: None,
            calls: 0,
            asked: None,
            not_before: Instant::now(),
            oldest: None,
        }
    }

    pub fn public_key(&self) -> [u8; 32] {
        self.outbox.author().public_key().0
    }

    /// A (new) ledger. What the last one did not acknowledge is handed in again.
    pub fn join(&mut self, ledger: Peer) {
        self.ledger = Some(ledger);
        self.asked = None;
        self.not_before = Instant::now();
    }

    pub fn gone(&mut self, peer: Peer) {
        if self.ledger == Some(peer) {
            self.ledger = None;
            self.asked = None;
        }
    }

    /// False: the ledger has been away for too long; what cannot be recorded is not done.
    pub fn record(&mut self, body: Body) -> bool {
        self.oldest.get_or_insert_with(Instant::now);
        self.outbox.record(now_ms(), body)
    }

    /// Whether something waits to be handed in or answered.
    pub fn is_waiting(&self) -> bool {
        self.outbox.waiting() > 0
    }

    /// Hands in what has gathered, if it is time. `hurry`: we are leaving.
    pub fn hand_in(&mut self, hub: &mut Hub, now: Instant, hurry: bool) {
        if self.asked.is_some_and(|(_, _, at)| now.duration_since(at) > ANSWER_LIMIT) {
            self.asked = None;
        }
        let Some(ledger) = self.ledger.filter(|_| self.asked.is_none()) else { return };
        let waiting = self.outbox.waiting();
        if waiting == 0 {
            self.oldest = None;
            return;
        }
        // What was handed in and never acknowledged waits like anything else.
        let oldest = *self.oldest.get_or_insert(now);
        let is_old = now.duration_since(oldest) >= BATCH_TIME;
        if now < self.not_before || !(waiting >= BATCH || is_old || hurry) {
            return;
        }
        let entries = self.outbox.frames();
        let count = entries.len();
        self.calls = self.calls.wrapping_add(1).max(1);
        let append = ToLedger::Append { entries, prove: false };
        if hub.send(ledger, self.calls, &append, Vec::new()).is_ok() {
            self.asked = Some((self.calls, count, now));
            self.oldest = None;
        }
    }

    /// The ledger's answer, if it is one.
    pub fn hear(&mut self, peer: Peer, frame: &Frame) {
        let Some((call, count, _)) = self.asked else { return };
        if self.ledger != Some(peer) || frame.call != call {
            return;
        }
        self.asked = None;
        match frame.read() {
            Ok(FromLedger::Taken { .. } | FromLedger::Proved { .. }) => {
                self.outbox.acknowledged(count);
            }
            _ => self.not_before = Instant::now() + PAUSE,
        }
    }
}
