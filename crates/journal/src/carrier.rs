//! An author's entries on their way to the ledger, for compartments that wait for many things at
//! once.
//!
//! The ledger takes an entry when it is durable there. A moment later it is asked to show it: under
//! a checkpoint that the mirror signed, with a proof that is checked here. Only then is the entry
//! forgotten. A ledger that is owned may take what it does not keep; it cannot show it, whoever
//! asked tells the warden, and its successor is handed all of it.

use evidence::{Author, Body, Outbox};
use std::time::{Duration, Instant};
use tlog::Trust;
use wire::control::{Keys, Start};
use wire::ledger::{FromLedger, ToLedger};
use wire::{Frame, Hub, Peer};

/// The ledger answers within two seconds, or never will.
const PATIENCE: Duration = Duration::from_secs(3);
/// After an answer that was no yes.
const AGAIN: Duration = Duration::from_millis(500);
/// What was taken is shown so much later: many share the two signatures of one checkpoint.
const SHOWN_AFTER: Duration = Duration::from_secs(1);
/// The mirror was away.
const SHOWN_LATER: Duration = Duration::from_secs(5);
/// Entries that are shown together: their proofs are one, and mostly little longer than for one.
const TOGETHER: usize = 256;
/// Calls have odd numbers, so that the other questions of whoever has some can have even ones.
const STEP: u32 = 2;

struct Flight {
    call: u32,
    count: usize,
    since: Instant,
    /// It has taken something since.
    is_passed_over: bool,
}

impl Flight {
    fn is_silent(&self, now: Instant) -> bool {
        now.duration_since(self.since) >= PATIENCE
    }
}

/// What an answer of the ledger's meant.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// No answer of ours, or none that changes anything.
    Nothing,
    /// So many are durable there, by its own word, that no ledger took before.
    Taken(usize),
    /// The oldest stand in the log, at these places, and are forgotten here.
    Shown(Vec<u64>),
}

/// An author's outbox and the ledger that it is handed to.
pub struct Carrier {
    outbox: Outbox,
    /// Nothing is shown without: what was taken is remembered as long as there is room.
    trust: Option<Trust>,
    ledger: Option<Peer>,
    taking: Option<Flight>,
    showing: Option<Flight>,
    last_call: u32,
    not_before: Instant,
    show_at: Instant,
    seen_size: u64,
    /// What this ledger did that none that keeps its entries does, until it is told; told once.
    lie: Option<&'static str>,
    has_lied: bool,
}

impl Carrier {
    /// `limit`: entries that may wait to be taken, and as many that wait to be shown.
    pub fn new(author: Author, limit: usize) -> Self {
        let outbox = Outbox::new(author, limit);
        let now = Instant::now();
        Self {
            outbox,
            trust: None,
            ledger: None,
            taking: None,
            showing: None,
            last_call: 1,
            not_before: now,
            show_at: now,
            seen_size: 0,
            lie: None,
            has_lied: false,
        }
    }

    /// Believes the keys that the warden told at the start.
    #[must_use]
    pub fn with_keys_of(mut self, start: &Start) -> Self {
        self.trust(start.ledger_key, start.mirror_key);
        self
    }

    /// Believes these keys, once there are both.
    pub fn trust(&mut self, ledger: Option<[u8; 32]>, mirror: Option<[u8; 32]>) {
        if let (Some(ledger), Some(mirror)) = (ledger, mirror) {
            self.trust = Trust::new(&ledger, &mirror);
        }
    }

    /// Believes keys that were not known at the start, and none in the place of known ones.
    pub fn learn(&mut self, keys: Keys) {
        if self.trust.is_none() {
            self.trust(keys.ledger, keys.mirror);
        }
    }

    /// For `Report::Ready`: what the ledger will believe.
    pub fn public(&self) -> [u8; 32] {
        self.outbox.author().public_key().0
    }

    pub fn author(&self) -> &Author {
        self.outbox.author()
    }

    /// Takes one deed down. False if it is too long or too many wait.
    #[must_use]
    pub fn record(&mut self, time_ms: u64, body: Body) -> bool {
        self.outbox.record(time_ms, body)
    }

    /// How many have not been taken.
    pub fn waiting(&self) -> usize {
        self.outbox.waiting()
    }

    /// The number in the series of the oldest entry that is kept here.
    pub fn first_number(&self) -> u64 {
        self.outbox.first_number()
    }

    pub fn is_ledger(&self, peer: Peer) -> bool {
        self.ledger == Some(peer)
    }

    pub fn is_joined(&self) -> bool {
        self.ledger.is_some()
    }

    /// A (new) channel to a ledger: what no log has shown is handed in again.
    pub fn join(&mut self, ledger: Peer) {
        self.lost();
        self.ledger = Some(ledger);
        self.outbox.begin_again();
        self.not_before = Instant::now();
        self.has_lied = false;
    }

    pub fn gone(&mut self, peer: Peer) {
        if self.is_ledger(peer) {
            self.lost();
        }
    }

    /// Whoever the ledger was, it is gone.
    pub fn lost(&mut self) {
        (self.ledger, self.taking, self.showing) = (None, None, None);
    }

    /// When to look again, at the latest.
    pub fn patience(&self, now: Instant) -> Option<Duration> {
        self.ledger?;
        let silent = |flight: &Flight| flight.since + PATIENCE;
        let taking = match &self.taking {
            Some(flight) => Some(silent(flight)),
            None => (self.waiting() > 0).then_some(self.not_before),
        };
        let showing = match &self.showing {
            Some(flight) => Some(silent(flight)),
            None => self.can_show().then_some(self.show_at),
        };
        let next = taking.into_iter().chain(showing).min()?;
        Some(next.saturating_duration_since(now))
    }

    fn can_show(&self) -> bool {
        self.trust.is_some() && self.outbox.unshown() > 0
    }

    /// Hands in what waits, if `is_due`, and asks for what was taken to be shown.
    pub fn tend(&mut self, hub: &mut Hub, now: Instant, is_due: bool) {
        self.taking.take_if(|flight| flight.is_silent(now));
        self.hear_silence(now);
        let Some(ledger) = self.ledger else { return };
        if is_due && self.taking.is_none() && self.waiting() > 0 && now >= self.not_before {
            let entries = self.outbox.frames();
            let count = entries.len();
            let append = ToLedger::Append { entries, prove: false };
            self.taking = self.send(hub, ledger, &append, count);
        }
        if self.showing.is_none() && self.can_show() && now >= self.show_at {
            let count = self.outbox.unshown().min(TOGETHER);
            let first = self.outbox.first_number();
            let show = ToLedger::Show { first, count: u32::try_from(count).unwrap_or(u32::MAX) };
            self.showing = self.send(hub, ledger, &show, count);
        }
    }

    fn send(
        &mut self,
        hub: &mut Hub,
        ledger: Peer,
        question: &ToLedger,
        count: usize,
    ) -> Option<Flight> {
        self.last_call = self.last_call.wrapping_add(STEP);
        let call = self.last_call;
        let sent = hub.send(ledger, call, question, Vec::new());
        let flight = Flight { call, count, since: Instant::now(), is_passed_over: false };
        sent.is_ok().then_some(flight)
    }

    /// Silence means nothing, unless the ledger answered what it was asked later.
    fn hear_silence(&mut self, now: Instant) {
        if let Some(flight) = self.showing.take_if(|flight| flight.is_silent(now)) {
            self.show_at = now + SHOWN_LATER;
            if flight.is_passed_over {
                self.lied("it takes entries and does not show them");
            }
        }
    }

    /// What is to be told of this ledger, if it is news.
    pub fn take_lie(&mut self) -> Option<String> {
        self.lie.take().map(|what| format!("the ledger lies: {what}"))
    }

    /// A frame from the ledger.
    pub fn hear(&mut self, peer: Peer, frame: &Frame) -> Heard {
        let is_answer = |flight: &mut Flight| flight.call == frame.call;
        if !self.is_ledger(peer) {
            return Heard::Nothing;
        }
        if let Some(flight) = self.taking.take_if(is_answer) {
            return self.taken(&flight, frame.read().ok());
        }
        match self.showing.take_if(is_answer) {
            Some(flight) => self.shown(&flight, frame.read().ok()),
            None => Heard::Nothing,
        }
    }

    fn taken(&mut self, flight: &Flight, answer: Option<FromLedger>) -> Heard {
        let now = Instant::now();
        let Some(FromLedger::Taken { .. } | FromLedger::Proved { .. }) = answer else {
            self.not_before = now + AGAIN;
            return Heard::Nothing;
        };
        if self.outbox.unshown() == 0 {
            self.show_at = now + SHOWN_AFTER;
        }
        if let Some(showing) = &mut self.showing {
            showing.is_passed_over = true;
        }
        let before = self.outbox.unshown();
        let fresh = self.outbox.taken(flight.count);
        if self.outbox.unshown() < before + flight.count {
            // The oldest were forgotten: what it would show are not the first ones any more.
            self.showing = None;
        }
        Heard::Taken(fresh)
    }

    fn shown(&mut self, flight: &Flight, answer: Option<FromLedger>) -> Heard {
        let now = Instant::now();
        self.show_at = now + SHOWN_LATER;
        let (places, proof, checkpoint) = match answer {
            Some(FromLedger::Shown { places, proof, checkpoint }) => (places, proof, checkpoint),
            Some(FromLedger::Away) => return Heard::Nothing,
            Some(_) | None => return self.lied("it does not show entries that it took"),
        };
        let is_some = (1..=flight.count).contains(&places.len());
        if !is_some || !self.is_shown(&places, &proof, &checkpoint) {
            return self.lied("it cannot show entries that it took");
        }
        self.outbox.shown(places.len());
        let is_behind = self.outbox.unshown() >= TOGETHER;
        self.show_at = if is_behind { now } else { now + SHOWN_AFTER };
        Heard::Shown(places)
    }

    fn is_shown(&mut self, places: &[u64], proof: &[[u8; 32]], checkpoint: &[u8]) -> bool {
        let trusted = self.trust.as_ref().and_then(|trust| trust.read(checkpoint));
        let Some(trusted) = trusted.filter(|one| one.checkpoint.size >= self.seen_size) else {
            return false;
        };
        let frames = self.outbox.unshown_frames(places.len());
        let holds = trusted.proves_all(&frames, places, proof);
        if holds {
            self.seen_size = trusted.checkpoint.size;
        }
        holds
    }

    fn lied(&mut self, what: &'static str) -> Heard {
        if !std::mem::replace(&mut self.has_lied, true) {
            self.lie = Some(what);
        }
        Heard::Nothing
    }
}
