//! `send` entries on their way to the ledger: from the store, in batches, within a second.
//!
//! What was sent was written with its outcome. It is signed by this start's author, handed in
//! until the ledger has taken it, and only then forgotten; a restart hands in again what was not.

use crate::entry::SentRecord;
use crate::store::Store;
use evidence::{Author, Body, Outbox};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use wire::ledger::{FromLedger, ToLedger};
use wire::{Hub, Peer};

/// How long records may gather before they are handed in.
const GATHER: Duration = Duration::from_millis(700);
/// Records that are handed in without waiting longer.
const ENOUGH: usize = 512;
/// Records signed in one round.
const ROUND: usize = 4_000;
/// Signed frames that may wait for the ledger; the unsigned wait in the store, without limit.
const WAITING: usize = 8_192;
/// The ledger answers within two seconds; silence of this length is an answer too.
const PATIENCE: Duration = Duration::from_secs(5);
/// Before a ledger that was away is asked again.
const AGAIN: Duration = Duration::from_secs(1);

struct InFlight {
    call: u32,
    frames: usize,
    since: Instant,
}

pub struct Forward {
    outbox: Outbox,
    ledger: Option<Peer>,
    in_flight: Option<InFlight>,
    last_call: u32,
    /// For each waiting frame: with it, every record before this number is signed.
    through: VecDeque<u64>,
    signed_before: u64,
    not_before: Instant,
    gathering_since: Option<Instant>,
}

impl Forward {
    pub fn new(instance: InstanceId) -> Self {
        let author = Author::new(Kind::Post, instance, &compartment::random());
        Self {
            outbox: Outbox::new(author, WAITING),
            ledger: None,
            in_flight: None,
            last_call: 0,
            through: VecDeque::new(),
            signed_before: 0,
            not_before: Instant::now(),
            gathering_since: None,
        }
    }

    pub fn public(&self) -> [u8; 32] {
        self.outbox.author().public_key().0
    }

    /// A (new) channel to the ledger.
    pub fn join(&mut self, ledger: Peer) {
        self.ledger = Some(ledger);
        self.in_flight = None;
        self.not_before = Instant::now();
    }

    pub fn gone(&mut self, peer: Peer) {
        if self.ledger == Some(peer) {
            self.ledger = None;
            self.in_flight = None;
        }
    }

    /// Whether the ledger has everything.
    pub fn is_done(&self, store: &Store) -> bool {
        self.outbox.waiting() == 0 && self.unsigned(store).next().is_none()
    }

    fn unsigned<'a>(&self, store: &'a Store) -> impl Iterator<Item = &'a SentRecord> + use<'a> {
        let before = self.signed_before;
        let from = store.table.sent.partition_point(|record| record.seq < before);
        store.table.sent.range(from..)
    }

    /// When to look again, at the latest.
    pub fn patience(&self, store: &Store) -> Option<Duration> {
        let now = Instant::now();
        if let Some(in_flight) = &self.in_flight {
            return Some(PATIENCE.saturating_sub(now - in_flight.since));
        }
        if self.ledger.is_none() || self.is_done(store) {
            return None;
        }
        let gathered = self
            .gathering_since
            .map_or(GATHER, |since| GATHER.saturating_sub(now.saturating_duration_since(since)));
        Some(gathered.max(self.not_before.saturating_duration_since(now)))
    }

    /// Signs and hands in what is due. `at_once`: nothing gathers any more.
    pub fn hand_in(&mut self, store: &Store, hub: &mut Hub, at_once: bool) {
        let now = Instant::now();
        if self.in_flight.as_ref().is_some_and(|sent| now - sent.since > PATIENCE) {
            self.in_flight = None;
        }
        let Some(ledger) = self.ledger else { return };
        if self.in_flight.is_some() || now < self.not_before {
            return;
        }
        let count = self.unsigned(store).take(ENOUGH).count();
        if count > 0 {
            let since = *self.gathering_since.get_or_insert(now);
            if at_once || count >= ENOUGH || now - since >= GATHER {
                self.sign(store);
                self.gathering_since = None;
            }
        }
        let entries = self.outbox.frames();
        if entries.is_empty() {
            return;
        }
        self.last_call = self.last_call.wrapping_add(1).max(1);
        let (call, frames) = (self.last_call, entries.len());
        if hub.send(ledger, call, &ToLedger::Append { entries, prove: false }, Vec::new()).is_ok() {
            self.in_flight = Some(InFlight { call, frames, since: now });
        }
    }

    fn sign(&mut self, store: &Store) {
        let room = WAITING.saturating_sub(self.outbox.waiting()).min(ROUND);
        let records: Vec<SentRecord> = self.unsigned(store).take(room).copied().collect();
        for record in records {
            let body = Body::Send {
                instance: record.instance,
                tenant: record.tenant,
                user: record.user,
                message: record.message,
                recipients: record.recipients.into(),
                bytes: record.bytes.into(),
            };
            if self.outbox.record(compartment::now_ms(), body) {
                self.through.push_back(record.seq + 1);
            }
            self.signed_before = record.seq + 1;
        }
    }

    /// The ledger's answer. Returns before which number all records are taken now.
    pub fn answered(&mut self, call: u32, answer: &FromLedger) -> Option<u64> {
        let sent = self.in_flight.take_if(|sent| sent.call == call)?;
        match answer {
            FromLedger::Taken { .. } | FromLedger::Proved { .. } => {
                self.outbox.acknowledged(sent.frames);
                let mut taken = self.through.drain(..sent.frames.min(self.through.len()));
                taken.next_back().filter(|before| *before > 0)
            }
            _ => {
                self.not_before = Instant::now() + AGAIN;
                None
            }
        }
    }
}
