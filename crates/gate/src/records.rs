//! Which connection went to which instance, on its way to the ledger: at most a second behind.

use compartment::now_ms;
use evidence::{Author, Body};
use journal::{Carrier, Heard};
use std::time::{Duration, Instant};
use terms::Kind;
use wire::control::{Keys, Start};
use wire::{Frame, Hub, Peer};

/// Entries that may wait while the ledger is away, some hours of ordinary arrival (10 MB): mail
/// goes on coming in without evidence's peers, but not for ever.
const WAITING: usize = 50_000;
/// So many are handed in at once, or those of so long.
const BATCH: usize = 64;
const BATCH_TIME: Duration = Duration::from_millis(250);

pub struct Records {
    carrier: Carrier,
    oldest: Option<Instant>,
}

impl Records {
    pub fn new(start: &Start) -> Self {
        let author = Author::new(Kind::Gate, start.instance, &compartment::random());
        Self { carrier: Carrier::new(author, WAITING).with_keys_of(start), oldest: None }
    }

    pub fn public_key(&self) -> [u8; 32] {
        self.carrier.public()
    }

    /// Keys that were not known at the start.
    pub fn learn(&mut self, keys: Keys) {
        self.carrier.learn(keys);
    }

    /// A (new) ledger. What the last one did not show is handed in again.
    pub fn join(&mut self, ledger: Peer) {
        self.carrier.join(ledger);
    }

    pub fn gone(&mut self, peer: Peer) {
        self.carrier.gone(peer);
    }

    /// False: the ledger has been away for too long; what cannot be recorded is not done.
    pub fn record(&mut self, body: Body) -> bool {
        self.oldest.get_or_insert_with(Instant::now);
        self.carrier.record(now_ms(), body)
    }

    /// Whether something waits to be handed in or answered.
    pub fn is_waiting(&self) -> bool {
        self.carrier.waiting() > 0
    }

    /// Hands in what has gathered, if it is time. `hurry`: we are leaving.
    pub fn hand_in(&mut self, hub: &mut Hub, now: Instant, hurry: bool) {
        let waiting = self.carrier.waiting();
        if waiting == 0 {
            self.oldest = None;
        }
        // What was handed in and never taken waits like anything else.
        let is_old = self.oldest.is_some_and(|oldest| now.duration_since(oldest) >= BATCH_TIME);
        self.carrier.tend(hub, now, waiting >= BATCH || is_old || hurry);
    }

    /// The ledger's answer, if it is one.
    pub fn hear(&mut self, peer: Peer, frame: &Frame) {
        if let Heard::Taken(_) = self.carrier.hear(peer, frame) {
            self.oldest = (self.carrier.waiting() > 0).then(Instant::now);
        }
    }

    /// What the warden is told of the ledger.
    pub fn take_lie(&mut self) -> Option<String> {
        self.carrier.take_lie()
    }
}
