//! What neighbours hand over or answer, in this instance's words.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use terms::ConnectionId;
use wire::directory;

/// A connection as the gate handed it over.
pub(crate) struct Handed {
    pub connection: ConnectionId,
    pub peer: SocketAddr,
    pub socket: OwnedFd,
}

/// What the mailbox made of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Yes,
    OverQuota,
    Full,
    No,
    /// It had everything and does not answer, or went away and nobody came in its place.
    Unknown,
}

/// Whether a mailbox has room for a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Yes,
    No,
    /// Whoever keeps the mail does not answer.
    Unsaid,
}

/// What the queue made of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queued {
    Yes,
    Full,
    /// Enough waits to be passed on for its person or tenant.
    Crowded,
    No,
}

/// Who an address is.
pub(crate) enum Who {
    Known(Box<directory::Statement>),
    Unknown,
    Foreign,
    Later,
    /// Its own server does not say whether it has the address.
    Unsaid,
}
