//! What the clock brings: pauses that are over, holds that are, notices that are due.

use crate::entry::Entry;
use crate::table::{Leg, Message, Table, Telling, is_over};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use wire::post::{Errand, State};

/// So many seconds beyond two a message stand on the clock before those are looked for that
/// nothing is due at any more.
const STALE: usize = 65_536;

impl Table {
    /// What the clock has brought, and the entries to be written for it (holds that are over).
    pub fn tick(&mut self, now: u32) -> Vec<Entry> {
        if self.due.len() > 2 * self.by_id.len() + STALE {
            self.forget_stale();
        }
        while let Some(Reverse((at, slot))) = self.delayed.peek().copied()
            && at <= now
        {
            self.delayed.pop();
            let is_due = |leg: &&mut Leg| leg.state == State::Delayed && leg.until_s <= now;
            if let Some(leg) = self.leg_mut(slot).filter(|leg| is_due(&leg)) {
                leg.state = State::Ready;
                self.offer(slot);
            }
        }
        let mut entries = Vec::new();
        while let Some(Reverse((at, slot))) = self.due.peek().copied()
            && at <= now
        {
            self.due.pop();
            self.message_due(slot, now, &mut entries);
        }
        entries
    }

    /// What left long before its time has left its seconds behind: at a thousand letters a second
    /// fourteen million of them within four hours.
    fn forget_stale(&mut self) {
        let mut due = std::mem::take(&mut self.due).into_vec();
        due.sort_unstable();
        due.dedup();
        due.retain(|Reverse((at, slot))| {
            let Some(row) = self.message(*slot) else { return false };
            let again = || self.legs_of(*slot).into_iter().filter_map(|leg| self.leg(leg));
            match row.hold {
                Some((until, _)) => *at == until || again().any(|leg| leg.until_s == *at),
                None => *at == row.expires_s || *at == self.next_due(row),
            }
        });
        self.due = due.into();
    }

    /// Seconds that stand on the clock of messages.
    #[cfg(test)]
    pub fn dues(&self) -> usize {
        self.due.len()
    }

    fn message_due(&mut self, slot: u32, now: u32, entries: &mut Vec<Entry>) {
        let Some(row) = self.message(slot).cloned() else { return };
        if let Some((until, send)) = row.hold {
            match (until <= now, send) {
                (false, _) => {}
                (true, true) => entries.push(Entry::LetGo { message: slot, at_s: now }),
                (true, false) => self.send_errands(slot, Errand::GiveBack),
            }
            return;
        }
        if row.expires_s <= now {
            self.send_errands(slot, Errand::GiveBack);
        } else if self.is_late(&row, now) {
            self.due.push(Reverse((row.expires_s, slot)));
            self.send_errands(slot, Errand::TellLate);
        }
    }

    fn is_late(&self, row: &Message, now: u32) -> bool {
        row.from_s.saturating_add(self.late_seconds) <= now
    }

    /// When something is due for a message that is not held.
    pub fn next_due(&self, row: &Message) -> u32 {
        row.from_s.saturating_add(self.late_seconds).min(row.expires_s)
    }

    /// Whether the sender of this leg is still to be told: meanwhile it may have left, and its
    /// slot be another's; or its message may have been let go, and have its time before it.
    pub fn is_wanted(&self, telling: &Telling, now: u32) -> bool {
        let Some(leg) = self.leg(telling.slot).filter(|leg| !is_over(leg.state)) else {
            return false;
        };
        let row = self.message(leg.message);
        let Some(row) = row.filter(|row| (row.message, leg.number) == telling.leg) else {
            return false;
        };
        match (telling.errand, row.hold) {
            (Errand::GiveBack, Some((until, sends))) => !sends && until <= now,
            (Errand::GiveBack, None) => row.expires_s <= now,
            (Errand::TellLate, None) => !leg.told_late && self.is_late(row, now),
            _ => false,
        }
    }

    /// Puts down that the sender of this leg is to be told.
    pub fn remind(&mut self, slot: u32, errand: Errand) {
        let Some(leg) = self.leg(slot) else { return };
        let Some(row) = self.message(leg.message) else { return };
        let leg = (row.message, leg.number);
        self.errands.push_back(Telling { leg, slot, errand });
    }

    fn send_errands(&mut self, slot: u32, errand: Errand) {
        for leg in self.legs_of(slot) {
            let Some(one) = self.leg(leg) else { continue };
            let is_open = matches!(one.state, State::Ready | State::Delayed | State::Held);
            let is_news = errand == Errand::GiveBack || !one.told_late;
            if is_open && is_news {
                self.remind(leg, errand);
            }
        }
    }

    /// The next second at which `tick` has something to do.
    pub fn next_tick(&self) -> Option<u32> {
        let first =
            |heap: &BinaryHeap<Reverse<(u32, u32)>>| heap.peek().map(|Reverse((at, _))| *at);
        [first(&self.delayed), first(&self.due), self.schedule.next_opening()]
            .into_iter()
            .flatten()
            .min()
    }
}
