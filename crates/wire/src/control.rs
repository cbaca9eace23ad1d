//! Warden and compartment: the control channel, descriptor 3 of every process.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use terms::{InstanceId, Kind, LocalTime, TenantId, UserId};

/// Who sits at the other end of a channel. Made by the warden; believed by keepers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    pub instance: InstanceId,
    pub kind: Kind,
    /// Set on channels of a signed-in `access`: this peer serves that person and nobody else.
    pub person: Option<(TenantId, UserId)>,
}

/// From the warden.
#[derive(Serialize, Deserialize)]
pub enum Order {
    /// The first frame: who you are. Descriptors as [`Start`] names them.
    Begin(Start),
    /// A channel (the one descriptor) to or from the peer that the label names.
    Join(Label),
    /// To a zygote: fork; the descriptor is the instance's control channel.
    Fork(InstanceId),
    /// To `gate`: a listener (the one descriptor).
    Listen(Service),
    /// Finish what is in hand and leave.
    Stop,
    /// To `names`: fresh sockets, connected to that DNS server; none: it is out of reach.
    Resolvers { server: u16, over_tcp: bool },
    /// A raw event for whoever records alarms (the admin's and sentinel's feed).
    Alarmed { instance: InstanceId, kind: Kind },
    /// To a keeper: say that you live, by [`Report::Alive`].
    Pulse,
    /// To `sentinel`: something that the warden saw or heard; a source has its descriptor.
    Feed(crate::sentinel::Feed),
    /// To `mailbox`, as [`Order::Join`]: somebody else's reading, which changes nothing.
    JoinReader(Label),
    /// To whoever asked by [`Report::Dial`]: the one descriptor is the socket, which may still be
    /// on its way to being connected; none, and why.
    Dialled { call: u32, refused: Option<String> },
    /// To a keeper that counts: say your numbers, by [`Report::Counted`].
    Count,
    /// To `metrics`: the newest numbers of all.
    Counted(Vec<crate::metrics::Count>),
    /// To `admin`: what is out of the house.
    Isolated(Vec<Isolation>),
    /// To `gate`: somebody has signed in to this instance, by `identity`'s word.
    SignedIn(InstanceId),
    /// To `zone`: this it serves from now on (TOML).
    Zones(String),
    /// Keys that were not known at one's start, because whose they are did not serve yet. What was
    /// known then stays as it was.
    Keys(Keys),
    /// To `admin`: which parts cannot start, or cannot go on.
    Unable(Vec<Unable>),
    /// To `admin`: where no place is left.
    Full(Vec<Full>),
    /// To `post`: of the carriers that its start named, those that live are joined to it.
    AllJoined,
}

/// Why [`Order::Dialled`] has no socket when the whole house dials too often: ask again.
pub const DIALS_BUSY: &str = "too many connections in one second";

/// To the warden.
#[derive(Serialize, Deserialize)]
pub enum Report {
    /// The jail is entered; the one descriptor is the seccomp listener, if this kernel grants it.
    Jailed { missing_walls: Vec<String> },
    /// Serving. An author gives the public key of this start; keepers of keys give theirs.
    Ready { author: Option<[u8; 32]>, public: Option<[u8; 32]> },
    /// From a zygote: the instance is born; the one descriptor is its pidfd.
    Born(InstanceId),
    /// From a zygote: the instance ended; a wait status.
    Ended { instance: InstanceId, status: i32 },
    /// From `gate`: idle instances of `kind` run low.
    Need { kind: Kind, instances: u16 },
    /// From `names`: so many fresh sockets, connected to that one of its DNS servers.
    Resolvers { server: u16, over_tcp: bool, sockets: u16 },
    /// From `edge`: give me a (new) scanner.
    Renew(Kind),
    /// From `identity`: this access instance now serves this person, for good; for somebody
    /// else's reading it may look and change nothing.
    Bind { instance: InstanceId, tenant: TenantId, user: UserId, purpose: Purpose },
    /// From `directory`: mail that this edge brings is of this tenant's own server; it gets a
    /// dispatch in the server's name.
    Outlet { instance: InstanceId, tenant: TenantId },
    /// Something that the compartment itself finds alarming (a budget, a decoy, a lie).
    Alarm { what: String },
    /// One line for the operator; never content, names or addresses.
    Note { text: String },
    /// From `post`: this depart now carries for this tenant, for good; it may have mail signed in
    /// the tenant's domains.
    Carries { instance: InstanceId, tenant: TenantId },
    /// From `identity`: the session that this access instance serves is over; so is the instance.
    SignedOut { instance: InstanceId },
    /// The answer to [`Order::Pulse`].
    Alive,
    /// From `sentinel`: what it judged to be an incident; the warden tells the operator.
    Incident(crate::sentinel::Incident),
    /// From `sentinel`: a source ended; open it again.
    Reopen(crate::sentinel::Source),
    /// From `depart` and `fetch`: a TCP connection to there, from one of our addresses if a tenant
    /// has one of its own. Answered by [`Order::Dialled`].
    Dial { call: u32, to: SocketAddr, from: Option<IpAddr> },
    /// From `sentinel`: end this instance, another takes its place.
    Replace(InstanceId),
    /// From `admin`: a kind is taken out of the house, or let in again. From `sentinel`: it is
    /// taken out, if it may be without an operator's word.
    Isolate { kind: Kind, isolated: bool },
    /// The answer to [`Order::Count`].
    Counted(Vec<crate::metrics::Count>),
    /// From `directory`: `fetch` is about to ask a customer's server at this port. Without this
    /// word it is dialled no port of mail.
    Inquiry { port: u16 },
    /// From `admin`: which kinds are isolated? Answered by [`Order::Isolated`].
    Isolated,
    /// As `Alarm`, about mail or a person and not about whoever says it: somebody should look.
    Attention { what: String },
    /// The kernel lets no process of this user send descriptors: too many are on their way.
    Crowded,
    /// From `admin`: which parts cannot start, or cannot go on? Answered by [`Order::Unable`].
    Unable,
    /// From `gate`: where no place is left from now on; none: nowhere.
    Full(Vec<Full>),
    /// From `admin`: where is no place left? Answered by [`Order::Full`].
    Places,
}

/// The public keys that some must know of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// The vault's statement key.
    pub statement: Option<[u8; 32]>,
    /// The ledger's and mirror's signing keys.
    pub ledger: Option<[u8; 32]>,
    pub mirror: Option<[u8; 32]>,
}

/// A part that does not serve and is tried again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unable {
    pub kind: Kind,
    /// Milliseconds since 1970.
    pub since_ms: u64,
    /// Printable: its own last words, or how it ended.
    pub why: String,
    /// It ended for want of room on its disk.
    pub is_full: bool,
}

/// A kind all of whose places are taken: whoever comes waits, and is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Full {
    pub kind: Kind,
    /// Connections that are served, of so many at most.
    pub taken: u32,
    pub places: u32,
    /// Milliseconds since 1970.
    pub since_ms: u64,
}

/// A kind that is out of the house until an operator lets it in again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Isolation {
    pub kind: Kind,
    /// Milliseconds since 1970.
    pub since_ms: u64,
    pub by: Kind,
}

/// What a signed-in `access` is there for: it gets the channels for that, and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Channels to vault and mailbox.
    Read,
    /// The same, for somebody else's reading: the mailbox takes no change.
    ReadOnly,
    /// One channel, to a `dispatch` born for this person.
    Send,
}

/// What a compartment is told at its start; only what its charter needs is filled in.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Start {
    pub instance: InstanceId,
    pub kind_word: String,
    /// `DIR/<compartment>`, for compartments with files.
    pub folder: Option<String>,
    /// Our own host name, as in banners, Received and Authentication-Results.
    pub host_name: String,
    /// DNS servers, for `names`.
    pub dns_servers: Vec<SocketAddr>,
    /// The vault's statement key, fixed for `edge` and `access`.
    pub statement_key: Option<[u8; 32]>,
    /// The ledger's and mirror's signing keys, for whoever checks what they sign.
    pub ledger_key: Option<[u8; 32]>,
    pub mirror_key: Option<[u8; 32]>,
    /// Loopback clients skip rates; a caller of `admin` may choose secrets. Only in the demo.
    pub demo: bool,
    /// Two-person approval does not exist yet on this installation.
    pub single_operator: bool,
    /// The frame's first descriptor is the unseal credential (sealed memfd), for `vault`.
    pub has_credential: bool,
    /// What a zone server serves (TOML), for `zone`.
    pub zones: String,
    /// A drill: the static program to become is the frame's last descriptor.
    pub drill: bool,
    /// What `sentinel` may do by itself.
    pub vigilance: crate::sentinel::Vigilance,
    /// How mail leaves, for `depart` and `fetch`.
    pub relay: Relay,
    /// Where alarms go, for `fetch`.
    pub outward: crate::fetch::Outward,
    /// What signs them, for `sentinel`.
    pub alarm_secret: Vec<u8>,
    /// Where the public pages are: `https://HOST` or `https://HOST:PORT`; empty: there are none.
    /// For `pages`, and for those who write such addresses into mail.
    pub pages_url: String,
    /// What is listened on, for `pages`, which tells mail programs.
    pub ports: Vec<(Service, u16)>,
    /// The frame's first descriptor says in which country addresses are registered: a sealed
    /// memfd, for `dispatch`.
    pub has_countries: bool,
    /// What may wait, for `post`.
    pub bounds: crate::post::Bounds,
    /// Who carried for the one before and lives, for `post`: it hands out nothing of theirs before
    /// it has heard them.
    pub carriers: Vec<Carrier>,
    /// The time on the machine's walls, for `mailbox`: the day on which mail comes in.
    pub local_time: LocalTime,
}

impl Unable {
    /// What it is, what follows from it, and what mends it: one sentence, for people.
    pub fn what(&self) -> String {
        let (kind, why) = (self.kind.word(), &self.why);
        if self.is_full {
            return format!(
                "{kind} cannot go on: the disk is full; make room where the data lies, and it goes \
                 on by itself"
            );
        }
        let meanwhile = match self.kind {
            Kind::Ledger | Kind::Mirror => "mail is taken and kept, and nobody can read",
            Kind::Vault => "mail is put off, and nobody can read",
            _ => "whoever needs it waits",
        };
        format!("{kind} cannot start: {why}; {meanwhile} until that is mended: it is tried again")
    }
}

impl Start {
    /// Takes down what was not known when this was written.
    pub fn learn(&mut self, keys: Keys) {
        self.statement_key = self.statement_key.or(keys.statement);
        self.ledger_key = self.ledger_key.or(keys.ledger);
        self.mirror_key = self.mirror_key.or(keys.mirror);
    }
}

/// A `depart` that lives, and whose mail it carries, once it has had some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carrier {
    pub instance: InstanceId,
    pub tenant: Option<TenantId>,
}

/// How mail leaves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Relay {
    /// The port that MX hosts answer on, and the one for HTTPS: 25 and 443 but in tests.
    pub port: u16,
    pub https_port: u16,
    /// Further ports that a smart host may be told to be at.
    pub smart_host_ports: Vec<u16>,
    /// Loopback and private addresses may be dialled: in the demo, in tests, inside one's own
    /// network.
    pub private: bool,
    /// Certificates (PEM) believed beside those of the public authorities.
    pub authorities: String,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            port: 25,
            https_port: 443,
            smart_host_ports: vec![465, 587],
            private: false,
            authorities: String::new(),
        }
    }
}

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Service {
    Smtp,
    Imaps,
    Pop3s,
    /// Submission, TLS from the first octet (RFC 8314).
    Submissions,
    /// Submission with STARTTLS (RFC 6409).
    Submission,
    /// The public pages, TLS from the first octet.
    Https,
    /// Numbers for whoever watches, in the clear.
    Metrics,
    /// UDP and TCP of the demo's local zone.
    Zone,
}
