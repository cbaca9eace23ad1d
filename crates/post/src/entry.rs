//! What the log says: one entry for each thing that happened, told again after a crash.
//!
//! Slots are places in the tables of `table`; an entry names them, so that a log told again fills
//! the same places.

use serde::{Deserialize, Serialize};
use terms::{MessageId, TenantId, UserId};
use wire::post::{Decided, Hold, LegNumber, Route, State, Why};

/// Where bytes lie (`body::Place`, written down).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    pub at: u64,
    pub length: u32,
}

impl From<body::Place> for At {
    fn from(place: body::Place) -> Self {
        Self { at: place.at, length: place.length }
    }
}

impl From<At> for body::Place {
    fn from(at: At) -> Self {
        Self { at: at.at, length: at.length }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewMessage {
    pub slot: u32,
    pub tenant: TenantId,
    pub user: UserId,
    pub message: MessageId,
    pub size: u32,
    pub at_ms: u64,
    pub expires_ms: u64,
    pub hold: Option<Hold>,
    pub body: At,
    pub legs: Vec<NewLeg>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewLeg {
    pub slot: u32,
    pub number: LegNumber,
    pub route: Route,
    pub recipients: u16,
    pub envelope: At,
}

/// Which way a message passed through an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// Somebody handed it in.
    In,
    /// A `depart` has sent it.
    Out,
    /// Nothing passed: letters ended otherwise, and the ledger is told that the queue changed.
    Mark,
}

/// A message that passed through an instance, for the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    pub seq: u64,
    pub way: Way,
    pub instance: terms::InstanceId,
    pub tenant: TenantId,
    pub user: UserId,
    pub message: MessageId,
    pub recipients: u32,
    pub bytes: u32,
    /// When, in ms; not kept. 0: before this start, and then it is told as of when it is signed.
    #[serde(skip)]
    pub at_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    Queued(NewMessage),
    /// An attempt that leaves something to try. `rest`: the envelope and recipients that are left.
    Delayed {
        leg: u32,
        until_s: u32,
        attempts: u8,
        rest: Option<(At, u16)>,
    },
    /// The leg is over: `Sent`, `Failed` or `Cancelled`.
    Over {
        leg: u32,
        state: State,
        at_s: u32,
        why: Option<Why>,
    },
    /// The sender was told that this leg is late.
    ToldLate {
        leg: u32,
    },
    Held {
        message: u32,
        hold: Hold,
    },
    /// A message is held no longer.
    Freed {
        message: u32,
    },
    /// Its legs try now, whatever their pauses were.
    Hurried {
        message: u32,
    },
    Passed(Passage),
    /// The ledger has everything before this number.
    Recorded {
        before: u64,
    },
    /// Compaction: an envelope or (without a leg) a body lies elsewhere now.
    Moved {
        message: u32,
        leg: Option<u32>,
        to: At,
    },
    /// Somebody decided about a message that was held.
    Decided {
        message: u32,
        decided: Decided,
    },
    /// These people are gone: nothing is counted for them any more.
    Erased {
        users: Vec<UserId>,
    },
    /// `Queued`, for somebody who did not write it: passed on for them, or answered in their name.
    QueuedFor(NewMessage),
    /// How far a leg has come that is tried again, or that was: recipients sent to and not, in all
    /// attempts together, and what stood in its way last.
    Settled {
        leg: u32,
        sent: u16,
        not_sent: u16,
        why: Option<Why>,
    },
    /// A leg stands as it stood, and its envelope says what its destination said.
    Heard {
        leg: u32,
        envelope: At,
    },
    /// `QueuedFor`, a notice to a sender outside.
    QueuedNotice(NewMessage),
    /// `Freed`, and when: the message's time counts from then.
    LetGo {
        message: u32,
        at_s: u32,
    },
    /// What the queue knows of the entries that tell of it.
    Noted(journal::Runs),
}

impl Entry {
    /// Whether a letter ends by it, or may, and the evidence does not say so.
    pub fn gives_up(&self) -> bool {
        match self {
            Self::Over { state, .. } => *state != State::Sent,
            Self::Held { .. } | Self::Decided { .. } | Self::Erased { .. } => true,
            _ => false,
        }
    }

    /// What it puts into the queue.
    pub fn new_message(&self) -> Option<&NewMessage> {
        match self {
            Self::Queued(new) | Self::QueuedFor(new) | Self::QueuedNotice(new) => Some(new),
            _ => None,
        }
    }
}
