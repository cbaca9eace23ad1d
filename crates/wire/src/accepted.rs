//! Who took mail that left, by which way, and with which words: as `depart` tells it to
//! `directory`, for those who trace a letter.

use crate::post::LegNumber;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use terms::plain::shown;
use terms::{MessageId, UserId};

/// Lines in one frame.
pub const LINES: usize = 128;
/// Hosts of one leg that are told apart: a remote takes so many recipients a letter, and each
/// letter has its own words.
pub const OF_LEG: usize = 8;
/// People of the house in one line.
pub const PEOPLE: usize = 100;
/// Letters of a host's name and of its words.
pub const LETTERS: usize = 200;

/// One host's word for one leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    pub message: MessageId,
    pub leg: LegNumber,
    pub at_ms: u64,
    /// Of the leg, for whom this host took it.
    pub recipients: u16,
    /// Empty: the house itself.
    pub host: String,
    pub address: Option<IpAddr>,
    /// Of the sender's own tenant, who have it in their mailboxes and whom its header names. Who
    /// was written to in secret is told to nobody who traces.
    pub people: Vec<UserId>,
    pub safety: Safety,
    /// The version of TLS, as its standard spells it; `None`: in clear.
    pub tls: Option<String>,
    /// What it said: its answer to the text.
    pub words: String,
}

/// What was known of the host when it took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Safety {
    /// In clear, or under TLS with whoever answered.
    Anybody,
    /// Under TLS, as its domain or its customer demands, with whoever answered.
    Demanded,
    /// By a certificate of its name (MTA-STS, or a host that was named to us).
    Certificate,
    /// By a key in signed records (DANE).
    Dane,
}

impl Safety {
    pub fn word(self) -> &'static str {
        match self {
            Self::Anybody => "any",
            Self::Demanded => "tls",
            Self::Certificate => "certificate",
            Self::Dane => "dane",
        }
    }
}

impl Accepted {
    /// Whether it is as short, and as plain, as it is told.
    pub fn is_sound(&self) -> bool {
        let is_fit = |text: &str| text.chars().count() <= LETTERS && fit(text) == text;
        self.people.len() <= PEOPLE
            && is_fit(&self.host)
            && is_fit(&self.words)
            && self.tls.as_deref().is_none_or(is_fit)
    }
}

/// A remote's text as it may be kept and shown: on one line, without what is hidden, no longer than
/// that, and without addresses: it may have been said of others, of whom nobody is to know.
pub fn fit(text: &str) -> String {
    let hides = |word: &str| if word.contains('@') { "…".to_owned() } else { shown(word) };
    let words: Vec<String> = text.split_whitespace().map(hides).collect();
    let whole = words.join(" ");
    match whole.char_indices().nth(LETTERS) {
        None => whole,
        Some((end, _)) => whole.get(..end).unwrap_or_default().trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{LETTERS, fit};

    #[test]
    fn words_are_short_plain_and_name_nobody() {
        let check = |text: &str, expected: &str| {
            assert_eq!(fit(text), expected);
            assert_eq!(fit(&fit(text)), fit(text), "{text}");
        };
        check("250 2.0.0 Ok: queued as 4XYZ", "250 2.0.0 Ok: queued as 4XYZ");
        check("250 ok\r\n\tfor <hidden@x.example> (x)", "250 ok for … (x)");
        check("250 \u{1b}[2Jgone\u{202e}", "250 ␛[2Jgone<U+202E>");
        assert!(fit(&"long ".repeat(500)).chars().count() <= LETTERS);
        assert!(fit(&"長".repeat(500)).chars().count() == LETTERS);
    }
}
