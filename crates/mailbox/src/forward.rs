//! What is told of mail that arrived: one entry for each moment, instance and tenant of a round. By
//! its own moment it is known in which window it came, and over which connection of an instance
//! that takes one after the other.

use crate::entry::Arrived;
use evidence::{Body, Delivery};
use journal::{Deed, Stored};

/// Arrivals of one entry: it stays below the ledger's limit.
const DELIVERIES: usize = 1_000;

impl Stored for Arrived {
    fn seq(&self) -> u64 {
        self.seq
    }

    fn told(mut round: Vec<Self>) -> Vec<Deed> {
        let marked = round.iter().filter(|one| one.is_mark()).map(|one| one.at_ms).max();
        let mark = marked.map(|at_ms| Deed { at_ms: Some(at_ms), body: Body::Heartbeat {} });
        round.retain(|one| !one.is_mark());
        let whose = |one: &Self| (one.at_ms, one.instance, one.tenant);
        round.sort_by_key(whose);
        let groups = round.chunk_by(|one, other| whose(one) == whose(other));
        let delivered = groups.flat_map(|group| group.chunks(DELIVERIES)).filter_map(deliver);
        delivered.chain(mark).collect()
    }
}

fn deliver(group: &[Arrived]) -> Option<Deed> {
    let Arrived { instance, tenant, at_ms, .. } = *group.first()?;
    let delivery = |arrived: &Arrived| Delivery {
        message: arrived.message,
        user: arrived.user,
        bytes: arrived.bytes,
        verdict: arrived.verdict,
    };
    let messages = group.iter().map(delivery).collect();
    let body = Body::Deliver { instance, tenant, messages, connection: None };
    Some(Deed { at_ms: Some(at_ms), body })
}

#[cfg(test)]
mod tests {
    use crate::entry::Arrived;
    use evidence::{Body, Frame};
    use journal::Rounds;
    use std::collections::VecDeque;
    use std::time::Duration;
    use terms::{InstanceId, Kind, MessageId, TenantId, UserId, Verdict};
    use wire::control::Start;
    use wire::ledger::{FromLedger, ToLedger};
    use wire::{Channel, Event, Hub, Label};

    fn arrived(seq: u64, instance: u8, at_ms: u64) -> Arrived {
        Arrived {
            seq,
            instance: InstanceId([instance; 6]),
            tenant: TenantId([1; 8]),
            user: UserId([seq as u8; 8]),
            message: MessageId([9; 16]),
            bytes: 9,
            verdict: Verdict::Deliver,
            at_ms,
        }
    }

    /// What gathered for a while is told at once, and each as of its own moment, the oldest first;
    /// but never as of one that has not been. Copies of one moment are told together.
    #[test]
    fn mail_is_told_as_of_when_it_came() {
        let now_ms = compartment::now_ms();
        let came = [
            arrived(0, 2, now_ms - 700),
            arrived(1, 2, now_ms - 700),
            arrived(2, 1, now_ms - 500),
            arrived(3, 2, now_ms - 400),
            arrived(4, 2, now_ms + 3_600_000),
        ];
        let records: VecDeque<Arrived> = came.into();
        let mut rounds = Rounds::new(Kind::Mailbox, &Start::default());
        let (ours, ledger) = Channel::pair().unwrap();
        let label = Label { instance: InstanceId([1; 6]), kind: Kind::Ledger, person: None };
        let mut hub = Hub::new().unwrap();
        rounds.join(hub.seat(ours, label).unwrap());
        rounds.hand_in(&records, &mut hub, true);
        let asked = ledger.receive(Some(Duration::from_secs(5))).unwrap();
        let ToLedger::Append { entries, .. } = asked.read().unwrap() else { panic!() };
        let told = entries.iter().map(|frame| {
            let entry = Frame::parse(frame).unwrap().entry;
            let Body::Deliver { instance, messages, .. } = entry.body else { panic!() };
            (entry.time_ms, instance.0[0], messages.len())
        });
        let told: Vec<(u64, u8, usize)> = told.collect();
        let expected = [(now_ms - 700, 2, 2), (now_ms - 500, 1, 1), (now_ms - 400, 2, 1)];
        assert_eq!(told[..3], expected);
        assert_eq!((told.len(), told[3].1), (4, 2));
        assert!((now_ms..=compartment::now_ms()).contains(&told[3].0), "it was never later");
    }

    /// Mail of a thousand senders waits for a ledger that was away: as many entries as instances,
    /// and all of them in one round.
    #[test]
    fn mail_of_many_senders_is_told_however_many_there_are() {
        let arrived = |seq: u64| {
            let instance = InstanceId([1, 0, 0, 0, (seq >> 8) as u8, seq as u8]);
            let (message, tenant, user) = (MessageId([9; 16]), TenantId([1; 8]), UserId([2; 8]));
            Arrived {
                seq,
                instance,
                tenant,
                user,
                message,
                bytes: 9,
                verdict: Verdict::Deliver,
                at_ms: 0,
            }
        };
        let records: VecDeque<Arrived> = (0..1_000).map(arrived).collect();
        let mut rounds = Rounds::new(Kind::Mailbox, &Start::default());
        let (ours, ledger) = Channel::pair().unwrap();
        let label = Label { instance: InstanceId([1; 6]), kind: Kind::Ledger, person: None };
        let mut hub = Hub::new().unwrap();
        let peer = hub.seat(ours, label).unwrap();
        rounds.join(peer);
        let (mut entries, mut before) = (0, 0);
        while !rounds.is_done(&records) {
            rounds.hand_in(&records, &mut hub, true);
            let asked = ledger.receive(Some(Duration::from_secs(5))).expect("something is told");
            let ToLedger::Append { entries: frames, .. } = asked.read().unwrap() else { continue };
            entries += frames.len();
            ledger.send(asked.call, &FromLedger::Taken { first_index: 0 }, &[]).unwrap();
            for event in hub.wait(Some(Duration::from_secs(5))).unwrap() {
                if let Event::Frame(_, answer) = event {
                    before = rounds.hear(peer, &answer).unwrap_or(before);
                }
            }
        }
        assert_eq!((entries, before), (1_000, 1_000));
    }
}
