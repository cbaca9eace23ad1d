//! Questions of `pages`, which answers strangers over HTTPS, to `directory`.

use serde::{Deserialize, Serialize};
use terms::MessageId;

/// From `pages`: what is public of a domain, and what a token opens to whoever has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromPages {
    /// Is this domain (lower case, A-labels) served here, and what does it say of its MX hosts?
    Domain(String),
    /// Whoever holds this token leaves the list that it is for (RFC 8058). Answered by `Done`, or
    /// by `Unknown` where it is forged or its subscription over.
    Unsubscribe { token: Vec<u8> },
    /// Whoever holds this token says whether the mail that is held in their name is theirs.
    /// Answered as the one before.
    Held { token: Vec<u8>, is_theirs: bool },
    /// Which list a token leaves, and whose subscription it ends. Answered by `Subscription`, or by
    /// `Unknown`.
    Subscription { token: Vec<u8> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToPages {
    /// `None`: it is no domain of ours.
    Domain(Option<Hosted>),
    Done,
    Unknown,
    /// Nobody can say now.
    Later,
    /// Of held mail that is not theirs: it does not leave. `more`: others in their name that wait
    /// for a word.
    Discarded {
        more: u32,
    },
    /// Of held mail that is not theirs: what can still be done is done, but it was held no more.
    TooLate {
        more: u32,
    },
    Subscription(Subscription),
    /// What this token could end is over already: it has left, or was taken off the list.
    Over,
}

/// What a list's reader is shown before they leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The list's name and address.
    pub name: String,
    pub list: String,
    /// The reader's own address, for nobody else to learn ([`masked`]).
    pub member: String,
}

/// An address that its owner knows again, and nobody else can read: links are passed on with mail.
pub fn masked(address: &str) -> String {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let first: String = local.chars().take(1).collect();
    format!("{first}…@{domain}")
}

/// A domain of ours, as everybody may know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosted {
    pub transport: TransportPolicy,
    /// Its people read and write at a customer's own server (a gateway): their programs are not
    /// led here.
    pub reads_elsewhere: bool,
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

impl Default for TransportPolicy {
    /// `testing` first: mail goes on arriving while reports show who would have failed. Senders
    /// remember it for weeks, as RFC 8461 §10.2 advises.
    fn default() -> Self {
        Self { mode: TransportMode::Testing, max_age_seconds: 1_209_600 }
    }
}

/// RFC 8461 §3.2: a day at least does some good, a year is the most.
pub const MAX_AGE_SECONDS: std::ops::RangeInclusive<u32> = 86_400..=31_557_600;

impl TransportMode {
    pub fn word(self) -> &'static str {
        match self {
            Self::Testing => "testing",
            Self::Enforce => "enforce",
            Self::None => "none",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Testing, Self::Enforce, Self::None].into_iter().find(|mode| mode.word() == word)
    }
}

impl TransportPolicy {
    /// Whether mail may come by a less safe way than under `before`.
    pub fn is_weaker_than(self, before: Self) -> bool {
        let rank = |mode: TransportMode| match mode {
            TransportMode::None => 0,
            TransportMode::Testing => 1,
            TransportMode::Enforce => 2,
        };
        rank(self.mode) < rank(before.mode)
    }

    /// As `mta-sts.txt` has it (RFC 8461 §3.2). `host`: the name in the MX records.
    pub fn text(self, host: &str) -> String {
        let Self { mode, max_age_seconds } = self;
        // Mode `none` needs no hosts, and having them does no harm.
        let mode = mode.word();
        format!("version: STSv1\r\nmode: {mode}\r\nmx: {host}\r\nmax_age: {max_age_seconds}\r\n")
    }

    /// Changes when the policy does (RFC 8461 §3.1): FNV-1a of its text; nobody gains by a
    /// collision.
    pub fn id(self, host: &str) -> String {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        format!("{:016x}", self.text(host).bytes().fold(0xcbf2_9ce4_8422_2325, step))
    }
}

/// First labels of the names, below each domain of ours, that public pages have.
pub const LABELS: [&str; 3] = ["autoconfig", "autodiscover", "mta-sts"];

/// The domain that a name of public pages belongs to: below one of the labels, or itself.
pub fn domain_of(name: &str) -> &str {
    match name.split_once('.') {
        Some((label, domain)) if LABELS.contains(&label) => domain,
        _ => name,
    }
}

/// The host of [`Start::pages_url`](crate::control::Start::pages_url), without its port.
pub fn host_of(url: &str) -> &str {
    let host = url.strip_prefix("https://").unwrap_or_default();
    host.split_once(':').map_or(host, |(host, _)| host)
}

/// A token's octets.
pub const TOKEN_BYTES: usize = 96;

/// The address at which a list's reader leaves it: `base` is `Start::pages_url`.
pub fn unsubscribe_url(base: &str, token: &[u8]) -> String {
    let spelled: String = token.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("{base}/unsubscribe/{spelled}")
}

/// The two addresses at which a person says whether held mail is theirs, and is not.
pub fn held_urls(base: &str, token: &[u8]) -> (String, String) {
    let spelled: String = token.iter().map(|octet| format!("{octet:02x}")).collect();
    (format!("{base}/mine/{spelled}"), format!("{base}/not-mine/{spelled}"))
}

/// The message that such a token is about, by its place in it; whether the token is one is not
/// known here.
pub fn held_message(token: &[u8]) -> Option<MessageId> {
    MessageId::from_slice(token.get(HELD_MESSAGE)?)
}

/// Where a held message's id stands in its token: behind its person's.
pub const HELD_MESSAGE: std::ops::Range<usize> = 8..24;

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
    use super::{
        TOKEN_BYTES, TransportMode, TransportPolicy, domain_of, host_of, token_in, unsubscribe_url,
    };

    #[test]
    fn a_policy_is_said_as_the_standard_has_it_and_its_id_is_of_its_words() {
        let testing = TransportPolicy::default();
        let expected =
            "version: STSv1\r\nmode: testing\r\nmx: mx.a.example\r\nmax_age: 1209600\r\n";
        assert_eq!(testing.text("mx.a.example"), expected);
        let enforced = TransportPolicy { mode: TransportMode::Enforce, ..testing };
        assert!(enforced.text("mx.a.example").contains("mode: enforce\r\n"));
        assert_ne!(testing.id("mx.a.example"), enforced.id("mx.a.example"));
        assert_ne!(testing.id("mx.a.example"), testing.id("mx.b.example"));
        assert_eq!(TransportMode::parse("none"), Some(TransportMode::None));
        assert_eq!(TransportMode::parse("None"), None);
    }

    #[test]
    fn names_of_pages_lead_to_their_domain() {
        assert_eq!(domain_of("mta-sts.a.example"), "a.example");
        assert_eq!(domain_of("autoconfig.mta-sts.a.example"), "mta-sts.a.example");
        assert_eq!(domain_of("a.example"), "a.example");
        assert_eq!(host_of("https://pages.localhost:2543"), "pages.localhost");
        assert_eq!(host_of("https://pages.a.example"), "pages.a.example");
        assert_eq!(host_of(""), "");
    }

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
