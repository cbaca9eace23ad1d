//! What became of TLS with destinations whose owners want to hear of it (RFC 8460), as `depart`
//! tells it to `directory`.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Findings in one frame, and their octets together: what is more goes in several.
pub const FINDINGS: usize = 32;
pub const FINDINGS_BYTES: usize = crate::FRAME_BYTES / 2;
/// Addresses that one domain's reports go to.
pub const RECEIVERS: usize = 4;
/// Strings of a policy, and patterns of hosts in it; what is beyond is left out of reports.
pub const STRINGS: usize = 16;
/// Ways in which sessions under one policy failed, each told apart by host and address.
pub const FAILURES: usize = 16;
/// Octets of one string.
pub const TEXT: usize = 255;

/// How sessions with one domain under one policy fared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// In A-label form, lower case.
    pub domain: String,
    /// Where its owner wants reports: addresses from its record.
    pub to: Vec<String>,
    pub policy: Policy,
    /// Sessions in which TLS was made as it should be.
    pub good: u32,
    /// The others.
    pub failures: Vec<Failure>,
    /// Sessions that failed in more ways than are told apart.
    pub others: u32,
}

/// The policy that applied.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Policy {
    pub kind: PolicyKind,
    /// As it is written: lines of an MTA-STS policy, or TLSA records.
    pub strings: Vec<String>,
    /// Patterns of the hosts that an MTA-STS policy names.
    pub hosts: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PolicyKind {
    None,
    Sts,
    Tlsa,
}

/// Sessions that failed in the same way at the same place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub flaw: Flaw,
    /// The MX host; empty: there was none to speak with.
    pub host: String,
    pub at: Option<IpAddr>,
    /// Our own address.
    pub from: Option<IpAddr>,
    /// The first one's reason, in our words.
    pub reason: String,
    pub sessions: u32,
}

/// Why a session failed (RFC 8460 §4.3). Its `dane-required` is not among them: no setting of this
/// house demands DANE of a domain that does not publish it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Flaw {
    StartTlsNotSupported,
    CertificateHostMismatch,
    CertificateExpired,
    CertificateNotTrusted,
    ValidationFailure,
    TlsaInvalid,
    DnssecInvalid,
    StsPolicyFetchError,
    StsPolicyInvalid,
    StsWebpkiInvalid,
}

impl Flaw {
    pub const ALL: [Self; 10] = [
        Self::StartTlsNotSupported,
        Self::CertificateHostMismatch,
        Self::CertificateExpired,
        Self::CertificateNotTrusted,
        Self::ValidationFailure,
        Self::TlsaInvalid,
        Self::DnssecInvalid,
        Self::StsPolicyFetchError,
        Self::StsPolicyInvalid,
        Self::StsWebpkiInvalid,
    ];

    /// Its word in a report.
    pub fn word(self) -> &'static str {
        match self {
            Self::StartTlsNotSupported => "starttls-not-supported",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotTrusted => "certificate-not-trusted",
            Self::ValidationFailure => "validation-failure",
            Self::TlsaInvalid => "tlsa-invalid",
            Self::DnssecInvalid => "dnssec-invalid",
            Self::StsPolicyFetchError => "sts-policy-fetch-error",
            Self::StsPolicyInvalid => "sts-policy-invalid",
            Self::StsWebpkiInvalid => "sts-webpki-invalid",
        }
    }
}

impl Finding {
    /// Whether it keeps to its limits, and to letters that go into a report as they are.
    pub fn is_sound(&self) -> bool {
        let Self { domain, to, policy, failures, .. } = self;
        let Policy { strings, hosts, .. } = policy;
        let is_plain = |text: &String| {
            text.len() <= TEXT && text.bytes().all(|octet| matches!(octet, b' '..=b'~'))
        };
        let is_fair = |failure: &Failure| is_plain(&failure.host) && is_plain(&failure.reason);
        is_plain(domain)
            && to.len() <= RECEIVERS
            && strings.len() <= STRINGS
            && hosts.len() <= STRINGS
            && failures.len() <= FAILURES
            && to.iter().chain(strings).chain(hosts).all(is_plain)
            && failures.iter().all(is_fair)
    }
}

/// A text as [`Finding::is_sound`] wants it.
pub fn plain(text: &str) -> String {
    let letter = |letter: char| if matches!(letter, ' '..='~') { letter } else { '?' };
    text.chars().take(TEXT).map(letter).collect()
}

/// What is counted for a report, of one tenant, day and domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub tenant: String,
    /// Empty: all domains for which there was no room; nobody is told of these.
    pub domain: String,
    /// The day's first moment.
    pub day_ms: u64,
    pub due_ms: u64,
    pub to: Vec<String>,
    pub good: u64,
    pub failed: u64,
    /// Sessions for whose policy there was no room.
    pub others: u64,
}

#[cfg(test)]
mod tests {
    use super::{FAILURES, Failure, Finding, Flaw, Policy, PolicyKind, plain};

    #[test]
    fn the_largest_finding_fits_into_a_frame() {
        let text = "x".repeat(super::TEXT);
        let failure = Failure {
            flaw: Flaw::StsWebpkiInvalid,
            host: text.clone(),
            at: Some(std::net::IpAddr::from([0xff; 16])),
            from: Some(std::net::IpAddr::from([0xff; 16])),
            reason: text.clone(),
            sessions: u32::MAX,
        };
        let finding = Finding {
            domain: text.clone(),
            to: vec![text.clone(); super::RECEIVERS],
            policy: Policy {
                kind: PolicyKind::Tlsa,
                strings: vec![text.clone(); super::STRINGS],
                hosts: vec![text; super::STRINGS],
            },
            good: u32::MAX,
            failures: vec![failure; FAILURES],
            others: u32::MAX,
        };
        assert!(finding.is_sound());
        let octets = postcard::to_stdvec(&finding).unwrap().len();
        assert!(octets <= super::FINDINGS_BYTES, "{octets}");
    }

    #[test]
    fn what_is_not_plain_is_washed() {
        assert_eq!(plain("a\r\nb あ"), "a??b ?");
        assert_eq!(plain(&"x".repeat(999)).len(), 255);
        let words: std::collections::HashSet<_> = Flaw::ALL.map(Flaw::word).into();
        assert_eq!(words.len(), Flaw::ALL.len());
    }
}
