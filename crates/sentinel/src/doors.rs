//! The ways out of the house together: the host's log, the operator's webhook, the relay. And the
//! test of all of them, which an operator asks for.

use crate::log::Log;
use crate::memory::Memory;
use crate::message::{Line, Message, sign};
use crate::outward::{Kept, Route, Way};
use compartment::now_ms;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use vigil::Incident;
use wire::control::{Report, Start};
use wire::fetch::{FromSentinel, ToSentinel};
use wire::sentinel::{NOT_CONFIGURED, Source, Standing, ToAdmin, Tried};
use wire::{Frame, Hub, Peer};

/// What could not be sent yet is written so often, if it has changed.
const KEEP: Duration = Duration::from_secs(1);
/// Two routes that are away have ten seconds each, and what was on its way before them too.
const TEST: Duration = Duration::from_secs(40);

pub const LEDGER: &str = "ledger";
pub const CONSOLE: &str = "console";
const SYSLOG: &str = "syslog";

/// What is kept over a restart.
pub type AllKept = Vec<(Route, Kept)>;

pub struct Doors {
    ways: Vec<Way>,
    log: Log,
    has_log: bool,
    secret: Vec<u8>,
    house: String,
    fetch: Option<Peer>,
    last_call: u32,
    file: Memory,
    kept: AllKept,
    kept_at: Instant,
    test: Option<Test>,
}

/// A test under way: one answer a route.
struct Test {
    asker: Peer,
    call: u32,
    since: Instant,
    /// Of our own entries, and of the log's lines, the one that is the test's.
    entry: u64,
    line: u64,
    calls: Vec<(Route, u32)>,
    tried: Vec<Tried>,
}

impl Doors {
    pub fn open(start: &Start, file: Memory, kept: AllKept) -> Self {
        let vigilance = &start.vigilance;
        let gather = Duration::from_millis(vigilance.gather_ms);
        let is_there = |route: &Route| match route {
            Route::Webhook => vigilance.has_webhook,
            Route::Mail => vigilance.has_mail,
        };
        let way = |route: Route| {
            let known = kept.iter().find(|(known, _)| *known == route);
            Way::new(route, gather, known.map(|(_, kept)| kept.clone()).unwrap_or_default())
        };
        Self {
            ways: Route::ALL.into_iter().filter(is_there).map(way).collect(),
            log: Log::new(vigilance.log_is_stream),
            has_log: false,
            secret: start.alarm_secret.clone(),
            house: start.host_name.clone(),
            fetch: None,
            last_call: 0,
            file,
            kept: Vec::new(),
            kept_at: Instant::now(),
            test: None,
        }
    }

    /// The host's log, or why there is none.
    pub fn take_log(&mut self, socket: Option<OwnedFd>, missing: Option<&str>) {
        self.has_log = missing != Some(NOT_CONFIGURED);
        self.log.take(socket);
    }

    pub fn joined(&mut self, fetch: Peer) {
        self.fetch = Some(fetch);
    }

    pub fn is_fetch(&self, peer: Peer) -> bool {
        self.fetch == Some(peer)
    }

    pub fn lost(&mut self, peer: Peer) {
        if self.is_fetch(peer) {
            self.fetch = None;
            self.ways.iter_mut().for_each(|way| way.lost(Instant::now()));
        }
    }

    pub fn standing(&self) -> Vec<Standing> {
        let (sent, waiting, given_up, trouble) = self.log.standing();
        let log = Standing {
            route: SYSLOG.to_owned(),
            waiting,
            given_up,
            sent,
            last_taken_ms: None,
            trouble: trouble.map(str::to_owned),
        };
        let log = self.has_log.then_some(log);
        log.into_iter().chain(self.ways.iter().map(Way::standing)).collect()
    }

    /// An incident, for every route: `line` is what the host's log gets, `told` what a message has.
    pub fn take(&mut self, told: &Line, line: &str) {
        if self.has_log {
            self.log.say(line);
        }
        for way in &mut self.ways {
            way.take(told.clone(), Instant::now());
        }
    }

    /// Sends what is due, and keeps what is not taken yet. Waits for nobody.
    pub fn tend(&mut self, hub: &mut Hub, warden: Peer, lost: impl Fn(u64) -> String) {
        if self.has_log && self.log.tend(Instant::now(), lost) {
            let _ = hub.send(warden, 0, &Report::Reopen(Source::Syslog), Vec::new());
        }
        if let Some(fetch) = self.fetch {
            for way in &mut self.ways {
                let (call, route) = (self.last_call.wrapping_add(1), way.route);
                if let Some(message) = way.due(call, Instant::now(), now_ms()) {
                    self.last_call = call;
                    let alarm = alarm(route, message, &self.secret, &self.house);
                    if hub.send(fetch, call, &alarm, Vec::new()).is_err() {
                        way.lost(Instant::now());
                    }
                }
            }
        }
        if self.kept_at.elapsed() >= KEEP {
            self.keep();
        }
    }

    /// Writes what has changed.
    pub fn keep(&mut self) {
        self.kept_at = Instant::now();
        let mut has_changed = false;
        for way in &mut self.ways {
            if let Some(kept) = way.changed() {
                self.kept.retain(|(route, _)| *route != way.route);
                self.kept.push((way.route, kept));
                has_changed = true;
            }
        }
        if has_changed {
            // A disk that is full loses nothing yet: it stands in memory, and in the ledger.
            let _ = self.file.keep(&self.kept);
        }
    }

    /// The answer of `fetch` to one try.
    pub fn answered(&mut self, frame: &Frame) {
        let Ok(answer) = frame.read::<ToSentinel>() else { return };
        if let Some(test) = &mut self.test
            && let Some((route, _)) = test.calls.iter().find(|(_, call)| *call == frame.call)
        {
            let route = route.word();
            return test.settle(route, answer.is_taken, &answer.said);
        }
        for way in &mut self.ways {
            if way.answered(frame.call, &answer, Instant::now(), now_ms()) {
                return;
            }
        }
    }

    // ---- the test ------------------------------------------------------------------------------

    /// Begins one: the incident has been recorded as `entry` and told on the console. `false`: one
    /// is under way already.
    pub fn test(
        &mut self,
        (asker, call): (Peer, u32),
        (incident, line): (&Incident, &str),
        entry: u64,
        hub: &mut Hub,
    ) -> bool {
        if self.test.is_some() {
            return false;
        }
        let mut test = Test {
            asker,
            call,
            since: Instant::now(),
            entry,
            line: 0,
            calls: Vec::new(),
            tried: Vec::new(),
        };
        test.settle(CONSOLE, true, "told to the warden");
        if self.has_log {
            self.log.say(line);
            let (written, waiting, _, _) = self.log.standing();
            test.line = written + waiting;
        } else {
            test.tried.push(none(SYSLOG));
        }
        let message = Message::of(incident, now_ms());
        for route in Route::ALL {
            if !self.ways.iter().any(|way| way.route == route) {
                test.tried.push(none(route.word()));
                continue;
            }
            let Some(fetch) = self.fetch else {
                test.settle(route.word(), false, "fetch is away");
                continue;
            };
            self.last_call = self.last_call.wrapping_add(1);
            let alarm = alarm(route, &message, &self.secret, &self.house);
            match hub.send(fetch, self.last_call, &alarm, Vec::new()) {
                Ok(()) => test.calls.push((route, self.last_call)),
                Err(fault) => test.settle(route.word(), false, &fault.to_string()),
            }
        }
        self.test = Some(test);
        true
    }

    /// Answers the operator when every route has, or when they had their time. `acknowledged`: so
    /// many of our entries the ledger has taken.
    pub fn tend_test(&mut self, acknowledged: u64, hub: &mut Hub) {
        let (written, _, _, trouble) = self.log.standing();
        let trouble = trouble.unwrap_or("no socket to it could be had").to_owned();
        let Some(test) = &mut self.test else { return };
        if acknowledged >= test.entry && !test.has(LEDGER) {
            test.settle(LEDGER, true, "recorded");
        }
        if self.has_log && written >= test.line && !test.has(SYSLOG) {
            test.settle(SYSLOG, true, "written");
        }
        let is_over = test.since.elapsed() >= TEST;
        let routes = [CONSOLE, LEDGER, SYSLOG, Route::Webhook.word(), Route::Mail.word()];
        for route in routes {
            if test.has(route) {
                continue;
            }
            if !is_over {
                return;
            }
            let why = if route == SYSLOG { &trouble } else { "no answer came in time" };
            test.settle(route, false, why);
        }
        if let Some(test) = self.test.take() {
            let place = |tried: &Tried| routes.iter().position(|route| *route == tried.route);
            let mut tried = test.tried;
            tried.sort_by_key(place);
            let _ = hub.send(test.asker, test.call, &ToAdmin::Tested(tried), Vec::new());
        }
    }
}

impl Test {
    fn has(&self, route: &str) -> bool {
        self.tried.iter().any(|tried| tried.route == route)
    }

    fn settle(&mut self, route: &str, is_taken: bool, said: &str) {
        if !self.has(route) {
            let (route, said) = (route.to_owned(), said.to_owned());
            self.tried.push(Tried { route, is_configured: true, is_taken, said });
        }
    }
}

fn none(route: &str) -> Tried {
    let (route, said) = (route.to_owned(), NOT_CONFIGURED.to_owned());
    Tried { route, is_configured: false, is_taken: false, said }
}

/// What `fetch` is asked to carry.
fn alarm(route: Route, message: &Message, secret: &[u8], house: &str) -> FromSentinel {
    match route {
        Route::Webhook => {
            let (timestamp, body) = (now_ms() / 1_000, message.json(house));
            let signature = sign(secret, timestamp, &body);
            FromSentinel::Webhook { timestamp, signature, body }
        }
        Route::Mail => {
            let (subject, text) = message.letter(house);
            FromSentinel::Mail { id: message.id().to_owned(), subject, text }
        }
    }
}
