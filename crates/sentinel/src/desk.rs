//! Facts come, incidents go.

use crate::Fault;
use crate::audit::{self, Domains, Trail};
use crate::doors::Doors;
use crate::memory::Memory;
use crate::message::Line;
use crate::past::{Heard, Past};
use crate::sightings::of_seen;
use crate::tally::Tally;
use crate::telling::{Pen, syslog_line};
use compartment::{House, now_ms};
use evidence::rfc3339;
use sigma::{Event as Sighting, Rule, RuleSet};
use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use terms::Kind;
use vigil::{Action, Bounds, Cause, Fact, Hours, Incident, Program, Vigil};
use wire::control::{Order, Report};
use wire::identity::{FromSentinel, ToSentinel, Whose};
use wire::ledger::{FromLedger, ToLedger};
use wire::sentinel::may_be_isolated_unasked;
use wire::sentinel::{Feed, FromAdmin, Seen, Sight, Source, Status, ToAdmin, Vigilance};
use wire::{Event, Frame, Hub, Label, Peer};

/// How often the clock is looked at while nothing comes.
const PULSE: Duration = Duration::from_millis(250);
/// What was learned is written so often.
const MEMORY: Duration = Duration::from_secs(600);
/// Who is a decoy is asked so often, and at each start.
const DECOYS: Duration = Duration::from_secs(5);
/// At a start so many entries are read again, to know who signed in.
const LOOK_BACK: u64 = 20_000;
/// A stream without an answer is asked for again.
const STREAM_PATIENCE: Duration = Duration::from_secs(5);
/// A read of the audit's socket.
const AUDIT_BYTES: usize = 64 * 1024;
/// Records taken in one round.
const AUDIT_ROUND: usize = 64;
/// The stream's questions have even numbers.
const STREAM_STEP: u32 = 2;
/// Our last entries have this long when we are told to stop.
const FAREWELL: Duration = Duration::from_millis(500);

/// Where we are in the ledger.
#[derive(Default)]
struct Stream {
    ledger: Option<Peer>,
    call: u32,
    asked: Option<Instant>,
    next: Option<u64>,
    /// Entries before this were there at our start.
    news_from: u64,
}

pub struct Desk {
    pen: Pen,
    vigil: Vigil,
    rules: RuleSet,
    unread: usize,
    vigilance: Vigilance,
    domains: Domains,
    trail: Trail,
    sources: HashMap<Source, Option<String>>,
    memory: Memory,
    tally: Tally,
    begun: Instant,
    kept: Instant,
    stream: Stream,
    past: Past,
    identity: Option<Peer>,
    decoys_asked: Option<Instant>,
    audit: Option<Peer>,
    doors: Doors,
    host_name: String,
    events: u64,
    incidents: u64,
    leaving: Option<Instant>,
}

impl Desk {
    pub fn open(
        house: &House,
        (memory, hours): (Memory, Hours),
        doors: Doors,
        further: &[String],
    ) -> Self {
        let vigilance = house.start.vigilance.clone();
        let bounds = Bounds {
            burst: vigilance.burst,
            silence_ms: vigilance.silence_ms,
            fold_ms: vigilance.fold_ms,
            ..Bounds::default()
        };
        let mut vigil = Vigil::new(bounds);
        vigil.hours = hours;
        vigil.await_past();
        let (rules, unread) = rules(further);
        Self {
            pen: Pen::new(&house.start),
            vigil,
            rules: RuleSet::new(rules),
            unread,
            vigilance,
            domains: Domains::default(),
            trail: Trail::default(),
            sources: HashMap::new(),
            memory,
            tally: Tally::default(),
            begun: Instant::now(),
            kept: Instant::now(),
            stream: Stream::default(),
            past: Past::new(),
            identity: None,
            decoys_asked: None,
            audit: None,
            doors,
            // RFC 5424 §6.2.4: `-` where there is none.
            host_name: match house.start.host_name.as_str() {
                "" => "-".to_owned(),
                name => name.to_owned(),
            },
            events: 0,
            incidents: 0,
            leaving: None,
        }
    }

    pub fn public(&self) -> [u8; 32] {
        self.pen.public()
    }

    pub fn unread_rules(&self) -> Option<String> {
        (self.unread > 0).then(|| format!("{} Sigma rules cannot be read", self.unread))
    }

    /// Stands until told to stop, or until the warden is gone.
    pub fn stand(mut self, house: House) -> Result<(), Fault> {
        let mut hub = Hub::new().map_err(Fault::Channels)?;
        let (warden, _) = house.seat_control(&mut hub).map_err(Fault::Settle)?;
        loop {
            for event in hub.wait(Some(PULSE)).map_err(Fault::Channels)? {
                match event {
                    Event::Frame(peer, frame) if peer == warden => {
                        self.obey(frame, &mut hub, warden);
                    }
                    Event::Frame(peer, frame) => self.hear(peer, &frame, &mut hub, warden),
                    Event::Ready(peer) if Some(peer) == self.audit => {
                        self.read_audit(&mut hub, warden);
                    }
                    Event::Ready(_) => {}
                    Event::Gone(peer, _) if peer == warden => return Ok(()),
                    Event::Gone(peer, _) => self.lost(peer),
                }
            }
            let found = self.vigil.tick(self.steady_ms());
            self.tell(found, now_ms(), &mut hub, warden);
            self.look_after(&mut hub, warden);
            if self.has_left() {
                self.doors.keep();
                let _ = self.memory.keep(&self.vigil.hours);
                return Ok(());
            }
        }
    }

    /// Since we began, by a clock that nobody sets: silence and storms are stretches of time, and a
    /// wall clock that is put forward must not make everybody silent.
    fn steady_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn has_left(&self) -> bool {
        self.leaving.is_some_and(|since| self.pen.is_idle() || since.elapsed() >= FAREWELL)
    }

    // ---- the warden ----------------------------------------------------------------------------

    fn obey(&mut self, mut frame: Frame, hub: &mut Hub, warden: Peer) {
        let held = frame.descriptors.pop();
        match frame.read::<Order>() {
            Ok(Order::Stop) => self.leaving = Some(Instant::now()),
            Ok(Order::Count) => {
                let counted = Report::Counted(self.tally.counts());
                let _ = hub.send(warden, 0, &counted, Vec::new());
            }
            Ok(Order::Pulse) => drop(hub.send(warden, 0, &Report::Alive, Vec::new())),
            Ok(Order::Keys(keys)) => self.pen.learn(keys),
            Ok(Order::Join(label)) => {
                if let Some(held) = held {
                    self.join(label, held, hub);
                }
            }
            Ok(Order::Feed(Feed::Source { source, missing })) => {
                self.take_source(source, missing, held, hub);
            }
            Ok(Order::Feed(feed)) => {
                let at_ms = time_of(&feed).unwrap_or_else(now_ms);
                if let Some(fact) = self.fact_of(feed) {
                    self.weigh(&fact, at_ms, hub, warden);
                }
            }
            _ => {}
        }
    }

    fn join(&mut self, label: Label, held: OwnedFd, hub: &mut Hub) {
        let kind = label.kind;
        let Ok(peer) = hub.seat(held.into(), label) else { return };
        match kind {
            Kind::Ledger => {
                self.pen.join(peer);
                self.stream.ledger = Some(peer);
                self.stream.asked = None;
            }
            Kind::Identity => {
                self.identity = Some(peer);
                self.decoys_asked = None;
            }
            Kind::Fetch => self.doors.joined(peer),
            _ => {}
        }
    }

    fn take_source(
        &mut self,
        source: Source,
        missing: Option<String>,
        held: Option<OwnedFd>,
        hub: &mut Hub,
    ) {
        match (source, held) {
            (Source::Audit, Some(held)) => {
                if let Some(before) = self.audit.take() {
                    hub.dismiss(before);
                }
                self.audit = hub.watch(held).ok();
            }
            (Source::Syslog, held) => self.doors.take_log(held, missing.as_deref()),
            _ => {}
        }
        self.sources.insert(source, missing);
    }

    /// What the judgement is told; programs are weighed against the rules here.
    fn fact_of(&self, feed: Feed) -> Option<Fact> {
        Some(match feed {
            Feed::Raw { instance, kind, call, what, .. } => {
                Fact::Raw { instance, kind, call, what }
            }
            Feed::Born { instance, kind, pid, is_instance, drilled } => {
                Fact::Born { instance, kind, pid, is_instance, drilled }
            }
            Feed::Ended { instance, kind, clean, cause, .. } => {
                Fact::Ended { instance, kind, clean, cause }
            }
            Feed::Alive { instance, .. } => Fact::Alive { instance },
            Feed::Seen(seen) => Fact::Program(self.program_of(&seen)),
            Feed::Source { .. } => return None,
        })
    }

    fn program_of(&self, seen: &Seen) -> Program {
        let is_traced = seen.what == Sight::Traced;
        let rules = of_seen(seen).map_or_else(Vec::new, |event| self.matching(&event));
        // Who only writes a file was started long ago.
        let is_ours = seen.is_ours && seen.what != Sight::Written;
        let (pid, parent) = (seen.pid, seen.parent);
        Program { pid, parent, is_ours, is_traced, rules }
    }

    fn matching(&self, event: &Sighting) -> Vec<String> {
        self.rules.weigh(event).into_iter().map(|rule| name_of(rule).to_owned()).collect()
    }

    // ---- peers ---------------------------------------------------------------------------------

    fn hear(&mut self, peer: Peer, frame: &Frame, hub: &mut Hub, warden: Peer) {
        if Some(peer) == self.stream.ledger {
            return match self.past.hear(frame, &mut self.vigil) {
                Heard::All => {
                    let found = self.vigil.past_is_known(self.steady_ms());
                    self.tell(found, now_ms(), hub, warden);
                }
                Heard::More => {}
                Heard::NotOurs if frame.call == self.stream.call => {
                    self.follow(frame, hub, warden);
                }
                Heard::NotOurs => self.pen.hear(peer, frame),
            };
        }
        if Some(peer) == self.identity {
            if let Ok(ToSentinel::Decoys(decoys)) = frame.read() {
                self.vigil.know_decoys(decoys);
            }
            return;
        }
        if self.doors.is_fetch(peer) {
            return self.doors.answered(frame);
        }
        let is_admin = hub.label(peer).is_some_and(|label| label.kind == Kind::Admin);
        match frame.read() {
            Ok(FromAdmin::Status) if is_admin => {
                let status = ToAdmin::Status(self.status());
                let _ = hub.send(peer, frame.call, &status, Vec::new());
            }
            Ok(FromAdmin::Test) if is_admin => self.test((peer, frame.call), hub, warden),
            _ => drop(hub.cut_off(peer, "it spoke what is no question")),
        }
    }

    fn tend_pen(&mut self, hub: &mut Hub, warden: Peer) {
        if let Some(what) = self.pen.tend(hub) {
            let _ = hub.send(warden, 0, &Report::Alarm { what }, Vec::new());
        }
    }

    /// An operator tries whether alarms arrive: recorded, told, and sent like any other.
    fn test(&mut self, asker: (Peer, u32), hub: &mut Hub, warden: Peer) {
        let incident = Incident::new(Cause::Test, "an operator tries whether alarms arrive");
        let line = self.line(&incident);
        let (recorded, _) = self.pen.counts();
        if !self.doors.test(asker, (&incident, &line), recorded + 1, hub) {
            let _ = hub.send(asker.0, asker.1, &ToAdmin::Tested(Vec::new()), Vec::new());
            return;
        }
        self.pen.record(&incident, 0);
        let said = Report::Incident(shown(&incident, 0));
        let _ = hub.send(warden, 0, &said, Vec::new());
        self.tend_pen(hub, warden);
    }

    fn status(&self) -> Status {
        let known = |source: &Source| {
            let missing = self.sources.get(source).cloned();
            (*source, missing.unwrap_or_else(|| Some("not told yet".to_owned())))
        };
        Status {
            events: self.events,
            incidents: self.incidents,
            followed: self.stream.next.unwrap_or_default(),
            rules: u32::try_from(self.rules.len()).unwrap_or(u32::MAX),
            sources: Source::ALL.iter().map(known).collect(),
            decoys: u32::try_from(self.vigil.decoys()).unwrap_or(u32::MAX),
            routes: self.doors.standing(),
        }
    }

    fn lost(&mut self, peer: Peer) {
        if Some(peer) == self.stream.ledger {
            self.stream.ledger = None;
            self.past.lost();
            self.pen.lost();
        }
        if Some(peer) == self.identity {
            self.identity = None;
        }
        self.doors.lost(peer);
    }

    /// The next piece of the ledger's stream.
    fn follow(&mut self, frame: &Frame, hub: &mut Hub, warden: Peer) {
        let Ok(FromLedger::Followed { first_index, entries }) = frame.read() else { return };
        self.stream.asked = None;
        if self.stream.next.is_none() {
            // The first answer tells where the end is; what stands before it is read, not told.
            self.stream.news_from = first_index;
            self.past.ends_at(first_index);
            self.stream.next = Some(first_index.saturating_sub(LOOK_BACK));
            return self.ask_on(hub);
        }
        for (index, octets) in (first_index..).zip(&entries) {
            if let Some(read) = evidence::Frame::parse(octets) {
                self.vigil.learn(index < self.stream.news_from);
                if index >= self.stream.news_from {
                    self.tally.take(&read.entry.body);
                }
                let at_ms = read.entry.time_ms;
                self.weigh(&Fact::Entry(read.entry), at_ms, hub, warden);
            }
        }
        self.vigil.learn(false);
        self.stream.next = Some(first_index + entries.len() as u64);
        self.ask_on(hub);
    }

    fn ask_on(&mut self, hub: &mut Hub) {
        let Some(ledger) = self.stream.ledger else { return };
        self.stream.call = self.stream.call.wrapping_add(STREAM_STEP) & !1;
        let from_index = self.stream.next.unwrap_or(u64::MAX);
        let question = ToLedger::Follow { from_index };
        if hub.send(ledger, self.stream.call, &question, Vec::new()).is_ok() {
            self.stream.asked = Some(Instant::now());
        }
    }

    fn read_audit(&mut self, hub: &mut Hub, warden: Peer) {
        let mut buffer = vec![0u8; AUDIT_BYTES];
        for _ in 0..AUDIT_ROUND {
            let Some(socket) = self.audit.and_then(|audit| hub.watched(audit)) else { return };
            let flags = rustix::net::RecvFlags::DONTWAIT;
            let Ok((_, count)) = rustix::net::recv(socket, &mut buffer[..], flags) else { return };
            let octets = buffer.get(..count).unwrap_or_default();
            for record in audit::records(octets) {
                if let Some(fact) = self.domains.fact(&record) {
                    self.weigh(&fact, now_ms(), hub, warden);
                }
                if self.vigilance.watch_host {
                    let (pid, events) = self.trail.sightings(&record);
                    for event in events {
                        let rules = self.matching(&event);
                        let program = Program { pid, rules, ..Program::default() };
                        self.weigh(&Fact::Program(program), now_ms(), hub, warden);
                    }
                }
            }
        }
    }

    // ---- judgement, and what follows -----------------------------------------------------------

    fn weigh(&mut self, fact: &Fact, at_ms: u64, hub: &mut Hub, warden: Peer) {
        self.events += 1;
        let found = self.vigil.weigh(self.steady_ms(), fact);
        self.tell(found, at_ms, hub, warden);
    }

    /// `at_ms`: when what is told of came to light.
    fn tell(&mut self, found: Vec<Incident>, at_ms: u64, hub: &mut Hub, warden: Peer) {
        for incident in found {
            self.incidents += 1;
            let after_ms = now_ms().saturating_sub(at_ms);
            self.pen.record(&incident, after_ms);
            let said = Report::Incident(shown(&incident, after_ms));
            let _ = hub.send(warden, 0, &said, Vec::new());
            let (line, told) = (self.line(&incident), Line::of(&incident, at_ms));
            let told = told.credited(self.credit(&incident));
            self.doors.take(&told, &line);
            for action in &incident.actions {
                self.act(*action, incident.cause, hub, warden);
            }
        }
        self.tend_pen(hub, warden);
        self.tend_doors(hub, warden);
    }

    /// What is told outside goes by itself: nobody who is away keeps the judgement.
    fn tend_doors(&mut self, hub: &mut Hub, warden: Peer) {
        let (house, at) = (self.host_name.clone(), rfc3339(now_ms()));
        self.doors.tend(hub, warden, |lost| {
            let what = format!("{lost} incidents found no room in this log; the ledger has them");
            syslog_line(&Incident::new(Cause::Report, what), None, (&house, &at))
        });
    }

    /// For a log; a Sigma rule with its author, as its licence asks.
    fn line(&self, incident: &Incident) -> String {
        let rule = self.credit(incident);
        syslog_line(incident, rule, (&self.host_name, &rfc3339(now_ms())))
    }

    /// The title of an incident's rule, and who wrote it.
    fn credit(&self, incident: &Incident) -> Option<(&str, &str)> {
        let name = incident.rule.as_deref()?;
        let rule = self.rules.rules().iter().find(|rule| name_of(rule) == name)?;
        let author = if rule.author.is_empty() { "nobody named" } else { &rule.author };
        Some((&rule.title, author))
    }

    fn act(&mut self, action: Action, cause: Cause, hub: &mut Hub, warden: Peer) {
        let may = |own: bool| if cause == Cause::Decoy { self.vigilance.decoys } else { own };
        match action {
            Action::Replace(instance) if may(self.vigilance.replace) => {
                let _ = hub.send(warden, 0, &Report::Replace(instance), Vec::new());
            }
            Action::Freeze(whose) if may(self.vigilance.freeze) => {
                let whose = match whose {
                    vigil::Whose::Person(tenant, user) => Whose::Person(tenant, user),
                    vigil::Whose::Tenant(tenant) => Whose::Tenant(tenant),
                };
                if let Some(identity) = self.identity {
                    let why = cause.word().to_owned();
                    let wish = FromSentinel::Freeze { whose, why };
                    let _ = hub.send(identity, 1, &wish, Vec::new());
                }
            }
            // The warden does it for those alone whom it takes out without an operator's word.
            Action::Isolate(kind) if self.vigilance.isolate && may_be_isolated_unasked(kind) => {
                let _ = hub.send(warden, 0, &Report::Isolate { kind, isolated: true }, Vec::new());
            }
            Action::Replace(_) | Action::Freeze(_) | Action::Isolate(_) => {}
        }
    }

    fn look_after(&mut self, hub: &mut Hub, warden: Peer) {
        self.tend_pen(hub, warden);
        self.tend_doors(hub, warden);
        let (_, acknowledged) = self.pen.counts();
        self.doors.tend_test(acknowledged, hub);
        let is_late = |asked: Instant| {
            // Past the first answers the ledger keeps silent until there is news; asking anew
            // replaces the question.
            asked.elapsed() >= STREAM_PATIENCE
        };
        if self.stream.asked.is_none_or(is_late) {
            self.ask_on(hub);
        }
        self.past.tend(self.stream.ledger, hub);
        if self.decoys_asked.is_none_or(|at| at.elapsed() >= DECOYS)
            && let Some(identity) = self.identity
        {
            self.decoys_asked = Some(Instant::now());
            let _ = hub.send(identity, 1, &FromSentinel::Decoys, Vec::new());
        }
        if self.kept.elapsed() >= MEMORY || std::mem::take(&mut self.vigil.has_forgotten) {
            self.kept = Instant::now();
            let _ = self.memory.keep(&self.vigil.hours);
        }
    }
}

/// The shipped rules and those of the house, one of each name; and how many cannot be read.
fn rules(further: &[String]) -> (Vec<Rule>, usize) {
    let mut rules = sigma::shipped();
    let mut unread = sigma::shipped::unread().len();
    let mut known: HashSet<String> = rules.iter().map(|rule| name_of(rule).to_owned()).collect();
    for text in further {
        match Rule::parse(text) {
            Ok(rule) if known.insert(name_of(&rule).to_owned()) => rules.push(rule),
            Ok(_) => {}
            Err(_) => unread += 1,
        }
    }
    (rules, unread)
}

/// A rule's id, or its title where it has none.
fn name_of(rule: &Rule) -> &str {
    if rule.id.is_empty() { &rule.title } else { &rule.id }
}

fn time_of(feed: &Feed) -> Option<u64> {
    match feed {
        Feed::Raw { at_ms, .. } | Feed::Ended { at_ms, .. } | Feed::Alive { at_ms, .. } => {
            Some(*at_ms)
        }
        Feed::Seen(seen) => Some(seen.at_ms),
        Feed::Born { .. } | Feed::Source { .. } => None,
    }
}

fn shown(incident: &Incident, after_ms: u64) -> wire::sentinel::Incident {
    debug_assert!(incident.cause != Cause::Rule || incident.rule.is_some());
    wire::sentinel::Incident {
        cause: incident.cause.word().to_owned(),
        kind: incident.kind,
        instance: incident.instance,
        tenant: incident.tenant,
        user: incident.user,
        count: incident.count,
        what: incident.what.clone(),
        rule: incident.rule.clone(),
        after_ms,
    }
}
