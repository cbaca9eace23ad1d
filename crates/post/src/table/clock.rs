//! What the clock brings: pauses that are over, holds that are, notices that are due.

use crate::entry::Entry;
use crate::table::{Leg, Table};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use wire::post::{Errand, State};

impl Table {
    /// What the clock has brought, and the entries to be written for it (holds that are over).
    pub fn tick(&mut self, now: u32) -> Vec<Entry> {
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

    fn message_due(&mut self, slot: u32, now: u32, entries: &mut Vec<Entry>) {
        let Some(row) = self.message(slot).cloned() else { return };
        if let Some((until, send)) = row.hold {
            match (until <= now, send) {
                (false, _) => {}
                (true, true) => entries.push(Entry::Freed { message: slot }),
                (true, false) => self.send_errands(slot, Errand::GiveBack),
            }
            return;
        }
        let late = row.at_s.saturating_add(self.late_seconds);
        if row.expires_s <= now {
            self.send_errands(slot, Errand::GiveBack);
        } else if late <= now {
            self.due.push(Reverse((row.expires_s, slot)));
            self.send_errands(slot, Errand::TellLate);
        }
    }

    fn send_errands(&mut self, slot: u32, errand: Errand) {
        for leg in self.legs_of(slot) {
            let Some(one) = self.leg(leg) else { continue };
            let is_open = matches!(one.state, State::Ready | State::Delayed | State::Held);
            let is_wanted = errand == Errand::GiveBack || !one.told_late;
            if is_open && is_wanted {
                self.errands.push_back((leg, errand));
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
