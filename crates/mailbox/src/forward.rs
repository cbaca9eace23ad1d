//! What is told of mail that arrived: one entry for each instance and tenant of a round.

use crate::entry::Arrived;
use evidence::{Body, Delivery};
use journal::Stored;
use terms::{InstanceId, TenantId};

/// Arrivals of one entry: it stays below the ledger's limit.
const DELIVERIES: usize = 1_000;

impl Stored for Arrived {
    fn seq(&self) -> u64 {
        self.seq
    }

    fn told(mut round: Vec<Self>) -> Vec<Body> {
        let whose = |one: &Self| (one.instance, one.tenant);
        round.sort_by_key(whose);
        let groups = round.chunk_by(|one, other| whose(one) == whose(other));
        groups.flat_map(|group| group.chunks(DELIVERIES)).filter_map(deliver).collect()
    }
}

fn deliver(group: &[Arrived]) -> Option<Body> {
    let (instance, tenant): (InstanceId, TenantId) =
        group.first().map(|first| (first.instance, first.tenant))?;
    let delivery = |arrived: &Arrived| Delivery {
        message: arrived.message,
        user: arrived.user,
        bytes: arrived.bytes,
        verdict: arrived.verdict,
    };
    let messages = group.iter().map(delivery).collect();
    Some(Body::Deliver { instance, tenant, messages, connection: None })
}

#[cfg(test)]
mod tests {
    use crate::entry::Arrived;
    use journal::Rounds;
    use std::collections::VecDeque;
    use std::time::Duration;
    use terms::{InstanceId, Kind, MessageId, TenantId, UserId, Verdict};
    use wire::control::Start;
    use wire::ledger::{FromLedger, ToLedger};
    use wire::{Channel, Event, Hub, Label};

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
