//! What can break in the directory.

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
    #[error("the signer is away")]
    SignerAway,
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

    /// Whether room is what is missing.
    pub fn is_full(&self) -> bool {
        let Self::Store { source, .. } = self else { return false };
        source.sqlite_error().is_some_and(|e| compartment::is_full_by_sqlite(e.extended_code))
    }

    /// The whole chain in one line; sources name no content.
    pub fn story(&self) -> String {
        compartment::story(self, self.is_full())
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;

    /// At a start on a full disk SQLite says what nobody understands.
    #[test]
    fn a_full_disk_is_called_so() {
        for (code, is_full) in [(13, true), (4_874, true), (266, false), (11, false)] {
            let source = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            let fault = Fault::store("preparing")(source);
            assert_eq!(fault.is_full(), is_full, "{code}");
            assert_eq!(fault.story().starts_with("the disk is full: "), is_full, "{code}");
        }
    }
}
