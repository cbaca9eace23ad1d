//! What was first seen when: who tried what, as keyed hashes in memory (decision 0007).
//!
//! Four things are asked for: a client, sender and recipient that were never seen together
//! (greylisting), a message whose sender's DNS is away (how long it has been put off), the networks
//! that a person of ours has written from, and to whom somebody who is away has answered.

use std::collections::HashMap;

/// Remembered at once: a large installation's new triplets of a day; about 8 MB.
const ENTRIES: usize = 200_000;
/// What was not asked for again for so long is forgotten. RFC 6647 §5 speaks of a week and more.
const FORGOTTEN_MS: u64 = 36 * 24 * 60 * 60 * 1000;

struct Times {
    first_ms: u64,
    last_ms: u64,
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
        let times = self.times.entry(token).or_insert(Times { first_ms: now_ms, last_ms: now_ms });
        if is_forgotten(times, now_ms) {
            *times = Times { first_ms: now_ms, last_ms: now_ms };
        }
        times.last_ms = now_ms;
        now_ms.saturating_sub(times.first_ms)
    }

    /// Forgets what is old; if that is not enough, the half that was not asked for longest.
    fn make_room(&mut self, now_ms: u64) {
        self.times.retain(|_, times| !is_forgotten(times, now_ms));
        if self.times.len() < ENTRIES {
            return;
        }
        let mut last: Vec<u64> = self.times.values().map(|times| times.last_ms).collect();
        let middle = last.len() / 2;
        let (_, median, _) = last.select_nth_unstable(middle);
        let median = *median;
        self.times.retain(|_, times| times.last_ms > median);
    }
}

/// Also when the clock has jumped back behind it.
fn is_forgotten(times: &Times, now_ms: u64) -> bool {
    now_ms.wrapping_sub(times.last_ms) > FORGOTTEN_MS
}

#[cfg(test)]
mod tests {
    use super::{ENTRIES, FORGOTTEN_MS, Seen};

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
}
