//! How the root is sealed while nobody runs the house: as a credential, under a passphrase, in
//! shares of which some are enough, or by something of this machine.
//!
//! Every way is a [`RootSeal`]: it makes texts that may be kept, and makes the root of them again
//! with what its keepers give. None of the texts belongs into the data folder.
//!
//! # Never  opens a file; asks anybody; shows the root but in the texts that it is asked for

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod plain;

mod passphrase;

mod shares;

mod machine;

mod field;

#[cfg(test)]
mod tests;

pub use machine::Tpm;
pub use passphrase::Passphrase;
pub use plain::Plain;
pub use shares::{SHARES, Share, Shares};

use zeroize::Zeroizing;

/// The root's octets.
pub const ROOT_BYTES: usize = 32;

/// The root in clear: handed to the vault, kept nowhere.
pub type Root = Zeroizing<[u8; ROOT_BYTES]>;

/// One way to keep a root.
pub trait RootSeal {
    /// As `doctor` and the ledger name it.
    fn word(&self) -> &'static str;

    /// The texts to keep: one, or one for each keeper of a share.
    fn seal(&self, root: &Root) -> Result<Vec<String>, Fault>;

    /// The root again, from as many of the texts as there are at hand.
    fn open(&self, kept: &[String]) -> Result<Root, Fault>;
}

/// Why a root is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("this text is not {expected}")]
    Shape { expected: &'static str },
    #[error("share {index} is mistyped: its checksum does not fit")]
    Mistyped { index: u8 },
    #[error("share {index} is of set {found}, the others of set {expected}")]
    OtherSet { index: u8, expected: String, found: String },
    #[error("{found} different shares of set {set}, {needed} are needed")]
    TooFew { set: String, needed: u8, found: u8 },
    #[error("the passphrase is wrong, or the text was changed")]
    Refused,
    #[error("{limit}")]
    Limit { limit: &'static str },
    #[error("not on this machine: {what}")]
    NotHere { what: &'static str },
    #[error("the token's helper: {what}")]
    Token { what: String },
    #[error("the system gave no randomness, or too little memory")]
    System,
}

/// How a text is kept, read from the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    Plain,
    Passphrase,
    Share,
    Token,
}

/// How a root that a PKCS#11 token sealed begins: who speaks to tokens is not here.
pub const TOKEN_HEAD: &str = "sekisho-token-1 ";

/// What sort of text this is; `None`: none of ours.
pub fn kept_as(text: &str) -> Option<Kept> {
    let text = text.trim_start();
    if text.contains(passphrase::HEAD) {
        Some(Kept::Passphrase)
    } else if text.contains(shares::HEAD) {
        Some(Kept::Share)
    } else if text.contains(TOKEN_HEAD) {
        Some(Kept::Token)
    } else {
        Plain.open(&[text.to_owned()]).ok().map(|_| Kept::Plain)
    }
}

/// A new root.
pub fn make() -> Result<Root, Fault> {
    let mut root = Root::default();
    random(root.as_mut_slice())?;
    Ok(root)
}

/// By what a root is known again: nothing can be opened or guessed with it, for a root is random.
pub fn mark(root: &Root) -> String {
    use sha2::Digest;
    let mut digest = sha2::Sha256::new_with_prefix(b"sekisho root mark 1\0");
    digest.update(root.as_slice());
    let digest = digest.finalize();
    digest.iter().take(16).map(|octet| format!("{octet:02x}")).collect()
}

fn random(bytes: &mut [u8]) -> Result<(), Fault> {
    getrandom::fill(bytes).map_err(|_| Fault::System)
}
