//! What the DNS says of a domain, against what it should say; and the ways around us.

use super::asking::{Dns, Found};
use super::spf::{self, Others};
use super::wanted::{Topic, Wanted};
use super::words::{Gap, Todo, UNUSED_ALLOW, gap, purpose, todo};
use mailauth::dmarc;
use mailauth::spf::SpfResult;
use serde_json::{Value, json};
use std::net::IpAddr;
use wire::names::{Record, RecordKind, Security};

/// Names above a domain that are asked for its policy (RFC 9989 §4.10).
const PARENTS: usize = 7;

/// How one record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Good,
    Missing,
    Wrong,
    /// The DNS gave no answer.
    Unknown,
    /// Absent, or somebody else's, and mail goes well without it.
    Advised,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Missing => "missing",
            Self::Wrong => "wrong",
            Self::Unknown => "unknown",
            Self::Advised => "advised",
        }
    }

    fn is_wanting(self) -> bool {
        matches!(self, Self::Missing | Self::Wrong | Self::Unknown)
    }
}

/// One record, looked at.
pub struct Checked {
    pub found: Vec<String>,
    pub state: State,
    pub todo: Option<Todo>,
}

/// A whole domain, looked at.
pub struct Report {
    pub records: Vec<(Wanted, Checked)>,
    pub gaps: Vec<(Gap, String)>,
    /// The MX records came signed, as a validating resolver beside us says.
    pub is_signed: bool,
    /// The addresses of our own name, each with the names that it has in reverse.
    pub addresses: Vec<(IpAddr, Vec<String>)>,
    /// Terms that were named as meant, and that let in nobody here.
    pub unused: Vec<String>,
}

impl Report {
    pub fn is_wanting(&self) -> bool {
        !self.gaps.is_empty() || self.records.iter().any(|(_, checked)| checked.state.is_wanting())
    }

    /// Receivers distrust an address without our name in reverse (RFC 1912 §2.1; every large
    /// provider looks). Advice: whoever lends us the address must see to it.
    pub fn addresses_json(&self, host: &str) -> Vec<Value> {
        let shown = |(address, names): &(IpAddr, Vec<String>)| {
            let is_good = names.iter().any(|name| name.eq_ignore_ascii_case(host));
            let state = if is_good { State::Good } else { State::Advised };
            let todo = (!is_good).then(|| todo(Todo::Reverse).json());
            let address = address.to_string();
            json!({ "address": address, "reverse": names, "state": state.word(), "todo": todo })
        };
        self.addresses.iter().map(shown).collect()
    }

    /// Where mail for a gateway's server comes from: a tenant's own address, and of the other
    /// family the house's, for one address serves only its own.
    pub fn let_in(&self, source: Option<IpAddr>) -> Vec<String> {
        let is_used = |address: &IpAddr| match source {
            Some(source) => source.is_ipv4() != address.is_ipv4(),
            None => true,
        };
        let ours = self.addresses.iter().map(|(address, _)| *address).filter(is_used);
        source.into_iter().chain(ours).map(|address| address.to_string()).collect()
    }

    /// Whether a name of public pages leads to ours.
    pub fn leads_here(&self, name: &str) -> bool {
        let is_it = |(wanted, checked): &(Wanted, Checked)| {
            wanted.topic == Topic::Page && wanted.name == name && checked.state == State::Good
        };
        self.records.iter().any(is_it)
    }

    pub fn records_json(&self) -> Vec<Value> {
        let shown = |(wanted, checked): &(Wanted, Checked)| {
            json!({
                "name": wanted.name,
                "type": wanted.word(),
                "state": checked.state.word(),
                "expected": wanted.value,
                "found": checked.found,
                "todo": checked.todo.map(|one| todo(one).json()),
                "for": purpose(wanted.topic).json(),
            })
        };
        self.records.iter().map(shown).collect()
    }

    pub fn unused_json(&self) -> Vec<Value> {
        let shown = |term: &String| json!({ "term": term, "what": UNUSED_ALLOW.json() });
        self.unused.iter().map(shown).collect()
    }

    pub fn gaps_json(&self) -> Vec<Value> {
        let shown = |one: Gap, detail: &str| {
            let what = gap(one).json();
            json!({ "code": one.code(), "detail": detail, "what": what })
        };
        self.gaps.iter().map(|(one, detail)| shown(*one, detail)).collect()
    }
}

/// The domain as it stands now, whose mail leaves from the host's addresses and from `source`.
/// `allow`: terms of its SPF record that are meant.
pub fn check(
    dns: &mut dyn Dns,
    domain: &str,
    (host, source): (&str, Option<IpAddr>),
    wanted: Vec<Wanted>,
    allow: &[String],
) -> Report {
    let addresses = dns.addresses(host).unwrap_or_default();
    let is_signed = dns.ask(domain, RecordKind::Mx).security == Security::Secure;
    let mut gaps = Vec::new();
    if addresses.is_empty() {
        gaps.push((Gap::HostWithoutAddress, host.to_owned()));
    }
    gaps.extend(exchanges_elsewhere(dns, domain, host, &addresses));
    let senders_of_ours: Vec<IpAddr> = addresses.iter().copied().chain(source).collect();
    let mut others = senders(dns, domain, &senders_of_ours);
    let is_it = |(one, term): &(Gap, String), allowed: &str| {
        *one == Gap::SpfLetsIn && allowed.eq_ignore_ascii_case(term)
    };
    let is_used = |allowed: &&String| others.iter().any(|gap| is_it(gap, allowed));
    let unused = allow.iter().filter(|allowed| !is_used(allowed)).cloned().collect();
    others.retain(|gap| !allow.iter().any(|allowed| is_it(gap, allowed)));
    gaps.extend(others);
    gaps.extend(policy_gaps(dns, domain));
    let is_policy_host =
        |one: &&Wanted| one.topic == Topic::Page && one.name.starts_with("mta-sts.");
    let publishes = match wanted.iter().find(is_policy_host) {
        Some(one) => page(dns, one) == GOOD,
        None => false,
    };
    let mut records = Vec::new();
    for one in wanted {
        let mut checked = match one.topic {
            Topic::Spf => look(dns, domain, host, &senders_of_ours, &one),
            _ => look(dns, domain, host, &addresses, &one),
        };
        // Whoever publishes the policy elsewhere has an id of their own.
        let is_old = checked.state == State::Good && !checked.found.contains(&one.value);
        if one.topic == Topic::Sts && publishes && is_old {
            (checked.state, checked.todo) = (State::Wrong, Some(Todo::Replace));
        }
        records.push((one, checked));
    }
    let with_names = |address: IpAddr| (address, names_of(dns, address));
    let addresses = addresses.into_iter().map(with_names).collect();
    Report { records, gaps, is_signed, addresses, unused }
}

/// The names that an address has in reverse.
fn names_of(dns: &mut dyn Dns, address: IpAddr) -> Vec<String> {
    let name = match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let nibbles = address.octets().into_iter().rev().flat_map(|one| [one & 15, one >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).collect::<String>() + "ip6.arpa"
        }
    };
    let Found::Records(records) = dns.records(&name, RecordKind::Ptr) else { return Vec::new() };
    let name = |record| match record {
        Record::Ptr(name) => Some(name),
        _ => None,
    };
    records.into_iter().filter_map(name).collect()
}

fn look(
    dns: &mut dyn Dns,
    domain: &str,
    host: &str,
    addresses: &[IpAddr],
    wanted: &Wanted,
) -> Checked {
    let Found::Records(records) = dns.records(&wanted.name, wanted.kind) else {
        return Checked { found: Vec::new(), state: State::Unknown, todo: Some(Todo::AskLater) };
    };
    // At the domain itself stand the texts of others, too.
    let fits = |text: &String| match wanted.topic {
        Topic::Spf => text.to_ascii_lowercase().starts_with("v=spf1"),
        _ => true,
    };
    let found: Vec<String> = records.iter().map(shown).filter(fits).collect();
    let (state, todo) = match wanted.topic {
        Topic::Mx => mx(dns, &records, host, addresses),
        Topic::Spf => spf(dns, domain, host, addresses),
        Topic::Dkim | Topic::DkimNext => dkim(&found, wanted),
        Topic::Dmarc => dmarc(dns, domain),
        Topic::Sts => versioned(&found, "v=STSv1", "id="),
        Topic::Page => page(dns, wanted),
        Topic::TlsReports => versioned(&found, "v=TLSRPTv1", "rua="),
        Topic::Service => service(&records, host),
        Topic::NoService => service(&records, ""),
    };
    Checked { found, state, todo }
}

type Judged = (State, Option<Todo>);

const GOOD: Judged = (State::Good, None);

/// A record as an answer shows it.
fn shown(record: &Record) -> String {
    match record {
        Record::A(address) => address.to_string(),
        Record::Aaaa(address) => address.to_string(),
        Record::Mx { preference, host } => format!("{preference} {host}."),
        Record::Txt(text) => text.iter().map(|byte| printable(*byte)).collect(),
        Record::Ptr(name) => format!("{name}."),
        Record::Tlsa { usage, selector, matching, .. } => {
            format!("{usage} {selector} {matching} …")
        }
        Record::Srv { priority, weight, port, host } => {
            format!("{priority} {weight} {port} {host}.")
        }
    }
}

/// Text from outside goes to a terminal.
fn printable(byte: u8) -> char {
    if (32..127).contains(&byte) { char::from(byte) } else { '?' }
}

fn hosts(records: &[Record]) -> impl Iterator<Item = &str> {
    records.iter().filter_map(|record| match record {
        Record::Mx { host, .. } | Record::Srv { host, .. } => Some(host.as_str()),
        _ => None,
    })
}

fn mx(dns: &mut dyn Dns, records: &[Record], host: &str, addresses: &[IpAddr]) -> Judged {
    if records.is_empty() {
        return (State::Missing, Some(Todo::Add));
    }
    match hosts(records).any(|one| leads_to_us(dns, one, host, addresses) == Some(true)) {
        true => GOOD,
        false => (State::Wrong, Some(Todo::OtherHost)),
    }
}

/// Whether a host is ours, be it by another name; `None`: nobody could say.
fn leads_to_us(dns: &mut dyn Dns, one: &str, host: &str, ours: &[IpAddr]) -> Option<bool> {
    if one.eq_ignore_ascii_case(host.trim_end_matches('.')) {
        return Some(true);
    }
    if one.is_empty() {
        return Some(false);
    }
    let found = dns.addresses(one)?;
    Some(!found.is_empty() && found.iter().all(|address| ours.contains(address)))
}

fn exchanges_elsewhere(
    dns: &mut dyn Dns,
    domain: &str,
    host: &str,
    addresses: &[IpAddr],
) -> Vec<(Gap, String)> {
    let Found::Records(records) = dns.records(domain, RecordKind::Mx) else { return Vec::new() };
    let mut gaps = Vec::new();
    for one in hosts(&records).filter(|one| !one.is_empty()) {
        match leads_to_us(dns, one, host, addresses) {
            Some(true) => {}
            Some(false) => gaps.push((Gap::MxElsewhere, one.to_owned())),
            None => gaps.push((Gap::MxUnknown, one.to_owned())),
        }
    }
    gaps
}

fn spf(dns: &mut dyn Dns, domain: &str, host: &str, addresses: &[IpAddr]) -> Judged {
    let Some(records) = spf::records(dns, domain) else {
        return (State::Unknown, Some(Todo::AskLater));
    };
    let [text] = records.as_slice() else {
        let is_absent = records.is_empty();
        let todo = if is_absent { Todo::Add } else { Todo::OneSpf };
        return (if is_absent { State::Missing } else { State::Wrong }, Some(todo));
    };
    if mailauth::spf::parse(text).is_none() {
        return (State::Wrong, Some(Todo::BrokenSpf));
    }
    for address in addresses {
        match spf::lets_in(dns, domain, *address, host) {
            SpfResult::Pass => {}
            SpfResult::TempError => return (State::Unknown, Some(Todo::AskLater)),
            _ => return (State::Wrong, Some(Todo::SpfWithoutUs)),
        }
    }
    GOOD
}

fn senders(dns: &mut dyn Dns, domain: &str, addresses: &[IpAddr]) -> Vec<(Gap, String)> {
    let records = spf::records(dns, domain).unwrap_or_default();
    let [text] = records.as_slice() else { return Vec::new() };
    let mut others = Others::new(dns, addresses);
    others.look(domain, text);
    others.gaps
}

/// The key is what counts; other tags are the owner's own.
fn dkim(found: &[String], wanted: &Wanted) -> Judged {
    let key = |text: &str| -> Option<String> {
        let tags = text.split(';').filter_map(|tag| tag.split_once('='));
        let value =
            tags.into_iter().find(|(name, _)| name.trim() == "p").map(|(_, value)| value)?;
        Some(value.chars().filter(|letter| !letter.is_whitespace()).collect())
    };
    let is_next = wanted.topic == Topic::DkimNext;
    match found {
        [] if is_next => (State::Advised, Some(Todo::AddBeforeRotating)),
        [] => (State::Missing, Some(Todo::Add)),
        // RFC 6376 §3.6.2.2: with several, which one counts is anybody's guess.
        [one] if key(one) == key(&wanted.value) => GOOD,
        _ => (State::Wrong, Some(Todo::OtherKey)),
    }
}

/// The policy that counts for a domain, its own or from above (RFC 9989 §4.10); `Err`: nobody
/// could say, or it breaks the grammar.
fn policy(dns: &mut dyn Dns, domain: &str) -> Result<Option<(dmarc::DmarcRecord, bool)>, Todo> {
    let mut name = domain;
    for _ in 0..=PARENTS {
        let texts = dns.texts(&format!("_dmarc.{name}")).ok_or(Todo::AskLater)?;
        let mut records: Vec<_> = texts.iter().filter_map(|text| dmarc::parse(text)).collect();
        match (records.pop(), records.is_empty()) {
            (Some(record), true) => return Ok(Some((record, name == domain))),
            (Some(_), false) => return Err(Todo::BrokenDmarc),
            (None, _) => {}
        }
        match name.split_once('.').filter(|(_, above)| above.contains('.')) {
            Some((_, above)) => name = above,
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// What is asked for in the domain's own name.
fn asked(record: &dmarc::DmarcRecord, is_own: bool) -> Option<mailauth::Policy> {
    let asked = record.enforceable()?;
    Some(if is_own { asked.domain } else { asked.subdomain.unwrap_or(asked.domain) })
}

fn dmarc(dns: &mut dyn Dns, domain: &str) -> Judged {
    match policy(dns, domain) {
        Err(Todo::AskLater) => (State::Unknown, Some(Todo::AskLater)),
        Err(todo) => (State::Wrong, Some(todo)),
        Ok(None) => (State::Missing, Some(Todo::Add)),
        Ok(Some((record, is_own))) => match asked(&record, is_own) {
            None => (State::Wrong, Some(Todo::BrokenDmarc)),
            Some(mailauth::Policy::None) => (State::Wrong, Some(Todo::WeakDmarc)),
            Some(_) => GOOD,
        },
    }
}

fn policy_gaps(dns: &mut dyn Dns, domain: &str) -> Vec<(Gap, String)> {
    let Ok(found) = policy(dns, domain) else { return Vec::new() };
    let gap = |gap| vec![(gap, domain.to_owned())];
    let Some((record, is_own)) = found else { return gap(Gap::DmarcMissing) };
    let Some(enforced) = record.enforceable() else { return gap(Gap::DmarcMissing) };
    if asked(&record, is_own) == Some(mailauth::Policy::None) {
        return gap(Gap::DmarcNone);
    }
    if enforced.testing {
        return gap(Gap::DmarcTesting);
    }
    let lax = [enforced.subdomain, enforced.nonexistent].contains(&Some(mailauth::Policy::None));
    if is_own && lax { gap(Gap::DmarcSubdomains) } else { Vec::new() }
}

/// A record that may be absent, but not broken.
fn versioned(found: &[String], version: &str, tag: &str) -> Judged {
    let is_whole = |text: &String| {
        let mut tags = text.split(';').map(str::trim);
        tags.next() == Some(version)
            && tags.any(|one| one.starts_with(tag) && one.len() > tag.len())
    };
    match found {
        [] => (State::Advised, Some(Todo::AddAdvised)),
        [one] if is_whole(one) => GOOD,
        _ => (State::Wrong, Some(Todo::Replace)),
    }
}

/// A name of our pages leads to where our pages are.
fn page(dns: &mut dyn Dns, wanted: &Wanted) -> Judged {
    let ours = dns.addresses(wanted.value.trim_end_matches('.'));
    let (Some(ours), Some(found)) = (ours, dns.addresses(&wanted.name)) else {
        return (State::Unknown, Some(Todo::AskLater));
    };
    if found.is_empty() {
        return (State::Advised, Some(Todo::AddAdvised));
    }
    match found.iter().all(|address| ours.contains(address)) {
        true => GOOD,
        false => (State::Advised, Some(Todo::OtherHost)),
    }
}

/// Services lead to us, or say that there are none.
fn service(records: &[Record], host: &str) -> Judged {
    if records.is_empty() {
        return (State::Advised, Some(Todo::AddAdvised));
    }
    match hosts(records).all(|one| one.eq_ignore_ascii_case(host.trim_end_matches('.'))) {
        true => GOOD,
        false => (State::Wrong, Some(Todo::OtherHost)),
    }
}
