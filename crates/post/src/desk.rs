//! One loop over all peers: acts are staged as they come, one commit answers them together, and
//! whoever can carry is given what is due.

mod handing;
mod operator;

use crate::Fault;
use crate::forward::Forward;
use crate::schedule::BATCH;
use crate::store::Store;
use crate::table::{Table, seconds};
use compartment::now_ms;
use handing::{Batch, Carried, Letters};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind, MessageId, TenantId, UserId};
use wire::control::{Order, Report};
use wire::ledger::FromLedger;
use wire::post::*;
use wire::vault::ToPost;
use wire::{Event, Frame, Hub, INLINE_BYTES, Peer};

/// A commit may wait this long for company, and longer while many senders are at it
/// (architecture §8).
const COMPANY: Duration = Duration::from_millis(5);
const MANY_COMPANY: Duration = Duration::from_millis(15);
const MANY: usize = 8;
/// Outcomes gather longer: nobody waits for them, and one that is lost means that a letter stands
/// twice only if the power goes within this time.
const OUTCOMES: Duration = Duration::from_millis(50);
/// Staged acts that are committed without waiting.
const ENOUGH: usize = 256;
/// Between two looks at the clock's work, space and the length of the log.
const CHORES: Duration = Duration::from_secs(1);
/// After a stop, the ledger has this long to take the last entries.
const FAREWELL: Duration = Duration::from_millis(1_500);
/// One note to the operator in this time.
const NOTES: Duration = Duration::from_secs(10);
/// A `depart` that waits this long for more of its tenant's mail is sent home.
const IDLE: Duration = Duration::from_secs(20);
/// Octets of bodies handed over in one batch: they lie in memory until they are carried.
const BATCH_BYTES: u64 = 32 * 1024 * 1024;
/// Descriptors that one frame can carry with air (`SCM_MAX_FD` is 253).
const BATCH_DESCRIPTORS: usize = 200;
/// Instances asked for beyond those that are idle, in one go.
const WANTED: u16 = 4;
/// One page of `queue list`.
const PAGE: u32 = 1_000;

/// A `depart` that can carry and has nothing to carry.
struct Idle {
    peer: Peer,
    /// Whose mail it has seen; it carries nobody else's. By its id: a place in the table is
    /// another tenant's when the last letter has left.
    tenant: Option<TenantId>,
    since: Instant,
}

/// An answer that waits for the commit.
enum Owed {
    Sender(ToSender),
    Admin(ToAdmin),
}

pub struct Desk {
    hub: Hub,
    store: Store,
    forward: Forward,
    warden: Peer,
    owed: Vec<(Peer, u32, Owed)>,
    staged_since: Option<Instant>,
    somebody_waits: bool,
    staged: usize,
    idle: Vec<Idle>,
    carried: HashMap<Peer, Carried>,
    letters: Letters,
    vault: Option<Peer>,
    /// Batches that the vault is told of, by the call, until it has noted them.
    announced: HashMap<u32, (Peer, Batch)>,
    last_call: u32,
    asked_for: Option<Instant>,
    next_chores: Instant,
    last_note: Option<Instant>,
    leaving: Option<Instant>,
    taken_before: Option<u64>,
}

impl Desk {
    pub fn new(hub: Hub, store: Store, forward: Forward, warden: Peer) -> Self {
        Self {
            hub,
            store,
            forward,
            warden,
            owed: Vec::new(),
            staged_since: None,
            somebody_waits: false,
            staged: 0,
            idle: Vec::new(),
            carried: HashMap::new(),
            letters: Letters::default(),
            vault: None,
            announced: HashMap::new(),
            last_call: 0,
            asked_for: None,
            next_chores: Instant::now(),
            last_note: None,
            leaving: None,
            taken_before: None,
        }
    }

    /// Until the warden says stop, or is gone.
    pub fn serve(mut self) -> Result<(), Fault> {
        loop {
            let patience = self.patience();
            let events = self.hub.wait(Some(patience)).map_err(Fault::Channels)?;
            for event in events {
                match event {
                    Event::Frame(peer, frame) if peer == self.warden => self.obey(frame),
                    Event::Frame(peer, frame) => self.answer(peer, frame),
                    Event::Gone(peer, _) if peer == self.warden => return self.leave(),
                    Event::Gone(peer, _) => self.gone(peer),
                    Event::Ready(_) => {}
                }
            }
            if self.commit_is_due() {
                self.commit();
            }
            self.tend();
            self.hand_out();
            let is_over = |until: Instant| Instant::now() >= until;
            if self.leaving.is_some_and(|until| is_over(until) || self.forward.is_done(&self.store))
            {
                return self.leave();
            }
        }
    }

    fn commit_wait(&self) -> Duration {
        let Some(since) = self.staged_since else { return Duration::ZERO };
        let limit = match self.somebody_waits {
            true if self.owed.len() >= MANY => MANY_COMPANY,
            true => COMPANY,
            false => OUTCOMES,
        };
        if self.staged >= ENOUGH { Duration::ZERO } else { limit.saturating_sub(since.elapsed()) }
    }

    fn commit_is_due(&self) -> bool {
        self.store.has_staged() && self.commit_wait().is_zero()
    }

    /// How long nothing need be done.
    fn patience(&self) -> Duration {
        if self.store.has_staged() {
            return self.commit_wait();
        }
        let chores = self.next_chores.saturating_duration_since(Instant::now());
        let evidence = self.forward.patience(&self.store).unwrap_or(chores);
        let leaving =
            self.leaving.map_or(chores, |until| until.saturating_duration_since(Instant::now()));
        chores.min(evidence).min(leaving)
    }

    fn obey(&mut self, frame: Frame) {
        match frame.read::<Order>() {
            Ok(Order::Count) => self.tell_counts(),
            Ok(Order::Pulse) => drop(self.hub.send(self.warden, 0, &Report::Alive, Vec::new())),
            Ok(Order::Stop) => self.leaving = Some(Instant::now() + FAREWELL),
            Ok(Order::Join(label)) => {
                let Some(fd) = frame.descriptors.into_iter().next() else { return };
                let kind = label.kind;
                let Ok(peer) = self.hub.seat(fd.into(), label) else { return };
                match kind {
                    Kind::Ledger => self.forward.join(peer),
                    Kind::Vault => self.meet_vault(peer),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn gone(&mut self, peer: Peer) {
        self.forward.gone(peer);
        self.idle.retain(|idle| idle.peer != peer);
        if self.vault == Some(peer) {
            self.lose_vault();
        }
        if let Some(carried) = self.carried.remove(&peer) {
            self.come_back(carried);
        }
    }

    /// What nobody said anything about is tried again.
    fn come_back(&mut self, carried: Carried) {
        for (slot, errand) in carried.legs.values() {
            self.store.table.come_back(*slot);
            if *errand != Errand::Carry {
                self.store.table.errands.push_back((*slot, *errand));
            }
        }
        if let Some(road) = carried.road {
            if carried.reached {
                self.store.table.schedule.reached(road);
            }
            self.store.table.schedule.returned(carried.tenant, road);
        }
    }

    /// The label says who asks; the frame only says what.
    fn answer(&mut self, peer: Peer, frame: Frame) {
        let Some(label) = self.hub.label(peer).cloned() else { return };
        let call = frame.call;
        let understood = match (label.kind, label.person) {
            (Kind::Dispatch, Some(person)) => self.answer_sender(peer, Some(person), frame),
            (Kind::Edge, _) => self.answer_sender(peer, None, frame),
            (Kind::Directory, _) => self.answer_directory(peer, frame),
            (Kind::Depart, _) => self.answer_depart(peer, label.instance, frame),
            (Kind::Admin, _) => frame.read().map(|asked| self.answer_admin(peer, call, asked)),
            (Kind::Ledger, _) => frame.read().map(|answer| self.hear_ledger(call, &answer)),
            (Kind::Vault, _) => frame.read().map(|ToPost::Noted| self.give_batch(call)),
            _ => Err(wire::Fault::Malformed),
        };
        if understood.is_err() {
            self.dismiss(peer);
        }
    }

    /// A peer that does not keep to the words is cut, and the warden told.
    fn dismiss(&mut self, peer: Peer) {
        if let Some(label) = self.hub.dismiss(peer) {
            let what = format!("post: malformed frame from {}", label.kind.word());
            let _ = self.hub.send(self.warden, 0, &Report::Alarm { what }, Vec::new());
        }
        self.gone(peer);
    }

    /// `person`: the only one that this peer may speak for; what leaves is counted and recorded
    /// in their name.
    fn answer_sender(
        &mut self,
        peer: Peer,
        person: Option<(TenantId, UserId)>,
        frame: Frame,
    ) -> Result<(), wire::Fault> {
        let call = frame.call;
        match frame.read()? {
            FromSender::Queue(outgoing) => {
                return self.queue(peer, call, (&outgoing, &frame.descriptors), person);
            }
            FromSender::May { user, recipients, limits } => {
                if person.is_some_and(|(_, own)| own != user) {
                    return Err(wire::Fault::Malformed);
                }
                let now = seconds(now_ms());
                let senders = &self.store.table.senders;
                let sent = senders.in_an_hour(user, now);
                let answer = match senders.wait(user, recipients, limits, now) {
                    None if self.store.returns.are_many(user, sent, now) => ToSender::Doubtful,
                    wait => ToSender::May(wait),
                };
                let _ = self.hub.send(peer, call, &answer, Vec::new());
            }
        }
        Ok(())
    }

    fn answer_depart(
        &mut self,
        peer: Peer,
        instance: InstanceId,
        frame: Frame,
    ) -> Result<(), wire::Fault> {
        match frame.read()? {
            FromDepart::Idle { tenant } => {
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
                self.queue(peer, frame.call, (&outgoing, &frame.descriptors), person)
            }
            FromDepart::Ended { message, leg, outcome } => {
                let Some(carried) = self.carried.get_mut(&peer) else { return Ok(()) };
                // Only what was handed to it: anything else is a lie.
                let handed = carried.legs.remove(&(message, leg));
                let (slot, _) = handed.ok_or(wire::Fault::Malformed)?;
                let road = carried.road;
                let is_unreachable =
                    matches!(outcome, Outcome::Later { why: Why::Unreachable, .. });
                carried.reached |= !is_unreachable && !matches!(outcome, Outcome::ToldLate);
                if let (true, Some(road)) = (is_unreachable, road) {
                    self.store.table.schedule.unreachable(road, seconds(now_ms()));
                }
                self.write_end((slot, instance), &outcome, &frame.descriptors)
            }
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

    // ---- handing out ---------------------------------------------------------------------------

    /// Gives everybody who is idle something to carry, and asks for more hands if need be.
    fn hand_out(&mut self) {
        // Without the vault nothing could be opened: it stays here.
        if self.leaving.is_some() || self.vault.is_none() {
            return;
        }
        let now = seconds(now_ms());
        for idle in std::mem::take(&mut self.idle) {
            let place = match idle.tenant {
                Some(tenant) => match self.store.table.tenants.find(&tenant) {
                    Some(place) => Some(place),
                    // Its tenant has nothing here now.
                    None => {
                        self.idle.push(idle);
                        continue;
                    }
                },
                None => None,
            };
            match self.next_load(now, place) {
                Some(carried) => self.hand_to(idle.peer, carried),
                None => self.idle.push(idle),
            }
        }
        let table = &self.store.table;
        let lacks_hands = table.schedule.has_turn() || !table.errands.is_empty();
        let is_asked = self.asked_for.is_some_and(|since| since.elapsed() < CHORES);
        if lacks_hands && !is_asked && !self.idle.iter().any(|idle| idle.tenant.is_none()) {
            self.asked_for = Some(Instant::now());
            let need = Report::Need { kind: Kind::Depart, instances: WANTED };
            let _ = self.hub.send(self.warden, 0, &need, Vec::new());
        }
    }

    fn next_load(&mut self, now: u32, tenant: Option<u32>) -> Option<Carried> {
        let table = &mut self.store.table;
        let named = |table: &Table, slot: u32, errand: Errand| {
            let leg = table.leg(slot)?;
            let message = table.message(leg.message)?;
            Some(((message.message, leg.number), (slot, errand)))
        };
        if let Some((tenant, errands)) = table.next_errands(tenant, BATCH) {
            let legs =
                errands.iter().filter_map(|(slot, errand)| named(table, *slot, *errand)).collect();
            return Some(Carried { tenant, road: None, legs, reached: false });
        }
        let turn = table.next_turn(now, tenant)?;
        let legs = turn.legs.iter().filter_map(|slot| named(table, *slot, Errand::Carry)).collect();
        Some(Carried { tenant: turn.tenant, road: Some(turn.road), legs, reached: false })
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
                    self.store.table.come_back(slot);
                    if errand != Errand::Carry {
                        self.store.table.errands.push_back((slot, errand));
                    }
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
        Some(Load {
            user: row.user,
            message,
            leg: number,
            size: row.size.into(),
            at_ms: u64::from(row.at_s) * 1_000,
            expires_ms: u64::from(row.expires_s) * 1_000,
            attempts: leg.attempts,
            errand,
            envelope,
            body,
        })
    }

    fn hear_ledger(&mut self, call: u32, answer: &FromLedger) {
        if let Some(before) = self.forward.answered(call, answer) {
            self.taken_before = Some(before);
        }
    }

    // ---- commits and chores --------------------------------------------------------------------

    fn note_staged(&mut self, waited_for: bool) {
        if self.store.has_staged() {
            self.staged += 1;
            self.staged_since.get_or_insert_with(Instant::now);
            self.somebody_waits |= waited_for;
        }
    }

    /// Answers now if nothing waits for the disk, else with the commit.
    fn owe(&mut self, peer: Peer, call: u32, owed: Owed) {
        self.note_staged(true);
        if self.store.has_staged() {
            self.owed.push((peer, call, owed));
        } else {
            self.pay(peer, call, owed);
        }
    }

    fn pay(&mut self, peer: Peer, call: u32, owed: Owed) {
        let _ = match owed {
            Owed::Sender(answer) => self.hub.send(peer, call, &answer, Vec::new()),
            Owed::Admin(answer) => self.hub.send(peer, call, &answer, Vec::new()),
        };
    }

    fn settled(&mut self) {
        (self.staged_since, self.somebody_waits, self.staged) = (None, false, 0);
    }

    /// One flush for everything staged; then the answers.
    fn commit(&mut self) {
        if let Some(before) = self.taken_before.take()
            && let Err(fault) = self.store.recorded(before)
        {
            self.taken_before = Some(before);
            return self.failed(&fault);
        }
        match self.store.commit(now_ms()) {
            Ok(()) => {
                self.settled();
                for (peer, call, owed) in std::mem::take(&mut self.owed) {
                    self.pay(peer, call, owed);
                }
            }
            Err(fault) => self.failed(&fault),
        }
    }

    /// Nothing that was staged is kept: everybody who waits hears so, and what was carried is
    /// tried again, for nobody wrote down how it ended.
    fn failed(&mut self, fault: &Fault) {
        self.settled();
        let is_full = fault.is_full();
        for (peer, call, owed) in std::mem::take(&mut self.owed) {
            let owed = match owed {
                Owed::Sender(_) => {
                    Owed::Sender(if is_full { ToSender::Full } else { ToSender::Fault })
                }
                Owed::Admin(_) => Owed::Admin(ToAdmin::Fault(fault.to_string())),
            };
            self.pay(peer, call, owed);
        }
        self.find_lost();
        self.tell_operator(fault);
    }

    /// Legs whose outcome was staged and lost: no `depart` has them, so they come back.
    fn find_lost(&mut self) {
        let handed: std::collections::HashSet<u32> = self
            .carried
            .values()
            .flat_map(|carried| carried.legs.values().map(|(slot, _)| *slot))
            .collect();
        let count = u32::try_from(self.store.table.legs.len()).unwrap_or(u32::MAX);
        for slot in 0..count {
            let is_lost = |leg: &crate::table::Leg| leg.leaving && !handed.contains(&slot);
            if self.store.table.leg(slot).is_some_and(is_lost) {
                self.store.table.come_back(slot);
            }
        }
    }

    fn tell_operator(&mut self, fault: &Fault) {
        let now = Instant::now();
        if self.last_note.is_some_and(|last| now - last < NOTES) {
            return;
        }
        self.last_note = Some(now);
        let text = format!("post: {}", fault.story());
        let _ = self.hub.send(self.warden, 0, &Report::Note { text }, Vec::new());
    }

    /// What nobody waits for: the clock, the evidence, and now and then the chores.
    fn tend(&mut self) {
        self.forward.hand_in(&self.store, &mut self.hub, self.leaving.is_some());
        let now = seconds(now_ms());
        if self.store.table.next_tick().is_some_and(|at| at <= now) {
            if let Err(fault) = self.store.tick(now_ms()) {
                self.failed(&fault);
            }
            self.note_staged(false);
        }
        if Instant::now() < self.next_chores || self.store.has_staged() {
            return;
        }
        self.next_chores = Instant::now() + CHORES;
        if self.taken_before.is_some() {
            self.commit();
        }
        self.store.table.senders.forget_quiet(now);
        self.store.returns.forget_quiet(now);
        self.send_home();
        let worked = match self.store.wants_writing() {
            true => self.store.write_down(),
            false => self.store.compact(now_ms()).map(drop),
        };
        if let Err(fault) = worked {
            self.tell_operator(&fault);
        }
    }

    /// Whoever has carried for a tenant, and waited long for more, ends with its channel.
    fn send_home(&mut self) {
        let is_done = |idle: &Idle| idle.tenant.is_some() && idle.since.elapsed() >= IDLE;
        let done = self.idle.iter().filter(|idle| is_done(idle)).map(|idle| idle.peer);
        for peer in done.collect::<Vec<Peer>>() {
            self.hub.dismiss(peer);
            self.gone(peer);
        }
    }

    fn leave(mut self) -> Result<(), Fault> {
        if self.store.has_staged() || self.taken_before.is_some() {
            self.commit();
        }
        self.store.write_down()
    }
}
