//! What a warden is asked to run, and what it tells while it does.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use terms::{InstanceId, Kind};
use wire::control::Service;

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
    /// The demo's mode.
    pub demo: bool,
    /// No two-person approvals here yet.
    pub single_operator: bool,
    /// As root: each compartment runs as this number plus its kind's.
    pub user_base: u32,
    /// Idle instances of each zygote kind that `gate` hands connections to, made ahead.
    pub pool: usize,
    /// Whether a keeper that left its charter is replaced like an instance, or only alarmed.
    pub replace_keepers: bool,
    /// A drill: hostile code in one instance.
    pub drill: Option<Drill>,
    /// Hears what happens; called on the warden's thread, so it must not wait.
    pub tell: Box<dyn FnMut(&Happening)>,
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
            demo: false,
            single_operator: true,
            user_base: 64_000,
            pool: 4,
            replace_keepers: false,
            drill: None,
            tell: Box::new(|_| {}),
        }
    }
}

/// One drill: the next born instance of `kind` becomes `program`.
pub struct Drill {
    /// Which compartment.
    pub kind: Kind,
    /// A static executable.
    pub program: OwnedFd,
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
    /// Our own entries up to this number (of our series) are durable; the first one's leaf.
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
