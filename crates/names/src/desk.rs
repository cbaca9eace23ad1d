//! Questions in hand: who waits for which, what is on its way, what is remembered.

use crate::cache::Cache;
use crate::health::{Health, probe};
use crate::inquiry::{CONNECT_LOOK, Inquiry, Step, Target, tries};
use crate::packet::Sent;
use crate::sockets::{Sockets, Way};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use wire::names::{Answer, Outcome, Question, Security};
use wire::{Hub, Peer};

/// Questions on their way at once; each holds a socket.
const UNDER_WAY: usize = 256;
/// Questions that wait for a place; beyond it the answer is "failed".
const IN_LINE: usize = 4_096;
/// Askers of one and the same question.
const ASKERS: usize = 1_024;
/// Questions of one peer that have no answer yet: an `edge` has one connection, and its scanner
/// asks one question after the other.
const PER_PEER: usize = 128;
/// Longest name passed to the DNS (RFC 1035 §2.3.4), with its last dot.
const NAME_OCTETS: usize = 254;

type Asker = (Peer, u32);

/// One question without an answer yet.
struct Open {
    askers: Vec<Asker>,
    tries_made: usize,
    /// Since when it is asked; `None`: it waits in line.
    since: Option<Instant>,
}

/// What waits for a socket from the warden.
enum Parked {
    Question(Question),
    /// Its answer was too long for UDP.
    OverTcp(Question, Inquiry),
}

pub struct Desk {
    servers: Vec<SocketAddr>,
    health: Health,
    sockets: Sockets,
    parked: HashMap<Way, VecDeque<Parked>>,
    cache: Cache,
    open: HashMap<Question, Open>,
    line: VecDeque<Question>,
    under_way: HashMap<Peer, (Question, Inquiry)>,
    waiting: HashMap<Peer, usize>,
}

impl Desk {
    pub fn new(servers: Vec<SocketAddr>, warden: Peer) -> Self {
        Self {
            health: Health::new(warden, servers.clone()),
            servers,
            sockets: Sockets::new(warden),
            parked: HashMap::new(),
            cache: Cache::default(),
            open: HashMap::new(),
            line: VecDeque::new(),
            under_way: HashMap::new(),
            waiting: HashMap::new(),
        }
    }

    /// A peer asks.
    pub fn asked(&mut self, peer: Peer, call: u32, question: Question, hub: &mut Hub) {
        let question = Question { name: question.name.to_ascii_lowercase(), ..question };
        let now = Instant::now();
        if let Some(answer) = self.cache.find(&question, now) {
            return tell(hub, peer, call, &answer);
        }
        let waiting = self.waiting.get(&peer).copied().unwrap_or(0);
        let too_many = waiting >= PER_PEER || self.line.len() >= IN_LINE;
        if too_many || question.name.len() > NAME_OCTETS || self.servers.is_empty() {
            return tell(hub, peer, call, &failed());
        }
        if let Some(open) = self.open.get_mut(&question) {
            if open.askers.len() >= ASKERS {
                return tell(hub, peer, call, &failed());
            }
            open.askers.push((peer, call));
            self.waiting.insert(peer, waiting + 1);
            return;
        }
        let open = Open { askers: vec![(peer, call)], tries_made: 0, since: None };
        self.open.insert(question.clone(), open);
        self.waiting.insert(peer, waiting + 1);
        self.line.push_back(question);
        self.start_waiting(now, hub);
    }

    /// A peer is gone; its questions go on for the cache's sake.
    pub fn left(&mut self, peer: Peer) {
        if self.waiting.remove(&peer).is_some() {
            for open in self.open.values_mut() {
                open.askers.retain(|(asker, _)| *asker != peer);
            }
        }
    }

    /// A socket has something to read.
    pub fn readable(&mut self, socket: Peer, hub: &mut Hub) {
        self.advance(socket, Instant::now(), hub);
        self.start_waiting(Instant::now(), hub);
    }

    /// Until when nothing needs a look.
    pub fn next_look(&self, now: Instant) -> Option<Duration> {
        let looks = self.under_way.values().map(|(_, inquiry)| {
            if inquiry.is_connecting() { now + CONNECT_LOOK } else { inquiry.until }
        });
        looks.min().map(|look| look.saturating_duration_since(now))
    }

    /// Ends tries whose time is up, and looks after connections that are being made.
    pub fn look(&mut self, now: Instant, hub: &mut Hub) {
        let due: Vec<(Peer, bool)> = self
            .under_way
            .iter()
            .filter(|(_, (_, inquiry))| inquiry.until <= now || inquiry.is_connecting())
            .map(|(socket, (_, inquiry))| (*socket, inquiry.until <= now))
            .collect();
        for (socket, late) in due {
            if late {
                self.look_whether_any_lives(socket, now, hub);
                self.next_try(socket, now, hub);
            } else {
                self.advance(socket, now, hub);
            }
        }
        self.start_waiting(now, hub);
    }

    /// A try is over without a word: is it the name, or the resolver?
    fn look_whether_any_lives(&mut self, socket: Peer, now: Instant, hub: &mut Hub) {
        let Some((question, _)) = self.under_way.get(&socket) else { return };
        let since = self.open.get(question).and_then(|open| open.since);
        let knows = since.is_some_and(|since| self.health.has_heard_since(since));
        if knows || self.open.contains_key(&probe()) {
            return;
        }
        self.open.insert(probe(), Open { askers: Vec::new(), tries_made: 0, since: None });
        self.make_try(probe(), now, hub);
    }

    /// By a server that refuses this name (policy zones and forwarders do), or everything to us,
    /// which is as good as silence. After the last try the probe's answer decides.
    fn was_refused(&mut self, socket: Peer, now: Instant, hub: &mut Hub) {
        self.look_whether_any_lives(socket, now, hub);
        let total = tries(self.servers.len());
        let Some((question, inquiry)) = self.under_way.get_mut(&socket) else { return };
        let open = self.open.get(question);
        let is_last = open.is_some_and(|open| open.tries_made >= total);
        let lives = open.and_then(|open| open.since);
        let lives = lives.is_some_and(|since| self.health.has_heard_since(since));
        match is_last && !lives && *question != probe() {
            true => inquiry.linger(now),
            false => self.next_try(socket, now, hub),
        }
    }

    /// What every try for it was in vain says.
    fn in_vain(&mut self, question: &Question, now: Instant, hub: &mut Hub) -> Answer {
        let since = self.open.get(question).and_then(|open| open.since);
        let lives = since.is_none_or(|since| self.health.has_heard_since(since));
        // A name that no packet can hold was never asked for.
        let is_askable = Sent::new(question, 0, None).is_some_and(|sent| sent.packet().is_some());
        if lives || !is_askable {
            return failed();
        }
        self.health.is_silent(now, hub);
        Answer { outcome: Outcome::Unanswered, ..failed() }
    }

    /// Gives free places to those in line.
    fn start_waiting(&mut self, now: Instant, hub: &mut Hub) {
        while self.under_way.len() + self.parked_count() < UNDER_WAY {
            let Some(question) = self.line.pop_front() else { return };
            self.make_try(question, now, hub);
        }
    }

    fn parked_count(&self) -> usize {
        self.parked.values().map(VecDeque::len).sum()
    }

    /// Sockets from the warden for those who wait for them; none: that server is out of reach.
    pub fn handed(&mut self, way: Way, sockets: Vec<OwnedFd>, hub: &mut Hub) {
        let is_barren = sockets.is_empty();
        self.sockets.handed(way, sockets);
        let now = Instant::now();
        for parked in self.parked.remove(&way).unwrap_or_default() {
            match parked {
                Parked::Question(question) if is_barren => self.make_try(question, now, hub),
                Parked::OverTcp(question, _) if is_barren => self.make_try(question, now, hub),
                // Whoever finds no socket parks again, and has asked for more.
                Parked::Question(question) => {
                    if let Some(open) = self.open.get_mut(&question) {
                        open.tries_made = open.tries_made.saturating_sub(1);
                    }
                    self.make_try(question, now, hub);
                }
                Parked::OverTcp(question, inquiry) => self.go_over_tcp(way, question, inquiry, hub),
            }
        }
        self.start_waiting(now, hub);
    }

    /// Makes the question's next try that can be made, or gives up.
    fn make_try(&mut self, question: Question, now: Instant, hub: &mut Hub) {
        let total = tries(self.servers.len());
        loop {
            let Some(open) = self.open.get_mut(&question) else { return };
            let number = open.tries_made;
            let place = number % self.servers.len().max(1);
            let server = self.servers.get(place).copied().filter(|_| number < total);
            let Some(server) = server else {
                let answer = self.in_vain(&question, now, hub);
                return self.close(question, answer, hub);
            };
            open.tries_made += 1;
            open.since.get_or_insert(now);
            let way = Way { server: place as u16, over_tcp: false };
            let Some(socket) = self.sockets.take(way, hub) else {
                let parked = Parked::Question(question);
                return self.parked.entry(way).or_default().push_back(parked);
            };
            // The AD bit of a server on this very host counts. The last try forgives a server
            // that does not keep the case of letters.
            let trusted = server.ip().is_loopback();
            let target = Target { server, trusted, exact_case: number + 1 < total };
            let Some(inquiry) = Inquiry::udp(&question, target, &socket, now) else { continue };
            let Ok(socket) = hub.watch(socket) else { continue };
            self.under_way.insert(socket, (question, inquiry));
            return;
        }
    }

    fn advance(&mut self, socket: Peer, now: Instant, hub: &mut Hub) {
        let Some((_, inquiry)) = self.under_way.get_mut(&socket) else { return };
        let Some(descriptor) = hub.watched(socket) else { return };
        match inquiry.advance(descriptor) {
            Step::Wait => {}
            Step::Next => self.next_try(socket, now, hub),
            Step::Sick => {
                self.health.heard(now, hub);
                self.next_try(socket, now, hub);
            }
            Step::Refused => self.was_refused(socket, now, hub),
            Step::OverTcp => {
                self.health.heard(now, hub);
                self.over_tcp(socket, hub);
            }
            Step::Told(answer) => {
                self.health.heard(now, hub);
                hub.dismiss(socket);
                if let Some((question, _)) = self.under_way.remove(&socket) {
                    self.close(question, answer, hub);
                }
            }
        }
    }

    fn next_try(&mut self, socket: Peer, now: Instant, hub: &mut Hub) {
        hub.dismiss(socket);
        if let Some((question, _)) = self.under_way.remove(&socket) {
            self.make_try(question, now, hub);
        }
    }

    fn over_tcp(&mut self, socket: Peer, hub: &mut Hub) {
        hub.dismiss(socket);
        let Some((question, inquiry)) = self.under_way.remove(&socket) else { return };
        let place = self.servers.iter().position(|server| *server == inquiry.server);
        let way = Way { server: place.unwrap_or(0) as u16, over_tcp: true };
        self.go_over_tcp(way, question, inquiry, hub);
    }

    fn go_over_tcp(&mut self, way: Way, question: Question, inquiry: Inquiry, hub: &mut Hub) {
        let Some(socket) = self.sockets.take(way, hub) else {
            let parked = Parked::OverTcp(question, inquiry);
            return self.parked.entry(way).or_default().push_back(parked);
        };
        let now = Instant::now();
        let watched = inquiry.tcp(now).and_then(|inquiry| Some((inquiry, hub.watch(socket).ok()?)));
        match watched {
            Some((inquiry, socket)) => {
                self.under_way.insert(socket, (question, inquiry));
            }
            None => self.make_try(question, now, hub),
        }
    }

    /// Tells all who wait, and remembers.
    fn close(&mut self, question: Question, answer: Answer, hub: &mut Hub) {
        let Some(open) = self.open.remove(&question) else { return };
        for (peer, call) in open.askers {
            if let Some(waiting) = self.waiting.get_mut(&peer) {
                *waiting = waiting.saturating_sub(1);
            }
            tell(hub, peer, call, &answer);
        }
        self.cache.keep(question, answer, Instant::now());
    }
}

fn tell(hub: &mut Hub, peer: Peer, call: u32, answer: &Answer) {
    // A peer that cannot be told is gone, which the hub reports by itself.
    let _ = hub.send(peer, call, answer, Vec::new());
}

fn failed() -> Answer {
    Answer { outcome: Outcome::Failed, security: Security::Insecure, ttl_seconds: 0 }
}
