//! How fast one start of an author may write. Far above what any of them has to say; whoever wants
//! more is asked to come again, so that nothing is lost, and cannot fill the disk at its pace. And
//! whose entries wait for company before a commit.

use evidence::{Body, Released};
use std::collections::HashMap;
use terms::{InstanceId, Kind};

/// Entries a millisecond for ever: twice what a full load of mail makes its busiest author say.
const SUSTAINED: u64 = 8;
/// Entries at once: what an author gathered while the ledger was away, half a minute's worth.
pub(crate) const BURST: u64 = 240_000;
/// What a full load of mail makes its busiest author say, and how much more than that at once is
/// told of: nothing is held back yet, but somebody may look before a disk fills.
const BUSY: u64 = 4;
const BUSY_BURST: u64 = 60_000;
/// Those remembered: more than are alive at once. Who is not remembered has its whole burst, so
/// that only those are forgotten who have.
const AUTHORS: usize = 1_024;

struct Pace {
    /// Entries that may come at once.
    room: u64,
    at_ms: u64,
    /// Nothing is taken before: what was sent after a refused frame would leave a gap.
    until_ms: u64,
    is_told: bool,
    /// Entries beyond a full load that may come before that is told of.
    busy_room: u64,
    is_busy_told: bool,
}

impl Pace {
    fn fresh(now_ms: u64) -> Self {
        let (room, at_ms, until_ms, is_told) = (BURST, now_ms, 0, false);
        Self { room, at_ms, until_ms, is_told, busy_room: BUSY_BURST, is_busy_told: false }
    }

    fn how_loudly(&mut self, entries: u64) -> Step {
        let is_loud = entries > self.busy_room;
        self.busy_room = self.busy_room.saturating_sub(entries);
        let is_news = is_loud && !self.is_busy_told;
        self.is_busy_told |= is_loud;
        if is_news { Step::GoOnLoudly } else { Step::GoOn }
    }

    fn refill(&mut self, now_ms: u64) {
        let more = now_ms.saturating_sub(self.at_ms).saturating_mul(SUSTAINED);
        self.room = self.room.saturating_add(more).min(BURST);
        let passed_ms = now_ms.saturating_sub(self.at_ms);
        let busy = passed_ms.saturating_mul(BUSY);
        self.busy_room = self.busy_room.saturating_add(busy).min(BUSY_BURST);
        self.at_ms = now_ms;
        self.is_told &= self.room < BURST;
        self.is_busy_told &= self.busy_room < BUSY_BURST;
    }
}

/// What becomes of an append.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    GoOn,
    /// The same, and somebody must be told: once, until it has been quiet for a while.
    GoOnLoudly,
    /// Later; the second time and after that nobody is told.
    Later {
        is_news: bool,
    },
}

impl Step {
    /// What is said of it to an operator.
    pub fn told(&self) -> Option<&'static str> {
        match self {
            Step::Later { is_news: true } => {
                Some("writes faster than anybody needs to: it is held back")
            }
            Step::GoOnLoudly => Some("writes more than a full load of mail makes anybody write"),
            Step::Later { .. } | Step::GoOn => None,
        }
    }
}

/// The pace of every author.
#[derive(Default)]
pub(crate) struct Paces(HashMap<InstanceId, Pace>);

impl Paces {
    pub fn weigh(&mut self, start: InstanceId, entries: usize, now_ms: u64) -> Step {
        if self.0.len() >= AUTHORS && !self.0.contains_key(&start) {
            self.0.values_mut().for_each(|pace| pace.refill(now_ms));
            self.0.retain(|_, pace| pace.room < BURST);
        }
        let fresh = Pace::fresh(now_ms);
        let pace = self.0.entry(start).or_insert(fresh);
        pace.refill(now_ms);
        let entries = entries as u64;
        if now_ms >= pace.until_ms && entries <= pace.room {
            pace.room -= entries;
            return pace.how_loudly(entries);
        }
        let lacking = entries.saturating_sub(pace.room);
        pace.until_ms = pace.until_ms.max(now_ms + lacking.div_ceil(SUSTAINED));
        let is_news = !std::mem::replace(&mut pace.is_told, true);
        Step::Later { is_news }
    }
}

/// Whose author waits for it, and can wait for company.
pub(crate) fn is_patient(kind: Kind, body: &Body) -> bool {
    // The signer has signed already: whoever shook hands mostly signs in right after.
    let has_signed = kind == Kind::Signer && matches!(body, Body::CredentialUse { .. });
    has_signed || matches!(body, Body::Release { released: Released::Transit(_), .. })
}

/// An author may speak only when its name is durable, so a name does not linger.
pub(crate) fn is_awaited(body: &Body) -> bool {
    !body.is_lazy() || matches!(body, Body::ProcessStart { key: Some(_), .. })
}

#[cfg(test)]
mod tests {
    use super::{BURST, Paces, SUSTAINED, Step};
    use terms::InstanceId;

    const LOUD: InstanceId = InstanceId([1; 6]);
    const QUIET: InstanceId = InstanceId([2; 6]);

    #[test]
    fn a_burst_passes_then_the_sustained_rate_and_others_are_free() {
        let mut paces = Paces::default();
        let burst = BURST as usize;
        assert_eq!(paces.weigh(LOUD, burst, 1_000), Step::GoOnLoudly);
        assert_eq!(paces.weigh(LOUD, 80, 1_000), Step::Later { is_news: true });
        assert_eq!(paces.weigh(LOUD, 80, 1_005), Step::Later { is_news: false });
        // Nothing overtakes what was refused.
        assert_eq!(paces.weigh(LOUD, 1, 1_006), Step::Later { is_news: false });
        assert_eq!(paces.weigh(QUIET, burst, 1_006), Step::GoOnLoudly);
        assert_eq!(paces.weigh(LOUD, 80, 1_010), Step::GoOn);
        let mut taken = 0;
        for now_ms in 1_011..11_011 {
            if paces.weigh(LOUD, 4, now_ms) == Step::GoOn {
                taken += 4;
            }
        }
        assert_eq!(taken, 4 * 10_000);
        let full = 1_010 + 2 * BURST / SUSTAINED + 10_000;
        assert_eq!(paces.weigh(LOUD, burst, full), Step::GoOnLoudly);
        assert_eq!(paces.weigh(LOUD, burst, full), Step::Later { is_news: true });
    }

    /// Four entries a millisecond are a full load; ten a millisecond are told of within ten
    /// seconds, once, long before anything is held back.
    #[test]
    fn a_flood_is_told_of_before_it_is_held_back() {
        let mut paces = Paces::default();
        let steps = |paces: &mut Paces, who, pace: usize, from: u64, to: u64| {
            let mut told = Vec::new();
            for now_ms in from..to {
                match paces.weigh(who, pace, now_ms) {
                    Step::GoOn => {}
                    step => told.push((now_ms - from, step)),
                }
            }
            told
        };
        assert_eq!(steps(&mut paces, QUIET, 4, 0, 60_000), []);
        let told = steps(&mut paces, LOUD, 10, 0, 60_000);
        assert_eq!(told, [(9_999, Step::GoOnLoudly)]);
    }

    #[test]
    fn only_those_with_their_whole_burst_are_forgotten() {
        let mut paces = Paces::default();
        assert_eq!(paces.weigh(LOUD, BURST as usize, 0), Step::GoOnLoudly);
        for number in 0..5_000u32 {
            let [a, b, c, d] = number.to_be_bytes();
            let start = InstanceId([9, 9, a, b, c, d]);
            assert_eq!(paces.weigh(start, 1, 1 + u64::from(number) / 1_000), Step::GoOn);
        }
        assert!(paces.0.len() <= 2_048, "{}", paces.0.len());
        assert_eq!(paces.weigh(LOUD, 1_000, 6), Step::Later { is_news: true });
    }
}
