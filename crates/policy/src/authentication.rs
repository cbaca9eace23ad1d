//! What sender authentication found, as far as judgement needs it, and what it weighs.

use serde::{Deserialize, Serialize};
use terms::Finding;

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
}

/// The facts of SPF, DKIM, DMARC and ARC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authentication {
    pub spf: Outcome,
    /// The best of all signatures.
    pub dkim: Outcome,
    pub dmarc: Outcome,
    pub dmarc_policy: DmarcPolicy,
    /// The domain in From, for the words.
    pub from_domain: String,
    pub arc: Outcome,
    /// The chain passes, and its last sealer is one that this house believes.
    pub arc_trusted: bool,
}

/// The findings that authentication amounts to.
pub(crate) fn findings(facts: &Authentication) -> Vec<Finding> {
    let domain = facts.from_domain.as_str();
    let mut found = Vec::new();
    let mut note = |id: &str, weight: f32| found.push(Finding::new(id, weight, domain));
    match facts.dmarc {
        // Nothing stands between the sender and a pass, so it excuses little.
        Outcome::Pass => note("auth.dmarc.pass", -0.5),
        Outcome::Fail => match facts.dmarc_policy {
            DmarcPolicy::None => note("auth.dmarc.fail", 2.0),
            DmarcPolicy::Quarantine => note("auth.dmarc.quarantine", 5.0),
            DmarcPolicy::Reject => note("auth.dmarc.reject", 8.0),
        },
        Outcome::TempError => note("auth.dmarc.temperror", 0.5),
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
        if unknown(facts.spf) && unknown(facts.dkim) {
            note("auth.none", 0.5);
        }
    }
    match facts.arc {
        Outcome::Pass if facts.arc_trusted => note("auth.arc.trusted", -0.5),
        Outcome::Fail => note("auth.arc.fail", 0.5),
        _ => {}
    }
    found
}
