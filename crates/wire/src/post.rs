//! Questions to the keeper of the queue. It sees ciphertext, route tokens, sizes, times and states.

use crate::mailbox::SealedPart;
use serde::{Deserialize, Serialize};
use terms::{MessageId, TenantId, UserId};

/// A destination that says nothing of itself: a keyed hash of the next hop. Equal tokens are one
/// destination; nobody but the keyholder can tell which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Route(pub [u8; 16]);

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

/// Why a message waits for a person, and what becomes of it when nobody comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub until_ms: u64,
    pub then: AtEnd,
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
    /// Answered by `Queued` when it is durable, or by `Full`, `Fault`.
    Queue(Box<Outgoing>),
    /// May this person send to so many now? Answered by `May`; nothing is counted yet.
    May { user: UserId, recipients: u32, limits: Limits },
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
}

/// From `depart`.
#[derive(Serialize, Deserialize)]
pub enum FromDepart {
    /// It has nothing to do and may be given a batch of this tenant (`None`: of any).
    Idle { tenant: Option<TenantId> },
    /// How one leg of its batch ended. Answered by nothing; a leg of which nothing is said when
    /// the instance is gone is tried again.
    Ended { message: MessageId, leg: LegNumber, outcome: Outcome },
}

/// How an attempt ended.
#[derive(Clone, Serialize, Deserialize)]
pub enum Outcome {
    /// The remote has taken it for all who were left.
    Sent { recipients: u16 },
    /// Some or all are to be tried again. `rest`: the envelope that is left, if some are done.
    Later { sent: u16, rest: Option<(SealedPart, u16)>, why: Why },
    /// Nobody is left to try; whom it concerns was told by whoever tried.
    Failed { sent: u16, why: Why },
    /// The sender was told that it is late; nothing was tried.
    ToldLate,
}

/// What a leg is handed over for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Errand {
    Carry,
    /// Its sender is to be told that it is late; it stays.
    TellLate,
    /// Its time is over: who is left is given back to the sender without another attempt.
    GiveBack,
}

/// What stood in the way, as far as the keeper needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// The remote answered for this mail (an enhanced status code).
    Answered { class: u8, subject: u16, detail: u16 },
    /// The destination itself could not be reached: its other legs need not try.
    Unreachable,
    /// DNS, keys or evidence of ours: nobody's fault, try soon.
    Ours,
    /// TLS that must be there is not.
    Unsafe,
}

/// To `depart`.
#[derive(Serialize, Deserialize)]
pub enum ToDepart {
    Batch { tenant: TenantId, legs: Vec<Load> },
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
}

#[derive(Serialize, Deserialize)]
pub enum ToAdmin {
    Messages { items: Vec<Queued>, next: Option<MessageId> },
    Message { message: Queued, legs: Vec<LegState> },
    Done,
    NoSuch,
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
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegState {
    pub leg: LegNumber,
    pub route: Route,
    pub state: State,
    pub recipients: u16,
    pub attempts: u8,
    pub next_try_ms: Option<u64>,
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
    /// Destinations that nobody could reach lately.
    pub unreachable: u64,
    pub bytes: u64,
}
