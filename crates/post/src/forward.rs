//! `queue` and `send` entries on their way to the ledger: from the store, in batches, within a
//! second.
//!
//! What came was written with the message, what was sent with its outcome. It is signed by this
//! start's author, handed in until the ledger has taken it, and only then forgotten; a restart
//! hands in again what was not.

use crate::entry::{Passage, Way};
use crate::store::Store;
use evidence::{Author, Body, Queued};
use journal::{Carrier, Heard};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use terms::Kind;
use wire::control::Start;
use wire::{Frame, Hub, Peer};

/// How long records may gather before they are handed in.
const GATHER: Duration = Duration::from_millis(700);
/// Records that are handed in without waiting longer.
const ENOUGH: usize = 512;
/// Records signed in one round.
const ROUND: usize = 4_000;
/// Messages that one entry names: an entry has 64 KiB.
const TOGETHER: usize = 500;
/// Signed frames that may wait for the ledger; the unsigned wait in the store, without limit.
const WAITING: usize = 8_192;

pub struct Forward {
    carrier: Carrier,
    /// For each frame that was never taken: with it, every record before this number is signed.
    through: VecDeque<u64>,
    signed_before: u64,
    gathering_since: Option<Instant>,
}

impl Forward {
    pub fn new(start: &Start) -> Self {
        let author = Author::new(Kind::Post, start.instance, &compartment::random());
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

    fn unsigned<'a>(&self, store: &'a Store) -> impl Iterator<Item = &'a Passage> + use<'a> {
        let before = self.signed_before;
        let from = store.table.passed.partition_point(|record| record.seq < before);
        store.table.passed.range(from..)
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

    /// One entry for what came by one instance for one tenant; one for what left by one instance
    /// of one person's.
    fn sign(&mut self, store: &Store) {
        let room = WAITING.saturating_sub(self.carrier.waiting()).min(ROUND);
        let mut round: Vec<Passage> = self.unsigned(store).take(room).copied().collect();
        let Some(last) = round.last().map(|passage| passage.seq) else { return };
        let whose = |one: &Passage| {
            let is_out = one.way == Way::Out;
            (is_out, one.instance, one.tenant, is_out.then_some(one.user))
        };
        round.sort_by_key(whose);
        let groups = round.chunk_by(|one, other| whose(one) == whose(other));
        let bodies: Vec<Body> =
            groups.flat_map(|group| group.chunks(TOGETHER)).filter_map(body).collect();
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

    /// A frame from the ledger. Returns before which number all records are taken now.
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

fn body(group: &[Passage]) -> Option<Body> {
    let first = group.first()?;
    let (instance, tenant) = (first.instance, first.tenant);
    let messages = || {
        let one = |one: &Passage| Queued {
            message: one.message,
            user: one.user,
            recipients: one.recipients,
            bytes: one.bytes.into(),
        };
        group.iter().map(one).collect()
    };
    Some(match (first.way, group.len()) {
        (Way::In, _) => Body::Queue { instance, tenant, messages: messages() },
        (Way::Out, 2..) => Body::Sent { instance, tenant, messages: messages() },
        (Way::Out, _) => Body::Send {
            instance,
            tenant,
            user: first.user,
            message: first.message,
            recipients: first.recipients,
            bytes: first.bytes.into(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::{Forward, Passage, Way};
    use crate::store::Store;
    use evidence::{Body, Frame};
    use std::time::Duration;
    use terms::{InstanceId, Kind, MessageId, TenantId, UserId};
    use wire::control::Start;
    use wire::ledger::{FromLedger, ToLedger};
    use wire::{Channel, Event, Hub, Label};

    fn passage(seq: u64, way: Way, instance: u8, tenant: u8) -> Passage {
        Passage {
            seq,
            way,
            instance: InstanceId([instance; 6]),
            tenant: TenantId([tenant; 8]),
            user: UserId([tenant; 8]),
            message: MessageId([seq as u8; 16]),
            recipients: 2,
            bytes: 9,
        }
    }

    /// Who handed in, or carried, which messages; and nothing is forgotten before all of it is
    /// taken.
    #[test]
    fn what_came_and_what_left_is_told_together() {
        let folder = std::env::temp_dir().join(format!("post-told-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let mut store = Store::open(&folder, 0).unwrap();
        let told = [
            passage(0, Way::In, 7, 1),
            passage(1, Way::Out, 9, 1),
            passage(2, Way::In, 8, 2),
            passage(3, Way::In, 7, 1),
            passage(4, Way::Out, 9, 1),
            Passage { user: UserId([3; 8]), ..passage(5, Way::Out, 9, 1) },
        ];
        store.table.passed.extend(told);
        let (mut hub, mut forward) = (Hub::new().unwrap(), Forward::new(&Start::default()));
        let (ours, ledger) = Channel::pair().unwrap();
        let label = Label { instance: InstanceId([1; 6]), kind: Kind::Ledger, person: None };
        let peer = hub.seat(ours, label).unwrap();
        forward.join(peer);
        forward.hand_in(&store, &mut hub, true);
        let asked = ledger.take().unwrap().unwrap();
        let ToLedger::Append { entries: frames, .. } = asked.read().unwrap() else {
            panic!("nothing was handed in");
        };
        let named = frames.iter().map(|frame| match Frame::parse(frame).unwrap().entry.body {
            Body::Queue { instance, messages, .. } => {
                let seen = messages.iter().map(|one| one.message.0[0]).collect::<Vec<_>>();
                format!("in {} {seen:?}", instance.0[0])
            }
            Body::Sent { instance, messages, .. } => {
                let seen = messages.iter().map(|one| one.message.0[0]).collect::<Vec<_>>();
                format!("out {} {seen:?}", instance.0[0])
            }
            Body::Send { instance, message, .. } => {
                format!("out {} {}", instance.0[0], message.0[0])
            }
            other => panic!("{other:?}"),
        });
        let named = named.collect::<Vec<_>>();
        assert_eq!(named, ["in 7 [0, 3]", "in 8 [2]", "out 9 [1, 4]", "out 9 5"]);
        assert!(!forward.is_done(&store));
        ledger.send(asked.call, &FromLedger::Taken { first_index: 0 }, &[]).unwrap();
        let heard = hub.wait(Some(Duration::from_secs(5))).unwrap().into_iter().next();
        let Some(Event::Frame(_, answer)) = heard else { panic!("no answer came") };
        assert_eq!(forward.hear(peer, &answer), Some(6));
        assert!(forward.is_done(&store));
        let _ = std::fs::remove_dir_all(&folder);
    }
}
