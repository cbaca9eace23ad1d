//! What can break in the directory.

use std::error::Error;

/// A fault on our side.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the directory was started without a folder")]
    NoFolder,
    #[error("the directory's table failed while {doing}")]
    Store {
        doing: &'static str,
        #[source]
        source: rusqlite::Error,
    },
    #[error("a row could not be encoded")]
    Encode,
    #[error("an address leads to more people than a statement may name")]
    TooMany,
    #[error("the vault is away")]
    VaultAway,
    #[error("the vault does not believe what it should sign")]
    NotBelieved,
    #[error("the mailbox is away")]
    MailboxAway,
    #[error("the queue is away")]
    PostAway,
    #[error("the change could not be recorded, so it was not made")]
    Unrecorded(#[source] journal::Fault),
    #[error("the jail could not be entered")]
    Jail(#[source] compartment::Fault),
    #[error("a channel failed")]
    Channel(#[source] wire::Fault),
}

impl Fault {
    pub(crate) fn store(doing: &'static str) -> impl Fn(rusqlite::Error) -> Fault {
        move |source| Fault::Store { doing, source }
    }

    pub(crate) fn jail(source: compartment::Fault) -> Self {
        Self::Jail(source)
    }

    pub(crate) fn channel(source: wire::Fault) -> Self {
        Self::Channel(source)
    }

    /// The whole chain in one line; sources name no content.
    pub fn story(&self) -> String {
        let mut story = self.to_string();
        let mut next = self.source();
        while let Some(source) = next {
            story.push_str(": ");
            story.push_str(&source.to_string());
            next = source.source();
        }
        story
    }
}
