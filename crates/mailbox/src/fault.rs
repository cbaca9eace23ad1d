//! What breaks on the keeper's own side.

#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("no room for mail")]
    Full(#[source] body::Fault),
    #[error("the bodies failed")]
    Bodies(#[source] body::Fault),
    #[error("the index failed while {doing}")]
    Index {
        doing: &'static str,
        #[source]
        source: rusqlite::Error,
    },
    #[error("a note of the log is not one of ours: {octets} octets")]
    Note { octets: usize },
    #[error("{count} entries wait for the index, at most {limit} may")]
    Behind { count: usize, limit: usize },
    #[error("could not make the folder of the keeper")]
    Folder(#[source] std::io::Error),
    #[error("the start names no folder")]
    NoFolder,
    #[error("a parcel of a peer cannot be read")]
    Parcel(#[source] wire::Fault),
    #[error("the channels failed")]
    Channels(#[source] wire::Fault),
    #[error("the walls could not be raised")]
    Jail(#[source] compartment::Fault),
}

impl From<body::Fault> for Fault {
    fn from(source: body::Fault) -> Self {
        if source.is_full() { Self::Full(source) } else { Self::Bodies(source) }
    }
}

impl Fault {
    /// Whether room is what is missing: the answer is "full", not "fault".
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full(_) => true,
            Self::Index { source, .. } => source
                .sqlite_error()
                .is_some_and(|error| compartment::is_full_by_sqlite(error.extended_code)),
            Self::Folder(source) => compartment::is_full_by_kernel(source),
            _ => false,
        }
    }

    /// Whether something lies on the disk that was not written there.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Bodies(source) => {
                matches!(source, body::Fault::Torn { .. } | body::Fault::Read { .. })
            }
            Self::Index { source, .. } => {
                let code = source.sqlite_error_code();
                let is_broken = |code| {
                    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, SystemIoFailure};
                    matches!(code, DatabaseCorrupt | NotADatabase | SystemIoFailure)
                };
                // Without a code it is a row that holds something else than it may.
                !self.is_full() && code.is_none_or(is_broken)
            }
            Self::Note { .. } => true,
            _ => false,
        }
    }

    /// The fault and what lies under it, for the operator. No fault carries mail or names.
    pub fn story(&self) -> String {
        compartment::story(self, self.is_full())
    }
}
