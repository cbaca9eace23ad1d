//! What a warden is asked to run, and what it tells while it does.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use terms::{InstanceId, Kind};
use wire::control::{Relay, Service, Unable};
use wire::fetch::Outward;
use wire::sentinel::{Incident, Vigilance};
use wire::{Channel, Label};

/// Everything that one start needs.
pub struct Plan {
    /// The data folder; `DIR/<compartment>` below it, `DIR/admin.sock` in it.
    pub data: PathBuf,
    /// Which kinds run; the order does not matter.
    pub kinds: Vec<Kind>,
    /// What `gate` and `zone` listen on.
    pub listeners: Vec<(Service, SocketAddr)>,
    /// Our own host name.
    pub host_name: String,
    /// DNS servers, for `names`.
    pub dns_servers: Vec<SocketAddr>,
    /// The unseal credential as a sealed memfd, for the vault.
    pub credential: Option<OwnedFd>,
    /// What the demo's zone server serves.
    pub zones: String,
    /// And what it is to serve later.
    pub published: Published,
    /// The demo's mode.
    pub demo: bool,
    /// No two-person approvals here yet.
    pub single_operator: bool,
    /// As root: each compartment runs as this number plus its kind's.
    pub user_base: u32,
    /// How mail leaves.
    pub relay: Relay,
    /// What may wait, for `post`.
    pub bounds: wire::post::Bounds,
    /// Where the public pages are (`https://HOST:PORT`); empty: there are none.
    pub pages_url: String,
    /// Idle instances of each zygote kind that `gate` hands connections to, made ahead.
    pub pool: usize,
    /// Whether a keeper that left its charter is replaced like an instance, or only alarmed.
    pub replace_keepers: bool,
    /// What the sentinel looks at and may do by itself.
    pub vigilance: Vigilance,
    /// Further rules for it: a list of texts (postcard) in a sealed memfd.
    pub rules: Option<OwnedFd>,
    /// In which country addresses are registered, for `dispatch`: a packed table in a sealed memfd,
    /// whose pages all instances share.
    pub countries: Option<OwnedFd>,
    /// Where alarms are written for the host: a datagram socket's path, `[udp://|tcp://]IP:PORT`,
    /// or nothing.
    pub syslog: String,
    /// Where alarms go besides, and what signs them.
    pub outward: Outward,
    pub alarm_secret: Vec<u8>,
    /// How long an alarm may stay inside before we say so ourselves.
    pub patience: Patience,
    /// Drills: hostile code in the place of ours. Disarmed unless somebody arms it.
    pub drills: Drills,
    /// Hears what happens; called on the warden's thread, so it must not wait.
    pub tell: Box<dyn FnMut(&Happening)>,
    /// A sentence in the reader's language: why the house cannot be opened is read by a person.
    pub said: fn(&str) -> String,
}

/// Of the warden, with whoever tells alarms outside.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Equal alarms are told at the first, and a minute later with their number; a minute more is
    /// for whoever is slow.
    pub prompt: Duration,
    /// After a try that failed: the sentinel's longest pause, and what its answer may take.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { prompt: Duration::from_secs(2 * 60), pause: Duration::from_secs(6 * 60) }
    }
}

impl Plan {
    /// A plan with nothing but a folder: the rest is to be filled in.
    pub fn new(data: PathBuf) -> Self {
        Plan {
            data,
            kinds: Vec::new(),
            listeners: Vec::new(),
            host_name: "localhost".to_owned(),
            dns_servers: Vec::new(),
            credential: None,
            zones: String::new(),
            published: Published::default(),
            demo: false,
            single_operator: true,
            user_base: 64_000,
            relay: Relay::default(),
            bounds: wire::post::Bounds::default(),
            pages_url: String::new(),
            pool: 4,
            replace_keepers: false,
            vigilance: Vigilance::default(),
            rules: None,
            countries: None,
            syslog: String::new(),
            outward: Outward::default(),
            alarm_secret: Vec::new(),
            patience: Patience::default(),
            drills: Drills::default(),
            tell: Box::new(|_| {}),
            said: str::to_owned,
        }
    }
}

/// What the zone server is to serve from now on: said while the house stands, from another thread.
#[derive(Clone, Default)]
pub struct Published(Arc<(Mutex<Option<String>>, Condvar)>);

impl Published {
    /// Waits until it is handed over: whoever asks the DNS after that is answered by it. Whether it
    /// was.
    pub fn say(&self, zones: String, patience: Duration) -> bool {
        let (said, handed) = &*self.0;
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        *said = Some(zones);
        let waited = handed.wait_timeout_while(said, patience, |said| said.is_some());
        waited.unwrap_or_else(PoisonError::into_inner).0.is_none()
    }

    /// What was said since, for `hand`, which says whether it could be handed over.
    pub(crate) fn hand(&self, hand: impl FnOnce(&str) -> bool) {
        let (said, handed) = &*self.0;
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.as_deref().is_some_and(hand) {
            *said = None;
            handed.notify_all();
        }
    }
}

/// The switch of the drills: armed and disarmed while the house stands, from another thread.
#[derive(Clone, Default)]
pub struct Drills(Arc<Mutex<Option<Drill>>>, Arc<Mutex<Option<Tap>>>);

/// Every new channel of a kind is led through whoever listens: how frames of real traffic are
/// recorded for a foreign program. Only drills have one.
struct Tap {
    kind: Kind,
    give: Sender<Tapped>,
}

/// The far ends of one tapped channel: what comes on the one belongs on the other.
pub struct Tapped {
    pub one: (Label, Channel),
    pub other: (Label, Channel),
}

impl Drills {
    /// From now on each birth of that kind is hostile.
    pub fn arm(&self, drill: Drill) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(drill);
    }

    /// From now on births are our own code again.
    pub fn disarm(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// From now on new channels of this kind are tapped, or (`None`) of none.
    pub fn tap(&self, tap: Option<(Kind, Sender<Tapped>)>) {
        let tap = tap.map(|(kind, give)| Tap { kind, give });
        *self.1.lock().unwrap_or_else(PoisonError::into_inner) = tap;
    }

    /// The two ends of a new channel, tapped if a drill wants it so.
    pub(crate) fn lead(
        &self,
        labels: (&Label, &Label),
        ends: (Channel, Channel),
    ) -> (Channel, Channel) {
        let tap = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = |tap: &&Tap| tap.kind == labels.0.kind || tap.kind == labels.1.kind;
        let Some(tap) = tap.as_ref().filter(wanted) else { return ends };
        let Ok((near, far)) = Channel::pair() else { return ends };
        let (one, other) = ends;
        let tapped = Tapped { one: (labels.0.clone(), other), other: (labels.1.clone(), near) };
        let _ = tap.give.send(tapped);
        (one, far)
    }

    /// What a newborn of this kind becomes, if a drill is on.
    pub(crate) fn draft(&self, instance: InstanceId, kind: Kind) -> Option<Drafted> {
        let armed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let drill = armed.as_ref().filter(|drill| drill.kind == kind)?;
        let (ours, theirs) = Channel::pair().ok()?;
        let mut gifts = vec![theirs.into()];
        if let Some(program) = &drill.program {
            gifts.push(program.frames.try_clone().ok()?);
            gifts.push(program.code.try_clone().ok()?);
        }
        drill.talks.send((instance, ours)).ok()?;
        Some(Drafted { gifts, lives_on: drill.lives_on, has_program: drill.program.is_some() })
    }
}

/// A static executable, and frames recorded from real traffic for it, as JSON. Both sealed memfds.
pub struct Program {
    pub code: OwnedFd,
    pub frames: OwnedFd,
}

/// One drill: births of `kind` become hostile code.
pub struct Drill {
    /// Which compartment.
    pub kind: Kind,
    /// A foreign program; `None`: the acts that are built in.
    pub program: Option<Program>,
    /// Calls off charter are denied and alarmed, and the instance is left alive to try the next.
    pub lives_on: bool,
    /// Gets one end of a channel to each hostile instance, on which it says what it obtained.
    pub talks: Sender<(InstanceId, Channel)>,
}

/// What a hostile newborn is given beside what every newborn gets.
pub(crate) struct Drafted {
    pub gifts: Vec<OwnedFd>,
    pub lives_on: bool,
    pub has_program: bool,
}

/// What happened, for the demo's screen, `drill` and the tests.
#[derive(Clone, Debug)]
pub enum Happening {
    /// Every compartment serves and the listeners are handed out; once.
    Ready,
    /// A process was born.
    Born {
        /// Which.
        instance: InstanceId,
        /// Its kind.
        kind: Kind,
        /// Its process id.
        pid: u32,
        /// Who forked it; `None` for a keeper or a zygote, executed by us.
        zygote: Option<InstanceId>,
    },
    /// A process jailed itself; the walls that it did without.
    Jailed {
        /// Which.
        instance: InstanceId,
        /// Its kind.
        kind: Kind,
        /// Names of missing walls.
        missing: Vec<String>,
    },
    /// A process ended.
    Ended {
        /// Which.
        instance: InstanceId,
        /// Its kind.
        kind: Kind,
        /// Whether it left by itself, with nothing to complain of.
        clean: bool,
        /// Why, in a few words.
        cause: String,
    },
    /// A part cannot start; it is tried again and again. Whoever can goes on without.
    Unable(Unable),
    /// And now it serves.
    Able {
        /// Its kind.
        kind: Kind,
    },
    /// A call off charter, or what a compartment itself found alarming.
    Alarm {
        /// Who.
        instance: InstanceId,
        /// Its kind.
        kind: Kind,
        /// Its process id.
        pid: u32,
        /// The call, or `report`.
        call: String,
        /// What of it.
        what: String,
        /// By our clock, milliseconds from the call's arrival here to now.
        after_ms: u64,
        /// The number of its entry in the warden's own series; `None` when the queue was full.
        entry: Option<u64>,
    },
    /// The sentinel judged something to be an incident.
    Incident(Incident),
    /// So many of our own entries stand in the log, under a checkpoint that the mirror signed.
    Recorded {
        /// Number in our series of the first of them.
        first: u64,
        /// How many.
        count: u64,
        /// The ledger's index of the first.
        index: u64,
    },
    /// A line for the operator.
    Note {
        /// Who.
        instance: InstanceId,
        /// Its kind.
        kind: Kind,
        /// Printable.
        text: String,
    },
}
