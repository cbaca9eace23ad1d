//! Parts that cannot start, or cannot go on: what is told of them, and who goes on without.
//!
//! A house whose mirror cannot be opened takes mail all the same. Whoever would have had to know
//! that mirror's key at its start is told it later.

use crate::endings::NO_ROOM;
use crate::household::Household;
use crate::plan::Happening;
use crate::recorder::now_ms;
use crate::reports::printable;
use crate::roster::{LIVED_WELL, Member, Role, Trouble};
use std::time::{Duration, Instant};
use terms::Kind;
use wire::control::{Full, Order, Start, Unable};

/// The same is said so often to whoever reads our log.
const SAID_AGAIN: Duration = Duration::from_secs(600);
/// So a part begins to say that its files are not as it left them: no fault of a disk's.
const SOMEBODY: &str = "somebody ";
/// Of a part that neither serves nor ends.
const NOT_YET: &str = "it does not serve yet";

/// Whether somebody of this kind, told this at its start, still has a key to learn.
pub fn lacks(kind: Kind, start: &Start) -> bool {
    let shown = crate::roster::has_evidence_shown(kind);
    (matches!(kind, Kind::Edge | Kind::Dispatch | Kind::Depart) && start.statement_key.is_none())
        || ((shown || kind == Kind::Mirror) && start.ledger_key.is_none())
        || (shown && start.mirror_key.is_none())
}

impl Household {
    /// The holder of a part ended, of itself. Who never served has a reason that somebody must
    /// mend, and so has who found no room.
    pub fn note_trouble(&mut self, member: &Member, cause: &str) {
        let (is_full, is_expected) = (cause == NO_ROOM, member.dismissed || member.off_charter);
        if is_expected || self.stopping.is_some() || (member.ready && !is_full) {
            return;
        }
        let words = compartment::last_words(member.kind.word()).filter(|_| !member.ready);
        let ready = member.ready;
        let Some(part) = self.part_mut(member.kind) else { return };
        // Its words may come a moment after its end.
        let before = part.trouble.as_ref().filter(|old| !old.is_full).map(|old| old.why.clone());
        let why = words.or(before).filter(|_| !is_full).unwrap_or_else(|| cause.to_owned());
        if !ready {
            part.failed();
        }
        let why = printable(reason(member.kind, &why));
        let is_news = part.trouble.as_ref().is_none_or(|old| old.why != why);
        part.trouble_is(&why, is_full);
        if is_news && why.starts_with(SOMEBODY) {
            self.raise_alarm(member.instance, member.kind, member.pid, "report", &why, None);
        }
    }

    /// What stands in the way of whom is told, and forgotten when it is over.
    pub fn look_at_troubles(&mut self, now: Instant) {
        let mut told = Vec::new();
        for part in &mut self.parts {
            let kind = part.kind;
            let holder = part.holder.and_then(|holder| self.members.get(&holder));
            let lives = holder.is_some_and(|one| one.ready && one.born_at.elapsed() >= LIVED_WELL);
            if part.trouble.as_ref().is_some_and(|trouble| trouble.is_full && lives) {
                part.trouble = None;
                told.push(Happening::Able { kind });
            }
            if part.isolation.is_some() || !part.is_given_up(now) {
                continue;
            }
            if part.trouble.is_none() {
                part.trouble_is(NOT_YET, false);
            }
            // That the disk is full is told at each end.
            let Some(trouble) = part.trouble.as_mut().filter(|trouble| !trouble.is_full) else {
                continue;
            };
            if trouble.told.is_none_or(|at| now.duration_since(at) >= SAID_AGAIN) {
                trouble.told = Some(now);
                told.push(Happening::Unable(trouble.of(kind)));
            }
        }
        told.iter().for_each(|happening| (self.plan.tell)(happening));
    }

    /// A part serves: what kept it from that is over.
    pub fn note_service(&mut self, kind: Kind) {
        let Some(part) = self.part_mut(kind) else { return };
        let was_told = part.trouble.as_ref().is_some_and(|one| one.told.is_some());
        part.serves();
        if was_told && part.trouble.is_none() {
            (self.plan.tell)(&Happening::Able { kind });
        }
    }

    /// What `admin` is told.
    pub fn unable(&self) -> Vec<Unable> {
        let here = self.parts.iter().filter(|part| part.isolation.is_none());
        here.filter_map(|part| Some(part.trouble.as_ref()?.of(part.kind))).collect()
    }

    /// Where no place is left, by the word of the gate that stands now.
    pub fn full(&self) -> Vec<Full> {
        let holder = self.parts.iter().find(|part| part.kind == Kind::Gate);
        let holder = holder.and_then(|part| part.holder);
        let told = self.full.as_ref().filter(|(gate, _)| Some(*gate) == holder);
        told.map(|(_, full)| full.clone()).unwrap_or_default()
    }

    /// Tells those who began without a key that they need.
    pub fn tell_late_keys(&mut self) {
        let keys = self.keys;
        for member in self.members.values_mut() {
            if !member.lacks_keys || member.role == Role::Zygote {
                continue;
            }
            let _ = self.hub.send(member.control, 0, &Order::Keys(keys), Vec::new());
            let mut start = Start::default();
            start.learn(keys);
            member.lacks_keys = lacks(member.kind, &start);
        }
    }
}

impl Trouble {
    fn of(&self, kind: Kind) -> Unable {
        Unable { kind, since_ms: self.since_ms, why: self.why.clone(), is_full: self.is_full }
    }
}

impl crate::roster::Part {
    pub fn trouble_is(&mut self, why: &str, is_full: bool) {
        let old = self.trouble.take();
        let since_ms = old.as_ref().map_or_else(now_ms, |old| old.since_ms);
        // Another reason is news.
        let told = old.filter(|old| old.why == why).and_then(|old| old.told);
        self.trouble = Some(Trouble { since_ms, why: why.to_owned(), is_full, told });
    }
}

/// Its last words, without its own name before them.
fn reason(kind: Kind, words: &str) -> &str {
    let named = words.strip_prefix("sekisho: ").unwrap_or(words);
    let named = named.strip_prefix("sekisho ").unwrap_or(named);
    let named = named.strip_prefix("the ").unwrap_or(named);
    let rest =
        named.strip_prefix(kind.word()).map(|rest| rest.strip_prefix(" ends").unwrap_or(rest));
    rest.and_then(|rest| rest.strip_prefix(": ")).unwrap_or(words)
}

#[cfg(test)]
mod tests {
    use super::{lacks, reason};
    use crate::roster::Part;
    use std::time::{Duration, Instant};
    use terms::Kind;
    use wire::control::{Keys, Start};

    #[test]
    fn nobody_waits_for_ever_for_who_cannot_start() {
        let now = Instant::now();
        let mut part = Part::new(Kind::Mirror);
        part.begun(now);
        assert!(!part.is_given_up(now));
        // One end may be anything.
        part.failed();
        assert!(!part.is_given_up(now));
        part.failed();
        assert!(part.is_given_up(now));
        part.serves();
        assert!(!part.is_given_up(now) && part.served);
        // Who neither ends nor serves is not waited for either.
        part.begun(now);
        assert!(part.is_given_up(now + Duration::from_secs(11)));
        part.serves();
        assert!(!part.is_given_up(now + Duration::from_secs(60)));
    }

    #[test]
    fn what_was_not_known_is_learned_once() {
        let one = Keys { statement: Some([1; 32]), ledger: Some([2; 32]), mirror: None };
        let mut start = Start::default();
        assert!([Kind::Edge, Kind::Vault, Kind::Gate].iter().all(|kind| lacks(*kind, &start)));
        assert!(!lacks(Kind::Scanner, &start) && !lacks(Kind::Names, &start));
        start.learn(one);
        assert!(!lacks(Kind::Edge, &start) && lacks(Kind::Vault, &start));
        assert!(!lacks(Kind::Mirror, &start));
        // Nobody's key is put in the place of one that is known.
        start.learn(Keys {
            statement: Some([9; 32]),
            ledger: Some([9; 32]),
            mirror: Some([3; 32]),
        });
        assert_eq!((start.statement_key, start.ledger_key), (one.statement, one.ledger));
        assert!(start.mirror_key == Some([3; 32]) && !lacks(Kind::Vault, &start));
    }

    #[test]
    fn a_reason_is_told_without_who_says_it() {
        let check = |kind, words, expected| assert_eq!(reason(kind, words), expected);
        check(Kind::Mirror, "mirror: no", "no");
        check(Kind::Vault, "sekisho vault: no", "no");
        check(Kind::Directory, "sekisho: directory ends: no: why", "no: why");
        check(Kind::Sentinel, "sekisho: the sentinel ends: no", "no");
        check(Kind::Post, "thread 'main' panicked", "thread 'main' panicked");
    }
}
