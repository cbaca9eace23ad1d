//! Out of the house: what waits for the operator's webhook and for the relay, gathered, tried
//! again, kept over a restart. Nothing here waits for anybody.

use crate::message::{Line, Message};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use wire::fetch::ToSentinel;
use wire::sentinel::Standing;

/// A storm's first moments go out together; nobody notices so short a wait.
const FIRST: Duration = Duration::from_millis(400);
/// Between two tries, doubled each time.
const LEAST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// `fetch` has ten seconds for a try, and others may be before us.
const PATIENCE: Duration = Duration::from_secs(45);
/// What nobody took for so long is given up, and the next message says so. It stands in the ledger.
const OLDEST_MS: u64 = 3 * 24 * 3_600_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Route {
    Webhook,
    Mail,
}

impl Route {
    pub const ALL: [Self; 2] = [Self::Webhook, Self::Mail];

    pub fn word(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Mail => "mail",
        }
    }
}

/// One route, and what waits for it.
pub struct Way {
    pub route: Route,
    gather: Duration,
    kept: Kept,
    tries: u32,
    not_before: Option<Instant>,
    asked: Option<(u32, Instant)>,
    sent: u64,
    last_taken_ms: Option<u64>,
    trouble: Option<String>,
    /// Since it was written last.
    has_changed: bool,
}

/// What outlives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Gathered, not yet on its way.
    pub next: Message,
    /// On its way, until it is taken: the same number each time, so that a receiver who took it
    /// and whose answer was lost knows it again.
    pub going: Option<Message>,
    pub given_up: u64,
}

impl Way {
    pub fn new(route: Route, gather: Duration, kept: Kept) -> Self {
        Self {
            route,
            gather,
            kept,
            tries: 0,
            not_before: None,
            asked: None,
            sent: 0,
            last_taken_ms: None,
            trouble: None,
            has_changed: false,
        }
    }

    /// Takes an incident down. Equal ones become one line with their number.
    pub fn take(&mut self, line: Line, now: Instant) {
        if self.kept.next.is_empty() {
            let first = now + FIRST;
            self.not_before = Some(self.not_before.map_or(first, |pause| pause.max(first)));
        }
        self.kept.next.add(line);
        self.has_changed = true;
    }

    /// What is to be sent now, under this number; nothing while a try is on its way, or a pause.
    pub fn due(&mut self, call: u32, now: Instant, now_ms: u64) -> Option<&Message> {
        if let Some((_, since)) = self.asked {
            if now.duration_since(since) < PATIENCE {
                return None;
            }
            self.failed("no answer came in time", now);
        }
        if self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        self.give_up_old(now_ms);
        if self.kept.going.is_none() && !self.kept.next.is_empty() {
            let mut message = std::mem::take(&mut self.kept.next);
            message.name(now_ms, self.kept.given_up);
            self.kept.going = Some(message);
            self.has_changed = true;
        }
        let going = self.kept.going.as_ref()?;
        self.asked = Some((call, now));
        Some(going)
    }

    fn give_up_old(&mut self, now_ms: u64) {
        let is_old = |message: &Message| now_ms.saturating_sub(message.made_ms()) >= OLDEST_MS;
        if self.kept.going.as_ref().is_some_and(is_old) {
            let lost = self.kept.going.take().map_or(0, |message| message.incidents());
            self.kept.given_up += lost;
            self.has_changed = true;
        }
    }

    /// The answer to a try. `false`: it is none of ours.
    pub fn answered(&mut self, call: u32, answer: &ToSentinel, now: Instant, now_ms: u64) -> bool {
        if self.asked.is_none_or(|(asked, _)| asked != call) {
            return false;
        }
        match answer.is_taken {
            true => self.taken(now, now_ms),
            false => self.failed(&answer.said, now),
        }
        true
    }

    fn taken(&mut self, now: Instant, now_ms: u64) {
        self.kept.going = None;
        self.kept.given_up = 0;
        (self.asked, self.tries, self.trouble) = (None, 0, None);
        self.sent += 1;
        self.last_taken_ms = Some(now_ms);
        // What follows belongs to the same storm, and is told in one.
        self.not_before = Some(now + self.gather);
        self.has_changed = true;
    }

    fn failed(&mut self, why: &str, now: Instant) {
        self.asked = None;
        let pause = LEAST_PAUSE.saturating_mul(1u32 << self.tries.min(16)).min(LONGEST_PAUSE);
        self.tries = self.tries.saturating_add(1);
        self.not_before = Some(now + pause);
        self.trouble = Some(why.to_owned());
    }

    /// Nobody carries it now: tried again when somebody does.
    pub fn lost(&mut self, now: Instant) {
        if self.asked.is_some() {
            self.failed("fetch is away", now);
        }
    }

    /// What there is to keep, if it is not what was kept last.
    pub fn changed(&mut self) -> Option<Kept> {
        std::mem::take(&mut self.has_changed).then(|| self.kept.clone())
    }

    pub fn standing(&self) -> Standing {
        let going = self.kept.going.as_ref().map_or(0, Message::incidents);
        Standing {
            route: self.route.word().to_owned(),
            waiting: going + self.kept.next.incidents(),
            given_up: self.kept.given_up,
            sent: self.sent,
            last_taken_ms: self.last_taken_ms,
            trouble: self.trouble.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kept, Route, Way};
    use crate::message::Line;
    use std::time::{Duration, Instant};
    use terms::{InstanceId, Kind};
    use vigil::{Cause, Incident};
    use wire::fetch::ToSentinel;

    const GATHER: Duration = Duration::from_secs(30);

    fn way() -> Way {
        Way::new(Route::Webhook, GATHER, Kept::default())
    }

    fn crash(of: u8) -> Incident {
        Incident::new(Cause::Crash, "signal 11").of(InstanceId([of; 6]), Kind::Edge)
    }

    fn said(is_taken: bool) -> ToSentinel {
        ToSentinel { is_taken, said: "HTTP 500".to_owned() }
    }

    #[test]
    fn a_storm_is_one_message_and_one_more_with_what_followed() {
        let (mut way, now) = (way(), Instant::now());
        for number in 0..200 {
            way.take(Line::of(&crash(number), 1_000 + u64::from(number)), now);
        }
        assert!(way.due(1, now, 2_000).is_none(), "the first moments are gathered");
        let soon = now + Duration::from_millis(500);
        let first = way.due(1, soon, 2_000).unwrap();
        assert_eq!((first.incidents(), first.lines().len()), (200, 1));
        for number in 0..50 {
            way.take(Line::of(&crash(number), 3_000), soon);
        }
        assert!(way.due(2, soon, 3_000).is_none(), "one at a time");
        assert!(way.answered(1, &said(true), soon, 3_000));
        assert!(way.due(3, soon + GATHER / 2, 3_000).is_none());
        assert_eq!(way.due(4, soon + GATHER, 3_000).unwrap().incidents(), 50);
    }

    #[test]
    fn who_is_away_is_asked_again_with_longer_pauses_and_the_same_number() {
        let (mut way, mut now) = (way(), Instant::now());
        way.take(Line::of(&crash(1), 1), now);
        let mut pauses = Vec::new();
        let mut id = None;
        now += Duration::from_secs(1);
        for call in 1..=12 {
            let found = way.due(call, now, 1_000).unwrap().id().to_owned();
            assert_eq!(*id.get_or_insert(found.clone()), found);
            assert!(way.answered(call, &said(false), now, 1_000));
            let begun = now;
            while way.not_before.is_some_and(|at| now < at) {
                now += Duration::from_secs(1);
            }
            pauses.push((now - begun).as_secs());
            // Whatever happens meanwhile does not shorten the pause.
            way.take(Line::of(&crash(2), 2), begun);
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]);
        assert_eq!(way.standing().trouble.as_deref(), Some("HTTP 500"));
        assert_eq!(way.standing().waiting, 13);
    }

    #[test]
    fn what_waits_is_bounded_and_outlives_a_restart() {
        let (mut way, now) = (way(), Instant::now());
        for number in 0..5_000u32 {
            let what = format!("{number}");
            way.take(Line::of(&Incident::new(Cause::Rule, what), 1), now);
        }
        let kept = way.changed().unwrap();
        assert!(postcard::to_stdvec(&kept).unwrap().len() < 32 * 1024);
        assert!(way.changed().is_none());
        let mut again = Way::new(Route::Webhook, GATHER, kept);
        assert_eq!(again.due(1, now, 5).unwrap().incidents(), 5_000);
    }

    #[test]
    fn what_is_too_old_is_given_up_and_said() {
        let (mut way, now) = (way(), Instant::now());
        way.take(Line::of(&crash(1), 1), now);
        let now = now + Duration::from_secs(1);
        assert!(way.due(1, now, 10).is_some());
        way.answered(1, &said(false), now, 10);
        way.take(Line::of(&crash(2), 20), now);
        let later = now + Duration::from_secs(600);
        let next = way.due(2, later, 4 * 24 * 3_600_000).unwrap();
        assert_eq!((next.incidents(), next.given_up()), (1, 1));
    }
}
