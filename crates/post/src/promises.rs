//! Who was told that they may send and has not handed in yet. What is promised counts until it
//! counts by itself, so that many connections of one person at once pass no limit.

use crate::table::Hand;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use terms::UserId;
use wire::Peer;

/// For a message to be examined and sealed: who takes longer asks again.
const LIFETIME: Duration = Duration::from_secs(60);

struct Promise {
    user: UserId,
    hand: Hand,
    recipients: u32,
    since: Instant,
    /// It was handed in: at the next commit it counts as sent.
    is_kept: bool,
}

/// One a peer: it serves one connection.
#[derive(Default)]
pub struct Promises(HashMap<Peer, Promise>);

impl Promises {
    pub fn make(&mut self, peer: Peer, (user, hand): (UserId, Hand), recipients: u32) {
        let (since, is_kept) = (Instant::now(), false);
        self.0.insert(peer, Promise { user, hand, recipients, since, is_kept });
    }

    /// Recipients that this person's other connections were promised.
    pub fn of_others(&self, peer: Peer, (user, hand): (UserId, Hand)) -> u32 {
        let counts = |(of, promise): &(&Peer, &Promise)| {
            **of != peer
                && (promise.user, promise.hand) == (user, hand)
                && promise.since.elapsed() < LIFETIME
        };
        let promised = self.0.iter().filter(counts);
        promised.fold(0, |sum, (_, promise)| sum.saturating_add(promise.recipients))
    }

    pub fn keep(&mut self, peer: Peer) {
        if let Some(promise) = self.0.get_mut(&peer) {
            promise.is_kept = true;
        }
    }

    /// What was handed in is committed, or lost.
    pub fn settle(&mut self) {
        self.0.retain(|_, promise| !promise.is_kept && promise.since.elapsed() < LIFETIME);
    }

    pub fn gone(&mut self, peer: Peer) {
        if self.0.get(&peer).is_some_and(|promise| !promise.is_kept) {
            self.0.remove(&peer);
        }
    }

    /// How many were promised something within this time and have not handed in.
    pub fn within(&self, time: Duration) -> usize {
        let is_open = |promise: &&Promise| !promise.is_kept && promise.since.elapsed() < time;
        self.0.values().filter(is_open).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_promised_counts_for_others_until_it_counts_by_itself() {
        let mut promises = Promises::default();
        let (ann, ben) = ((UserId([1; 8]), Hand::Own), (UserId([2; 8]), Hand::Own));
        let check = |promises: &Promises, peer: Peer, who, expected: u32| {
            assert_eq!(promises.of_others(peer, who), expected);
        };
        promises.make(1, ann, 500);
        promises.make(2, ann, 10);
        check(&promises, 1, ann, 10);
        check(&promises, 3, ann, 510);
        check(&promises, 3, ben, 0);
        check(&promises, 3, (ann.0, Hand::Others), 0);
        // The same connection asks again: of its last word alone is account.
        promises.make(2, ann, 20);
        check(&promises, 1, ann, 20);
        assert_eq!(promises.within(Duration::from_secs(60)), 2);
        // What was handed in counts until the commit, though its hand be gone.
        promises.keep(1);
        promises.gone(1);
        promises.gone(2);
        check(&promises, 3, ann, 500);
        promises.settle();
        check(&promises, 3, ann, 0);
        assert_eq!(promises.within(Duration::from_secs(60)), 0);
    }
}
