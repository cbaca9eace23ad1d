//! What breaks on our side, and what a client is told when something cannot be done now.

use terms::Kind;

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
    /// Evidence is away: nothing is shown without proof.
    Unavailable,
    /// Nothing of this person's opens: keys are sealed or frozen, by somebody's word.
    Stopped,
    /// Whoever was asked does not answer in time.
    Away(Kind),
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
            Self::Stopped => ("UNAVAILABLE", STOPPED),
            Self::Away(kind) => ("UNAVAILABLE", away(kind)),
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

const STOPPED: &str = "the keys of this mail are sealed or frozen, ask who runs this service";

/// What a person hears of it: which part of the house it is, in words of theirs.
fn away(kind: Kind) -> &'static str {
    match kind {
        Kind::Mailbox => "the storage of mail does not answer now, try again later",
        Kind::Vault => "the keeper of keys does not answer now, try again later",
        Kind::Identity => "nobody can be signed in now, try again later",
        _ => "a part of this service does not answer now, try again later",
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Trouble};

    /// Whoever looks for the cause is not sent to the evidence when it is the mail or the keys.
    #[test]
    fn who_does_not_answer_is_told_apart() {
        let words = |trouble: Trouble| {
            let (code, words) = trouble.words();
            assert_eq!(code, "UNAVAILABLE");
            words
        };
        assert!(words(Trouble::Unavailable).contains("cannot be recorded"));
        assert!(words(Trouble::Stopped).contains("sealed or frozen"));
        assert!(words(Trouble::Away(Kind::Mailbox)).contains("storage of mail does not answer"));
        assert!(words(Trouble::Away(Kind::Vault)).contains("keeper of keys does not answer"));
        assert!(words(Trouble::Away(Kind::Identity)).contains("nobody can be signed in"));
    }
}
