//! Questions to the vault. Nothing is released without a proof that it is recorded.

use crate::directory::PublicKey;
use crate::ledger::Proof;
use serde::{Deserialize, Serialize};
use terms::{GrantId, InstanceId, MessageId, TenantId, UserId};

/// People asked about in one question: sixteen octets each, well within a frame.
pub const PEOPLE_AT_ONCE: usize = 2_000;

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
    /// The public key that this tenant's outgoing mail is sealed to today; answered by `Transit`.
    Transit(TenantId),
    /// Sign a [`crate::directory::Sending`] (postcard). Its transit key must be today's.
    SignSending(Vec<u8>),
    /// Sign a statement (postcard of `directory::Statement`). `NeedsChange`: others stood behind
    /// this address before, and the vault wants the change recorded first.
    Sign(Vec<u8>),
    /// The key of directory rows and keyed hashes; once per start, recorded.
    PolicyKey,
    /// Sign a statement that says something new of its address, with the proof that a
    /// `rule.change` of these very words stands in the ledger.
    SignChanged {
        statement: Vec<u8>,
        change: Proven,
    },
    /// The end of a contract: shredding and holds, and no other act. Answered as `admin` is.
    End(KeyAct),
    /// Answered as `admin` is, by `Keys` and `BackupEpochs`.
    EndedKeys(TenantId),
    BackupEpochs,
    /// Whose keys are not there, of these people: `Done`, or `Without`. Not of whom they were
    /// destroyed. At most [`PEOPLE_AT_ONCE`].
    WhoIsWithout(Vec<(TenantId, UserId)>),
    /// Whether somebody stood behind an address of this tenant's before: `Done` if nobody ever
    /// did, or `HasStood`.
    HasStood {
        tenant: TenantId,
        address: String,
    },
    /// Who of several people behind an address may write as it: these and nobody else. `Done`, or
    /// `NeedsChange` where some of them could not before: then with the proof that it stands in
    /// the ledger.
    Speakers {
        tenant: TenantId,
        address: String,
        speakers: Vec<UserId>,
        change: Option<Proven>,
    },
    /// As `SignSending`, of an address that these may write as.
    SignSendingAs {
        sending: Vec<u8>,
        speakers: Vec<UserId>,
    },
}

/// An entry that its author shows the vault: signed, with its place and the cosigned checkpoint
/// under which it is proven. For `SignChanged` a `rule.change` whose `what` is the word that
/// `NeedsChange` named, which serves once; for `Grant` the `grant` of these very words.
#[derive(Clone, Serialize, Deserialize)]
pub struct Proven {
    pub entry: Vec<u8>,
    pub proof: Proof,
    pub checkpoint: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
pub enum ToDirectory {
    Done,
    Keys {
        body: PublicKey,
        summary: PublicKey,
    },
    Transit(PublicKey),
    Signature(Vec<u8>),
    Key(Vec<u8>),
    Refused(String),
    EvidenceAway,
    /// These have no keys, and never had any here: their mail would open for nobody.
    Without(Vec<(TenantId, UserId)>),
    /// It was somebody's, and may be no longer.
    HasStood,
    /// Record a `rule.change` whose `what` is this word, with its proof, then `SignChanged`.
    NeedsChange {
        what: String,
    },
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
    /// A grant minted, and the proof that it stands in the ledger.
    Grant {
        grant: Grant,
        recorded: Proven,
    },
    Revoke(GrantId),
    /// What two persons agreed to, shredding excepted. Answered as `admin` is.
    Act(KeyAct),
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
    /// No ledger or no mirror, or the tenant is sealed, or somebody is frozen: nothing is released
    /// now.
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
    /// Keys of this person, or of all of their tenant, are sealed or frozen: the session goes on.
    Stopped,
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
    /// An act upon keys that one person may do: recorded with its proof first, then carried out,
    /// then answered. Those for two come from `identity`.
    Act(KeyAct),
    /// The keys of one tenant, or of every tenant, without their people's.
    Keys {
        tenant: Option<TenantId>,
    },
    BackupEpochs,
    /// A tenant's sign-in to one smart host: recorded first, then kept; the one before it for that
    /// host is destroyed. Answered by `Acted`.
    SetCredential {
        tenant: TenantId,
        credential: Credential,
    },
    /// All that the tenant has are destroyed. Answered by `Acted`.
    ForgetCredentials(TenantId),
    /// Which there are; never a password.
    Credentials(TenantId),
}

/// A tenant's sign-in to one smart host. The vault alone keeps it, and lends it for one session.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credential {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
}

/// What may be shown of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialShown {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub set_ms: u64,
}

/// For what a credential is lent: bound into what the vault answers.
pub fn purpose(host: &str, port: u16) -> String {
    format!("smart-host {host} {port}")
}

/// What can be done to keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyAct {
    /// Destroys the tenant's key and every key under it: nothing of its mail opens ever again. A
    /// new backup epoch begins with it. Refused under a hold.
    ShredTenant {
        tenant: TenantId,
    },
    /// The same for one person.
    ShredUser {
        tenant: TenantId,
        user: UserId,
    },
    /// The tenant's keys leave memory; mail arrives, reading is unavailable.
    SealTenant {
        tenant: TenantId,
    },
    UnsealTenant {
        tenant: TenantId,
    },
    /// Nothing of the tenant (or the person) may be shredded while a hold stands.
    Hold {
        tenant: TenantId,
        user: Option<UserId>,
        on: bool,
    },
    /// Bodies are not touched by any rotation.
    Rotate(Rotation),
    /// Grants and releases stop at once, before the record; for the sentinel, too.
    Freeze(Freeze),
    /// Key backups from now on are sealed under another key.
    StartBackupEpoch,
    /// The key of an epoch that has ended exists nowhere any more: whoever destroyed it says so.
    /// Not taken for an epoch whose key is known: see the next two.
    EpochDestroyed {
        epoch: u32,
    },
    /// The same from whoever had that key in hand: the witness is made from the key alone.
    EpochKeyDestroyed {
        epoch: u32,
        witness: [u8; 32],
    },
    /// The key of an epoch that has ended is nowhere to be shown: lost, or destroyed by other
    /// means. It is a word, so it takes two.
    EpochGone {
        epoch: u32,
    },
}

impl KeyAct {
    /// What protects (a hold, a freeze) and what belongs to a destruction may be done by one.
    pub fn needs_two(&self) -> bool {
        match self {
            Self::Hold { on, .. } | Self::Freeze(Freeze { on, .. }) => !on,
            Self::StartBackupEpoch
            | Self::EpochDestroyed { .. }
            | Self::EpochKeyDestroyed { .. } => false,
            Self::EpochGone { .. }
            | Self::ShredTenant { .. }
            | Self::ShredUser { .. }
            | Self::SealTenant { .. }
            | Self::UnsealTenant { .. }
            | Self::Rotate(_) => true,
        }
    }

    /// Its name in requests and lists.
    pub fn word(&self) -> &'static str {
        match self {
            Self::ShredTenant { .. } => "keys.shred-tenant",
            Self::ShredUser { .. } => "keys.shred-user",
            Self::SealTenant { .. } => "keys.seal",
            Self::UnsealTenant { .. } => "keys.unseal",
            Self::Hold { on: true, .. } => "keys.hold",
            Self::Hold { on: false, .. } => "keys.release-hold",
            Self::Rotate(Rotation::Root) => "keys.rotate-root",
            Self::Rotate(Rotation::Tenant { .. }) => "keys.rotate-tenant",
            Self::Rotate(Rotation::User { .. }) => "keys.rotate-user",
            Self::Rotate(Rotation::Pairs { .. }) => "keys.rotate-pairs",
            Self::Freeze(Freeze { on: true, .. }) => "keys.freeze",
            Self::Freeze(Freeze { on: false, .. }) => "keys.thaw",
            Self::StartBackupEpoch => "keys.epoch-start",
            Self::EpochDestroyed { .. } | Self::EpochKeyDestroyed { .. } => "keys.epoch-destroyed",
            Self::EpochGone { .. } => "keys.epoch-gone",
        }
    }

    /// Whom it concerns; nobody: the whole house.
    pub fn about(&self) -> (Option<TenantId>, Option<UserId>) {
        match *self {
            Self::ShredTenant { tenant }
            | Self::SealTenant { tenant }
            | Self::UnsealTenant { tenant }
            | Self::Rotate(Rotation::Tenant { tenant }) => (Some(tenant), None),
            Self::ShredUser { tenant, user }
            | Self::Rotate(Rotation::User { tenant, user } | Rotation::Pairs { tenant, user }) => {
                (Some(tenant), Some(user))
            }
            Self::Hold { tenant, user, .. } => (Some(tenant), user),
            Self::Freeze(Freeze { tenant, user, .. }) => (tenant, user),
            Self::Rotate(Rotation::Root)
            | Self::StartBackupEpoch
            | Self::EpochDestroyed { .. }
            | Self::EpochKeyDestroyed { .. }
            | Self::EpochGone { .. } => (None, None),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rotation {
    /// The key that wraps the tenants' keys. The credential that unseals it stays.
    Root,
    /// The tenant's next epoch: its people's keys are wrapped anew.
    Tenant { tenant: TenantId },
    /// A person's key: the pairs under it are wrapped anew.
    User { tenant: TenantId, user: UserId },
    /// Mail is sealed to new pairs from now on; the old ones open what came before.
    Pairs { tenant: TenantId, user: UserId },
}

/// Whose releases stop, or may go on (`on` is false). At least one of the three is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Freeze {
    pub on: bool,
    pub tenant: Option<TenantId>,
    pub user: Option<UserId>,
    /// One process: its grants end.
    pub instance: Option<InstanceId>,
}

#[derive(Serialize, Deserialize)]
pub enum ToAdmin {
    Status {
        releases: u64,
        live_grants: u64,
        evidence: bool,
        statement_key: [u8; 32],
    },
    Acted(Acted),
    Keys(Vec<TenantKeys>),
    BackupEpochs(Vec<BackupEpoch>),
    Credentials(Vec<CredentialShown>),
    /// A hold stands, there is no such key, …
    Refused {
        expected: String,
        found: String,
        hint: String,
    },
    /// Not recorded, so not done; or recorded too late for this answer: ask again.
    EvidenceAway,
}

/// An act that is recorded and done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acted {
    /// The entry's place in the ledger; the proof is the ledger's to give.
    pub entry: u64,
    /// When it was done, milliseconds since 1970.
    pub at_ms: u64,
    /// Keys that were destroyed, or wrapped anew.
    pub keys: u64,
    /// Of a shredding: no copy can open anything after this moment. `None` while the key of a
    /// backup epoch that had these keys is not said to be destroyed.
    pub last_openable_ms: Option<u64>,
    /// Epochs whose keys must be destroyed for that (`EpochDestroyed`).
    pub epochs_to_destroy: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantKeys {
    pub tenant: TenantId,
    pub epoch: u32,
    pub users: u64,
    pub pairs: u64,
    /// Sign-ins to smart hosts.
    pub credentials: u64,
    pub sealed: bool,
    /// What is held: the whole tenant (`None`), and who of it.
    pub held: Vec<Option<UserId>>,
    /// Shredded at this moment: `users` and `pairs` are 0 then.
    pub shredded_ms: Option<u64>,
}

/// The time in which key backups were sealed under one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupEpoch {
    pub epoch: u32,
    pub started_ms: u64,
    pub ended_ms: Option<u64>,
    pub destroyed_ms: Option<u64>,
}

/// From `post`: what a `depart` may open is what it was handed, and only for so long.
#[derive(Serialize, Deserialize)]
pub enum FromPost {
    /// That instance has these messages in hand now, and nothing it had before. Answered by
    /// `Noted`: only then is the batch given to it.
    Handed { instance: InstanceId, tenant: TenantId, messages: Vec<(UserId, MessageId)> },
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToPost {
    Noted,
}

/// From `depart`.
#[derive(Serialize, Deserialize)]
pub enum FromDepart {
    /// Begin a batch of this tenant. `session`: an ephemeral public key (`open` encoding);
    /// answered by `Opened`.
    Open { tenant: TenantId, session: Vec<u8> },
    /// Keys of what is in hand, under the grant that `Opened` named; recorded and proven first.
    Release { grant: GrantId, items: Vec<TransitItem> },
    /// The sign-in to this host, for one session with it, under the same grant; recorded and proven
    /// first. Answered by `Lent`.
    Credential { grant: GrantId, host: String, port: u16 },
}

/// One wrapped key of a message on its way: wrapped to the tenant's transit pair, in its sender's
/// name.
#[derive(Clone, Serialize, Deserialize)]
pub struct TransitItem {
    pub user: UserId,
    pub message: MessageId,
    /// `Summary`: the envelope.
    pub class: Class,
    pub epoch: u32,
    pub wrapped: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
pub enum ToDepart {
    /// `transit`: the tenant's public key of today, for the envelope of whoever is left to try.
    Opened {
        grant: GrantId,
        enc: Vec<u8>,
        transit: PublicKey,
    },
    /// In the order asked; `None` where a wrapped key did not open.
    Released(Vec<Option<Vec<u8>>>),
    /// No ledger or no mirror, or the tenant is sealed, or somebody is frozen.
    EvidenceAway,
    Refused(Refusal),
    /// A [`Credential`] (postcard), sealed to the session for [`purpose`]; `None`: the tenant has
    /// none for that host.
    Lent(Option<Vec<u8>>),
}
