//! One question packet in, one answer packet out. RFC 1035, RFC 2308.

use crate::table::{RecordWord, Zones, plain};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

/// Aliases followed for one question.
const ALIASES: usize = 8;
/// What every asker can take over UDP (RFC 1035 §4.2.1).
const UDP_OCTETS_LEAST: u16 = 512;
/// What we send at most over UDP: below every usual path's limit.
const UDP_OCTETS_MOST: u16 = 1_232;
/// How long "does not exist" may be remembered.
const NEGATIVE_SECONDS: u32 = 10;

/// The answer to a packet; `None` if it is no question. Over UDP a long answer is cut and says so.
pub fn answer(packet: &[u8], zones: &Zones, over_udp: bool) -> Option<Vec<u8>> {
    let asked = Message::from_vec(packet).ok()?;
    if asked.metadata.message_type != MessageType::Query {
        return None;
    }
    let mut reply = Message::response(asked.metadata.id, asked.metadata.op_code);
    reply.metadata.recursion_desired = asked.metadata.recursion_desired;
    reply.metadata.authoritative = true;
    reply.add_queries(asked.queries.iter().cloned());
    match asked.queries.as_slice() {
        _ if asked.metadata.op_code != OpCode::Query => {
            reply.metadata.response_code = ResponseCode::NotImp;
        }
        [question] => {
            let is_signed = fill(&mut reply, question, zones);
            // RFC 6840 §5.7: only who understands the bit is told.
            let edns = asked.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok);
            let asks = asked.metadata.authentic_data || edns;
            reply.metadata.authentic_data = is_signed && asks;
        }
        _ => reply.metadata.response_code = ResponseCode::FormErr,
    }
    let room = asked.edns.as_ref().map_or(UDP_OCTETS_LEAST, Edns::max_payload);
    let room = room.clamp(UDP_OCTETS_LEAST, UDP_OCTETS_MOST);
    if asked.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_OCTETS_MOST);
        reply.set_edns(edns);
    }
    let packed = reply.to_vec().ok()?;
    if over_udp && packed.len() > usize::from(room) {
        return reply.truncate().to_vec().ok();
    }
    Some(packed)
}

/// Whether all that was looked at, aliases included, is signed.
fn fill(reply: &mut Message, question: &Query, zones: &Zones) -> bool {
    if question.query_class != DNSClass::IN {
        reply.metadata.response_code = ResponseCode::Refused;
        return false;
    }
    let mut name = question.name.clone();
    let mut is_signed = true;
    for _ in 0..ALIASES {
        let asked = key(&name);
        if zones.is_bogus(&asked) {
            break;
        }
        is_signed &= zones.is_signed(&asked);
        let key = source(&asked, zones);
        let found = word(question.query_type).map_or_else(Vec::new, |w| zones.records(&key, w));
        if !found.is_empty() {
            let record = |data| Record::from_rdata(name.clone(), zones.ttl_seconds, data);
            reply.add_answers(found.into_iter().map(record));
            return is_signed;
        }
        let alias = zones.records(&key, RecordWord::Cname).pop();
        let Some(RData::CNAME(target)) = alias else {
            if !zones.exists(&key) {
                reply.metadata.response_code = ResponseCode::NXDomain;
            }
            reply.add_authority(start_of_authority(&key, zones));
            return is_signed;
        };
        let next = target.0.clone();
        reply.add_answer(Record::from_rdata(name, zones.ttl_seconds, RData::CNAME(target)));
        name = next;
    }
    reply.answers.clear();
    reply.metadata.response_code = ResponseCode::ServFail;
    false
}

/// The name whose records answer: itself, or the asterisk below the nearest name above that exists
/// (RFC 4592 §3.3.1).
fn source(key: &str, zones: &Zones) -> String {
    let mut above = key;
    while !zones.exists(above) {
        let Some((_, next)) = above.split_once('.') else { return key.to_owned() };
        let asterisk = format!("*.{next}");
        if zones.names.contains_key(&asterisk) {
            return asterisk;
        }
        above = next;
    }
    key.to_owned()
}

/// The SOA of the nearest name above that has one, or one for the root (RFC 2308 §3).
fn start_of_authority(key: &str, zones: &Zones) -> Record {
    let mut apex = key;
    while let Some((_, above)) = apex.split_once('.') {
        if let Some(data) = zones.records(apex, RecordWord::Soa).pop() {
            let owner = crate::table::name_of(apex).unwrap_or_else(Name::root);
            return Record::from_rdata(owner, NEGATIVE_SECONDS, data);
        }
        apex = above;
    }
    let root = Name::root();
    let soa = SOA::new(root.clone(), root.clone(), 1, 60, 60, 60, NEGATIVE_SECONDS);
    Record::from_rdata(root, NEGATIVE_SECONDS, RData::SOA(soa))
}

fn key(name: &Name) -> String {
    let labels: Vec<String> =
        name.iter().map(|label| String::from_utf8_lossy(label).into_owned()).collect();
    plain(&labels.join("."))
}

fn word(kind: RecordType) -> Option<RecordWord> {
    Some(match kind {
        RecordType::A => RecordWord::A,
        RecordType::AAAA => RecordWord::Aaaa,
        RecordType::CNAME => RecordWord::Cname,
        RecordType::MX => RecordWord::Mx,
        RecordType::NS => RecordWord::Ns,
        RecordType::PTR => RecordWord::Ptr,
        RecordType::SOA => RecordWord::Soa,
        RecordType::SRV => RecordWord::Srv,
        RecordType::TLSA => RecordWord::Tlsa,
        RecordType::TXT => RecordWord::Txt,
        _ => return None,
    })
}
