//! What a client can ask, as values.

use crate::date::Moment;
use crate::fetch::Fetch;
use crate::flags::FlagSet;
use crate::list::List;
use crate::search::Search;
use crate::sequence::SequenceSet;
use crate::store::Store;
use zeroize::Zeroize;

/// One whole command. Values of a command may be words of a person's mail, so nothing here can be
/// printed outside of tests.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    pub tag: String,
    pub verb: Verb,
}

/// A typed password; wiped when dropped.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A folder name as people read it: UTF-8, levels separated by `/`, INBOX in capitals.
pub type Folder = String;

#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq)]
pub enum Verb {
    Capability,
    Noop,
    Logout,
    Check,
    Close,
    Unselect,
    Idle,
    Namespace,
    /// Only the names of the client's own fields are of use to us; pairs as they came.
    Id(Vec<(Vec<u8>, Option<Vec<u8>>)>),
    StartTls,
    Login {
        user: Vec<u8>,
        password: Secret,
    },
    /// `initial` is still base64. RFC 4959: a lone `=` is an empty response.
    Authenticate {
        mechanism: String,
        initial: Option<Secret>,
    },
    Enable(Vec<String>),
    Select {
        folder: Folder,
        condstore: bool,
        read_only: bool,
    },
    Create(Folder),
    Delete(Folder),
    Rename {
        from: Folder,
        to: Folder,
    },
    Subscribe(Folder),
    Unsubscribe(Folder),
    List(List),
    Lsub {
        reference: Folder,
        pattern: Folder,
    },
    Status {
        folder: Folder,
        items: Vec<StatusItem>,
    },
    /// `Some` is UID EXPUNGE.
    Expunge(Option<SequenceSet>),
    Search(Search),
    Fetch(Fetch),
    Store(Store),
    Copy {
        set: SequenceSet,
        folder: Folder,
        uid: bool,
    },
    Move {
        set: SequenceSet,
        folder: Folder,
        uid: bool,
    },
    Quota {
        root: Vec<u8>,
    },
    QuotaRoot {
        folder: Folder,
    },
    SetQuota,
}

/// The head of an APPEND; its message follows as octets. RFC 3501 §6.3.11.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq)]
pub struct Append {
    pub tag: String,
    pub folder: Folder,
    pub flags: FlagSet,
    pub date: Option<Moment>,
    pub size: u64,
    /// The client waits for `+ ` before it sends the message.
    pub waits: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    HighestModSeq,
    Size,
}

impl StatusItem {
    pub const ALL: &'static [StatusItem] = &[
        Self::Messages,
        Self::Recent,
        Self::UidNext,
        Self::UidValidity,
        Self::Unseen,
        Self::HighestModSeq,
        Self::Size,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Messages => "MESSAGES",
            Self::Recent => "RECENT",
            Self::UidNext => "UIDNEXT",
            Self::UidValidity => "UIDVALIDITY",
            Self::Unseen => "UNSEEN",
            Self::HighestModSeq => "HIGHESTMODSEQ",
            Self::Size => "SIZE",
        }
    }
}
