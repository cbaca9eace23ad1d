//! Whether the kernel ends processes because memory is short: it sends what a stranger with rights
//! on the host would send.

use std::time::{Duration, Instant};

const COUNTS: &str = "/proc/vmstat";
/// So long after the kernel ended somebody, an end of ours may have been its doing, too: several
/// are ended at once, and we see them one by one.
const LATELY: Duration = Duration::from_secs(60);

/// What the kernel counts.
pub struct Shortage {
    seen: Option<u64>,
    rose: Option<Instant>,
}

impl Shortage {
    pub fn begin() -> Self {
        Self { seen: read(), rose: None }
    }

    /// Whether it surely ended nobody for want of memory lately. Where it does not say, nobody is
    /// accused.
    pub fn is_none_lately(&mut self, now: Instant) -> bool {
        self.weigh(read(), now)
    }

    fn weigh(&mut self, counted: Option<u64>, now: Instant) -> bool {
        if counted > self.seen {
            self.rose = Some(now);
        }
        self.seen = counted;
        let is_late = |rose: Instant| now.saturating_duration_since(rose) >= LATELY;
        counted.is_some() && self.rose.is_none_or(is_late)
    }
}

fn read() -> Option<u64> {
    ended_in(&std::fs::read_to_string(COUNTS).ok()?)
}

fn ended_in(text: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix("oom_kill "))
        .and_then(|count| count.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::{LATELY, Shortage, ended_in};
    use std::time::{Duration, Instant};

    #[test]
    fn who_ends_for_want_of_memory_was_ended_by_nobody() {
        assert_eq!(ended_in("nr_free_pages 7\noom_kill 3\noom_killed 9\n"), Some(3));
        assert_eq!(ended_in("nr_free_pages 7\n"), None);
        let (mut shortage, now) = (Shortage { seen: Some(3), rose: None }, Instant::now());
        let mut check = |counted, after: Duration, expected| {
            assert_eq!(shortage.weigh(counted, now + after), expected, "{counted:?} {after:?}");
        };
        check(Some(3), Duration::ZERO, true);
        check(Some(5), Duration::ZERO, false);
        // The second of the two that the kernel ended.
        check(Some(5), Duration::from_secs(1), false);
        check(Some(5), LATELY, true);
        check(None, LATELY, false);
    }
}
