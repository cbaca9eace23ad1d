//! Questions to the vault. Nothing is released without a proof that it is recorded.

use crate::directory::PublicKey;
use serde::{Deserialize, Serialize};
use terms::{GrantId, InstanceId, MessageId, TenantId, UserId};

/// From `directory`.
#[derive(Serialize, Deserialize)]
pub enum FromDirectory {
    MakeTenant(TenantId),
    MakeUser {
        tenant: TenantId,
        user: UserId,
    },
    /// The public keys that mail for this person is sealed to now (rotated when due).
    Current {
        tenant: TenantId,
        user: UserId,
    },
    /// Sign a statement (postcard of `directory::Statement`).
    Sign(Vec<u8>),
    /// The key of directory rows and keyed hashes; once per start, recorded.
    PolicyKey,
}

#[derive(Serialize, Deserialize)]
pub enum ToDirectory {
    Done,
    Keys { body: PublicKey, summary: PublicKey },
    Signature(Vec<u8>),
    Key(Vec<u8>),
    Refused(String),
    EvidenceAway,
}

/// From `identity`.
#[derive(Serialize, Deserialize)]
pub enum FromIdentity {
    /// The verifier to store for a secret's digest.
    Digest {
        purpose: String,
        digest: Vec<u8>,
    },
    /// Whether `digest` makes `verifier`, in constant time.
    Compare {
        purpose: String,
        digest: Vec<u8>,
        verifier: Vec<u8>,
    },
    /// Key of identity's table; once per start, recorded.
    TableKey,
    /// A grant minted; recorded by `identity` before.
    Grant(Grant),
    Revoke(GrantId),
}

#[derive(Serialize, Deserialize)]
pub enum ToIdentity {
    Verifier(Vec<u8>),
    Same(bool),
    Key(Vec<u8>),
    Done,
    Refused(String),
    EvidenceAway,
}

/// Permission to open, for one instance and one person.
#[derive(Clone, Serialize, Deserialize)]
pub struct Grant {
    pub grant: GrantId,
    pub tenant: TenantId,
    pub user: UserId,
    pub instance: InstanceId,
    pub bodies: bool,
    pub summaries: bool,
    /// At most 15 minutes ahead.
    pub expires_ms: u64,
    /// The session's ephemeral public key (`open` encoding); releases are sealed to it.
    pub session: Vec<u8>,
}

/// From `access`, over a channel labelled with its person.
#[derive(Serialize, Deserialize)]
pub enum FromAccess {
    /// Begin (or renew) with a grant; answered by `Opened`.
    Open(GrantId),
    Release {
        grant: GrantId,
        class: Class,
        items: Vec<Item>,
    },
    /// The person's public keys, to seal what they append.
    Current,
}

/// A part of a message, released apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Class {
    Summary,
    Body,
}

/// One wrapped key to be opened and wrapped anew for the session.
#[derive(Clone, Serialize, Deserialize)]
pub struct Item {
    pub message: MessageId,
    pub epoch: u32,
    pub wrapped: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
pub enum ToAccess {
    /// The encapsulated key of the grant's one HPKE context.
    Opened {
        enc: Vec<u8>,
    },
    /// In the order asked; `None` where a wrapped key did not open.
    Released(Vec<Option<Vec<u8>>>),
    Keys {
        body: PublicKey,
        summary: PublicKey,
    },
    /// No ledger or no mirror: nothing is released now.
    EvidenceAway,
    /// No such grant, run out, over budget, someone else's.
    Refused(Refusal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    NoGrant,
    Expired,
    NotYours,
    Budget,
}

/// From `signer`: once per start, recorded.
#[derive(Serialize, Deserialize)]
pub enum FromSigner {
    StorageKey,
}

#[derive(Serialize, Deserialize)]
pub enum ToSigner {
    /// The storage key; in the demo also the seed of its authority's key.
    Key {
        storage: Vec<u8>,
        demo_seed: Option<Vec<u8>>,
    },
    EvidenceAway,
}

/// From `mailbox`, `gate`: none. From `admin`.
#[derive(Serialize, Deserialize)]
pub enum FromAdmin {
    Status,
}

#[derive(Serialize, Deserialize)]
pub enum ToAdmin {
    Status { releases: u64, live_grants: u64, evidence: bool, statement_key: [u8; 32] },
}
