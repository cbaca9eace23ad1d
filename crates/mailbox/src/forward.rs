//! `deliver` entries on their way to the ledger: from the store, in batches, within a second.
//!
//! What arrived was written with the message. It is signed by this start's author, handed in
//! until the ledger has taken it, and only then forgotten; a restart hands in again what was not.

use crate::entry::Arrived;
use crate::store::Store;
use evidence::{Author, Body, Delivery};
use journal::{Carrier, Heard};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind, TenantId};
use wire::control::Start;
use wire::{Frame, Hub, Peer};

/// How long arrivals may gather before they are handed in.
const GATHER: Duration = Duration::from_millis(700);
/// Arrivals that are handed in without waiting longer.
const ENOUGH: usize = 512;
/// Arrivals of one entry: it stays below the ledger's limit.
const DELIVERIES: usize = 1_000;
/// Arrivals signed in one round.
const ROUND: usize = 4_000;
/// Signed frames that may wait for the ledger; the unsigned wait in the store, without limit.
const WAITING: usize = 256;

pub struct Forward {
    carrier: Carrier,
    /// For each frame that was never taken: with it, every arrival before this number is signed.
    through: VecDeque<u64>,
    signed_before: u64,
    gathering_since: Option<Instant>,
}

impl Forward {
    pub fn new(start: &Start) -> Self {
        let author = Author::new(Kind::Mailbox, start.instance, &compartment::random());
        Self {
            carrier: Carrier::new(author, WAITING).with_keys_of(start),
            through: VecDeque::new(),
            signed_before: 0,
            gathering_since: None,
        }
    }

    pub fn public(&self) -> [u8; 32] {
        self.carrier.public()
    }

    /// A (new) channel to the ledger.
    pub fn join(&mut self, ledger: Peer) {
        self.carrier.join(ledger);
    }

    pub fn gone(&mut self, peer: Peer) {
        self.carrier.gone(peer);
    }

    /// Whether the ledger has everything.
    pub fn is_done(&self, store: &Store) -> bool {
        self.carrier.waiting() == 0 && self.unsigned(store).next().is_none()
    }

    fn unsigned<'a>(&self, store: &'a Store) -> impl Iterator<Item = &'a Arrived> + use<'a> {
        let before = self.signed_before;
        let from = store.arrived.partition_point(|arrived| arrived.seq < before);
        store.arrived.range(from..)
    }

    /// What the warden is told of the ledger.
    pub fn take_lie(&mut self) -> Option<String> {
        self.carrier.take_lie()
    }

    /// One round after the other: what is signed has been taken.
    fn may_sign(&self) -> bool {
        self.carrier.is_joined() && self.carrier.waiting() == 0
    }

    /// When to look again, at the latest.
    pub fn patience(&self, store: &Store) -> Option<Duration> {
        let now = Instant::now();
        let left = |since: Instant| GATHER.saturating_sub(now.saturating_duration_since(since));
        let gathers = self.may_sign() && self.unsigned(store).next().is_some();
        let gathered = gathers.then(|| self.gathering_since.map_or(GATHER, left));
        gathered.into_iter().chain(self.carrier.patience(now)).min()
    }

    /// Signs and hands in what is due. `at_once`: nothing gathers any more.
    pub fn hand_in(&mut self, store: &Store, hub: &mut Hub, at_once: bool) {
        let now = Instant::now();
        let count = self.unsigned(store).take(ENOUGH).count();
        if count > 0 && self.may_sign() {
            let since = *self.gathering_since.get_or_insert(now);
            if at_once || count >= ENOUGH || now - since >= GATHER {
                self.sign(store);
                self.gathering_since = None;
            }
        }
        self.carrier.tend(hub, now, true);
    }

    /// One entry for each (instance, tenant) of the round.
    fn sign(&mut self, store: &Store) {
        let mut arrivals: Vec<Arrived> = self.unsigned(store).take(ROUND).copied().collect();
        let Some(last) = arrivals.last().map(|arrived| arrived.seq) else { return };
        arrivals.sort_by_key(|arrived| (arrived.instance, arrived.tenant));
        let groups = arrivals
            .chunk_by(|one, other| (one.instance, one.tenant) == (other.instance, other.tenant));
        let bodies: Vec<Body> =
            groups.flat_map(|group| group.chunks(DELIVERIES)).filter_map(deliver).collect();
        if self.carrier.waiting() + bodies.len() > WAITING {
            return;
        }
        let count = bodies.len();
        for (place, body) in bodies.into_iter().enumerate() {
            // Only the last frame of a round says that all of the round is signed.
            let through = if place + 1 == count { last + 1 } else { self.signed_before };
            if self.carrier.record(compartment::now_ms(), body) {
                self.through.push_back(through);
            }
        }
        self.signed_before = last + 1;
    }

    /// A frame from the ledger. Returns before which number all arrivals are taken now.
    pub fn hear(&mut self, peer: Peer, frame: &Frame) -> Option<u64> {
        match self.carrier.hear(peer, frame) {
            Heard::Nothing | Heard::Shown(_) => None,
            Heard::Taken(count) => {
                let mut taken = self.through.drain(..count.min(self.through.len()));
                taken.next_back().filter(|before| *before > 0)
            }
        }
    }
}

fn deliver(group: &[Arrived]) -> Option<Body> {
    let (instance, tenant): (InstanceId, TenantId) =
        group.first().map(|first| (first.instance, first.tenant))?;
    let delivery = |arrived: &Arrived| Delivery {
        message: arrived.message,
        user: arrived.user,
        bytes: arrived.bytes,
        verdict: arrived.verdict,
    };
    let messages = group.iter().map(delivery).collect();
    Some(Body::Deliver { instance, tenant, messages, connection: None })
}
