//! What the crash tests of keepers of mail share: a ledger that takes what a start tells of its
//! tables, and whether what a crash leaves of these knows of it.
//!
//! Part of tests alone, and never of what is installed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use evidence::{Entry, Frame};
use journal::{Age, Rounds, Runs, Stored};
use std::collections::VecDeque;
use std::time::Duration;
use terms::{InstanceId, Kind};
use wire::ledger::{Deed, FromLedger, LastDeeds, ToLedger};
use wire::{Channel, Event, Hub, Label, Peer};

/// What the ledger has been told by this start, and by which number of its entries.
pub struct Told {
    pub rounds: Rounds,
    hub: Hub,
    peer: Peer,
    ledger: Channel,
    pub log: Vec<Deed>,
}

/// Of a promise (`durable::said`): so many entries stand in the log.
pub const LOGGED: u64 = 1 << 32;

impl Told {
    pub fn new(kind: Kind, kept: Option<Runs>, next: u64) -> Self {
        let instance = InstanceId([77; 6]);
        let start = wire::control::Start { instance, ..Default::default() };
        let mut rounds = Rounds::new(kind, &start);
        rounds.remember(kept, next);
        let mut hub = Hub::new().unwrap();
        let (ours, ledger) = Channel::pair().unwrap();
        let label = Label { instance: InstanceId([1; 6]), kind: Kind::Ledger, person: None };
        let peer = hub.seat(ours, label).unwrap();
        rounds.join(peer);
        Self { rounds, hub, peer, ledger, log: Vec::new() }
    }

    /// Tells what is due, and hears that it is in the log. Before which record all is told.
    pub fn tell(&mut self, records: &VecDeque<impl Stored>) -> Option<u64> {
        self.rounds.hand_in(records, &mut self.hub, true);
        let asked = self.ledger.take().unwrap()?;
        let answer = match asked.read().unwrap() {
            ToLedger::Append { entries, .. } => {
                for frame in &entries {
                    let Entry { start, seq, .. } = Frame::parse(frame).unwrap().entry;
                    self.log.push(Deed { start, seq, index: self.log.len() as u64 });
                }
                durable::said(LOGGED + self.log.len() as u64);
                FromLedger::Taken { first_index: 0 }
            }
            _ => FromLedger::LastDeeds(LastDeeds::default()),
        };
        self.ledger.send(asked.call, &answer, &[]).unwrap();
        let mut before = None;
        for event in self.hub.wait(Some(Duration::from_secs(5))).unwrap() {
            let Event::Frame(_, frame) = event else { continue };
            self.rounds.compare(self.peer, &frame, &mut |_| {});
            before = self.rounds.hear(self.peer, &frame).or(before);
        }
        before
    }
}

/// What is left knows of all that the ledger was told by then; a copy of it does not know of what
/// was told when everything in it was told already.
pub fn compare(
    runs: Option<&Runs>,
    (next, waiting): (u64, usize),
    said: &[u64],
    (log, which): (&[Deed], &str),
) {
    let logged = said.iter().filter_map(|said| said.checked_sub(LOGGED)).max().unwrap_or(0);
    let age = |own: Option<&Deed>| {
        let deeds = LastDeeds { own: own.copied(), foreign: None };
        runs.map_or(Age::Current, |runs| runs.age(next, deeds))
    };
    assert!(runs.is_some() || logged == 0, "{which}: this start is not in it");
    let newest = logged.checked_sub(1).and_then(|last| log.get(last as usize));
    assert_eq!(age(newest), Age::Current, "{which}: {logged} entries");
    let unknown = log.get(logged as usize + waiting..).and_then(|rest| rest.first());
    if let Some(deed) = unknown.filter(|_| runs.is_some()) {
        assert!(matches!(age(Some(deed)), Age::Older(_)), "{which}: {logged} and {waiting} more");
    }
}
