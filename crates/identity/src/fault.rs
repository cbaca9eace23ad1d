//! What can break in identity.

/// A fault on our side.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("identity was started without a folder")]
    NoFolder,
    #[error("identity's table failed while {doing}")]
    Store {
        doing: &'static str,
        #[source]
        source: rusqlite::Error,
    },
    #[error("a row could not be encoded")]
    Encode,
    #[error("the vault is away")]
    VaultAway,
    #[error("the directory is away")]
    DirectoryAway,
    #[error("it could not be recorded, so it was not done")]
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
