//! How many recipients each sender has had lately: ten-minute counts over a day.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use terms::UserId;
use wire::post::Limits;

const STEP_SECONDS: u32 = 600;
const STEPS: u32 = 24 * 6;
/// Ten minutes may lie in two steps: both count, so that a limit is never exceeded.
const TEN_MINUTES: u32 = 2;

/// Counts by (ten minutes, recipients), oldest first; those older than a day are dropped when the
/// sender is counted again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Senders(HashMap<UserId, Vec<(u32, u32)>>);

impl Senders {
    pub fn count(&mut self, user: UserId, recipients: u32, now: u32) {
        let step = now / STEP_SECONDS;
        let counts = self.0.entry(user).or_default();
        counts.retain(|(at, _)| at + STEPS > step);
        match counts.last_mut() {
            Some((at, count)) if *at == step => *count = count.saturating_add(recipients),
            _ => counts.push((step, recipients)),
        }
    }

    /// `None`: so many more are within the limits. Else: seconds until they could be.
    pub fn wait(&self, user: UserId, recipients: u32, limits: Limits, now: u32) -> Option<u32> {
        let step = now / STEP_SECONDS;
        let counts = self.0.get(&user).map_or(&[] as &[_], Vec::as_slice);
        if recipients.saturating_add(lately(counts, TEN_MINUTES, step)) > limits.in_ten_minutes {
            return Some((step + 1) * STEP_SECONDS - now);
        }
        if recipients.saturating_add(lately(counts, STEPS, step)) > limits.in_a_day {
            let oldest = counts.iter().find(|(at, _)| at + STEPS > step);
            let free_at = oldest.map_or(step + 1, |(at, _)| at + STEPS);
            return Some((free_at * STEP_SECONDS).saturating_sub(now).max(1));
        }
        None
    }

    /// So many, and no more, are within the limits.
    pub fn room(&self, user: UserId, limits: Limits, now: u32) -> u32 {
        let step = now / STEP_SECONDS;
        let counts = self.0.get(&user).map_or(&[] as &[_], Vec::as_slice);
        let soon = limits.in_ten_minutes.saturating_sub(lately(counts, TEN_MINUTES, step));
        soon.min(limits.in_a_day.saturating_sub(lately(counts, STEPS, step)))
    }

    /// Recipients of the last hour.
    pub fn in_an_hour(&self, user: UserId, now: u32) -> u32 {
        let counts = self.0.get(&user).map_or(&[] as &[_], Vec::as_slice);
        lately(counts, 6, now / STEP_SECONDS)
    }

    pub fn forget(&mut self, user: UserId) {
        self.0.remove(&user);
    }

    /// Forgets those who have sent nothing for a day.
    pub fn forget_quiet(&mut self, now: u32) {
        let step = now / STEP_SECONDS;
        self.0.retain(|_, counts| counts.last().is_some_and(|(at, _)| at + STEPS > step));
    }
}

/// Recipients of the last so many steps.
fn lately(counts: &[(u32, u32)], steps: u32, step: u32) -> u32 {
    let lately = counts.iter().filter(|(at, _)| at + steps > step);
    lately.fold(0, |sum, (_, count)| sum.saturating_add(*count))
}

#[cfg(test)]
mod tests {
    use super::Senders;
    use terms::UserId;
    use wire::post::Limits;

    const LIMITS: Limits = Limits { in_ten_minutes: 600, in_a_day: 10_000 };
    const ANN: UserId = UserId([1; 8]);

    #[test]
    fn ten_minutes_and_a_day_are_limited() {
        let mut senders = Senders::default();
        let check = |senders: &Senders, recipients: u32, now: u32, expected: Option<u32>| {
            assert_eq!(senders.wait(ANN, recipients, LIMITS, now), expected, "{recipients} {now}");
            // What there is room for is what may be sent, and one more is not.
            let room = senders.room(ANN, LIMITS, now);
            assert_eq!(recipients <= room, expected.is_none(), "{recipients} {now}: {room}");
            assert!(room == 0 || senders.wait(ANN, room, LIMITS, now).is_none(), "{room}");
            assert!(senders.wait(ANN, room + 1, LIMITS, now).is_some(), "{room}");
        };
        check(&senders, 600, 0, None);
        check(&senders, 601, 0, Some(600));
        senders.count(ANN, 600, 10);
        check(&senders, 1, 10, Some(590));
        check(&senders, 1, 700, Some(500));
        check(&senders, 600, 1_200, None);
        for hour in 1..16 {
            senders.count(ANN, 600, hour * 3_600);
        }
        senders.count(ANN, 400, 16 * 3_600);
        check(&senders, 1, 18 * 3_600, Some(6 * 3_600));
        check(&senders, 1, 24 * 3_600 + 600, None);
        assert_eq!(senders.wait(UserId([2; 8]), 1, LIMITS, 16 * 3_600), None);
    }

    #[test]
    fn who_is_quiet_is_forgotten() {
        let mut senders = Senders::default();
        senders.count(ANN, 3, 0);
        senders.forget_quiet(23 * 3_600);
        assert_ne!(senders, Senders::default());
        senders.forget_quiet(25 * 3_600);
        assert_eq!(senders, Senders::default());
    }
}
