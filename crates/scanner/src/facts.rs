//! Results of sender authentication as the facts that judgement takes.

use mailauth::{ArcResult, AuthResults, DkimResult, DmarcResult, SpfResult};
use policy::{Authentication, AuthorForm, DmarcPolicy, Outcome, Sealer};

/// Folds the results. Whose seals are believed, each tenant says; here stands only what is sealed.
pub fn authentication(results: &AuthResults) -> Authentication {
    Authentication {
        spf: spf(results.spf.result),
        dkim: best_signature(results),
        dmarc: dmarc(results.dmarc.result),
        dmarc_policy: match results.dmarc.policy {
            _ if is_unknown(&results.dmarc) => DmarcPolicy::Unknown,
            mailauth::Policy::None => DmarcPolicy::None,
            mailauth::Policy::Quarantine => DmarcPolicy::Quarantine,
            mailauth::Policy::Reject => DmarcPolicy::Reject,
        },
        claim: policy::Claim::default(),
        claimed: String::new(),
        form: form(&results.authors),
        from_domain: results.dmarc.domain.clone(),
        arc: match results.arc.result {
            ArcResult::None => Outcome::None,
            ArcResult::Pass => Outcome::Pass,
            ArcResult::Fail => Outcome::Fail,
        },
        sealers: sealers(results),
        author_signed: is_signed_by_author(results),
        partly_signed: partly_signed(results),
        report_signed: results.dkim.iter().any(|signature| {
            signature.holds_of_report
                && signature.unsigned_octets == 0
                && !signature.testing
                && signature.domain == results.dmarc.domain
        }),
    }
}

fn form(authors: &mailauth::Authors) -> AuthorForm {
    AuthorForm {
        domains: authors.domains.clone(),
        is_many: authors.domains.len() > mailauth::AUTHOR_DOMAINS,
        is_crowd: authors.is_crowd,
        is_nobody: authors.is_nobody,
        spokesmen: authors.spokesmen.clone(),
        disguised: authors.disguised.clone(),
        hidden: authors.hidden.clone(),
    }
}

/// As DMARC aligns it, or, where a domain has no policy, by that very domain.
fn is_signed_by_author(results: &AuthResults) -> bool {
    let is_its_own = |signature: &mailauth::Dkim| {
        let domain = &results.dmarc.domain;
        signature.vouches() && signature.domain == *domain
    };
    results.dmarc.alignment.dkim || results.dkim.iter().any(is_its_own)
}

/// The first who signed no more than the beginning, where nobody signed the whole.
fn partly_signed(results: &AuthResults) -> String {
    let holds = |signature: &&mailauth::Dkim| signature.result == DkimResult::Pass;
    let mut held = results.dkim.iter().filter(holds);
    match held.clone().any(mailauth::Dkim::is_of_all) {
        true => String::new(),
        false => held.next().map(|signature| signature.domain.clone()).unwrap_or_default(),
    }
}

/// The walk to the policy failed: nobody knows what the domain would ask for.
fn is_unknown(dmarc: &mailauth::Dmarc) -> bool {
    dmarc.result == DmarcResult::TempError && dmarc.policy_domain.is_empty()
}

fn sealers(results: &AuthResults) -> Vec<Sealer> {
    let from = results.dmarc.domain.as_str();
    let passes = results.arc.dmarc_passes.iter();
    let sets = results.arc.sealers.iter().zip(passes);
    let sealer = |(domain, pass): (&String, &String)| Sealer {
        domain: domain.clone(),
        found_pass: !from.is_empty() && pass == from,
    };
    sets.map(sealer).collect()
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
        DkimResult::Pass if signature.vouches() => Outcome::Pass,
        // It holds, and speaks for nobody.
        DkimResult::Pass => Outcome::Neutral,
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

#[cfg(test)]
mod tests {
    use super::authentication;
    use mailauth::{Dkim, DkimResult, Envelope};
    use policy::Outcome;

    fn signature(domain: &str, unsigned_octets: u64, testing: bool) -> Dkim {
        Dkim {
            result: DkimResult::Pass,
            reason: String::new(),
            domain: domain.to_owned(),
            selector: "s".to_owned(),
            identity: format!("@{domain}"),
            algorithm: "rsa-sha256".to_owned(),
            signature_start: String::new(),
            unsigned_octets,
            testing,
            key_bits: 2_048,
            holds_of_report: false,
        }
    }

    #[test]
    fn a_signature_of_a_part_or_on_trial_is_neutral() {
        let envelope = Envelope {
            client_ip: "192.0.2.1".parse().unwrap(),
            helo: "x.test",
            mail_from: "",
            our_name: "mx.example.jp",
            now: 1_800_000_000,
        };
        let check = |dkim: &[Dkim], expected: (Outcome, bool, &str)| {
            let message = b"From: a@kaede.example\r\n\r\nhello\r\n";
            let mut results = mailauth::check(&envelope, message, &mut crate::NoDns);
            results.dmarc.domain = "kaede.example".to_owned();
            results.dkim = dkim.to_vec();
            let facts = authentication(&results);
            let found = (facts.dkim, facts.author_signed, facts.partly_signed.as_str());
            assert_eq!(found, expected);
        };
        let whole = signature("kaede.example", 0, false);
        let part = signature("kaede.example", 16, false);
        let trial = signature("kaede.example", 0, true);
        check(&[], (Outcome::None, false, ""));
        check(std::slice::from_ref(&whole), (Outcome::Pass, true, ""));
        check(std::slice::from_ref(&part), (Outcome::Neutral, false, "kaede.example"));
        check(std::slice::from_ref(&trial), (Outcome::Neutral, false, ""));
        check(&[part, whole], (Outcome::Pass, true, ""));
    }
}
