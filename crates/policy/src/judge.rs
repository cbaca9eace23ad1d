//! One message, one recipient, one verdict.

use crate::authentication::{self, Authentication, DmarcPolicy, Outcome, PASSED};
use terms::{Finding, Verdict};

/// Points that a sender on the recipient's allow list is given. Malware, bombs and a domain's own
/// wish (DMARC) are not weighed in points, so no list excuses them.
const ALLOWED_WEIGHT: f32 = -8.0;

/// What one tenant decided: scores from which something is done, and whether DMARC is obeyed.
#[derive(Clone, Debug, PartialEq)]
pub struct HouseRules {
    pub tag_from: f32,
    pub junk_from: f32,
    pub quarantine_from: f32,
    pub refuse_from: f32,
    pub obey_dmarc: bool,
    /// Domains whose word about what they passed on (ARC) is taken.
    pub trusted_sealers: Vec<String>,
}

impl Default for HouseRules {
    fn default() -> Self {
        Self {
            tag_from: 4.0,
            junk_from: 6.0,
            quarantine_from: 10.0,
            refuse_from: 20.0,
            obey_dmarc: true,
            trusted_sealers: Vec::new(),
        }
    }
}

/// All that judgement knows.
pub struct Facts<'a> {
    pub findings: &'a [Finding],
    /// `None`: authentication was not run; that is no fact, not a failure.
    pub authentication: Option<&'a Authentication>,
    pub house: &'a HouseRules,
    /// The recipient's allow list names the (authenticated) sender.
    pub allowed: bool,
    /// The message was put off for as long as is bearable: now it is judged by what is known.
    pub waited: bool,
}

/// The verdict for one recipient.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    pub verdict: Verdict,
    pub score: f32,
    /// Heaviest first; the words are `why(id, …)`.
    pub reasons: Vec<Finding>,
}

/// Judges one message for one recipient.
pub fn judge(facts: &Facts<'_>) -> Judged {
    let mut reasons = facts.findings.to_vec();
    if let Some(results) = facts.authentication {
        reasons.extend(authentication::findings(results, facts.house));
    }
    if reasons.iter().any(|finding| deceives(&finding.id)) {
        // Whoever wears another's name has proven no more than their own: that excuses none of it.
        reasons.iter_mut().filter(|one| one.id == PASSED).for_each(|one| one.weight = 0.0);
    }
    if facts.allowed {
        reasons.push(Finding::new("policy.allowed", ALLOWED_WEIGHT, ""));
    }
    reasons.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    let score = score(&reasons);
    let by_score = by_score(score, facts.house);
    let by_finding = reasons.iter().map(|finding| floor(&finding.id)).max();
    let by_domain = facts.authentication.map(|results| wish_of_domain(results, facts.house));
    let verdict = [Some(by_score), by_finding, by_domain].into_iter().flatten().max();
    let verdict = match verdict.unwrap_or(Verdict::Deliver) {
        // What is refused anyway need not be sent again.
        Verdict::Refuse => Verdict::Refuse,
        _ if waits_for_dns(facts) => Verdict::Defer,
        verdict => verdict,
    };
    Judged { verdict, score, reasons }
}

/// Whether a finding says that the sender shows somebody else than who writes.
fn deceives(id: &str) -> bool {
    matches!(id, "content.sender.display" | "content.sender.house")
        || id.starts_with("content.lookalike.")
}

/// Whether the DNS, had it answered, might have decided: it is asked again later rather than
/// guessed at. RFC 9989 §5.3.5, RFC 7489 §6.6.2.
fn waits_for_dns(facts: &Facts<'_>) -> bool {
    let Some(results) = facts.authentication else { return false };
    results.dmarc == Outcome::TempError
        && results.dmarc_policy != DmarcPolicy::None
        && facts.house.obey_dmarc
        && !facts.waited
        && authentication::trusted(results, &facts.house.trusted_sealers).is_none()
}

/// Each id counts once, at its heaviest: a thousand equal oddities are one oddity.
fn score(sorted: &[Finding]) -> f32 {
    let mut counted: Vec<&str> = Vec::new();
    let mut score = 0.0;
    for finding in sorted {
        // A compromised scanner can lie; it cannot make a sum that is no number.
        if finding.weight.is_finite() && !counted.contains(&finding.id.as_str()) {
            counted.push(&finding.id);
            score += finding.weight.clamp(-100.0, 100.0);
        }
    }
    score
}

fn by_score(score: f32, house: &HouseRules) -> Verdict {
    match score {
        score if score >= house.refuse_from => Verdict::Refuse,
        score if score >= house.quarantine_from => Verdict::Quarantine,
        score if score >= house.junk_from => Verdict::Junk,
        score if score >= house.tag_from => Verdict::Tag,
        _ => Verdict::Deliver,
    }
}

/// What a finding demands by itself, whatever the score and whoever is on a list.
fn floor(id: &str) -> Verdict {
    match id {
        "content.eicar" | "content.malware" | "auth.house" => Verdict::Refuse,
        "content.gtube" => Verdict::Junk,
        "scanner.killed" | "scanner.silent" => Verdict::Quarantine,
        // Nobody has looked at the whole of it.
        "mime.parts.many" | "mime.depth.great" | "mime.header.many" | "mime.parameter.many" => {
            Verdict::Quarantine
        }
        "mime.unwalked" | "mime.partial" => Verdict::Quarantine,
        id if id.starts_with("content.bomb.") => Verdict::Quarantine,
        // Nobody has looked inside: the reader sees that, whoever sent it.
        "content.archive.encrypted" | "content.archive.opaque" | "content.archive.method" => {
            Verdict::Tag
        }
        "content.office.encrypted" | "content.pdf.encrypted" | "content.unexamined" => Verdict::Tag,
        _ => Verdict::Deliver,
    }
}

/// RFC 9989 §5.3: the owner of the domain in From says what becomes of mail that is not its own;
/// a trusted forwarder's chain (RFC 8617) may speak for it.
fn wish_of_domain(results: &Authentication, house: &HouseRules) -> Verdict {
    let is_vouched = authentication::trusted(results, &house.trusted_sealers).is_some();
    if !house.obey_dmarc || results.dmarc != Outcome::Fail || is_vouched {
        return Verdict::Deliver;
    }
    match results.dmarc_policy {
        DmarcPolicy::Reject => Verdict::Refuse,
        DmarcPolicy::Quarantine => Verdict::Quarantine,
        DmarcPolicy::None | DmarcPolicy::Unknown => Verdict::Deliver,
    }
}
