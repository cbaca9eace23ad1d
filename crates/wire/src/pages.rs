//! Questions of `pages`, which answers strangers over HTTPS, to `directory`.

use serde::{Deserialize, Serialize};

/// From `pages`: what is public of a domain, and what a token opens to whoever has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromPages {
    /// Is this domain (lower case, A-labels) served here, and what does it say of its MX hosts?
    Domain(String),
    /// Whoever holds this token leaves the list that it is for (RFC 8058). Answered by `Done`, also
    /// when they have left already, or by `Unknown`.
    Unsubscribe { token: Vec<u8> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToPages {
    /// `None`: it is no domain of ours.
    Domain(Option<Hosted>),
    Done,
    Unknown,
    /// Nobody can say now.
    Later,
}

/// A domain of ours, as everybody may know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosted {
    pub transport: TransportPolicy,
}

/// What a domain tells other servers about TLS towards its MX hosts (MTA-STS, RFC 8461).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportPolicy {
    pub mode: TransportMode,
    pub max_age_seconds: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransportMode {
    /// Whoever cannot keep it reports, and sends nevertheless.
    Testing,
    Enforce,
    /// As if there was none.
    None,
}

/// A token's octets.
pub const TOKEN_BYTES: usize = 96;

/// The address at which a list's reader leaves it: `base` is `Start::pages_url`.
pub fn unsubscribe_url(base: &str, token: &[u8]) -> String {
    let spelled: String = token.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("{base}/unsubscribe/{spelled}")
}

/// The token in the last part of such an address; `None`: there can be no such token.
pub fn token_in(spelled: &str) -> Option<Vec<u8>> {
    let digits = spelled.as_bytes();
    let is_long = digits.is_empty() || digits.len() > 2 * TOKEN_BYTES;
    if is_long || !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit =
        |octet: &u8| char::from(*octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{TOKEN_BYTES, token_in, unsubscribe_url};

    #[test]
    fn a_token_stands_in_an_address_and_comes_back_from_it() {
        let token: Vec<u8> = (0..=255).step_by(5).collect();
        let url = unsubscribe_url("https://pages.example.jp", &token);
        let spelled = url.strip_prefix("https://pages.example.jp/unsubscribe/").unwrap();
        assert_eq!(token_in(spelled), Some(token.clone()));
        assert_eq!(token_in(&spelled.to_ascii_uppercase()), Some(token));
        for wrong in
            ["", "a", "abc", "gg", "+1", "0x", "a b ", "ああ", &"a".repeat(2 * TOKEN_BYTES + 2)]
        {
            assert_eq!(token_in(wrong), None, "{wrong}");
        }
    }
}
