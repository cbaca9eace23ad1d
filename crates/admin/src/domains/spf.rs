//! Who may send by a domain's SPF record, beside us; and whether it counts at all. RFC 7208.

use super::asking::{Dns, ForMail, Found};
use super::words::Gap;
use mailauth::Inquiry;
use mailauth::spf::{
    Directive, Identity, LOOKUP_TERMS, Mechanism, Qualifier, SpfRecord, SpfResult, check_mail_from,
    parse,
};
use std::net::IpAddr;
use wire::names::{Record, RecordKind};

/// Terms followed: what lies behind them is void in any case.
const TERMS_FOLLOWED: usize = 2 * LOOKUP_TERMS;

/// The records that are SPF records; `None`: nobody could say.
pub fn records(dns: &mut dyn Dns, domain: &str) -> Option<Vec<Vec<u8>>> {
    let is_spf = |text: &Vec<u8>| {
        let version = text.get(..6).unwrap_or_default();
        version.eq_ignore_ascii_case(b"v=spf1") && matches!(text.get(6), None | Some(b' '))
    };
    Some(dns.texts(domain)?.into_iter().filter(is_spf).collect())
}

/// Whether mail of the domain passes from this address.
pub fn lets_in(dns: &mut dyn Dns, domain: &str, address: IpAddr, host: &str) -> SpfResult {
    let mail_from = format!("postmaster@{domain}");
    let who = Identity {
        client_ip: address,
        helo: host,
        mail_from: &mail_from,
        our_name: host,
        now: compartment::now_ms() / 1_000,
    };
    let mut resolver = ForMail(dns);
    check_mail_from(&who, &mut Inquiry::new(&mut resolver)).result
}

/// What a record says of others.
pub struct Others<'d> {
    dns: &'d mut dyn Dns,
    ours: &'d [IpAddr],
    lookups: usize,
    pub gaps: Vec<(Gap, String)>,
}

impl<'d> Others<'d> {
    pub fn new(dns: &'d mut dyn Dns, ours: &'d [IpAddr]) -> Self {
        Self { dns, ours, lookups: 0, gaps: Vec::new() }
    }

    /// Everybody else who is let in, by the term that does it.
    pub fn look(&mut self, domain: &str, text: &[u8]) {
        let Some(record) = parse(text) else { return };
        for term in self.others(domain, &record) {
            self.gaps.push((Gap::SpfLetsIn, term));
        }
        if self.lookups > LOOKUP_TERMS {
            self.gaps.push((Gap::SpfLookups, self.lookups.to_string()));
        }
        if let Some(end) = open_end(&record) {
            self.gaps.push((Gap::SpfOpenEnd, end.to_owned()));
        }
    }

    /// The terms that let in whom we do not know.
    fn others(&mut self, domain: &str, record: &SpfRecord) -> Vec<String> {
        let mut others = Vec::new();
        for directive in &record.directives {
            let term = term(&directive.mechanism);
            if self.lookups > TERMS_FOLLOWED {
                return others;
            }
            let is_known = self.is_ours(domain, directive);
            if directive.qualifier == Qualifier::Pass && !is_known {
                match directive.mechanism {
                    Mechanism::All => self.gaps.push((Gap::SpfAll, domain.to_owned())),
                    Mechanism::Ptr(_) => self.gaps.push((Gap::SpfPtr, term)),
                    _ => others.push(term),
                }
            }
            // RFC 7208 §5.1: what follows `all` is never looked at, nor is `redirect`.
            if directive.mechanism == Mechanism::All {
                return others;
            }
        }
        if let Some(target) = &record.redirect {
            self.lookups += 1;
            others.extend(self.behind(target));
        }
        others
    }

    /// Whether nobody but us matches. Questions are counted for every term that causes one.
    fn is_ours(&mut self, domain: &str, directive: &Directive) -> bool {
        let place = |spec: &Option<String>| spec.clone().unwrap_or_else(|| domain.to_owned());
        match &directive.mechanism {
            Mechanism::All => false,
            Mechanism::Ip(address, length) => {
                let widest = if address.is_ipv4() { 32 } else { 128 };
                *length == widest && self.ours.contains(address)
            }
            Mechanism::A(spec, cidr) => {
                self.lookups += 1;
                (cidr.v4, cidr.v6) == (32, 128) && self.are_ours(&[place(spec)])
            }
            Mechanism::Mx(spec, cidr) => {
                self.lookups += 1;
                let hosts = self.exchanges(&place(spec));
                (cidr.v4, cidr.v6) == (32, 128) && self.are_ours(&hosts)
            }
            Mechanism::Include(target) => {
                self.lookups += 1;
                let before = self.gaps.len();
                let others = self.behind(target);
                others.is_empty() && self.gaps.len() == before
            }
            Mechanism::Exists(_) | Mechanism::Ptr(_) => {
                self.lookups += 1;
                false
            }
        }
    }

    /// Who is let in by the record of another name.
    fn behind(&mut self, target: &str) -> Vec<String> {
        if target.contains('%') || self.lookups > TERMS_FOLLOWED {
            return vec![target.to_owned()]; // whom a macro lets in depends on the message
        }
        let Some(records) = records(self.dns, target) else {
            self.gaps.push((Gap::SpfUnknown, target.to_owned()));
            return Vec::new();
        };
        let parsed = match records.as_slice() {
            [text] => parse(text),
            _ => None,
        };
        let Some(record) = parsed else {
            self.gaps.push((Gap::SpfVoid, target.to_owned()));
            return Vec::new();
        };
        self.others(target, &record)
    }

    fn exchanges(&mut self, domain: &str) -> Vec<String> {
        let Found::Records(records) = self.dns.records(domain, RecordKind::Mx) else {
            return vec![domain.to_owned()];
        };
        let host = |record: &Record| match record {
            Record::Mx { host, .. } => Some(host.clone()),
            _ => None,
        };
        records.iter().filter_map(host).collect()
    }

    fn are_ours(&mut self, hosts: &[String]) -> bool {
        hosts.iter().all(|host| {
            let known = self.dns.addresses(host).filter(|_| !host.contains('%'));
            known.is_some_and(|found| found.iter().all(|one| self.ours.contains(one)))
        })
    }
}

/// What stands at the end, if it refuses nobody.
fn open_end(record: &SpfRecord) -> Option<&'static str> {
    let all = record.directives.iter().find(|one| one.mechanism == Mechanism::All);
    match (all.map(|all| all.qualifier), &record.redirect) {
        (Some(Qualifier::Neutral), _) => Some("?all"),
        (None, None) => Some(""),
        _ => None,
    }
}

/// A term that lets somebody send, as `term` spells it; `None`: it is no such term. Whom a macro
/// lets in is known by its text alone.
pub fn allowable(text: &str) -> Option<String> {
    let text = text.trim();
    if text.contains('%') && !text.contains(char::is_whitespace) {
        return Some(text.to_owned());
    }
    let record = parse(format!("v=spf1 {text}").as_bytes())?;
    match (record.directives.as_slice(), &record.redirect) {
        ([one], None) if one.mechanism != Mechanism::All => Some(term(&one.mechanism)),
        _ => None,
    }
}

/// A term as its owner wrote it, without the qualifier.
fn term(mechanism: &Mechanism) -> String {
    let with = |word: &str, spec: &Option<String>| match spec {
        Some(spec) => format!("{word}:{spec}"),
        None => word.to_owned(),
    };
    let sized = |text: String, cidr: &mailauth::spf::Cidr| {
        let v4 = if cidr.v4 == 32 { String::new() } else { format!("/{}", cidr.v4) };
        let v6 = if cidr.v6 == 128 { String::new() } else { format!("//{}", cidr.v6) };
        format!("{text}{v4}{v6}")
    };
    match mechanism {
        Mechanism::All => "all".to_owned(),
        Mechanism::Include(spec) => format!("include:{spec}"),
        Mechanism::A(spec, cidr) => sized(with("a", spec), cidr),
        Mechanism::Mx(spec, cidr) => sized(with("mx", spec), cidr),
        Mechanism::Ptr(spec) => with("ptr", spec),
        Mechanism::Exists(spec) => format!("exists:{spec}"),
        Mechanism::Ip(address @ IpAddr::V4(_), 32) => format!("ip4:{address}"),
        Mechanism::Ip(address @ IpAddr::V4(_), length) => format!("ip4:{address}/{length}"),
        Mechanism::Ip(address, 128) => format!("ip6:{address}"),
        Mechanism::Ip(address, length) => format!("ip6:{address}/{length}"),
    }
}
