//! How many recipients each sender has had lately: counts by the minute over a day.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use terms::UserId;
use wire::post::Limits;

const STEP_SECONDS: u32 = 60;
/// Ten minutes lie in eleven steps, of which the first and the last are begun: all count, so that
/// in no ten minutes more than the limit leave. The same of a day.
const TEN_MINUTES: u32 = 11;
const DAY: u32 = 24 * 60 + 1;
/// Steps older than ten minutes are put together by so many.
const COARSE: u32 = 10;

/// Counts by (minute, recipients), oldest first; those older than a day are dropped when the sender
/// is counted again. What is older than ten minutes counts from the last of its ten minutes, which
/// keeps it a little too long and never too short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Senders(HashMap<UserId, Vec<(u32, u32)>>);

impl Senders {
    pub fn count(&mut self, user: UserId, recipients: u32, now: u32) {
        let step = now / STEP_SECONDS;
        let counts = self.0.entry(user).or_default();
        counts.retain(|(at, _)| at + DAY > step);
        for (at, _) in counts.iter_mut() {
            let last = *at / COARSE * COARSE + (COARSE - 1);
            if last + TEN_MINUTES <= step {
                *at = last;
            }
        }
        counts.dedup_by(|later, kept| {
            let is_same = later.0 == kept.0;
            kept.1 = kept.1.saturating_add(if is_same { later.1 } else { 0 });
            is_same
        });
        match counts.last_mut() {
            Some((at, count)) if *at == step => *count = count.saturating_add(recipients),
            _ => counts.push((step, recipients)),
        }
    }

    /// `None`: so many more are within the limits. Else: after so many seconds they are, if nothing
    /// else leaves meanwhile.
    pub fn wait(&self, user: UserId, recipients: u32, limits: Limits, now: u32) -> Option<u32> {
        let counts = self.0.get(&user).map_or(&[] as &[_], Vec::as_slice);
        let soon = wait_for(counts, recipients, (limits.in_ten_minutes, TEN_MINUTES), now);
        soon.max(wait_for(counts, recipients, (limits.in_a_day, DAY), now))
    }

    /// So many, and no more, are within the limits.
    pub fn room(&self, user: UserId, limits: Limits, now: u32) -> u32 {
        let step = now / STEP_SECONDS;
        let counts = self.0.get(&user).map_or(&[] as &[_], Vec::as_slice);
        let soon = limits.in_ten_minutes.saturating_sub(lately(counts, TEN_MINUTES, step));
        soon.min(limits.in_a_day.saturating_sub(lately(counts, DAY, step)))
    }

    /// Recipients of the last hour.
    pub fn in_an_hour(&self, user: UserId, now: u32) -> u32 {
        let counts = self.0.get(&user).map_or(&[] as &[_], Vec::as_slice);
        lately(counts, 60, now / STEP_SECONDS)
    }

    pub fn forget(&mut self, user: UserId) {
        self.0.remove(&user);
    }

    /// Forgets those who have sent nothing for a day.
    pub fn forget_quiet(&mut self, now: u32) {
        let step = now / STEP_SECONDS;
        self.0.retain(|_, counts| counts.last().is_some_and(|(at, _)| at + DAY > step));
    }
}

/// Seconds until so many steps before them leave room for so many more; one that is larger than the
/// limit by itself is told to wait for as long as a step can count.
fn wait_for(
    counts: &[(u32, u32)],
    recipients: u32,
    (limit, steps): (u32, u32),
    now: u32,
) -> Option<u32> {
    let step = now / STEP_SECONDS;
    let mut left = recipients.saturating_add(lately(counts, steps, step));
    let mut free_at = step + steps;
    for (at, count) in counts.iter().filter(|(at, _)| at + steps > step) {
        if left <= limit {
            break;
        }
        left = left.saturating_sub(*count);
        free_at = at + steps;
    }
    let is_over = recipients.saturating_add(lately(counts, steps, step)) > limit;
    is_over.then(|| (free_at * STEP_SECONDS).saturating_sub(now).max(1))
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
        check(&senders, 601, 0, Some(660));
        senders.count(ANN, 600, 10);
        check(&senders, 1, 10, Some(650));
        check(&senders, 1, 609, Some(51));
        check(&senders, 600, 660, None);
        for hour in 1..16 {
            senders.count(ANN, 600, hour * 3_600);
        }
        senders.count(ANN, 400, 16 * 3_600);
        // The first ones count from the end of their ten minutes.
        check(&senders, 1, 18 * 3_600, Some(6 * 3_600 + 600));
        check(&senders, 1, 24 * 3_600 + 600, None);
        assert_eq!(senders.wait(UserId([2; 8]), 1, LIMITS, 16 * 3_600), None);
    }

    /// Whenever and however they hand in: in no ten minutes more than the limit leave, who waits as
    /// long as they were told is let in, and nobody waits much longer than ten minutes.
    #[test]
    fn no_ten_minutes_have_more_and_the_wait_is_enough() {
        let (mut senders, mut sent) = (Senders::default(), Vec::<(u32, u32)>::new());
        let (mut now, mut chance) = (590, 7_u32);
        let limits = Limits { in_a_day: u32::MAX, ..LIMITS };
        for _ in 0..2_000 {
            chance = chance.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            now += chance >> 16 & 63;
            let many = 1 + (chance >> 8) % 300;
            if let Some(wait) = senders.wait(ANN, many, limits, now) {
                assert!(wait <= 660, "{wait}");
                now += wait;
                assert_eq!(senders.wait(ANN, many, limits, now), None, "after {wait}");
            }
            senders.count(ANN, many, now);
            sent.push((now, many));
            let lately = sent.iter().filter(|(at, _)| at + 600 > now);
            assert!(lately.map(|(_, many)| many).sum::<u32>() <= 600);
        }
        assert!(senders.0.values().all(|counts| counts.len() <= 24 * 6 + 22), "put together");
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
