//! What is told of mail that leaves: one entry for what came at one moment by one instance for one
//! tenant, and one for what left at one moment by one instance of one person's.

use crate::entry::{Passage, Way};
use evidence::{Body, Queued};
use journal::{Deed, Stored};

/// Messages that one entry names: an entry has 64 KiB.
const TOGETHER: usize = 500;

impl Stored for Passage {
    fn seq(&self) -> u64 {
        self.seq
    }

    fn told(mut round: Vec<Self>) -> Vec<Deed> {
        let is_mark = |one: &Self| one.way == Way::Mark;
        let marked = round.iter().copied().filter(is_mark).map(|one| one.at_ms).max();
        let mark = marked.map(|at_ms| Deed {
            at_ms: Some(at_ms).filter(|at_ms| *at_ms > 0),
            body: Body::Heartbeat {},
        });
        round.retain(|one| !is_mark(one));
        let whose = |one: &Self| {
            let is_out = one.way == Way::Out;
            (one.at_ms, is_out, one.instance, one.tenant, is_out.then_some(one.user))
        };
        round.sort_by_key(whose);
        let groups = round.chunk_by(|one, other| whose(one) == whose(other));
        let passed = groups.flat_map(|group| group.chunks(TOGETHER)).filter_map(deed);
        passed.chain(mark).collect()
    }
}

fn deed(group: &[Passage]) -> Option<Deed> {
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
    let body = match (first.way, group.len()) {
        (Way::Mark, _) => return None,
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
    };
    Some(Deed { at_ms: Some(first.at_ms).filter(|at_ms| *at_ms > 0), body })
}

#[cfg(test)]
mod tests {
    use super::{Passage, Way};
    use crate::store::Store;
    use evidence::{Body, Frame};
    use journal::Rounds;
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
            at_ms: 0,
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
            // At a moment that is known.
            Passage { at_ms: 5_000, ..passage(6, Way::In, 7, 1) },
        ];
        store.table.passed.extend(told);
        let (mut hub, mut forward) =
            (Hub::new().unwrap(), Rounds::new(Kind::Post, &Start::default()));
        let (ours, ledger) = Channel::pair().unwrap();
        let label = Label { instance: InstanceId([1; 6]), kind: Kind::Ledger, person: None };
        let peer = hub.seat(ours, label).unwrap();
        forward.join(peer);
        forward.hand_in(&store.table.passed, &mut hub, true);
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
        assert_eq!(named, ["in 7 [0, 3]", "in 8 [2]", "out 9 [1, 4]", "out 9 5", "in 7 [6]"]);
        let time = |frame: &Vec<u8>| Frame::parse(frame).unwrap().entry.time_ms;
        assert_eq!(frames.last().map(time), Some(5_000), "not when it was signed");
        assert!(!forward.is_done(&store.table.passed));
        ledger.send(asked.call, &FromLedger::Taken { first_index: 0 }, &[]).unwrap();
        let heard = hub.wait(Some(Duration::from_secs(5))).unwrap().into_iter().next();
        let Some(Event::Frame(_, answer)) = heard else { panic!("no answer came") };
        assert_eq!(forward.hear(peer, &answer), Some(7));
        assert!(forward.is_done(&store.table.passed));
        let _ = std::fs::remove_dir_all(&folder);
    }
}
