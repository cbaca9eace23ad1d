//! Results of sender authentication as the facts that judgement takes.

use mailauth::{ArcResult, AuthResults, DkimResult, DmarcResult, SpfResult};
use policy::{Authentication, DmarcPolicy, Outcome};

/// Folds the results. No house names trusted forwarders yet, so `arc_trusted` stays false.
pub fn authentication(results: &AuthResults) -> Authentication {
    Authentication {
        spf: spf(results.spf.result),
        dkim: best_signature(results),
        dmarc: dmarc(results.dmarc.result),
        dmarc_policy: match results.dmarc.policy {
            mailauth::Policy::None => DmarcPolicy::None,
            mailauth::Policy::Quarantine => DmarcPolicy::Quarantine,
            mailauth::Policy::Reject => DmarcPolicy::Reject,
        },
        from_domain: results.dmarc.domain.clone(),
        arc: match results.arc.result {
            ArcResult::None => Outcome::None,
            ArcResult::Pass => Outcome::Pass,
            ArcResult::Fail => Outcome::Fail,
        },
        arc_trusted: false,
    }
}

fn spf(result: SpfResult) -> Outcome {
    match result {
        SpfResult::None => Outcome::None,
        SpfResult::Neutral => Outcome::Neutral,
        SpfResult::Pass => Outcome::Pass,
        SpfResult::Fail => Outcome::Fail,
        SpfResult::SoftFail => Outcome::SoftFail,
        SpfResult::TempError => Outcome::TempError,
        SpfResult::PermError => Outcome::PermError,
    }
}

fn dmarc(result: DmarcResult) -> Outcome {
    match result {
        DmarcResult::None => Outcome::None,
        DmarcResult::Pass => Outcome::Pass,
        DmarcResult::Fail => Outcome::Fail,
        DmarcResult::TempError => Outcome::TempError,
        DmarcResult::PermError => Outcome::PermError,
    }
}

/// One good signature is enough (RFC 6376 §6.1); else the first speaks for all.
fn best_signature(results: &AuthResults) -> Outcome {
    let mut outcomes = results.dkim.iter().map(|signature| match signature.result {
        DkimResult::None => Outcome::None,
        DkimResult::Pass => Outcome::Pass,
        DkimResult::Fail => Outcome::Fail,
        DkimResult::Policy | DkimResult::Neutral => Outcome::Neutral,
        DkimResult::TempError => Outcome::TempError,
        DkimResult::PermError => Outcome::PermError,
    });
    let first = outcomes.next().unwrap_or_default();
    match outcomes.any(|outcome| outcome == Outcome::Pass) {
        true => Outcome::Pass,
        false => first,
    }
}
