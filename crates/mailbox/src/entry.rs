//! What the log says: each note is a list of entries, each entry one effect, already decided.
//!
//! Uids, modification sequences and final flags stand in the entry, so that telling it again
//! after a crash comes to the same state. New variants go to the end: old logs are read.

use journal::Runs;
use serde::{Deserialize, Serialize};
use terms::{InstanceId, MessageId, Received, TenantId, UserId, Verdict};
use wire::mailbox::{Journey, flag};

/// A place in the bodies, in the log's own form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// The bytes of one copy. Folders refer to it by number; it dies with its last reference.
#[derive(Clone, Serialize, Deserialize)]
pub struct Stored {
    pub id: u64,
    pub user: UserId,
    pub message: MessageId,
    pub size: u64,
    pub received: Received,
    pub verdict: Verdict,
    /// Put there by its owner (APPEND, drafts, Sent), not arrived.
    pub own: bool,
    pub summary: At,
    pub body: At,
}

/// A message's line in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub uid: u32,
    pub flags: u64,
    pub modseq: u64,
    pub stored: u64,
    pub size: u32,
    pub received: Received,
}

impl Line {
    pub fn is_unseen(&self) -> bool {
        self.flags & flag::SEEN == 0
    }
}

/// What a person's copy needs for the ledger's `deliver`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrived {
    pub seq: u64,
    pub instance: InstanceId,
    pub tenant: TenantId,
    pub user: UserId,
    pub message: MessageId,
    pub bytes: u64,
    pub verdict: Verdict,
    pub at_ms: u64,
}

impl Arrived {
    /// Nothing came: mail went, and the ledger is told that the tables changed.
    pub fn mark(seq: u64, at_ms: u64) -> Self {
        let (instance, tenant) = (InstanceId([0; 6]), TenantId([0; 8]));
        let (user, message) = (UserId([0; 8]), MessageId([0; 16]));
        let (bytes, verdict) = (0, Verdict::Deliver);
        Self { seq, instance, tenant, user, message, bytes, verdict, at_ms }
    }

    pub fn is_mark(&self) -> bool {
        self.user == UserId([0; 8]) && self.message == MessageId([0; 16])
    }
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Held {
    pub tenant: TenantId,
    pub user: UserId,
    pub message: MessageId,
    pub stored: u64,
    pub at_ms: u64,
    pub expires_ms: u64,
    pub reasons: Vec<String>,
}

#[derive(Clone, Serialize, Deserialize)]
pub enum Entry {
    /// A mailbox is made, with its special folders; told again, only its quota changes.
    Person {
        tenant: TenantId,
        user: UserId,
        quota_bytes: u64,
        uid_validity: u32,
    },
    Folder {
        user: UserId,
        folder: u32,
        name: Vec<u8>,
        uid_validity: u32,
    },
    Named {
        user: UserId,
        folder: u32,
        name: Vec<u8>,
    },
    Keywords {
        user: UserId,
        folder: u32,
        names: Vec<u8>,
    },
    Subscribed {
        user: UserId,
        folder: u32,
        subscribed: bool,
    },
    /// The folder and its lines are gone.
    Gone {
        user: UserId,
        folder: u32,
    },
    /// Bytes with one reference, which belongs to the next `Listed` (fresh) or `Held`.
    Stored(Stored),
    /// Lines enter a folder. `fresh`: the reference is already counted.
    Listed {
        user: UserId,
        folder: u32,
        lines: Vec<Line>,
        fresh: bool,
    },
    /// `unseen`: by how much the count of unseen messages changes.
    Flags {
        user: UserId,
        folder: u32,
        modseq: u64,
        flags: Vec<(u32, u64)>,
        unseen: i64,
    },
    Expunged {
        user: UserId,
        folder: u32,
        modseq: u64,
        lines: Vec<Line>,
    },
    Held(Held),
    /// A message left quarantine: into a folder (its reference goes along), or for good.
    Freed {
        user: UserId,
        message: MessageId,
        stored: u64,
        dropped: bool,
    },
    /// Compaction: a part lies elsewhere now.
    Moved {
        stored: u64,
        part: u8,
        to: At,
    },
    Journey(Journey),
    Arrived(Arrived),
    /// The ledger has taken all arrivals before this number.
    Forwarded {
        before: u64,
    },
    /// Everything of these people is gone; `whole`: and every journey of their tenant.
    Erased {
        tenant: TenantId,
        users: Vec<UserId>,
        whole: bool,
    },
    /// This person got this message from a `depart`, and gets it no second time.
    Once {
        user: UserId,
        message: MessageId,
        at_ms: u64,
    },
    /// What the tables know of the entries that tell of them.
    Noted(Runs),
    /// Every folder's numbers count anew, under a UIDVALIDITY above all that was: this and the
    /// folder's number.
    Renumbered {
        above: u32,
    },
}

impl Entry {
    /// Whether mail goes by it.
    pub fn lets_go(&self) -> bool {
        matches!(
            self,
            Self::Expunged { .. } | Self::Gone { .. } | Self::Freed { .. } | Self::Erased { .. }
        )
    }

    /// Whose mailbox it changes, and which folder of it.
    pub fn concerns(&self) -> Option<(UserId, Option<u32>)> {
        match self {
            Self::Person { user, .. } => Some((*user, None)),
            Self::Folder { user, folder, .. }
            | Self::Named { user, folder, .. }
            | Self::Keywords { user, folder, .. }
            | Self::Subscribed { user, folder, .. }
            | Self::Gone { user, folder }
            | Self::Listed { user, folder, .. }
            | Self::Flags { user, folder, .. }
            | Self::Expunged { user, folder, .. } => Some((*user, Some(*folder))),
            _ => None,
        }
    }
}
