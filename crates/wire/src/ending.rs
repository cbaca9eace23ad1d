//! Contracts that end, and what must not be destroyed meanwhile.

use serde::{Deserialize, Serialize};
use std::time::Duration;
use terms::{HoldId, TenantId, UserId};

/// How long anybody goes by a statement that they were given before they ask again. The keys of a
/// contract that ends outlive the last statement of it by more than that.
pub const STATED_FOR: Duration = Duration::from_secs(5);

/// A contract, or one person's part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    pub tenant: TenantId,
    pub user: Option<UserId>,
}

/// The states of an ending. Each has its guarantee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndingState {
    /// Everything is as before, mail included, until the grace ends; it can be taken back.
    Grace,
    /// The grace is over and holds stand: as in the grace; nothing is destroyed.
    Held,
    /// Being destroyed, step by step; no way back. What was begun is ended after any restart.
    Destroying,
    /// Nothing is left but the certificate and the minimal contact record.
    Destroyed,
}

impl EndingState {
    pub fn word(self) -> &'static str {
        match self {
            Self::Grace => "grace",
            Self::Held => "held",
            Self::Destroying => "destroying",
            Self::Destroyed => "destroyed",
        }
    }
}

/// What an ending waits for, where nobody sees it at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndingWait {
    /// Mail is refused, and the keys go when nobody remembers a statement from before.
    Statements,
    /// Everything is destroyed but copies in backups: the key of these epochs opens them until
    /// their keepers destroy it.
    BackupEpochs(Vec<u32>),
}

impl EndingWait {
    /// A sentence for whoever waits.
    pub fn told(&self) -> String {
        match self {
            Self::Statements => {
                "mail is refused already; the keys are destroyed some seconds later".to_owned()
            }
            Self::BackupEpochs(epochs) => {
                let epochs: Vec<String> = epochs.iter().map(u32::to_string).collect();
                let epochs = epochs.join(", ");
                format!(
                    "waits for the key of backup epoch {epochs}: where no key backup was made, or \
                     the key lies beside the data, the house ends it by itself within minutes; \
                     elsewhere: `keys epochs end --epoch-keys DIR`"
                )
            }
        }
    }
}

/// The end of a contract, or of one person's part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    pub part: Part,
    /// The minimal contact record: the contract's name (of a person: nothing).
    pub name: String,
    pub state: EndingState,
    pub asked_ms: u64,
    pub grace_until_ms: u64,
    /// Of what was destroyed.
    pub users: u64,
    pub messages: u64,
    pub bytes: u64,
    pub rows: u64,
    /// After this moment no copy opens.
    pub last_open_ms: Option<u64>,
    pub destroyed_ms: Option<u64>,
}

/// Something that must not be destroyed, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub hold: HoldId,
    pub part: Part,
    pub reason: String,
    pub made_ms: u64,
}
