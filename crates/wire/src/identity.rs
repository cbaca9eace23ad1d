//! Questions to `identity`.

use serde::{Deserialize, Serialize};
use terms::{GrantId, TenantId, UserId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Protocol {
    Imap,
    Pop3,
    Smtp,
}

impl Protocol {
    pub fn word(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Smtp => "smtp",
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
    /// Channels to vault and mailbox follow over the control channel (`Order::Join`).
    Welcome {
        tenant: TenantId,
        user: UserId,
        grant: GrantId,
        ends_ms: u64,
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
    /// Their grants end and no new one is minted, until an operator lifts it.
    Freeze(Whose),
    /// Which people are nobody.
    Decoys,
}

#[derive(Serialize, Deserialize)]
pub enum ToSentinel {
    Done,
    Decoys(Vec<(TenantId, UserId)>),
    Fault(String),
}

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
    /// `user reset`: a new digest; recorded.
    PersonReset {
        user: UserId,
        salt: Vec<u8>,
        digest: Vec<u8>,
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
    },
    AppPasswordList {
        user: UserId,
    },
    AppPasswordRevoke {
        key: String,
    },
    /// From now on this person is a decoy: whoever comes in their name is an intruder.
    Decoy {
        user: UserId,
    },
    Freeze {
        whose: Whose,
        /// `false`: the freeze is lifted.
        frozen: bool,
    },
    Frozen,
}

#[derive(Serialize, Deserialize)]
pub enum ToAdmin {
    Done {
        weakened: Option<String>,
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
