//! What a client signs in with: AUTH of RFC 4954, by PLAIN (RFC 4616) or LOGIN.

use data_encoding::BASE64;
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// A name and a secret, as they were typed. The secret is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub name: Vec<u8>,
    pub secret: Zeroizing<Vec<u8>>,
}

/// Somebody's own: logs and panics do not get to see it.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mechanism {
    Plain,
    Login,
}

impl Mechanism {
    pub(crate) fn named(word: &str) -> Option<Self> {
        match word.to_ascii_uppercase().as_str() {
            "PLAIN" => Some(Self::Plain),
            "LOGIN" => Some(Self::Login),
            _ => None,
        }
    }
}

/// What is still to come of an exchange.
pub(crate) enum Wanted {
    Plain,
    LoginName,
    LoginSecret { name: Vec<u8> },
}

/// Base64 of RFC 4648 §4 and nothing else: padded, no white space, no bits left over.
pub(crate) fn decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    BASE64.decode(text).ok().map(Zeroizing::new)
}

/// `[authzid] NUL authcid NUL passwd`, RFC 4616 §2. `None`: nobody can be meant by it. Writing as
/// somebody else is a matter of the address, not of the sign-in: an authzid may only repeat.
pub(crate) fn plain(response: &[u8]) -> Option<Credentials> {
    let mut parts = response.split(|octet| *octet == 0);
    let (authzid, name, secret) = (parts.next()?, parts.next()?, parts.next()?);
    let fits = parts.next().is_none() && (authzid.is_empty() || authzid == name);
    (fits && !name.is_empty())
        .then(|| Credentials { name: name.to_vec(), secret: Zeroizing::new(secret.to_vec()) })
}

/// Wipes a line that held a secret where it came in.
pub(crate) fn wipe(octets: Option<&mut [u8]>) {
    if let Some(octets) = octets {
        octets.zeroize();
    }
}
