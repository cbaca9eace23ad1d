//! What was first seen when: who tried what, as keyed hashes in memory (decision 0007).
//!
//! Three things are asked for: a client, sender and recipient that were never seen together
//! (greylisting), a message whose sender's DNS is away (how long it has been put off), and to whom
//! somebody who is away has answered. Strangers fill the first two as they like, so what people do
//! has a place of its own. The networks that they write from are kept over a restart: see `places`.

use std::collections::HashMap;
use terms::UserId;

/// Remembered at once: a large installation's new triplets of a day; about 8 MB.
const ENTRIES: usize = 200_000;
/// What was not asked for again for so long is forgotten. RFC 6647 §5 speaks of a week and more.
const FORGOTTEN_MS: u64 = 36 * 24 * 60 * 60 * 1000;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Everything that is remembered.
#[derive(Default)]
pub struct Memories {
    /// What anybody outside tried.
    pub tries: Seen,
    /// Whom somebody who is away has answered.
    pub answers: Seen,
    pub strange: Strange,
}

/// To how many each person wrote from places that were new for them, within a day.
#[derive(Default)]
pub struct Strange(HashMap<UserId, (u64, u32)>);

impl Strange {
    /// Counts some more; all of the day that began with the first.
    pub fn add(&mut self, user: UserId, recipients: u32, now_ms: u64) -> u32 {
        let is_old = |since: u64| now_ms.wrapping_sub(since) > DAY_MS;
        if self.0.len() >= ENTRIES && !self.0.contains_key(&user) {
            self.0.retain(|_, (since, _)| !is_old(*since));
        }
        let (since, count) = self.0.entry(user).or_insert((now_ms, 0));
        if is_old(*since) {
            (*since, *count) = (now_ms, 0);
        }
        *count = count.saturating_add(recipients);
        *count
    }
}

struct Times {
    first_ms: u64,
    last_ms: u64,
    /// It was asked for again.
    is_proven: bool,
}

#[derive(Default)]
pub struct Seen {
    times: HashMap<[u8; 16], Times>,
}

impl Seen {
    /// Milliseconds since the first time; 0 when this is the first.
    pub fn since(&mut self, token: [u8; 16], now_ms: u64) -> u64 {
        if self.times.len() >= ENTRIES && !self.times.contains_key(&token) {
            self.make_room(now_ms);
        }
        let anew = Times { first_ms: now_ms, last_ms: now_ms, is_proven: false };
        match self.times.get_mut(&token).filter(|times| !is_forgotten(times, now_ms)) {
            Some(times) => {
                (times.last_ms, times.is_proven) = (now_ms, true);
                now_ms.saturating_sub(times.first_ms)
            }
            None => {
                self.times.insert(token, anew);
                0
            }
        }
    }

    /// Forgets what is old; if that is not enough, half of all: first what came once and not
    /// again, so that whoever tries something new each time drives out their own.
    fn make_room(&mut self, now_ms: u64) {
        self.times.retain(|_, times| !is_forgotten(times, now_ms));
        if self.times.len() < ENTRIES {
            return;
        }
        let rank = |times: &Times| (times.is_proven, times.last_ms);
        let mut ranks: Vec<(bool, u64)> = self.times.values().map(rank).collect();
        let middle = ranks.len() / 2;
        let (_, median, _) = ranks.select_nth_unstable(middle);
        let median = *median;
        self.times.retain(|_, times| rank(times) > median);
    }
}

/// Also when the clock has jumped back behind it.
fn is_forgotten(times: &Times, now_ms: u64) -> bool {
    now_ms.wrapping_sub(times.last_ms) > FORGOTTEN_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_is_remembered_for_a_while() {
        let mut seen = Seen::default();
        assert_eq!(seen.since([1; 16], 1_000), 0);
        assert_eq!(seen.since([1; 16], 301_000), 300_000);
        assert_eq!(seen.since([2; 16], 301_000), 0, "each for itself");
        assert_eq!(seen.since([1; 16], 301_000 + FORGOTTEN_MS), 300_000 + FORGOTTEN_MS);
        assert_eq!(seen.since([1; 16], 301_001 + 2 * FORGOTTEN_MS), 0, "forgotten");
        assert_eq!(seen.since([1; 16], 5), 0, "a clock that jumped back begins anew");
    }

    #[test]
    fn memory_is_bounded_and_the_latest_stay() {
        let mut seen = Seen::default();
        let token = |number: usize| {
            let mut token = [0; 16];
            token[..8].copy_from_slice(&(number as u64).to_le_bytes());
            token
        };
        for number in 0..=ENTRIES {
            seen.since(token(number), number as u64);
        }
        assert!(seen.times.len() <= ENTRIES / 2 + 1);
        let now = ENTRIES as u64 + 10;
        assert_eq!(seen.since(token(ENTRIES), now), 10);
        assert_eq!(seen.since(token(0), now), 0);
    }

    #[test]
    fn what_came_again_outlives_a_flood() {
        let mut seen = Seen::default();
        assert_eq!(seen.since([255; 16], 1), 0);
        assert_eq!(seen.since([255; 16], 2), 1);
        for number in 0..ENTRIES as u64 * 2 {
            let mut token = [0; 16];
            token[..8].copy_from_slice(&number.to_le_bytes());
            seen.since(token, 3 + number);
        }
        assert_eq!(seen.since([255; 16], ENTRIES as u64 * 3), ENTRIES as u64 * 3 - 1);
    }

    #[test]
    fn new_places_are_counted_for_a_day() {
        let mut strange = Strange::default();
        let (ann, ben) = (UserId([1; 8]), UserId([2; 8]));
        assert_eq!(strange.add(ann, 30, 1_000), 30);
        assert_eq!(strange.add(ben, 1, 1_000), 1);
        assert_eq!(strange.add(ann, 30, 1_000 + DAY_MS), 60);
        assert_eq!(strange.add(ann, 5, 1_001 + DAY_MS), 5);
    }
}
