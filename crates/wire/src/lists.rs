//! Mailing lists: who may post, whom a message is spread to, and the words that a subscription's
//! own addresses are.

use crate::post::Hop;
use serde::{Deserialize, Serialize};
use terms::{TenantId, UserId};

/// Whose messages are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Posting {
    /// Members' and owners'.
    #[default]
    Members,
    Owners,
    Anyone,
}

impl Posting {
    pub const ALL: [Self; 3] = [Self::Members, Self::Owners, Self::Anyone];

    /// Whether more people may write than under `before`.
    pub fn is_wider_than(self, before: Self) -> bool {
        let rank = |posting| match posting {
            Self::Owners => 0,
            Self::Members => 1,
            Self::Anyone => 2,
        };
        rank(self) > rank(before)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::Owners => "owners",
            Self::Anyone => "anyone",
        }
    }
}

/// In which a list writes to its members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    #[default]
    Japanese,
    English,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::Japanese, Self::English];

    pub fn word(self) -> &'static str {
        match self {
            Self::Japanese => "ja",
            Self::English => "en",
        }
    }
}

/// From `edge`, `dispatch` and `depart`, to each what is its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// From `edge`: may the author, who is proven to be that, post so many octets? From
    /// `dispatch` without an author: it is the channel's own person.
    MayPost { list: String, author: Option<String>, bytes: u64 },
    /// From `edge` and `depart`: mail came for an address that [`word`] knows.
    Unsubscribe { address: String },
    /// The same of a notice: the member's own address is not there any more.
    Returned { address: String },
    /// From `depart`: a copy was not taken for another reason, a word of `notice::Reason`.
    Undelivered { address: String, why: String },
    /// From `depart`: whom to spread to, a page, with the permit that `MayPost` gave.
    Copies { list: String, permit: [u8; 16], after: Option<[u8; 16]> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    May(May),
    Done,
    /// There is no such list, subscription or permit.
    Unknown,
    /// Nobody can say now.
    Later,
    Copies(Box<Page>),
}

/// Whether somebody may post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum May {
    /// With this its members are told to whoever spreads the message.
    Yes {
        permit: [u8; 16],
    },
    No,
    TooLarge {
        limit: u64,
    },
}

/// Some of those to whom a message is spread, and what its header says of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub name: String,
    pub posting: Posting,
    pub copies: Vec<Copy>,
    /// Where the next page begins; `None`: this was the last.
    pub next: Option<[u8; 16]>,
}

/// One member's copy, to one of the places where that member's mail goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    pub to: String,
    pub hop: Hop,
    /// People of this tenant who keep it: nobody gets it twice.
    pub users: Vec<UserId>,
    /// The return path of this member's copies.
    pub from: String,
    /// Mail for this address ends the subscription, and so does this token.
    pub unsubscribe: String,
    pub token: Vec<u8>,
}

/// Members in one page, and in one change of the command line.
pub const PAGE: usize = 250;
/// Members of one list.
pub const MEMBERS: usize = 5_000;

/// What mail for an address of a subscription means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Unsubscribe,
    Returned,
}

impl Word {
    pub fn front(self) -> &'static str {
        match self {
            Self::Unsubscribe => "unsubscribe-",
            Self::Returned => "bounce-",
        }
    }
}

/// Letters of base 32 behind the word: 24 octets.
pub const TOKEN_LETTERS: usize = 39;

/// Whether an address (canonical) is one of a subscription. No person has such an address.
pub fn word(address: &str) -> Option<Word> {
    let (local, _) = address.rsplit_once('@')?;
    let is_token = |text: &str| {
        let is_letter = |octet: u8| matches!(octet, b'a'..=b'z' | b'2'..=b'7');
        text.len() == TOKEN_LETTERS && text.bytes().all(is_letter)
    };
    let is_it = |word: &Word| local.strip_prefix(word.front()).is_some_and(is_token);
    [Word::Unsubscribe, Word::Returned].into_iter().find(is_it)
}

/// The address of a list's owners.
pub fn owner(list: &str) -> String {
    let (local, domain) = list.rsplit_once('@').unwrap_or((list, ""));
    format!("{local}{OWNER}@{domain}")
}

/// What stands behind a list's name in its owners' address.
pub const OWNER: &str = "-owner";

/// From the command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    Add {
        address: String,
        tenant: String,
        change: Change,
    },
    Set {
        address: String,
        change: Change,
    },
    Remove {
        address: String,
    },
    /// Those of a tenant, or all.
    List {
        tenant: Option<String>,
    },
    /// One list with its members.
    Show {
        address: String,
    },
    Members {
        address: String,
        with: Vec<String>,
        without: Vec<String>,
    },
}

/// What is to be different of a list; what is left away stays, or is as usual.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub name: Option<String>,
    pub posting: Option<Posting>,
    pub language: Option<Language>,
    pub bytes: Option<u64>,
    pub with_owners: Vec<String>,
    pub without_owners: Vec<String>,
}

/// A list as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    pub address: String,
    pub tenant: String,
    pub tenant_id: TenantId,
    pub name: String,
    pub posting: Posting,
    pub language: Language,
    pub bytes: u64,
    pub owners: Vec<String>,
    pub members: u64,
    pub suspended: u64,
    /// Told where one list is asked for.
    pub shown: Option<Vec<Member>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub address: String,
    pub since_ms: u64,
    /// Copies that came back lately because the address is not there any more.
    pub returned: u32,
    /// Copies that were not taken lately although it is there, and why the last was not.
    pub undelivered: u32,
    pub undelivered_why: Option<String>,
    /// Nothing is sent there since.
    pub suspended_ms: Option<u64>,
}

/// A list's name in octets.
pub const NAME_BYTES: usize = 200;
pub const OWNERS: usize = 20;
/// The largest message that a list spreads, unless it is set otherwise: it goes to all.
pub const USUAL_BYTES: u64 = 10 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::{TOKEN_LETTERS, Word, owner, word};

    #[test]
    fn only_a_whole_token_is_a_word() {
        let token = "a2".repeat(19) + "z";
        assert_eq!(token.len(), TOKEN_LETTERS);
        let check = |local: &str, expected: Option<Word>| {
            assert_eq!(word(&format!("{local}@kaede.example")), expected, "{local}");
        };
        check(&format!("unsubscribe-{token}"), Some(Word::Unsubscribe));
        check(&format!("bounce-{token}"), Some(Word::Returned));
        check(&format!("bounce-{token}a"), None);
        check(&format!("bounce-{}", token.replace('2', "1")), None);
        check(&format!("bounce-{}", token.to_uppercase()), None);
        check("unsubscribe-", None);
        check("bounce-report", None);
        assert_eq!(word(""), None);
        assert_eq!(owner("news@kaede.example"), "news-owner@kaede.example");
    }
}
