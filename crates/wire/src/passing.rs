//! Where mail goes on, as the command line sets and shows it; for `directory`.

use crate::directory::SmartHost;
use serde::{Deserialize, Serialize};

/// What somebody tells those who write to them while they are away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbsenceTold {
    pub subject: String,
    pub text: String,
    /// Milliseconds since 1970; `None`: until they are back.
    pub until_ms: Option<u64>,
}

/// Where one person's mail goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    pub address: String,
    pub tenant: String,
    /// None: it is kept.
    pub to: Vec<String>,
    pub keep: bool,
    pub absence: Option<AbsenceTold>,
}

/// An address of several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub address: String,
    pub tenant: String,
    pub members: Vec<String>,
}

/// A domain whose mail goes to its tenant's own server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    pub domain: String,
    pub tenant: String,
    pub host: Option<SmartHost>,
    /// Recipients that are taken; `None`: all.
    pub recipients: Option<u64>,
    /// Names the list that is being told.
    pub sync_ms: u64,
}

/// An answer's subject and text, in octets.
pub const ABSENCE_SUBJECT_BYTES: usize = 200;
pub const ABSENCE_TEXT_BYTES: usize = 4_000;
/// Addresses in one page of a gateway's list.
pub const LIST_PAGE: usize = 500;
