//! Questions to `directory`, and the statements that it answers with.

use serde::{Deserialize, Serialize};
use terms::{TenantId, UserId};

/// From `edge`: one address at a time, and no list.
#[derive(Serialize, Deserialize)]
pub enum FromEdge {
    /// `local@domain`, domain in lower case A-label form.
    Address(String),
    /// Keyed hashes for `trace`, in the order given.
    Tokens { tenant: TenantId, digests: Vec<[u8; 32]> },
    /// How long ago was this first seen? The digest says who tries what; kept as a keyed hash.
    FirstSeen { tenant: TenantId, digest: [u8; 32] },
}

#[derive(Serialize, Deserialize)]
pub enum ToEdge {
    Stated(Stated),
    Tokens(Vec<[u8; 16]>),
    /// Milliseconds since the first time; `None`: nobody can say now.
    FirstSeen(Option<u64>),
}

#[derive(Serialize, Deserialize)]
pub enum Stated {
    /// A [`Statement`] (postcard) and the vault's signature over it.
    Known { statement: Vec<u8>, signature: Vec<u8> },
    /// The domain is ours, the address is nobody's.
    Unknown,
    /// Not our domain: no relay.
    Foreign,
    /// No valid statement now: 451.
    Later,
}

/// What the vault signs: who an address is, and under which keys mail for it is sealed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    pub address: String,
    pub tenant: TenantId,
    pub recipients: Vec<Recipient>,
    pub settings: TenantSettings,
    /// Milliseconds since 1970.
    pub issued_ms: u64,
    pub valid_until_ms: u64,
}

/// Separates statements from everything else that is ever signed.
pub const STATEMENT_DOMAIN: &[u8] = b"sekisho statement v1\0";

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipient {
    pub user: UserId,
    pub body: PublicKey,
    pub summary: PublicKey,
}

/// A public key to seal to. Its epoch says which private half opens.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PublicKey {
    pub suite: u8,
    /// Body pairs: the year. Summary pairs: year × 12 + month.
    pub epoch: u32,
    pub bytes: Vec<u8>,
}

/// The tenant's say in judgement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TenantSettings {
    pub tag_from: f32,
    pub junk_from: f32,
    pub quarantine_from: f32,
    pub refuse_from: f32,
    pub obey_dmarc: bool,
    /// A client, sender and recipient that were never seen together are asked to come again.
    pub greylist: bool,
    /// Domains whose ARC seals are believed, in lower case A-label form.
    pub trusted_sealers: Vec<String>,
}

/// Sealers that one tenant may believe.
pub const TRUSTED_SEALERS: usize = 50;

impl Default for TenantSettings {
    fn default() -> Self {
        Self {
            tag_from: 4.0,
            junk_from: 6.0,
            quarantine_from: 10.0,
            refuse_from: 20.0,
            obey_dmarc: true,
            greylist: false,
            trusted_sealers: Vec::new(),
        }
    }
}

/// From `identity`.
#[derive(Serialize, Deserialize)]
pub enum FromIdentity {
    Person(String),
}

#[derive(Serialize, Deserialize)]
pub enum ToIdentity {
    Person(Option<(TenantId, UserId)>),
}

/// From `admin`. Each change is recorded before it counts.
#[derive(Serialize, Deserialize)]
pub enum FromAdmin {
    TenantAdd {
        name: String,
    },
    TenantList,
    TenantShow {
        name: String,
    },
    DomainAdd {
        domain: String,
        tenant: String,
    },
    DomainList {
        tenant: Option<String>,
    },
    UserAdd {
        address: String,
        tenant: String,
        role: String,
        aliases: Vec<String>,
    },
    UserList {
        tenant: Option<String>,
    },
    UserDisable {
        address: String,
        disabled: bool,
    },
    UserFind {
        address: String,
    },
    /// For rendering traces and quarantine lists.
    Names {
        users: Vec<UserId>,
    },
    /// Keyed hashes of what a `trace` looks for, in every tenant.
    TraceTokens {
        digests: Vec<[u8; 32]>,
    },
    TenantSet {
        name: String,
        change: TenantChange,
    },
}

/// What is to change of a tenant's settings; what is `None` stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TenantChange {
    pub obey_dmarc: Option<bool>,
    pub greylist: Option<bool>,
    /// Sealers to believe from now on, and those no longer believed.
    pub trust_sealers: Vec<String>,
    pub distrust_sealers: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub enum ToAdmin {
    Tenant(Tenant),
    Tenants(Vec<Tenant>),
    Domain(Domain),
    Domains(Vec<Domain>),
    User(User),
    Users(Vec<User>),
    Names(Vec<Option<String>>),
    TraceTokens(Vec<[u8; 16]>),
    Done,
    Refused { expected: String, found: String, hint: String },
    Fault(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tenant {
    pub tenant: TenantId,
    pub name: String,
    pub domains: u32,
    pub users: u32,
    pub settings: TenantSettings,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Domain {
    pub domain: String,
    pub tenant: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    pub user: UserId,
    pub tenant_id: TenantId,
    pub tenant: String,
    pub address: String,
    pub role: String,
    pub aliases: Vec<String>,
    pub disabled: bool,
}
