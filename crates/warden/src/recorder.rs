//! The warden's own entries: a bounded queue behind everything that happens, one frame of them in
//! flight to the ledger at a time. What does not fit is counted, and the count is an alarm.

use crate::earshot::Earshot;
pub use compartment::now_ms;
use compartment::random;
use evidence::{Author, Body, Outbox, PublicKey, Word};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use wire::ledger::{FromLedger, ToLedger};
use wire::{Frame, Hub, Peer};

/// Entries that may wait for the ledger.
const WAITING: usize = 65_536;
/// An append without an answer is sent again after this.
const PATIENCE: Duration = Duration::from_secs(3);
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The root author.
pub struct Recorder {
    outbox: Outbox,
    ledger: Option<Peer>,
    /// Frames in flight, and since when.
    flight: Option<(usize, Instant)>,
    next_call: u32,
    /// Number in our series of the oldest entry that is not durable.
    durable: u64,
    overflow: u64,
    last_heartbeat: Instant,
    /// Authors to be joined to the ledger once the entry of that number is durable.
    introductions: VecDeque<(u64, InstanceId)>,
    /// Of what compartments say by themselves.
    pub earshot: Earshot,
}

impl Recorder {
    pub fn new(own: InstanceId) -> Self {
        let author = Author::new(Kind::Warden, own, &random());
        let key = author.public_key();
        let mut outbox = Outbox::new(author, WAITING);
        let first = start(own, Kind::Warden, std::process::id(), Some(key), (None, None));
        let _ = outbox.record(now_ms(), first);
        Recorder {
            outbox,
            ledger: None,
            flight: None,
            next_call: 1,
            durable: 0,
            overflow: 0,
            last_heartbeat: Instant::now(),
            introductions: VecDeque::new(),
            earshot: Earshot::default(),
        }
    }

    /// Takes one deed down; its number in our series, or `None` when too many wait.
    pub fn record(&mut self, body: Body) -> Option<u64> {
        if self.overflow > 0 && self.outbox.waiting() < WAITING / 2 {
            let what = format!("{} entries did not fit", self.overflow);
            let own = self.outbox.author().start();
            let lost = alarm(own, Kind::Warden, std::process::id(), "record", &what);
            if self.outbox.record(now_ms(), lost) {
                self.overflow = 0;
            }
        }
        let number = self.outbox.author().next_seq();
        if self.outbox.record(now_ms(), body) {
            return Some(number);
        }
        self.overflow += 1;
        None
    }

    /// An author may be joined to the ledger when the entry that names its key is durable.
    pub fn introduce(&mut self, instance: InstanceId, number: u64) {
        self.introductions.push_back((number, instance));
    }

    /// Authors whose entry is durable by now.
    pub fn introduced(&mut self) -> Vec<InstanceId> {
        let mut known = Vec::new();
        while let Some((number, instance)) = self.introductions.front().copied()
            && number < self.durable
        {
            self.introductions.pop_front();
            known.push(instance);
        }
        known
    }

    pub fn joined(&mut self, ledger: Peer) {
        self.ledger = Some(ledger);
        self.flight = None;
    }

    pub fn is_ledger(&self, peer: Peer) -> bool {
        self.ledger == Some(peer)
    }

    pub fn lost_ledger(&mut self) {
        self.ledger = None;
        self.flight = None;
    }

    pub fn has_all_recorded(&self) -> bool {
        self.outbox.waiting() == 0
    }

    /// Sends what waits, if nothing is in flight; beats the heart.
    pub fn tend(&mut self, hub: &mut Hub, now: Instant) {
        if now.duration_since(self.last_heartbeat) >= HEARTBEAT {
            self.last_heartbeat = now;
            self.record(Body::Heartbeat {});
        }
        if let Some((_, since)) = self.flight
            && now.duration_since(since) >= PATIENCE
        {
            self.flight = None;
        }
        let Some(ledger) = self.ledger else { return };
        if self.flight.is_some() || self.outbox.waiting() == 0 {
            return;
        }
        let entries = self.outbox.frames();
        let count = entries.len();
        self.next_call = self.next_call.wrapping_add(1).max(1);
        let append = ToLedger::Append { entries, prove: false };
        if hub.send(ledger, self.next_call, &append, Vec::new()).is_ok() {
            self.flight = Some((count, now));
        }
    }

    /// The ledger's answer: the numbers that became durable, `(first, count, leaf of the first)`.
    pub fn answered(&mut self, frame: &Frame) -> Option<(u64, u64, u64)> {
        if frame.call != self.next_call {
            return None;
        }
        let (count, since) = self.flight?;
        match frame.read::<FromLedger>() {
            Ok(FromLedger::Taken { first_index }) => {
                self.flight = None;
                self.outbox.acknowledged(count);
                let first = self.durable;
                self.durable += count as u64;
                Some((first, count as u64, first_index))
            }
            // Sent again when patience ends: the pause is the back-off.
            _ => {
                self.flight = Some((count, since));
                None
            }
        }
    }
}

/// A process began: forked from a zygote, or to serve one instance, where that is so.
pub fn start(
    instance: InstanceId,
    kind: Kind,
    pid: u32,
    key: Option<PublicKey>,
    (zygote, serves): (Option<InstanceId>, Option<InstanceId>),
) -> Body {
    let version = Word::new(env!("CARGO_PKG_VERSION"));
    Body::ProcessStart { instance, kind, pid, version, zygote, key, serves }
}

/// A process ended.
pub fn stop(instance: InstanceId, clean: bool, cause: &str) -> Body {
    Body::ProcessStop { instance, clean, cause: Word::new(cause), last_seq: None }
}

/// Something alarming.
pub fn alarm(instance: InstanceId, kind: Kind, pid: u32, call: &str, what: &str) -> Body {
    Body::Alarm { instance, kind, pid, call: Word::new(call), what: Word::new(what) }
}
