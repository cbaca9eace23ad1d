//! What should stand in the DNS for a domain whose mail is ours.

use super::words::{Words, purpose};
use serde_json::{Value, json};
use std::net::IpAddr;
use wire::names::RecordKind;
use wire::pages::{LABELS, TransportPolicy};
use wire::reports::REPORTS_TO;
use wire::signer::MailRecord;

/// Octets of one character-string in a TXT record (RFC 1035 §3.3).
const STRING_OCTETS: usize = 255;
/// How long the records may be remembered: changes are seen within the hour.
const TTL_SECONDS: u32 = 3_600;
/// The services that mail clients look for (RFC 6186 §3, RFC 8314 §5.1): name, priority, port. A
/// port of zero says that there is no such service: nothing is read in the clear.
const SERVICES: [(&str, u16, u16); 6] = [
    ("_submissions", 0, 465),
    ("_submission", 10, 587),
    ("_imaps", 0, 993),
    ("_pop3s", 10, 995),
    ("_imap", 0, 0),
    ("_pop3", 0, 0),
];

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    Mx,
    Spf,
    Dkim,
    /// A next pair of keys, not in use yet.
    DkimNext,
    Dmarc,
    Sts,
    /// A name of our public pages; asked for as an address, published as another name for ours.
    Page,
    TlsReports,
    Service,
    NoService,
}

impl Topic {
    /// Whether mail goes wrong, or may be forged, without it. The others are advice.
    pub fn is_needed(self) -> bool {
        matches!(self, Self::Mx | Self::Spf | Self::Dkim | Self::Dmarc)
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub topic: Topic,
    pub name: String,
    pub kind: RecordKind,
    /// As an answer would show it: the text of a TXT record in one piece.
    pub value: String,
}

impl Wanted {
    fn new(topic: Topic, name: String, kind: RecordKind, value: String) -> Self {
        Self { topic, name, kind, value }
    }

    pub fn json(&self) -> Value {
        let Words { ja, en } = purpose(self.topic);
        json!({
            "name": self.name,
            "type": self.word(),
            "value": self.value,
            "zone": self.zone_line(),
            "needed": self.topic.is_needed(),
            "for": { "ja": ja, "en": en },
        })
    }

    /// As a zone file has it: a long text in several strings (RFC 6376 §3.6.2.2, RFC 7208 §3.3).
    fn zone_line(&self) -> String {
        let value = match self.kind {
            RecordKind::Txt => strings(&self.value),
            _ => self.value.clone(),
        };
        format!("{}. {TTL_SECONDS} IN {} {value}", self.name, self.word())
    }

    /// The type that is published.
    pub fn word(&self) -> &'static str {
        if self.topic == Topic::Page { "CNAME" } else { word(self.kind) }
    }
}

fn strings(text: &str) -> String {
    let mut strings = vec![String::new()];
    for letter in text.chars() {
        let is_full =
            strings.last().is_some_and(|string| string.len() + letter.len_utf8() > STRING_OCTETS);
        if is_full {
            strings.push(String::new());
        }
        if let Some(string) = strings.last_mut() {
            string.push(letter);
        }
    }
    let quoted: Vec<String> = strings
        .iter()
        .map(|string| format!("\"{}\"", string.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    match quoted.as_slice() {
        [one] => one.clone(),
        several => format!("( {} )", several.join(" ")),
    }
}

pub fn word(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::A => "A",
        RecordKind::Aaaa => "AAAA",
        RecordKind::Mx => "MX",
        RecordKind::Txt => "TXT",
        RecordKind::Ptr => "PTR",
        RecordKind::Tlsa => "TLSA",
        RecordKind::Srv => "SRV",
    }
}

/// What is ours, for the records to lead to.
#[derive(Clone, Debug)]
pub struct Ours {
    /// The name in MX records.
    pub host: String,
    /// The public pages' name; empty: there are none.
    pub pages: String,
    /// What this domain asks of those who send to it.
    pub transport: TransportPolicy,
    /// The customer's own server, where mail of a gateway domain goes on to: people read and write
    /// there, and their programs must not be led here.
    pub onward: Option<String>,
    /// The address of this machine that the tenant's mail leaves from, where it has its own
    /// (`tenant set --source`).
    pub source: Option<IpAddr>,
}

/// All records of a domain, in the order in which they are best made.
pub fn wanted(domain: &str, ours: &Ours, keys: &[MailRecord]) -> Vec<Wanted> {
    let Ours { host, pages, transport, onward, source } = ours;
    let is_gateway = onward.is_some();
    let text =
        |topic, name: String, value: String| Wanted::new(topic, name, RecordKind::Txt, value);
    let mx = format!("10 {host}.");
    let own = source.map(|source| match source {
        IpAddr::V4(four) => format!(" ip4:{four}"),
        IpAddr::V6(six) => format!(" ip6:{six}"),
    });
    let spf = format!("v=spf1 a:{host}{} -all", own.unwrap_or_default());
    let mut all = vec![
        Wanted::new(Topic::Mx, domain.to_owned(), RecordKind::Mx, mx),
        text(Topic::Spf, domain.to_owned(), spf),
    ];
    all.extend(dkim(keys));
    let reports = format!("mailto:postmaster@{domain}");
    let dmarc = format!("v=DMARC1; p=quarantine; rua={reports}");
    all.push(text(Topic::Dmarc, format!("_dmarc.{domain}"), dmarc));
    let sts = format!("v=STSv1; id={};", transport.id(host));
    all.push(text(Topic::Sts, format!("_mta-sts.{domain}"), sts));
    if !pages.is_empty() {
        // RFC 8461 §8.2 lets the policy's host be another name for ours.
        let page = |label: &str| (format!("{label}.{domain}"), format!("{pages}."));
        all.extend(
            LABELS
                .into_iter()
                .rev()
                .filter(|label| !is_gateway || *label == "mta-sts")
                .map(page)
                .map(|(name, value)| Wanted::new(Topic::Page, name, RecordKind::A, value)),
        );
    }
    let reports = format!("v=TLSRPTv1; rua=mailto:{REPORTS_TO}@{domain}");
    all.push(text(Topic::TlsReports, format!("_smtp._tls.{domain}"), reports));
    let services = SERVICES.into_iter().filter(|_| !is_gateway);
    all.extend(services.map(|(service, priority, port)| {
        let (topic, value) = match port {
            0 => (Topic::NoService, format!("{priority} 0 0 .")),
            port => (Topic::Service, format!("{priority} 1 {port} {host}.")),
        };
        Wanted::new(topic, format!("{service}._tcp.{domain}"), RecordKind::Srv, value)
    }));
    all
}

/// Those that sign, then those that will; what rests needs no new record.
fn dkim(keys: &[MailRecord]) -> impl Iterator<Item = Wanted> {
    let first = keys.iter().position(|key| key.signs).unwrap_or(0);
    keys.iter().skip(first).map(key)
}

fn key(key: &MailRecord) -> Wanted {
    let topic = if key.signs { Topic::Dkim } else { Topic::DkimNext };
    Wanted::new(topic, key.name.clone(), RecordKind::Txt, key.text.clone())
}

/// What a gateway domain's own server is to do, so that nobody gets around this checkpoint.
pub fn gateway_json(server: &str, addresses: &[String]) -> Value {
    let Words { ja, en } = super::words::GATEWAY;
    json!({ "server": server, "let_in": addresses, "for": { "ja": ja, "en": en } })
}

/// One key, whatever its state.
pub fn key_json(one: &MailRecord) -> Value {
    let wanted = key(one);
    json!({
        "name": wanted.name,
        "type": wanted.word(),
        "value": wanted.value,
        "zone": wanted.zone_line(),
    })
}

/// The MTA-STS policy, and who publishes it.
pub fn sts_policy(domain: &str, ours: &Ours) -> Value {
    let is_here = !ours.pages.is_empty();
    let Words { ja, en } = if is_here { super::words::STS_HERE } else { super::words::STS_POLICY };
    json!({
        "url": format!("https://mta-sts.{domain}/.well-known/mta-sts.txt"),
        "mode": ours.transport.mode.word(),
        "max_age": ours.transport.max_age_seconds,
        "text": ours.transport.text(&ours.host),
        "for": { "ja": ja, "en": en },
    })
}
