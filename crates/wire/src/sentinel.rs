//! What the warden feeds to `sentinel`, and what comes back.

use serde::{Deserialize, Serialize};
use terms::{InstanceId, Kind, TenantId, UserId};

/// Something seen or heard by the warden. Times are its clock's, in milliseconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Feed {
    /// A raw event, as the warden recorded it: a refused call, or a compartment's own report.
    Raw {
        at_ms: u64,
        instance: InstanceId,
        kind: Kind,
        pid: u32,
        call: String,
        what: String,
    },
    Born {
        instance: InstanceId,
        kind: Kind,
        pid: u32,
        is_instance: bool,
        /// A drill's own code: what it does is meant.
        drilled: bool,
    },
    Ended {
        at_ms: u64,
        instance: InstanceId,
        kind: Kind,
        clean: bool,
        cause: String,
    },
    /// A keeper answered the pulse.
    Alive {
        at_ms: u64,
        instance: InstanceId,
        kind: Kind,
    },
    /// A program was started, or a process was traced, by nobody's order.
    Seen(Seen),
    /// Where events come from; `Some`: it is to be had, the frame's descriptor is it.
    Source {
        source: Source,
        missing: Option<String>,
    },
}

/// A process event of the kernel, with what `/proc` said at that moment. The texts are a
/// stranger's: cut, and never believed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub at_ms: u64,
    pub pid: u32,
    pub parent: u32,
    /// The warden or one of its descendants.
    pub is_ours: bool,
    pub what: Sight,
    /// The program's path.
    pub image: String,
    /// Its arguments, with blanks between.
    pub command_line: String,
    pub parent_image: String,
    pub parent_command_line: String,
    /// Where it works.
    pub folder: String,
    /// Its real user; `None`: it was gone before that could be read.
    pub user: Option<u32>,
    pub user_name: String,
    /// The file that was written.
    pub file: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sight {
    /// The kernel's process connector: it has executed.
    #[default]
    Executed,
    /// Fanotify: a file was opened to be executed.
    Opened,
    /// Another process began to trace this one.
    Traced,
    /// Fanotify: a file in a folder that is watched was written and closed.
    Written,
}

/// Where the sentinel's facts come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Source {
    /// The warden's ears: seccomp notifications.
    Notices,
    /// Process connector, read by the warden's eyes.
    Processes,
    /// Fanotify on program starts, read by the warden's eyes.
    Programs,
    /// Audit records (Landlock, seccomp), read by the sentinel.
    Audit,
    /// Where alarms are written for the host: the sentinel's only way out.
    Syslog,
    /// Fanotify on folders that an intruder would write to, read by the warden's eyes.
    Files,
}

/// Why a source or a route is not there, when nobody wants it to be.
pub const NOT_CONFIGURED: &str = "not configured";

impl Source {
    pub const ALL: &'static [Source] =
        &[Self::Notices, Self::Processes, Self::Programs, Self::Audit, Self::Syslog, Self::Files];

    pub fn word(self) -> &'static str {
        match self {
            Self::Notices => "seccomp notices",
            Self::Processes => "process events",
            Self::Programs => "program starts",
            Self::Audit => "audit records",
            Self::Syslog => "syslog",
            Self::Files => "file writes",
        }
    }
}

/// Not those without whom nobody could let it in again, or nothing would be recorded.
pub fn may_be_isolated(kind: Kind) -> bool {
    let is_needed =
        matches!(kind, Kind::Warden | Kind::Admin | Kind::Ledger | Kind::Mirror | Kind::Sentinel);
    crate::charter(kind).is_some() && !is_needed
}

/// What the sentinel may have isolated by itself: those whose instances a stranger can reach,
/// directly or by a letter, each of which comes again from a zygote. While they are away mail
/// waits at its sender's, in a client or in the queue; nothing is lost. Never a keeper, without
/// which the house is no house; never those whom alarms, answers or the evidence need (`gate`,
/// `names`, `fetch`, `metrics`, `admin`): an intruder in one instance could have them taken away.
pub fn may_be_isolated_unasked(kind: Kind) -> bool {
    use Kind::*;
    matches!(kind, Edge | Scanner | Access | Pages | Dispatch | Depart)
}

/// Whom it takes to have two persons agree: who of them is away is let in again by one.
pub fn is_needed_to_agree(kind: Kind) -> bool {
    matches!(kind, Kind::Identity | Kind::Directory | Kind::Vault)
}

/// What is told to people: ids and words of ours only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub cause: String,
    pub kind: Option<Kind>,
    pub instance: Option<InstanceId>,
    pub tenant: Option<TenantId>,
    pub user: Option<UserId>,
    pub count: u64,
    pub what: String,
    pub rule: Option<String>,
    pub after_ms: u64,
}

/// Further rules together, as they are handed over: the public ones for Linux take a third of a
/// mebibyte.
pub const RULES_BYTES: usize = 8 << 20;

/// What the sentinel may do by itself, and what it looks at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Vigilance {
    /// A person whose mail is opened without a sign-in is frozen.
    pub freeze: bool,
    /// An instance that opens mail without a sign-in is replaced.
    pub replace: bool,
    /// A kind whose instances leave their charter again and again is isolated.
    pub isolate: bool,
    /// Whoever touches a decoy and is known is frozen, and their instance ended.
    pub decoys: bool,
    /// Programs started elsewhere on this host are judged by the Sigma rules too.
    pub watch_host: bool,
    /// Items released in an hour that has always been quiet.
    pub burst: u32,
    /// A keeper that does not answer for so long is silent.
    pub silence_ms: u64,
    /// Equal incidents in so long are told once, with their number.
    pub fold_ms: u64,
    /// The frame's first descriptor holds further rules: a sealed memfd, a list of texts.
    pub has_rules: bool,
    /// `fetch` knows a webhook, and a relay, for alarms.
    pub has_webhook: bool,
    pub has_mail: bool,
    /// After one message, what follows is gathered so long.
    pub gather_ms: u64,
    /// The host's log is written to over a stream (RFC 6587 §3.4.1).
    pub log_is_stream: bool,
}

impl Default for Vigilance {
    fn default() -> Self {
        Self {
            freeze: true,
            replace: true,
            isolate: true,
            decoys: true,
            watch_host: false,
            burst: 50,
            silence_ms: 10_000,
            fold_ms: 60_000,
            has_rules: false,
            has_webhook: false,
            has_mail: false,
            gather_ms: 30_000,
            log_is_stream: false,
        }
    }
}

/// From `admin`.
#[derive(Serialize, Deserialize)]
pub enum FromAdmin {
    Status,
    /// One alarm over every route, now; what each of them answered.
    Test,
}

#[derive(Serialize, Deserialize)]
pub enum ToAdmin {
    Status(Status),
    Tested(Vec<Tried>),
}

/// How a test fared on one route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    pub route: String,
    pub is_configured: bool,
    pub is_taken: bool,
    pub said: String,
}

/// A route out of the house as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub route: String,
    /// Incidents that wait for it, counted singly.
    pub waiting: u64,
    /// Given up: too many or too old.
    pub given_up: u64,
    pub sent: u64,
    pub last_taken_ms: Option<u64>,
    /// What it said last, if it did not take it.
    pub trouble: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Status {
    /// Facts weighed since the start.
    pub events: u64,
    pub incidents: u64,
    /// The ledger's next index to be read.
    pub followed: u64,
    pub rules: u32,
    pub sources: Vec<(Source, Option<String>)>,
    pub decoys: u32,
    pub routes: Vec<Standing>,
}
