//! What is in the queue: messages and legs in slots, some hundred octets each, and their clock.
//!
//! The table is changed by entries alone, so that a log told again makes the same table. Who is
//! under way is known beside it, in memory only.

mod clock;
mod leaving;

use crate::entry::{At, Entry, NewMessage, Passage};
pub use crate::leg::{Leg, is_over};
use crate::room::{NOBODY, Owner, Room};
use crate::schedule::{Schedule, Side};
use crate::senders::Senders;
use crate::shared::Shared;
use journal::Runs;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use terms::{MessageId, TenantId, UserId};
use wire::post::{AtEnd, Decided, Decider, Errand, Hold, LegEnd, LegNumber, Route, State, Why};

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
    /// And this: a notice to a sender outside.
    #[serde(skip)]
    pub is_notice: bool,
    /// And since when its time counts: it came, or was let go from a hold. Whoever was held for a
    /// day is not late in the second in which it may leave.
    #[serde(skip)]
    pub from_s: u32,
    /// Where it went when it took room: a leg that is over has no road any more.
    #[serde(skip)]
    pub toward: Option<Route>,
}

impl Message {
    pub fn owner(&self) -> Owner {
        Owner::of(self.user, self.toward)
    }

    /// An operator cancelled it; its sender is not told yet.
    pub fn is_called_off(&self) -> bool {
        let by_operator = Decided { by: Decider::Operator, released: false };
        self.hold.is_some() && self.decided == Some(by_operator)
    }
}

/// Whose hand put a message into the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Hand {
    /// The person's in whose name it leaves.
    #[default]
    Own,
    /// Anybody's, who wrote to them: it is passed on, or answered.
    Others,
}

/// A leg whose sender is to be told something. By its name too: its slot is another leg's once it
/// is over, and who comes there is told nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Telling {
    pub leg: (MessageId, LegNumber),
    pub slot: u32,
    pub errand: Errand,
}

#[derive(Default)]
pub struct Table {
    /// Nothing stands in a lane before this: while the log is told again, slots are given back and
    /// filled anew, and a lane that held one would have it twice.
    begun: bool,
    /// After this long without success a sender is told that it is late.
    pub late_seconds: u32,
    pub messages: Vec<Option<Message>>,
    pub legs: Vec<Option<Leg>>,
    free_messages: Vec<u32>,
    free_legs: Vec<u32>,
    pub by_id: HashMap<MessageId, u32>,
    pub tenants: Shared<TenantId>,
    pub roads: Shared<Route>,
    pub schedule: Schedule,
    /// Of these nothing is handed out: somebody is still to say what they have of theirs.
    pub withheld: HashSet<TenantId>,
    /// Nor of anybody else.
    pub withholds_all: bool,
    /// Destinations that took mail at once lately, and until when that counts. By their tokens: a
    /// number is another destination's when its last letter has left.
    quick: HashMap<Route, u32>,
    /// Legs that wait for their time.
    delayed: BinaryHeap<Reverse<(u32, u32)>>,
    /// Messages that something is due for: the end of a hold, a notice, the end.
    due: BinaryHeap<Reverse<(u32, u32)>>,
    /// Legs whose sender is to be told something.
    pub errands: VecDeque<Telling>,
    /// How much waits, once it has begun.
    pub room: Room,
    /// What stood before destinations that could not be reached, by their numbers.
    pub obstacles: HashMap<u32, Why>,
    pub senders: Senders,
    /// What was passed on for people, which nobody but who writes to them decides.
    pub relayed: Senders,
    /// What the ledger has not taken, oldest first.
    pub passed: VecDeque<Passage>,
    pub next_seq: u64,
    /// What it knows of the entries that tell of it.
    pub runs: Option<Runs>,
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
    pub fn new(late_seconds: u32) -> Self {
        Self { late_seconds, ..Self::default() }
    }

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
            Entry::Queued(new) => self.queue(new, (Hand::Own, false)),
            Entry::QueuedFor(new) => self.queue(new, (Hand::Others, false)),
            Entry::QueuedNotice(new) => self.queue(new, (Hand::Others, true)),
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
            Entry::Freed { message } => self.free(*message, None),
            Entry::LetGo { message, at_s } => self.free(*message, Some(*at_s)),
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
            Entry::Noted(runs) => self.runs = Some(runs.clone()),
            Entry::Moved { message, leg, to } => self.moved(*message, *leg, *to),
            Entry::Decided { message, decided } => self.decide(*message, Some(*decided)),
            Entry::Erased { users } => users.iter().for_each(|user| {
                self.senders.forget(*user);
                self.relayed.forget(*user);
            }),
            Entry::Heard { leg, envelope } => {
                if let Some(leg) = self.leg_mut(*leg).filter(|leg| !is_over(leg.state)) {
                    let old = std::mem::replace(&mut leg.envelope, *envelope);
                    self.freed.push(old);
                }
                self.come_back(*leg);
            }
            Entry::Settled { leg, sent, not_sent, why } => {
                if let Some(leg) = self.leg_mut(*leg) {
                    (leg.settled, leg.why) = ((*sent, *not_sent), *why);
                }
            }
        }
    }

    fn queue(&mut self, new: &NewMessage, (hand, is_notice): (Hand, bool)) {
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
            is_notice,
            from_s: at_s,
            toward: None,
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
                begun: false,
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
            None => self.next_due(&row),
        };
        self.due.push(Reverse((first_due, slot)));
        put(&mut self.messages, slot, row);
        if self.begun {
            self.take_room(slot);
        }
        for leg in self.legs_of(slot) {
            self.offer(leg);
        }
    }

    fn take_room(&mut self, slot: u32) {
        let is_nobody_s = self.message(slot).is_some_and(|row| row.user == NOBODY);
        let legs = if is_nobody_s { self.legs_of(slot) } else { Vec::new() };
        let open = legs.iter().filter_map(|leg| self.leg(*leg)).find(|leg| !is_over(leg.state));
        let toward = open.and_then(|leg| self.roads.of(leg.road));
        if let Some(Some(row)) = self.messages.get_mut(slot as usize) {
            row.toward = toward;
            self.room.add(row);
        }
    }

    /// The table stands as it was left: whoever may leave enters a lane, the oldest first.
    pub fn begin(&mut self) {
        self.begun = true;
        let count = u32::try_from(self.messages.len()).unwrap_or(NONE);
        (0..count).for_each(|slot| self.take_room(slot));
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
                let side = Side { tenant: message.tenant, hand: message.hand };
                self.schedule.enter(slot, (side, message.user), leg.road);
            }
            State::Delayed => self.delayed.push(Reverse((leg.until_s, slot))),
            _ => {}
        }
    }

    fn delay(&mut self, slot: u32, until_s: u32, attempts: u8, rest: Option<(At, u16)>) {
        let Some(leg) = self.leg_mut(slot).filter(|leg| !is_over(leg.state)) else { return };
        (leg.attempts, leg.until_s) = (attempts, until_s);
        (leg.leaving, leg.begun) = (false, false);
        let old = rest.map(|(envelope, recipients)| {
            leg.recipients = recipients;
            std::mem::replace(&mut leg.envelope, envelope)
        });
        // It could not be given back, or came back while it was held: asked for again.
        let again = (leg.state == State::Held).then_some(Reverse((until_s, leg.message)));
        if leg.state == State::Ready {
            leg.state = State::Delayed;
        }
        self.due.extend(again);
        self.freed.extend(old);
        self.offer(slot);
    }

    fn end(&mut self, slot: u32, state: State, why: Option<Why>) {
        let Some(leg) = self.leg_mut(slot).filter(|leg| !is_over(leg.state)) else { return };
        (leg.state, leg.why) = (state, why);
        (leg.leaving, leg.begun) = (false, false);
        let (message, road, envelope) = (leg.message, leg.road, leg.envelope);
        let end = leg.end();
        self.freed.push(envelope);
        if self.roads.give(road) {
            self.schedule.forget(road);
            self.obstacles.remove(&road);
        }
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
        if self.begun {
            self.room.take(&row);
        }
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

    /// It is held no longer, since `at_s`: its time begins anew. Older logs do not say when.
    fn free(&mut self, slot: u32, at_s: Option<u32>) {
        let Some(row) = self.message_mut(slot) else { return };
        row.hold = None;
        if let Some(at_s) = at_s {
            let lives = row.expires_s.saturating_sub(row.from_s);
            (row.from_s, row.expires_s) = (at_s, at_s.saturating_add(lives));
        }
        let row = row.clone();
        self.due.push(Reverse((self.next_due(&row), slot)));
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

    /// The state that is shown: `leaving` is known in memory only, and for a destination that is
    /// left alone nothing is written down for each of its legs.
    pub fn shown(&self, leg: &Leg, now: u32) -> State {
        match leg.state {
            State::Ready if leg.leaving => State::Leaving,
            // Held or cancelled too late to be sure that it does not go.
            State::Held if leg.begun => State::Leaving,
            State::Ready if self.closed(leg).is_some_and(|(_, until)| until > now) => {
                State::Delayed
            }
            State::Held if self.message(leg.message).is_some_and(Message::is_called_off) => {
                State::Cancelled
            }
            state => state,
        }
    }

    /// How often the destination of a leg that is ready failed, and until when it is left alone.
    pub fn closed(&self, leg: &Leg) -> Option<(u8, u32)> {
        let tenant = self.message(leg.message).map(|row| row.tenant)?;
        self.schedule.failures(leg.road, tenant).filter(|_| leg.state == State::Ready)
    }

    /// What stood in the way of a leg last, or stands in that of its whole destination.
    pub fn obstacle(&self, leg: &Leg) -> Option<Why> {
        let tenant = self.message(leg.message).map(|row| row.tenant);
        let refused = || self.schedule.refused_for(leg.road, tenant?);
        let of_road = || refused().or_else(|| self.obstacles.get(&leg.road).copied());
        self.closed(leg).and_then(|_| of_road()).or(leg.why)
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
