//! Questions to the keeper of the queue. It sees ciphertext, route tokens, sizes, times and states.

mod directory;
mod why;

use crate::mailbox::SealedPart;
pub use directory::{Awaited, FromDirectory, ToDirectory};
use serde::{Deserialize, Serialize};
use terms::{Finding, MessageId, TenantId, UserId};
pub use why::{TlsFlaw, WayIn, Why};

/// A destination that says nothing of itself: a keyed hash of the next hop. Equal tokens are one
/// destination; nobody but the keyholder can tell which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Route(pub [u8; 16]);

/// Findings that are told of one message.
const FOUND: usize = 16;

/// Its place among the legs of its message.
pub type LegNumber = u16;

/// The copy of one message for one destination.
#[derive(Clone, Serialize, Deserialize)]
pub struct Leg {
    pub number: LegNumber,
    pub route: Route,
    pub recipients: u16,
    /// Who it is from and for, sealed like the body; opaque here.
    pub envelope: SealedPart,
}

/// One recipient, as RFC 3461 lets it be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    /// As it is written on the wire, without brackets.
    pub address: String,
    /// NOTIFY: success, failure, delay; all three false: never. `None`: not said.
    pub notify: Option<(bool, bool, bool)>,
    /// ORCPT: `type;xtext`, as it came.
    pub original: Option<String>,
}

/// Who a leg is from and for; what `depart` opens first (postcard). Sealed like the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The return path. Empty: the null sender, to whom nothing is ever returned.
    pub from: String,
    pub hop: Hop,
    pub recipients: Vec<Receiver>,
    pub returns_all: Option<bool>,
    pub envelope_id: Option<String>,
    pub require_tls: bool,
    pub has_eight_bits: bool,
    pub needs_utf8: bool,
    pub finish: Finish,
    /// What a scanner found in it, for the rules of whoever gets it in this house.
    pub found: Vec<Found>,
    /// What was heard last of those who are still to be reached: their sender is told.
    pub heard: Vec<Heard>,
    /// Its author says that it may go however TLS fares (`TLS-Required: No`, RFC 8689 §5).
    pub heedless: bool,
}

/// What stood last in the way to some recipients of a leg. It lies in the envelope, for a remote's
/// words name people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Places among the envelope's recipients.
    pub places: Vec<u16>,
    /// An enhanced status code.
    pub status: (u8, u16, u16),
    /// `notice::Reason`, by its word.
    pub reason: String,
    /// Who said it, or where it was seen.
    pub remote: Option<String>,
    /// The remote's own words, the first [`HEARD_LETTERS`] of them.
    pub words: Option<String>,
}

/// As much as tells a person why: a remote may say far more, anew at each attempt.
pub const HEARD_LETTERS: usize = 500;

/// A finding, without its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub id: String,
    pub thousandths: i32,
}

impl Found {
    /// What may be told of findings: few, and short names.
    pub fn of(findings: &[Finding]) -> Vec<Self> {
        let found = |one: &Finding| Self {
            id: one.id.chars().filter(char::is_ascii_graphic).take(60).collect(),
            // Saturates.
            thousandths: (one.weight * 1_000.0) as i32,
        };
        findings.iter().take(FOUND).map(found).collect()
    }

    pub fn finding(&self) -> Finding {
        Finding::new(&self.id, self.thousandths as f32 / 1_000.0, "")
    }
}

impl Envelope {
    /// `None`: it is no envelope. One of an older queue asks nothing of TLS, or has heard nothing
    /// either, or has no findings: each of the three is one octet if there is nothing.
    pub fn read(octets: &[u8]) -> Option<Self> {
        let whole = |octets: &[u8]| match postcard::take_from_bytes::<Self>(octets) {
            Ok((envelope, [])) if !envelope.recipients.is_empty() => Some(envelope),
            _ => None,
        };
        let older = |lacks: &[u8]| whole(&[octets, lacks].concat());
        whole(octets).or_else(|| (1..=3).find_map(|lacks| older(&[0; 3][..lacks])))
    }
}

/// What is done to the text just before it leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Finish {
    /// Nothing: it is complete, or goes into a mailbox of this house.
    #[default]
    AsItIs,
    /// Signed (DKIM) with this domain's keys: an answer or a notice that nobody's client wrote.
    Sign { domain: String },
    /// Sealed (ARC) with this domain's keys: mail of others that is passed on.
    Seal { domain: String },
    /// Spread to the members of the list that it is for, whom this permit opens.
    Spread { permit: [u8; 16] },
    /// One member's copy: with the fields by which they leave the list (`link` empty: only by
    /// mail), signed (DKIM) with this domain's keys.
    Copy { domain: String, mail: String, link: String },
    /// As `Sign`: a report about TLS, which goes however TLS fares and is counted in no report
    /// (RFC 8460 §3).
    Report { domain: String },
    /// Nothing. It goes into the mailbox of whom this statement names, signed before the change
    /// that the letter tells of: what goes on to others since would not reach its owner.
    AsItStood { statement: Vec<u8>, signature: Vec<u8> },
    /// Nothing. A person of this house wrote to an address from which it goes on, and hears of that
    /// alone. `from_guest`: another tenant's.
    PassedOn { from_guest: bool },
}

/// Where a leg goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Hop {
    /// Into mailboxes of this house.
    Here,
    /// To the members of a list.
    List,
    /// To the MX of this domain (A-label form, or an address literal in brackets).
    Domain(String),
    /// To one host: a tenant's smart host, or a gateway tenant's own server.
    Host { name: String, port: u16, tls: HopTls },
    /// Handed up to an HTTPS resource: a report whose text is the packed report itself.
    Web { host: String, path: String },
    /// To wherever addresses of this house lead on, in the name of whoever set that up.
    On,
}

/// What a configured host must show before mail is given to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HopTls {
    /// TLS from the first octet, with a certificate of that name.
    Implicit,
    /// STARTTLS, with a certificate of that name.
    StartTls,
    /// STARTTLS if it is offered, whoever that is.
    IfOffered,
}

impl Hop {
    /// What the route token is made from: equal hops are one destination.
    pub fn word(&self) -> String {
        match self {
            Self::Here => "here".to_owned(),
            Self::List => "list".to_owned(),
            Self::Domain(domain) => format!("domain {domain}"),
            Self::Host { name, port, .. } => format!("host {name} {port}"),
            Self::Web { host, path } => format!("web {host}{path}"),
            Self::On => "on".to_owned(),
        }
    }
}

/// Why a message waits for a person, and what becomes of it when nobody comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub until_ms: u64,
    pub then: AtEnd,
}

/// What an operator does about a message in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueueAct {
    Hold,
    Release,
    Cancel,
}

impl QueueAct {
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Hold, Self::Release, Self::Cancel].into_iter().find(|act| act.word() == word)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Cancel => "cancel",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AtEnd {
    Send,
    Return,
}

/// One outgoing message, all of it or (with `more`) some of its legs.
#[derive(Clone, Serialize, Deserialize)]
pub struct Outgoing {
    pub tenant: TenantId,
    pub user: UserId,
    pub message: MessageId,
    pub size: u64,
    pub at_ms: u64,
    /// After this the rest goes back to its sender.
    pub expires_ms: u64,
    pub hold: Option<Hold>,
    pub body: SealedPart,
    pub legs: Vec<Leg>,
}

/// From `dispatch` (a person's mail) and `edge` (mail that is passed on), over channels whose
/// labels say for whom they may speak.
#[derive(Serialize, Deserialize)]
pub enum FromSender {
    /// Answered by `Queued` or `QueuedAndMay` when it is durable, or by `Full`, `Fault`.
    Queue(Box<Outgoing>),
    /// May this person send to so many now? Answered by `May`; nothing is counted yet.
    May { user: UserId, recipients: u32, limits: Limits },
    /// To how many may they send now? Answered by `Room`; nothing is counted or promised.
    Room { user: UserId, limits: Limits },
}

/// Recipients that one sender may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub in_ten_minutes: u32,
    pub in_a_day: u32,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToSender {
    Queued,
    Full,
    Fault,
    /// `None`: yes. Else: not before so many seconds.
    May(Option<u32>),
    /// As far as the limits go, yes; but much of what this person sent lately came back.
    Doubtful,
    /// `Queued`, and what was asked with the last `May` would be answered with yes again.
    QueuedAndMay,
    /// There is room, but not for more of this person's or tenant's (see [`Bounds`]).
    Crowded,
    /// Turned away by a limit again and again: one message is taken, to be held and asked about.
    Pressed,
    Room(u32),
}

/// What may wait in the queue, and how long. What is over it is refused for a while (452), not
/// dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Octets and messages of one tenant, both what its people wrote and what is passed on.
    pub tenant_bytes: u64,
    pub tenant_messages: u64,
    /// Octets and messages that wait to be passed on for one tenant: a part of the above, so that
    /// its own people's mail goes on when strangers have filled this.
    pub relayed_tenant_bytes: u64,
    pub relayed_tenant_messages: u64,
    /// And for one person.
    pub relayed_person_bytes: u64,
    pub relayed_person_messages: u64,
    /// Octets of the disk that stay free, for the evidence and for what is under way.
    pub free_bytes: u64,
    /// Seconds between two attempts, after the first that failed, the second and so on: the last
    /// counts from there on.
    pub pauses_seconds: [u32; PAUSES],
    /// After this long without success a sender is told that it is late, once.
    pub late_seconds: u32,
    /// After this long it goes back to its sender, if whoever handed it in gave it no less.
    pub expire_seconds: u32,
}

/// Pauses that differ.
pub const PAUSES: usize = 7;

impl Default for Bounds {
    /// As the settings have them; a test of `sekisho` compares the two.
    fn default() -> Self {
        const GIB: u64 = 1024 * 1024 * 1024;
        Self {
            tenant_bytes: 20 * GIB,
            tenant_messages: 1_000_000,
            relayed_tenant_bytes: 4 * GIB,
            relayed_tenant_messages: 100_000,
            relayed_person_bytes: GIB / 2,
            relayed_person_messages: 10_000,
            free_bytes: GIB,
            // RFC 5321 §4.5.4.1: soon at first, since most failures are short, then patiently.
            pauses_seconds: [5, 10, 20, 40, 80, 120, 240].map(|minutes| minutes * 60),
            late_seconds: 4 * 3600,
            expire_seconds: 5 * 24 * 3600,
        }
    }
}

/// Who said what became of a message that was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    pub by: Decider,
    /// Else cancelled.
    pub released: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decider {
    /// Its own sender, by the link in the house's letter.
    Sender,
    /// By the command line.
    Operator,
}

/// From `depart`.
#[derive(Serialize, Deserialize)]
pub enum FromDepart {
    /// It has nothing to do and may be given a batch of this tenant (`None`: of any).
    Idle { tenant: Option<TenantId> },
    /// How one leg of its batch ended. `Kept` says that this is durable; a leg of which nothing is
    /// said when the instance is gone is tried again.
    Ended { message: MessageId, leg: LegNumber, outcome: Outcome },
    /// A notice to the sender, outside, of mail that was passed on: of the tenant whose batch is in
    /// hand. Answered as [`FromSender::Queue`] is, by a [`ToSender`].
    Queue(Box<Outgoing>),
    /// A letter of its batch to an address of another tenant, which carries it on from there, in
    /// [`guest_of`](crate::directory::guest_of)'s name. Answered as [`FromSender::Queue`] is.
    HandOver(Box<Outgoing>),
    /// May these legs of its batch go, now that they are about to be handed over? Answered by
    /// `Begun`. Whoever holds or cancels one after a yes is told that it is under way.
    Begin(Vec<(MessageId, LegNumber)>),
    /// The first word to a post that came after another: what is in its hands, begun or over, and
    /// was not said to be kept. How those ended that are over follows, each as `Ended`.
    Holds(Vec<InHand>),
}

/// A leg that an instance has in its hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InHand {
    pub message: MessageId,
    pub leg: LegNumber,
    pub errand: Errand,
}

/// How an attempt ended.
#[derive(Clone, Serialize, Deserialize)]
pub enum Outcome {
    /// The remote has taken it for all who were left.
    Sent { recipients: u16 },
    /// Some or all are to be tried again. `rest`: the envelope that is left, if some are done or
    /// something new was heard. `for_all`: what stands between the tenant and a host that it named
    /// stood in the way of all of them, by the way that post knows.
    Later { sent: u16, rest: Option<(SealedPart, u16)>, why: Why, for_all: bool },
    /// Nobody is left to try; whom it concerns was told by whoever tried.
    Failed { sent: u16, why: Why },
    /// The sender was told that it is late; nothing was tried.
    ToldLate,
    /// Nothing was tried: another destination of the batch keeps this instance waiting.
    Untried,
    /// Nothing was tried: it was held or cancelled before it was handed over.
    Stopped,
}

/// What a leg is handed over for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Errand {
    Carry,
    /// Its sender is to be told that it is late; it stays.
    TellLate,
    /// Its time is over: who is left is given back to the sender without another attempt.
    GiveBack,
    /// An operator cancelled it: who is left is given back, and the sender told why.
    Cancelled,
    /// It was held until now and nobody let it go: who is left is given back.
    Unreleased,
}

/// To `depart`.
#[derive(Serialize, Deserialize)]
pub enum ToDepart {
    Batch {
        tenant: TenantId,
        legs: Vec<Load>,
    },
    /// For each that was asked about, in order.
    Begun(Vec<bool>),
    /// How these ended is durable, or needs not be: they need not be told again.
    Kept(Vec<(MessageId, LegNumber)>),
}

/// One leg to be carried.
#[derive(Clone, Serialize, Deserialize)]
pub struct Load {
    pub user: UserId,
    pub message: MessageId,
    pub leg: LegNumber,
    pub size: u64,
    pub at_ms: u64,
    pub expires_ms: u64,
    /// Attempts before this one.
    pub attempts: u8,
    pub errand: Errand,
    /// What stood in its way last, or in its destination's.
    pub why: Option<Why>,
    /// Somebody else's, passed on for this person or answered in their name: a stranger chose
    /// where it goes, and its destination has less time.
    pub is_passed_on: bool,
    pub envelope: SealedPart,
    pub body: SealedPart,
}

/// From `admin`.
#[derive(Serialize, Deserialize)]
pub enum FromAdmin {
    List {
        tenant: Option<TenantId>,
        after: Option<MessageId>,
        limit: u32,
    },
    Show(MessageId),
    /// Nothing of it leaves until it is released.
    Hold(MessageId),
    /// It leaves as soon as its destination can be reached.
    Release(MessageId),
    /// What has not left does not leave.
    Cancel(MessageId),
    Status,
    /// How many messages of this person's wait for somebody's word? Answered by `StillHeld`.
    StillHeld {
        tenant: TenantId,
        user: UserId,
    },
}

#[derive(Serialize, Deserialize)]
pub enum ToAdmin {
    Messages {
        items: Vec<Queued>,
        next: Option<MessageId>,
    },
    Message {
        message: Queued,
        legs: Vec<LegState>,
    },
    /// It has left the queue: legs that were sent, and those that were not.
    Past {
        message: MessageId,
        at_ms: u64,
        sent: u16,
        not_sent: u16,
        decided: Option<Decided>,
        /// What became of each leg; those of which nothing was written down are missing.
        legs: Vec<LegEnd>,
    },
    /// `under_way`: destinations that are being handed over at this moment, and may still go.
    Done {
        under_way: u16,
    },
    NoSuch,
    StillHeld(u32),
    Status(Status),
    Fault(String),
}

/// A message in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queued {
    pub message: MessageId,
    pub tenant: TenantId,
    pub user: UserId,
    pub state: State,
    pub size: u64,
    pub at_ms: u64,
    pub next_try_ms: Option<u64>,
    pub legs: u16,
    /// If it was held, and is so no longer.
    pub decided: Option<Decided>,
    /// If it is held: until when, and what then.
    pub hold: Option<Hold>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegState {
    pub leg: LegNumber,
    pub route: Route,
    pub state: State,
    pub recipients: u16,
    pub attempts: u8,
    pub next_try_ms: Option<u64>,
    /// What stood in the way last; a restart forgets it until the next attempt.
    pub why: Option<Why>,
    /// Recipients whom it was sent to before; a restart forgets it.
    pub sent: u16,
    /// Recipients who will not get it, of whom its sender was told.
    pub not_sent: u16,
}

/// How a leg ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegEnd {
    pub leg: LegNumber,
    /// `Sent`, `Failed` or `Cancelled`.
    pub state: State,
    /// Recipients.
    pub sent: u16,
    pub not_sent: u16,
    pub why: Option<Why>,
}

/// Where a message or a leg stands. `post::state` has the guarantee of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    Held,
    Ready,
    Leaving,
    Delayed,
    Sent,
    Failed,
    Cancelled,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Ready => "ready",
            Self::Leaving => "leaving",
            Self::Delayed => "delayed",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub messages: u64,
    pub legs: u64,
    pub held: u64,
    pub delayed: u64,
    pub leaving: u64,
    pub destinations: u64,
    pub unreachable: u64,
    pub bytes: u64,
    /// How full the fullest share of the queue is ([`Bounds`]).
    pub fullest_percent: u64,
    /// Messages that were not taken since the start, for one of the bounds.
    pub refused: u64,
    /// Octets that are free on its disk, where that can be asked.
    pub free_bytes: Option<u64>,
}
