//! Mail from outside that says it is ours. The house's own name is the author of its letters ("your
//! message is held, was it you?"), and a colleague's address is what people trust most: whoever
//! writes as either proves it, whether or not the domain publishes a policy.

use crate::arrival::Received;
use crate::neighbours::Neighbours;
use policy::{Authentication, Claim, Outcome};
use smtp::Address;
use std::collections::HashMap;

/// Domains looked up for one message: all that a scanner remembers, twice, and room. A scanner that
/// was taken over may name more.
const NAMED: usize = 80;
/// Labels of a domain of ours, counted from the end: nobody has one so deep.
const LABELS: usize = 8;
/// Domains above those, looked up for one message. Whoever writes in the name of more shows none.
const ABOVE: usize = 200;

/// Whose it says to be, where that is us and nothing proves it, and by which domain. Every author
/// counts, and Sender where there is none: readers may show any of them. A name below a domain of
/// ours is ours as well: whoever reads it knows no better.
pub(crate) fn claim(
    received: &Received,
    facts: &Authentication,
    house: &mut Neighbours,
) -> (Claim, String) {
    let from = received.offered.from.as_ref();
    let host = house.host_name().trim_end_matches('.').to_ascii_lowercase();
    let mut worst = (Claim::Nobody, String::new());
    let mut known = HashMap::new();
    for domain in named(facts) {
        if is_proven(from, facts, &domain) {
            continue;
        }
        let claim = match house.has_domain(&domain) {
            true => Claim::Tenant,
            // A house may be called like a domain of its tenants, whose people write from
            // elsewhere.
            false if is_at_or_below(&domain, &host) => Claim::House,
            false if is_below_ours(&domain, &mut known, house) => Claim::Tenant,
            false => Claim::Nobody,
        };
        if claim > worst.0 {
            worst = (claim, domain);
        }
    }
    worst
}

/// Whether a name stands below a domain of a tenant's. What was asked for a message is known.
fn is_below_ours(domain: &str, known: &mut HashMap<String, bool>, house: &mut Neighbours) -> bool {
    above(domain).any(|above| match known.get(above) {
        Some(is_ours) => *is_ours,
        None if known.len() >= ABOVE => true,
        None => *known.entry(above.to_owned()).or_insert(house.has_domain(above)),
    })
}

/// The domains above a name, but for those at the top.
fn above(domain: &str) -> impl Iterator<Item = &str> {
    let dots = domain.match_indices('.').map(|(at, _)| at);
    let above = dots.filter_map(|at| domain.get(at + 1..));
    above.filter(|above| (1..LABELS).contains(&above.matches('.').count()))
}

/// The domains that it names, each once.
fn named(facts: &Authentication) -> Vec<String> {
    let others = facts.form.domains.iter().chain(&facts.form.spokesmen);
    let mut named: Vec<String> = Vec::new();
    for domain in std::iter::once(&facts.from_domain).chain(others).take(NAMED) {
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        if !domain.is_empty() && !named.contains(&domain) {
            named.push(domain);
        }
    }
    named
}

/// By DMARC; by a signature of the author's domain; or by SPF of an envelope of that domain.
fn is_proven(from: Option<&Address>, facts: &Authentication, domain: &str) -> bool {
    let envelope = from.map(|from| from.domain().trim_end_matches('.').to_ascii_lowercase());
    let is_its_own = envelope.is_some_and(|envelope| {
        is_at_or_below(&envelope, domain) || is_at_or_below(domain, &envelope)
    });
    let is_author = facts.from_domain.trim_end_matches('.').eq_ignore_ascii_case(domain);
    facts.dmarc == Outcome::Pass
        || (facts.author_signed && is_author)
        || (facts.spf == Outcome::Pass && is_its_own)
}

fn is_at_or_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::{above, is_at_or_below, is_proven};
    use policy::{Authentication, Outcome};
    use smtp::Address;

    #[test]
    fn a_domain_is_proven_by_its_own_envelope_or_signature() {
        let check = |spf, author_signed, from: Option<&str>, expected: bool| {
            let from_domain = "example.jp".to_owned();
            let facts =
                Authentication { spf, author_signed, from_domain, ..Authentication::default() };
            let from = from.map(|from| Address::parse(from).unwrap());
            let found = is_proven(from.as_ref(), &facts, "example.jp");
            assert_eq!(found, expected, "{spf:?} {author_signed} {from:?}");
        };
        check(Outcome::Pass, false, Some("a@example.jp"), true);
        check(Outcome::Pass, false, Some("a@news.example.jp"), true);
        check(Outcome::Pass, false, Some("a@att.example"), false);
        check(Outcome::Pass, false, Some("a@badexample.jp"), false);
        check(Outcome::Pass, false, None, false);
        check(Outcome::Fail, false, Some("a@example.jp"), false);
        check(Outcome::Fail, true, Some("a@att.example"), true);
        // A signature proves its own author, and nobody who stands beside him.
        let from_domain = "att.example".to_owned();
        let facts =
            Authentication { author_signed: true, from_domain, ..Authentication::default() };
        assert!(!is_proven(None, &facts, "example.jp"));
    }

    #[test]
    fn what_stands_above_a_name() {
        let check = |name: &str, expected: &[&str]| {
            assert_eq!(above(name).collect::<Vec<_>>(), expected, "{name}");
        };
        check("a.hr.kaede.example", &["hr.kaede.example", "kaede.example"]);
        check("kaede.example", &[]);
        check("", &[]);
        assert_eq!(above(&format!("{}a", "a.".repeat(120))).count(), 7);
    }

    #[test]
    fn a_name_below() {
        assert!(is_at_or_below("mx.example.jp", "mx.example.jp"));
        assert!(is_at_or_below("a.mx.example.jp", "mx.example.jp"));
        assert!(!is_at_or_below("amx.example.jp", "mx.example.jp"));
        assert!(!is_at_or_below("example.jp", "mx.example.jp"));
    }
}
