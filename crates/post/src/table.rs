//! What is in the queue: messages and legs in slots, some hundred octets each, and their clock.
//!
//! The table is changed by entries alone, so that a log told again makes the same table. Who is
//! under way is known beside it, in memory only.

use crate::entry::{At, Entry, NewMessage, Passage};
pub use crate::leg::{Leg, is_over};
use crate::schedule::{Known, Schedule, Turn};
use crate::senders::Senders;
use crate::shared::Shared;
use crate::state::LATE_SECONDS;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use terms::{MessageId, TenantId, UserId};
use wire::post::{AtEnd, Decided, Errand, Hold, LegEnd, Route, State, Why};

/// One message, as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub message: MessageId,
    pub user: UserId,
    pub tenant: u32,
    pub size: u32,
    pub at_s: u32,
    pub expires_s: u32,
    pub body: At,
    /// Its legs, one behind the other: the first.
    pub first: u32,
    pub legs: u16,
    /// Legs that are not over.
    pub left: u16,
    pub hold: Option<(u32, bool)>,
    /// Written down beside the rows: see `snapshot`.
    #[serde(skip)]
    pub decided: Option<Decided>,
    /// So is this.
    #[serde(skip)]
    pub hand: Hand,
}

/// Whose hand put a message into the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hand {
    /// The person's in whose name it leaves.
    #[default]
    Own,
    /// Anybody's, who wrote to them: it is passed on, or answered.
    Others,
}

#[derive(Default)]
pub struct Table {
    /// Nothing stands in a lane before this: while the log is told again, slots are given back and
    /// filled anew, and a lane that held one would have it twice.
    begun: bool,
    pub messages: Vec<Option<Message>>,
    pub legs: Vec<Option<Leg>>,
    free_messages: Vec<u32>,
    free_legs: Vec<u32>,
    pub by_id: HashMap<MessageId, u32>,
    pub tenants: Shared<TenantId>,
    pub roads: Shared<Route>,
    pub schedule: Schedule,
    /// Destinations that took mail at once lately, and until when that counts. By their tokens: a
    /// number is another destination's when its last letter has left.
    quick: HashMap<Route, u32>,
    /// Legs that wait for their time.
    delayed: BinaryHeap<Reverse<(u32, u32)>>,
    /// Messages that something is due for: the end of a hold, a notice, the end.
    due: BinaryHeap<Reverse<(u32, u32)>>,
    /// Legs whose sender is to be told something, by tenant.
    pub errands: VecDeque<(u32, Errand)>,
    pub senders: Senders,
    /// What was passed on for people, which nobody but who writes to them decides.
    pub relayed: Senders,
    /// What the ledger has not taken, oldest first.
    pub passed: VecDeque<Passage>,
    pub next_seq: u64,
    /// Bytes that nobody refers to any more; the store frees them.
    pub freed: Vec<At>,
    /// Messages whose last leg is over, with the legs that were sent, for those who ask later.
    pub finished: Vec<(Message, u16)>,
    /// Legs that are over, for the same.
    pub ended: Vec<(MessageId, LegEnd)>,
}

const NONE: u32 = u32::MAX;
/// For so long a destination that took mail at once is believed to go on doing so.
const QUICK_SECONDS: u32 = 120;
/// Such destinations that are remembered.
const QUICK_ROADS: usize = 100_000;

impl Table {
    pub fn message(&self, slot: u32) -> Option<&Message> {
        self.messages.get(slot as usize)?.as_ref()
    }

    pub fn message_mut(&mut self, slot: u32) -> Option<&mut Message> {
        self.messages.get_mut(slot as usize)?.as_mut()
    }

    pub fn leg(&self, slot: u32) -> Option<&Leg> {
        self.legs.get(slot as usize)?.as_ref()
    }

    pub fn leg_mut(&mut self, slot: u32) -> Option<&mut Leg> {
        self.legs.get_mut(slot as usize)?.as_mut()
    }

    pub fn slot(&self, message: MessageId) -> Option<u32> {
        self.by_id.get(&message).copied()
    }

    /// The legs of a message, by slot.
    pub fn legs_of(&self, message: u32) -> Vec<u32> {
        let mut slots = Vec::new();
        let mut at = self.message(message).map_or(NONE, |message| message.first);
        while let Some(leg) = self.leg(at) {
            slots.push(at);
            at = leg.next;
        }
        slots
    }

    /// Places for a message and its legs; `Entry::Queued` takes them.
    pub fn slots(&mut self, legs: usize) -> (u32, Vec<u32>) {
        let message = fresh(&mut self.messages, &mut self.free_messages);
        let slots = (0..legs).map(|_| fresh(&mut self.legs, &mut self.free_legs)).collect();
        (message, slots)
    }

    /// Follows one entry.
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Queued(new) => self.queue(new, Hand::Own),
            Entry::QueuedFor(new) => self.queue(new, Hand::Others),
            Entry::Delayed { leg, until_s, attempts, rest } => {
                self.delay(*leg, *until_s, *attempts, *rest);
            }
            Entry::Over { leg, state, why, .. } => self.end(*leg, *state, *why),
            Entry::ToldLate { leg } => {
                if let Some(leg) = self.leg_mut(*leg) {
                    leg.told_late = true;
                }
                self.come_back(*leg);
            }
            Entry::Held { message, hold } => self.hold(*message, *hold),
            Entry::Freed { message } => self.free(*message),
            Entry::Hurried { message } => self.hurry(*message),
            Entry::Passed(passage) => {
                self.next_seq = self.next_seq.max(passage.seq + 1);
                self.passed.push_back(*passage);
            }
            Entry::Recorded { before } => {
                while self.passed.front().is_some_and(|passage| passage.seq < *before) {
                    self.passed.pop_front();
                }
            }
            Entry::Moved { message, leg, to } => self.moved(*message, *leg, *to),
            Entry::Decided { message, decided } => self.decide(*message, Some(*decided)),
            Entry::Erased { users } => users.iter().for_each(|user| {
                self.senders.forget(*user);
                self.relayed.forget(*user);
            }),
        }
    }

    fn queue(&mut self, new: &NewMessage, hand: Hand) {
        let at_s = seconds(new.at_ms);
        let recipients: u32 = new.legs.iter().map(|leg| u32::from(leg.recipients)).sum();
        self.counts_of(hand).count(new.user, recipients, at_s);
        let tenant = self.tenants.take(new.tenant);
        let hold = new.hold.map(|hold| (seconds(hold.until_ms), hold.then == AtEnd::Send));
        let count = u16::try_from(new.legs.len()).unwrap_or(u16::MAX);
        let row = Message {
            message: new.message,
            user: new.user,
            tenant,
            size: new.size,
            at_s,
            expires_s: seconds(new.expires_ms),
            body: new.body,
            first: new.legs.first().map_or(NONE, |leg| leg.slot),
            legs: count,
            left: count,
            hold,
            decided: None,
            hand,
        };
        for (place, leg) in new.legs.iter().enumerate() {
            let row = Leg {
                message: new.slot,
                road: self.roads.take(leg.route),
                envelope: leg.envelope,
                next: new.legs.get(place + 1).map_or(NONE, |next| next.slot),
                until_s: 0,
                number: leg.number,
                recipients: leg.recipients,
                attempts: 0,
                state: if hold.is_some() { State::Held } else { State::Ready },
                told_late: false,
                why: None,
                settled: (0, 0),
                in_lane: false,
                leaving: false,
            };
            put(&mut self.legs, leg.slot, row);
        }
        self.by_id.insert(new.message, new.slot);
        self.settle_message(new.slot, row);
    }

    fn counts_of(&mut self, hand: Hand) -> &mut Senders {
        match hand {
            Hand::Own => &mut self.senders,
            Hand::Others => &mut self.relayed,
        }
    }

    /// Puts a row in its place and everything about it on the clock.
    pub fn settle_message(&mut self, slot: u32, row: Message) {
        let first_due = match row.hold {
            Some((until, _)) => until,
            None => row.at_s.saturating_add(LATE_SECONDS).min(row.expires_s),
        };
        self.due.push(Reverse((first_due, slot)));
        put(&mut self.messages, slot, row);
        for leg in self.legs_of(slot) {
            self.offer(leg);
        }
    }

    /// The table stands as it was left: whoever may leave enters a lane, the oldest first.
    pub fn begin(&mut self) {
        self.begun = true;
        let waiting = (0u32..).zip(&self.messages);
        let mut slots: Vec<(u32, u32)> =
            waiting.filter_map(|(slot, row)| Some((row.as_ref()?.at_s, slot))).collect();
        slots.sort_unstable();
        for (_, slot) in slots {
            self.legs_of(slot).into_iter().for_each(|leg| self.offer(leg));
        }
    }

    /// A leg that is ready enters its lane, one that is delayed the clock.
    fn offer(&mut self, slot: u32) {
        if !self.begun {
            return;
        }
        let Some(leg) = self.legs.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        let Some(Some(message)) = self.messages.get(leg.message as usize) else { return };
        match leg.state {
            State::Ready if !leg.in_lane => {
                leg.in_lane = true;
                self.schedule.enter(slot, message.tenant, leg.road);
            }
            State::Delayed => self.delayed.push(Reverse((leg.until_s, slot))),
            _ => {}
        }
    }

    fn delay(&mut self, slot: u32, until_s: u32, attempts: u8, rest: Option<(At, u16)>) {
        let Some(leg) = self.leg_mut(slot).filter(|leg| !is_over(leg.state)) else { return };
        (leg.attempts, leg.until_s, leg.leaving) = (attempts, until_s, false);
        let old = rest.map(|(envelope, recipients)| {
            leg.recipients = recipients;
            std::mem::replace(&mut leg.envelope, envelope)
        });
        if leg.state == State::Ready {
            leg.state = State::Delayed;
        }
        self.freed.extend(old);
        self.offer(slot);
    }

    fn end(&mut self, slot: u32, state: State, why: Option<Why>) {
        let Some(leg) = self.leg_mut(slot).filter(|leg| !is_over(leg.state)) else { return };
        (leg.state, leg.leaving, leg.why) = (state, false, why);
        let (message, road, envelope) = (leg.message, leg.road, leg.envelope);
        let end = leg.end();
        self.freed.push(envelope);
        self.roads.give(road);
        let Some(Some(row)) = self.messages.get_mut(message as usize) else { return };
        self.ended.push((row.message, end));
        row.left = row.left.saturating_sub(1);
        if row.left == 0 {
            self.finish(message);
        }
    }

    /// The last leg is over: all places are free again but those that a lane still holds.
    fn finish(&mut self, slot: u32) {
        let legs = self.legs_of(slot);
        let Some(row) = self.messages.get_mut(slot as usize).and_then(Option::take) else { return };
        let sent = |slot: &&u32| self.leg(**slot).is_some_and(|leg| leg.state == State::Sent);
        let sent = u16::try_from(legs.iter().filter(sent).count()).unwrap_or(u16::MAX);
        self.freed.push(row.body);
        self.by_id.remove(&row.message);
        self.tenants.give(row.tenant);
        for leg in legs {
            let held = self.leg(leg).is_some_and(|leg| leg.in_lane);
            if !held {
                self.release_leg(leg);
            }
        }
        self.free_messages.push(slot);
        self.finished.push((row, sent));
    }

    fn release_leg(&mut self, slot: u32) {
        if let Some(place) = self.legs.get_mut(slot as usize)
            && place.take().is_some()
        {
            self.free_legs.push(slot);
        }
    }

    fn hold(&mut self, slot: u32, hold: Hold) {
        let until = seconds(hold.until_ms);
        let Some(Some(row)) = self.messages.get_mut(slot as usize) else { return };
        (row.hold, row.decided) = (Some((until, hold.then == AtEnd::Send)), None);
        self.due.push(Reverse((until, slot)));
        for leg in self.legs_of(slot) {
            if let Some(leg) = self.leg_mut(leg)
                && matches!(leg.state, State::Ready | State::Delayed)
            {
                leg.state = State::Held;
            }
        }
    }

    pub fn decide(&mut self, slot: u32, decided: Option<Decided>) {
        if let Some(Some(row)) = self.messages.get_mut(slot as usize) {
            row.decided = decided;
        }
    }

    fn free(&mut self, slot: u32) {
        let Some(Some(row)) = self.messages.get_mut(slot as usize) else { return };
        row.hold = None;
        let due = row.at_s.saturating_add(LATE_SECONDS).min(row.expires_s);
        self.due.push(Reverse((due, slot)));
        self.set_ready(slot, State::Held);
    }

    fn hurry(&mut self, slot: u32) {
        self.set_ready(slot, State::Delayed);
    }

    fn set_ready(&mut self, slot: u32, from: State) {
        for leg in self.legs_of(slot) {
            if let Some(one) = self.leg_mut(leg)
                && one.state == from
            {
                one.state = State::Ready;
            }
            self.offer(leg);
        }
    }

    fn moved(&mut self, message: u32, leg: Option<u32>, to: At) {
        match leg {
            Some(leg) => {
                if let Some(leg) = self.leg_mut(leg) {
                    leg.envelope = to;
                }
            }
            None => {
                if let Some(Some(message)) = self.messages.get_mut(message as usize) {
                    message.body = to;
                }
            }
        }
    }

    // ---- the clock -----------------------------------------------------------------------------

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
        let late = row.at_s.saturating_add(LATE_SECONDS);
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

    // ---- leaving -------------------------------------------------------------------------------

    /// Legs to be carried now, of one tenant.
    pub fn next_turn(&mut self, now: u32, tenant: Option<u32>) -> Option<Turn> {
        let (legs, roads, quick) = (&mut self.legs, &self.roads, &self.quick);
        let mut lanes = Lanes { legs, roads, quick, now, dropped: Vec::new() };
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
    ) -> Option<(u32, Vec<(u32, Errand)>)> {
        let mut chosen = tenant;
        let mut taken = Vec::new();
        for _ in 0..self.errands.len() {
            let Some((slot, errand)) = self.errands.pop_front() else { break };
            let Some(leg) = self.leg(slot).filter(|leg| !is_over(leg.state)) else { continue };
            let Some(owner) = self.message(leg.message).map(|row| row.tenant) else { continue };
            if leg.leaving || taken.len() >= most || chosen.is_some_and(|chosen| chosen != owner) {
                self.errands.push_back((slot, errand));
                continue;
            }
            chosen = Some(owner);
            if let Some(leg) = self.leg_mut(slot) {
                leg.leaving = true;
            }
            taken.push((slot, errand));
        }
        chosen.filter(|_| !taken.is_empty()).map(|tenant| (tenant, taken))
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
            leg.leaving = false;
        }
        self.offer(slot);
    }

    /// The state that is shown: `leaving` is known in memory only.
    pub fn shown(leg: &Leg) -> State {
        if leg.leaving && leg.state == State::Ready { State::Leaving } else { leg.state }
    }

    /// Slots that were handed out for a message that was not kept.
    pub fn give_back(&mut self, message: u32, legs: impl Iterator<Item = u32>) {
        self.free_messages.push(message);
        self.free_legs.extend(legs);
    }

    /// After a start: what lies free.
    pub fn find_free(&mut self) {
        let free = |place: usize| u32::try_from(place).ok();
        let empty = |(place, is_none): (usize, bool)| is_none.then(|| free(place)).flatten();
        self.free_messages =
            self.messages.iter().map(Option::is_none).enumerate().filter_map(empty).collect();
        self.free_legs =
            self.legs.iter().map(Option::is_none).enumerate().filter_map(empty).collect();
    }

    pub fn take_tenant(&mut self, tenant: TenantId) -> u32 {
        self.tenants.take(tenant)
    }

    pub fn take_road(&mut self, route: Route) -> u32 {
        self.roads.take(route)
    }
}

/// What the schedule asks of the table.
struct Lanes<'a> {
    legs: &'a mut Vec<Option<Leg>>,
    roads: &'a Shared<Route>,
    quick: &'a HashMap<Route, u32>,
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

    fn is_quick(&self, road: u32) -> bool {
        let until = self.roads.of(road).and_then(|route| self.quick.get(&route));
        until.is_some_and(|until| *until > self.now)
    }
}

/// A free place, or one more.
fn fresh<T>(rows: &mut Vec<Option<T>>, free: &mut Vec<u32>) -> u32 {
    free.pop().unwrap_or_else(|| {
        rows.push(None);
        u32::try_from(rows.len().saturating_sub(1)).unwrap_or(NONE)
    })
}

fn put<T>(rows: &mut Vec<Option<T>>, slot: u32, row: T) {
    let place = slot as usize;
    if rows.len() <= place {
        rows.resize_with(place + 1, || None);
    }
    if let Some(at) = rows.get_mut(place) {
        *at = Some(row);
    }
}

pub fn put_leg(table: &mut Table, slot: u32, leg: Leg) {
    put(&mut table.legs, slot, leg);
}

/// Milliseconds since 1970 as seconds: the table's clock, good until 2106.
pub fn seconds(ms: u64) -> u32 {
    u32::try_from(ms / 1_000).unwrap_or(u32::MAX)
}
