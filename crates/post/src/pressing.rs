//! Who has reached a limit on recipients and presses on: the takeover brake's rate. One message of
//! theirs is taken and held, so that the person can be asked about it; the rest is turned away, as
//! before. In memory: after a restart it begins anew.

use std::collections::HashMap;
use terms::UserId;

/// Attempts that a limit turned away before one is taken to ask about: a mail program with a few
/// letters behind one another, or one that tries again, is no thief.
const ATTEMPTS: u32 = 3;
/// An episode, from the first attempt or, once somebody was asked, from then: nobody is asked more
/// often than this, and who does not answer is kept from sending no longer.
const EPISODE_SECONDS: u32 = 3_600;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Counting(u32),
    /// A message waits, and the person's word for it.
    Asked,
    /// It was released: they press on, and it is them. Or it is a server, which nobody can ask.
    Answered,
}

struct Episode {
    since_s: u32,
    stage: Stage,
}

#[derive(Default)]
pub struct Pressing(HashMap<UserId, Episode>);

impl Pressing {
    fn current(&mut self, user: UserId, now: u32) -> &mut Episode {
        let fresh = || Episode { since_s: now, stage: Stage::Counting(0) };
        let episode = self.0.entry(user).or_insert_with(fresh);
        if is_over(episode, now) {
            *episode = fresh();
        }
        episode
    }

    /// A limit turns away one more attempt. Whether it is one to be taken and asked about.
    pub fn presses(&mut self, user: UserId, now: u32) -> bool {
        let episode = self.current(user, now);
        let Stage::Counting(before) = &mut episode.stage else { return false };
        *before = before.saturating_add(1);
        *before > ATTEMPTS
    }

    /// A message of theirs waits for somebody's word; if they press on, it is the one.
    pub fn holds(&mut self, user: UserId, now: u32) {
        let episode = self.0.get_mut(&user).filter(|episode| !is_over(episode, now));
        if let Some(episode) = episode
            && matches!(episode.stage, Stage::Counting(many) if many > ATTEMPTS)
        {
            *episode = Episode { since_s: now, stage: Stage::Asked };
        }
    }

    /// Somebody let a held message of theirs go: whoever writes, it is them.
    pub fn answered(&mut self, user: UserId) {
        if let Some(episode) = self.0.get_mut(&user) {
            episode.stage = Stage::Answered;
        }
    }

    /// Seconds for which nothing of theirs is taken, for nobody has answered yet.
    pub fn wait(&self, user: UserId, now: u32) -> Option<u32> {
        let episode = self.0.get(&user).filter(|episode| episode.stage == Stage::Asked)?;
        let until = episode.since_s.saturating_add(EPISODE_SECONDS);
        Some(until.saturating_sub(now)).filter(|left| *left > 0)
    }

    pub fn forget(&mut self, user: UserId) {
        self.0.remove(&user);
    }

    pub fn forget_quiet(&mut self, now: u32) {
        self.0.retain(|_, episode| !is_over(episode, now));
    }
}

fn is_over(episode: &Episode, now: u32) -> bool {
    now.saturating_sub(episode.since_s) >= EPISODE_SECONDS
}

#[cfg(test)]
mod tests {
    use super::{ATTEMPTS, EPISODE_SECONDS, Pressing};
    use terms::UserId;

    const ANN: UserId = UserId([1; 8]);
    const BEN: UserId = UserId([2; 8]);

    #[test]
    fn who_presses_on_is_asked_once_an_episode() {
        let mut pressing = Pressing::default();
        (0..ATTEMPTS).for_each(|_| assert!(!pressing.presses(ANN, 10)));
        // Held for something else, before they press on: nothing is asked for this.
        pressing.holds(BEN, 10);
        assert!(!pressing.presses(BEN, 10) && pressing.wait(BEN, 10).is_none());
        // Until one is held: a client may go away in the middle of its text.
        assert!(pressing.presses(ANN, 20) && pressing.presses(ANN, 30));
        assert_eq!(pressing.wait(ANN, 30), None);
        pressing.holds(ANN, 40);
        assert!(!pressing.presses(ANN, 50));
        assert_eq!(pressing.wait(ANN, 50), Some(EPISODE_SECONDS - 10));
        // An hour without an answer: they may send, and are asked again if they press on again.
        let later = 40 + EPISODE_SECONDS;
        assert_eq!(pressing.wait(ANN, later), None);
        (0..ATTEMPTS).for_each(|_| assert!(!pressing.presses(ANN, later)));
        assert!(pressing.presses(ANN, later));
        pressing.forget_quiet(later + EPISODE_SECONDS);
        assert!(pressing.0.is_empty());
    }

    #[test]
    fn whose_word_it_was_is_not_asked_again() {
        let mut pressing = Pressing::default();
        (0..ATTEMPTS).for_each(|_| assert!(!pressing.presses(ANN, 0)));
        assert!(pressing.presses(ANN, 0));
        pressing.holds(ANN, 0);
        pressing.answered(ANN);
        assert_eq!(pressing.wait(ANN, 1), None);
        assert!((0..100).all(|_| !pressing.presses(ANN, 1)));
    }
}
