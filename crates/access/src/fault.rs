//! What breaks on our side, and what a client is told when something cannot be done now.

/// The connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the warden or the gate is gone")]
    House(#[source] compartment::Fault),
    #[error("could not use a channel")]
    Channel(#[source] wire::Fault),
    #[error("could not set up TLS")]
    Tls(#[source] tls::Fault),
    #[error("the client is gone")]
    Line,
}

/// Why a command is not carried out: a value, with public words for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Evidence, vault, identity or mailbox do not answer in time: nothing is shown without proof.
    Unavailable,
    /// The session is over: ended, revoked or too old.
    Ended,
    /// The client is gone.
    Line,
    /// An answer that none of ours gives.
    Broken,
    OverQuota,
    Full,
    NoSuchFolder,
    /// RFC 5530 response code and words.
    No(&'static str, &'static str),
    /// The command does not fit here: BAD.
    Misplaced(&'static str),
}

impl Trouble {
    /// The response code (empty for none) and the words.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Unavailable => ("UNAVAILABLE", "this cannot be recorded now, try again later"),
            Self::Ended => ("", "the session has ended"),
            Self::Line => ("", "the connection is gone"),
            Self::Broken => ("SERVERBUG", "something is wrong on our side"),
            Self::OverQuota => ("OVERQUOTA", "the mailbox is full"),
            Self::Full => ("UNAVAILABLE", "nothing can be stored now, try again later"),
            Self::NoSuchFolder => ("NONEXISTENT", "there is no such folder"),
            Self::No(code, text) => (code, text),
            Self::Misplaced(text) => ("", text),
        }
    }
}
