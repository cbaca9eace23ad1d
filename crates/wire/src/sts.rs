//! Policies of domains outside about TLS (MTA-STS, RFC 8461), as `depart` has fetched them and
//! `directory` keeps them: what one instance has learned holds for those after it (§10.2).

use serde::{Deserialize, Serialize};

/// Domains of one question.
pub const DOMAINS: usize = 64;
/// Octets of a domain, and of a pattern of hosts.
pub const NAME_BYTES: usize = 255;
/// Patterns of one policy, and their octets together. A larger policy is obeyed and not kept.
pub const PATTERNS: usize = 100;
pub const PATTERNS_BYTES: usize = 8 * 1024;
/// RFC 8461 §3.1.
const ID_BYTES: usize = 32;
/// RFC 8461 §3.2: at most a year.
pub const AGE_SECONDS: u32 = 31_557_600;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    Enforce,
    Testing,
    None,
}

/// A policy as its domain publishes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// In A-label form, lower case.
    pub domain: String,
    /// Of the TXT record by which it was found.
    pub id: String,
    pub mode: Mode,
    pub patterns: Vec<String>,
    /// How long it holds from when it was fetched.
    pub age_seconds: u32,
}

impl Policy {
    /// Whether it keeps to its limits.
    pub fn is_sound(&self) -> bool {
        let is_name = |name: &String| {
            (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(|octet| octet > b' ')
        };
        let is_id = (1..=ID_BYTES).contains(&self.id.len());
        let octets: usize = self.patterns.iter().map(String::len).sum();
        is_name(&self.domain)
            && is_id
            && self.id.bytes().all(|octet| octet.is_ascii_alphanumeric())
            && self.patterns.len() <= PATTERNS
            && octets <= PATTERNS_BYTES
            && self.patterns.iter().all(is_name)
            && self.age_seconds <= AGE_SECONDS
    }
}

/// One that still holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub policy: Policy,
    pub left_seconds: u32,
    /// Old enough that it is fetched anew when there is time (§3.3).
    pub is_due: bool,
}

#[cfg(test)]
mod tests {
    use super::{AGE_SECONDS, Mode, PATTERNS, Policy};

    #[test]
    fn odd_policies_are_none() {
        let good = Policy {
            domain: "there.example".into(),
            id: "20261129T1".into(),
            mode: Mode::Enforce,
            patterns: vec!["*.there.example".into()],
            age_seconds: AGE_SECONDS,
        };
        assert!(good.is_sound());
        let check = |change: &dyn Fn(&mut Policy)| {
            let mut odd = good.clone();
            change(&mut odd);
            assert!(!odd.is_sound(), "{odd:?}");
        };
        check(&|odd| odd.domain.clear());
        check(&|odd| odd.domain = "a b.example".into());
        check(&|odd| odd.id.clear());
        check(&|odd| odd.id = "1".repeat(33));
        check(&|odd| odd.id = "a;b".into());
        check(&|odd| odd.age_seconds += 1);
        check(&|odd| odd.patterns = vec!["x".repeat(256)]);
        check(&|odd| odd.patterns = vec!["x".into(); PATTERNS + 1]);
        check(&|odd| odd.patterns = vec!["x".repeat(200); 50]);
    }
}
