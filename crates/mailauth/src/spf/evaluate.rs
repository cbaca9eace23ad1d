//! A record is walked from left to right until a mechanism matches. RFC 7208 §4 to §6.

use super::expand::{self, Scene, address_kind};
use super::record::{self, Cidr, LOOKUP_TERMS, Mechanism, Qualifier, SpfRecord};
use super::{Identity, Spf, SpfResult};
use crate::resolver::{Answer, Inquiry, Record, RecordKind, Texts, is_askable, is_at_or_below};
use std::net::IpAddr;
use terms::ascii_name;

/// Terms whose question found nothing, before it is an error (RFC 7208 §4.6.4).
pub const VOID_LOOKUPS: usize = 2;
/// Addresses behind one `mx` (RFC 7208 §4.6.4).
const EXCHANGES: usize = 10;
/// What is kept of an explanation: it has to fit one SMTP reply.
const EXPLANATION_OCTETS: usize = 500;

/// Why a walk ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Temporary,
    Permanent,
}

impl From<Stop> for SpfResult {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Temporary => Self::TempError,
            Stop::Permanent => Self::PermError,
        }
    }
}

/// The terms that one identity has left, over all records it leads to.
struct Walk<'w, 'r> {
    who: Identity<'w>,
    sender: &'w str,
    inquiry: &'w mut Inquiry<'r>,
    terms_left: usize,
    voids_left: usize,
}

/// check_host() for `sender`, which has both parts. RFC 7208 §4.
pub fn check_host(who: &Identity<'_>, sender: &str, inquiry: &mut Inquiry<'_>) -> Spf {
    let domain = sender.rsplit_once('@').map_or(sender, |(_, domain)| domain);
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let domain = if domain.is_ascii() { domain.to_owned() } else { ascii_name(domain) };
    let mut who = *who;
    who.client_ip = who.client_ip.to_canonical();
    let mut walk =
        Walk { who, sender, inquiry, terms_left: LOOKUP_TERMS, voids_left: VOID_LOOKUPS };
    // RFC 7208 §4.3: malformed, or not a name of two labels: none.
    if !is_askable(&domain) || !domain.contains('.') || domain.ends_with(']') {
        return Spf { result: SpfResult::None, domain, explanation: None };
    }
    let (result, explanation) = walk.domain(&domain, true);
    Spf { result, domain, explanation }
}

impl Walk<'_, '_> {
    /// One domain's record. Its depth is bounded by the ten terms that may lead elsewhere.
    fn domain(&mut self, domain: &str, explain: bool) -> (SpfResult, Option<String>) {
        let record = match self.record(domain) {
            Ok(Some(record)) => record,
            Ok(None) => return (SpfResult::None, None),
            Err(stop) => return (stop.into(), None),
        };
        for directive in &record.directives {
            match self.matches(&directive.mechanism, domain) {
                Ok(true) => return self.matched(directive.qualifier, &record, domain, explain),
                Ok(false) => {}
                Err(stop) => return (stop.into(), None),
            }
        }
        match &record.redirect {
            Some(spec) => self.redirect(spec, domain, explain),
            None => (SpfResult::Neutral, None),
        }
    }

    /// RFC 7208 §4.4, §4.5.
    fn record(&mut self, domain: &str) -> Result<Option<SpfRecord>, Stop> {
        let texts = match self.inquiry.texts(domain) {
            Texts::Failed => return Err(Stop::Temporary),
            Texts::Found(texts) => texts,
        };
        let mut records = texts.iter().filter(|text| record::is_spf(text));
        match (records.next(), records.next()) {
            (None, _) => Ok(None),
            (Some(text), None) => record::parse(text).map(Some).ok_or(Stop::Permanent),
            (Some(_), Some(_)) => Err(Stop::Permanent),
        }
    }

    fn matched(
        &mut self,
        qualifier: Qualifier,
        record: &SpfRecord,
        domain: &str,
        explain: bool,
    ) -> (SpfResult, Option<String>) {
        match qualifier {
            Qualifier::Pass => (SpfResult::Pass, None),
            Qualifier::SoftFail => (SpfResult::SoftFail, None),
            Qualifier::Neutral => (SpfResult::Neutral, None),
            Qualifier::Fail => {
                let spec = record.explanation.as_deref().filter(|_| explain);
                (SpfResult::Fail, spec.and_then(|spec| self.explanation(spec, domain)))
            }
        }
    }

    /// RFC 7208 §6.1.
    fn redirect(&mut self, spec: &str, domain: &str, explain: bool) -> (SpfResult, Option<String>) {
        if let Err(stop) = self.count_term() {
            return (stop.into(), None);
        }
        let target = self.name(spec, domain);
        match self.domain(&target, explain) {
            (SpfResult::None, _) => (SpfResult::PermError, None),
            outcome => outcome,
        }
    }

    /// RFC 7208 §6.2: whatever goes wrong here only costs the explanation.
    fn explanation(&mut self, spec: &str, domain: &str) -> Option<String> {
        let target = self.name(spec, domain);
        let Texts::Found(texts) = self.inquiry.texts(&target) else {
            return None;
        };
        let [text] = texts.as_slice() else {
            return None;
        };
        let text = std::str::from_utf8(text).ok()?;
        let scene = Scene { who: &self.who, sender: self.sender, domain };
        let mut words = expand::explanation(text, &scene, self.inquiry)?;
        words.retain(|letter| matches!(letter, ' '..='~'));
        words.truncate(EXPLANATION_OCTETS);
        Some(words)
    }

    fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Result<bool, Stop> {
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip(network, length) => Ok(is_within(self.who.client_ip, *network, *length)),
            Mechanism::Include(spec) => self.include(spec, domain),
            Mechanism::A(spec, cidr) => {
                self.count_term()?;
                let name = self.name_or(spec.as_deref(), domain);
                self.addresses_match(&name, *cidr, true)
            }
            Mechanism::Mx(spec, cidr) => self.mx(spec.as_deref(), *cidr, domain),
            Mechanism::Ptr(spec) => {
                self.count_term()?;
                let target = self.name_or(spec.as_deref(), domain);
                let names = expand::proven_names(self.who.client_ip, self.inquiry);
                Ok(names.iter().any(|name| is_at_or_below(name, &target)))
            }
            Mechanism::Exists(spec) => {
                self.count_term()?;
                let name = self.name(spec, domain);
                // RFC 7208 §5.7: always an A record, whatever the client speaks.
                Ok(!self.lookup(&name, RecordKind::Address4, true)?.is_empty())
            }
        }
    }

    /// RFC 7208 §5.2.
    fn include(&mut self, spec: &str, domain: &str) -> Result<bool, Stop> {
        self.count_term()?;
        let target = self.name(spec, domain);
        match self.domain(&target, false).0 {
            SpfResult::Pass => Ok(true),
            SpfResult::Fail | SpfResult::SoftFail | SpfResult::Neutral => Ok(false),
            SpfResult::TempError => Err(Stop::Temporary),
            SpfResult::None | SpfResult::PermError => Err(Stop::Permanent),
        }
    }

    /// RFC 7208 §5.4.
    fn mx(&mut self, spec: Option<&str>, cidr: Cidr, domain: &str) -> Result<bool, Stop> {
        self.count_term()?;
        let name = self.name_or(spec, domain);
        let records = self.lookup(&name, RecordKind::Exchange, true)?;
        if records.len() > EXCHANGES {
            return Err(Stop::Permanent);
        }
        for record in records {
            let Record::Exchange { host, .. } = record else {
                continue;
            };
            if self.addresses_match(&host, cidr, false)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn addresses_match(&mut self, name: &str, cidr: Cidr, counts: bool) -> Result<bool, Stop> {
        let client = self.who.client_ip;
        let length = if client.is_ipv4() { cidr.v4 } else { cidr.v6 };
        let records = self.lookup(name, address_kind(client), counts)?;
        Ok(records.iter().any(|record| match record {
            Record::Address(network) => is_within(client, *network, length),
            _ => false,
        }))
    }

    /// A term's question. Nothing found is a void lookup if it `counts`.
    fn lookup(&mut self, name: &str, kind: RecordKind, counts: bool) -> Result<Vec<Record>, Stop> {
        match self.inquiry.ask(name, kind) {
            Answer::Records(records) => return Ok(records),
            Answer::Failed => return Err(Stop::Temporary),
            Answer::NoSuchName | Answer::NoRecords => {}
        }
        if counts {
            self.voids_left = self.voids_left.checked_sub(1).ok_or(Stop::Permanent)?;
        }
        Ok(Vec::new())
    }

    fn count_term(&mut self) -> Result<(), Stop> {
        self.terms_left = self.terms_left.checked_sub(1).ok_or(Stop::Permanent)?;
        Ok(())
    }

    fn name(&mut self, spec: &str, domain: &str) -> String {
        let scene = Scene { who: &self.who, sender: self.sender, domain };
        expand::name(spec, &scene, self.inquiry)
    }

    fn name_or(&mut self, spec: Option<&str>, domain: &str) -> String {
        match spec {
            Some(spec) => self.name(spec, domain),
            None => domain.to_owned(),
        }
    }
}

/// Whether the first `length` bits agree. Different families never do.
fn is_within(client: IpAddr, network: IpAddr, length: u8) -> bool {
    match (client, network) {
        (IpAddr::V4(client), IpAddr::V4(network)) => {
            let differing = client.to_bits() ^ network.to_bits();
            differing.checked_shr(32 - u32::from(length.min(32))).unwrap_or(0) == 0
        }
        (IpAddr::V6(client), IpAddr::V6(network)) => {
            let differing = client.to_bits() ^ network.to_bits();
            differing.checked_shr(128 - u32::from(length.min(128))).unwrap_or(0) == 0
        }
        _ => false,
    }
}
