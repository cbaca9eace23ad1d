//! A carrier before ledgers that keep what they take, and before others.

use crate::{Carrier, Heard};
use evidence::{Author, Body, Frame as Entry};
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use tlog::{Checkpoint, Cosigner, Hash, LOG_ORIGIN, Note, NoteSigner};
use wire::ledger::{FromLedger, ToLedger};
use wire::{Channel, Event, Hub, Label, Peer};

const OWN: InstanceId = InstanceId([1; 6]);

/// What stands in the log: leaves, small enough to be hashed anew each time.
struct Leaves(Vec<Hash>);

impl tlog::NodeSource for Leaves {
    fn node(&self, height: u8, index: u64) -> Option<Hash> {
        match height {
            0 => self.0.get(usize::try_from(index).ok()?).copied(),
            _ => {
                let left = self.node(height - 1, 2 * index)?;
                Some(tlog::node_hash(&left, &self.node(height - 1, 2 * index + 1)?))
            }
        }
    }
}

struct Scene {
    hub: Hub,
    carrier: Carrier,
    ledger: Channel,
    peer: Peer,
    log: NoteSigner,
    mirror: Cosigner,
    leaves: Leaves,
}

impl Scene {
    fn open() -> Self {
        let log = NoteSigner::new(LOG_ORIGIN, &[3; 32]).unwrap();
        let mirror = Cosigner::new(tlog::MIRROR_NAME, &[4; 32]).unwrap();
        let mut carrier = Carrier::new(Author::new(Kind::Gate, OWN, &[2; 32]), 100);
        carrier.trust(Some(log.verifier().key_bytes()), Some(mirror.public().key_bytes()));
        let mut hub = Hub::new().unwrap();
        let (ledger, peer) = join(&mut hub, &mut carrier);
        Self { hub, carrier, ledger, peer, log, mirror, leaves: Leaves(Vec::new()) }
    }

    fn says(&mut self, count: usize) {
        for _ in 0..count {
            assert!(self.carrier.record(1, Body::Heartbeat {}));
        }
    }

    /// What the ledger is asked now; `later`: after so long.
    fn asked(&mut self, later: Duration) -> Option<(u32, ToLedger)> {
        self.carrier.tend(&mut self.hub, Instant::now() + later, true);
        let frame = self.ledger.take().unwrap()?;
        Some((frame.call, frame.read().unwrap()))
    }

    fn answer(&mut self, call: u32, answer: &FromLedger) -> Heard {
        self.ledger.send(call, answer, &[]).unwrap();
        for event in self.hub.wait(Some(Duration::from_secs(5))).unwrap() {
            if let Event::Frame(peer, frame) = event {
                return self.carrier.hear(peer, &frame);
            }
        }
        Heard::Nothing
    }

    /// Takes an append; how many entries, and the number of the first.
    fn takes(&mut self, keeps: bool) -> (usize, u64) {
        let Some((call, ToLedger::Append { entries, .. })) = self.asked(Duration::ZERO) else {
            panic!("nothing was handed in");
        };
        if keeps {
            self.leaves.0.extend(entries.iter().map(|entry| tlog::leaf_hash(entry)));
        }
        self.answer(call, &FromLedger::Taken { first_index: 0 });
        (entries.len(), Entry::parse(&entries[0]).unwrap().entry.seq)
    }

    /// As a ledger shows the leaves at these places.
    fn shown(&self, places: &[u64]) -> FromLedger {
        self.shown_of(&self.leaves, places)
    }

    fn shown_of(&self, leaves: &Leaves, places: &[u64]) -> FromLedger {
        let size = leaves.0.len() as u64;
        let root = tlog::subtree_root(leaves, 0, size).unwrap();
        let text = Checkpoint::new(LOG_ORIGIN, size, root).to_text();
        let mut note = Note { signatures: vec![self.log.sign(&text)], text };
        note.signatures.push(self.mirror.cosign(1, &note.text));
        let proof = tlog::prove_several(leaves, places, size).unwrap();
        FromLedger::Shown {
            places: places.to_vec(),
            proof: proof.into_iter().map(|hash| hash.0).collect(),
            checkpoint: note.to_text().into_bytes(),
        }
    }

    /// The question to show, a second after something was taken.
    fn asked_to_show(&mut self) -> (u32, u64, u32) {
        match self.asked(Duration::from_secs(2)) {
            Some((call, ToLedger::Show { first, count })) => (call, first, count),
            _ => panic!("it was not asked to show anything"),
        }
    }
}

fn join(hub: &mut Hub, carrier: &mut Carrier) -> (Channel, Peer) {
    let (ours, theirs) = Channel::pair().unwrap();
    let label = Label { instance: OWN, kind: Kind::Ledger, person: None };
    let peer = hub.seat(ours, label).unwrap();
    carrier.join(peer);
    (theirs, peer)
}

#[test]
fn what_is_shown_is_forgotten() {
    let mut scene = Scene::open();
    scene.leaves.0.push(tlog::leaf_hash(b"somebody else's"));
    scene.says(3);
    assert_eq!(scene.takes(true), (3, 0));
    let (call, first, count) = scene.asked_to_show();
    assert_eq!((first, count), (0, 3));
    let shown = scene.shown(&[1, 2]);
    assert_eq!(scene.answer(call, &shown), Heard::Shown(vec![1, 2]));
    assert_eq!((scene.carrier.first_number(), scene.carrier.take_lie()), (2, None));
    let (call, first, count) = scene.asked_to_show();
    assert_eq!((first, count), (2, 1));
    let shown = scene.shown(&[3]);
    assert_eq!(scene.answer(call, &shown), Heard::Shown(vec![3]));
    assert!(scene.asked(Duration::from_secs(60)).is_none());
}

#[test]
fn a_ledger_that_took_and_cannot_show_is_told_of_and_its_successor_gets_everything() {
    let lies = |lie: &dyn Fn(&Scene) -> FromLedger| {
        let mut scene = Scene::open();
        scene.says(2);
        assert_eq!(scene.takes(true), (2, 0));
        let (call, ..) = scene.asked_to_show();
        let lie = lie(&scene);
        assert_eq!(scene.answer(call, &lie), Heard::Nothing);
        assert!(scene.carrier.take_lie().is_some());
        assert!(scene.carrier.take_lie().is_none(), "told once");
        (scene.ledger, scene.peer) = join(&mut scene.hub, &mut scene.carrier);
        scene.says(1);
        assert_eq!(scene.takes(true), (3, 0));
    };
    lies(&|_| FromLedger::Taken { first_index: 0 });
    lies(&|_| FromLedger::Refused { why: String::new() });
    lies(&|_| FromLedger::Shown { places: vec![0], proof: vec![], checkpoint: b"x".to_vec() });
    // Others' entries, its own in another order, fewer hashes, more than were asked for.
    lies(&|scene| {
        let others = Leaves(vec![tlog::leaf_hash(b"a"), tlog::leaf_hash(b"b")]);
        scene.shown_of(&others, &[0, 1])
    });
    lies(&|scene| match scene.shown(&[0, 1]) {
        FromLedger::Shown { proof, checkpoint, .. } => {
            FromLedger::Shown { places: vec![1, 0], proof, checkpoint }
        }
        other => other,
    });
    lies(&|scene| match scene.shown(&[1]) {
        FromLedger::Shown { places, checkpoint, .. } => {
            FromLedger::Shown { places, proof: vec![], checkpoint }
        }
        other => other,
    });
    lies(&|_| FromLedger::Shown { places: vec![], proof: vec![], checkpoint: vec![] });
}

#[test]
fn an_absent_mirror_and_a_silent_ledger_are_no_lies() {
    let mut scene = Scene::open();
    scene.says(2);
    scene.takes(true);
    let (call, ..) = scene.asked_to_show();
    assert_eq!(scene.answer(call, &FromLedger::Away), Heard::Nothing);
    // Asked again after a while, it is silent about everything: nothing is known.
    assert!(scene.asked(Duration::from_secs(6)).is_some());
    scene.asked(Duration::from_secs(20));
    assert_eq!(scene.carrier.take_lie(), None);
}

#[test]
fn who_goes_on_taking_and_is_silent_about_what_it_took_is_told_of() {
    let mut scene = Scene::open();
    scene.says(1);
    scene.takes(false);
    scene.asked_to_show();
    scene.says(1);
    scene.takes(false);
    scene.asked(Duration::from_secs(10));
    assert!(scene.carrier.take_lie().unwrap().contains("does not show"));
}
