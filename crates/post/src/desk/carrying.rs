//! Who carries what: batches go to whoever is idle, and how each leg ended comes back.

use super::handing::Batch;
use super::{CHORES, Desk};
use crate::Fault;
use crate::refusals::Trouble;
use crate::schedule::{BATCH, Trip};
use crate::store::closes;
use crate::table::{Hand, Table, seconds};
use compartment::now_ms;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind, MessageId, TenantId};
use wire::control::Report;
use wire::directory::guest_of;
use wire::post::*;
use wire::{Frame, INLINE_BYTES, Peer};

/// Octets of bodies handed over in one batch: they lie in memory until they are carried.
const BATCH_BYTES: u64 = 32 * 1024 * 1024;
/// Descriptors that one frame can carry with air (`SCM_MAX_FD` is 253).
const BATCH_DESCRIPTORS: usize = 200;
/// Instances asked for beyond those that are idle, in one go.
const WANTED: u16 = 4;
/// Between two rounds of handing out: letters of this time share what handing over, opening and
/// recording costs. One that comes after a pause goes at once.
const PAUSE: Duration = Duration::from_millis(40);
/// A destination that takes mail within this time of its handing over is quick.
const QUICK: Duration = Duration::from_secs(5);

/// A `depart` that can carry and has nothing to carry.
pub(super) struct Idle {
    pub peer: Peer,
    /// Whose mail it has seen; it carries nobody else's. By its id: a place in the table is
    /// another tenant's when the last letter has left.
    pub tenant: Option<TenantId>,
    pub since: Instant,
}

/// What a `depart` has in hand.
pub(super) struct Carried {
    pub tenant: u32,
    /// None: errands, which take no road.
    trip: Option<Trip>,
    pub legs: HashMap<(MessageId, LegNumber), (u32, Errand)>,
    /// Notices that it may still write: one for each leg.
    pub notices: usize,
    /// Of the roads, those from which somebody answered.
    reached: Vec<u32>,
    since: Instant,
    /// It takes so long that what it still has is not taken to go somewhere quick.
    is_late: bool,
}

impl Carried {
    pub fn new(
        tenant: u32,
        trip: Option<Trip>,
        legs: HashMap<(MessageId, LegNumber), (u32, Errand)>,
    ) -> Self {
        let notices = legs.len();
        let (reached, since, is_late) = (Vec::new(), Instant::now(), false);
        Self { tenant, trip, legs, notices, reached, since, is_late }
    }
}

/// Who was at work last comes first: its connections are still open, and the others may go home.
/// Who has no tenant yet comes behind all that have one.
fn in_turn(mut idle: Vec<Idle>) -> Vec<Idle> {
    idle.sort_by_key(|idle| (idle.tenant.is_none(), Reverse(idle.since)));
    idle
}

impl Desk {
    /// What nobody said anything about is tried again.
    pub(super) fn come_back(&mut self, carried: Carried) {
        for (slot, errand) in carried.legs.values() {
            self.come_back_for(*slot, *errand);
        }
        if let Some(trip) = &carried.trip {
            let schedule = &mut self.store.table.schedule;
            carried.reached.iter().for_each(|road| schedule.reached(*road, carried.tenant));
            schedule.returned(trip);
        }
    }

    fn come_back_for(&mut self, slot: u32, errand: Errand) {
        if let Err(fault) = self.store.may_have_gone(slot) {
            self.failed(&fault);
        }
        self.store.table.come_back(slot);
        if errand != Errand::Carry {
            self.store.table.remind(slot, errand);
        }
    }

    pub(super) fn answer_depart(
        &mut self,
        peer: Peer,
        instance: InstanceId,
        frame: Frame,
    ) -> Result<(), wire::Fault> {
        match frame.read()? {
            FromDepart::Idle { tenant } => {
                // Whoever says so twice is there once, and what was on its way to it goes to
                // another: a second batch would have us forget the first.
                self.idle.retain(|idle| idle.peer != peer);
                self.announced.retain(|_, (to, _)| *to != peer);
                if let Some(carried) = self.carried.remove(&peer) {
                    self.come_back(carried);
                }
                self.asked_for = None;
                self.idle.push(Idle { peer, tenant, since: Instant::now() });
                Ok(())
            }
            FromDepart::Queue(outgoing) => {
                let carried = self.carried.get(&peer).ok_or(wire::Fault::Malformed)?;
                let tenant = self.store.table.tenants.of(carried.tenant);
                // Of the tenant whose batch it has, whoever of it.
                let person = Some((tenant.ok_or(wire::Fault::Malformed)?, outgoing.user));
                let handed = (&*outgoing, frame.descriptors.as_slice(), Hand::Others);
                self.queue(peer, frame.call, handed, person)
            }
            FromDepart::HandOver(outgoing) => {
                // Whoever carries nothing has nothing to hand over; and each goes to one place.
                let is_carrying = self.carried.contains_key(&peer);
                let is_guest_s = outgoing.user == guest_of(outgoing.tenant);
                if !is_carrying || !is_guest_s || outgoing.legs.len() != 1 {
                    return Err(wire::Fault::Malformed);
                }
                let handed = (&*outgoing, frame.descriptors.as_slice(), Hand::Others);
                self.queue(peer, frame.call, handed, None)
            }
            FromDepart::Begin(legs) => {
                let may_go = legs.iter().map(|leg| self.begins(peer, *leg)).collect();
                let _ = self.hub.send(peer, frame.call, &ToDepart::Begun(may_go), Vec::new());
                Ok(())
            }
            FromDepart::Holds(legs) => self.take_up(peer, &legs),
            FromDepart::Ended { message, leg, outcome } => {
                self.told.entry(peer).or_default().push((message, leg));
                let Some(carried) = self.carried.get_mut(&peer) else { return Ok(()) };
                // Only what was handed to it: anything else is a lie, or was written down by the
                // post before us.
                let is_resumed = self.resumed.contains(&peer);
                let Some((slot, errand)) = carried.legs.remove(&(message, leg)) else {
                    return if is_resumed { Ok(()) } else { Err(wire::Fault::Malformed) };
                };
                if errand == Errand::Carry {
                    self.note_road(peer, slot, &outcome);
                    self.note_named_host(peer, slot, &outcome);
                }
                self.write_end((slot, instance), &outcome, &frame.descriptors)
            }
        }
    }

    /// Whether a leg that is about to be handed over may go. What somebody decided counts from
    /// here on: it is in the table, or in the answer that they wait for.
    fn begins(&mut self, peer: Peer, leg: (MessageId, LegNumber)) -> bool {
        let carried = self.carried.get(&peer).and_then(|carried| carried.legs.get(&leg));
        match carried {
            Some((slot, Errand::Carry)) => self.store.table.begin_leg(*slot),
            _ => false,
        }
    }

    fn write_end(
        &mut self,
        leg: (u32, InstanceId),
        outcome: &Outcome,
        held: &[OwnedFd],
    ) -> Result<(), wire::Fault> {
        match self.store.ended(leg, outcome, held, now_ms()) {
            Ok(()) => {
                self.note_staged(false);
                Ok(())
            }
            Err(fault) => {
                // Nothing was written: it is as if nothing had been said.
                self.store.table.come_back(leg.0);
                self.failed(&fault);
                match fault {
                    Fault::Parcel(fault) => Err(fault),
                    _ => Ok(()),
                }
            }
        }
    }

    /// What the end of a leg says of its destination.
    fn note_road(&mut self, peer: Peer, slot: u32, outcome: &Outcome) {
        let Some(carried) = self.carried.get_mut(&peer) else { return };
        let Some(road) = self.store.table.leg(slot).map(|leg| leg.road) else { return };
        let (now, table) = (seconds(now_ms()), &mut self.store.table);
        match outcome {
            Outcome::Later { why, .. } if closes(outcome) => {
                if why.is_of_named_host() {
                    table.schedule.refuses(road, carried.tenant, now, *why);
                } else {
                    table.schedule.unreachable(road, carried.tenant, now);
                    table.obstacles.insert(road, *why);
                }
                return table.is_slow(road);
            }
            // One of them keeps the others waiting, nobody says which: each shows itself anew.
            Outcome::Untried => {
                let roads = carried.trip.iter().flat_map(|trip| &trip.roads);
                return roads.for_each(|road| table.is_slow(*road));
            }
            Outcome::ToldLate | Outcome::Stopped => return,
            Outcome::Sent { .. } if carried.since.elapsed() < QUICK => table.was_quick(road, now),
            _ => {}
        }
        if !carried.reached.contains(&road) {
            carried.reached.push(road);
        }
    }

    /// What the end of a leg says of a host that its tenant named. Of one that does not let us in,
    /// or does not prove itself, whoever runs the house hears, before mail comes back for it.
    fn note_named_host(&mut self, peer: Peer, slot: u32, outcome: &Outcome) {
        let table = &self.store.table;
        let tenant = self.carried.get(&peer).and_then(|carried| table.tenants.of(carried.tenant));
        let route = table.leg(slot).and_then(|leg| table.roads.of(leg.road));
        let (Some(tenant), Some(route)) = (tenant, route) else { return };
        let of = (tenant, route);
        match outcome {
            Outcome::Later { why, .. } => {
                let Some(trouble) = Trouble::of(*why) else { return };
                // Seldom beyond this: every leg that waits comes by here.
                if self.refusals.refused(of, trouble, seconds(now_ms())) {
                    let report = Report::Attention { what: trouble.words(of) };
                    let _ = self.hub.send(self.warden, 0, &report, Vec::new());
                }
            }
            Outcome::Sent { .. } => {
                for trouble in self.refusals.took(of) {
                    let report = Report::Note { text: trouble.over(of) };
                    let _ = self.hub.send(self.warden, 0, &report, Vec::new());
                }
            }
            _ => {}
        }
    }

    /// A destination that keeps whoever carries to it is not quick, whatever it was: what comes for
    /// it now keeps no other mail waiting. (Where others waited behind it, their carrier says so
    /// before.)
    pub(super) fn note_late(&mut self) {
        let is_late = |carried: &&mut Carried| {
            let is_shared = carried.trip.as_ref().is_some_and(|trip| !trip.is_strange);
            is_shared && !carried.is_late && carried.since.elapsed() >= QUICK
        };
        for carried in self.carried.values_mut().filter(is_late) {
            carried.is_late = true;
            for (slot, _) in carried.legs.values() {
                if let Some(road) = self.store.table.leg(*slot).map(|leg| leg.road) {
                    self.store.table.is_slow(road);
                }
            }
        }
    }

    // ---- handing out ---------------------------------------------------------------------------

    /// Gives everybody who is idle something to carry, and asks for more hands if need be.
    pub(super) fn hand_out(&mut self) {
        // Without the vault nothing could be opened: it stays here. And so it does until it is
        // known that it has not left already.
        if self.leaving.is_some() || self.vault.is_none() || !self.forward.has_begun() {
            return;
        }
        if !self.pause_left().is_zero() {
            return;
        }
        let now = seconds(now_ms());
        let mut left = Vec::new();
        for idle in in_turn(std::mem::take(&mut self.idle)) {
            let place = match idle.tenant {
                Some(tenant) => match self.store.table.tenants.find(&tenant) {
                    Some(place) => Some(place),
                    // Its tenant has nothing here now.
                    None => {
                        left.push(idle);
                        continue;
                    }
                },
                None => None,
            };
            match self.next_load(now, place) {
                Some(carried) => {
                    self.handed_out = Some(Instant::now());
                    self.hand_to(idle.peer, carried);
                }
                None => left.push(idle),
            }
        }
        // Whoever came back meanwhile is younger than all of these.
        left.append(&mut self.idle);
        self.idle = left;
        self.idle.sort_by_key(|idle| idle.since);
        let table = &self.store.table;
        let lacks_hands = table.schedule.has_turn() || !table.errands.is_empty();
        let is_asked = self.asked_for.is_some_and(|since| since.elapsed() < CHORES);
        if lacks_hands && !is_asked && !self.idle.iter().any(|idle| idle.tenant.is_none()) {
            self.asked_for = Some(Instant::now());
            let need = Report::Need { kind: Kind::Depart, instances: WANTED };
            let _ = self.hub.send(self.warden, 0, &need, Vec::new());
        }
    }

    /// What comes within a short time is handed out together.
    fn pause_left(&self) -> Duration {
        let since = self.handed_out.map(|at| at.elapsed());
        since.map_or(Duration::ZERO, |since| PAUSE.saturating_sub(since))
    }

    /// When there will be something to hand out, if nothing happens before.
    pub(super) fn next_handing(&self) -> Option<Duration> {
        let table = &self.store.table;
        let waits = table.schedule.has_turn() || !table.errands.is_empty();
        let pause = self.pause_left();
        (waits && !pause.is_zero() && !self.idle.is_empty()).then_some(pause)
    }

    fn next_load(&mut self, now: u32, tenant: Option<u32>) -> Option<Carried> {
        let table = &mut self.store.table;
        let named = |table: &Table, slot: u32| {
            let leg = table.leg(slot)?;
            let message = table.message(leg.message)?;
            Some(((message.message, leg.number), (slot, Errand::Carry)))
        };
        if let Some((tenant, tellings)) = table.next_errands(tenant, BATCH, now) {
            let legs = tellings.into_iter().map(|one| (one.leg, (one.slot, one.errand)));
            return Some(Carried::new(tenant, None, legs.collect()));
        }
        let turn = table.next_turn(now, tenant)?;
        let legs = turn.legs.iter().filter_map(|slot| named(table, *slot)).collect();
        Some(Carried::new(turn.trip.side.tenant, Some(turn.trip), legs))
    }

    fn hand_to(&mut self, peer: Peer, mut carried: Carried) {
        let mut descriptors = Vec::new();
        let mut loads = Vec::new();
        let mut bytes = 0;
        let wanted: Vec<_> = carried.legs.iter().map(|(key, what)| (*key, *what)).collect();
        for (key, (slot, errand)) in wanted {
            let fits = bytes < BATCH_BYTES && descriptors.len() < BATCH_DESCRIPTORS;
            let load = fits.then(|| self.load(key, slot, errand, &mut descriptors)).flatten();
            match load {
                Some(load) => {
                    bytes += load.size;
                    loads.push(load);
                }
                None => {
                    carried.legs.remove(&key);
                    self.come_back_for(slot, errand);
                }
            }
        }
        let Some(tenant) = self.store.table.tenants.of(carried.tenant) else { return };
        loads.sort_by_key(|load| (load.at_ms, load.message, load.leg));
        self.carried.insert(peer, carried);
        self.announce(peer, Batch { tenant, loads, descriptors });
    }

    fn load(
        &mut self,
        (message, number): (MessageId, LegNumber),
        slot: u32,
        errand: Errand,
        descriptors: &mut Vec<OwnedFd>,
    ) -> Option<Load> {
        let leg = self.store.table.leg(slot)?.clone();
        let row = self.store.table.message(leg.message)?.clone();
        let read = self.store.load(slot, INLINE_BYTES, descriptors);
        let (envelope, body) = match read {
            Ok(parts) => parts?,
            Err(fault) => {
                self.tell_operator(&fault);
                return None;
            }
        };
        let errand = match errand {
            Errand::GiveBack if row.is_called_off() => Errand::Cancelled,
            Errand::GiveBack if row.hold.is_some() => Errand::Unreleased,
            errand => errand,
        };
        let why = self.store.table.obstacle(&leg);
        Some(Load {
            user: row.user,
            message,
            leg: number,
            size: row.size.into(),
            at_ms: u64::from(row.at_s) * 1_000,
            expires_ms: u64::from(row.expires_s) * 1_000,
            attempts: leg.attempts,
            errand,
            why,
            is_passed_on: row.hand == Hand::Others,
            envelope,
            body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Carried, Idle, QUICK, in_turn};
    use crate::Store;
    use crate::desk::Desk;
    use crate::table::{Hand, seconds};
    use crate::tests::{Folder, outgoing};
    use compartment::now_ms;
    use journal::Rounds;
    use std::time::{Duration, Instant};
    use terms::{InstanceId, Kind, TenantId};
    use wire::{Channel, Hub, Label};

    #[test]
    fn who_was_at_work_last_is_at_work_next() {
        let now = Instant::now();
        let idle = |peer, tenant: Option<u8>, seconds| Idle {
            peer,
            tenant: tenant.map(|tenant| TenantId([tenant; 8])),
            since: now + Duration::from_secs(seconds),
        };
        let all =
            vec![idle(1, Some(1), 1), idle(2, None, 9), idle(3, Some(2), 3), idle(4, Some(1), 5)];
        let peers: Vec<u64> = in_turn(all).iter().map(|idle| idle.peer).collect();
        assert_eq!(peers, [4, 3, 1, 2]);
    }

    /// It was quick, and takes a connection and says nothing now: letters for it share no batch any
    /// more, though no carrier had others waiting behind it and said so.
    #[test]
    fn a_destination_that_keeps_a_shared_batch_is_quick_no_more() {
        let folder = Folder::new("late-carrier");
        let store = Store::open(&folder.0, now_ms()).unwrap();
        let mut hub = Hub::new().unwrap();
        let (_control, theirs) = Channel::pair().unwrap();
        let instance = InstanceId([8; 6]);
        let label = Label { instance, kind: Kind::Warden, person: None };
        let warden = hub.seat(theirs, label).unwrap();
        let forward = Rounds::new(Kind::Post, &wire::control::Start::default());
        let mut desk = Desk::new(hub, store, forward, warden);
        let now = seconds(now_ms());
        let queue = |desk: &mut Desk, number| {
            let letter = outgoing(number, &[1, 2], now_ms());
            desk.store.queue((&letter, instance, Hand::Own), &[]).unwrap();
            desk.store.commit(now_ms()).unwrap();
        };
        let shape = |carried: &Carried| {
            let trip = carried.trip.as_ref().unwrap();
            (trip.roads.len(), trip.is_strange)
        };
        queue(&mut desk, 3);
        let roads: Vec<u32> = desk.store.table.legs.iter().flatten().map(|leg| leg.road).collect();
        roads.iter().for_each(|road| desk.store.table.was_quick(*road, now));
        let mut shared = desk.next_load(now, None).unwrap();
        assert_eq!(shape(&shared), (2, false));
        // One of the two was told to have left.
        shared.legs.retain(|(_, leg), _| *leg == 1);
        shared.since -= QUICK / 2;
        desk.carried.insert(7, shared);
        desk.note_late();
        queue(&mut desk, 6);
        let still = desk.next_load(now, None).unwrap();
        assert_eq!(shape(&still), (2, false), "there was time left");
        desk.come_back(still);
        desk.carried.get_mut(&7).unwrap().since -= QUICK;
        desk.note_late();
        let mut shapes: Vec<(usize, bool)> =
            (0..2).map(|_| shape(&desk.next_load(now, None).unwrap())).collect();
        shapes.sort_unstable();
        assert_eq!(shapes, [(1, false), (1, true)]);
    }
}
