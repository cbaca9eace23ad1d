//! Whose turn it is: nobody's second question comes before another's first.

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wire::Peer;
use wire::fetch::{Ask, FromSentinel, Inquiry};

/// Questions of one asker that wait.
const WAITING: usize = 4;
/// Who has waited this long hears that too many ask: an exchange takes ten seconds at most, and
/// nobody waits for an answer longer than thirty.
const PATIENCE: Duration = Duration::from_secs(18);

/// What one asker wants.
pub(crate) enum Errand {
    Bring(Ask),
    Alarm(FromSentinel),
    Inquire(Inquiry),
}

/// One question that waits.
pub(crate) struct Waiting {
    pub peer: Peer,
    pub call: u32,
    pub errand: Errand,
    since: Instant,
}

#[derive(Default)]
pub(crate) struct Turns {
    waiting: VecDeque<Waiting>,
    /// Those who were served, the last at the end.
    served: VecDeque<Peer>,
}

impl Turns {
    /// `false`: it asks too much at once.
    pub(crate) fn wait(&mut self, peer: Peer, call: u32, errand: Errand, now: Instant) -> bool {
        let count = self.waiting.iter().filter(|waiting| waiting.peer == peer).count();
        if count >= WAITING {
            return false;
        }
        self.waiting.push_back(Waiting { peer, call, errand, since: now });
        true
    }

    pub(crate) fn gone(&mut self, peer: Peer) {
        self.waiting.retain(|waiting| waiting.peer != peer);
        self.served.retain(|served| *served != peer);
    }

    /// The next: of those who were served longest ago, or never, the first that asked.
    pub(crate) fn next(&mut self) -> Option<Waiting> {
        let rank = |waiting: &Waiting| {
            let place = self.served.iter().position(|served| *served == waiting.peer);
            place.map_or(0, |place| place + 1)
        };
        let (place, _) =
            self.waiting.iter().enumerate().min_by_key(|(_, waiting)| rank(waiting))?;
        let next = self.waiting.remove(place)?;
        self.served.retain(|served| *served != next.peer);
        self.served.push_back(next.peer);
        Some(next)
    }

    /// Those who have waited too long.
    pub(crate) fn tired(&mut self, now: Instant) -> Vec<Waiting> {
        let mut tired = Vec::new();
        while self.waiting.front().is_some_and(|first| now - first.since >= PATIENCE) {
            tired.extend(self.waiting.pop_front());
        }
        tired
    }
}

#[cfg(test)]
mod tests {
    use super::{Errand, PATIENCE, Turns};
    use std::time::{Duration, Instant};
    use wire::fetch::Ask;

    fn ask() -> Errand {
        Errand::Bring(Ask::Get { host: "a.b".to_owned(), path: "/".to_owned(), limit: 1 })
    }

    #[test]
    fn each_in_turn() {
        let now = Instant::now();
        let mut turns = Turns::default();
        for call in 1..=4 {
            assert!(turns.wait(1, call, ask(), now));
        }
        assert!(!turns.wait(1, 5, ask(), now), "four are enough");
        turns.wait(2, 6, ask(), now);
        turns.wait(3, 7, ask(), now);
        let mut order = Vec::new();
        while let Some(next) = turns.next() {
            order.push((next.peer, next.call));
        }
        assert_eq!(order, [(1, 1), (2, 6), (3, 7), (1, 2), (1, 3), (1, 4)]);
    }

    #[test]
    fn who_waits_too_long_and_who_leaves() {
        let now = Instant::now();
        let mut turns = Turns::default();
        turns.wait(1, 1, ask(), now);
        turns.wait(2, 2, ask(), now + Duration::from_secs(5));
        let tired: Vec<u32> =
            turns.tired(now + PATIENCE).into_iter().map(|waiting| waiting.call).collect();
        assert_eq!(tired, [1]);
        turns.gone(2);
        assert!(turns.next().is_none());
    }
}
