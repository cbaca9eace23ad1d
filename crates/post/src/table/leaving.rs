//! Who leaves now: turns of the schedule, and errands beside them.

use super::{NONE, QUICK_ROADS, QUICK_SECONDS, is_over};
use crate::schedule::{Known, Turn};
use crate::shared::Shared;
use crate::table::{Leg, Message, Table, Telling};
use std::collections::{HashMap, HashSet};
use terms::{MessageId, TenantId};
use wire::post::{Route, State};

impl Table {
    /// Legs to be carried now, of one tenant.
    pub fn next_turn(&mut self, now: u32, tenant: Option<u32>) -> Option<Turn> {
        if self.withholds_all {
            return None;
        }
        let (legs, roads, quick) = (&mut self.legs, &self.roads, &self.quick);
        let (tenants, withheld) = (&self.tenants, &self.withheld);
        let mut lanes = Lanes { legs, roads, quick, tenants, withheld, now, dropped: Vec::new() };
        let turn = self.schedule.next(now, tenant, &mut lanes);
        for slot in lanes.dropped {
            self.let_go(slot);
        }
        turn
    }

    /// A destination took mail at once.
    pub fn was_quick(&mut self, road: u32, now: u32) {
        let Some(route) = self.roads.of(road) else { return };
        if self.quick.len() >= QUICK_ROADS {
            self.quick.retain(|_, until| *until > now);
        }
        if self.quick.len() < QUICK_ROADS {
            self.quick.insert(route, now.saturating_add(QUICK_SECONDS));
        }
    }

    pub fn is_slow(&mut self, road: u32) {
        if let Some(route) = self.roads.of(road) {
            self.quick.remove(&route);
        }
    }

    /// Legs of one tenant whose senders are to be told something. One that a `depart` has waits.
    pub fn next_errands(
        &mut self,
        tenant: Option<u32>,
        most: usize,
        now: u32,
    ) -> Option<(u32, Vec<Telling>)> {
        let mut chosen = tenant;
        let mut taken = Vec::new();
        let most = if self.withholds_all { 0 } else { most };
        for _ in 0..self.errands.len() {
            let Some(telling) = self.errands.pop_front() else { break };
            if !self.is_wanted(&telling, now) {
                continue;
            }
            let Some(leg) = self.leg(telling.slot) else { continue };
            let Some(owner) = self.message(leg.message).map(|row| row.tenant) else { continue };
            let is_others = chosen.is_some_and(|chosen| chosen != owner);
            if leg.leaving || taken.len() >= most || is_others || self.is_withheld(owner) {
                self.errands.push_back(telling);
                continue;
            }
            chosen = Some(owner);
            if let Some(leg) = self.leg_mut(telling.slot) {
                leg.leaving = true;
            }
            taken.push(telling);
        }
        chosen.filter(|_| !taken.is_empty()).map(|tenant| (tenant, taken))
    }

    fn is_withheld(&self, tenant: u32) -> bool {
        let tenant = self.tenants.of(tenant);
        self.withholds_all || tenant.is_some_and(|tenant| self.withheld.contains(&tenant))
    }

    /// A lane let go of a leg that is over: if its message is too, the slot is free.
    fn let_go(&mut self, slot: u32) {
        let message = self.leg(slot).map(|leg| leg.message);
        let belongs = |row: &Message| {
            let mut at = row.first;
            while at != slot && at != NONE {
                at = self.leg(at).map_or(NONE, |leg| leg.next);
            }
            at == slot
        };
        let lives = message.and_then(|message| self.message(message)).is_some_and(belongs);
        if !lives {
            self.release_leg(slot);
        }
    }

    /// The leg comes back untried or to be tried again at once.
    pub fn come_back(&mut self, slot: u32) {
        if let Some(leg) = self.leg_mut(slot) {
            (leg.leaving, leg.begun) = (false, false);
        }
        self.offer(slot);
    }

    /// Whether a leg in hand may be handed over now: not what was held or cancelled since.
    pub fn begin_leg(&mut self, slot: u32) -> bool {
        let Some(leg) = self.leg_mut(slot) else { return false };
        let may_go = leg.leaving && leg.state == State::Ready;
        leg.begun |= may_go;
        may_go
    }

    /// Destinations of a message that are being handed over at this moment; all that are open
    /// while somebody is still to say which.
    pub fn under_way(&self, message: MessageId) -> u16 {
        let slot = self.slot(message);
        let tenant = slot.and_then(|slot| self.message(slot)).map(|row| row.tenant);
        let is_unsaid = tenant.is_some_and(|tenant| self.is_withheld(tenant));
        let legs = slot.map(|slot| self.legs_of(slot)).unwrap_or_default();
        let may_go = |leg: &Leg| leg.begun || (is_unsaid && !is_over(leg.state));
        let begun = |slot: &&u32| self.leg(**slot).is_some_and(may_go);
        u16::try_from(legs.iter().filter(begun).count()).unwrap_or(u16::MAX)
    }
}

/// What the schedule asks of the table.
struct Lanes<'a> {
    legs: &'a mut Vec<Option<Leg>>,
    roads: &'a Shared<Route>,
    quick: &'a HashMap<Route, u32>,
    tenants: &'a Shared<TenantId>,
    withheld: &'a HashSet<TenantId>,
    now: u32,
    /// Legs that are over: their lanes let go of them.
    dropped: Vec<u32>,
}

impl Known for Lanes<'_> {
    fn may_leave(&mut self, slot: u32) -> bool {
        let Some(Some(leg)) = self.legs.get_mut(slot as usize) else { return false };
        leg.in_lane = false;
        match leg.state {
            State::Ready if !leg.leaving => {
                leg.leaving = true;
                true
            }
            state if is_over(state) => {
                self.dropped.push(slot);
                false
            }
            _ => false,
        }
    }

    fn is_withheld(&self, tenant: u32) -> bool {
        let is_it = |tenant| self.withheld.contains(&tenant);
        !self.withheld.is_empty() && self.tenants.of(tenant).is_some_and(is_it)
    }

    fn is_quick(&self, road: u32) -> bool {
        let until = self.roads.of(road).and_then(|route| self.quick.get(&route));
        until.is_some_and(|until| *until > self.now)
    }
}
