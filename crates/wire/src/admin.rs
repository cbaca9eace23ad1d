//! The command line and `admin`: one JSON line in, one JSON line out, over `DIR/admin.sock`.

use serde::{Deserialize, Serialize};

/// A request as the command line sends it (JSON, one line, at most [`REQUEST_BYTES`]).
#[derive(Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Request {
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
    DomainCheck {
        domain: String,
    },
    UserAdd {
        address: String,
        tenant: String,
        role: Option<String>,
        #[serde(default)]
        aliases: Vec<String>,
        /// Only in the demo.
        password: Option<String>,
    },
    UserList {
        tenant: Option<String>,
    },
    UserDisable {
        address: String,
        /// `false`: they are let in again.
        disabled: bool,
    },
    UserReset {
        address: String,
    },
    AppPasswordAdd {
        address: String,
        protocol: String,
        device: Option<String>,
        /// Only in the demo: 16 octets, hexadecimal.
        secret_seed: Option<String>,
    },
    AppPasswordRevoke {
        id: String,
    },
    Trace {
        query: String,
    },
    QuarantineList,
    QuarantineShow {
        id: String,
    },
    QuarantineRelease {
        id: String,
    },
    Authority,
    Status,
    /// A tenant's decoy: a mailbox that nobody has, a credential that nobody uses.
    DecoyAdd {
        address: String,
        tenant: String,
    },
    /// `address`, `tenant` or `component`: one of them.
    Freeze {
        address: Option<String>,
        tenant: Option<String>,
        component: Option<String>,
        frozen: bool,
    },
    FreezeList,
    Isolate {
        component: String,
        isolated: bool,
    },
}

/// The answer (JSON, one line).
#[derive(Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Response {
    Done { value: String },
    Refused { expected: String, found: String, hint: String },
    Fault { what: String },
}

/// A request line's limit: the longest address list that a person would type.
pub const REQUEST_BYTES: usize = 64 * 1024;
