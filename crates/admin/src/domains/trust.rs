//! Whether senders can believe what an enforced MTA-STS policy promises: they take it from, and
//! then hand mail to, names whose certificates a public authority issued (RFC 8461 §3.3, §4.1).

use super::words::{Gap, gap};
use crate::peers::{Peers, Refusal};
use serde_json::{Value, json};
use std::collections::HashSet;
use terms::Kind;
use wire::directory::Domain;
use wire::pages::{TransportMode, TransportPolicy};
use wire::signer::{FromSigner, NAMES, ToSigner};

/// The host that publishes a domain's policy.
fn policy_host(domain: &str) -> String {
    format!("mta-sts.{domain}")
}

/// Those of these names that only our own authority vouches for.
fn unproven(peers: &mut Peers<'_>, names: &[String]) -> Result<HashSet<String>, Refusal> {
    let mut found = HashSet::new();
    for names in names.chunks(NAMES) {
        match peers.ask(Kind::Signer, &ToSigner::Unproven { names: names.to_vec() })? {
            FromSigner::Unproven(names) => found.extend(names),
            _ => return Err(Refusal::Fault("the signer has no keys now".to_owned())),
        }
    }
    Ok(found)
}

/// What keeps an enforced policy from being kept. `publishes_here`: its host leads to our pages.
pub fn doubts(
    peers: &mut Peers<'_>,
    domain: &str,
    transport: TransportPolicy,
    publishes_here: bool,
) -> Result<Vec<(Gap, String)>, Refusal> {
    if transport.mode != TransportMode::Enforce {
        return Ok(Vec::new());
    }
    let (host, policy) = (peers.host_name().to_owned(), policy_host(domain));
    let found = unproven(peers, &[host.clone(), policy.clone()])?;
    let of_policy = (publishes_here && found.contains(&policy)).then_some(policy);
    let of_host = found.contains(&host).then_some(host);
    let of_policy = of_policy.map(|name| (Gap::PolicyUnproven, name));
    Ok(of_policy.into_iter().chain(of_host.map(|name| (Gap::HostUnproven, name))).collect())
}

/// The same for whoever has just set it. The policy may be published elsewhere, too: that the DNS
/// alone knows.
pub fn warnings(peers: &mut Peers<'_>, domain: &str, transport: TransportPolicy) -> Vec<Value> {
    let publishes_here = !peers.pages_host().is_empty();
    // Set it is, whoever is away.
    let found = doubts(peers, domain, transport, publishes_here).unwrap_or_default();
    let told = |(what, name): &(Gap, String)| {
        let words = gap(*what).json();
        json!({ "code": what.code(), "detail": name, "what": words })
    };
    found.iter().map(told).collect()
}

/// The names of each enforcing domain that nobody outside trusts; `None`: the signer is away.
pub fn of_all(peers: &mut Peers<'_>, domains: &[Domain]) -> Option<Vec<Vec<String>>> {
    let has_pages = !peers.pages_host().is_empty();
    let host = peers.host_name().to_owned();
    let asked = |one: &Domain| match one.transport.mode {
        TransportMode::Enforce if has_pages => vec![policy_host(&one.domain), host.clone()],
        TransportMode::Enforce => vec![host.clone()],
        TransportMode::Testing | TransportMode::None => Vec::new(),
    };
    let asked: Vec<Vec<String>> = domains.iter().map(asked).collect();
    let mut names = asked.concat();
    names.sort_unstable();
    names.dedup();
    let found = unproven(peers, &names).ok()?;
    let are_unproven = |names: Vec<String>| names.into_iter().filter(|one| found.contains(one));
    Some(asked.into_iter().map(|names| are_unproven(names).collect()).collect())
}
