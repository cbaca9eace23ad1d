//! DMARC: does a domain that authenticated stand behind the domain in From, and if not, what
//! does that domain's owner ask for? RFC 9989; the organisation is found by walking up the DNS,
//! not by a list of public suffixes.

mod record;
mod walk;

use crate::author::{AUTHOR_DOMAINS, Authors};
use crate::dkim::{Dkim, DkimResult};
use crate::resolver::{Answer, Inquiry, RecordKind};
use crate::spf::{Spf, SpfResult};
use serde::{Deserialize, Serialize};

pub use record::{DmarcRecord, Psd, parse};
use walk::{Found, Walked};

/// RFC 8601 §2.7 and RFC 9989 §4, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DmarcResult {
    Pass,
    /// No policy is published.
    None,
    TempError,
    PermError,
    Fail,
}

impl DmarcResult {
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// What the owner asks to be done with mail that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    None,
    Quarantine,
    Reject,
}

impl Policy {
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    /// RFC 9989 §4.7: `t=y` asks for the next milder treatment.
    fn milder(self) -> Self {
        match self {
            Self::Reject => Self::Quarantine,
            Self::Quarantine | Self::None => Self::None,
        }
    }
}

/// Which authenticated domains stand behind From.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alignment {
    pub spf: bool,
    pub dkim: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dmarc {
    pub result: DmarcResult,
    /// What is asked for on a fail, already softened by `t=y`.
    pub policy: Policy,
    pub alignment: Alignment,
    /// The domain in From; of several, the one with the worst result.
    pub domain: String,
    /// Where the policy was found; empty if nowhere.
    pub policy_domain: String,
    /// `t=y`: the owner is trying DMARC out.
    pub testing: bool,
}

impl Dmarc {
    fn told(result: DmarcResult, domain: &str) -> Self {
        Self {
            result,
            policy: Policy::None,
            alignment: Alignment::default(),
            domain: domain.to_owned(),
            policy_domain: String::new(),
            testing: false,
        }
    }
}

/// Judges From. A From of several domains is as good as its worst (RFC 9989 §5.3.1); of one with
/// more than are asked about nobody knows, and so it does not pass.
pub fn judge(authors: &Authors, spf: &Spf, dkim: &[Dkim], inquiry: &mut Inquiry<'_>) -> Dmarc {
    let asked = authors.domains.iter().take(AUTHOR_DOMAINS);
    let judged = asked.map(|domain| judge_author(domain, spf, dkim, inquiry));
    let unasked = authors.domains.get(AUTHOR_DOMAINS);
    let unasked = unasked.map(|domain| Dmarc::told(DmarcResult::Fail, domain));
    let worst = judged.chain(unasked).max_by_key(|dmarc| (dmarc.result, dmarc.policy));
    worst.unwrap_or_else(|| Dmarc::told(DmarcResult::PermError, ""))
}

fn judge_author(author: &str, spf: &Spf, dkim: &[Dkim], inquiry: &mut Inquiry<'_>) -> Dmarc {
    let walked = match walk::up(author, inquiry) {
        Walked::Done(found) => found,
        Walked::Failed => return Dmarc::told(DmarcResult::TempError, author),
    };
    let organisation = walk::organisation(author, &walked);
    let Some(applicable) = applicable(author, &organisation, &walked) else {
        return Dmarc::told(DmarcResult::None, author);
    };
    let Some(record) = applicable.record.enforceable() else {
        return Dmarc::told(DmarcResult::None, author);
    };
    let mut house = House { author, organisation: &organisation, inquiry, unsure: false };
    let spf_aligned =
        spf.result == SpfResult::Pass && house.aligned(&spf.domain, record.strict_spf);
    let dkim_aligned = dkim
        .iter()
        .filter(|signature| signature.vouches())
        .any(|signature| house.aligned(&signature.domain, record.strict_dkim));
    let unsure = house.unsure
        || spf.result == SpfResult::TempError
        || dkim.iter().any(|signature| signature.result == DkimResult::TempError);
    let alignment = Alignment { spf: spf_aligned, dkim: dkim_aligned };
    let policy = asked_policy(author, &applicable.domain, &record, inquiry);
    Dmarc {
        // RFC 9989 §5.3.5: what a failing DNS hides may have been a pass.
        result: match (alignment, unsure) {
            (Alignment { spf: false, dkim: false }, true) => DmarcResult::TempError,
            (Alignment { spf: false, dkim: false }, false) => DmarcResult::Fail,
            _ => DmarcResult::Pass,
        },
        policy: if record.testing { policy.milder() } else { policy },
        alignment,
        domain: author.to_owned(),
        policy_domain: applicable.domain.clone(),
        testing: record.testing,
    }
}

/// RFC 9989 §4.10.1: the author domain's record, else its organisation's, else the suffix's.
fn applicable<'f>(author: &str, organisation: &str, walked: &'f [Found]) -> Option<&'f Found> {
    let at = |domain: &str| walked.iter().find(|found| found.domain == domain);
    let suffix = || walked.iter().find(|found| found.record.psd == Psd::Yes);
    at(author).or_else(|| at(organisation)).or_else(suffix)
}

/// RFC 9989 §4.7: `p` for the record's own domain; `np` for names that do not exist, `sp` for
/// those that do, each falling back to the next.
fn asked_policy(
    author: &str,
    policy_domain: &str,
    record: &record::Enforceable,
    inquiry: &mut Inquiry<'_>,
) -> Policy {
    if author == policy_domain {
        return record.domain;
    }
    let existing = record.subdomain.unwrap_or(record.domain);
    match record.nonexistent {
        Some(policy) if !exists(author, inquiry) => policy,
        _ => existing,
    }
}

/// RFC 9989 §3.2.13: NXDOMAIN, and nothing else, says that a name does not exist.
fn exists(domain: &str, inquiry: &mut Inquiry<'_>) -> bool {
    inquiry.ask(domain, RecordKind::Address4) != Answer::NoSuchName
}

/// Compares domains with one author's.
struct House<'h, 'r> {
    author: &'h str,
    organisation: &'h str,
    inquiry: &'h mut Inquiry<'r>,
    /// Set when the DNS failed under a comparison.
    unsure: bool,
}

impl House<'_, '_> {
    /// RFC 9989 §4.4: identical, or (relaxed) of one organisation.
    fn aligned(&mut self, domain: &str, strict: bool) -> bool {
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        if domain == self.author {
            return true;
        }
        // Two names of one organisation both end in its name: no need to ask about others.
        let may_share = crate::resolver::is_at_or_below(&domain, self.organisation);
        if strict || !may_share {
            return false;
        }
        match walk::up(&domain, self.inquiry) {
            Walked::Done(walked) => walk::organisation(&domain, &walked) == self.organisation,
            Walked::Failed => {
                self.unsure = true;
                false
            }
        }
    }
}
