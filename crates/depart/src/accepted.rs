//! Who took a leg, and with which words: gathered until the directory is told, for those who trace
//! a letter later. No letter waits for it, and none is lost with it.

use crate::fates::{Fate, Leg, Taken};
use crate::neighbours::{Neighbours, canonical};
use crate::trust::Demand;
use compartment::now_ms;
use mime::Entry;
use std::collections::HashSet;
use std::net::IpAddr;
use terms::UserId;
use wire::accepted::{Accepted, OF_LEG, PEOPLE, Safety, fit};

/// Whom a connection reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Met {
    host: String,
    address: IpAddr,
    safety: Safety,
    tls: Option<String>,
}

impl Met {
    pub(crate) fn new(host: &str, address: IpAddr, (tls, demand): (Option<&str>, &Demand)) -> Self {
        let safety = match demand {
            Demand::Nothing | Demand::Watched(_) => Safety::Anybody,
            Demand::AnyTls => Safety::Demanded,
            Demand::Named(_) => Safety::Certificate,
            Demand::Keys { .. } => Safety::Dane,
        };
        Self { host: fit(host), address, safety, tls: tls.map(fit) }
    }
}

/// What there is to tell of a leg that came to an end, or to a pause.
pub(crate) fn note(leg: &Leg, house: &mut Neighbours) {
    // A notice is the house's own.
    if !leg.envelope.from.is_empty() {
        let lines = lines(leg, now_ms());
        house.tally.accept(lines);
    }
}

/// Colleagues of the sender who have it in their mailboxes: those of `people` (with the addresses
/// by which they do) whom its header names. Who was written to in secret, or stands behind a group,
/// is nobody's to read who looks for another.
pub(crate) fn note_kept(
    leg: &Leg,
    header: &[u8],
    people: impl Iterator<Item = (UserId, Vec<String>)>,
    house: &mut Neighbours,
) {
    if leg.envelope.from.is_empty() {
        return;
    }
    let named = named(header);
    let is_named = |addresses: &[String]| {
        addresses.iter().filter_map(|one| folded(one)).any(|one| named.contains(&one))
    };
    let people: Vec<UserId> =
        people.filter(|(_, addresses)| is_named(addresses)).map(|(user, _)| user).collect();
    let at_ms = now_ms();
    let line = |people: &[UserId]| Accepted {
        message: leg.load.message,
        leg: leg.load.leg,
        at_ms,
        recipients: u16::try_from(people.len()).unwrap_or(u16::MAX),
        host: String::new(),
        address: None,
        people: people.to_vec(),
        safety: Safety::Anybody,
        tls: None,
        words: String::new(),
    };
    house.tally.accept(people.chunks(PEOPLE).map(line).collect());
}

fn folded(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    canonical(&format!("{}@{domain}", terms::folded_local(local)))
}

/// To and Cc of a header, in one spelling.
fn named(header: &[u8]) -> HashSet<String> {
    let (message, _) = mime::parse(header);
    let Some(root) = message.part(0) else { return HashSet::new() };
    let fields = ["to", "cc"].into_iter().flat_map(|name| message.values(root, name));
    let entries = fields.flat_map(|value| mime::addresses(&value));
    let address = |entry: Entry| match entry {
        Entry::Mailbox(address) => folded(&address.address()),
        Entry::GroupStart(_) | Entry::GroupEnd => None,
    };
    entries.filter_map(address).collect()
}

fn lines(leg: &Leg, at_ms: u64) -> Vec<Accepted> {
    let mut lines: Vec<Accepted> = Vec::new();
    for fate in &leg.fates {
        let Fate::Sent(Taken { met: Some(met), answer, .. }) = fate else { continue };
        let words = answer.as_deref().map(fit).unwrap_or_default();
        let is_full = lines.len() >= OF_LEG;
        let known = lines.iter_mut().find(|one| {
            one.words == words && one.host == met.host && one.address == Some(met.address)
        });
        match known {
            Some(known) => known.recipients = known.recipients.saturating_add(1),
            None if is_full => {}
            None => lines.push(Accepted {
                message: leg.load.message,
                leg: leg.load.leg,
                at_ms,
                recipients: 1,
                host: met.host.clone(),
                address: Some(met.address),
                people: Vec::new(),
                safety: met.safety,
                tls: met.tls.clone(),
                words,
            }),
        }
    }
    lines
}
