//! What sender authentication found, as far as judgement needs it, and what it weighs.

use crate::judge::HouseRules;
use serde::{Deserialize, Serialize};
use terms::Finding;

/// DMARC passed.
pub const PASSED: &str = "auth.dmarc.pass";

/// One result of RFC 8601 §2.7, the rare ones folded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    #[default]
    None,
    Pass,
    Fail,
    SoftFail,
    Neutral,
    /// Nobody could say now.
    TempError,
    PermError,
}

/// What the domain in From asks to be done with mail that is not its own (RFC 9989).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DmarcPolicy {
    #[default]
    None,
    Quarantine,
    Reject,
    /// The DNS failed before the domain could say.
    Unknown,
}

/// One who passed the message on, as the chain of ARC has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealer {
    pub domain: String,
    /// It had found that DMARC passed for the very domain that is in From now.
    pub found_pass: bool,
}

/// Whom mail from outside says to come from, where it is one of us and nothing proves it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    #[default]
    Nobody,
    /// A domain of a tenant here.
    Tenant,
    /// The house itself, which writes to its people by no way that leads through outside.
    House,
}

/// How From names its authors, where that is not as RFC 5322 wants it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorForm {
    /// Distinct domains that From names; of a crowd the first ones.
    pub domains: Vec<String>,
    /// More than DMARC is asked about.
    pub is_many: bool,
    /// More than stand in `domains`.
    pub is_crowd: bool,
    /// It names nobody.
    pub is_nobody: bool,
    /// Then the domains of Sender, which readers show in its place.
    pub spokesmen: Vec<String>,
    /// A domain that is written otherwise than it is shown; else empty.
    pub disguised: String,
    /// The domain of an address that only some readers take for the author's; else empty.
    pub hidden: String,
}

/// The facts of SPF, DKIM, DMARC and ARC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authentication {
    pub spf: Outcome,
    /// The best of all signatures. One of a part only, or by a key on trial, is neutral.
    pub dkim: Outcome,
    pub dmarc: Outcome,
    pub dmarc_policy: DmarcPolicy,
    /// The domain in From, for the words.
    pub from_domain: String,
    pub arc: Outcome,
    /// Of a chain that passes, from first to last.
    pub sealers: Vec<Sealer>,
    /// A signature that holds is the author's own domain's: it holds wherever the message goes.
    pub author_signed: bool,
    /// Whose signature holds of the beginning of the body alone, where nobody signed the whole.
    pub partly_signed: String,
    /// One holds that is the author's own domain's, by a key that is for TLS reports alone (RFC
    /// 8460 §3). It says nothing of other mail.
    pub report_signed: bool,
    /// What the house finds, which knows whose domains are here; no scanner can say it.
    #[serde(skip)]
    pub claim: Claim,
    /// The domain that is claimed so.
    #[serde(skip)]
    pub claimed: String,
    pub form: AuthorForm,
}

/// The sealer whose word is taken: it found DMARC to pass, it is trusted, and so is everybody who
/// had the message after it. RFC 8617 §7.2.1: a chain that passes says only who they are.
pub(crate) fn trusted<'f>(facts: &'f Authentication, trusted: &[String]) -> Option<&'f str> {
    if facts.arc != Outcome::Pass {
        return None;
    }
    let is_trusted = |sealer: &&Sealer| trusted.contains(&sealer.domain);
    let mut believed = facts.sealers.iter().rev().take_while(is_trusted);
    believed.find(|sealer| sealer.found_pass).map(|sealer| sealer.domain.as_str())
}

/// The findings that authentication amounts to.
pub(crate) fn findings(facts: &Authentication, house: &HouseRules) -> Vec<Finding> {
    let domain = facts.from_domain.as_str();
    let mut found = Vec::new();
    if facts.claim == Claim::House {
        found.push(Finding::new("auth.house", 20.0, claimed(facts)));
    }
    found.extend(oddities(&facts.form));
    if facts.dmarc != Outcome::Pass
        && let Some(sealer) = trusted(facts, &house.trusted_sealers)
    {
        // Its word stands for what the way here has broken: SPF, signatures, and so DMARC.
        found.push(Finding::new("auth.arc.trusted", -0.5, sealer));
        return found;
    }
    if facts.claim == Claim::Tenant {
        found.push(Finding::new("auth.own", 6.5, claimed(facts)));
    }
    // Some sign so, that the foot below may change; and whoever has one such letter can write a new
    // one under it. Where SPF proves who sent it, that does not matter.
    if facts.dmarc != Outcome::Pass && !facts.partly_signed.is_empty() {
        found.push(Finding::new("auth.dkim.partial", 2.0, facts.partly_signed.as_str()));
    }
    let mut note = |id: &str, weight: f32| found.push(Finding::new(id, weight, domain));
    match facts.dmarc {
        // Nothing stands between the sender and a pass, so it excuses little.
        Outcome::Pass => note(PASSED, -0.5),
        Outcome::Fail => match facts.dmarc_policy {
            DmarcPolicy::None | DmarcPolicy::Unknown => note("auth.dmarc.fail", 2.0),
            DmarcPolicy::Quarantine => note("auth.dmarc.quarantine", 5.0),
            DmarcPolicy::Reject => note("auth.dmarc.reject", 8.0),
        },
        Outcome::TempError => note("auth.dmarc.temperror", 0.5),
        // Without an author there is no domain whose policy could be broken.
        Outcome::PermError if facts.form.is_nobody => {}
        Outcome::PermError => note("auth.dmarc.permerror", 0.5),
        Outcome::None | Outcome::SoftFail | Outcome::Neutral => {}
    }
    if facts.dmarc != Outcome::Pass {
        match facts.spf {
            // A forwarder breaks SPF; a signature that still holds speaks for one.
            Outcome::Fail if facts.dkim == Outcome::Pass => note("auth.spf.fail", 2.0),
            Outcome::Fail => note("auth.spf.fail", 4.5),
            Outcome::SoftFail => note("auth.spf.softfail", 1.0),
            Outcome::PermError => note("auth.spf.permerror", 0.5),
            _ => {}
        }
        if facts.dkim == Outcome::Fail {
            note("auth.dkim.fail", 0.5);
        }
        let unknown = |outcome| matches!(outcome, Outcome::None | Outcome::Neutral);
        // Old servers write their notices in nobody's name and sign nothing: that is junk, and no
        // reason to keep from people that their mail came back.
        if unknown(facts.spf) && unknown(facts.dkim) && !facts.form.is_nobody {
            note("auth.none", 0.5);
        }
    }
    if facts.arc == Outcome::Fail {
        note("auth.arc.fail", 0.5);
    }
    found
}

fn claimed(facts: &Authentication) -> &str {
    match facts.claimed.as_str() {
        "" => &facts.from_domain,
        claimed => claimed,
    }
}

/// Ways to be shown as another than the one who was judged. Each is junk even if DMARC passed.
fn oddities(form: &AuthorForm) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut note =
        |id: &str, weight: f32, detail: &str| found.push(Finding::new(id, weight, detail));
    if form.is_nobody {
        note("auth.from.nobody", 6.5, "");
    }
    if form.is_many {
        // Of a crowd nobody can look up all names: it is refused as if the worst were among them.
        note("auth.from.many", if form.is_crowd { 25.0 } else { 6.5 }, "");
    }
    if !form.disguised.is_empty() {
        note("auth.from.disguised", 6.5, &form.disguised);
    }
    if !form.hidden.is_empty() {
        note("auth.from.hidden", 6.5, &form.hidden);
    }
    found
}
