//! The one loop: what happened, then what is due.

use crate::carried::Carried;
use crate::counts::Counts;
use crate::crowds::Crowds;
use crate::dials::Inquiries;
use crate::ears::{Ears, Heard};
use crate::eyes::Eyes;
use crate::feeds::Feeds;
use crate::plan::{Happening, Plan};
use crate::recorder::Recorder;
use crate::reports::printable;
use crate::resolvers::Allowance;
use crate::roster::{Member, Part};
use crate::shortage::Shortage;
use crate::stopping::Stopping;
use crate::wants::Wants;
use crate::{Fault, ports, recorder};
use compartment::signals;
use evidence::REFUSED;
use std::collections::HashMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind, TenantId};
use wire::control::{Full, Keys, Service};
use wire::{Event, Hub, Peer, UNREAD};

/// The pulse when something is due soon, and when nothing is.
const QUICK: Duration = Duration::from_millis(10);
const CALM: Duration = Duration::from_millis(200);
/// Refused calls recorded in one round.
const HEARD_ROUND: usize = 64;
/// Exit code of a fault, as in the black-box contract.
const FAULT: u8 = 3;

/// An instance that somebody waits for.
pub enum Want {
    /// One more for the gate to hand connections to.
    Idle(Kind),
    /// A scanner for this edge or dispatch.
    Scanner(InstanceId),
    /// A dispatch for this access, in its person's name.
    Dispatch(InstanceId),
    /// A dispatch for this edge, in the name of this tenant's own server.
    Outlet(InstanceId, TenantId),
    /// One more to carry what is due.
    Depart,
    /// An admin for this caller of the command line.
    Admin(OwnedFd),
}

/// Everything that the warden knows.
pub struct Household {
    pub plan: Plan,
    pub own: InstanceId,
    pub hub: Hub,
    pub members: HashMap<InstanceId, Member>,
    pub parts: Vec<Part>,
    /// Whose control channel sits where. The hub forgets a label before its last frames are read.
    pub seats: HashMap<Peer, (InstanceId, Kind)>,
    pub pidfds: HashMap<Peer, InstanceId>,
    pub wants: Wants,
    /// Keys that some compartments must know of others, learned at each `Ready`.
    pub keys: Keys,
    pub resolvers: Allowance,
    pub dials: Allowance,
    pub inquiries: Inquiries,
    pub ears: Ears,
    pub eyes: Eyes,
    pub feeds: Feeds,
    pub counts: Counts,
    pub crowds: Crowds,
    pub shortage: Shortage,
    pub carried: Carried,
    pub looked_at_listeners: Option<Instant>,
    /// When it was last said that nobody more is born.
    pub said_full: Option<Instant>,
    /// Where this gate has no place left.
    pub full: Option<(InstanceId, Vec<Full>)>,
    pub recorder: Recorder,
    pub listeners: Vec<(Service, OwnedFd)>,
    pub stopping: Option<Stopping>,
    pub announced: bool,
    /// Members that may be alive before nobody more is born for new connections.
    pub room: usize,
    bell: Peer,
    sight: Peer,
    signals: Peer,
    admin: Option<Peer>,
    _lock: File,
}

/// Runs the whole service until it is told to stop. Call it on the main thread, before any other
/// thread is started: the compartments die with this thread, and signals are taken here.
pub fn run(plan: Plan) -> ExitCode {
    let said = plan.said;
    let mut household = match Household::open(plan) {
        Ok(household) => household,
        Err(fault) => return complain(&fault, said),
    };
    household.recall_isolations();
    loop {
        household.tend(Instant::now());
        if let Some(code) = household.finished() {
            if household.admin.is_some() {
                ports::close_admin(&household.plan.data);
            }
            return code;
        }
        let pulse = if household.is_busy() { QUICK } else { CALM };
        match household.hub.wait(Some(pulse)) {
            Ok(events) => events.into_iter().for_each(|event| household.attend(event)),
            Err(fault) => return complain(&fault.into(), said),
        }
    }
}

/// Descriptors that one member costs us: control, pidfd twice, filter, and one on its way.
const DESCRIPTORS_EACH: u64 = 5;

/// A house with all its parts takes some three hundred; the rest serves a few who connect.
const LEAST_DESCRIPTORS: u64 = 400;

fn descriptor_limit() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}

fn enough_descriptors() -> Result<(), Fault> {
    match descriptor_limit() {
        found if found < LEAST_DESCRIPTORS => {
            Err(Fault::Descriptors { found, expected: LEAST_DESCRIPTORS })
        }
        _ => Ok(()),
    }
}

/// A quarter of our descriptors is kept for scanners, restarts and callers of the command line.
fn room() -> usize {
    usize::try_from(descriptor_limit() / 4 * 3 / DESCRIPTORS_EACH).unwrap_or(usize::MAX)
}

fn is_unwritable(source: &std::io::Error) -> bool {
    source.kind() == std::io::ErrorKind::ReadOnlyFilesystem
}

fn complain(fault: &Fault, said: fn(&str) -> String) -> ExitCode {
    let mut source = std::error::Error::source(fault);
    compartment::tell(format_args!("sekisho: {}", said(&fault.to_string())));
    while let Some(cause) = source {
        compartment::tell(format_args!("  {}", said(&format!("because: {cause}"))));
        source = cause.source();
    }
    let hint = match fault {
        Fault::Taken { .. } => "hint: stop it first, or give another --data",
        Fault::Unable { source, .. } if is_unwritable(source) => {
            "hint: the data lies on a disk that may only be read; set it right, start"
        }
        Fault::Unable { .. } => {
            "hint: another --port-base (demo), other addresses under [listen] (run), or another \
             --data may be free"
        }
        _ => return ExitCode::from(FAULT),
    };
    compartment::tell(format_args!("  {}", said(hint)));
    ExitCode::from(FAULT)
}

impl Household {
    fn open(plan: Plan) -> Result<Household, Fault> {
        let signals = signals::stopping_signals()?;
        signals::raise_descriptor_limit();
        enough_descriptors()?;
        let lock = ports::lock_folder(&plan.data)?;
        ports::open_way(&plan);
        let listeners = ports::bind_all(&plan)?;
        let mut hub = Hub::new()?;
        // Nobody has anything long to say to us, and we must not fall over what is said.
        hub.take_short_frames_only();
        let admin = match plan.kinds.contains(&Kind::Admin) {
            true => Some(hub.watch(ports::open_admin(&plan.data)?)?),
            false => None,
        };
        let thread = |source| Fault::Unable { doing: "start", what: "the ears".into(), source };
        // The walls are tried before the first thread: trying forks.
        let _ = compartment::walls();
        let ears = Ears::open().map_err(thread)?;
        let eyes = Eyes::open(&plan.data, plan.vigilance.watch_host).map_err(thread)?;
        let own = InstanceId(compartment::random());
        Ok(Household {
            own,
            sight: hub.watch(eyes.wake.try_clone().map_err(thread)?)?,
            bell: hub.watch(ears.wake.try_clone().map_err(thread)?)?,
            signals: hub.watch(signals)?,
            admin,
            parts: plan.kinds.iter().map(|kind| Part::new(*kind)).collect(),
            recorder: Recorder::new(own),
            plan,
            room: room(),
            hub,
            ears,
            eyes,
            feeds: Feeds::default(),
            counts: Counts::default(),
            crowds: Crowds::default(),
            shortage: Shortage::begin(),
            carried: Carried::default(),
            looked_at_listeners: None,
            said_full: None,
            full: None,
            listeners,
            members: HashMap::new(),
            seats: HashMap::new(),
            pidfds: HashMap::new(),
            wants: Wants::default(),
            keys: Keys::default(),
            resolvers: Allowance::default(),
            dials: Allowance::default(),
            inquiries: Inquiries::default(),
            stopping: None,
            announced: false,
            _lock: lock,
        })
    }

    /// What is due now, whatever happened.
    fn tend(&mut self, now: Instant) {
        self.record_heard();
        for (label, why) in self.hub.take_unsaid() {
            let what = if why == UNREAD { UNREAD } else { "octets that are no frame" };
            self.end_liar(label.instance, label.kind, what);
        }
        self.bury_the_mourned(now);
        self.end_the_adrift(now);
        if self.stopping.is_some() {
            self.go_on_stopping(now);
        } else {
            self.start_parts(now);
            self.fulfil_wants();
            self.look_at_troubles(now);
            self.announce();
            self.pulse(now);
            self.say_untold(now);
            self.watch_listeners(now);
            self.look_whether_alarms_leave(now);
            self.count(now);
            self.publish();
        }
        self.recorder.tend(&mut self.hub, now);
        if let Some(what) = self.recorder.take_lie() {
            self.doubt_ledger(&what);
        }
        for author in self.recorder.introduced() {
            if let Some(member) = self.members.get_mut(&author) {
                member.introduced = true;
            }
            self.join_to(author, Kind::Ledger);
        }
    }

    /// Whether something will be due before long.
    fn is_busy(&self) -> bool {
        self.stopping.is_some()
            || !self.announced
            || self.has_wants_due()
            || self.parts.iter().any(|part| part.holder.is_none() && part.isolation.is_none())
            || self.members.values().any(|member| member.needs_attention())
    }

    fn attend(&mut self, event: Event) {
        match event {
            Event::Frame(peer, frame) if self.recorder.is_ledger(peer) => {
                for (first, count, index) in self.recorder.hear(peer, &frame) {
                    (self.plan.tell)(&Happening::Recorded { first, count, index });
                }
            }
            Event::Frame(peer, frame) => self.hear_report(peer, frame),
            Event::Gone(peer, _) if self.recorder.is_ledger(peer) => self.recorder.lost_ledger(),
            Event::Gone(_, label) => self.see_adrift(label.instance),
            Event::Ready(peer) if peer == self.bell => self.record_heard(),
            Event::Ready(peer) if peer == self.sight => self.look_around(),
            Event::Ready(peer) if peer == self.signals => self.take_signals(),
            Event::Ready(peer) if Some(peer) == self.admin => self.take_caller(peer),
            Event::Ready(peer) => self.see_end(peer),
        }
    }

    /// It took entries of ours and cannot show them: whoever comes after it is handed them again.
    fn doubt_ledger(&mut self, what: &str) {
        let Some(holder) = self.holder(Kind::Ledger) else { return };
        let (instance, pid) = (holder.instance, holder.pid);
        self.raise_alarm(instance, Kind::Ledger, pid, "report", what, None);
        if self.is_replaceable(instance)
            && let Some(member) = self.members.get_mut(&instance)
        {
            member.off_charter = true;
        }
    }

    fn take_signals(&mut self) {
        if let Some(signals) = self.hub.watched(self.signals) {
            while signals::take_signal(signals).is_some() {}
        }
        self.begin_stopping();
    }

    fn take_caller(&mut self, listener: Peer) {
        let Some(listener) = self.hub.watched(listener) else {
            return;
        };
        if let Some(caller) = ports::accept_caller(listener, &self.plan.data) {
            self.want(Want::Admin(caller));
        }
    }

    pub fn record_heard(&mut self) {
        for _ in 0..HEARD_ROUND {
            let Some(heard) = self.ears.next() else { break };
            self.record_refused(&heard);
        }
        let missed = self.ears.newly_missed();
        if missed > 0 {
            let what = format!("{missed} refused calls were not written down one by one");
            self.raise_alarm(self.own, Kind::Warden, std::process::id(), "many", &what, None);
        }
    }

    fn record_refused(&mut self, heard: &Heard) {
        if let Some(path) = &heard.path {
            let what = format!("tried {}", printable(path));
            self.raise_alarm(
                heard.instance,
                heard.kind,
                heard.pid,
                heard.call,
                &what,
                Some(heard.at),
            );
            return;
        }
        let [a, b, c, ..] = heard.args;
        let what = format!("{REFUSED}{a:#x}, {b:#x}, {c:#x})");
        let at = Some(heard.at);
        self.raise_alarm(heard.instance, heard.kind, heard.pid, heard.call, &what, at);
        let replaced = self.is_replaceable(heard.instance);
        if let Some(member) = self.members.get_mut(&heard.instance) {
            member.off_charter |= replaced;
        }
    }

    /// Records an alarm and tells it.
    pub fn raise_alarm(
        &mut self,
        instance: InstanceId,
        kind: Kind,
        pid: u32,
        call: &str,
        what: &str,
        since: Option<Instant>,
    ) {
        let entry = self.recorder.record(recorder::alarm(instance, kind, pid, call, what));
        self.feed_raw(instance, kind, pid, call, what);
        self.owe_outside();
        let after_ms = since.map_or(0, |at| at.elapsed().as_millis() as u64);
        let (call, what) = (call.to_owned(), what.to_owned());
        let alarm = Happening::Alarm { instance, kind, pid, call, what, after_ms, entry };
        (self.plan.tell)(&alarm);
    }

    /// Whether a call off charter ends this process: always an instance, but not one
    /// whose drill goes on.
    pub fn is_replaceable(&self, instance: InstanceId) -> bool {
        let Some(member) = self.members.get(&instance) else {
            return false;
        };
        let keeper = !matches!(member.role, crate::roster::Role::Instance(_));
        !member.lives_on && (member.drilled || !keeper || self.plan.replace_keepers)
    }

    /// Tells once that everything serves.
    fn announce(&mut self) {
        let serving = |part: &Part| part.served || part.isolation.is_some();
        if !self.announced && self.parts.iter().all(serving) && self.pools_are_full() {
            self.announced = true;
            (self.plan.tell)(&Happening::Ready);
        }
    }
}
