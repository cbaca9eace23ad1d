//! What can break between two compartments.

use std::io;

/// A fault of a channel. A peer that is gone is the ordinary one: compartments die and return.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the peer has closed the channel")]
    Gone,
    /// What a Unix socket says when its other end closed with something still to be read.
    #[error("the peer has closed the channel without reading what it was sent")]
    Unread,
    #[error("the peer did not answer in time")]
    Silent,
    #[error("a frame could not be read: expected one message, found something else")]
    Malformed,
    #[error("a frame of {found} bytes exceeds the limit of {limit}")]
    TooLarge { found: usize, limit: usize },
    #[error("too many descriptors of this user are on their way and taken by nobody")]
    Crowded,
    #[error("could not use a channel while {doing}")]
    Io {
        doing: &'static str,
        #[source]
        source: io::Error,
    },
}

impl Fault {
    pub(crate) fn io(doing: &'static str) -> impl Fn(rustix::io::Errno) -> Fault {
        move |errno| match errno {
            rustix::io::Errno::PIPE | rustix::io::Errno::NOTCONN => Fault::Gone,
            rustix::io::Errno::CONNRESET => Fault::Unread,
            errno => Fault::Io { doing, source: errno.into() },
        }
    }
}
