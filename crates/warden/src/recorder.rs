//! The warden's own entries: a bounded queue behind everything that happens. What does not fit is
//! counted, and the count is an alarm.

use crate::earshot::Earshot;
pub use compartment::now_ms;
use compartment::random;
use evidence::{Author, Body, PublicKey, Word};
use journal::{Carrier, Heard};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use wire::{Frame, Hub, Peer};

/// Entries that may wait for the ledger.
const WAITING: usize = 65_536;
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The root author.
pub struct Recorder {
    carrier: Carrier,
    /// Number in our series of the oldest entry that no ledger has taken.
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
        let mut carrier = Carrier::new(author, WAITING);
        let first = start(own, Kind::Warden, std::process::id(), Some(key), (None, None));
        let _ = carrier.record(now_ms(), first);
        Recorder {
            carrier,
            durable: 0,
            overflow: 0,
            last_heartbeat: Instant::now(),
            introductions: VecDeque::new(),
            earshot: Earshot::default(),
        }
    }

    /// Takes one deed down; its number in our series, or `None` when too many wait.
    pub fn record(&mut self, body: Body) -> Option<u64> {
        if self.overflow > 0 && self.carrier.waiting() < WAITING / 2 {
            let what = format!("{} entries did not fit", self.overflow);
            let own = self.carrier.author().start();
            let lost = alarm(own, Kind::Warden, std::process::id(), "record", &what);
            if self.carrier.record(now_ms(), lost) {
                self.overflow = 0;
            }
        }
        let number = self.carrier.author().next_seq();
        if self.carrier.record(now_ms(), body) {
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

    /// Believes these keys, once both are known.
    pub fn trust(&mut self, ledger: Option<[u8; 32]>, mirror: Option<[u8; 32]>) {
        self.carrier.trust(ledger, mirror);
    }

    pub fn joined(&mut self, ledger: Peer) {
        self.carrier.join(ledger);
    }

    pub fn is_ledger(&self, peer: Peer) -> bool {
        self.carrier.is_ledger(peer)
    }

    pub fn lost_ledger(&mut self) {
        self.carrier.lost();
    }

    pub fn has_all_recorded(&self) -> bool {
        self.carrier.waiting() == 0
    }

    /// Sends what waits; beats the heart.
    pub fn tend(&mut self, hub: &mut Hub, now: Instant) {
        if now.duration_since(self.last_heartbeat) >= HEARTBEAT {
            self.last_heartbeat = now;
            self.record(Body::Heartbeat {});
        }
        self.carrier.tend(hub, now, true);
    }

    /// A frame from the ledger. Returns what it has shown.
    pub fn hear(&mut self, peer: Peer, frame: &Frame) -> Vec<Run> {
        match self.carrier.hear(peer, frame) {
            Heard::Taken(count) => self.durable += count as u64,
            Heard::Shown(places) => {
                let first = self.carrier.first_number() - places.len() as u64;
                return runs(first, &places);
            }
            Heard::Nothing => {}
        }
        Vec::new()
    }

    /// What is to be told of the ledger.
    pub fn take_lie(&mut self) -> Option<String> {
        self.carrier.take_lie()
    }
}

/// Entries of ours that the log has shown: number of the first, count, leaf of the first.
pub type Run = (u64, u64, u64);

/// Neighbours in the series that are neighbours in the log.
fn runs(first: u64, places: &[u64]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (number, place) in (first..).zip(places) {
        match runs.last_mut() {
            Some((_, count, leaf)) if *leaf + *count == *place => *count += 1,
            _ => runs.push((number, 1, *place)),
        }
    }
    runs
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
