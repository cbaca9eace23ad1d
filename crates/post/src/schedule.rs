//! Who leaves next: tenants in turn, destinations gently. Knows slots and seconds, nothing else.
//!
//! Each (tenant, destination) is a *lane* of legs, first come first served. Each tenant has a ring
//! of lanes that may move, and the tenants stand in a ring themselves, so that a tenant with one
//! letter waits for one turn of each other tenant and not for their letters. A destination is a
//! *road*: closed for a while when it could not be reached, and only so wide. A lane whose road is
//! closed or full is parked at the road and costs nothing until the road calls it.
//!
//! A turn is one lane's, or of several whose roads are known to be quick: what it costs to hand
//! over, open and record is then shared by letters to many places.

use crate::state::closed_seconds;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

/// No slot: the end of a lane.
const NONE: u32 = u32::MAX;
/// Legs handed to one `depart` at once: what one connection carries, and what one owned
/// instance sees.
pub const BATCH: usize = 50;
/// Batches of one destination at once: most receivers count connections of one client.
const WIDEST: u16 = 16;
/// A destination that was not seen yet.
const FIRST_WIDTH: u16 = 4;
/// Batches under way for one tenant, and for all.
const TENANT_BATCHES: u16 = 24;
const ALL_BATCHES: u16 = 64;
/// Beyond these, for tenants that have nothing under way: nobody waits for others' slow remotes.
const SPARE_BATCHES: u16 = 16;

#[derive(Default)]
struct Lane {
    head: Option<u32>,
    tail: u32,
    /// It stands in its tenant's ring, or is parked at its road.
    placed: bool,
}

#[derive(Default)]
struct Tenant {
    ring: VecDeque<u32>,
    leaving: u16,
    /// It stands in the ring of tenants.
    placed: bool,
}

struct Road {
    leaving: u16,
    width: u16,
    failures: u8,
    closed_until: u32,
    parked: VecDeque<u32>,
}

impl Default for Road {
    fn default() -> Self {
        let parked = VecDeque::new();
        Self { leaving: 0, width: FIRST_WIDTH, failures: 0, closed_until: 0, parked }
    }
}

/// Legs of one tenant, taken to be carried, and the roads that they take: one, or quick ones.
#[derive(Debug, PartialEq, Eq)]
pub struct Turn {
    pub tenant: u32,
    pub roads: Vec<u32>,
    pub legs: Vec<u32>,
}

/// What only the table knows.
pub trait Known {
    /// Whether a leg that was entered may still leave; one that may not is dropped.
    fn may_leave(&mut self, leg: u32) -> bool;
    /// Whether a road took mail at once when it was last tried.
    fn is_quick(&self, road: u32) -> bool;
}

/// The order of leaving.
#[derive(Default)]
pub struct Schedule {
    lanes: HashMap<(u32, u32), Lane>,
    /// The leg behind each leg, by slot.
    behind: Vec<u32>,
    tenants: HashMap<u32, Tenant>,
    ring: VecDeque<u32>,
    /// Tenants that have as much under way as they may.
    resting: VecDeque<u32>,
    roads: HashMap<u32, Road>,
    openings: BinaryHeap<Reverse<(u32, u32)>>,
    leaving: u16,
}

impl Schedule {
    /// A leg that may leave. Each leg is entered once until it was taken.
    pub fn enter(&mut self, leg: u32, tenant: u32, road: u32) {
        let place = leg as usize;
        if self.behind.len() <= place {
            self.behind.resize(place + 1, NONE);
        }
        if let Some(behind) = self.behind.get_mut(place) {
            *behind = NONE;
        }
        let lane = self.lanes.entry((tenant, road)).or_default();
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
            self.place(tenant, road);
        }
    }

    fn place(&mut self, tenant: u32, road: u32) {
        let one = self.tenants.entry(tenant).or_default();
        one.ring.push_back(road);
        if !std::mem::replace(&mut one.placed, true) {
            self.ring.push_back(tenant);
        }
    }

    /// The next turn. `tenant`: only of this one.
    pub fn next(&mut self, now: u32, tenant: Option<u32>, known: &mut dyn Known) -> Option<Turn> {
        self.open_roads(now);
        match tenant {
            Some(tenant) => self.turn_of(tenant, now, known),
            None => {
                for _ in 0..self.ring.len() {
                    let tenant = self.ring.pop_front()?;
                    let turn = self.turn_of(tenant, now, known);
                    self.put_back(tenant);
                    if turn.is_some() {
                        return turn;
                    }
                }
                None
            }
        }
    }

    /// A tenant that was taken from the ring goes to its end if it still has lanes that may move.
    fn put_back(&mut self, tenant: u32) {
        let Some(one) = self.tenants.get_mut(&tenant) else { return };
        if one.ring.is_empty() {
            one.placed = false;
            if one.leaving == 0 {
                self.tenants.remove(&tenant);
            }
        } else if one.leaving >= TENANT_BATCHES {
            self.resting.push_back(tenant);
        } else {
            self.ring.push_back(tenant);
        }
    }

    fn turn_of(&mut self, tenant: u32, now: u32, known: &mut dyn Known) -> Option<Turn> {
        let busy = self.tenants.get(&tenant)?.leaving;
        let limit = if busy == 0 { ALL_BATCHES + SPARE_BATCHES } else { ALL_BATCHES };
        if busy >= TENANT_BATCHES || self.leaving >= limit {
            return None;
        }
        let mut turn = Turn { tenant, roads: Vec::new(), legs: Vec::new() };
        // Each lane is looked at once: one that is left goes to the ring's end.
        for _ in 0..self.tenants.get(&tenant)?.ring.len() {
            let Some(road) = self.tenants.get_mut(&tenant)?.ring.pop_front() else { break };
            let way = self.roads.entry(road).or_default();
            if way.closed_until > now || way.leaving >= way.width {
                way.parked.push_back(tenant);
                continue;
            }
            let is_quick = way.failures == 0 && known.is_quick(road);
            // It is the next to go, alone.
            if !turn.roads.is_empty() && !is_quick {
                if let Some(one) = self.tenants.get_mut(&tenant) {
                    one.ring.push_front(road);
                }
                break;
            }
            let room = BATCH.saturating_sub(turn.legs.len());
            let legs = self.take((tenant, road), room, known);
            if legs.is_empty() {
                self.forget_road(road);
                continue;
            }
            if let Some(way) = self.roads.get_mut(&road) {
                way.leaving += 1;
            }
            turn.roads.push(road);
            turn.legs.extend(legs);
            if !is_quick || turn.legs.len() >= BATCH {
                break;
            }
        }
        if turn.roads.is_empty() {
            return None;
        }
        if let Some(one) = self.tenants.get_mut(&tenant) {
            one.leaving += 1;
        }
        self.leaving += 1;
        Some(turn)
    }

    /// Takes up to `room` legs from the front of a lane; a lane that is left goes behind its
    /// tenant's others.
    fn take(&mut self, (tenant, road): (u32, u32), room: usize, known: &mut dyn Known) -> Vec<u32> {
        let mut legs = Vec::new();
        let Some(lane) = self.lanes.get_mut(&(tenant, road)) else { return legs };
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
            self.lanes.remove(&(tenant, road));
            return legs;
        }
        // Others who wait at this road come first.
        match self.roads.get_mut(&road).filter(|way| !way.parked.is_empty()) {
            Some(way) => way.parked.push_back(tenant),
            None => {
                if let Some(one) = self.tenants.get_mut(&tenant) {
                    one.ring.push_back(road);
                }
            }
        }
        legs
    }

    /// A batch is over, however it ended.
    pub fn returned(&mut self, tenant: u32, roads: &[u32]) {
        self.leaving = self.leaving.saturating_sub(1);
        roads.iter().for_each(|road| self.free_road(*road));
        let Some(one) = self.tenants.get_mut(&tenant) else { return };
        one.leaving = one.leaving.saturating_sub(1);
        if let Some(at) = self.resting.iter().position(|resting| *resting == tenant) {
            self.resting.remove(at);
            self.ring.push_back(tenant);
        } else if one.leaving == 0 && !one.placed {
            self.tenants.remove(&tenant);
        }
    }

    fn free_road(&mut self, road: u32) {
        if let Some(way) = self.roads.get_mut(&road) {
            way.leaving = way.leaving.saturating_sub(1);
            let room = usize::from(way.width.saturating_sub(way.leaving)).min(way.parked.len());
            let called: Vec<u32> = way.parked.drain(..room).collect();
            called.into_iter().for_each(|tenant| self.place(tenant, road));
        }
        self.forget_road(road);
    }

    /// The destination answered: it may be a little wider next time.
    pub fn reached(&mut self, road: u32) {
        let way = self.roads.entry(road).or_default();
        way.failures = 0;
        way.closed_until = 0;
        way.width = (way.width + 1).min(WIDEST);
    }

    /// Nobody could reach it: closed for a while, and one batch will try then. Batches that were
    /// under way at the same time count as one failure.
    pub fn unreachable(&mut self, road: u32, now: u32) {
        let way = self.roads.entry(road).or_default();
        if way.closed_until > now {
            return;
        }
        way.failures = way.failures.saturating_add(1);
        way.closed_until = now.saturating_add(closed_seconds(way.failures));
        way.width = 1;
        self.openings.push(Reverse((way.closed_until, road)));
    }

    /// Opens at once what was closed: an operator says so.
    pub fn hurry(&mut self, road: u32, now: u32) {
        if let Some(way) = self.roads.get_mut(&road)
            && way.closed_until > now
        {
            way.closed_until = now;
            self.openings.push(Reverse((now, road)));
        }
    }

    fn open_roads(&mut self, now: u32) {
        while let Some(Reverse((at, road))) = self.openings.peek().copied()
            && at <= now
        {
            self.openings.pop();
            let Some(way) = self.roads.get_mut(&road) else { continue };
            if way.closed_until > now {
                continue;
            }
            // One lane tries; when it comes back the next is called.
            if let Some(parked) = way.parked.pop_front() {
                self.place(parked, road);
            }
        }
    }

    /// A road that nobody waits for, that carries nothing and did not fail is not remembered.
    fn forget_road(&mut self, road: u32) {
        let idle = |way: &Road| way.leaving == 0 && way.parked.is_empty() && way.failures == 0;
        if self.roads.get(&road).is_some_and(idle) {
            self.roads.remove(&road);
        }
    }

    /// When a closed road opens next.
    pub fn next_opening(&self) -> Option<u32> {
        self.openings.peek().map(|Reverse((at, _))| *at)
    }

    /// Destinations that nobody could reach lately.
    pub fn closed(&self, now: u32) -> u64 {
        self.roads.values().filter(|way| way.closed_until > now).count() as u64
    }

    /// Whether somebody could be given a turn now.
    pub fn has_turn(&self) -> bool {
        !self.ring.is_empty() && self.leaving < ALL_BATCHES + SPARE_BATCHES
    }

    pub fn leaving(&self) -> u16 {
        self.leaving
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL_BATCHES, BATCH, FIRST_WIDTH, Known, Schedule, TENANT_BATCHES, Turn};

    /// Which legs may leave, and which roads are quick.
    struct Knows<L, R>(L, R);

    impl<L: Fn(u32) -> bool, R: Fn(u32) -> bool> Known for Knows<L, R> {
        fn may_leave(&mut self, leg: u32) -> bool {
            (self.0)(leg)
        }

        fn is_quick(&self, road: u32) -> bool {
            (self.1)(road)
        }
    }

    fn next(schedule: &mut Schedule, now: u32) -> Option<Turn> {
        schedule.next(now, None, &mut Knows(|_| true, |_| false))
    }

    #[test]
    fn one_letter_behind_a_million_leaves_in_the_next_turn() {
        let mut schedule = Schedule::default();
        for leg in 0..1_000_000 {
            schedule.enter(leg, 1, leg % 1_000);
        }
        assert_eq!(next(&mut schedule, 0).unwrap().tenant, 1);
        schedule.enter(1_000_000, 2, 5);
        let turns: Vec<Turn> = (0..2).filter_map(|_| next(&mut schedule, 0)).collect();
        assert!(turns.iter().any(|turn| turn.tenant == 2 && turn.legs == [1_000_000]));
    }

    #[test]
    fn legs_of_a_lane_leave_in_their_order_and_in_batches() {
        let mut schedule = Schedule::default();
        let count = BATCH as u32 + 3;
        (0..count).for_each(|leg| schedule.enter(leg, 1, 7));
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
            schedule.enter(leg, 1, 7);
        }
        let turns = (0..40).map_while(|_| next(&mut schedule, 0)).count();
        assert_eq!(turns, usize::from(FIRST_WIDTH));
        schedule.reached(7);
        schedule.returned(1, &[7]);
        let turns = (0..40).map_while(|_| next(&mut schedule, 0)).count();
        assert_eq!(turns, 2, "one came back, and there is room for one more");
    }

    #[test]
    fn a_dead_destination_takes_one_turn_and_holds_up_nobody() {
        let mut schedule = Schedule::default();
        (0..10_000).for_each(|leg| schedule.enter(leg, 1, 666));
        (10_000..10_010).for_each(|leg| schedule.enter(leg, 1, 5));
        let dead = next(&mut schedule, 0).unwrap();
        assert_eq!(dead.roads, [666]);
        schedule.unreachable(666, 0);
        schedule.returned(1, &[666]);
        dead.legs.iter().for_each(|leg| schedule.enter(*leg, 1, 666));
        assert_eq!(next(&mut schedule, 1).unwrap().roads, [5]);
        assert_eq!(next(&mut schedule, 59), None);
        assert_eq!(schedule.next_opening(), Some(60));
        assert_eq!(next(&mut schedule, 60).unwrap().roads, [666], "one tries again");
        assert_eq!(next(&mut schedule, 60), None, "and only one");
    }

    #[test]
    fn a_parked_lane_of_each_tenant_is_called_in_turn() {
        let mut schedule = Schedule::default();
        for tenant in 1..=3 {
            (0..100).for_each(|leg| schedule.enter(tenant * 1_000 + leg, tenant, 7));
        }
        schedule.unreachable(7, 0);
        assert_eq!(next(&mut schedule, 1), None);
        let mut seen = Vec::new();
        let mut now = 60;
        for _ in 0..3 {
            let turn = next(&mut schedule, now).unwrap();
            seen.push(turn.tenant);
            reached(&mut schedule, &turn);
            schedule.returned(turn.tenant, &turn.roads);
            now += 1;
        }
        seen.sort_unstable();
        assert_eq!(seen, [1, 2, 3]);
    }

    #[test]
    fn nobody_takes_all_turns() {
        let mut schedule = Schedule::default();
        for leg in 0..10_000 {
            schedule.enter(leg, 1, leg);
        }
        let mut turns = 0;
        while next(&mut schedule, 0).is_some() {
            turns += 1;
        }
        assert_eq!(turns, TENANT_BATCHES);
        schedule.enter(10_000, 2, 3);
        assert_eq!(next(&mut schedule, 0).unwrap().tenant, 2);
        schedule.returned(1, &[0]);
        assert_eq!(next(&mut schedule, 0).unwrap().tenant, 1);
        for tenant in 3..100 {
            schedule.enter(20_000 + tenant, tenant, tenant);
        }
        let mut all = 0;
        while next(&mut schedule, 0).is_some() {
            all += 1;
        }
        assert!(all >= ALL_BATCHES - TENANT_BATCHES, "{all}");
        assert!(!schedule.has_turn() || next(&mut schedule, 0).is_none());
    }

    #[test]
    fn what_may_not_leave_any_more_is_dropped() {
        let mut schedule = Schedule::default();
        (0..4).for_each(|leg| schedule.enter(leg, 1, 7));
        let turn = schedule.next(0, None, &mut Knows(|leg| leg % 2 == 0, |_| false)).unwrap();
        assert_eq!(turn.legs, [0, 2]);
        (4..6).for_each(|leg| schedule.enter(leg, 1, 8));
        assert_eq!(schedule.next(0, None, &mut Knows(|_| false, |_| false)), None);
    }

    fn reached(schedule: &mut Schedule, turn: &Turn) {
        turn.roads.iter().for_each(|road| schedule.reached(*road));
    }

    #[test]
    fn quick_roads_share_a_turn_and_slow_ones_do_not_wait_for_them() {
        let mut schedule = Schedule::default();
        // Roads 0, 1, 3 and 4 are quick, with more letters than turns take at once.
        for leg in 0..600 {
            schedule.enter(leg, 1, leg % 5);
        }
        let mut turn = || schedule.next(0, None, &mut Knows(|_| true, |road| road != 2)).unwrap();
        let (first, second, third) = (turn(), turn(), turn());
        assert_eq!((first.roads, first.legs.len()), (vec![0], BATCH));
        assert_eq!((second.roads, second.legs.len()), (vec![1], BATCH));
        assert_eq!((third.roads, third.legs.len()), (vec![2], BATCH), "its turn, and alone");
        let mut schedule = Schedule::default();
        for leg in 0..20 {
            schedule.enter(leg, 1, leg % 10);
        }
        let mut turn = || schedule.next(0, None, &mut Knows(|_| true, |road| road != 4)).unwrap();
        assert_eq!(turn().roads, [0, 1, 2, 3]);
        assert_eq!(turn().roads, [4]);
        assert_eq!(
            turn(),
            Turn {
                tenant: 1,
                roads: vec![5, 6, 7, 8, 9],
                legs: vec![5, 15, 6, 16, 7, 17, 8, 18, 9, 19],
            }
        );
    }

    #[test]
    fn a_road_that_broke_or_is_full_goes_into_no_shared_turn() {
        let mut schedule = Schedule::default();
        schedule.unreachable(2, 0);
        let mut entered = 0;
        for _ in 0..=FIRST_WIDTH {
            for road in 1..4 {
                schedule.enter(entered, 1, road);
                entered += 1;
            }
            let turn = schedule.next(1, None, &mut Knows(|_| true, |_| true));
            let expected =
                if entered <= u32::from(FIRST_WIDTH) * 3 { Some(vec![1, 3]) } else { None };
            assert_eq!(turn.map(|turn| turn.roads), expected);
        }
        schedule.returned(1, &[1, 3]);
        let turn = schedule.next(1, None, &mut Knows(|_| true, |_| true)).unwrap();
        assert_eq!(turn.roads, [1, 3], "both had been parked");
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
                        schedule.enter(entered, entered % 5, entered % 11);
                        entered += 1;
                    }
                    1 => under_way.extend(next(&mut schedule, now)),
                    2 if !under_way.is_empty() => {
                        let at = random(under_way.len() as u32) as usize;
                        let turn = under_way.swap_remove(at);
                        schedule.returned(turn.tenant, &turn.roads);
                        let dead = turn.roads[random(turn.roads.len() as u32) as usize];
                        let fails = random(5) == 0;
                        if fails {
                            schedule.unreachable(dead, now);
                        }
                        for leg in turn.legs {
                            match fails && leg % 11 == dead {
                                true => schedule.enter(leg, turn.tenant, dead),
                                false => gone[leg as usize] += 1,
                            }
                        }
                        let others = turn.roads.iter().filter(|road| !fails || **road != dead);
                        others.for_each(|road| schedule.reached(*road));
                    }
                    _ => now += random(30),
                }
            }
            while gone.iter().take(entered as usize).any(|count| *count == 0) {
                now += 3_600;
                while let Some(turn) = next(&mut schedule, now) {
                    reached(&mut schedule, &turn);
                    schedule.returned(turn.tenant, &turn.roads);
                    turn.legs.iter().for_each(|leg| gone[*leg as usize] += 1);
                }
                for turn in under_way.drain(..) {
                    schedule.returned(turn.tenant, &turn.roads);
                    turn.legs.iter().for_each(|leg| gone[*leg as usize] += 1);
                }
            }
            assert!(gone.iter().take(entered as usize).all(|count| *count == 1), "seed {seed}");
        }
    }
}
