//! A keeper of mail signs nothing before its tables were held against the ledger and it stands in
//! them; and tables that were set back are found out, whatever they held.

use crate::{Deed, Found, Rounds, Runs, Stored};
use evidence::{Body, Entry, Frame};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use wire::control::Start;
use wire::ledger::{FromLedger, LastDeeds, ToLedger};
use wire::{Channel, Event, Hub, Label};

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy)]
struct Record(u64);

impl Stored for Record {
    fn seq(&self) -> u64 {
        self.0
    }

    /// Two records are told by one entry.
    fn told(round: Vec<Self>) -> Vec<Deed> {
        let deed = |_: &[Self]| Deed { at_ms: None, body: Body::Heartbeat {} };
        round.chunks(2).map(deed).collect()
    }
}

/// A log of one keeper.
#[derive(Default)]
struct Log(Vec<Vec<u8>>);

impl Log {
    fn entry(bytes: &[u8]) -> Entry {
        Frame::parse(bytes).unwrap().entry
    }

    fn answer(&mut self, question: ToLedger) -> FromLedger {
        match question {
            ToLedger::Append { entries, .. } => {
                let first_index = self.0.len() as u64;
                self.0.extend(entries);
                FromLedger::Taken { first_index }
            }
            ToLedger::LastDeeds => {
                let own = self.0.last().map(|bytes| Self::entry(bytes)).map(|entry| {
                    let index = self.0.len() as u64 - 1;
                    wire::ledger::Deed { start: entry.start, seq: entry.seq, index }
                });
                FromLedger::LastDeeds(LastDeeds { own, foreign: None })
            }
            // One at a time.
            ToLedger::Deeds { from_index } => {
                let entries = self.0.get(from_index as usize).cloned();
                let next = from_index + 1;
                let next = Some(next).filter(|next| *next < self.0.len() as u64);
                FromLedger::Deeds { entries: entries.into_iter().collect(), next }
            }
            _ => FromLedger::Away,
        }
    }
}

/// What a keeper's store has, as it was made durable last.
#[derive(Clone, Default)]
struct Kept {
    runs: Option<Runs>,
    next: u64,
    waiting: VecDeque<Record>,
}

struct Keeper {
    kept: Kept,
    rounds: Rounds,
    hub: Hub,
    peer: u64,
    ledger: Channel,
    found: Option<Found>,
    learned: usize,
}

impl Keeper {
    fn start(kept: Kept, number: u8) -> Self {
        let instance = InstanceId([number; 6]);
        let mut rounds = Rounds::new(Kind::Mailbox, &Start { instance, ..Start::default() });
        rounds.remember(kept.runs.clone(), kept.next);
        let mut hub = Hub::new().unwrap();
        let (ours, ledger) = Channel::pair().unwrap();
        let label = Label { instance: InstanceId([99; 6]), kind: Kind::Ledger, person: None };
        let peer = hub.seat(ours, label).unwrap();
        rounds.join(peer);
        Self { kept, rounds, hub, peer, ledger, found: None, learned: 0 }
    }

    fn arrive(&mut self, count: u64) {
        for _ in 0..count {
            self.kept.waiting.push_back(Record(self.kept.next));
            self.kept.next += 1;
        }
    }

    /// One turn: what is due is asked or told, and answered.
    fn turn(&mut self, log: &mut Log) {
        self.rounds.hand_in(&self.kept.waiting, &mut self.hub, true);
        while let Ok(Some(asked)) = self.ledger.take() {
            let answer = log.answer(asked.read().unwrap());
            self.ledger.send(asked.call, &answer, &[]).unwrap();
            for event in self.hub.wait(Some(PATIENCE)).unwrap() {
                let Event::Frame(_, frame) = event else { continue };
                let learned = &mut self.learned;
                let found = self.rounds.compare(self.peer, &frame, &mut |_| *learned += 1);
                self.found = found.or(self.found);
                if let Some(before) = self.rounds.hear(self.peer, &frame) {
                    self.kept.waiting.retain(|record| record.0 >= before);
                    self.kept.runs = self.rounds.runs();
                }
            }
        }
        if let Some(runs) = self.rounds.begin(&self.kept.waiting, self.kept.next) {
            assert!(!self.rounds.has_begun());
            self.kept.runs = Some(runs);
            self.rounds.begun();
        }
    }

    fn until_found(&mut self, log: &mut Log) -> Found {
        let until = Instant::now() + PATIENCE;
        while self.found.is_none() && Instant::now() < until {
            self.turn(log);
            std::thread::sleep(Duration::from_millis(5));
        }
        self.found.unwrap()
    }

    fn until_told(&mut self, log: &mut Log) {
        let until = Instant::now() + PATIENCE;
        while !self.rounds.is_done(&self.kept.waiting) && Instant::now() < until {
            self.turn(log);
        }
        assert!(self.rounds.is_done(&self.kept.waiting));
    }
}

#[test]
fn nothing_is_signed_before_the_tables_were_compared_and_know_of_this_start() {
    let mut log = Log::default();
    let mut keeper = Keeper::start(Kept::default(), 1);
    keeper.arrive(3);
    keeper.rounds.hand_in(&keeper.kept.waiting, &mut keeper.hub, true);
    let asked = keeper.ledger.receive(Some(PATIENCE)).unwrap();
    assert!(matches!(asked.read().unwrap(), ToLedger::LastDeeds));
    assert!(keeper.rounds.is_in_doubt() && keeper.ledger.take().unwrap().is_none());
    let answer = log.answer(ToLedger::LastDeeds);
    keeper.ledger.send(asked.call, &answer, &[]).unwrap();
    for event in keeper.hub.wait(Some(PATIENCE)).unwrap() {
        let Event::Frame(_, frame) = event else { continue };
        let found = keeper.rounds.compare(keeper.peer, &frame, &mut |_| {});
        assert_eq!(found, Some(Found::Current));
    }
    keeper.rounds.hand_in(&keeper.kept.waiting, &mut keeper.hub, true);
    assert!(keeper.ledger.take().unwrap().is_none(), "it does not stand in the tables");
    keeper.until_told(&mut log);
    assert_eq!(log.0.len(), 2);
}

/// At every moment of a life a copy is taken, and the keeper killed: what it left is current, and
/// each copy that lacks what was recorded since is older.
#[test]
fn only_tables_that_were_set_back_are_older() {
    let mut log = Log::default();
    let mut kept = Kept::default();
    let mut copies: Vec<(Kept, u64)> = Vec::new();
    for number in 1..=8u8 {
        let mut keeper = Keeper::start(kept.clone(), number);
        let found = keeper.until_found(&mut log);
        assert_eq!(found, Found::Current, "start {number}");
        for count in 0..u64::from(number % 4) {
            keeper.turn(&mut log);
            keeper.arrive(1 + count);
            copies.push((keeper.kept.clone(), keeper.kept.next));
            if number % 2 == 0 {
                keeper.until_told(&mut log);
            }
        }
        // Killed as it stands: what it was about to keep is what it kept last.
        kept = keeper.kept;
    }
    // What the last start hands in belongs to no copy.
    let mut last = Keeper::start(kept.clone(), 9);
    last.until_found(&mut log);
    last.arrive(1);
    last.until_told(&mut log);
    for (copy, next) in copies.into_iter().step_by(2) {
        let mut keeper = Keeper::start(copy, 200);
        let found = keeper.until_found(&mut log);
        assert!(matches!(found, Found::Older(_)), "{next}: {found:?}");
        assert!(keeper.learned > 0);
    }
    let mut blank = Keeper::start(Kept::default(), 201);
    assert!(matches!(blank.until_found(&mut log), Found::Older(behind) if behind.is_blank));
    assert_eq!(blank.learned, log.0.len());
    // Of a version that did not note it.
    let of_before = Kept { runs: None, ..kept };
    assert_eq!(Keeper::start(of_before, 202).until_found(&mut log), Found::Current);
}

#[test]
fn a_log_that_was_set_back_is_told() {
    let mut log = Log::default();
    let mut keeper = Keeper::start(Kept::default(), 1);
    for _ in 0..3 {
        keeper.arrive(2);
        keeper.until_told(&mut log);
    }
    let mut keeper = Keeper::start(keeper.kept, 2);
    assert_eq!(keeper.until_found(&mut log), Found::Current);
    let stood = log.0.len() as u64;
    log.0.truncate(1);
    let mut keeper = Keeper::start(keeper.kept, 3);
    let found = keeper.until_found(&mut log);
    assert_eq!(found, Found::Ahead { known: stood, stands: 1 });
}
