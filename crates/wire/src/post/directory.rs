//! What the directory asks of the queue: letters, endings, and a person's word about what is held.

use super::Outgoing;
use serde::{Deserialize, Serialize};
use terms::{MessageId, TenantId, UserId};

/// From `directory`.
#[derive(Serialize, Deserialize)]
pub enum FromDirectory {
    /// A letter about a list. Answered as [`FromSender::Queue`](super::FromSender::Queue) is, by a
    /// [`ToSender`](super::ToSender).
    Queue(Box<Outgoing>),
    /// Does this still wait for its person's word? Answered, as the next two, by a
    /// [`ToDirectory`].
    Waits(Awaited),
    /// Its person says that it is theirs: it leaves.
    Release(Awaited),
    /// Its person says that it is not: it does not leave.
    Cancel(Awaited),
    /// The end of what these people have in the queue, or of all that a tenant has.
    Erase { tenant: TenantId, users: Vec<UserId>, whole: bool },
    /// Have everything that is dead leave the disk. Asked until nothing is left.
    Sweep,
    /// A reader complained, provably, about mail that this person sent. Answered by `Yes`.
    Complained { user: UserId },
    /// How many messages of this person's wait for somebody's word?
    StillHeld { tenant: TenantId, user: UserId },
    /// What an erasure would erase. Nothing changes.
    Count { tenant: TenantId, users: Vec<UserId>, whole: bool },
}

/// A message that waits for its person's word. It counts for exactly this hold: whoever holds it
/// anew has taken it out of the person's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaited {
    pub tenant: TenantId,
    pub user: UserId,
    pub message: MessageId,
    /// The hold's end, in whole seconds since 1970.
    pub until_s: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToDirectory {
    /// It waits; or it is done, and durable.
    Yes,
    /// It does not wait (any more), or is not theirs.
    No,
    Fault,
    /// Staged and durable: so much waited.
    Erased {
        messages: u64,
        bytes: u64,
    },
    /// Whether octets that were dead still lie on the disk.
    Swept {
        left: bool,
    },
    StillHeld(u32),
    Counted {
        messages: u64,
        bytes: u64,
    },
}
