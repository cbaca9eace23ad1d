//! How much one compartment may say that must be written down: whoever owns one shall not drown
//! what others say, nor fill the ledger's disk.

use std::collections::HashMap;
use std::time::{Duration, Instant};
use terms::InstanceId;

/// Alarms and notes of one compartment that are written down in [`SPAN`]: many times what any has
/// cause for.
const WORDS: u32 = 120;
const SPAN: Duration = Duration::from_secs(60);
/// Alarms of one compartment that the sentinel is told in [`TOLD_SPAN`]. It folds what is alike.
const TOLD: u32 = 30;
const TOLD_SPAN: Duration = Duration::from_secs(1);
/// Compartments after which those that have long been silent are forgotten.
const SPEAKERS: usize = 4_096;

/// What is done with one more word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    Heard,
    /// The first too many: this is said of the speaker, once in a span.
    TooMuch,
    Ignored,
}

pub struct Earshot {
    speakers: HashMap<InstanceId, (Instant, u32)>,
    words: u32,
    span: Duration,
}

impl Default for Earshot {
    fn default() -> Self {
        Self { speakers: HashMap::new(), words: WORDS, span: SPAN }
    }
}

impl Earshot {
    /// For what the sentinel is told.
    pub fn of_the_sentinel() -> Self {
        Self { words: TOLD, span: TOLD_SPAN, ..Self::default() }
    }

    pub fn hear(&mut self, speaker: InstanceId, now: Instant) -> Hearing {
        if self.speakers.len() >= SPEAKERS {
            self.speakers.retain(|_, (since, _)| now.duration_since(*since) < self.span);
        }
        let (since, words) = self.speakers.entry(speaker).or_insert((now, 0));
        if now.duration_since(*since) >= self.span {
            (*since, *words) = (now, 0);
        }
        *words = words.saturating_add(1);
        match *words {
            said if said <= self.words => Hearing::Heard,
            said if said == self.words + 1 => Hearing::TooMuch,
            _ => Hearing::Ignored,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Earshot, Hearing, SPAN, WORDS};
    use std::time::Instant;
    use terms::InstanceId;

    #[test]
    fn a_loud_one_is_heard_so_often_in_a_span_and_no_other_suffers() {
        let (mut earshot, now) = (Earshot::default(), Instant::now());
        let (loud, other) = (InstanceId([1; 6]), InstanceId([2; 6]));
        assert!((0..WORDS).all(|_| earshot.hear(loud, now) == Hearing::Heard));
        assert_eq!(earshot.hear(loud, now), Hearing::TooMuch);
        assert!((0..1_000_000).all(|_| earshot.hear(loud, now) == Hearing::Ignored));
        assert_eq!(earshot.hear(other, now), Hearing::Heard);
        assert_eq!(earshot.hear(loud, now + SPAN), Hearing::Heard);
    }
}
