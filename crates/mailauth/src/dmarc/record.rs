//! The text of a DMARC policy record. RFC 9989 §4.7, §4.8.

use super::Policy;
use crate::tags::Tags;

/// `psd=`: whether the domain is a public suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Psd {
    Yes,
    No,
    Unsaid,
}

/// A tag that names a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Absent,
    Invalid,
    Policy(Policy),
}

/// A record, as published. `pct`, `rf` and `ri` are gone and ignored like any unknown tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmarcRecord {
    pub p: Asked,
    pub sp: Asked,
    pub np: Asked,
    pub strict_dkim: bool,
    pub strict_spf: bool,
    pub psd: Psd,
    pub testing: bool,
    /// At least one syntactically valid address for aggregate reports.
    pub reports_to: bool,
}

/// A record that asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enforceable {
    pub domain: Policy,
    pub subdomain: Option<Policy>,
    pub nonexistent: Option<Policy>,
    pub strict_dkim: bool,
    pub strict_spf: bool,
    pub testing: bool,
}

/// `None` if this TXT record is no DMARC record: `v=DMARC1` comes first and is written so.
pub fn parse(text: &[u8]) -> Option<DmarcRecord> {
    // RFC 9989 §4.8: errors behind the version cost only the tag that they stand in.
    let tags = Tags::parse_leniently(text)?;
    if tags.first() != Some(("v", "DMARC1")) {
        return None;
    }
    let is = |name: &str, wanted: &str| {
        tags.value(name).is_some_and(|value| value.eq_ignore_ascii_case(wanted))
    };
    let psd = match tags.value("psd") {
        Some("y" | "Y") => Psd::Yes,
        Some("n" | "N") => Psd::No,
        _ => Psd::Unsaid,
    };
    Some(DmarcRecord {
        p: asked(tags.value("p")),
        sp: asked(tags.value("sp")),
        np: asked(tags.value("np")),
        strict_dkim: is("adkim", "s"),
        strict_spf: is("aspf", "s"),
        psd,
        testing: is("t", "y"),
        reports_to: tags.value("rua").is_some_and(|list| list.split(',').any(is_report_address)),
    })
}

impl DmarcRecord {
    /// RFC 9989 §4.10.1: without a valid `p`, or with an invalid `sp` or `np`, the record counts
    /// as `p=none` if somebody wants reports, and else not at all.
    pub fn enforceable(&self) -> Option<Enforceable> {
        let (mut subdomain, mut nonexistent) = (self.sp.policy(), self.np.policy());
        let broken = [self.sp, self.np].contains(&Asked::Invalid);
        let domain = match self.p {
            Asked::Policy(policy) if !broken => policy,
            _ if self.reports_to => {
                (subdomain, nonexistent) = (None, None);
                Policy::None
            }
            _ => return None,
        };
        let (strict_dkim, strict_spf) = (self.strict_dkim, self.strict_spf);
        let testing = self.testing;
        Some(Enforceable { domain, subdomain, nonexistent, strict_dkim, strict_spf, testing })
    }
}

impl Asked {
    fn policy(self) -> Option<Policy> {
        match self {
            Self::Policy(policy) => Some(policy),
            Self::Absent | Self::Invalid => None,
        }
    }
}

fn asked(value: Option<&str>) -> Asked {
    let Some(value) = value else {
        return Asked::Absent;
    };
    let all = [Policy::None, Policy::Quarantine, Policy::Reject];
    let known = all.into_iter().find(|policy| value.eq_ignore_ascii_case(policy.word()));
    known.map_or(Asked::Invalid, Asked::Policy)
}

/// A URI with a scheme and something behind it (RFC 3986 §3.1).
fn is_report_address(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.trim().split_once(':') else {
        return false;
    };
    let letters = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let starts = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    let graphic = rest.bytes().all(|byte| byte.is_ascii_graphic());
    let complete = !scheme.eq_ignore_ascii_case("mailto") || rest.contains('@');
    starts && letters && graphic && !rest.is_empty() && complete
}
