//! What needs two persons: the act, the request for it, who agreed.

use crate::directory::{SendingSettings, TenantSettings};
use crate::identity::{Protocol, Whose};
use crate::redirection::Redirection;
use crate::vault::KeyAct;
use serde::{Deserialize, Serialize};
use terms::{HoldId, Kind, RequestId, TenantId, UserId};

/// Persons who must agree.
pub const NEEDED: usize = 2;

/// What is to be done, whole: what was approved is exactly what is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Act {
    /// An app password for somebody else.
    AppPassword {
        tenant: TenantId,
        user: UserId,
        protocol: Protocol,
        device: String,
    },
    /// A new password for a person who has one: whoever makes it can read what is there.
    ResetPassword {
        tenant: TenantId,
        user: UserId,
    },
    /// A person who may approve.
    AddPerson {
        tenant: TenantId,
        address: String,
        role: String,
        aliases: Vec<String>,
    },
    /// Settings that protect less than those before.
    ChangeSettings {
        tenant: TenantId,
        settings: TenantSettings,
    },
    /// A person's mail, opened for another: a pass for one session, read only.
    Read {
        tenant: TenantId,
        user: UserId,
        purpose: Purpose,
        for_ms: u64,
    },
    /// The end of a contract: mail stays for `grace_ms`, then everything is destroyed.
    TerminateTenant {
        tenant: TenantId,
        grace_ms: u64,
    },
    /// The same for one person.
    TerminateUser {
        tenant: TenantId,
        user: UserId,
        grace_ms: u64,
    },
    LiftHold {
        tenant: TenantId,
        hold: HoldId,
    },
    /// Back to an installation where one person decides.
    SingleOperator,
    /// Whatever else is named by a word and bound by a digest of its details. Nothing asks for it
    /// now; requests of the version before are read as it.
    Other {
        what: String,
        tenant: Option<TenantId>,
        user: Option<UserId>,
        detail: [u8; 32],
    },
    /// Keys rotated, sealed, unsealed, released from a hold: the vault does it.
    Keys(KeyAct),
    /// A freeze is lifted.
    Thaw(Whose),
    /// More may leave than before, sooner or by another host.
    ChangeSending {
        tenant: TenantId,
        settings: SendingSettings,
    },
    /// Somebody's mail goes to others, or others speak in somebody's name.
    Redirect {
        tenant: TenantId,
        user: Option<UserId>,
        change: Box<Redirection>,
    },
    /// Whoever may approve is shut out, or let in again.
    Disable {
        tenant: TenantId,
        user: UserId,
        disabled: bool,
    },
    /// The house goes on without what a log lost: the checkpoint that does not stand any more.
    AcknowledgeLoss {
        whose: WhoseLog,
        size: u64,
        root: [u8; 32],
    },
    /// A compartment that was isolated is let in again.
    Rejoin(Kind),
}

/// Which log lost something, or whose tables are older than what was recorded of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WhoseLog {
    Ledger,
    Mirror,
    Both,
    /// Its size is the number of entries up to the newest that the directory has forgotten; 0 in
    /// an act: whichever that is.
    Directory,
    /// Likewise; its size is 0.
    Mailbox,
}

impl WhoseLog {
    pub const ALL: [Self; 5] =
        [Self::Ledger, Self::Mirror, Self::Both, Self::Directory, Self::Mailbox];

    /// As the evidence has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Mirror => "mirror",
            Self::Both => "both",
            Self::Directory => "directory",
            Self::Mailbox => "mailbox",
        }
    }
}

/// Why somebody else reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Purpose {
    Export,
    Case,
}

impl Purpose {
    pub fn word(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Case => "case",
        }
    }
}

impl Act {
    /// Its name in the ledger and in lists.
    pub fn word(&self) -> &str {
        match self {
            Self::AppPassword { .. } => "app-password.add",
            Self::ResetPassword { .. } => "person.reset",
            Self::AddPerson { .. } => "user.add",
            Self::ChangeSettings { .. } => "tenant.settings",
            Self::Read { purpose: Purpose::Export, .. } => "read.export",
            Self::Read { purpose: Purpose::Case, .. } => "read.case",
            Self::TerminateTenant { .. } => "tenant.terminate",
            Self::TerminateUser { .. } => "user.terminate",
            Self::LiftHold { .. } => "hold.lift",
            Self::SingleOperator => "approvals.single-operator",
            Self::Other { what, .. } => what,
            Self::Keys(act) => act.word(),
            Self::Thaw(_) => "freeze.lift",
            Self::ChangeSending { .. } => "tenant.sending",
            Self::Redirect { change, .. } => change.word(),
            Self::Disable { disabled: true, .. } => "user.disable",
            Self::Disable { disabled: false, .. } => "user.enable",
            Self::AcknowledgeLoss { .. } => "ledger.acknowledge-loss",
            Self::Rejoin(_) => "component.release",
        }
    }

    /// Whose contract it concerns; none: the whole house.
    pub fn tenant(&self) -> Option<TenantId> {
        match self {
            Self::AppPassword { tenant, .. }
            | Self::ResetPassword { tenant, .. }
            | Self::AddPerson { tenant, .. }
            | Self::ChangeSettings { tenant, .. }
            | Self::ChangeSending { tenant, .. }
            | Self::Read { tenant, .. }
            | Self::TerminateTenant { tenant, .. }
            | Self::TerminateUser { tenant, .. }
            | Self::LiftHold { tenant, .. }
            | Self::Redirect { tenant, .. }
            | Self::Disable { tenant, .. } => Some(*tenant),
            Self::SingleOperator | Self::AcknowledgeLoss { .. } | Self::Rejoin(_) => None,
            Self::Other { tenant, .. } => *tenant,
            Self::Keys(act) => act.about().0,
            Self::Thaw(whose) => match whose {
                Whose::Person(tenant, _) | Whose::Tenant(tenant) => Some(*tenant),
                Whose::Kind(_) => None,
            },
        }
    }

    /// The person concerned.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::AppPassword { user, .. }
            | Self::ResetPassword { user, .. }
            | Self::Read { user, .. }
            | Self::Disable { user, .. }
            | Self::TerminateUser { user, .. } => Some(*user),
            Self::Other { user, .. } | Self::Redirect { user, .. } => *user,
            Self::Keys(act) => act.about().1,
            Self::Thaw(Whose::Person(_, user)) => Some(*user),
            _ => None,
        }
    }
}

/// On what grounds an act is asked for.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Permission {
    /// An approved request, used up by this.
    pub request: Option<RequestId>,
    /// Else, in an installation of two persons, a new request is made for this reason.
    pub reason: Option<String>,
    pub by: Option<Proof>,
    /// How long the request waits; 0: a day.
    pub lasts_ms: u64,
}

/// A person proving who they are: the Argon2id digest of their password.
#[derive(Clone, Serialize, Deserialize)]
pub struct Proof {
    pub address: String,
    pub digest: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Open,
    Approved,
    Denied,
    Expired,
    /// It was done, once.
    CarriedOut,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::CarriedOut => "carried-out",
        }
    }
}

/// A person's answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voice {
    pub tenant: TenantId,
    pub user: UserId,
    pub at_ms: u64,
}

/// A request as identity keeps and shows it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Request {
    pub request: RequestId,
    pub act: Act,
    pub reason: String,
    pub requester: Option<UserId>,
    pub made_ms: u64,
    pub expires_ms: u64,
    /// SHA-256 over act, reason, requester and end; stands in the ledger.
    pub digest: [u8; 32],
    pub approvals: Vec<Voice>,
    pub denied_by: Option<Voice>,
    pub state: State,
    pub done_ms: Option<u64>,
}
