//! Questions and answers as packets. RFC 1035; hickory-proto reads the octets, we believe little.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record as DnsRecord, RecordType};
use wire::names::{Answer, Outcome, Question, Record, RecordKind, Security};

/// Aliases followed inside one answer.
const ALIASES: usize = 8;
/// Records passed on from one answer; SPF and DKIM need far fewer.
const RECORDS: usize = 100;
/// What we take over UDP: below the limit of every usual path (RFC 9715).
const UDP_OCTETS: u16 = 1_232;
/// How long a negative answer without an SOA is believed (RFC 2308 §5 would not keep it at all).
const BARE_NEGATIVE_SECONDS: u32 = 5;

/// What was sent, to know its answer by.
pub struct Sent {
    pub id: u16,
    pub name: Name,
    pub kind: RecordType,
    /// The letters' case must come back as it went.
    pub exact_case: bool,
}

/// What an incoming packet is.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading {
    Answer(Answer),
    /// Ask again over TCP.
    Truncated,
    /// The server will not or cannot: ask another.
    Refused,
    /// It asked for us and got nothing (SERVFAIL): the server lives, the name's own may not.
    Sick,
    /// Not the answer to this question: go on listening.
    NotOurs,
}

impl Sent {
    /// `None` if the DNS cannot hold the name. `chance` holds one bit for each letter.
    pub fn new(question: &Question, id: u16, chance: Option<[u8; 32]>) -> Option<Self> {
        let plain = question.name.strip_suffix('.').unwrap_or(&question.name);
        let mut letters = plain.as_bytes().to_vec();
        if let Some(chance) = chance {
            let bits = chance.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
            for (letter, upper) in letters.iter_mut().zip(bits) {
                if upper {
                    letter.make_ascii_uppercase();
                } else {
                    letter.make_ascii_lowercase();
                }
            }
        }
        let labels = letters.split(|letter| *letter == b'.');
        let name = Name::from_labels(labels).ok().filter(|name| name.len() <= 255)?;
        let kind = record_type(question.kind);
        Some(Self { id, name, kind, exact_case: chance.is_some() })
    }

    pub fn packet(&self) -> Option<Vec<u8>> {
        let mut message = Message::new(self.id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        // RFC 6840 §5.7: we understand the AD bit.
        message.metadata.authentic_data = true;
        message.add_query(Query::query(self.name.clone(), self.kind));
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_OCTETS);
        message.set_edns(edns);
        message.to_vec().ok()
    }
}

fn record_type(kind: RecordKind) -> RecordType {
    match kind {
        RecordKind::A => RecordType::A,
        RecordKind::Aaaa => RecordType::AAAA,
        RecordKind::Mx => RecordType::MX,
        RecordKind::Txt => RecordType::TXT,
        RecordKind::Ptr => RecordType::PTR,
        RecordKind::Tlsa => RecordType::TLSA,
        RecordKind::Srv => RecordType::SRV,
    }
}

/// Reads a packet that came from the server asked. `trusted`: its AD bit counts.
pub fn read_answer(packet: &[u8], sent: &Sent, trusted: bool) -> Reading {
    // The id is compared before anything is taken apart.
    let id: Option<[u8; 2]> = packet.get(..2).and_then(|id| id.try_into().ok());
    if id != Some(sent.id.to_be_bytes()) {
        return Reading::NotOurs;
    }
    let Ok(message) = Message::from_vec(packet) else { return Reading::NotOurs };
    let is_reply = message.metadata.message_type == MessageType::Response;
    let [question] = message.queries.as_slice() else { return Reading::NotOurs };
    let same_name = if sent.exact_case {
        question.name.eq_case(&sent.name)
    } else {
        question.name == sent.name
    };
    let same_kind = question.query_type == sent.kind && question.query_class == DNSClass::IN;
    if !is_reply || !same_name || !same_kind {
        return Reading::NotOurs;
    }
    if message.metadata.truncation {
        return Reading::Truncated;
    }
    let gone = match message.metadata.response_code {
        ResponseCode::NoError => false,
        ResponseCode::NXDomain => true,
        ResponseCode::ServFail => return Reading::Sick,
        _ => return Reading::Refused,
    };
    let secure = trusted && message.metadata.authentic_data;
    let security = if secure { Security::Secure } else { Security::Insecure };
    let (outcome, ttl_seconds) = outcome(&message, sent, gone);
    Reading::Answer(Answer { outcome, security, ttl_seconds })
}

fn outcome(message: &Message, sent: &Sent, gone: bool) -> (Outcome, u32) {
    let mut name = &sent.name;
    let mut ttl = u32::MAX;
    for _ in 0..=ALIASES {
        let here = || message.answers.iter().filter(|record| is_at(record, name));
        let of_kind = || here().filter(|record| record.record_type() == sent.kind);
        let records: Vec<Record> =
            of_kind().filter_map(|record| read_record(&record.data)).take(RECORDS).collect();
        if !records.is_empty() {
            let shortest = of_kind().map(|record| record.ttl).min().unwrap_or(0);
            return (Outcome::Records(records), ttl.min(shortest));
        }
        let alias = here().find_map(|record| match &record.data {
            RData::CNAME(target) => Some((&target.0, record.ttl)),
            _ => None,
        });
        let Some((target, alias_ttl)) = alias else {
            let absent = if gone { Outcome::NoSuchName } else { Outcome::NoRecords };
            return (absent, ttl.min(negative_ttl(message)));
        };
        name = target;
        ttl = ttl.min(alias_ttl);
    }
    // A chain without an end.
    (Outcome::Failed, 0)
}

fn is_at(record: &DnsRecord, name: &Name) -> bool {
    record.dns_class == DNSClass::IN && record.name == *name
}

/// RFC 2308 §5: the SOA's own time or its minimum, whichever is less.
fn negative_ttl(message: &Message) -> u32 {
    let soa = message.authorities.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
        _ => None,
    });
    soa.unwrap_or(BARE_NEGATIVE_SECONDS)
}

fn read_record(data: &RData) -> Option<Record> {
    Some(match data {
        RData::A(address) => Record::A(address.0),
        RData::AAAA(address) => Record::Aaaa(address.0),
        RData::MX(mx) => Record::Mx { preference: mx.preference, host: text(&mx.exchange)? },
        RData::TXT(txt) => Record::Txt(txt.txt_data.concat()),
        RData::PTR(pointer) => Record::Ptr(text(&pointer.0)?),
        RData::TLSA(tlsa) => Record::Tlsa {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching: tlsa.matching.into(),
            data: tlsa.cert_data.clone(),
        },
        RData::SRV(srv) => Record::Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            host: text(&srv.target)?,
        },
        _ => return None,
    })
}

/// A name with dots. One whose labels hold dots or invisible octets would read as another name,
/// and is left out.
fn text(name: &Name) -> Option<String> {
    let mut text = String::new();
    for label in name.iter() {
        if label.iter().any(|octet| !octet.is_ascii_graphic() || *octet == b'.') {
            return None;
        }
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(std::str::from_utf8(label).ok()?);
    }
    Some(text)
}
