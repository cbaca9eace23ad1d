//! A keeper of mail asks the ledger, once in each start, what was recorded of its tables, and
//! serves others meanwhile.

use crate::noted::{Age, Behind, Doubt, Noted};
use evidence::{Entry, Frame};
use std::time::{Duration, Instant};
use wire::ledger::{FromLedger, LastDeeds, ToLedger};
use wire::{Hub, Peer};

/// A ledger that has to hear its mirror first answers late, and then the newest question.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two questions, where an answer was none.
const AGAIN: Duration = Duration::from_millis(200);
/// A ledger that says nothing for so long after it came keeps no reader waiting.
const SOON: Duration = Duration::from_secs(3);
/// Questions have even numbers: a carrier's have odd ones.
const STEP: u32 = 2;

/// What tables remember at a start.
pub(crate) enum Kept {
    /// Nothing at all: they are new.
    Nothing,
    /// Nothing of this: they were kept by a version that did not note it.
    Unnoted,
    Noted(Noted),
}

/// How they stand to what is recorded of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Current,
    /// The log is what is older: see `Age`.
    Ahead {
        known: u64,
        stands: u64,
    },
    /// What they do not know of was recorded by intruders alone.
    Intruded,
    /// All that they do not know of was told, oldest first.
    Older(Behind),
}

enum Asks {
    Last,
    Deeds { behind: Behind, from_index: u64 },
    Nothing,
}

pub(crate) struct Past {
    kept: Kept,
    asks: Asks,
    ledger: Option<Peer>,
    joined: Option<Instant>,
    flight: Option<(u32, Instant)>,
    last_call: u32,
    not_before: Instant,
    doubt: Doubt,
    is_doubted: bool,
    /// How many entries stand up to the newest of ours.
    pub known: u64,
}

impl Past {
    pub fn new(kept: Kept) -> Self {
        Self {
            kept,
            asks: Asks::Last,
            ledger: None,
            joined: None,
            flight: None,
            last_call: 0,
            not_before: Instant::now(),
            doubt: Doubt::default(),
            is_doubted: false,
            known: 0,
        }
    }

    pub fn join(&mut self, ledger: Peer) {
        (self.ledger, self.flight, self.not_before) = (Some(ledger), None, Instant::now());
        self.joined.get_or_insert_with(Instant::now);
    }

    pub fn gone(&mut self, peer: Peer) {
        if self.ledger == Some(peer) {
            (self.ledger, self.flight) = (None, None);
        }
    }

    pub fn is_found(&self) -> bool {
        matches!(self.asks, Asks::Nothing)
    }

    /// Whether it will soon be known how the tables stand, or they seem older.
    pub fn is_in_doubt(&self) -> bool {
        let is_soon = self.joined.is_some_and(|since| since.elapsed() < SOON);
        !self.is_found() && self.ledger.is_some() && (is_soon || self.is_doubted)
    }

    /// When to look again, at the latest.
    pub fn patience(&self, now: Instant) -> Option<Duration> {
        self.ledger.filter(|_| !self.is_found())?;
        let next = self.flight.map_or(self.not_before, |(_, since)| since + PATIENCE);
        Some(next.saturating_duration_since(now))
    }

    pub fn tend(&mut self, hub: &mut Hub, now: Instant) {
        self.flight.take_if(|(_, since)| now.duration_since(*since) >= PATIENCE);
        let question = match self.asks {
            Asks::Last => ToLedger::LastDeeds,
            Asks::Deeds { from_index, .. } => ToLedger::Deeds { from_index },
            Asks::Nothing => return,
        };
        let Some(ledger) = self.ledger else { return };
        if self.flight.is_some() || now < self.not_before {
            return;
        }
        self.last_call = self.last_call.wrapping_add(STEP).max(STEP);
        let is_sent = hub.send(ledger, self.last_call, &question, Vec::new()).is_ok();
        self.flight = is_sent.then_some((self.last_call, now));
        self.not_before = now + AGAIN;
    }

    /// A frame from the ledger. `learn` is told everything that the tables do not know of.
    pub fn hear(
        &mut self,
        (peer, frame): (Peer, &wire::Frame),
        learn: &mut dyn FnMut(&Entry),
    ) -> Option<Found> {
        let is_answer = |(call, _): &mut (u32, Instant)| *call == frame.call;
        if self.ledger != Some(peer) || self.flight.take_if(is_answer).is_none() {
            return None;
        }
        match (&self.asks, frame.read().ok()?) {
            (Asks::Last, FromLedger::LastDeeds(deeds)) => self.weigh(deeds),
            (Asks::Deeds { behind, from_index }, FromLedger::Deeds { entries, next })
                if next.is_none_or(|next| next > *from_index) =>
            {
                let behind = *behind;
                self.learn(&entries, learn);
                match next {
                    Some(from_index) => {
                        self.asks = Asks::Deeds { behind, from_index };
                        self.not_before = Instant::now();
                        None
                    }
                    None => self.found(Found::Older(behind), behind.last.index + 1),
                }
            }
            _ => None,
        }
    }

    fn weigh(&mut self, deeds: LastDeeds) -> Option<Found> {
        let newest = [deeds.own, deeds.foreign].into_iter().flatten().map(|deed| deed.index + 1);
        let stands = newest.max().unwrap_or(0);
        let noted = match &self.kept {
            Kept::Unnoted => return self.found(Found::Current, stands),
            Kept::Nothing => None,
            Kept::Noted(noted) => Some(noted.clone()),
        };
        let (_, age) = Noted::compare(noted, deeds);
        if self.doubt.is_about(&age) {
            self.is_doubted = true;
            return None;
        }
        match age {
            Age::Current => self.found(Found::Current, stands),
            Age::Ahead { known, stands } => self.found(Found::Ahead { known, stands }, stands),
            Age::Intruded(_) => self.found(Found::Intruded, stands),
            Age::Older(behind) => {
                self.asks = Asks::Deeds { behind, from_index: behind.from_index };
                self.not_before = Instant::now();
                None
            }
        }
    }

    fn found(&mut self, found: Found, known: u64) -> Option<Found> {
        (self.asks, self.known) = (Asks::Nothing, known);
        Some(found)
    }

    fn learn(&self, entries: &[Vec<u8>], learn: &mut dyn FnMut(&Entry)) {
        for frame in entries.iter().filter_map(|bytes| Frame::parse(bytes)) {
            let is_known = match &self.kept {
                Kept::Noted(noted) => noted.has_signed(&frame.entry),
                Kept::Nothing | Kept::Unnoted => false,
            };
            if !is_known {
                learn(&frame.entry);
            }
        }
    }
}
