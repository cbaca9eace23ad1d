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
    #[error("the system gave no randomness, or too little memory")]
    System,
}

/// How a text is kept, read from the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    Plain,
    Passphrase,
    Share,
}

/// What sort of text this is; `None`: none of ours.
pub fn kept_as(text: &str) -> Option<Kept> {
    let text = text.trim_start();
    if text.contains(passphrase::HEAD) {
        Some(Kept::Passphrase)
    } else if text.contains(shares::HEAD) {
        Some(Kept::Share)
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

fn random(bytes: &mut [u8]) -> Result<(), Fault> {
    getrandom::fill(bytes).map_err(|_| Fault::System)
}
