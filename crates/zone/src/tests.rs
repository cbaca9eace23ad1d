//! Cases: the table, the answers, and the two ways to be asked.

use crate::{RecordWord, Zones, answer, serve};
use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};

const TABLE: &str = r#"
ttl_seconds = 30
signed = ["Safe.example"]
bogus = ["broken.example"]
[names."sender.example"]
SOA = ["ns.sender.example host.sender.example 1 60 60 60 5"]
A = ["127.0.0.1"]
MX = ["10 mx.sender.example", "20 mx2.sender.example"]
TXT = ["v=spf1 ip4:127.0.0.1 -all"]
[names."www.sender.example"]
CNAME = ["alias.sender.example"]
[names."alias.sender.example"]
CNAME = ["sender.example"]
[names."loop.sender.example"]
CNAME = ["loop.sender.example"]
[names."s1._domainkey.sender.example"]
TXT = ["v=DKIM1; p=LONG"]
[names."1.0.0.127.in-addr.arpa"]
PTR = ["sender.example"]
[names."six.example"]
AAAA = ["::1"]
[names."_25._tcp.mx.safe.example"]
TLSA = ["3 1 1 0b9fA5", "2 0 2 ff"]
[names."_imaps._tcp.safe.example"]
SRV = ["0 1 993 mx.safe.example", "10 0 143 ."]
[names."mx.safe.example"]
A = ["127.0.0.1"]
[names."out.safe.example"]
CNAME = ["sender.example"]
[names."mx.broken.example"]
A = ["127.0.0.1"]
"#;

fn zones() -> Zones {
    let mut zones = Zones::parse(TABLE).unwrap();
    zones.add("long.example", RecordWord::Txt, &"x".repeat(3_000)).unwrap();
    zones
}

fn question(name: &str, kind: RecordType) -> Vec<u8> {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message.to_vec().unwrap()
}

/// `CODE: record, record`, over TCP.
fn ask(name: &str, kind: RecordType) -> String {
    let reply = answer(&question(name, kind), &zones(), false).unwrap();
    told(&Message::from_vec(&reply).unwrap())
}

fn told(reply: &Message) -> String {
    let records: Vec<String> = reply.answers.iter().map(|record| record.data.to_string()).collect();
    let code = reply.metadata.response_code;
    let code = if code == ResponseCode::NoError { "ok".into() } else { format!("{code:?}") };
    format!("{code}: {}", records.join(", "))
}

#[test]
fn names_are_answered() {
    let check = |name, kind, expected: &str| assert_eq!(ask(name, kind), expected, "{name}");
    check("sender.example.", RecordType::A, "ok: 127.0.0.1");
    check("SENDER.Example.", RecordType::A, "ok: 127.0.0.1");
    check("sender.example.", RecordType::MX, "ok: 10 mx.sender.example., 20 mx2.sender.example.");
    check("sender.example.", RecordType::TXT, "ok: v=spf1 ip4:127.0.0.1 -all");
    check("sender.example.", RecordType::AAAA, "ok: ");
    check("nobody.sender.example.", RecordType::A, "NXDomain: ");
    check("elsewhere.test.", RecordType::A, "NXDomain: ");
    check("1.0.0.127.in-addr.arpa.", RecordType::PTR, "ok: sender.example.");
    check("six.example.", RecordType::AAAA, "ok: ::1");
    check("_25._tcp.mx.safe.example.", RecordType::TLSA, "ok: 3 1 1 0b9fa5, 2 0 2 ff");
    let services = "ok: 0 1 993 mx.safe.example., 10 0 143 .";
    check("_imaps._tcp.safe.example.", RecordType::SRV, services);
    check("_imaps._tcp.safe.example.", RecordType::TLSA, "ok: ");
    // A name above one that has records exists.
    check("_domainkey.sender.example.", RecordType::TXT, "ok: ");
    check("domainkey.sender.example.", RecordType::TXT, "NXDomain: ");
    let chain = "ok: alias.sender.example., sender.example., 127.0.0.1";
    check("www.sender.example.", RecordType::A, chain);
    assert!(ask("loop.sender.example.", RecordType::A).starts_with("ServFail"));
}

#[test]
fn signed_domains_say_so_to_who_asks() {
    let check = |name: &str, kind, asks: bool, expected: bool| {
        let mut message = Message::from_vec(&question(name, kind)).unwrap();
        message.metadata.authentic_data = asks;
        let reply = answer(&message.to_vec().unwrap(), &zones(), true).unwrap();
        let reply = Message::from_vec(&reply).unwrap();
        assert_eq!(reply.metadata.authentic_data, expected, "{name} {kind}");
    };
    check("mx.safe.example.", RecordType::A, true, true);
    check("mx.safe.example.", RecordType::A, false, false);
    check("MX.safe.example.", RecordType::AAAA, true, true);
    check("nobody.safe.example.", RecordType::A, true, true);
    check("_25._tcp.mx.safe.example.", RecordType::TLSA, true, true);
    check("sender.example.", RecordType::A, true, false);
    check("unsafe.example.", RecordType::A, true, false);
    // An alias that leads out of what is signed.
    check("out.safe.example.", RecordType::A, true, false);
    check("mx.broken.example.", RecordType::A, true, false);
    assert_eq!(ask("mx.broken.example.", RecordType::A), "ServFail: ");
}

#[test]
fn negative_answers_carry_an_soa() {
    let reply = answer(&question("x.sender.example.", RecordType::A), &zones(), true).unwrap();
    let reply = Message::from_vec(&reply).unwrap();
    assert_eq!(reply.authorities[0].name.to_ascii(), "sender.example.");
    assert!(reply.metadata.authoritative);
}

#[test]
fn long_answers_are_cut_over_udp_only() {
    let reply = answer(&question("long.example.", RecordType::TXT), &zones(), true).unwrap();
    let reply = Message::from_vec(&reply).unwrap();
    assert!(reply.metadata.truncation && reply.answers.is_empty());
    let mut asked = Message::query();
    asked.add_query(Query::query(Name::from_ascii("long.example.").unwrap(), RecordType::TXT));
    let mut edns = Edns::new();
    edns.set_max_payload(65_000);
    asked.set_edns(edns);
    let reply = answer(&asked.to_vec().unwrap(), &zones(), true).unwrap();
    assert!(reply.len() <= 1_232);
    assert_eq!(ask("long.example.", RecordType::TXT).len(), "ok: ".len() + 3_000);
}

#[test]
fn tables_are_checked_and_written_back() {
    let zones = zones();
    assert_eq!(Zones::parse(&zones.to_toml()).unwrap(), zones);
    for wrong in [
        "[names.\"a.example\"]\nA = [\"::1\"]",
        "[names.\"a.example\"]\nMX = [\"mx.example\"]",
        "[names.\"a.example\"]\nHINFO = [\"x\"]",
        "[names.\"a.example\"]\nSOA = [\"x\"]",
        "[names.\"a.example\"]\nTLSA = [\"3 1 1\"]",
        "[names.\"a.example\"]\nTLSA = [\"3 1 1 abc\"]",
        "[names.\"a.example\"]\nTLSA = [\"3 1 1 xx\"]",
        "[names.\"a.example\"]\nTLSA = [\"3 1 999 ab\"]",
        "[names.\"a.example\"]\nSRV = [\"0 1 mx.example\"]",
        "[names.\"a.example\"]\nSRV = [\"0 1 70000 mx.example\"]",
        "surprise = 1",
    ] {
        assert!(Zones::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn both_ways_to_ask_work() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind(udp.local_addr().unwrap()).unwrap();
    let address = udp.local_addr().unwrap();
    std::thread::spawn(move || serve(&udp, &tcp, &zones()));
    let asked = question("long.example.", RecordType::TXT);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(&asked, address).unwrap();
    let mut packet = [0u8; 2_000];
    let size = socket.recv(&mut packet).unwrap();
    assert!(Message::from_vec(&packet[..size]).unwrap().metadata.truncation);
    let mut connection = TcpStream::connect(address).unwrap();
    for _ in 0..2 {
        let size = u16::try_from(asked.len()).unwrap().to_be_bytes();
        connection.write_all(&[&size[..], &asked].concat()).unwrap();
        let mut size = [0u8; 2];
        connection.read_exact(&mut size).unwrap();
        let mut reply = vec![0u8; usize::from(u16::from_be_bytes(size))];
        connection.read_exact(&mut reply).unwrap();
        assert_eq!(told(&Message::from_vec(&reply).unwrap()).len(), 3_004);
    }
}

#[test]
fn fuzz_mutated_questions_are_answered_or_dropped() {
    let seeds =
        [question("www.sender.example.", RecordType::A), question("x.test.", RecordType::TXT)];
    let zones = zones();
    let mut state = 0x5e15_0001_u64;
    let mut chance = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 16).unwrap()
    };
    for round in 0..20_000 {
        let mut packet = seeds[round % seeds.len()].clone();
        for _ in 0..=chance() % 4 {
            let at = chance() % packet.len();
            match chance() % 3 {
                0 => packet[at] = u8::try_from(chance() % 256).unwrap(),
                1 => packet.insert(at, u8::try_from(chance() % 256).unwrap()),
                _ if packet.len() > 1 => packet.truncate(at + 1),
                _ => {}
            }
        }
        if let Some(reply) = answer(&packet, &zones, true) {
            assert!(reply.len() <= 1_232);
        }
    }
}
