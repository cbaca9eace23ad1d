//! Questions to the keeper of mail. It sees ciphertext, sizes, times, flags and numbers.

use crate::Parcel;
use crate::reports::Sent;
use serde::{Deserialize, Serialize};
use terms::{FolderId, InstanceId, MessageId, Received, TenantId, UserId, Verdict};

/// One part of one copy: its wrapped key and its ciphertext.
#[derive(Clone, Serialize, Deserialize)]
pub struct SealedPart {
    /// Epoch of the public key it is wrapped to.
    pub epoch: u32,
    pub wrapped: Vec<u8>,
    pub content: Parcel,
}

/// Where a new copy goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    Inbox,
    Junk,
    /// Not in IMAP; readable after release.
    Quarantine {
        expires_ms: u64,
    },
    /// Only for a person's own mail.
    Folder(FolderId),
}

/// One recipient's copy of one message.
#[derive(Clone, Serialize, Deserialize)]
pub struct Copy {
    pub tenant: TenantId,
    pub user: UserId,
    pub message: MessageId,
    pub place: Place,
    /// Octets of the message as it will be read (with the fields we put on top).
    pub size: u64,
    pub received_ms: u64,
    pub verdict: Verdict,
    pub summary: SealedPart,
    pub body: SealedPart,
}

/// Journeys that a dispatch tells at once.
pub const JOURNEYS: usize = 16;
/// Tokens of one journey, and digests that the directory takes in one question: every recipient
/// of a message is found by `trace`, and beside them what it says itself.
pub const TOKENS: usize = terms::RECIPIENTS + 64;

/// What `trace` will find of one arrival.
#[derive(Clone, Serialize, Deserialize)]
pub struct Journey {
    pub tenant: TenantId,
    pub message: MessageId,
    pub tokens: Vec<[u8; 16]>,
    pub at_ms: u64,
    pub state: State,
    pub verdict: Verdict,
    /// Finding ids.
    pub reasons: Vec<String>,
    pub recipients: Vec<UserId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Kept,
    Quarantined,
    Refused,
    /// Handed in by a person of this tenant: what has become of it the queue knows.
    Queued,
    /// Somebody else's mail that goes on: by a person's forward, or to a gateway's server.
    PassedOn,
}

/// From `edge`, and from `depart` for recipients of this house. A `dispatch` may tell of a journey
/// of its person's tenant, and keep no copy.
#[derive(Serialize, Deserialize)]
pub enum FromEdge {
    /// `more`: others of the same arrival follow, and nothing is kept before the last has come.
    /// Answered once, after the last, by `Kept`, `Full` or `Fault`.
    Keep { copies: Vec<Copy>, journeys: Vec<Journey>, more: bool },
    /// Is there room for so much for this person? Answered by `Room`.
    Room { user: UserId, bytes: u64 },
    /// Asked of a keeper that came back: had the one before it kept this copy? Answered by
    /// `HasKept`.
    HasKept { user: UserId, message: MessageId },
}

#[derive(Serialize, Deserialize)]
pub enum ToEdge {
    /// Durable.
    Kept,
    /// These people's quota is reached: nothing of the arrival was kept.
    OverQuota(Vec<UserId>),
    /// The disk: nothing was kept, try later.
    Full,
    Fault,
    Room(bool),
    HasKept(bool),
}

/// System flags as bits; keywords follow from bit 8 on, numbered per folder.
pub mod flag {
    pub const SEEN: u64 = 1;
    pub const ANSWERED: u64 = 2;
    pub const FLAGGED: u64 = 4;
    pub const DELETED: u64 = 8;
    pub const DRAFT: u64 = 16;
    pub const FIRST_KEYWORD: u32 = 8;
    pub const KEYWORDS: u32 = 56;
}

/// What a folder is for (RFC 6154).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpecialUse {
    Inbox,
    Drafts,
    Sent,
    Junk,
    Trash,
    Archive,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Folder {
    pub folder: FolderId,
    /// `None`: a folder made by the person; its name is `name`.
    pub special: Option<SpecialUse>,
    /// Sealed by the session (summary key); opaque here. Empty for special folders.
    pub name: Option<SealedPart>,
    /// Keyword names by bit, sealed; opaque here.
    pub keywords: Option<SealedPart>,
    pub subscribed: bool,
    pub uid_validity: u32,
    pub uid_next: u32,
    pub highest_modseq: u64,
    pub messages: u32,
    pub unseen: u32,
    pub recent: u32,
    pub bytes: u64,
}

/// One message of a folder as numbers: a folder may hold 100,000 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub uid: u32,
    pub flags: u64,
    pub modseq: u64,
    pub size: u32,
    pub received: Received,
}

/// From `access`, over a channel labelled with its person: whose mail is never in the frame.
#[derive(Serialize, Deserialize)]
pub enum FromAccess {
    Folders,
    /// All rows of a folder in uid order; `Rows`. `since`: only rows with a greater modseq.
    Rows {
        folder: FolderId,
        since: Option<u64>,
    },
    /// Sealed parts of messages; `Parts`, one frame per call, missing uids left out.
    Fetch {
        folder: FolderId,
        uids: Vec<u32>,
        class: crate::vault::Class,
    },
    /// Answered by `Stored` with the new rows; `unchanged_since`: others are left and named.
    Store {
        folder: FolderId,
        uids: Vec<u32>,
        add: u64,
        remove: u64,
        /// Flags become exactly `add`.
        replace: bool,
        unchanged_since: Option<u64>,
    },
    /// `uids: None`: every deleted one.
    Expunge {
        folder: FolderId,
        uids: Option<Vec<u32>>,
    },
    /// `zone_minutes`: how far east of UTC its date was said; none: where the house stands.
    Append {
        folder: FolderId,
        flags: u64,
        copy: Box<Copy>,
        zone_minutes: Option<i16>,
    },
    /// `keywords`: the keyword bits of the source and what they are in the target; a keyword that
    /// is not named is not taken along.
    CopyTo {
        folder: FolderId,
        uids: Vec<u32>,
        to: FolderId,
        remove: bool,
        keywords: Vec<(u8, u8)>,
    },
    Create {
        name: SealedPart,
    },
    Rename {
        folder: FolderId,
        name: SealedPart,
    },
    Delete {
        folder: FolderId,
    },
    /// `before`: the wrapped key of the list that this one continues (none: there was none). If
    /// another session was faster, the answer is `Outdated`.
    Keywords {
        folder: FolderId,
        names: SealedPart,
        before: Option<Vec<u8>>,
    },
    Subscribe {
        folder: FolderId,
        subscribed: bool,
    },
    Quota,
    /// Push `Changed` for this folder from now on (`None`: no more).
    Watch(Option<FolderId>),
    /// As `Watch`, by one who only looks: what is recent stays so for the next.
    Peek(FolderId),
    /// By a POP3 session, which alone may have the mailbox as a maildrop while it lives: taken, or
    /// given back. `Done`, or `InUse` while another session has it. Says nothing of IMAP.
    Maildrop {
        taken: bool,
    },
}

impl FromAccess {
    /// Whether nothing is changed by it.
    pub fn only_looks(&self) -> bool {
        match self {
            Self::Folders
            | Self::Rows { .. }
            | Self::Fetch { .. }
            | Self::Quota
            | Self::Watch(_)
            | Self::Peek(_)
            | Self::Maildrop { .. } => true,
            Self::Store { .. }
            | Self::Expunge { .. }
            | Self::Append { .. }
            | Self::CopyTo { .. }
            | Self::Create { .. }
            | Self::Rename { .. }
            | Self::Delete { .. }
            | Self::Keywords { .. }
            | Self::Subscribe { .. } => false,
        }
    }
}

#[derive(Serialize, Deserialize)]
pub enum ToAccess {
    Folders(Vec<Folder>),
    Rows {
        uid_validity: u32,
        uid_next: u32,
        highest_modseq: u64,
        rows: Vec<Row>,
    },
    Parts(Vec<(u32, MessageId, SealedPart)>),
    /// `changed` after the store; `skipped`: refused by `unchanged_since`.
    Stored {
        changed: Vec<Row>,
        skipped: Vec<u32>,
    },
    Expunged {
        uids: Vec<u32>,
        highest_modseq: u64,
    },
    Appended {
        uid_validity: u32,
        uid: u32,
    },
    /// Source uid and target uid, in order.
    Copied {
        uid_validity: u32,
        pairs: Vec<(u32, u32)>,
    },
    Made(FolderId),
    Quota {
        used_bytes: u64,
        limit_bytes: u64,
        used_messages: u64,
        limit_messages: u64,
    },
    Done,
    NoSuchFolder,
    OverQuota,
    Full,
    Fault,
    /// A push (call 0): something in the watched folder changed; ask `Rows` since what you know.
    Changed {
        folder: FolderId,
        expunged: Vec<u32>,
        highest_modseq: u64,
        messages: u32,
    },
    /// What was to be replaced is no longer what the session knew.
    Outdated,
    /// This session may look, and change nothing.
    ReadOnly,
    /// Another POP3 session of this person lives.
    InUse,
}

/// From `directory`, which alone may end a mailbox.
#[derive(Serialize, Deserialize)]
pub enum FromDirectory {
    /// Everything of these people (a hundred at most): folders, copies, quarantine, journeys;
    /// `whole`: and every other journey of the tenant.
    Erase { tenant: TenantId, users: Vec<UserId>, whole: bool },
    /// Whether dead bytes of what was erased still lie on the disk. Asked until they do not.
    Sweep,
    /// Which message of this tenant's left under this token, and in whose name?
    Sent { tenant: TenantId, token: [u8; 16] },
    /// Whether a message that left under this token went to one of these places, which are tokens,
    /// too.
    WentTo { tenant: TenantId, token: [u8; 16], places: Vec<[u8; 16]> },
    /// What an erasure of these people (a hundred at most) would erase. Nothing changes.
    Count { tenant: TenantId, users: Vec<UserId> },
}

#[derive(Serialize, Deserialize)]
pub enum ToDirectory {
    Erased { messages: u64, bytes: u64, rows: u64 },
    Swept { left: bool },
    Fault(String),
    Sent(Option<Sent>),
    WentTo(bool),
    Counted { messages: u64, bytes: u64, rows: u64 },
}

/// From `admin`.
#[derive(Serialize, Deserialize)]
pub enum FromAdmin {
    MakeUser {
        tenant: TenantId,
        user: UserId,
        quota_bytes: u64,
    },
    /// Journeys that carry one of these tokens, newest first; none: the newest of all.
    Trace {
        tokens: Vec<[u8; 16]>,
        limit: u32,
    },
    QuarantineList {
        tenant: Option<TenantId>,
    },
    QuarantineShow(MessageId, UserId),
    QuarantineRelease {
        message: MessageId,
        user: UserId,
    },
    Status,
    Quota {
        tenant: TenantId,
        user: UserId,
    },
    /// Whether the tables have what was recorded of them, and can be read.
    Standing,
    /// Those who decide know what they lack.
    Acknowledge,
}

#[derive(Serialize, Deserialize)]
pub enum ToAdmin {
    Done,
    Journeys(Vec<Journey>),
    Quarantine(Vec<Quarantined>),
    NoSuch,
    Status {
        users: u64,
        messages: u64,
        bytes: u64,
        pending_evidence: u64,
    },
    Fault(String),
    Quota {
        used_bytes: u64,
        limit_bytes: u64,
    },
    /// What they lack, in words; and whose mailboxes could not be read.
    Standing {
        lacks: Option<String>,
        damaged: Vec<UserId>,
    },
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Quarantined {
    pub message: MessageId,
    pub tenant: TenantId,
    pub user: UserId,
    pub at_ms: u64,
    pub expires_ms: u64,
    pub reasons: Vec<String>,
    /// Octets of the message as it will be read.
    pub size: u64,
    /// `None`: its bytes are gone, and it will be in a moment.
    pub verdict: Option<Verdict>,
}

/// Who handed a copy in, for the `deliver` entry: the label of the channel, never of the frame.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Delivered {
    pub instance: InstanceId,
    pub message: MessageId,
    pub user: UserId,
}
