//! SASL PLAIN, the one mechanism offered: it runs inside TLS only. RFC 4616.

use crate::command::Secret;
use data_encoding::BASE64;
use zeroize::Zeroize;

/// Who wants in, as typed.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq)]
pub struct Plain {
    pub user: Vec<u8>,
    pub password: Secret,
}

/// The base64 of `authzid NUL authcid NUL password`. An authorisation identity that differs from
/// the authentication identity is refused: nobody acts for another here.
pub fn plain(coded: &[u8]) -> Option<Plain> {
    let mut octets = BASE64.decode(coded).ok()?;
    let mut fields = octets.splitn(3, |octet| *octet == 0);
    let found = match (fields.next(), fields.next(), fields.next()) {
        (Some(acting), Some(user), Some(password))
            if !user.is_empty()
                && !password.is_empty()
                && !password.contains(&0)
                && (acting.is_empty() || acting == user) =>
        {
            Some(Plain { user: user.to_vec(), password: Secret(password.to_vec()) })
        }
        _ => None,
    };
    octets.zeroize();
    found
}
