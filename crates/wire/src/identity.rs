//! Questions to `identity`.

use crate::approval::{Act, Permission, Proof, Purpose, Request};
use serde::{Deserialize, Serialize};
use terms::{GrantId, RequestId, TenantId, UserId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Protocol {
    Imap,
    Pop3,
    Smtp,
    /// A pass for somebody else's reading over IMAP, under an approved request.
    Pass(Purpose),
}

impl Protocol {
    pub fn word(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Smtp => "smtp",
            Self::Pass(purpose) => purpose.word(),
        }
    }
}

/// From `access`.
#[derive(Serialize, Deserialize)]
pub enum FromAccess {
    /// An app password as typed. `session`: the public key that grants are bound to.
    SignIn { protocol: Protocol, name: String, secret: String, session: Vec<u8> },
    /// A fresh grant for the same session, while it lives.
    Renew { session: Vec<u8> },
}

#[derive(Serialize, Deserialize)]
pub enum ToAccess {
    /// Channels to vault and mailbox (to write: to `dispatch`) follow over the control channel
    /// (`Order::Join`).
    Welcome {
        tenant: TenantId,
        user: UserId,
        grant: GrantId,
        ends_ms: u64,
        /// A pass: the mailbox takes no change from this session.
        reads_only: bool,
    },
    Granted(GrantId),
    /// Wrong, unknown, disabled: the peer learns no more than that.
    Refused,
    /// Evidence or the vault is away: try later.
    Later,
}

/// Whose grants are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Whose {
    Person(TenantId, UserId),
    Tenant(TenantId),
    /// Everybody who comes in through a kind of compartment.
    Kind(terms::Kind),
}

/// From `sentinel`.
#[derive(Serialize, Deserialize)]
pub enum FromSentinel {
    /// Their grants end and no new one is minted, until an operator lifts it. `why`: a word for
    /// the entry.
    Freeze { whose: Whose, why: String },
    /// Which people are nobody.
    Decoys,
}

#[derive(Serialize, Deserialize)]
pub enum ToSentinel {
    Done,
    Decoys(Vec<(TenantId, UserId)>),
    Fault(String),
}

/// What is found where a pass to read a decoy's mailbox is asked for.
pub const A_DECOY: &str = "a decoy";

/// From `admin`.
#[derive(Serialize, Deserialize)]
pub enum FromAdmin {
    /// A new person with a first password: Argon2id digest and salt made by `admin`.
    PersonAdd {
        tenant: TenantId,
        user: UserId,
        address: String,
        salt: Vec<u8>,
        digest: Vec<u8>,
    },
    /// `user reset`: a new digest; recorded. An act for two.
    PersonReset {
        user: UserId,
        salt: Vec<u8>,
        digest: Vec<u8>,
        permission: Permission,
    },
    PersonDisable {
        user: UserId,
        disabled: bool,
    },
    /// `key`: the public part of the secret (its look-up id); `digest`: SHA-256 of the secret part.
    AppPasswordAdd {
        user: UserId,
        protocol: Protocol,
        device: String,
        key: String,
        digest: Vec<u8>,
        permission: Permission,
    },
    AppPasswordList {
        user: UserId,
    },
    AppPasswordRevoke {
        key: String,
    },
    /// Asks for an act that the directory does, or nobody but the asker.
    Carry {
        act: Act,
        permission: Permission,
    },
    /// A pass to read somebody's mail; `act` is an [`Act::Read`].
    PassAdd {
        act: Act,
        key: String,
        digest: Vec<u8>,
        permission: Permission,
    },
    /// The salt of a person's password; for unknown names a false one, always the same.
    Salt {
        address: String,
    },
    Requests,
    Request(RequestId),
    Agree {
        request: RequestId,
        proof: Proof,
    },
    Deny {
        request: RequestId,
        proof: Proof,
    },
    Mode,
    /// From now on two persons decide.
    TwoPersons,
    /// A person's own new password, against the old one.
    PasswordChange {
        proof: Proof,
        salt: Vec<u8>,
        digest: Vec<u8>,
    },
    /// From now on this person is a decoy: whoever comes in their name is an intruder.
    Decoy {
        user: UserId,
    },
    /// Lifted by [`Act::Thaw`].
    Freeze(Whose),
    Frozen,
}

#[derive(Serialize, Deserialize)]
pub enum ToAdmin {
    Done {
        weakened: Option<String>,
    },
    /// Not yet: this request waits for two persons.
    Pending(Box<Request>),
    /// What the directory answered.
    Carried {
        answer: Box<crate::directory::ToAdmin>,
        weakened: Option<String>,
    },
    /// What the vault answered.
    Acted {
        answer: Box<crate::vault::ToAdmin>,
        weakened: Option<String>,
    },
    Salt(Vec<u8>),
    Requests(Vec<Request>),
    Mode {
        two_persons: bool,
        /// Those who may approve what concerns the whole house.
        able: u32,
        open: u32,
    },
    AppPasswords(Vec<AppPassword>),
    Refused {
        expected: String,
        found: String,
        hint: String,
    },
    Fault(String),
    /// What is frozen, and since when.
    Frozen(Vec<(Whose, u64)>),
    /// As `Pending`, and fewer than two others may agree to it as things are: so many.
    PendingShort {
        request: Box<Request>,
        others: u32,
    },
}

#[derive(Clone, Serialize, Deserialize)]
pub struct AppPassword {
    pub key: String,
    pub protocol: Protocol,
    pub device: String,
    pub made_ms: u64,
    pub last_used_ms: Option<u64>,
    pub revoked: bool,
}
