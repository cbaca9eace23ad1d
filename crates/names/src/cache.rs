//! Answers remembered until their time is up, never more than a fixed number.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};
use wire::names::{Answer, Outcome, Question};

/// Answers kept: at most some 60 MB, since one answer may hold [`CACHED_OCTETS`].
const ANSWERS: usize = 20_000;
/// A larger answer is passed on but not kept.
const CACHED_OCTETS: usize = 3_000;
/// However long the owner says, an answer is asked for again after a day.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);
/// RFC 2308 §5: "does not exist" is believed for at most this long.
const LONGEST_NEGATIVE: Duration = Duration::from_secs(3_600);
/// RFC 9520 §3.2: a failure is remembered for at least a second, so that a broken domain does
/// not multiply questions.
const FAILURE: Duration = Duration::from_secs(1);

struct Kept {
    answer: Answer,
    until: Instant,
    /// Tells this entry from an older one of the same question in `order`.
    number: u64,
}

#[derive(Default)]
pub struct Cache {
    kept: HashMap<Question, Kept>,
    order: VecDeque<(u64, Question)>,
    last_number: u64,
}

impl Cache {
    pub fn find(&self, question: &Question, now: Instant) -> Option<Answer> {
        let kept = self.kept.get(question).filter(|kept| kept.until > now)?;
        let mut answer = kept.answer.clone();
        let left = kept.until.saturating_duration_since(now).as_secs();
        answer.ttl_seconds = answer.ttl_seconds.min(u32::try_from(left).unwrap_or(u32::MAX));
        Some(answer)
    }

    pub fn keep(&mut self, question: Question, answer: Answer, now: Instant) {
        let told = Duration::from_secs(u64::from(answer.ttl_seconds));
        let time = match &answer.outcome {
            Outcome::Records(_) => told.min(LONGEST),
            Outcome::NoRecords | Outcome::NoSuchName => told.min(LONGEST_NEGATIVE),
            Outcome::Failed | Outcome::Unanswered => FAILURE,
        };
        if time.is_zero() || octets(&answer) > CACHED_OCTETS {
            return;
        }
        while self.order.len() >= ANSWERS {
            self.forget_oldest();
        }
        self.last_number += 1;
        let number = self.last_number;
        self.order.push_back((number, question.clone()));
        self.kept.insert(question, Kept { answer, until: now + time, number });
    }

    fn forget_oldest(&mut self) {
        let Some((number, question)) = self.order.pop_front() else { return };
        if self.kept.get(&question).is_some_and(|kept| kept.number == number) {
            self.kept.remove(&question);
        }
    }
}

fn octets(answer: &Answer) -> usize {
    use wire::names::Record;
    let Outcome::Records(records) = &answer.outcome else { return 0 };
    let sizes = records.iter().map(|record| match record {
        Record::A(_) | Record::Aaaa(_) => 32,
        Record::Mx { host, .. } | Record::Ptr(host) => 32 + host.len(),
        Record::Srv { host, .. } => 32 + host.len(),
        Record::Txt(text) | Record::Tlsa { data: text, .. } => 32 + text.len(),
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::{ANSWERS, Cache};
    use std::time::{Duration, Instant};
    use wire::names::{Answer, Outcome, Question, RecordKind, Security};

    fn question(name: String) -> Question {
        Question { name, kind: RecordKind::A }
    }

    fn answer(outcome: Outcome, ttl_seconds: u32) -> Answer {
        Answer { outcome, security: Security::Insecure, ttl_seconds }
    }

    #[test]
    fn answers_live_as_long_as_they_may() {
        let start = Instant::now();
        let check = |outcome: Outcome, ttl: u32, after: u64, found: bool| {
            let mut cache = Cache::default();
            cache.keep(question("a.example".into()), answer(outcome, ttl), start);
            let later = start + Duration::from_secs(after);
            let kept = cache.find(&question("a.example".into()), later);
            assert_eq!(kept.is_some(), found, "ttl {ttl} after {after}");
            assert!(kept.is_none_or(|kept| u64::from(kept.ttl_seconds) + after <= u64::from(ttl)));
        };
        check(Outcome::Records(Vec::new()), 60, 59, true);
        check(Outcome::Records(Vec::new()), 60, 60, false);
        check(Outcome::Records(Vec::new()), 0, 0, false);
        check(Outcome::Records(Vec::new()), u32::MAX, 86_401, false);
        check(Outcome::NoSuchName, 1_000_000, 3_601, false);
        check(Outcome::NoRecords, 10, 9, true);
    }

    #[test]
    fn the_oldest_make_room() {
        let now = Instant::now();
        let mut cache = Cache::default();
        for number in 0..ANSWERS + 10 {
            cache.keep(question(number.to_string()), answer(Outcome::NoSuchName, 60), now);
        }
        assert_eq!((cache.kept.len(), cache.order.len()), (ANSWERS, ANSWERS));
        assert!(cache.find(&question("9".into()), now).is_none());
        assert!(cache.find(&question("10".into()), now).is_some());
        for _ in 0..3 * ANSWERS {
            cache.keep(question("same".into()), answer(Outcome::NoSuchName, 60), now);
        }
        assert!(cache.order.len() <= ANSWERS && cache.kept.len() <= ANSWERS);
        assert!(cache.find(&question("same".into()), now).is_some());
    }
}
