//! Signing in to a remote that knows us (RFC 4954): PLAIN (RFC 4616), or LOGIN where nothing else
//! is offered. Only within TLS; whoever calls has verified whose it is.

use crate::Extensions;
use data_encoding::BASE64;
use zeroize::Zeroizing;

/// Who we are to a remote. Wiped when it is dropped.
pub struct Login {
    pub user: Zeroizing<String>,
    pub password: Zeroizing<String>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Everything was said: the next answer decides.
    Said,
    /// AUTH LOGIN: the remote asks for the name, then for the password.
    Name,
    Password,
}

impl Login {
    /// The first line, and what comes next. `None`: the remote offers nothing that we speak.
    pub(crate) fn begin(&self, remote: &Extensions) -> Option<(Zeroizing<String>, Step)> {
        if remote.auth_plain {
            // RFC 4954 §4: with AUTH a line may have 12,288 octets.
            let words = Zeroizing::new(format!("\0{}\0{}", *self.user, *self.password));
            let words = Zeroizing::new(BASE64.encode(words.as_bytes()));
            return Some((Zeroizing::new(format!("AUTH PLAIN {}\r\n", *words)), Step::Said));
        }
        remote.auth_login.then(|| (Zeroizing::new("AUTH LOGIN\r\n".to_owned()), Step::Name))
    }

    /// What is said to the next challenge.
    pub(crate) fn answer(&self, step: Step) -> Option<(Zeroizing<String>, Step)> {
        let (text, next) = match step {
            Step::Name => (&self.user, Step::Password),
            Step::Password => (&self.password, Step::Said),
            Step::Said => return None,
        };
        let words = Zeroizing::new(BASE64.encode(text.as_bytes()));
        Some((Zeroizing::new(format!("{}\r\n", *words)), next))
    }
}
