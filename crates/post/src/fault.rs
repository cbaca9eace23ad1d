//! What breaks on the keeper's own side.

#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("no room for mail")]
    Full(#[source] body::Fault),
    #[error("the bodies failed")]
    Bodies(#[source] body::Fault),
    #[error("a note of the log is not one of ours: {octets} octets")]
    Note { octets: usize },
    #[error("could not {doing} the written queue")]
    Snapshot {
        doing: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("the written queue is damaged: {expected} expected, {found} found")]
    Torn { expected: String, found: String },
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
            Self::Folder(source) | Self::Snapshot { source, .. } => {
                compartment::is_full_by_kernel(source)
            }
            _ => false,
        }
    }

    /// The fault and what lies under it, for the operator. No fault carries mail or names.
    pub fn story(&self) -> String {
        compartment::story(self, self.is_full())
    }
}
