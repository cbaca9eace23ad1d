//! Instances of one kind: which are idle, who waits for one, and when more are needed.

use crate::doors::Caller;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wire::Peer;

/// Idle instances kept ready: a connection costs no birth, and a burst of this size waits for none.
const IDLE: usize = 4;
/// Connections that wait for an instance while more are born (some milliseconds each).
const WAITING: usize = 512;
/// Waiting longer than this means that no more are born: better said than suffered.
const WAIT_LIMIT: Duration = Duration::from_secs(15);
/// Where nobody is idle, who was turned away so lately is a sign that others will be, too.
const REFUSED: Duration = Duration::from_secs(10);
/// Fewer free places than this are taken again at once by those who wait outside.
const FEW: usize = 64;
/// What was asked for and has not come by then is asked for again.
const BIRTH_LIMIT: Duration = Duration::from_secs(2);
/// The warden grants at most so many at once.
const NEED: usize = 256;

/// Instances of one kind at once, so that a flood of connections stays a flood of connections.
pub const INSTANCES: usize = 2_000;

/// Idle instances above twice the usual leave after this long: a burst is over by then, and its
/// descriptors and memory are wanted elsewhere.
const SURPLUS_LIMIT: Duration = Duration::from_secs(10);
/// How many leave in one round, so that a second burst finds most of them still there.
const LEAVING: usize = 8;

pub struct Pool {
    idle: VecDeque<Peer>,
    waiting: VecDeque<(Caller, Instant)>,
    busy: usize,
    /// Born soon, as far as we were promised.
    expected: usize,
    asked_at: Option<Instant>,
    surplus_since: Option<Instant>,
    /// When somebody last found no place.
    refused_at: Option<Instant>,
}

impl Pool {
    /// The warden fills a new gate's pools by itself.
    pub fn new() -> Self {
        Self {
            idle: VecDeque::new(),
            waiting: VecDeque::new(),
            busy: 0,
            expected: IDLE,
            asked_at: Some(Instant::now()),
            surplus_since: None,
            refused_at: None,
        }
    }

    /// A new instance.
    pub fn born(&mut self, peer: Peer) {
        self.expected = self.expected.saturating_sub(1);
        self.idle.push_back(peer);
    }

    /// Free again, and next in turn: it remembers what was asked lately, and few instances at work
    /// are easier to wait for than many.
    pub fn freed(&mut self, peer: Peer) {
        self.busy = self.busy.saturating_sub(1);
        self.idle.push_front(peer);
    }

    /// An instance left, idle or busy.
    pub fn lost(&mut self, peer: Peer, was_busy: bool) {
        self.idle.retain(|idle| *idle != peer);
        if was_busy {
            self.busy = self.busy.saturating_sub(1);
        }
    }

    /// Lines somebody up; whoever cannot wait is given back.
    pub fn line_up(&mut self, caller: Caller, now: Instant) -> Option<Caller> {
        if self.waiting.len() >= WAITING {
            self.refuses(now);
            return Some(caller);
        }
        self.waiting.push_back((caller, now));
        None
    }

    /// The longest waiting caller and an idle instance, if there are both.
    pub fn pair_up(&mut self) -> Option<(Caller, Peer)> {
        let peer = self.idle.front().copied()?;
        let (caller, _) = self.waiting.pop_front()?;
        self.idle.pop_front();
        self.busy += 1;
        Some((caller, peer))
    }

    /// The instance was gone before the caller reached it: next, please.
    pub fn missed(&mut self, caller: Caller, now: Instant) {
        self.busy = self.busy.saturating_sub(1);
        self.first_in_line(caller, now);
    }

    pub fn first_in_line(&mut self, caller: Caller, now: Instant) {
        self.waiting.push_front((caller, now));
    }

    /// Those who have waited too long.
    pub fn tired(&mut self, now: Instant) -> Vec<Caller> {
        let mut tired = Vec::new();
        while let Some((_, since)) = self.waiting.front()
            && now.duration_since(*since) > WAIT_LIMIT
        {
            tired.extend(self.waiting.pop_front().map(|(caller, _)| caller));
            self.refuses(now);
        }
        tired
    }

    pub fn everybody_waiting(&mut self) -> Vec<Caller> {
        self.waiting.drain(..).map(|(caller, _)| caller).collect()
    }

    /// How many more instances to ask for now. A busy house keeps more of them ready.
    pub fn need(&mut self, now: Instant) -> usize {
        if self.asked_at.is_some_and(|at| now.duration_since(at) > BIRTH_LIMIT) {
            self.expected = 0;
        }
        let wanted = (IDLE + self.busy / 8 + self.waiting.len()).min(NEED);
        let coming = self.idle.len() + self.expected;
        let room = INSTANCES.saturating_sub(self.busy + coming);
        let need = wanted.saturating_sub(coming).min(room);
        if need > 0 {
            self.expected += need;
            self.asked_at = Some(now);
        }
        need
    }

    /// Idle instances that nobody has needed for a while, longest idle first; they are ours no
    /// more.
    pub fn surplus(&mut self, now: Instant) -> Vec<Peer> {
        let kept = 2 * IDLE + self.busy / 4;
        if self.idle.len() <= kept {
            self.surplus_since = None;
            return Vec::new();
        }
        let since = *self.surplus_since.get_or_insert(now);
        if now.duration_since(since) < SURPLUS_LIMIT {
            return Vec::new();
        }
        let leaving = (self.idle.len() - kept).min(LEAVING);
        self.idle.split_off(self.idle.len() - leaving).into()
    }

    pub fn refuses(&mut self, now: Instant) {
        self.refused_at = Some(now);
    }

    /// Whether no place is left: all instances serve, or too few of them are born, and others were
    /// turned away. What was full (`was_so`) is so until some are free.
    pub fn is_full(&self, now: Instant, was_so: bool) -> bool {
        let few = if was_so { FEW } else { 0 };
        let refuses = self.refused_at.is_some_and(|at| now.duration_since(at) < REFUSED);
        self.busy + few >= INSTANCES || (self.idle.is_empty() && (was_so || refuses))
    }

    pub fn is_quiet(&self) -> bool {
        self.waiting.is_empty()
    }

    #[cfg(test)]
    pub fn is_taken(&mut self) {
        self.busy += 1;
    }

    pub fn busy(&self) -> usize {
        self.busy
    }
}

#[cfg(test)]
mod tests {
    use super::{BIRTH_LIMIT, IDLE, Pool, SURPLUS_LIMIT};
    use std::time::{Duration, Instant};

    #[test]
    fn what_was_asked_for_is_not_asked_for_twice_unless_it_never_comes() {
        let begin = Instant::now();
        let mut pool = Pool::new();
        assert_eq!(pool.need(begin), 0);
        (0..IDLE as u64).for_each(|peer| pool.born(peer));
        assert_eq!(pool.need(begin), 0);
        pool.lost(0, false);
        assert_eq!(pool.need(begin), 1);
        assert_eq!(pool.need(begin), 0);
        let later = begin + BIRTH_LIMIT + Duration::from_millis(1);
        assert_eq!(pool.need(later), 1);
        pool.born(9);
        assert_eq!(pool.need(later), 0);
    }
    #[test]
    fn what_a_burst_left_behind_leaves_in_time() {
        let begin = Instant::now();
        let mut pool = Pool::new();
        (0..100).for_each(|peer| pool.born(peer));
        assert!(pool.surplus(begin).is_empty());
        let later = begin + SURPLUS_LIMIT;
        assert_eq!(pool.surplus(later), (92..100).collect::<Vec<_>>());
        (0..20).for_each(|_| drop(pool.surplus(later)));
        assert_eq!(pool.idle.len(), 2 * IDLE);
        assert_eq!(pool.need(later), 0);
    }
}
