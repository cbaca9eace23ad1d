//! How much of what somebody sent has come back lately, and how often readers complained: who
//! writes to a list of strangers writes to many that do not exist, and to some who say so. In
//! memory; after a restart it begins anew.

use std::collections::HashMap;
use terms::UserId;

const STEP_SECONDS: u32 = 600;
/// An hour.
const STEPS: u32 = 6;
/// Recipients that nobody has at their place, in an hour: a list that has grown old has some.
const MANY: u32 = 50;
/// And at least one of so many that were written to.
const ONE_OF: u32 = 4;
/// A reader who complains is worth so many who are not there: of those who do not want a message
/// few say so.
const COMPLAINT: u32 = 10;

#[derive(Default)]
pub struct Returns(HashMap<UserId, Vec<(u32, u32)>>);

impl Returns {
    pub fn count(&mut self, user: UserId, recipients: u32, now: u32) {
        let step = now / STEP_SECONDS;
        let counts = self.0.entry(user).or_default();
        counts.retain(|(at, _)| at + STEPS > step);
        match counts.last_mut() {
            Some((at, count)) if *at == step => *count = count.saturating_add(recipients),
            _ => counts.push((step, recipients)),
        }
    }

    /// A reader complained about mail of theirs.
    pub fn complained(&mut self, user: UserId, now: u32) {
        self.count(user, COMPLAINT, now);
    }

    /// Whether so much came back, of so many recipients in the last hour, that somebody has to
    /// look at what comes next.
    pub fn are_many(&self, user: UserId, sent: u32, now: u32) -> bool {
        let step = now / STEP_SECONDS;
        let counts = self.0.get(&user).map_or(&[] as &[_], Vec::as_slice);
        let lately = counts.iter().filter(|(at, _)| at + STEPS > step);
        let returned = lately.fold(0u32, |sum, (_, count)| sum.saturating_add(*count));
        returned >= MANY && returned.saturating_mul(ONE_OF) >= sent
    }

    pub fn forget(&mut self, user: UserId) {
        self.0.remove(&user);
    }

    /// Forgets those to whom nothing came back for an hour.
    pub fn forget_quiet(&mut self, now: u32) {
        let step = now / STEP_SECONDS;
        self.0.retain(|_, counts| counts.last().is_some_and(|(at, _)| at + STEPS > step));
    }
}

#[cfg(test)]
mod tests {
    use super::Returns;
    use terms::UserId;

    #[test]
    fn many_and_a_large_part_within_an_hour() {
        let ann = UserId([1; 8]);
        let mut returns = Returns::default();
        let check = |returns: &Returns, sent: u32, now: u32, expected: bool| {
            assert_eq!(returns.are_many(ann, sent, now), expected, "{sent} {now}");
        };
        check(&returns, 0, 0, false);
        returns.count(ann, 49, 0);
        check(&returns, 49, 0, false);
        returns.count(ann, 1, 700);
        check(&returns, 200, 700, true);
        check(&returns, 201, 700, false);
        check(&returns, 50, 3_599, true);
        check(&returns, 50, 3_600, false);
        assert!(!returns.are_many(UserId([2; 8]), 0, 700));
        let ben = UserId([2; 8]);
        (0..4).for_each(|_| returns.complained(ben, 0));
        assert!(!returns.are_many(ben, 40, 0));
        returns.complained(ben, 0);
        assert!(returns.are_many(ben, 200, 0) && !returns.are_many(ben, 201, 0));
        returns.forget_quiet(4_199);
        assert_eq!(returns.0.len(), 1);
        returns.forget_quiet(4_200);
        assert!(returns.0.is_empty());
    }
}
