//! The compartments by name.

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($variant:ident $word:literal $number:literal,)*) => {
        /// A kind of compartment. Its number is its place in `uid_base + number` and never moves.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "lowercase")]
        pub enum Kind { $($variant,)* }

        impl Kind {
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)*];

            pub fn word(self) -> &'static str {
                match self { $(Kind::$variant => $word,)* }
            }

            pub fn number(self) -> u32 {
                match self { $(Kind::$variant => $number,)* }
            }

            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.word() == word)
            }
        }
    };
}

kinds! {
    Warden "warden" 0,
    Gate "gate" 1,
    Names "names" 2,
    Signer "signer" 3,
    Edge "edge" 4,
    Scanner "scanner" 5,
    Access "access" 6,
    Mailbox "mailbox" 7,
    Directory "directory" 8,
    Identity "identity" 9,
    Vault "vault" 10,
    Ledger "ledger" 11,
    Mirror "mirror" 12,
    Admin "admin" 13,
    Zone "zone" 14,
    Sentinel "sentinel" 15,
    Dispatch "dispatch" 16,
    Post "post" 17,
    Depart "depart" 18,
    Fetch "fetch" 19,
    Pages "pages" 20,
    Metrics "metrics" 21,
}
