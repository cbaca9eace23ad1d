//! Who leaves next: tenants in turn, people of a tenant in turn, destinations gently. Knows slots,
//! people and seconds, nothing else.
//!
//! Each (person, destination) is a *lane* of legs, first come first served; what is passed on for a
//! person has lanes of its own. The lanes of one person that may move stand in their *line*, the
//! lines of a tenant in a *side*: one for what its people wrote, one for what is passed on for
//! them. The sides stand in a ring, so that a tenant with one letter waits for one turn of each
//! other tenant and not for their letters, and a person's letter for no stranger's. A destination
//! is a *road*: closed for a while when it could not be reached, and only so wide. A lane whose
//! road is closed or full is parked at the road and costs nothing until the road calls it.
//!
//! A turn is one lane's, or of several whose roads are known to be quick: what it costs to hand
//! over, open and record is then shared by letters to many places. Whose roads are not known to be
//! quick may keep whoever carries for minutes, each; so a line has few such turns at once, fewer to
//! one road, and its further such lanes wait at the line. What calls them is never one certain
//! turn's return, for that one may be the one that is kept: a line with its full share is called by
//! any of its own, one that waits for room beside others by any of its side.

mod road;

use crate::table::Hand;
use road::Road;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use terms::UserId;

/// No slot: the end of a lane.
const NONE: u32 = u32::MAX;
/// Legs handed to one `depart` at once: what one connection carries, and what one owned
/// instance sees.
pub const BATCH: usize = 50;
/// Batches under way for one tenant's people, for what is passed on for them, and for all.
const OWN_BATCHES: u16 = 24;
const RELAYED_BATCHES: u16 = 16;
const ALL_BATCHES: u16 = 64;
/// Of all, those with what is passed on: strangers decide where that goes.
const ALL_RELAYED: u16 = 32;
/// Beyond these, for people whose tenant has nothing of theirs under way: nobody waits for others'
/// slow remotes.
const SPARE_BATCHES: u16 = 16;
/// Batches of one person to destinations that are not known to be quick, and the same of what is
/// passed on for them: nobody takes all places of their tenant with remotes that only drip.
const OWN_STRANGE: u16 = 12;
const RELAYED_STRANGE: u16 = 4;

/// Of the batches of a tenant's people, those for who has no other such batch under way: two
/// people with remotes that drip leave room for their colleagues.
const OWN_SPARE: u16 = OWN_BATCHES / 3;
/// Of the batches with what is passed on for a tenant, those for people who have no other such
/// batch under way: a few who forward, whose targets keep us waiting, leave room for the others.
const RELAYED_SPARE: u16 = RELAYED_BATCHES / 2;
/// Beyond `ALL_RELAYED`, for tenants of which nothing that is passed on is under way.
const SPARE_RELAYED: u16 = 16;

/// One tenant's mail, by whose hand it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Side {
    pub tenant: u32,
    pub hand: Hand,
}

impl Side {
    fn batches(self) -> u16 {
        match self.hand {
            Hand::Own => OWN_BATCHES,
            Hand::Others => RELAYED_BATCHES,
        }
    }

    fn strange(self) -> u16 {
        match self.hand {
            Hand::Own => OWN_STRANGE,
            Hand::Others => RELAYED_STRANGE,
        }
    }

    fn spare(self) -> u16 {
        match self.hand {
            Hand::Own => OWN_SPARE,
            Hand::Others => RELAYED_SPARE,
        }
    }
}

/// One person's part of it.
pub type Line = (Side, UserId);

#[derive(Default)]
struct Lane {
    head: Option<u32>,
    tail: u32,
    /// It stands in its line, waits there, or is parked at its road.
    placed: bool,
}

#[derive(Default)]
struct Standing {
    /// Lanes that may move, by their roads.
    ring: VecDeque<u32>,
    /// Lanes that wait until a batch to a destination that is not quick comes back.
    waiting: VecDeque<u32>,
    /// Such batches under way.
    strange: u16,
    /// It stands in its side's `crowded`.
    is_crowded: bool,
}

#[derive(Default)]
struct Lines {
    ring: VecDeque<UserId>,
    /// Lanes that stand in the rings of these lines.
    lanes: usize,
    leaving: u16,
    /// Who has lanes that wait, and less than their share under way: they wait for room.
    crowded: VecDeque<UserId>,
    /// It stands in the ring of sides.
    placed: bool,
}

impl Lines {
    /// Batches that may still set out.
    fn left(&self, side: Side) -> u16 {
        side.batches().saturating_sub(self.leaving)
    }
}

/// What a batch takes up while it is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    pub side: Side,
    pub users: Vec<UserId>,
    /// One road, or quick ones.
    pub roads: Vec<u32>,
    /// Its road is not known to be quick.
    pub is_strange: bool,
}

impl Trip {
    fn add(&mut self, user: UserId, road: u32) {
        if !self.users.contains(&user) {
            self.users.push(user);
        }
        if !self.roads.contains(&road) {
            self.roads.push(road);
        }
    }
}

/// Legs of one tenant, taken to be carried.
#[derive(Debug, PartialEq, Eq)]
pub struct Turn {
    pub trip: Trip,
    pub legs: Vec<u32>,
}

/// What only the table knows.
pub trait Known {
    /// Whether a leg that was entered may still leave; one that may not is dropped.
    fn may_leave(&mut self, leg: u32) -> bool;
    /// Whether nothing of this tenant's is to set out now.
    fn is_withheld(&self, tenant: u32) -> bool;
    /// Whether a road took mail at once when it was last tried.
    fn is_quick(&self, road: u32) -> bool;
}

/// The order of leaving.
#[derive(Default)]
pub struct Schedule {
    lanes: HashMap<(Line, u32), Lane>,
    /// The leg behind each leg, by slot.
    behind: Vec<u32>,
    lines: HashMap<Line, Standing>,
    sides: HashMap<Side, Lines>,
    ring: VecDeque<Side>,
    /// Sides that have as much under way as they may.
    resting: VecDeque<Side>,
    roads: HashMap<u32, Road>,
    openings: BinaryHeap<Reverse<(u32, u32)>>,
    leaving: u16,
    /// Of these, with what is passed on.
    relayed: u16,
    /// Whose turn it is within a tenant that somebody asks for.
    others_first: bool,
}

impl Schedule {
    /// A leg that may leave. Each leg is entered once until it was taken.
    pub fn enter(&mut self, leg: u32, line: Line, road: u32) {
        let place = leg as usize;
        if self.behind.len() <= place {
            self.behind.resize(place + 1, NONE);
        }
        if let Some(behind) = self.behind.get_mut(place) {
            *behind = NONE;
        }
        let lane = self.lanes.entry((line, road)).or_default();
        match lane.head {
            None => lane.head = Some(leg),
            Some(_) => {
                if let Some(behind) = self.behind.get_mut(lane.tail as usize) {
                    *behind = leg;
                }
            }
        }
        lane.tail = leg;
        if !std::mem::replace(&mut lane.placed, true) {
            self.place(line, road);
        }
    }

    fn place(&mut self, line: Line, road: u32) {
        let (side, user) = line;
        let standing = self.lines.entry(line).or_default();
        standing.ring.push_back(road);
        let is_first = standing.ring.len() == 1;
        let lines = self.sides.entry(side).or_default();
        lines.lanes += 1;
        if is_first {
            lines.ring.push_back(user);
        }
        if !std::mem::replace(&mut lines.placed, true) {
            self.ring.push_back(side);
        }
    }

    /// The lane whose turn it is on a side.
    fn front(&self, side: Side) -> Option<(Line, u32)> {
        let line = (side, *self.sides.get(&side)?.ring.front()?);
        Some((line, *self.lines.get(&line)?.ring.front()?))
    }

    /// Takes it out; the next is another person's.
    fn take_front(&mut self, side: Side) {
        let Some(lines) = self.sides.get_mut(&side) else { return };
        let Some(user) = lines.ring.pop_front() else { return };
        let Some(standing) = self.lines.get_mut(&(side, user)) else { return };
        standing.ring.pop_front();
        lines.lanes = lines.lanes.saturating_sub(1);
        if !standing.ring.is_empty() {
            lines.ring.push_back(user);
        }
    }

    /// The next turn. `tenant`: only of this one.
    pub fn next(&mut self, now: u32, tenant: Option<u32>, known: &mut dyn Known) -> Option<Turn> {
        self.open_roads(now);
        if let Some(tenant) = tenant {
            let mut hands = [Hand::Own, Hand::Others];
            hands.rotate_left(usize::from(self.others_first));
            self.others_first = !self.others_first;
            let mut sides = hands.into_iter().map(|hand| Side { tenant, hand });
            return sides.find_map(|side| self.turn_of(side, now, known));
        }
        for _ in 0..self.ring.len() {
            let side = self.ring.pop_front()?;
            let turn = self.turn_of(side, now, known);
            self.put_back(side);
            if turn.is_some() {
                return turn;
            }
        }
        None
    }

    /// A side that was taken from the ring goes to its end if it still has lanes that may move.
    fn put_back(&mut self, side: Side) {
        let Some(lines) = self.sides.get_mut(&side) else { return };
        if lines.ring.is_empty() {
            lines.placed = false;
            if lines.leaving == 0 {
                self.sides.remove(&side);
            }
        } else if lines.leaving >= side.batches() {
            self.resting.push_back(side);
        } else {
            self.ring.push_back(side);
        }
    }

    /// Whether there is a place for one more batch of a side.
    fn has_place(&self, side: Side) -> bool {
        let busy = self.sides.get(&side).map_or(0, |lines| lines.leaving);
        let all = match side.hand {
            Hand::Own if busy == 0 => ALL_BATCHES + SPARE_BATCHES,
            Hand::Own => ALL_BATCHES,
            Hand::Others if self.relayed < ALL_RELAYED => ALL_BATCHES,
            Hand::Others if busy == 0 && self.relayed < ALL_RELAYED + SPARE_RELAYED => ALL_BATCHES,
            Hand::Others => 0,
        };
        busy < side.batches() && self.leaving < all
    }

    fn turn_of(&mut self, side: Side, now: u32, known: &mut dyn Known) -> Option<Turn> {
        if !self.has_place(side) || known.is_withheld(side.tenant) {
            return None;
        }
        let trip = Trip { side, users: Vec::new(), roads: Vec::new(), is_strange: false };
        let mut turn = Turn { trip, legs: Vec::new() };
        // Each lane is looked at once: one that is left goes to the ring's end.
        let mut looks = self.sides.get(&side)?.lanes;
        while looks > 0 {
            looks -= 1;
            let Some((line, road)) = self.front(side) else { break };
            let is_with_us = turn.trip.roads.contains(&road);
            let way = self.roads.entry(road).or_default();
            let is_quick = way.failures == 0 && known.is_quick(road);
            way.is_quick = is_quick;
            let is_full = way.has_enough_of(&line) || (!is_with_us && way.is_full_to(side.tenant));
            if is_full || way.is_closed_to(side.tenant, now) {
                way.parked.push_back(line);
                self.take_front(side);
                looks += self.call_next(line);
                continue;
            }
            // It is the next to go, alone.
            let fits = if is_quick { !turn.trip.is_strange } else { turn.trip.roads.is_empty() };
            if !fits && !is_with_us {
                break;
            }
            self.take_front(side);
            if !is_quick && self.must_wait(line, road) {
                looks += self.call_instead(line, road);
                continue;
            }
            let room = BATCH.saturating_sub(turn.legs.len());
            let legs = self.take((line, road), room, known);
            if legs.is_empty() {
                looks += self.call_instead(line, road);
                continue;
            }
            if is_quick {
                looks += self.call_next(line);
            }
            turn.trip.is_strange = !is_quick;
            turn.trip.add(line.1, road);
            turn.legs.extend(legs);
            if turn.legs.len() >= BATCH {
                break;
            }
        }
        if turn.legs.is_empty() {
            return None;
        }
        self.set_out(&turn.trip);
        Some(turn)
    }

    /// A line with enough batches to places that may keep them: its lane waits.
    fn must_wait(&mut self, line: Line, road: u32) -> bool {
        let is_enough = self.has_enough(line);
        if is_enough && let Some(standing) = self.lines.get_mut(&line) {
            standing.waiting.push_back(road);
        }
        is_enough
    }

    /// Whether a line has as many of these batches as it may have now. Who has none may always
    /// have one.
    fn has_enough(&self, line: Line) -> bool {
        let strange = self.lines.get(&line).map_or(0, |standing| standing.strange);
        strange >= line.0.strange() || (strange > 0 && !self.has_room(line.0))
    }

    /// Whether those who have such batches under way may have one more.
    fn has_room(&self, side: Side) -> bool {
        let left = self.sides.get(&side).map_or(side.batches(), |lines| lines.left(side));
        left > side.spare()
    }

    fn set_out(&mut self, trip: &Trip) {
        if let Some(lines) = self.sides.get_mut(&trip.side) {
            lines.leaving += 1;
        }
        self.leaving += 1;
        self.relayed += u16::from(trip.side.hand == Hand::Others);
        for road in &trip.roads {
            self.roads.entry(*road).or_default().set_out(trip);
        }
        for user in &trip.users {
            if trip.is_strange {
                self.lines.entry((trip.side, *user)).or_default().strange += 1;
                // What waited while there was less room: a turn calls the next.
                self.call_next((trip.side, *user));
            }
            self.forget_line((trip.side, *user));
        }
    }

    /// Takes up to `room` legs from the front of a lane; a lane that is left goes behind its
    /// line's others.
    fn take(&mut self, (line, road): (Line, u32), room: usize, known: &mut dyn Known) -> Vec<u32> {
        let mut legs = Vec::new();
        let Some(lane) = self.lanes.get_mut(&(line, road)) else { return legs };
        while legs.len() < room
            && let Some(leg) = lane.head
        {
            let next = self.behind.get(leg as usize).copied().unwrap_or(NONE);
            lane.head = (next != NONE).then_some(next);
            if known.may_leave(leg) {
                legs.push(leg);
            }
        }
        if lane.head.is_none() {
            self.lanes.remove(&(line, road));
            self.forget_line(line);
            return legs;
        }
        // Others who wait at this road, and may go, come first.
        match self.roads.get_mut(&road).filter(|way| way.first().is_some()) {
            Some(way) => way.parked.push_back(line),
            None => self.place(line, road),
        }
        legs
    }

    /// A batch is over, however it ended.
    pub fn returned(&mut self, trip: &Trip) {
        let side = trip.side;
        self.leaving = self.leaving.saturating_sub(1);
        self.relayed = self.relayed.saturating_sub(u16::from(side.hand == Hand::Others));
        if let Some(lines) = self.sides.get_mut(&side) {
            lines.leaving = lines.leaving.saturating_sub(1);
        }
        trip.roads.iter().for_each(|road| self.free_road(*road, trip));
        if trip.is_strange {
            trip.users.iter().for_each(|user| self.free_line((side, *user)));
        }
        self.call_crowded(side);
        let Some(lines) = self.sides.get(&side) else { return };
        if let Some(at) = self.resting.iter().position(|resting| *resting == side) {
            self.resting.remove(at);
            self.ring.push_back(side);
        } else if lines.leaving == 0 && !lines.placed {
            self.sides.remove(&side);
        }
    }

    fn free_line(&mut self, line: Line) {
        let Some(standing) = self.lines.get_mut(&line) else { return };
        standing.strange = standing.strange.saturating_sub(1);
        self.call_next(line);
        self.forget_line(line);
    }

    /// One lane that waits at a line moves again, if there is a place: one of this line, whose
    /// last took none or came back, or one of who waits for room beside it. Says how many: one or
    /// none.
    fn call_next(&mut self, line: Line) -> usize {
        let (side, user) = line;
        let waits = |standing: &&mut Standing| !standing.waiting.is_empty();
        if let Some(standing) = self.lines.get_mut(&line).filter(waits) {
            if standing.strange == 0 {
                return self.call_waiting(line);
            }
            // With a full share, one of its own calls it.
            let has_share = standing.strange >= side.strange();
            if !has_share && !std::mem::replace(&mut standing.is_crowded, true) {
                self.sides.entry(side).or_default().crowded.push_back(user);
            }
        }
        self.call_crowded(side)
    }

    /// A lane was called and goes nowhere now: another at its road may, and another of its line.
    /// Says how many of its side do.
    fn call_instead(&mut self, line: Line, road: u32) -> usize {
        let other = self.roads.get_mut(&road).and_then(Road::call);
        if let Some(other) = other {
            self.place(other, road);
        }
        self.forget_road(road);
        self.call_next(line) + usize::from(other.is_some_and(|(side, _)| side == line.0))
    }

    fn call_waiting(&mut self, line: Line) -> usize {
        let waiting = self.lines.get_mut(&line).and_then(|standing| standing.waiting.pop_front());
        let Some(road) = waiting else { return 0 };
        self.place(line, road);
        1
    }

    /// The first of those who wait for room, if there is some.
    fn call_crowded(&mut self, side: Side) -> usize {
        while self.has_room(side) {
            let first = self.sides.get_mut(&side).and_then(|lines| lines.crowded.pop_front());
            let Some(line) = first.map(|user| (side, user)) else { return 0 };
            if let Some(standing) = self.lines.get_mut(&line) {
                standing.is_crowded = false;
            }
            if !self.has_enough(line) && self.call_waiting(line) > 0 {
                return 1;
            }
            self.forget_line(line);
        }
        0
    }

    fn free_road(&mut self, road: u32, trip: &Trip) {
        if let Some(way) = self.roads.get_mut(&road) {
            way.returned(trip);
            let called: Vec<Line> = (0..way.room()).map_while(|_| way.call()).collect();
            called.into_iter().for_each(|line| self.place(line, road));
        }
        self.forget_road(road);
    }

    /// The destination answered one of this tenant's: it may be a little wider next time.
    pub fn reached(&mut self, road: u32, tenant: u32) {
        let left_out = self.roads.entry(road).or_default().reached(tenant);
        self.openings.extend(left_out.map(|until| Reverse((until, road))));
    }

    /// This tenant's batch could not reach it: closed for a while, and one batch will try then.
    /// Batches that were under way at the same time count as one failure.
    pub fn unreachable(&mut self, road: u32, tenant: u32, now: u32) {
        let closed = self.roads.entry(road).or_default().unreachable(tenant, now);
        self.openings.extend(closed.map(|until| Reverse((until, road))));
    }

    /// How often in a row a destination could not be reached for this tenant's mail, and until when
    /// that is left here.
    pub fn failures(&self, road: u32, tenant: u32) -> Option<(u8, u32)> {
        self.roads.get(&road)?.failures(tenant)
    }

    /// Opens at once what was closed: an operator says so.
    pub fn hurry(&mut self, road: u32, now: u32) {
        if let Some(way) = self.roads.get_mut(&road)
            && way.hurry(now)
        {
            self.openings.push(Reverse((now, road)));
        }
    }

    fn open_roads(&mut self, now: u32) {
        while let Some(Reverse((at, road))) = self.openings.peek().copied()
            && at <= now
        {
            self.openings.pop();
            let Some(way) = self.roads.get_mut(&road) else { continue };
            // One lane tries; when it comes back the next is called.
            let called = if way.open(now) { way.call_anew() } else { way.call() };
            if let Some(line) = called {
                self.place(line, road);
            }
        }
    }

    /// The last letter to a destination is over: its number may be another's next, who has failed
    /// nobody.
    pub fn forget(&mut self, road: u32) {
        let Some(way) = self.roads.get_mut(&road) else { return };
        let parked = way.forget();
        parked.into_iter().for_each(|line| self.place(line, road));
        self.forget_road(road);
    }

    /// A road that nobody waits for, that carries nothing and did not fail is not remembered.
    fn forget_road(&mut self, road: u32) {
        if self.roads.get(&road).is_some_and(Road::is_idle) {
            self.roads.remove(&road);
        }
    }

    /// Nor is a line of which nothing stands, waits or is under way.
    fn forget_line(&mut self, line: Line) {
        let idle = |standing: &Standing| {
            let is_quiet = standing.ring.is_empty() && standing.waiting.is_empty();
            is_quiet && standing.strange == 0 && !standing.is_crowded
        };
        if self.lines.get(&line).is_some_and(idle) {
            self.lines.remove(&line);
        }
    }

    /// When a closed road opens next.
    pub fn next_opening(&self) -> Option<u32> {
        self.openings.peek().map(|Reverse((at, _))| *at)
    }

    /// Destinations that nobody could reach lately.
    pub fn closed(&self, now: u32) -> u64 {
        self.roads.values().filter(|way| way.is_closed(now)).count() as u64
    }

    /// Whether somebody could be given a turn now.
    pub fn has_turn(&self) -> bool {
        self.ring.iter().any(|side| self.has_place(*side))
    }

    pub fn leaving(&self) -> u16 {
        self.leaving
    }
}

#[cfg(test)]
mod tests {
    use super::road::FIRST_WIDTH;
    use super::{
        ALL_BATCHES, BATCH, Known, Line, OWN_BATCHES, OWN_SPARE, OWN_STRANGE, RELAYED_BATCHES,
        RELAYED_STRANGE, Schedule, Side, Trip, Turn,
    };
    use crate::table::Hand;
    use terms::UserId;
    use wire::post::Why;

    /// Which legs may leave, and which roads are quick.
    struct Knows<L, R>(L, R);

    impl<L: Fn(u32) -> bool, R: Fn(u32) -> bool> Known for Knows<L, R> {
        fn may_leave(&mut self, leg: u32) -> bool {
            (self.0)(leg)
        }

        fn is_quick(&self, road: u32) -> bool {
            (self.1)(road)
        }

        fn is_withheld(&self, _tenant: u32) -> bool {
            false
        }
    }

    /// A person's own mail; each tenant has one of this number.
    fn of(tenant: u32, user: u8) -> Line {
        (Side { tenant, hand: Hand::Own }, UserId([user; 8]))
    }

    /// What such a person's batch takes up.
    fn trip(tenant: u32, roads: &[u32]) -> Trip {
        let (side, user) = of(tenant, 0);
        Trip { side, users: vec![user], roads: roads.to_vec(), is_strange: true }
    }

    fn passed_on(tenant: u32, user: u8) -> Line {
        (Side { tenant, hand: Hand::Others }, UserId([user; 8]))
    }

    fn next(schedule: &mut Schedule, now: u32) -> Option<Turn> {
        schedule.next(now, None, &mut Knows(|_| true, |_| false))
    }

    #[test]
    fn one_letter_behind_a_million_leaves_in_the_next_turn() {
        let mut schedule = Schedule::default();
        for leg in 0..1_000_000 {
            schedule.enter(leg, of(1, 0), leg % 1_000);
        }
        assert_eq!(next(&mut schedule, 0).unwrap().trip.side.tenant, 1);
        schedule.enter(1_000_000, of(2, 0), 5);
        let turns: Vec<Turn> = (0..2).filter_map(|_| next(&mut schedule, 0)).collect();
        assert!(turns.iter().any(|turn| turn.trip.side.tenant == 2 && turn.legs == [1_000_000]));
    }

    #[test]
    fn legs_of_a_lane_leave_in_their_order_and_in_batches() {
        let mut schedule = Schedule::default();
        let count = BATCH as u32 + 3;
        (0..count).for_each(|leg| schedule.enter(leg, of(1, 0), 7));
        let first = next(&mut schedule, 0).unwrap();
        assert_eq!(first.legs, (0..BATCH as u32).collect::<Vec<_>>());
        let second = next(&mut schedule, 0).unwrap();
        assert_eq!(second.legs, (BATCH as u32..count).collect::<Vec<_>>());
        assert_eq!(next(&mut schedule, 0), None);
    }

    #[test]
    fn a_road_is_only_so_wide_and_widens_with_success() {
        let mut schedule = Schedule::default();
        for leg in 0..BATCH as u32 * 40 {
            schedule.enter(leg, of(1, (leg % 20) as u8), 7);
        }
        let turns = (0..40).map_while(|_| next(&mut schedule, 0)).count();
        assert_eq!(turns, usize::from(FIRST_WIDTH));
        schedule.reached(7, 1);
        schedule.returned(&trip(1, &[7]));
        let turns = (0..40).map_while(|_| next(&mut schedule, 0)).count();
        assert_eq!(turns, 2, "one came back, and there is room for one more");
    }

    #[test]
    fn a_dead_destination_takes_one_turn_and_holds_up_nobody() {
        let mut schedule = Schedule::default();
        (0..10_000).for_each(|leg| schedule.enter(leg, of(1, 0), 666));
        (10_000..10_010).for_each(|leg| schedule.enter(leg, of(1, 0), 5));
        let dead = next(&mut schedule, 0).unwrap();
        assert_eq!(dead.trip.roads, [666]);
        schedule.unreachable(666, 1, 0);
        schedule.returned(&trip(1, &[666]));
        dead.legs.iter().for_each(|leg| schedule.enter(*leg, of(1, 0), 666));
        assert_eq!(next(&mut schedule, 1).unwrap().trip.roads, [5]);
        assert_eq!(next(&mut schedule, 59), None);
        assert_eq!(schedule.next_opening(), Some(60));
        assert_eq!(next(&mut schedule, 60).unwrap().trip.roads, [666], "one tries again");
        assert_eq!(next(&mut schedule, 60), None, "and only one");
    }

    #[test]
    fn a_parked_lane_of_each_tenant_is_called_in_turn() {
        let mut schedule = Schedule::default();
        for tenant in 1..=3 {
            (0..100).for_each(|leg| schedule.enter(tenant * 1_000 + leg, of(tenant, 0), 7));
        }
        // Two of them saw it so.
        schedule.unreachable(7, 1, 0);
        schedule.unreachable(7, 2, 0);
        assert_eq!(next(&mut schedule, 1), None);
        let mut seen = Vec::new();
        let mut now = 60;
        for _ in 0..3 {
            let turn = next(&mut schedule, now).unwrap();
            seen.push(turn.trip.side.tenant);
            reached(&mut schedule, &turn);
            schedule.returned(&turn.trip);
            now += 1;
        }
        seen.sort_unstable();
        assert_eq!(seen, [1, 2, 3]);
    }

    fn turns(schedule: &mut Schedule) -> Vec<Turn> {
        std::iter::from_fn(|| next(schedule, 0)).collect()
    }

    #[test]
    fn nobody_takes_all_turns() {
        let mut schedule = Schedule::default();
        for leg in 0..10_000 {
            schedule.enter(leg, of(1, (leg % 100) as u8), leg);
        }
        assert_eq!(turns(&mut schedule).len(), usize::from(OWN_BATCHES));
        schedule.enter(10_000, of(2, 0), 3);
        assert_eq!(next(&mut schedule, 0).unwrap().trip.side.tenant, 2);
        schedule.returned(&trip(1, &[0]));
        assert_eq!(next(&mut schedule, 0).unwrap().trip.side.tenant, 1);
        for tenant in 3..100 {
            schedule.enter(20_000 + tenant, of(tenant, 0), tenant);
        }
        let all = turns(&mut schedule).len();
        assert!(all >= usize::from(ALL_BATCHES - OWN_BATCHES), "{all}");
        assert!(!schedule.has_turn() || next(&mut schedule, 0).is_none());
    }

    /// Remotes that only drip, as many as one likes, chosen by a stranger or by one of the people.
    #[test]
    fn whoever_writes_to_many_that_drip_stops_nobody_else_of_their_tenant() {
        let mut schedule = Schedule::default();
        (0..500).for_each(|leg| schedule.enter(leg, passed_on(1, 7), leg));
        let dripping = turns(&mut schedule);
        assert_eq!(dripping.len(), usize::from(RELAYED_STRANGE));
        assert!(!schedule.has_turn(), "what waits at its line asks for no hands");
        // Somebody else's who forwards, or is away.
        schedule.enter(1_000, passed_on(1, 8), 1_000);
        assert_eq!(next(&mut schedule, 0).unwrap().legs, [1_000]);
        (2_000..2_500).for_each(|leg| schedule.enter(leg, of(1, 7), leg));
        assert_eq!(turns(&mut schedule).len(), usize::from(OWN_STRANGE));
        schedule.enter(3_000, of(1, 8), 3_000);
        assert_eq!(next(&mut schedule, 0).unwrap().legs, [3_000]);
        // One comes back: the next of that line goes, and only that.
        schedule.returned(&dripping[0].trip);
        let more = turns(&mut schedule);
        assert_eq!(more.len(), 1);
        assert_eq!(more[0].trip.side, dripping[0].trip.side);
    }

    /// Two people, each with as many remotes that drip as they like, have all but a colleague's.
    #[test]
    fn people_with_many_slow_remotes_leave_places_for_their_colleagues() {
        let mut schedule = Schedule::default();
        for leg in 0..1_000 {
            schedule.enter(leg, of(1, 1 + (leg % 2) as u8), leg);
        }
        let mut dripping = turns(&mut schedule);
        assert_eq!(dripping.len(), usize::from(OWN_BATCHES - OWN_SPARE));
        for user in 0..OWN_SPARE as u8 {
            let leg = 2_000 + u32::from(user);
            schedule.enter(leg, of(1, 10 + user), leg);
            assert_eq!(next(&mut schedule, 0).unwrap().legs, [leg], "{user}");
        }
        // All of it leaves, each leg once.
        let mut gone = dripping.len();
        while let Some(turn) = dripping.pop() {
            schedule.returned(&turn.trip);
            let more = turns(&mut schedule);
            gone += more.len();
            dripping.extend(more);
        }
        assert_eq!(gone, 1_000);
    }

    /// However many of a tenant's people forward to where nothing answers, short of all places.
    #[test]
    fn a_few_who_forward_leave_places_for_the_others_of_their_tenant() {
        let mut schedule = Schedule::default();
        for leg in 0..1_000 {
            schedule.enter(leg, passed_on(1, (leg % 4) as u8), leg);
        }
        let mut dripping = turns(&mut schedule);
        assert!(dripping.len() <= usize::from(RELAYED_BATCHES - 6), "{}", dripping.len());
        for user in 10..16 {
            let leg = 2_000 + u32::from(user);
            schedule.enter(leg, passed_on(1, user), leg);
            assert_eq!(next(&mut schedule, 0).unwrap().legs, [leg], "{user}");
        }
        // All of it leaves, each leg once.
        let mut gone = dripping.len();
        while let Some(turn) = dripping.pop() {
            schedule.returned(&turn.trip);
            let more = turns(&mut schedule);
            gone += more.len();
            dripping.extend(more);
        }
        assert_eq!(gone, 1_000);
    }

    #[test]
    fn who_waited_for_the_others_has_as_many_places_as_ever_when_they_are_done() {
        let mut schedule = Schedule::default();
        (0..6).for_each(|leg| schedule.enter(leg, passed_on(1, 1 + leg as u8 % 3), leg));
        (100..140).for_each(|leg| schedule.enter(leg, passed_on(1, 9), leg));
        let (own, others): (Vec<Turn>, Vec<Turn>) =
            turns(&mut schedule).into_iter().partition(|turn| turn.legs[0] >= 100);
        assert!(own.len() < usize::from(RELAYED_STRANGE), "{}", own.len());
        others.iter().for_each(|turn| schedule.returned(&turn.trip));
        schedule.returned(&own[0].trip);
        let under_way = own.len() - 1 + turns(&mut schedule).len();
        assert_eq!(under_way, usize::from(RELAYED_STRANGE));
    }

    /// A dead destination keeps a turn for minutes; who wrote there waits for their colleagues to
    /// come back with the rest of their mail, and not for that turn.
    #[test]
    fn who_wrote_to_a_dead_destination_waits_for_no_return_from_there() {
        let mut schedule = Schedule::default();
        schedule.enter(0, of(1, 0), 0);
        let _dead = next(&mut schedule, 0).unwrap();
        let busy = u32::from(OWN_BATCHES - OWN_SPARE) - 1;
        (1..=busy).for_each(|leg| schedule.enter(leg, of(1, leg as u8), leg));
        let others = turns(&mut schedule);
        assert_eq!(others.len(), busy as usize);
        // Of two people: the second has somewhere dead as well, while there is no room.
        schedule.enter(50, of(1, 50), 50);
        let _dead_too = next(&mut schedule, 0).unwrap();
        (100..140).for_each(|leg| schedule.enter(leg, of(1, 50 * (leg % 2) as u8), leg));
        assert_eq!(next(&mut schedule, 0), None, "there is no room beside the others");
        others.iter().for_each(|turn| schedule.returned(&turn.trip));
        let mut under_way = turns(&mut schedule);
        let of_first = under_way.iter().filter(|turn| turn.legs[0] % 2 == 0).count();
        assert_eq!((under_way.len(), of_first), (14, 7), "both, and room is left for others");
        let mut gone = under_way.len();
        while let Some(turn) = under_way.pop() {
            schedule.returned(&turn.trip);
            let more = turns(&mut schedule);
            gone += more.len();
            under_way.extend(more);
        }
        assert_eq!(gone, 40);
    }

    /// One that is silent keeps little of anybody's share, however much was written to it, however
    /// wide it was; and other tenants' mail for it is not behind that.
    #[test]
    fn a_silent_destination_keeps_few_turns() {
        let mut schedule = Schedule::default();
        for leg in 0..2_000 {
            schedule.enter(leg, of(1, (leg % 2) as u8), 7);
        }
        let all = |schedule: &mut Schedule| turns(schedule).len();
        assert_eq!(all(&mut schedule), usize::from(FIRST_WIDTH));
        (3_000..3_003).for_each(|leg| schedule.enter(leg, of(leg, 0), 7));
        assert_eq!(all(&mut schedule), 2, "two tenants more may find out");
        // It was reached often, and is silent now.
        let mut schedule = Schedule::default();
        (0..2_000).for_each(|leg| schedule.enter(leg, of(1, 0), 7));
        (0..16).for_each(|_| schedule.reached(7, 1));
        assert_eq!(all(&mut schedule), 2, "of one person");
        (2_000..2_800).for_each(|leg| schedule.enter(leg, of(1, 1), 7));
        assert_eq!(all(&mut schedule), 2, "of another");
        (3_000..3_012).for_each(|leg| schedule.enter(leg, of(1, 0), leg));
        assert_eq!(all(&mut schedule), usize::from(OWN_STRANGE) - 2, "the rest of the share");
        // A third person finds it quick: it is only so wide again.
        schedule.enter(4_000, of(1, 2), 7);
        let mut quick = || schedule.next(0, None, &mut Knows(|_| true, |road| road == 7));
        let third = quick().unwrap();
        assert_eq!((third.trip.roads.as_slice(), third.legs[0]), (&[7][..], 4_000));
        schedule.returned(&third.trip);
        let mut quick = || schedule.next(0, None, &mut Knows(|_| true, |road| road == 7));
        assert!(quick().is_some_and(|turn| turn.trip.roads == [7] && turn.legs[0] < 2_800));
    }

    /// A lane that was called to its road and waits at its line for something else leaves the road
    /// to the next.
    #[test]
    fn a_road_calls_another_when_the_first_cannot_come() {
        let mut schedule = Schedule::default();
        (0..2).for_each(|leg| schedule.enter(leg, of(1, leg as u8), 7));
        schedule.unreachable(7, 1, 0);
        assert_eq!(next(&mut schedule, 1), None);
        // The first has its full share where nothing answers by the time it opens.
        (10..40).for_each(|leg| schedule.enter(leg, of(1, 0), leg));
        assert_eq!(turns(&mut schedule).len(), usize::from(OWN_STRANGE));
        let turn = next(&mut schedule, 60).unwrap();
        assert_eq!((turn.trip.roads, turn.legs), (vec![7], vec![1]));
    }

    /// Whatever comes, goes and breaks beside a dead destination's, which never comes back: all
    /// leaves.
    #[test]
    fn what_does_not_come_back_keeps_nothing_else() {
        for seed in 1..60u64 {
            let mut state = seed;
            let mut random = move |below: u32| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                ((state >> 33) as u32) % below
            };
            let breaks = seed.is_multiple_of(2);
            let tenants = 1 + seed as u32 % 3;
            let quick = |road: u32| road != 0 && (road + seed as u32).is_multiple_of(3);
            let next = |schedule: &mut Schedule, now: u32| {
                schedule.next(now, None, &mut Knows(|_| true, quick))
            };
            let mut schedule = Schedule::default();
            let mut under_way: Vec<Turn> = Vec::new();
            let mut gone = vec![false; 2_000];
            let mut ways: Vec<(Line, u32)> = Vec::new();
            let mut now = 0;
            let is_dead = |turn: &Turn| turn.trip.roads == [0];
            while ways.len() < gone.len() {
                match random(9) {
                    0..4 => {
                        let road = random(200) * u32::from(random(20) > 0);
                        let tenant = 1 + random(tenants);
                        let line = match random(2) {
                            0 => of(tenant, random(20) as u8),
                            _ => passed_on(tenant, random(10) as u8),
                        };
                        schedule.enter(ways.len() as u32, line, road);
                        ways.push((line, road));
                    }
                    4..7 => under_way.extend(next(&mut schedule, now)),
                    7 if breaks => now += random(3),
                    _ if under_way.is_empty() => {}
                    _ => {
                        let at = random(under_way.len() as u32) as usize;
                        if is_dead(&under_way[at]) {
                            continue;
                        }
                        let turn = under_way.swap_remove(at);
                        let broken = turn.trip.roads[0];
                        match breaks && turn.trip.roads.len() == 1 && random(4) == 0 {
                            true => schedule.unreachable(broken, turn.trip.side.tenant, now),
                            false => reached(&mut schedule, &turn),
                        }
                        schedule.returned(&turn.trip);
                        let is_closed = schedule.failures(broken, turn.trip.side.tenant).is_some();
                        for leg in turn.legs {
                            let (line, road) = ways[leg as usize];
                            match is_closed && road == broken {
                                true => schedule.enter(leg, line, road),
                                false => gone[leg as usize] = true,
                            }
                        }
                    }
                }
            }
            for _ in 0..2_000 {
                now += if breaks { 600 } else { 0 };
                under_way.extend(std::iter::from_fn(|| next(&mut schedule, now)));
                for turn in under_way.extract_if(.., |turn| !is_dead(turn)) {
                    reached(&mut schedule, &turn);
                    schedule.returned(&turn.trip);
                    turn.legs.iter().for_each(|leg| gone[*leg as usize] = true);
                }
            }
            let is_left = |leg: &usize| !gone[*leg] && ways[*leg].1 != 0;
            assert_eq!((0..gone.len()).filter(is_left).count(), 0, "seed {seed}");
        }
    }

    /// Two tenants' forwards take no third one's turn.
    #[test]
    fn tenants_with_nothing_passed_on_under_way_have_a_place() {
        let mut schedule = Schedule::default();
        for leg in 0..4_000 {
            schedule.enter(leg, passed_on(1 + leg % 2, (leg / 2 % 100) as u8), leg);
        }
        assert_eq!(turns(&mut schedule).len(), usize::from(super::ALL_RELAYED));
        schedule.enter(5_000, passed_on(3, 1), 5_000);
        assert_eq!(next(&mut schedule, 0).unwrap().legs, [5_000]);
    }

    #[test]
    fn what_is_passed_on_for_all_tenants_leaves_places_for_what_their_people_wrote() {
        let mut schedule = Schedule::default();
        for leg in 0..4_000 {
            schedule.enter(leg, passed_on(leg % 20, (leg / 20 % 10) as u8), leg);
        }
        let away = turns(&mut schedule);
        let of_one = away.iter().filter(|turn| turn.trip.side.tenant == 3).count();
        assert!(of_one <= usize::from(RELAYED_BATCHES), "{of_one}");
        assert_eq!(away.len(), usize::from(super::ALL_RELAYED));
        (0..20).for_each(|tenant| schedule.enter(5_000 + tenant, of(tenant, 1), 5_000 + tenant));
        assert_eq!(turns(&mut schedule).len(), 20);
    }

    #[test]
    fn lanes_that_wait_at_their_line_go_on_though_the_one_that_was_called_cannot() {
        let mut schedule = Schedule::default();
        (0..40).for_each(|leg| schedule.enter(leg, passed_on(1, 7), leg));
        let mut gone = 0;
        let mut under_way = turns(&mut schedule);
        // Whatever is called next is closed, each time but the last.
        (0..30).for_each(|road| schedule.unreachable(road, 1, 0));
        while let Some(turn) = under_way.pop() {
            gone += turn.legs.len();
            schedule.returned(&turn.trip);
            let called = std::iter::from_fn(|| next(&mut schedule, 1));
            under_way.extend(called);
        }
        assert_eq!(gone, 4 + 10);
        let rest: Vec<Turn> = std::iter::from_fn(|| {
            let turn = next(&mut schedule, 60)?;
            schedule.returned(&turn.trip);
            Some(turn)
        })
        .collect();
        assert_eq!(rest.len(), 26);
    }

    #[test]
    fn letters_of_several_people_to_one_place_share_a_batch() {
        let mut schedule = Schedule::default();
        (0..40).for_each(|leg| schedule.enter(leg, of(1, leg as u8), 7));
        let turn = next(&mut schedule, 0).unwrap();
        assert_eq!((turn.legs.len(), turn.trip.users.len()), (40, 40));
        assert_eq!(turn.trip.roads, [7]);
        schedule.returned(&turn.trip);
        assert_eq!(schedule.leaving(), 0);
    }

    #[test]
    fn a_number_that_is_given_anew_has_failed_nobody() {
        let mut schedule = Schedule::default();
        schedule.enter(1, of(1, 0), 7);
        schedule.unreachable(7, 1, 0);
        assert_eq!(next(&mut schedule, 1), None);
        assert_eq!(schedule.failures(7, 1), Some((1, 60)));
        schedule.forget(7);
        schedule.enter(2, of(1, 0), 7);
        assert_eq!(next(&mut schedule, 1).unwrap().legs, [1, 2]);
        assert_eq!(schedule.failures(7, 1), None);
    }

    #[test]
    fn what_may_not_leave_any_more_is_dropped() {
        let mut schedule = Schedule::default();
        (0..4).for_each(|leg| schedule.enter(leg, of(1, 0), 7));
        let turn = schedule.next(0, None, &mut Knows(|leg| leg % 2 == 0, |_| false)).unwrap();
        assert_eq!(turn.legs, [0, 2]);
        (4..6).for_each(|leg| schedule.enter(leg, of(1, 0), 8));
        assert_eq!(schedule.next(0, None, &mut Knows(|_| false, |_| false)), None);
    }

    fn reached(schedule: &mut Schedule, turn: &Turn) {
        let tenant = turn.trip.side.tenant;
        turn.trip.roads.iter().for_each(|road| schedule.reached(*road, tenant));
    }

    /// Nor do two of them close it to a third; and who is served again has no failures.
    #[test]
    fn what_a_host_refuses_its_tenants_is_theirs_alone() {
        let mut schedule = Schedule::default();
        for tenant in 1..=3 {
            schedule.enter(tenant, of(tenant, 1), 7);
        }
        for tenant in [1, 2] {
            let turn = next(&mut schedule, 0).unwrap();
            assert_eq!(turn.trip.side.tenant, tenant);
            schedule.refuses(7, tenant, 0, Why::NotSignedIn);
            schedule.returned(&turn.trip);
            schedule.enter(tenant, of(tenant, 1), 7);
            assert_eq!(schedule.refused_for(7, tenant), Some(Why::NotSignedIn));
        }
        let third = next(&mut schedule, 1).unwrap();
        assert_eq!((third.trip.side.tenant, schedule.failures(7, 3)), (3, None));
        schedule.reached(7, 3);
        schedule.returned(&third.trip);
        assert!(next(&mut schedule, 59).is_none());
        assert_eq!(schedule.next_opening(), Some(60));
        for tenant in [1, 2] {
            let turn = next(&mut schedule, 60).unwrap();
            assert_eq!(turn.trip.side.tenant, tenant);
            match tenant {
                1 => schedule.refuses(7, 1, 60, Why::NotSignedIn),
                _ => schedule.reached(7, 2),
            }
            schedule.returned(&turn.trip);
            schedule.enter(tenant, of(tenant, 1), 7);
        }
        assert_eq!((schedule.failures(7, 1), schedule.failures(7, 2)), (Some((2, 180)), None));
        assert_eq!(next(&mut schedule, 61).unwrap().trip.side.tenant, 2);
        assert!(next(&mut schedule, 62).is_none());
        // An operator says that it was mended.
        schedule.hurry(7, 62);
        assert_eq!(next(&mut schedule, 62).unwrap().trip.side.tenant, 1);
    }

    /// The one tenant's own address is refused there, or whoever carries for it lies.
    #[test]
    fn a_destination_that_one_tenant_cannot_reach_is_open_to_the_others() {
        let mut schedule = Schedule::default();
        (0..10).for_each(|leg| schedule.enter(leg, of(1, leg as u8), 7));
        for round in 0..5 {
            let now = round * 100;
            let lied = next(&mut schedule, now).unwrap();
            assert_eq!(lied.trip.side.tenant, 1, "{round}");
            schedule.unreachable(7, 1, now);
            schedule.returned(&lied.trip);
            lied.legs.iter().for_each(|leg| schedule.enter(*leg, of(1, *leg as u8), 7));
            assert!(schedule.failures(7, 1).is_some() && schedule.failures(7, 2).is_none());
            // At once, not after a minute; and nobody waits for those who are left out.
            for _ in 0..2 {
                (10..20).for_each(|leg| schedule.enter(leg, of(2, leg as u8), 7));
                let other = next(&mut schedule, now + 1).unwrap();
                assert_eq!((other.trip.side.tenant, other.legs.len()), (2, 10), "{round}");
                schedule.reached(7, 2);
                schedule.returned(&other.trip);
            }
            assert_eq!(next(&mut schedule, now + 59), None);
            assert_eq!(schedule.failures(7, 1), Some((1, now + 60)));
        }
    }

    #[test]
    fn a_dead_destination_is_tried_by_two_tenants_and_then_by_those_in_turn_who_did_not_try_last() {
        let mut schedule = Schedule::default();
        for tenant in 1..=3 {
            (0..3).for_each(|user| {
                schedule.enter(tenant * 10 + user, of(tenant, user as u8), 7);
            });
        }
        let fails = |schedule: &mut Schedule, now: u32| {
            let turn = next(schedule, now)?;
            let tenant = turn.trip.side.tenant;
            schedule.unreachable(7, tenant, now);
            schedule.returned(&turn.trip);
            turn.legs.iter().for_each(|leg| {
                schedule.enter(*leg, of(tenant, (*leg % 10) as u8), 7);
            });
            Some(tenant)
        };
        assert_eq!([fails(&mut schedule, 0), fails(&mut schedule, 1)], [Some(1), Some(2)]);
        assert_eq!(fails(&mut schedule, 2), None, "two have seen it");
        assert_eq!(fails(&mut schedule, 60), Some(3), "who has not tried");
        assert_eq!(fails(&mut schedule, 61), None);
        assert_eq!(fails(&mut schedule, 180), Some(1));
        assert_eq!(fails(&mut schedule, 181), None);
        assert_eq!(fails(&mut schedule, 420), Some(2));
    }

    #[test]
    fn quick_roads_share_a_turn_and_slow_ones_do_not_wait_for_them() {
        let mut schedule = Schedule::default();
        // Roads 0, 1, 3 and 4 are quick, with more letters than turns take at once.
        for leg in 0..600 {
            schedule.enter(leg, of(1, 0), leg % 5);
        }
        let mut turn = || schedule.next(0, None, &mut Knows(|_| true, |road| road != 2)).unwrap();
        let (first, second, third) = (turn(), turn(), turn());
        assert_eq!((first.trip.roads, first.legs.len()), (vec![0], BATCH));
        assert_eq!((second.trip.roads, second.legs.len()), (vec![1], BATCH));
        assert_eq!((third.trip.roads, third.legs.len()), (vec![2], BATCH), "its turn, and alone");
        let mut schedule = Schedule::default();
        for leg in 0..20 {
            schedule.enter(leg, of(1, 0), leg % 10);
        }
        let mut turn = || schedule.next(0, None, &mut Knows(|_| true, |road| road != 4)).unwrap();
        assert_eq!(turn().trip.roads, [0, 1, 2, 3]);
        assert_eq!(turn().trip.roads, [4]);
        assert_eq!(
            turn(),
            Turn {
                trip: Trip { is_strange: false, ..trip(1, &[5, 6, 7, 8, 9]) },
                legs: vec![5, 15, 6, 16, 7, 17, 8, 18, 9, 19],
            }
        );
    }

    #[test]
    fn a_road_that_broke_or_is_full_goes_into_no_shared_turn() {
        let mut schedule = Schedule::default();
        schedule.unreachable(2, 1, 0);
        let mut entered = 0;
        for _ in 0..=FIRST_WIDTH {
            for road in 1..4 {
                schedule.enter(entered, of(1, 0), road);
                entered += 1;
            }
            let turn = schedule.next(1, None, &mut Knows(|_| true, |_| true));
            let expected =
                if entered <= u32::from(FIRST_WIDTH) * 3 { Some(vec![1, 3]) } else { None };
            assert_eq!(turn.map(|turn| turn.trip.roads), expected);
        }
        schedule.returned(&Trip { is_strange: false, ..trip(1, &[1, 3]) });
        let turn = schedule.next(1, None, &mut Knows(|_| true, |_| true)).unwrap();
        assert_eq!(turn.trip.roads, [1, 3], "both had been parked");
    }

    /// Random comings and goings: every leg leaves exactly once, whatever fails meanwhile.
    #[test]
    fn every_leg_leaves_once() {
        for seed in 1..40u64 {
            let mut state = seed;
            let mut random = move |below: u32| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                ((state >> 33) as u32) % below
            };
            let mut schedule = Schedule::default();
            let quick = |road: u32| !(road + seed as u32).is_multiple_of(3);
            let next = |schedule: &mut Schedule, now: u32| {
                schedule.next(now, None, &mut Knows(|_| true, quick))
            };
            let mut under_way: Vec<Turn> = Vec::new();
            let mut gone = vec![0u8; 3_000];
            let (mut entered, mut now) = (0u32, 0u32);
            for _ in 0..200_000 {
                match random(4) {
                    0 if entered < 3_000 => {
                        let user = (entered % 3) as u8;
                        schedule.enter(entered, of(entered % 5, user), entered % 11);
                        entered += 1;
                    }
                    1 => under_way.extend(next(&mut schedule, now)),
                    2 if !under_way.is_empty() => {
                        let at = random(under_way.len() as u32) as usize;
                        let turn = under_way.swap_remove(at);
                        schedule.returned(&turn.trip);
                        let dead = turn.trip.roads[random(turn.trip.roads.len() as u32) as usize];
                        let fails = random(5) == 0;
                        if fails {
                            schedule.unreachable(dead, turn.trip.side.tenant, now);
                        }
                        for leg in turn.legs {
                            match fails && leg % 11 == dead {
                                true => {
                                    let line = of(turn.trip.side.tenant, (leg % 3) as u8);
                                    schedule.enter(leg, line, dead);
                                }
                                false => gone[leg as usize] += 1,
                            }
                        }
                        let others = turn.trip.roads.iter().filter(|road| !fails || **road != dead);
                        let tenant = turn.trip.side.tenant;
                        others.for_each(|road| schedule.reached(*road, tenant));
                    }
                    _ => now += random(30),
                }
            }
            while gone.iter().take(entered as usize).any(|count| *count == 0) {
                now += 3_600;
                while let Some(turn) = next(&mut schedule, now) {
                    reached(&mut schedule, &turn);
                    schedule.returned(&turn.trip);
                    turn.legs.iter().for_each(|leg| gone[*leg as usize] += 1);
                }
                for turn in under_way.drain(..) {
                    schedule.returned(&turn.trip);
                    turn.legs.iter().for_each(|leg| gone[*leg as usize] += 1);
                }
            }
            assert!(gone.iter().take(entered as usize).all(|count| *count == 1), "seed {seed}");
        }
    }
}
