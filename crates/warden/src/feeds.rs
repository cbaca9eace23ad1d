//! What the sentinel is told, and what it asks of us. It judges; we tell, and do.

use crate::earshot::{Earshot, Hearing};
use crate::household::Household;
use crate::plan::Happening;
use crate::recorder;
use crate::roster::Role;
use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use wire::OUTGOING_FRAMES;
use wire::control::Order;
use wire::sentinel::{Feed, Incident, NOT_CONFIGURED, Seen, Sight, Source};

/// Keepers are asked this often whether they live.
const PULSE: Duration = Duration::from_secs(2);
/// Pulses whose answers are still awaited: a keeper may be held up for a minute.
const PULSES: u8 = 30;
/// Frames that may wait for the sentinel. What comes then is counted and not told: it would be cut
/// off for what others say.
const WAITING: usize = OUTGOING_FRAMES / 2;
/// How often it is said that there was more than could be told.
const UNTOLD_PAUSE: Duration = Duration::from_secs(10);
/// Nobody watches the sentinel but us.
const SENTINEL_SILENT: Duration = Duration::from_secs(10);
/// Facts kept for a sentinel that is being started.
const KEPT: usize = 2_048;
/// Newborns whose first exec is our own order.
const NEWBORNS: usize = 256;
/// A birth opens our own program and its loader to be executed.
const OPENED_AT_BIRTH: u8 = 2;
/// Sights taken in one round.
const SEEN_ROUND: usize = 64;

struct Newborn {
    pid: u32,
    has_executed: bool,
    opened: u8,
}

/// What was told, and to whom.
pub struct Feeds {
    kept: VecDeque<Feed>,
    newborns: VecDeque<Newborn>,
    pulsed: Option<Instant>,
    /// When the sentinel said last that it lives, and whether its silence was told of.
    heard: Option<Instant>,
    is_silence_told: bool,
    /// What each said lately of which the sentinel is told.
    loud: Earshot,
    /// Facts that were not told since that was said last, and when it was.
    untold: u64,
    said_untold: Option<Instant>,
}

impl Default for Feeds {
    fn default() -> Self {
        Self {
            kept: VecDeque::new(),
            newborns: VecDeque::new(),
            pulsed: None,
            heard: None,
            is_silence_told: false,
            loud: Earshot::of_the_sentinel(),
            untold: 0,
            said_untold: None,
        }
    }
}

impl Feeds {
    /// A child of ours that we told to execute our own program.
    pub fn expect(&mut self, pid: u32) {
        if self.newborns.len() >= NEWBORNS {
            self.newborns.pop_front();
        }
        self.newborns.push_back(Newborn { pid, has_executed: false, opened: 0 });
    }

    fn is_ordered(&mut self, seen: &Seen) -> bool {
        // The newest of that number: numbers come again.
        let newborn = self.newborns.iter_mut().rev().find(|newborn| newborn.pid == seen.pid);
        let Some(newborn) = newborn else { return false };
        match seen.what {
            Sight::Executed => !std::mem::replace(&mut newborn.has_executed, true),
            Sight::Opened => {
                newborn.opened = newborn.opened.saturating_add(1);
                newborn.opened <= OPENED_AT_BIRTH
            }
            Sight::Traced | Sight::Written => false,
        }
    }
}

impl Household {
    /// Tells the sentinel, or keeps it for the next one.
    pub fn feed(&mut self, feed: Feed) {
        match self.holder(Kind::Sentinel).filter(|holder| holder.ready) {
            Some(holder) if self.hub.waiting(holder.control) >= WAITING => self.feeds.untold += 1,
            Some(holder) => {
                let control = holder.control;
                let _ = self.hub.send(control, 0, &Order::Feed(feed), Vec::new());
            }
            None if self.feeds.kept.len() < KEPT => self.feeds.kept.push_back(feed),
            None => {}
        }
    }

    /// A sentinel that serves is told who lives, where facts come from, and what it missed.
    pub fn brief_sentinel(&mut self) {
        let born =
            self.members.values().filter(|member| member.pid != 0).map(|member| Feed::Born {
                instance: member.instance,
                kind: member.kind,
                pid: member.pid,
                is_instance: matches!(member.role, Role::Instance(_) | Role::Zygote),
                drilled: member.drilled,
            });
        let born: Vec<Feed> = born.collect();
        born.into_iter().for_each(|feed| self.feed(feed));
        self.feeds.heard = Some(Instant::now());
        self.feeds.is_silence_told = false;
        for source in Source::ALL {
            self.offer(*source);
        }
        for feed in std::mem::take(&mut self.feeds.kept) {
            if !matches!(feed, Feed::Born { .. }) {
                self.feed(feed);
            }
        }
    }

    /// Hands a source to the sentinel, or says why there is none.
    pub fn offer(&mut self, source: Source) {
        let opened: Result<Option<OwnedFd>, String> = match source {
            Source::Notices => match compartment::walls().granted.contains(&NOTICES) {
                true => Ok(None),
                false => Err("this kernel grants no listener".to_owned()),
            },
            Source::Processes => self.eyes.processes.clone().map_or(Ok(None), Err),
            Source::Programs => self.eyes.programs.clone().map_or(Ok(None), Err),
            Source::Files => self.eyes.files.clone().map_or(Ok(None), Err),
            Source::Audit => {
                compartment::events::audit_records().map(Some).map_err(|error| error.to_string())
            }
            Source::Syslog => open_syslog(&self.plan.syslog).map(Some),
        };
        let (held, missing) = match opened {
            Ok(held) if source == Source::Audit => {
                let is_off = compartment::events::audit_is_on() == Some(false);
                (held, is_off.then(|| "the audit of this host is off".to_owned()))
            }
            Ok(held) => (held, None),
            Err(why) => (None, Some(why)),
        };
        if let Some(holder) = self.holder(Kind::Sentinel).filter(|holder| holder.ready) {
            let control = holder.control;
            let order = Order::Feed(Feed::Source { source, missing });
            let _ = self.hub.send(control, 0, &order, held.into_iter().collect());
        }
    }

    /// What the eyes saw, without what we ordered ourselves.
    pub fn look_around(&mut self) {
        for _ in 0..SEEN_ROUND {
            let Some(seen) = self.eyes.next() else { break };
            if !self.feeds.is_ordered(&seen) {
                self.feed(Feed::Seen(seen));
            }
        }
        let missed = self.eyes.newly_missed();
        if missed > 0 {
            let what = format!("{missed} process events were not seen one by one");
            self.raise_alarm(self.own, Kind::Warden, std::process::id(), "report", &what, None);
        }
    }

    /// What the sentinel could not be told, as soon as it can be again. All of it is recorded.
    pub fn say_untold(&mut self, now: Instant) {
        if self.feeds.said_untold.is_some_and(|at| now.duration_since(at) < UNTOLD_PAUSE) {
            return;
        }
        let waiting = self.holder(Kind::Sentinel).map(|holder| self.hub.waiting(holder.control));
        if self.feeds.untold == 0 || waiting.is_none_or(|frames| frames > 0) {
            return;
        }
        let untold = std::mem::take(&mut self.feeds.untold);
        self.feeds.said_untold = Some(now);
        let what = format!("{untold} facts were not told to the sentinel one by one");
        self.raise_alarm(self.own, Kind::Warden, std::process::id(), "many", &what, None);
    }

    /// Asks every keeper whether it lives, and the sentinel by our own clock.
    pub fn pulse(&mut self, now: Instant) {
        if self.feeds.pulsed.is_some_and(|at| now.duration_since(at) < PULSE) {
            return;
        }
        self.feeds.pulsed = Some(now);
        let keepers = self.members.values().filter(|one| one.ready && one.role == Role::Single);
        let controls: Vec<_> = keepers.map(|keeper| (keeper.instance, keeper.control)).collect();
        for (instance, control) in controls {
            if let Some(keeper) = self.members.get_mut(&instance) {
                keeper.pulses = keeper.pulses.saturating_add(1).min(PULSES);
            }
            let _ = self.hub.send(control, 0, &Order::Pulse, Vec::new());
        }
        let silent = self.feeds.heard.is_some_and(|at| now.duration_since(at) >= SENTINEL_SILENT);
        let holder = self.holder(Kind::Sentinel).filter(|one| one.ready).map(|one| one.instance);
        if let Some(sentinel) = holder.filter(|_| silent && !self.feeds.is_silence_told) {
            self.feeds.is_silence_told = true;
            let pid = self.members.get(&sentinel).map_or(0, |member| member.pid);
            let what = "the sentinel does not answer";
            self.raise_alarm(sentinel, Kind::Sentinel, pid, "silent", what, None);
        }
    }

    /// A keeper answered.
    pub fn hear_alive(&mut self, instance: InstanceId, kind: Kind) {
        if kind == Kind::Sentinel {
            self.feeds.heard = Some(Instant::now());
            self.feeds.is_silence_told = false;
        }
        self.feed(Feed::Alive { at_ms: compartment::now_ms(), instance, kind });
    }

    /// The sentinel judged: the operator is told. It has recorded it itself.
    pub fn hear_incident(&mut self, incident: Incident) {
        (self.plan.tell)(&Happening::Incident(incident));
    }

    /// The sentinel wants an instance gone. Keepers it may only isolate.
    pub fn replace(&mut self, instance: InstanceId) {
        let Some(member) = self.members.get_mut(&instance) else { return };
        if matches!(member.role, Role::Instance(_)) {
            member.off_charter = true;
            self.kill(instance);
        }
    }

    /// For the sentinel: a member was born and can be named by its process.
    pub fn feed_birth(&mut self, instance: InstanceId) {
        let Some(member) = self.members.get(&instance) else { return };
        let (kind, pid, drilled) = (member.kind, member.pid, member.drilled);
        let is_instance = !matches!(member.role, Role::Single);
        if matches!(member.role, Role::Single | Role::Zygote) {
            self.feeds.expect(pid);
        }
        self.feed(Feed::Born { instance, kind, pid, is_instance, drilled });
    }

    /// For the sentinel: what we recorded as an alarm. It folds what is alike: of one that does the
    /// same ten thousand times it need not hear each, and shall not miss what others do.
    pub fn feed_raw(&mut self, instance: InstanceId, kind: Kind, pid: u32, call: &str, what: &str) {
        if instance != self.own && self.feeds.loud.hear(instance, Instant::now()) != Hearing::Heard
        {
            return;
        }
        let at_ms = recorder::now_ms();
        let (call, what) = (call.to_owned(), what.to_owned());
        self.feed(Feed::Raw { at_ms, instance, kind, pid, call, what });
    }
}

const NOTICES: compartment::walls::Wall = compartment::walls::Wall::Notices;

/// Whether lines go over a stream, where they need a frame of their own.
pub fn is_stream(at: &str) -> bool {
    at.starts_with(TCP)
}

const TCP: &str = "tcp://";
const UDP: &str = "udp://";

/// `""`: none; a path: a datagram socket of this host; else `[udp://|tcp://]IP:PORT`. Never waits:
/// a stream may still be on its way.
fn open_syslog(at: &str) -> Result<OwnedFd, String> {
    let text = |error: std::io::Error| error.to_string();
    if at.is_empty() {
        return Err(NOT_CONFIGURED.to_owned());
    }
    if at.starts_with('/') {
        let socket = UnixDatagram::unbound().map_err(text)?;
        socket.connect(at).map_err(text)?;
        socket.set_nonblocking(true).map_err(text)?;
        return Ok(socket.into());
    }
    let address = at.strip_prefix(TCP).or(at.strip_prefix(UDP)).unwrap_or(at);
    let address: SocketAddr = address.parse().map_err(|_| format!("{at} is no IP:PORT"))?;
    if is_stream(at) {
        return crate::dials::connected(address, None).map_err(|errno| errno.to_string());
    }
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).map_err(text)?;
    socket.connect(address).map_err(text)?;
    socket.set_nonblocking(true).map_err(text)?;
    Ok(socket.into())
}
