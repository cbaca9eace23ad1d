//! Whose turn it is: nobody's second question comes before another's first. All that carry for one
//! tenant are one asker, so that a tenant whose destinations are slow waits for them alone.

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use terms::TenantId;
use wire::Peer;
use wire::fetch::{Ask, FromSentinel, Inquiry};

/// Questions of one channel that wait.
const WAITING: usize = 4;
/// Who has waited this long hears that too many ask: an exchange takes ten seconds at most, and
/// nobody waits for an answer longer than thirty.
const PATIENCE: Duration = Duration::from_secs(18);

/// Who takes turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    Tenant(TenantId),
    /// Nobody's in particular.
    House(Peer),
}

/// What one asker wants.
pub(crate) enum Errand {
    Bring(Ask),
    Alarm(FromSentinel),
    Inquire(Inquiry),
}

/// The way that an alarm goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Webhook,
    Mail,
}

impl Way {
    pub(crate) fn of(alarm: &FromSentinel) -> Self {
        match alarm {
            FromSentinel::Webhook { .. } => Self::Webhook,
            FromSentinel::Mail { .. } => Self::Mail,
        }
    }
}

/// One question that waits.
pub(crate) struct Waiting {
    pub peer: Peer,
    pub call: u32,
    pub errand: Errand,
    asker: Asker,
    since: Instant,
}

#[derive(Default)]
pub(crate) struct Turns {
    waiting: VecDeque<Waiting>,
    /// Those who were served, the last at the end.
    served: VecDeque<Asker>,
}

/// Askers that are remembered: those before them count as never served.
const SERVED: usize = 1_000;

impl Turns {
    /// `false`: it asks too much at once.
    pub(crate) fn wait(
        &mut self,
        (peer, asker): (Peer, Asker),
        call: u32,
        errand: Errand,
        now: Instant,
    ) -> bool {
        let count = self.waiting.iter().filter(|waiting| waiting.peer == peer).count();
        if count >= WAITING {
            return false;
        }
        self.waiting.push_back(Waiting { peer, call, errand, asker, since: now });
        true
    }

    pub(crate) fn gone(&mut self, peer: Peer) {
        self.waiting.retain(|waiting| waiting.peer != peer);
        self.served.retain(|served| *served != Asker::House(peer));
    }

    /// The next: of those who were served longest ago, or never, the first that asked.
    pub(crate) fn next(&mut self) -> Option<Waiting> {
        let rank = |waiting: &Waiting| {
            let place = self.served.iter().position(|served| *served == waiting.asker);
            place.map_or(0, |place| place + 1)
        };
        let (place, _) =
            self.waiting.iter().enumerate().min_by_key(|(_, waiting)| rank(waiting))?;
        let next = self.waiting.remove(place)?;
        self.served.retain(|served| *served != next.asker);
        self.served.push_back(next.asker);
        if self.served.len() > SERVED {
            self.served.pop_front();
        }
        Some(next)
    }

    /// The first alarm that waits for a way that is free, whoever's turn it is.
    pub(crate) fn next_alarm(&mut self, is_free: impl Fn(Way) -> bool) -> Option<Waiting> {
        let goes = |waiting: &Waiting| match &waiting.errand {
            Errand::Alarm(alarm) => is_free(Way::of(alarm)),
            Errand::Bring(_) | Errand::Inquire(_) => false,
        };
        let place = self.waiting.iter().position(goes)?;
        self.waiting.remove(place)
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
    use super::{Asker, Errand, PATIENCE, Turns};
    use std::time::{Duration, Instant};
    use terms::TenantId;
    use wire::Peer;
    use wire::fetch::Ask;

    fn of_house(peer: Peer) -> (Peer, Asker) {
        (peer, Asker::House(peer))
    }

    fn ask() -> Errand {
        Errand::Bring(Ask::Get { host: "a.b".to_owned(), path: "/".to_owned(), limit: 1 })
    }

    #[test]
    fn each_in_turn() {
        let now = Instant::now();
        let mut turns = Turns::default();
        for call in 1..=4 {
            assert!(turns.wait(of_house(1), call, ask(), now));
        }
        assert!(!turns.wait(of_house(1), 5, ask(), now), "four are enough");
        turns.wait(of_house(2), 6, ask(), now);
        turns.wait(of_house(3), 7, ask(), now);
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
        turns.wait(of_house(1), 1, ask(), now);
        turns.wait(of_house(2), 2, ask(), now + Duration::from_secs(5));
        let tired: Vec<u32> =
            turns.tired(now + PATIENCE).into_iter().map(|waiting| waiting.call).collect();
        assert_eq!(tired, [1]);
        turns.gone(2);
        assert!(turns.next().is_none());
    }

    /// However many carry for one tenant, another's first question comes after one of theirs.
    #[test]
    fn tenants_in_turn() {
        let now = Instant::now();
        let mut turns = Turns::default();
        let of = |peer, tenant: u8| (peer, Asker::Tenant(TenantId([tenant; 8])));
        for peer in 1..=24 {
            assert!(turns.wait(of(peer, 1), 1, ask(), now));
        }
        assert_eq!(turns.next().map(|next| next.peer), Some(1));
        assert!(turns.wait(of(30, 2), 1, ask(), now));
        assert!(turns.wait(of(31, 2), 1, ask(), now));
        let order: Vec<_> = (0..4).filter_map(|_| turns.next()).map(|next| next.peer).collect();
        assert_eq!(order, [30, 2, 31, 3]);
        // Whose channel is gone is still the same tenant.
        turns.gone(2);
        assert!(turns.wait(of(32, 2), 1, ask(), now));
        assert_eq!(turns.next().map(|next| next.peer), Some(32));
    }
}
