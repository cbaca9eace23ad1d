//! Who asks, and who answers us: the channels, on one thread.

use crate::exchange::bring;
use crate::mute::Mute;
use crate::turns::{Asker, Errand, Turns, Waiting, Way};
use crate::{Fault, alarms, inquiries};
use compartment::House;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::Kind;
use tls::Line;
use wire::control::{DIALS_BUSY, Order, Relay, Report};
use wire::fetch::{Answer, Ask, BUSY, FromSentinel, Inquiry, Outward, ToSentinel, Verdict};
use wire::names::{self, Outcome, Question, RecordKind};
use wire::{Event, Frame, Hub, Peer};

/// How long one resource may take, all in all.
const RESOURCE: Duration = Duration::from_secs(10);
/// How long a remote is waited for before everybody else is heard.
const SLICE: Duration = Duration::from_millis(100);
/// An alarm that has taken so long stalls: the other route's is carried before it goes on. One that
/// is quick is not interrupted, for what is carried in it may stall in its turn.
const STALLS: Duration = Duration::from_millis(250);
/// When the house dials too often, it is asked again after this.
const DIAL_PAUSE: Duration = Duration::from_millis(200);

/// Serves from inside the walls.
pub(crate) fn attend(house: House) -> Result<(), Fault> {
    let mut hub = Hub::new().map_err(Fault::Channel)?;
    let (warden, start) = house.seat_control(&mut hub).map_err(Fault::Control)?;
    let mut desk = Desk::new(hub, warden, start.relay, start.outward);
    desk.host_name = start.host_name;
    while !desk.is_over {
        let Some(next) = desk.turns.next() else {
            desk.hear(None)?;
            continue;
        };
        desk.run(&next)?;
        // Whoever waited meanwhile was not heard: now they are.
        desk.hear(Some(Duration::ZERO))?;
    }
    Ok(())
}

pub(crate) struct Desk {
    hub: Hub,
    warden: Peer,
    pub relay: Relay,
    pub outward: Outward,
    pub host_name: String,
    names: Option<Peer>,
    turns: Turns,
    pub mute: Mute,
    last_call: u32,
    dialled: HashMap<u32, Result<OwnedFd, String>>,
    named: HashMap<u32, names::Answer>,
    authorities: Option<tls::Authorities>,
    is_over: bool,
    /// The alarms that are being carried, one inside the other, and since when: one a route.
    carried: Vec<(Way, Instant)>,
    /// Questions of ours that somebody waits for: one of each errand in hand.
    open: Vec<u32>,
}

impl Desk {
    fn new(hub: Hub, warden: Peer, relay: Relay, outward: Outward) -> Self {
        Self {
            hub,
            warden,
            relay,
            outward,
            host_name: String::new(),
            names: None,
            turns: Turns::default(),
            mute: Mute::default(),
            last_call: 0,
            dialled: HashMap::new(),
            named: HashMap::new(),
            authorities: None,
            is_over: false,
            carried: Vec::new(),
            open: Vec::new(),
        }
    }

    fn run(&mut self, next: &Waiting) -> Result<(), Fault> {
        let until = Instant::now() + RESOURCE;
        match &next.errand {
            Errand::Bring(ask) => {
                let answer = bring(ask, self, until)?;
                let _ = self.hub.send(next.peer, next.call, &answer, Vec::new());
            }
            Errand::Alarm(alarm) => {
                self.carried.push((Way::of(alarm), Instant::now()));
                let answer = alarms::carry(alarm, self, until);
                self.carried.pop();
                let answer = answer?;
                let _ = self.hub.send(next.peer, next.call, &answer, Vec::new());
            }
            Errand::Inquire(inquiry) => {
                let verdict = inquiries::ask(inquiry, self, until)?;
                let _ = self.hub.send(next.peer, next.call, &verdict, Vec::new());
            }
        }
        Ok(())
    }

    /// Reads what a remote says until then. Meanwhile the warden has its pulse answered, and alarms
    /// go by their other route: no remote that sleeps keeps them waiting.
    pub(crate) fn read(
        &mut self,
        line: &mut Line,
        into: &mut [u8],
        until: Instant,
    ) -> io::Result<usize> {
        loop {
            // What came while something else was carried is read, however late it is.
            let slice = until.min(Instant::now() + SLICE).max(Instant::now());
            match line.read(into, slice) {
                Err(fault) if fault.kind() == ErrorKind::TimedOut && Instant::now() < until => {}
                read => return read,
            }
            self.between().map_err(io::Error::other)?;
        }
    }

    /// What does not wait for a remote: everybody is heard, and an alarm goes by a route that has
    /// none in hand. So there are never more in one another than there are routes.
    fn between(&mut self) -> Result<(), Fault> {
        self.hear(Some(Duration::ZERO))?;
        while !self.is_over && self.carried.last().is_none_or(|(_, since)| stalls(*since)) {
            let is_free = |way: Way| self.carried.iter().all(|(carried, _)| *carried != way);
            let Some(next) = self.turns.next_alarm(is_free) else { break };
            self.run(&next)?;
        }
        Ok(())
    }

    /// The same, for a line that waits.
    pub(crate) fn meanwhile(&mut self) -> impl FnMut() -> io::Result<()> {
        move || self.between().map_err(io::Error::other)
    }

    /// Waits for somebody of the house, and carries what stalls for nobody.
    fn wait(&mut self, until: Instant) -> Result<(), Fault> {
        let left = until.saturating_duration_since(Instant::now());
        self.hear(Some(left.min(SLICE)))?;
        self.between()
    }

    /// Read when they are needed for the first time.
    pub(crate) fn authorities(&mut self) -> tls::Authorities {
        let pem = &self.relay.authorities;
        self.authorities.get_or_insert_with(|| tls::Authorities::read(pem)).clone()
    }

    // ---- questions of ours ---------------------------------------------------------------------

    /// One answer of the DNS; `Failed` if there is none in time.
    pub(crate) fn resolve(
        &mut self,
        name: &str,
        kind: RecordKind,
        until: Instant,
    ) -> Result<Outcome, Fault> {
        let Some(names) = self.names else { return Ok(Outcome::Failed) };
        let call = self.next_call();
        let question = Question { name: name.to_owned(), kind };
        if self.hub.send(names, call, &question, Vec::new()).is_err() {
            self.close(call);
            return Ok(Outcome::Failed);
        }
        // What came while an alarm was carried is taken, however late it is.
        while !self.named.contains_key(&call)
            && Instant::now() < until
            && !self.is_over
            && self.names == Some(names)
        {
            self.wait(until)?;
        }
        let answer = self.named.remove(&call);
        self.close(call);
        Ok(match answer {
            Some(answer) if answer.security != names::Security::Bogus => answer.outcome,
            _ => Outcome::Failed,
        })
    }

    /// A socket that is on its way to there, from one of our addresses if it matters; or why there
    /// is none.
    pub(crate) fn dial(
        &mut self,
        to: (SocketAddr, Option<IpAddr>),
        until: Instant,
    ) -> Result<Result<OwnedFd, String>, Fault> {
        loop {
            let dialled = self.dial_once(to, until)?;
            let is_busy = matches!(&dialled, Err(why) if why == DIALS_BUSY);
            if !is_busy || Instant::now() + DIAL_PAUSE >= until {
                return Ok(dialled);
            }
            self.wait(Instant::now() + DIAL_PAUSE)?;
        }
    }

    fn dial_once(
        &mut self,
        (to, from): (SocketAddr, Option<IpAddr>),
        until: Instant,
    ) -> Result<Result<OwnedFd, String>, Fault> {
        let call = self.next_call();
        let dial = Report::Dial { call, to, from };
        self.hub.send(self.warden, 0, &dial, Vec::new()).map_err(Fault::Channel)?;
        while !self.dialled.contains_key(&call) && Instant::now() < until && !self.is_over {
            self.wait(until)?;
        }
        let dialled = self.dialled.remove(&call);
        self.close(call);
        Ok(dialled.unwrap_or_else(|| Err("the warden gave no socket in time".to_owned())))
    }

    fn next_call(&mut self) -> u32 {
        self.last_call = self.last_call.wrapping_add(1).max(1);
        self.open.push(self.last_call);
        self.last_call
    }

    /// Nobody waits for it any more: what comes late is dropped.
    fn close(&mut self, call: u32) {
        self.open.retain(|open| *open != call);
        self.named.remove(&call);
        self.dialled.remove(&call);
    }

    // ---- what is said to us --------------------------------------------------------------------

    /// Hears everybody once.
    fn hear(&mut self, limit: Option<Duration>) -> Result<(), Fault> {
        for event in self.hub.wait(limit).map_err(Fault::Channel)? {
            match event {
                Event::Frame(peer, frame) if peer == self.warden => self.obey(frame)?,
                Event::Frame(peer, frame) if Some(peer) == self.names => {
                    // Only the questions in hand are answered to anybody.
                    if self.open.contains(&frame.call)
                        && let Ok(answer) = frame.read()
                    {
                        self.named.insert(frame.call, answer);
                    }
                }
                Event::Frame(peer, frame) => self.asked(peer, &frame),
                Event::Gone(_, label) if label.kind == Kind::Warden => self.is_over = true,
                Event::Gone(peer, _) => {
                    self.turns.gone(peer);
                    self.names = self.names.filter(|names| *names != peer);
                }
                Event::Ready(_) => {}
            }
        }
        for tired in self.turns.tired(Instant::now()) {
            self.put_off(tired.peer, tired.call);
        }
        Ok(())
    }

    fn asked(&mut self, peer: Peer, frame: &Frame) {
        let errand = match self.kind(peer) {
            Some(Kind::Sentinel) => frame.read::<FromSentinel>().map(Errand::Alarm),
            Some(Kind::Directory) => frame.read::<Inquiry>().map(Errand::Inquire),
            _ => frame.read::<Ask>().map(Errand::Bring),
        };
        let Ok(errand) = errand else {
            self.hub.cut_off(peer, "it spoke what is no question");
            return self.turns.gone(peer);
        };
        let tenant = self.hub.label(peer).and_then(|label| label.person);
        let asker = tenant.map_or(Asker::House(peer), |(tenant, _)| Asker::Tenant(tenant));
        if !self.turns.wait((peer, asker), frame.call, errand, Instant::now()) {
            self.put_off(peer, frame.call);
        }
    }

    fn kind(&self, peer: Peer) -> Option<Kind> {
        self.hub.label(peer).map(|label| label.kind)
    }

    fn put_off(&mut self, peer: Peer, call: u32) {
        let said = BUSY.to_owned();
        let _ = match self.kind(peer) {
            Some(Kind::Sentinel) => {
                let answer = ToSentinel { is_taken: false, said };
                self.hub.send(peer, call, &answer, Vec::new())
            }
            Some(Kind::Directory) => self.hub.send(peer, call, &Verdict::Busy, Vec::new()),
            _ => self.hub.send(peer, call, &Answer::Failed(said), Vec::new()),
        };
    }

    fn obey(&mut self, frame: Frame) -> Result<(), Fault> {
        match frame.read::<Order>() {
            Ok(Order::Stop) => self.is_over = true,
            Ok(Order::Pulse) => {
                drop(self.hub.send(self.warden, 0, &Report::Alive, Vec::new()));
            }
            Ok(Order::Join(label)) => {
                let kind = label.kind;
                let Some(channel) = frame.descriptors.into_iter().next() else { return Ok(()) };
                let peer = self.hub.seat(channel.into(), label).map_err(Fault::Channel)?;
                if kind == Kind::Names {
                    self.names = Some(peer);
                }
            }
            Ok(Order::Dialled { call, refused }) if self.open.contains(&call) => {
                let why = refused.unwrap_or_else(|| "the warden gave no socket".to_owned());
                let socket = frame.descriptors.into_iter().next().ok_or(why);
                self.dialled.insert(call, socket);
            }
            _ => {}
        }
        Ok(())
    }
}

fn stalls(since: Instant) -> bool {
    since.elapsed() >= STALLS
}
