//! SPF: may this address send for that domain? RFC 7208.

mod evaluate;
mod expand;
mod record;

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

pub use evaluate::{VOID_LOOKUPS, check_host};
pub use record::{Cidr, Directive, LOOKUP_TERMS, Mechanism, Qualifier, SpfRecord, parse};

use crate::resolver::Inquiry;

/// RFC 7208 §2.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpfResult {
    None,
    Neutral,
    Pass,
    Fail,
    SoftFail,
    TempError,
    PermError,
}

impl SpfResult {
    /// As RFC 8601 §2.7.2 writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// What SPF says of one identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spf {
    pub result: SpfResult,
    /// The domain whose record was asked for.
    pub domain: String,
    /// The domain owner's own words about a fail: untrusted text, at most 500 octets of ASCII.
    pub explanation: Option<String>,
}

/// Who asks, about whom.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    pub client_ip: IpAddr,
    pub helo: &'a str,
    /// MAIL FROM without angle brackets; empty for bounces.
    pub mail_from: &'a str,
    /// The receiving host's name, for `%{r}`.
    pub our_name: &'a str,
    /// Seconds since 1970, for `%{t}`.
    pub now: u64,
}

/// The MAIL FROM identity; for an empty reverse-path it is `postmaster@HELO` (RFC 7208 §2.4).
pub fn check_mail_from(who: &Identity<'_>, inquiry: &mut Inquiry<'_>) -> Spf {
    let sender = match who.mail_from.rsplit_once('@') {
        None if who.mail_from.is_empty() => format!("postmaster@{}", who.helo),
        None => format!("postmaster@{}", who.mail_from),
        // RFC 7208 §4.3: no local part means "postmaster".
        Some(("", domain)) => format!("postmaster@{domain}"),
        Some(_) => who.mail_from.to_owned(),
    };
    check_host(who, &sender, inquiry)
}

/// The HELO identity (RFC 7208 §2.3).
pub fn check_helo(who: &Identity<'_>, inquiry: &mut Inquiry<'_>) -> Spf {
    check_host(who, &format!("postmaster@{}", who.helo), inquiry)
}
