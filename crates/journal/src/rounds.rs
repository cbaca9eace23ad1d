//! A keeper's own records on their way to the ledger: signed in rounds, within a second.
//!
//! Such a record was written with the deed that it tells of. It is signed by this start's author,
//! handed in until the ledger has taken it, and only then forgotten by its store; a restart hands
//! in again what was not.

use crate::past::{Found, Kept, Past};
use crate::{Carrier, Heard, Lacks, Runs};
use evidence::{Author, Body, Entry};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::control::{Keys, Start};
use wire::{Frame, Hub, Peer};

/// How long records may gather before they are handed in.
const GATHER: Duration = Duration::from_millis(700);
/// Records that are handed in without waiting longer.
const ENOUGH: usize = 512;
/// Records signed in one round.
const ROUND: usize = 4_000;
/// Signed frames that may wait for the ledger: all of a round, whatever its records have in
/// common. The unsigned wait in the store, without limit.
const WAITING: usize = 8_192;

/// A record that waits in a store.
pub trait Stored: Copy {
    /// Its number in the store, where they stand in this order.
    fn seq(&self) -> u64;

    /// What is told of a round, with the moment of each: no more entries than records, and none
    /// beyond the ledger's limit.
    fn told(round: Vec<Self>) -> Vec<Deed>;
}

/// A deed, and when it was done, in ms: an entry that waited to be signed has the time of what it
/// tells and not of its signature. Who asks for a window that ends right behind it finds it there.
pub struct Deed {
    /// `None`: not known any more; then it is when it was signed.
    pub at_ms: Option<u64>,
    pub body: Body,
}

impl Deed {
    /// Nothing was done after it is told, whatever a clock said that was set back since.
    fn time_ms(&self, now_ms: u64) -> u64 {
        self.at_ms.map_or(now_ms, |at_ms| at_ms.min(now_ms))
    }
}

pub struct Rounds {
    carrier: Carrier,
    /// For each frame that was never taken: with it, every record before this number is signed.
    through: VecDeque<u64>,
    signed_before: u64,
    gathering_since: Option<Instant>,
    /// What the store's tables know of all this, and how they stand to what the ledger knows.
    runs: Runs,
    past: Option<Past>,
    /// This start stands in them: it may sign.
    has_begun: bool,
}

impl Rounds {
    pub fn new(kind: Kind, start: &Start) -> Self {
        let author = Author::new(kind, start.instance, &compartment::random());
        Self {
            carrier: Carrier::new(author, WAITING).with_keys_of(start),
            through: VecDeque::new(),
            signed_before: 0,
            gathering_since: None,
            runs: Runs::default(),
            past: None,
            has_begun: true,
        }
    }

    /// What the tables remember of their entries, and the number of their next record: nothing is
    /// signed before they are held against the ledger, and this start stands in them.
    pub fn remember(&mut self, kept: Option<Runs>, next_record: u64) {
        let known = match &kept {
            Some(runs) => Kept::Noted(runs.noted(next_record)),
            None if next_record > 0 => Kept::Unnoted,
            None => Kept::Nothing,
        };
        self.past = Some(Past::new(known));
        (self.runs, self.has_begun) = (kept.unwrap_or_default(), false);
    }

    /// A frame from the ledger: tells how the tables stand, once. `learn` is told each entry that
    /// they do not know of.
    pub fn compare(
        &mut self,
        peer: Peer,
        frame: &Frame,
        learn: &mut dyn FnMut(&Entry),
    ) -> Option<Found> {
        self.past.as_mut()?.hear((peer, frame), learn)
    }

    /// What the tables are to keep before this start signs anything; `None`: it need not, or nobody
    /// knows yet how they stand.
    pub fn begin(&mut self, records: &VecDeque<impl Stored>, next_record: u64) -> Option<Runs> {
        let past = self.past.as_ref().filter(|past| past.is_found() && !self.has_begun)?;
        let first = records.front().map_or(next_record, Stored::seq);
        self.runs.begin(self.carrier.author().start(), past.known, (first, next_record));
        Some(self.runs.clone())
    }

    /// Whether nobody knows yet how the tables stand.
    pub fn is_asking(&self) -> bool {
        self.past.as_ref().is_some_and(|past| !past.is_found())
    }

    /// They have kept it.
    pub fn begun(&mut self) {
        self.has_begun = true;
    }

    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether the tables may turn out to be older, and it will be known in a moment.
    pub fn is_in_doubt(&self) -> bool {
        self.past.as_ref().is_some_and(Past::is_in_doubt)
    }

    /// What the tables are to keep beside something else that is written.
    pub fn runs(&mut self) -> Option<Runs> {
        self.past.as_ref().filter(|_| self.has_begun)?;
        self.runs.told(self.carrier.author().next_seq(), self.signed_before);
        Some(self.runs.clone())
    }

    /// What the tables lack, and nobody has acknowledged.
    pub fn lacks(&self) -> Option<Lacks> {
        self.runs.lacks()
    }

    pub fn lack(&mut self, more: Lacks) {
        self.runs.lack(more);
    }

    pub fn acknowledge(&mut self) {
        self.runs.acknowledge();
    }

    pub fn public(&self) -> [u8; 32] {
        self.carrier.public()
    }

    /// Keys that were not known at the start.
    pub fn learn(&mut self, keys: Keys) {
        self.carrier.learn(keys);
    }

    /// A (new) channel to the ledger.
    pub fn join(&mut self, ledger: Peer) {
        self.carrier.join(ledger);
        if let Some(past) = &mut self.past {
            past.join(ledger);
        }
    }

    pub fn gone(&mut self, peer: Peer) {
        self.carrier.gone(peer);
        if let Some(past) = &mut self.past {
            past.gone(peer);
        }
    }

    /// Whether the ledger has everything.
    pub fn is_done(&self, records: &VecDeque<impl Stored>) -> bool {
        self.carrier.waiting() == 0 && self.unsigned(records).next().is_none()
    }

    /// What the warden is told of the ledger.
    pub fn take_lie(&mut self) -> Option<String> {
        self.carrier.take_lie()
    }

    /// When to look again, at the latest.
    pub fn patience(&self, records: &VecDeque<impl Stored>) -> Option<Duration> {
        let now = Instant::now();
        let left = |since: Instant| GATHER.saturating_sub(now.saturating_duration_since(since));
        let gathers = self.may_sign() && self.unsigned(records).next().is_some();
        let gathered = gathers.then(|| self.gathering_since.map_or(GATHER, left));
        let past = self.past.as_ref().and_then(|past| past.patience(now));
        gathered.into_iter().chain(past).chain(self.carrier.patience(now)).min()
    }

    /// Signs and hands in what is due. `at_once`: nothing gathers any more.
    pub fn hand_in(&mut self, records: &VecDeque<impl Stored>, hub: &mut Hub, at_once: bool) {
        let now = Instant::now();
        if let Some(past) = &mut self.past {
            past.tend(hub, now);
        }
        let count = self.unsigned(records).take(ENOUGH).count();
        if count > 0 && self.may_sign() {
            let since = *self.gathering_since.get_or_insert(now);
            if at_once || count >= ENOUGH || now - since >= GATHER {
                self.sign(records);
                self.gathering_since = None;
            }
        }
        self.carrier.tend(hub, now, true);
    }

    /// A frame from the ledger. Returns before which number all records are taken now.
    pub fn hear(&mut self, peer: Peer, frame: &Frame) -> Option<u64> {
        match self.carrier.hear(peer, frame) {
            Heard::Nothing => None,
            Heard::Shown(places) => {
                places.last().into_iter().for_each(|place| self.runs.shown(*place));
                None
            }
            Heard::Taken(count) => {
                let mut taken = self.through.drain(..count.min(self.through.len()));
                taken.next_back().filter(|before| *before > 0)
            }
        }
    }

    fn unsigned<'a, R: Stored>(
        &self,
        records: &'a VecDeque<R>,
    ) -> impl Iterator<Item = &'a R> + use<'a, R> {
        let before = self.signed_before;
        records.range(records.partition_point(|record| record.seq() < before)..)
    }

    /// One round after the other: what is signed has been taken.
    fn may_sign(&self) -> bool {
        self.has_begun && self.carrier.is_joined() && self.carrier.waiting() == 0
    }

    fn sign<R: Stored>(&mut self, records: &VecDeque<R>) {
        let round: Vec<R> = self.unsigned(records).take(ROUND).copied().collect();
        let Some(last) = round.last().map(Stored::seq) else { return };
        let deeds = R::told(round);
        let (count, now_ms) = (deeds.len(), compartment::now_ms());
        for (place, deed) in deeds.into_iter().enumerate() {
            // Only the last frame of a round says that all of the round is signed.
            let through = if place + 1 == count { last + 1 } else { self.signed_before };
            if self.carrier.record(deed.time_ms(now_ms), deed.body) {
                self.through.push_back(through);
            }
        }
        self.signed_before = last + 1;
    }
}
