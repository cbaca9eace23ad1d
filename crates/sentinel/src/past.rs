//! What was ended before we began: the ledger is asked for all of it, from its first entry on,
//! piece by piece. Nothing of it is kept here: whoever can change `identity`'s tables can change a
//! file of ours, and not the ledger.

use std::time::{Duration, Instant};
use vigil::Vigil;
use wire::ledger::{FromLedger, ToLedger};
use wire::{Frame, Hub, Peer};

/// The first of these questions: far above the stream's numbers, and even as they are.
const FIRST_CALL: u32 = 1 << 31;
const STEP: u32 = 2;
/// A question without an answer is asked again.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two pieces: the ledger has others to serve, too.
const PAUSE: Duration = Duration::from_millis(50);

/// How far we are.
pub struct Past {
    call: u32,
    next: u64,
    /// The news begins here; `None` before we know where.
    to_index: Option<u64>,
    asked: Option<Instant>,
    heard: Option<Instant>,
    is_known: bool,
}

impl Past {
    pub fn new() -> Self {
        let (next, to_index, asked, heard) = (0, None, None, None);
        Self { call: FIRST_CALL, next, to_index, asked, heard, is_known: false }
    }

    /// Where the news begins.
    pub fn ends_at(&mut self, index: u64) {
        self.to_index = Some(index);
    }

    /// The ledger is another one: what was asked is not answered any more.
    pub fn lost(&mut self) {
        self.asked = None;
    }

    pub fn tend(&mut self, ledger: Option<Peer>, hub: &mut Hub) {
        let (Some(ledger), Some(to_index)) = (ledger, self.to_index) else { return };
        let is_asked = self.asked.is_some_and(|at| at.elapsed() < PATIENCE);
        let is_resting = self.heard.is_some_and(|at| at.elapsed() < PAUSE);
        if self.is_known || is_asked || is_resting {
            return;
        }
        self.call = self.call.wrapping_add(STEP) | FIRST_CALL;
        let question = ToLedger::Ended { from_index: self.next, to_index };
        if hub.send(ledger, self.call, &question, Vec::new()).is_ok() {
            self.asked = Some(Instant::now());
        }
    }

    /// Whether the answer is ours. `vigil` learns from it.
    pub fn hear(&mut self, frame: &Frame, vigil: &mut Vigil) -> Heard {
        if frame.call != self.call || self.asked.is_none() {
            return Heard::NotOurs;
        }
        self.heard = Some(Instant::now());
        // What is no such answer is asked for again, when the patience is over.
        let Ok(FromLedger::Deeds { entries, next }) = frame.read() else { return Heard::More };
        self.asked = None;
        for read in entries.iter().filter_map(|octets| evidence::Frame::parse(octets)) {
            vigil.recall(&read.entry);
        }
        match next.filter(|next| *next > self.next) {
            Some(next) => {
                self.next = next;
                Heard::More
            }
            None => {
                self.is_known = true;
                Heard::All
            }
        }
    }
}

/// What an answer of the ledger was.
pub enum Heard {
    NotOurs,
    More,
    All,
}
