//! The channel to `signer`: shared by the handshakes of one process, replaced when it was renewed.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wire::Channel;
use wire::signer::{FromSigner, ToSigner};

/// How long a handshake waits for `signer`; a client has given up by the time two have passed.
pub const SIGN_LIMIT: Duration = Duration::from_secs(2);

/// A handle to the one channel; copies share it.
#[derive(Clone)]
pub struct SignerLink(Arc<Mutex<Channel>>);

impl SignerLink {
    pub fn new(channel: Channel) -> Self {
        Self(Arc::new(Mutex::new(channel)))
    }

    /// After `signer` was restarted: the warden's new channel.
    pub fn replace(&self, channel: Channel) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = channel;
    }

    /// `None`: away, silent, or it answered something else.
    pub(crate) fn ask(&self, question: &ToSigner) -> Option<FromSigner> {
        let mut channel = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        channel.ask(question, &[], SIGN_LIMIT).ok().map(|(answer, _)| answer)
    }
}

impl fmt::Debug for SignerLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignerLink")
    }
}
