//! What a drill and its hostile instance say to each other.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use terms::{MessageId, TenantId, UserId};
use wire::vault::{Class, Item, TransitItem};

macro_rules! assets {
    ($($variant:ident $word:literal,)*) => {
        /// What an intruder is after.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize,
        )]
        pub enum Asset { $($variant,)* }

        impl Asset {
            pub const ALL: &'static [Asset] = &[$(Asset::$variant,)*];

            pub fn word(self) -> &'static str {
                match self { $(Asset::$variant => $word,)* }
            }

            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|asset| asset.word() == word)
            }
        }
    };
}

assets! {
    AccountSecrets "account-secrets",
    StoredBodies "stored-bodies",
    StoredHeaders "stored-headers",
    MailInFlight "mail-in-flight",
    CloudCredentials "cloud-credentials",
    OtherTenants "other-tenants",
    Evidence "evidence",
    Host "host",
}

/// How much of an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Got {
    Nothing,
    /// What passed or was released while owned.
    Bounded,
    /// The whole class without a further recorded release.
    Everything,
}

impl Got {
    pub fn word(self) -> &'static str {
        match self {
            Got::Nothing => "nothing",
            Got::Bounded => "bounded",
            Got::Everything => "everything",
        }
    }
}

/// What the intruder knows of the house: more than a real one would.
#[derive(Clone, Serialize, Deserialize)]
pub struct Facts {
    /// Files worth having, by asset.
    pub files: Vec<(Asset, String)>,
    /// The vault's process.
    pub victim: u32,
    /// Somebody else's address, and the domain to guess in.
    pub other: String,
    pub domain: String,
    /// Somewhere to connect to: whatever arrives there has got out.
    pub outside: SocketAddr,
    /// Somebody of another organisation, with mail.
    pub person: String,
    /// Somebody of the first side's organisation, and somebody of the other whom nobody reads.
    pub colleague: String,
    pub neighbour: String,
    /// A question that nobody of a kind may ask costs it the channel: which ones this one asks.
    pub round: u8,
    /// Where the first side, and the other, has a sign-in to.
    pub smart_hosts: Vec<String>,
}

/// One sealed part of somebody's mail as it lies on the disk.
#[derive(Clone, Serialize, Deserialize)]
pub struct Sealed {
    pub tenant: TenantId,
    pub user: UserId,
    pub message: MessageId,
    pub class: Class,
    pub epoch: u32,
    pub wrapped: Vec<u8>,
    pub content: Vec<u8>,
}

/// To the intruder.
#[derive(Serialize, Deserialize)]
pub enum Ask {
    /// Try every call that no charter has, then every file.
    Acts(Facts),
    /// Abuse the channels that you have.
    Abuse(Facts),
    /// Take what comes in the compartment's own work, for so long at most.
    Serve {
        seconds: u32,
    },
    /// A dispatch: take what comes, say that it is queued, and pass on nothing.
    Swallow {
        seconds: u32,
    },
    /// Ask for these keys of somebody else's, whose wrapped form you got hold of.
    Replay(Vec<Item>),
    /// Ask for these keys of mail on its way, which somebody else was handed.
    Carry {
        tenant: TenantId,
        items: Vec<TransitItem>,
    },
    /// Open these: ciphertext from a stolen disk.
    Open(Vec<Sealed>),
    /// Tell the warden what is not yours to tell.
    Lie,
    /// An access: ask for the bodies in hand again and again, until somebody says no.
    Devour,
    /// An author: write as fast as it goes, until somebody holds it back.
    Flood,
    /// A keeper: answer the warden's pulse for so long, then say nothing to anybody.
    FallSilent {
        lively_seconds: u32,
        silent_seconds: u32,
    },
    /// An identity: from now on strangers are let in as the person of this address, by a sign-in
    /// that is recorded as it should be, and nobody is said to be a decoy.
    Assert {
        address: String,
    },
    /// An identity: have the directory carry what nobody agreed to, against this person's contract.
    Persuade {
        address: String,
    },
    /// A sentinel: shut everybody out, and take away whatever may be taken away.
    ShutAll,
    /// A sentinel: one word to the warden that is not its own to say.
    Overreach(Reach),
    /// A sentinel: answer the warden's pulse for so long, and let no alarm out.
    KeepInside {
        seconds: u32,
    },
    /// One call off charter.
    OneAct,
    Leave,
}

/// What an intruder counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Count {
    /// Bodies asked for beyond a first reading, as far as they were granted.
    Granted,
    /// Bodies opened after the first refusal.
    AfterStop,
    /// Entries that the ledger took, and those that it did not.
    Taken,
    HeldBack,
    /// People and contracts frozen; kinds that the warden was asked to isolate.
    Frozen,
    Isolated,
    /// Acts carried that nobody agreed to.
    Carried,
    /// Frozen with one word for everybody.
    FrozenAtOnce,
}

/// What a sentinel may not ask of the warden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// To take a keeper out of the house.
    Keeper,
    /// To let somebody in again.
    Release,
}

/// From the intruder.
#[derive(Serialize, Deserialize)]
pub enum Told {
    /// A system call tried; `errno`: the refusal, `None`: it worked.
    Act { asset: Asset, act: String, call: String, errno: Option<i32> },
    /// A peer asked for what it must not give; `held`: it did not.
    Word { asset: Asset, act: String, held: bool, answer: String },
    /// From here on it lies to its peers, where no system call shows it.
    Lies,
    /// Done, within limits that `what` names.
    Partly { asset: Asset, what: String },
    /// A credential that opens somebody's mailbox, or so the intruder believes.
    Secret { address: String, secret: String },
    /// A sealed part of the person served, with its wrapped key.
    Sealed(Box<Sealed>),
    /// Octets in hand.
    Obtained { how: String, bytes: Vec<u8> },
    /// This message's content was in hand.
    Passed(MessageId),
    /// This message it made itself, and had it kept for somebody.
    Forged(MessageId),
    /// A message's content was in hand that has no number, because it was never kept.
    PassedUnkept,
    /// Wrapped keys of the person served.
    Wrapped(Vec<Item>),
    /// So often something was done.
    Counted { what: Count, count: u64 },
    /// Whose mail it has, by an address of theirs.
    Serves(String),
    /// Wrapped keys of mail on its way that it was handed.
    InHand { tenant: TenantId, items: Vec<TransitItem> },
    /// What was asked for is done.
    Finished,
}
