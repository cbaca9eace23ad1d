//! Where mail goes on: what the vault signs of it, and how the command line sets and shows it.

use crate::directory::SmartHost;
use serde::{Deserialize, Serialize};
use terms::{TenantId, UserId};

/// One way on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onward {
    /// In whose name: the person who forwards; for a gateway's domain nobody of ours (all zero).
    pub user: UserId,
    pub to: String,
    pub hop: crate::post::Hop,
    pub path: Path,
}

/// The return path of what is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Path {
    /// As it came: the next server is the recipient's own.
    AsItCame,
    /// Rewritten (SRS), so that SPF holds there and a bounce finds its way back through here.
    Rewritten,
    /// None: this is a bounce on its way back. The address takes mail of the null sender only.
    Null,
    /// To whoever spreads a list's mail, which makes a return path for each member.
    List,
    /// Nowhere: the address is a word about a subscription ([`crate::lists::word`]).
    Word,
    /// Nowhere: nobody has the address, and reports of others are taken there
    /// ([`crate::reports::takes_reports`]). Only what they say is kept.
    Report,
}

/// Ways on of one address.
pub const ONWARD: usize = 100;

/// How the local part of a return path of ours begins (SRS), in the directory's spelling. No
/// person has such an address.
pub const WAY_BACK: &str = "srs0=";

/// What is answered while somebody is away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    pub user: UserId,
    pub subject: String,
    pub text: String,
}

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
    /// Who may write as it.
    pub writers: Vec<String>,
}

/// For whom a gateway's mail is taken. Stored, as it stood when it was a `bool`: the first two keep
/// their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Taken {
    /// For every address of the domain.
    Any,
    /// For recipients that were named to us.
    Listed,
    /// For those, and for whom the server itself says that it has.
    ListedOrChecked,
}

impl Taken {
    /// Whether mail for more names passes than under `before`.
    pub fn is_wider_than(self, before: Self) -> bool {
        let width = |taken| match taken {
            Self::Listed => 0,
            Self::ListedOrChecked => 1,
            Self::Any => 2,
        };
        width(self) > width(before)
    }
}

/// A domain whose mail goes to its tenant's own server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    pub domain: String,
    pub tenant: String,
    pub host: Option<SmartHost>,
    /// Recipients that are taken; `None`: all.
    pub recipients: Option<u64>,
    /// New ones are asked for at the server; so many of the recipients were found so.
    pub checked: Option<u64>,
    /// The list that is being told; else the last that was told to its end. The moment at which
    /// it began.
    pub sync_ms: Option<u64>,
    /// Recipients that are taken for a while only, and the first [`GRACES`] of them, those whose
    /// time is over first.
    pub in_grace: u64,
    pub grace: Vec<Grace>,
    /// Nobody of its tenant hears of mail that fails there.
    pub is_untold: bool,
    /// The list that was just told, to be asked for with a gateway.
    pub asked: Option<ListAsked>,
}

/// The list that a gateway is asked for with: how many, and which, by the directory's keyed hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListAsked {
    pub recipients: u64,
    pub digest: [u8; 16],
}

/// An address that the last list lacks and that is still taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grace {
    /// `None`: it was listed before addresses were kept for being shown.
    pub address: Option<String>,
    pub until_ms: u64,
    /// No list has named it: the server was asked, and has it.
    pub is_checked: bool,
}

/// As many as one frame takes with air.
pub const GRACES: u32 = 500;

/// An answer's subject and text, in octets.
pub const ABSENCE_SUBJECT_BYTES: usize = 200;
pub const ABSENCE_TEXT_BYTES: usize = 4_000;
/// Addresses in one page of a gateway's list.
pub const LIST_PAGE: usize = 500;

/// The address in whose name a domain's catch-all is stated. It is nobody's: no person's address
/// has a `*`.
pub fn catch_all(domain: &str) -> String {
    format!("*@{domain}")
}

/// What the name of a person's own mailbox begins with.
const OWN: &str = "own=";

/// The name of one person's own mailbox, wherever their addresses lead: whose it is stands in it.
/// No mail is written there, for no domain is called like this (RFC 6761 §6.4).
pub fn own_mailbox(tenant: TenantId, user: UserId) -> String {
    format!("{OWN}{user}@{tenant}.invalid")
}

/// Whether an address is the name of somebody's own mailbox.
pub fn is_own_mailbox(address: &str) -> bool {
    address.starts_with(OWN) && address.ends_with(".invalid")
}
