//! The gate's loop: who comes, who is free, who has finished.

use crate::Fault;
use crate::clients::{Admission, Clients};
use crate::doors::{Caller, Door};
use crate::fullness::{Fullness, alarm};
use crate::memory::{Holder, Memory};
use crate::pool::Pool;
use crate::records::Records;
use compartment::{House, now_ms};
use evidence::{Body, Word};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use terms::{ConnectionId, InstanceId, Kind};
use wire::control::{Order, Report, Service};
use wire::gate::{FromGate, ToGate};
use wire::metrics::Measure;
use wire::{Event, Frame, Hub, Label, Peer};

/// Callers taken from one door in one round, so that instances are heard in between.
const ROUND: usize = 64;
/// While something waits: how soon it is looked at again. Otherwise once a second.
const SOON: Duration = Duration::from_millis(50);
const LATER: Duration = Duration::from_secs(1);
/// Instances that may die with one caller before it was served: more than stand ready in a quiet
/// house, so that who kills them all takes no caller with them.
const TRIES: u8 = 16;
/// Unknown recipients of one connection: an edge closes it at the eleventh.
const UNKNOWN_IN_A_CONNECTION: u32 = 11;
/// Sessions have five seconds after the word to stop.
const STOP_LIMIT: Duration = Duration::from_millis(4_500);
/// Clients that are quiet are forgotten this often.
const SWEEP: Duration = Duration::from_secs(60);

/// Who serves connections.
const SERVED: [Kind; 3] = [Kind::Edge, Kind::Access, Kind::Pages];

/// An instance and the connection that it serves.
struct Instance {
    id: InstanceId,
    kind: Kind,
    serving: Option<(ConnectionId, IpAddr, Service)>,
    /// Handed over and not yet begun: with a dead instance the caller is not lost.
    handed: Option<Caller>,
    /// The connection whose unknown recipients were told.
    told: Option<ConnectionId>,
    /// Who is served has signed in. Such an instance takes no other connection.
    signed_in: bool,
}

pub(crate) struct Guard {
    hub: Hub,
    warden: Peer,
    doors: HashMap<Peer, Door>,
    shut: Vec<Door>,
    instances: HashMap<Peer, Instance>,
    edges: Pool,
    accesses: Pool,
    pages: Pool,
    clients: Clients,
    memory: Memory,
    records: Records,
    fullness: Fullness,
    swept_at: Instant,
    stopping: Option<Instant>,
}

impl Guard {
    pub(crate) fn post(house: House) -> Result<Self, Fault> {
        let records = Records::new(&house.start);
        house.ready(Some(records.public_key()), None).map_err(Fault::Settle)?;
        let mut hub = Hub::new().map_err(Fault::Channels)?;
        let (warden, start) = house.seat_control(&mut hub).map_err(Fault::Settle)?;
        Ok(Self {
            hub,
            warden,
            doors: HashMap::new(),
            shut: Vec::new(),
            instances: HashMap::new(),
            edges: Pool::new(),
            accesses: Pool::new(),
            pages: Pool::new(),
            clients: Clients::new(start.demo),
            memory: Memory::new(start.demo),
            records,
            fullness: Fullness::default(),
            swept_at: Instant::now(),
            stopping: None,
        })
    }

    /// Stands until told to stop, or until the warden is gone.
    pub(crate) fn stand(mut self) -> Result<(), Fault> {
        loop {
            let patience = if self.has_something_waiting() { SOON } else { LATER };
            for event in self.hub.wait(Some(patience)).map_err(Fault::Channels)? {
                match event {
                    Event::Frame(peer, frame) if peer == self.warden => self.obey(frame),
                    Event::Frame(peer, frame) => self.hear(peer, frame),
                    Event::Ready(peer) => self.open(peer),
                    Event::Gone(peer, _) if peer == self.warden => return Ok(()),
                    Event::Gone(peer, _) => self.lost(peer),
                }
            }
            let now = Instant::now();
            self.reopen(now);
            self.hand_over(now);
            self.tell_of_fullness(now);
            self.call_for_more(now);
            self.hand_in_records(now);
            self.sweep(now);
            self.let_surplus_leave(now);
            if self.has_stopped(now) {
                return Ok(());
            }
        }
    }

    fn hand_in_records(&mut self, now: Instant) {
        self.records.hand_in(&mut self.hub, now, self.stopping.is_some());
        if let Some(what) = self.records.take_lie() {
            let _ = self.hub.send(self.warden, 0, &Report::Alarm { what }, Vec::new());
        }
    }

    fn has_something_waiting(&self) -> bool {
        self.records.is_waiting()
            || !self.edges.is_quiet()
            || !self.accesses.is_quiet()
            || !self.pages.is_quiet()
            || !self.shut.is_empty()
            || self.stopping.is_some()
    }

    // ---- the warden ----------------------------------------------------------------------------

    fn obey(&mut self, frame: Frame) {
        let Ok(order) = frame.read::<Order>() else { return };
        let held = frame.descriptors.into_iter().next();
        match (order, held) {
            (Order::Join(label), Some(held)) => self.join(label, held.into()),
            (Order::Listen(service), Some(held)) => {
                if let Ok(door) = Door::new(held, service) {
                    self.watch(door);
                }
            }
            (Order::SignedIn(id), _) => self.signed_in(id),
            (Order::Keys(keys), _) => self.records.learn(keys),
            (Order::Stop, _) => self.stop(),
            (Order::Count, _) => {
                let held = Measure::InFlight.count("", self.memory.total());
                let counted = Report::Counted(held.into_iter().collect());
                let _ = self.hub.send(self.warden, 0, &counted, Vec::new());
            }
            (Order::Pulse, _) => drop(self.hub.send(self.warden, 0, &Report::Alive, Vec::new())),
            _ => {}
        }
    }

    fn join(&mut self, label: Label, channel: wire::Channel) {
        let (id, kind) = (label.instance, label.kind);
        let Ok(peer) = self.hub.seat(channel, label) else { return };
        match kind {
            Kind::Ledger => self.records.join(peer),
            Kind::Edge | Kind::Access | Kind::Pages => {
                let (serving, handed, told, signed_in) = (None, None, None, false);
                let instance = Instance { id, kind, serving, handed, told, signed_in };
                self.instances.insert(peer, instance);
                self.pool(kind).born(peer);
            }
            _ => drop(self.hub.dismiss(peer)),
        }
    }

    /// Whoever has signed in is no stranger: their connection counts as such no longer.
    fn signed_in(&mut self, id: InstanceId) {
        let is_new =
            |one: &&mut Instance| one.id == id && one.kind == Kind::Access && !one.signed_in;
        let Some(instance) = self.instances.values_mut().find(is_new) else { return };
        if let Some((_, ip, _)) = instance.serving {
            instance.signed_in = true;
            // It has the connection in hand, whatever it said of it.
            instance.handed = None;
            self.clients.signed_in(ip);
        }
    }

    fn stop(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        self.stopping = Some(Instant::now());
        for (peer, _) in self.doors.drain() {
            self.hub.dismiss(peer);
        }
        self.shut.clear();
        let mut waiting = self.edges.everybody_waiting();
        waiting.extend(self.accesses.everybody_waiting());
        waiting.extend(self.pages.everybody_waiting());
        waiting.into_iter().for_each(|caller| self.turn_away(caller, "going down"));
        let peers: Vec<Peer> = self.instances.keys().copied().collect();
        for peer in peers {
            let _ = self.hub.send(peer, 0, &FromGate::Closing, Vec::new());
        }
    }

    fn has_stopped(&self, now: Instant) -> bool {
        let Some(since) = self.stopping else { return false };
        let busy = self.edges.busy() + self.accesses.busy() + self.pages.busy();
        let is_done = busy == 0 && !self.records.is_waiting();
        is_done || now.duration_since(since) > STOP_LIMIT
    }

    // ---- the doors -----------------------------------------------------------------------------

    fn watch(&mut self, door: Door) {
        let Ok(descriptor) = door.descriptor() else { return };
        if let Ok(peer) = self.hub.watch(descriptor) {
            self.doors.insert(peer, door);
        }
    }

    /// Lets in whoever stands at a door.
    fn open(&mut self, peer: Peer) {
        for _ in 0..ROUND {
            let Some(door) = self.doors.get_mut(&peer) else { return };
            match door.next() {
                Ok(Some(caller)) => self.admit(caller),
                Ok(None) => return,
                Err(()) => {
                    self.hub.dismiss(peer);
                    self.shut.extend(self.doors.remove(&peer));
                    return;
                }
            }
        }
    }

    fn reopen(&mut self, now: Instant) {
        for mut door in std::mem::take(&mut self.shut) {
            if door.reopens(now) {
                self.watch(door);
            } else {
                self.shut.push(door);
            }
        }
    }

    fn admit(&mut self, caller: Caller) {
        let ip = caller.peer.ip();
        let refusal = match self.clients.admit(ip, caller.service, now_ms()) {
            Admission::Welcome => {
                let kind = kind_for(caller.service);
                let full = self.pool(kind).line_up(caller, Instant::now());
                if let Some(caller) = full {
                    self.turn_away(caller, "too busy");
                }
                return;
            }
            Admission::TooMany => "too many connections from you",
            Admission::TooFast => "you come too often",
            Admission::Guessing => "too many unknown recipients from you",
            Admission::Crowded => "too busy",
        };
        caller.turn_away(refusal);
    }

    /// Somebody who was counted in leaves without having been served.
    fn turn_away(&mut self, caller: Caller, why: &str) {
        self.clients.left(caller.peer.ip(), caller.service, false);
        caller.turn_away(why);
    }

    // ---- instances -----------------------------------------------------------------------------

    /// Gives waiting callers to idle instances.
    fn hand_over(&mut self, now: Instant) {
        for kind in SERVED {
            for caller in self.pool(kind).tired(now) {
                self.turn_away(caller, "too busy");
            }
            while let Some((caller, peer)) = self.pool(kind).pair_up() {
                self.hand(caller, peer, kind, now);
            }
        }
    }

    /// The warden hears where no place is left, and whoever minds the house is alarmed once.
    fn tell_of_fullness(&mut self, now: Instant) {
        let pools =
            [(Kind::Edge, &self.edges), (Kind::Access, &self.accesses), (Kind::Pages, &self.pages)];
        for kind in self.fullness.look(&pools, now, now_ms()) {
            let what = alarm(kind).to_owned();
            let _ = self.hub.send(self.warden, 0, &Report::Attention { what }, Vec::new());
        }
        if let Some(full) = self.fullness.news(&pools, now) {
            let _ = self.hub.send(self.warden, 0, &Report::Full(full), Vec::new());
        }
    }

    fn hand(&mut self, caller: Caller, peer: Peer, kind: Kind, now: Instant) {
        let connection = ConnectionId(compartment::random());
        let Some(instance) = self.instances.get_mut(&peer) else {
            return self.pool(kind).missed(caller, now);
        };
        let Caller { peer: from, local, service, .. } = caller;
        // A copy: an instance that dies before it has begun does not take the caller with it.
        let Ok(socket) = caller.socket.try_clone() else {
            self.pool(kind).freed(peer);
            return self.turn_away(caller, "too busy");
        };
        // `edge` counts the same.
        let holder = Holder { peer, client: from.ip(), is_stranger: true };
        if kind == Kind::Edge && !self.memory.allow(holder, terms::DOOR_BYTES as u64) {
            self.pool(kind).freed(peer);
            return self.turn_away(caller, "too much mail is on its way");
        }
        let entry = Body::Connection {
            connection,
            instance: instance.id,
            peer: from.ip(),
            service: Word::new(word(service)),
        };
        // What cannot be recorded is not done; the instance stays free.
        if !self.records.record(entry) {
            self.memory.gone(peer);
            self.pool(kind).freed(peer);
            return self.turn_away(caller, "no evidence can be kept");
        }
        let handed = FromGate::Handed { connection, peer: from, local, service };
        instance.serving = Some((connection, from.ip(), service));
        if self.hub.send(peer, 0, &handed, vec![socket]).is_ok() {
            instance.handed = Some(caller);
        } else {
            // Its end is noticed by itself; the caller goes to the next one.
            instance.serving = None;
            self.memory.gone(peer);
            self.pool(kind).missed(caller, now);
        }
    }

    /// Asks the warden for more instances where they run low.
    fn call_for_more(&mut self, now: Instant) {
        if self.stopping.is_some() {
            return;
        }
        for kind in SERVED {
            let is_served = self.doors.values().any(|door| kind_for(door.service) == kind);
            let instances = if is_served { self.pool(kind).need(now) } else { 0 };
            if instances > 0 {
                let instances = u16::try_from(instances).unwrap_or(u16::MAX);
                let need = Report::Need { kind, instances };
                let _ = self.hub.send(self.warden, 0, &need, Vec::new());
            }
        }
    }

    fn hear(&mut self, peer: Peer, frame: Frame) {
        if !self.instances.contains_key(&peer) {
            return self.records.hear(peer, &frame);
        }
        match frame.read() {
            Ok(ToGate::Begun { connection }) => self.begun(peer, connection),
            Ok(ToGate::Done { connection, last }) => self.done(peer, connection, last),
            Ok(ToGate::Allow { bytes }) => {
                // Only for the connection in hand.
                let holder = self.instances.get(&peer).and_then(|instance| {
                    let (_, client, _) = instance.serving?;
                    Some(Holder { peer, client, is_stranger: instance.kind == Kind::Edge })
                });
                let is_allowed = holder.is_some_and(|holder| self.memory.allow(holder, bytes));
                let answer = FromGate::Allowed(is_allowed);
                let _ = self.hub.send(peer, frame.call, &answer, Vec::new());
            }
            Ok(ToGate::Release { bytes }) => self.memory.release(peer, bytes),
            Ok(ToGate::Unknown { count }) => {
                // Once for a connection, and no more than an honest edge lets happen on one: an
                // owned edge shuts nobody out by its word alone.
                let instance = self.instances.get_mut(&peer);
                let serving = instance.and_then(|instance| {
                    let serving = instance.serving.filter(|(id, ..)| instance.told != Some(*id))?;
                    instance.told = Some(serving.0);
                    Some(serving)
                });
                if let Some((_, ip, _)) = serving {
                    self.clients.guessed(ip, count.min(UNKNOWN_IN_A_CONNECTION), now_ms());
                }
            }
            Err(_) => {
                self.hub.dismiss(peer);
                self.lost(peer);
            }
        }
    }

    /// An instance has a connection in hand: from now on it lives and dies with it.
    fn begun(&mut self, peer: Peer, connection: ConnectionId) {
        let Some(instance) = self.instances.get_mut(&peer) else { return };
        if instance.serving.is_some_and(|(served, ..)| served == connection) {
            instance.handed = None;
        }
    }

    /// An instance has finished a connection; only its own counts.
    fn done(&mut self, peer: Peer, connection: ConnectionId, last: bool) {
        let Some(instance) = self.instances.get_mut(&peer) else { return };
        let kind = instance.kind;
        match instance.serving {
            Some((served, ip, service)) if served == connection => {
                instance.serving = None;
                instance.handed = None;
                self.clients.left(ip, service, std::mem::take(&mut instance.signed_in));
                self.memory.gone(peer);
            }
            _ => return,
        }
        if last || self.stopping.is_some() {
            self.pool(kind).lost(peer, true);
            self.forget(peer);
        } else {
            self.pool(kind).freed(peer);
        }
    }

    /// An idle instance whose gate is gone leaves by itself.
    fn let_surplus_leave(&mut self, now: Instant) {
        let mut leaving = self.edges.surplus(now);
        leaving.extend(self.accesses.surplus(now));
        leaving.extend(self.pages.surplus(now));
        leaving.into_iter().for_each(|peer| self.forget(peer));
    }

    /// A peer is gone: the ledger, or an instance with whatever it was doing.
    fn lost(&mut self, peer: Peer) {
        self.records.gone(peer);
        let Some(instance) = self.instances.get_mut(&peer) else { return };
        let (kind, serving) = (instance.kind, instance.serving);
        let signed_in = instance.signed_in;
        let unserved = instance.handed.take();
        self.pool(kind).lost(peer, serving.is_some());
        self.forget(peer);
        match (unserved, serving) {
            (Some(caller), _) => self.hand_again(caller, kind),
            (None, Some((_, ip, service))) => self.clients.left(ip, service, signed_in),
            (None, None) => {}
        }
    }

    /// A caller whose instance died before it had begun: not an octet was said to it.
    fn hand_again(&mut self, mut caller: Caller, kind: Kind) {
        caller.tries += 1;
        if caller.tries >= TRIES || self.stopping.is_some() {
            return self.turn_away(caller, "going down");
        }
        self.pool(kind).first_in_line(caller, Instant::now());
    }

    fn forget(&mut self, peer: Peer) {
        self.instances.remove(&peer);
        self.memory.gone(peer);
        self.hub.dismiss(peer);
    }

    fn pool(&mut self, kind: Kind) -> &mut Pool {
        match kind {
            Kind::Edge => &mut self.edges,
            Kind::Pages => &mut self.pages,
            _ => &mut self.accesses,
        }
    }

    fn sweep(&mut self, now: Instant) {
        if now.duration_since(self.swept_at) > SWEEP {
            self.swept_at = now;
            self.clients.forget_quiet(now_ms());
        }
    }
}

fn kind_for(service: Service) -> Kind {
    match service {
        Service::Smtp | Service::Zone | Service::Metrics => Kind::Edge,
        Service::Imaps | Service::Pop3s | Service::Submissions | Service::Submission => {
            Kind::Access
        }
        Service::Https => Kind::Pages,
    }
}

fn word(service: Service) -> &'static str {
    match service {
        Service::Smtp => "smtp",
        Service::Imaps => "imaps",
        Service::Pop3s => "pop3s",
        Service::Submissions => "submissions",
        Service::Submission => "submission",
        Service::Https => "https",
        Service::Metrics => "metrics",
        Service::Zone => "zone",
    }
}
