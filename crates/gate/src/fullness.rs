//! Where no place is left, and since when: whoever comes then waits, and is turned away.

use crate::pool::{INSTANCES, Pool};
use std::time::{Duration, Instant};
use terms::Kind;
use wire::control::Full;

/// How full it is is told so often, while it is.
const TOLD_AGAIN: Duration = Duration::from_secs(1);
/// That a kind is full is an alarm, once in so long.
const SAID_AGAIN: Duration = Duration::from_secs(600);

/// One kind that is full, or was.
struct Seen {
    kind: Kind,
    since_ms: Option<u64>,
    said: Option<Instant>,
}

/// What the warden knows of it, and what it is to hear.
#[derive(Default)]
pub struct Fullness {
    seen: Vec<Seen>,
    told: Vec<Full>,
    told_at: Option<Instant>,
}

impl Fullness {
    /// Kinds that have become full and are worth an alarm.
    pub fn look(&mut self, pools: &[(Kind, &Pool)], now: Instant, now_ms: u64) -> Vec<Kind> {
        let mut alarming = Vec::new();
        for (kind, pool) in pools {
            let at = self.seen.iter().position(|seen| seen.kind == *kind);
            let at = at.unwrap_or_else(|| {
                self.seen.push(Seen { kind: *kind, since_ms: None, said: None });
                self.seen.len() - 1
            });
            let Some(seen) = self.seen.get_mut(at) else { continue };
            match (pool.is_full(now, seen.since_ms.is_some()), seen.since_ms) {
                (true, None) => {
                    seen.since_ms = Some(now_ms);
                    if seen.said.is_none_or(|said| now.duration_since(said) >= SAID_AGAIN) {
                        seen.said = Some(now);
                        alarming.push(*kind);
                    }
                }
                (false, Some(_)) => seen.since_ms = None,
                _ => {}
            }
        }
        alarming
    }

    /// What the warden does not know yet.
    pub fn news(&mut self, pools: &[(Kind, &Pool)], now: Instant) -> Option<Vec<Full>> {
        let of = |seen: &Seen| {
            let (_, pool) = pools.iter().find(|(kind, _)| *kind == seen.kind)?;
            let taken = u32::try_from(pool.busy()).unwrap_or(u32::MAX);
            let places = u32::try_from(INSTANCES).unwrap_or(u32::MAX);
            Some(Full { kind: seen.kind, taken, places, since_ms: seen.since_ms? })
        };
        let full: Vec<Full> = self.seen.iter().filter_map(of).collect();
        let since =
            |all: &[Full]| all.iter().map(|one| (one.kind, one.since_ms)).collect::<Vec<_>>();
        let is_due = self.told_at.is_none_or(|at| now.duration_since(at) >= TOLD_AGAIN);
        if full == self.told || (since(&full) == since(&self.told) && !is_due) {
            return None;
        }
        self.told_at = Some(now);
        self.told.clone_from(&full);
        Some(full)
    }
}

/// An alarm's words.
pub fn alarm(kind: Kind) -> &'static str {
    match kind {
        Kind::Edge => "no session is free for others who bring mail: they are put off (421)",
        Kind::Access => "no session is free for others who sign in: they are turned away",
        _ => "the public pages have no connection free: whoever else comes is turned away",
    }
}

#[cfg(test)]
mod tests {
    use super::{Fullness, SAID_AGAIN};
    use crate::pool::{INSTANCES, Pool};
    use std::time::{Duration, Instant};
    use terms::Kind;

    #[test]
    fn it_is_told_when_no_place_is_left_and_when_there_is_again() {
        let begin = Instant::now();
        let (mut pool, mut fullness) = (Pool::new(), Fullness::default());
        let mut at = |pool: &Pool, seconds: u64| {
            let now = begin + Duration::from_secs(seconds);
            let pools = [(Kind::Edge, pool), (Kind::Access, &Pool::new())];
            let alarms = fullness.look(&pools, now, 1_000 * seconds);
            let news = fullness.news(&pools, now);
            let news = news.map(|all| {
                let told = |one: &wire::control::Full| (one.kind, one.taken, one.since_ms);
                all.iter().map(told).collect::<Vec<_>>()
            });
            (alarms.len(), news)
        };
        // Born, and for the next one.
        pool.born(7);
        let places = INSTANCES as u32;
        (0..INSTANCES - 1).for_each(|_| pool.is_taken());
        assert_eq!(at(&pool, 1), (0, None));
        pool.is_taken();
        assert_eq!(at(&pool, 2), (1, Some(vec![(Kind::Edge, places, 2_000)])));
        assert_eq!(at(&pool, 3), (0, None));
        // One who leaves makes room for the next one: it is as full as before.
        (0..10).for_each(|_| pool.lost(0, true));
        assert_eq!(at(&pool, 4), (0, Some(vec![(Kind::Edge, places - 10, 2_000)])));
        (0..100).for_each(|_| pool.lost(0, true));
        assert_eq!(at(&pool, 5), (0, Some(Vec::new())));
        // Again and again is one alarm.
        (0..110).for_each(|_| pool.is_taken());
        assert_eq!(at(&pool, 6), (0, Some(vec![(Kind::Edge, places, 6_000)])));
        (0..110).for_each(|_| pool.lost(0, true));
        assert_eq!(at(&pool, 7), (0, Some(Vec::new())));
        (0..110).for_each(|_| pool.is_taken());
        assert_eq!(at(&pool, 3 + SAID_AGAIN.as_secs()).0, 1);
        // Too few are born, and somebody was turned away: until one is free.
        pool = Pool::new();
        pool.born(7);
        let begun = 2 * SAID_AGAIN.as_secs();
        assert_eq!(at(&pool, begun), (0, Some(Vec::new())));
        pool.lost(7, false);
        pool.is_taken();
        assert_eq!(at(&pool, begun + 700), (0, None));
        pool.refuses(begin + Duration::from_secs(begun + 700));
        let told = vec![(Kind::Edge, 1, 1_000 * (begun + 701))];
        assert_eq!(at(&pool, begun + 701), (1, Some(told)));
        assert_eq!(at(&pool, begun + 720), (0, None));
        pool.born(1);
        assert_eq!(at(&pool, begun + 721), (0, Some(Vec::new())));
    }
}
