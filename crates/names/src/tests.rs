//! Cases: packets, and the whole compartment against a zone server and against liars.

use crate::life::attend;
use crate::packet::{Reading, Sent, read_answer};
use crate::servers_in;
use compartment::House;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record as DnsRecord, RecordType};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use wire::control::{Order, Report, Start};
use wire::names::{Answer, Outcome, Question, Record, RecordKind, Security};
use wire::{Channel, Label};
use zone::{RecordWord, Zones};

const PATIENCE: Duration = Duration::from_secs(20);

fn question(name: &str, kind: RecordKind) -> Question {
    Question { name: name.to_owned(), kind }
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn sent(exact_case: bool) -> Sent {
    let chance = exact_case.then_some([0b0101_0101; 32]);
    Sent::new(&question("www.a.example", RecordKind::A), 7, chance).unwrap()
}

/// A good reply to `sent`, to be spoilt.
fn reply(sent: &Sent) -> Message {
    let mut reply = Message::response(sent.id, hickory_proto::op::OpCode::Query);
    reply.add_query(Query::query(sent.name.clone(), RecordType::A));
    reply
}

fn address(owner: &str, last: u8) -> DnsRecord {
    DnsRecord::from_rdata(name(owner), 60, RData::A(A([192, 0, 2, last].into())))
}

fn alias(owner: &str, target: &str, ttl: u32) -> DnsRecord {
    DnsRecord::from_rdata(name(owner), ttl, RData::CNAME(CNAME(name(target))))
}

/// What is read after `spoil`: `A 192.0.2.1 60`, or how it was taken.
fn check(exact_case: bool, spoil: impl Fn(&mut Message), expected: &str) {
    let sent = sent(exact_case);
    let mut message = reply(&sent);
    spoil(&mut message);
    let found = match read_answer(&message.to_vec().unwrap(), &sent, false) {
        Reading::Answer(Answer { outcome: Outcome::Records(records), ttl_seconds, .. }) => {
            format!("{records:?} {ttl_seconds}")
        }
        Reading::Answer(Answer { outcome, ttl_seconds, .. }) => {
            format!("{outcome:?} {ttl_seconds}")
        }
        other => format!("{other:?}"),
    };
    assert_eq!(found, expected);
}

#[test]
fn replies_are_matched_strictly() {
    let good = "[A(192.0.2.1)] 60";
    let add = |m: &mut Message, record| m.answers.push(record);
    check(false, |m| add(m, address("www.a.example.", 1)), good);
    check(false, |m| add(m, address("WWW.a.example.", 1)), good);
    check(true, |m| add(m, address("www.a.example.", 1)), good);
    check(true, |m| m.queries[0].name = name("www.a.example."), "NotOurs");
    check(false, |m| m.metadata.id = 8, "NotOurs");
    check(false, |m| m.queries[0].name = name("www.b.example."), "NotOurs");
    check(false, |m| m.queries[0].query_type = RecordType::AAAA, "NotOurs");
    check(false, |m| m.queries.clear(), "NotOurs");
    check(false, |m| m.metadata.message_type = hickory_proto::op::MessageType::Query, "NotOurs");
    check(false, |m| m.metadata.truncation = true, "Truncated");
    check(false, |m| m.metadata.response_code = ResponseCode::ServFail, "Sick");
    check(false, |m| m.metadata.response_code = ResponseCode::Refused, "Refused");
    // Records of other names and kinds are not the answer.
    check(false, |m| add(m, address("www.b.example.", 1)), "NoRecords 5");
    let text =
        |owner| DnsRecord::from_rdata(name(owner), 60, RData::TXT(TXT::new(vec!["x".into()])));
    check(false, |m| add(m, text("www.a.example.")), "NoRecords 5");
}

#[test]
fn aliases_are_followed_inside_the_answer() {
    let chain = |m: &mut Message| {
        m.add_answer(address("c.example.", 3));
        m.add_answer(alias("b.example.", "c.example.", 20));
        m.add_answer(alias("www.a.example.", "b.example.", 30));
    };
    check(false, chain, "[A(192.0.2.3)] 20");
    check(false, |m| m.answers.push(alias("www.a.example.", "b.example.", 3)), "NoRecords 3");
    check(false, |m| m.answers.push(alias("www.a.example.", "www.a.example.", 3)), "Failed 0");
    // Two that lead to each other, in whatever order.
    for names in [["www.a.example.", "b.example."], ["b.example.", "www.a.example."]] {
        let [one, other] = names;
        let round = |m: &mut Message| {
            m.add_answer(alias(one, other, 300));
            m.add_answer(alias(other, one, 300));
        };
        check(false, round, "Failed 0");
    }
    let dangling = |m: &mut Message| {
        m.add_answer(alias("www.a.example.", "b.example.", 300));
        m.metadata.response_code = ResponseCode::NXDomain;
    };
    check(false, dangling, "NoSuchName 5");
}

#[test]
fn absence_lasts_as_long_as_its_soa_says() {
    for (ttl, minimum, expected) in [(100, 40, "NoSuchName 40"), (30, 40, "NoSuchName 30")] {
        let absent = |m: &mut Message| {
            let soa = SOA::new(name("ns."), name("host."), 1, 1, 1, 1, minimum);
            m.add_authority(DnsRecord::from_rdata(name("example."), ttl, RData::SOA(soa)));
            m.metadata.response_code = ResponseCode::NXDomain;
        };
        check(false, absent, expected);
    }
}

#[test]
fn only_a_trusted_server_makes_an_answer_secure() {
    let sent = sent(false);
    let mut message = reply(&sent);
    message.add_answer(address("www.a.example.", 1));
    let security = |message: &Message, trusted| match read_answer(
        &message.to_vec().unwrap(),
        &sent,
        trusted,
    ) {
        Reading::Answer(answer) => answer.security,
        other => panic!("{other:?}"),
    };
    assert_eq!(security(&message, true), Security::Insecure);
    message.metadata.authentic_data = true;
    assert_eq!(security(&message, true), Security::Secure);
    assert_eq!(security(&message, false), Security::Insecure);
}

#[test]
fn names_that_the_dns_cannot_hold_are_not_sent() {
    let packed = |text: &str| {
        let sent = Sent::new(&question(text, RecordKind::Txt), 1, Some([0; 32]));
        sent.and_then(|sent| sent.packet()).is_some()
    };
    assert!(packed("a.example") && packed("a.example.") && packed("_x.%{odd}.example"));
    assert!(!packed(&format!("{}.example", "a".repeat(64))));
    assert!(!packed(&"abcdefg.".repeat(33)));
    assert!(!packed("a..example"));
}

#[test]
fn the_systems_servers_are_read() {
    let text = b"# comment\nsearch x\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\n\
                 nameserver 2001:db8::1 # two\noptions edns0\nnameserver bad\n\
                 nameserver 192.0.2.3\n\
                 nameserver 192.0.2.4";
    let found: Vec<String> = servers_in(text).iter().map(SocketAddr::to_string).collect();
    assert_eq!(found, ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.3:53"]);
}

/// A running `names` and the warden's end of its control channel.
struct Running {
    warden: Channel,
}

impl Running {
    fn start(servers: Vec<SocketAddr>) -> Self {
        let (warden, control) = Channel::pair().unwrap();
        let start = Start { kind_word: "names".into(), ..Start::default() };
        warden.send(0, &Order::Begin(start), &[]).unwrap();
        let house = House::begin_on(control).unwrap();
        hand_sockets(&warden, servers.clone());
        std::thread::spawn(move || attend(house, servers));
        Self { warden }
    }

    fn join(&self) -> Channel {
        let (one, other) = Channel::pair().unwrap();
        let label = Label { instance: InstanceId([1; 6]), kind: Kind::Edge, person: None };
        self.warden.send(0, &Order::Join(label), &[other.into()]).unwrap();
        one
    }
}

/// What wardens were told that somebody should look at.
static ALARMS: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());

/// What the warden does: sockets that are connected to the server asked for.
fn hand_sockets(warden: &Channel, servers: Vec<SocketAddr>) {
    let warden: Channel = warden.as_fd().try_clone_to_owned().unwrap().into();
    std::thread::spawn(move || {
        while let Ok(frame) = warden.receive(None) {
            let (server, over_tcp, sockets) = match frame.read().unwrap() {
                Report::Resolvers { server, over_tcp, sockets } => (server, over_tcp, sockets),
                Report::Attention { what } => {
                    ALARMS.lock().unwrap().push(what);
                    continue;
                }
                Report::Note { .. } => continue,
                _ => panic!("not for the warden"),
            };
            let to = servers[usize::from(server)];
            let handed: Vec<OwnedFd> = match over_tcp {
                true => TcpStream::connect(to).into_iter().map(OwnedFd::from).collect(),
                false => (0..sockets).map(|_| connected(to).into()).collect(),
            };
            warden.send(0, &Order::Resolvers { server, over_tcp }, &handed).unwrap();
        }
    });
}

fn connected(to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(to).unwrap();
    socket
}

fn ask(channel: &mut Channel, name: &str, kind: RecordKind) -> Outcome {
    let (answer, _): (Answer, _) = channel.ask(&question(name, kind), &[], PATIENCE).unwrap();
    answer.outcome
}

fn zone_server() -> SocketAddr {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            break (udp, tcp);
        }
    };
    let zones = Zones::default()
        .with("a.example", RecordWord::A, "192.0.2.1")
        .and_then(|zones| zones.with("a.example", RecordWord::Aaaa, "2001:db8::1"))
        .and_then(|zones| zones.with("a.example", RecordWord::Mx, "10 mx.a.example"))
        .and_then(|zones| zones.with("a.example", RecordWord::Txt, "v=spf1 -all"))
        .and_then(|zones| zones.with("b.example", RecordWord::Cname, "a.example"))
        .and_then(|zones| zones.with("to.example", RecordWord::Cname, "fro.example"))
        .and_then(|zones| zones.with("fro.example", RecordWord::Cname, "to.example"))
        .and_then(|zones| zones.with("long.example", RecordWord::Txt, &"x".repeat(9_000)))
        .and_then(|zones| zones.with("_25._tcp.a.example", RecordWord::Tlsa, "3 1 1 ab00ff"))
        .and_then(|zones| zones.with("_imaps._tcp.a.example", RecordWord::Srv, "5 1 993 a.example"))
        .and_then(|zones| zones.with("_pop3s._tcp.a.example", RecordWord::Srv, "0 0 0 ."))
        .and_then(|zones| zones.with("1.2.0.192.in-addr.arpa", RecordWord::Ptr, "a.example"))
        .unwrap();
    let mut zones = zones;
    zones.sign("_tcp.a.example");
    zones.bogus.insert("bogus.example".to_owned());
    let address = udp.local_addr().unwrap();
    std::thread::spawn(move || zone::serve(&udp, &tcp, &zones));
    address
}

#[test]
fn a_zone_server_is_asked_for_everything() {
    let running = Running::start(vec![zone_server()]);
    let mut edge = running.join();
    let mut check = |name: &str, kind, expected: Outcome| {
        assert_eq!(ask(&mut edge, name, kind), expected, "{name}");
    };
    let a = Outcome::Records(vec![Record::A([192, 0, 2, 1].into())]);
    check("a.example", RecordKind::A, a.clone());
    check("A.Example.", RecordKind::A, a.clone());
    check("b.example", RecordKind::A, a);
    let six = Record::Aaaa("2001:db8::1".parse().unwrap());
    check("a.example", RecordKind::Aaaa, Outcome::Records(vec![six]));
    let mx = Record::Mx { preference: 10, host: "mx.a.example".into() };
    check("a.example", RecordKind::Mx, Outcome::Records(vec![mx]));
    let spf = Record::Txt(b"v=spf1 -all".to_vec());
    check("a.example", RecordKind::Txt, Outcome::Records(vec![spf]));
    let back = Record::Ptr("a.example".into());
    check("1.2.0.192.in-addr.arpa", RecordKind::Ptr, Outcome::Records(vec![back]));
    let data = vec![0xab, 0, 0xff];
    let tlsa = Record::Tlsa { usage: 3, selector: 1, matching: 1, data };
    check("_25._tcp.a.example", RecordKind::Tlsa, Outcome::Records(vec![tlsa]));
    let srv = |priority, weight, port, host: &str| Record::Srv {
        priority,
        weight,
        port,
        host: host.to_owned(),
    };
    let imaps = srv(5, 1, 993, "a.example");
    check("_imaps._tcp.a.example", RecordKind::Srv, Outcome::Records(vec![imaps]));
    // "Not offered here" (RFC 2782).
    let none = srv(0, 0, 0, "");
    check("_pop3s._tcp.a.example", RecordKind::Srv, Outcome::Records(vec![none]));
    check("_26._tcp.a.example", RecordKind::Tlsa, Outcome::NoSuchName);
    check("mx.bogus.example", RecordKind::Tlsa, Outcome::Failed);
    check("mx.a.example", RecordKind::A, Outcome::NoSuchName);
    check("a.example", RecordKind::Ptr, Outcome::NoRecords);
    check("a..example", RecordKind::A, Outcome::Failed);
    // Aliases that lead to each other: nobody knows, and nobody goes round for long.
    for kind in [RecordKind::Mx, RecordKind::A, RecordKind::Aaaa] {
        check("to.example", kind, Outcome::Failed);
        check("fro.example", kind, Outcome::Failed);
    }
    // Too long for UDP: over TCP.
    let long = Record::Txt(vec![b'x'; 9_000]);
    check("long.example", RecordKind::Txt, Outcome::Records(vec![long]));
}

/// What DANE rests on: the bit of a server on this host, of answers and of absences, also when
/// they are remembered.
#[test]
fn what_a_validating_server_says_is_kept() {
    let running = Running::start(vec![zone_server()]);
    let mut depart = running.join();
    for round in 0..2 {
        let mut check = |name: &str, kind, expected: Security| {
            let asked = question(name, kind);
            let (answer, _): (Answer, _) = depart.ask(&asked, &[], PATIENCE).unwrap();
            assert_eq!(answer.security, expected, "round {round}, {name}");
        };
        check("_25._tcp.a.example", RecordKind::Tlsa, Security::Secure);
        check("_465._tcp.a.example", RecordKind::Tlsa, Security::Secure);
        check("_imaps._tcp.a.example", RecordKind::Srv, Security::Secure);
        check("a.example", RecordKind::Mx, Security::Insecure);
        check("bogus.example", RecordKind::Mx, Security::Insecure);
    }
}

#[test]
fn many_ask_at_once() {
    let running = Running::start(vec![zone_server()]);
    let threads: Vec<_> = (0..16)
        .map(|thread| {
            let mut channel = running.join();
            std::thread::spawn(move || {
                for number in 0..50 {
                    let name = format!("x{}.example", (number + thread) % 60);
                    assert_eq!(ask(&mut channel, &name, RecordKind::A), Outcome::NoSuchName);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn one_peer_cannot_fill_the_desk() {
    // A server that never answers.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let running = Running::start(vec![silent.local_addr().unwrap()]);
    let mut loud = running.join();
    for number in 0..1_000 {
        let call = loud.next_call();
        loud.send(call, &question(&format!("x{number}.example"), RecordKind::A), &[]).unwrap();
    }
    let start = Instant::now();
    for _ in 0..1_000 - 128 {
        let answer: Answer = loud.receive(Some(PATIENCE)).unwrap().read().unwrap();
        assert_eq!(answer.outcome, Outcome::Failed);
    }
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_dead_server_costs_one_try() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let running = Running::start(vec![silent.local_addr().unwrap(), zone_server()]);
    let mut edge = running.join();
    let start = Instant::now();
    let spf = Outcome::Records(vec![Record::Txt(b"v=spf1 -all".to_vec())]);
    assert_eq!(ask(&mut edge, "a.example", RecordKind::Txt), spf);
    assert!(start.elapsed() >= Duration::from_millis(1_900));
    // From memory now.
    let start = Instant::now();
    assert_eq!(ask(&mut edge, "a.example", RecordKind::Txt), spf);
    assert!(start.elapsed() < Duration::from_millis(500));
    // All dead: failed, within the tries; and it is not the name's fault.
    let running = Running::start(vec![silent.local_addr().unwrap()]);
    let start = Instant::now();
    assert_eq!(ask(&mut running.join(), "a.example", RecordKind::Txt), Outcome::Unanswered);
    assert!(start.elapsed() < Duration::from_secs(6));
}

/// A resolver that answers whatever it can, lets `asleep.example` wait for its own servers, and
/// refuses one name, or all.
fn careful_resolver(refuses_all: bool) -> SocketAddr {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = server.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut packet = [0u8; 2_000];
        while let Ok((size, from)) = server.recv_from(&mut packet) {
            let asked = Message::from_vec(&packet[..size]).unwrap();
            let mut told = Message::response(asked.metadata.id, asked.metadata.op_code);
            told.add_queries(asked.queries.clone());
            told.metadata.response_code = ResponseCode::ServFail;
            let name = asked.queries[0].name().to_string().to_lowercase();
            if refuses_all || name == "refused.example." {
                told.metadata.response_code = ResponseCode::Refused;
            }
            if name != "asleep.example." {
                server.send_to(&told.to_vec().unwrap(), from).unwrap();
            }
        }
    });
    at
}

/// Our own resolver's silence is told from a broken domain's, and to whoever runs the house, once.
#[test]
fn whose_fault_it_is() {
    let alarms = || ALARMS.lock().unwrap().clone();
    // A name that its resolver will not speak of, before anything else was asked, is one name.
    for names in [&["refused.example"][..], &["broken.example", "asleep.example"]] {
        let careful = careful_resolver(false);
        let running = Running::start(vec![careful]);
        let mut edge = running.join();
        for name in names {
            assert_eq!(ask(&mut edge, name, RecordKind::Mx), Outcome::Failed, "{name}");
        }
        assert!(!alarms().iter().any(|what| what.contains(&careful.to_string())), "{names:?}");
    }
    let running = Running::start(vec![careful_resolver(false)]);
    let mut edge = running.join();
    assert_eq!(ask(&mut edge, "a..example", RecordKind::Mx), Outcome::Failed);
    // Nobody listens there, nobody says a word, or all is refused: the same whatever the name.
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    for at in [nobody, silent.local_addr().unwrap(), careful_resolver(true)] {
        let running = Running::start(vec![at]);
        let mut edge = running.join();
        for name in ["broken.example", "other.example"] {
            assert_eq!(ask(&mut edge, name, RecordKind::Mx), Outcome::Unanswered, "{at} {name}");
        }
        // The warden hears on a thread of its own.
        let about = || alarms().iter().filter(|what| what.contains(&at.to_string())).count();
        let until = Instant::now() + PATIENCE;
        while about() == 0 {
            assert!(Instant::now() < until, "nobody was told");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(about(), 1, "{:?}", alarms());
    }
}

#[test]
fn liars_are_not_heard() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let running = Running::start(vec![server.local_addr().unwrap()]);
    std::thread::spawn(move || {
        let mut packet = [0u8; 2_000];
        let (size, from) = server.recv_from(&mut packet).unwrap();
        let asked = Message::from_vec(&packet[..size]).unwrap();
        let mut told = Message::response(asked.metadata.id, asked.metadata.op_code);
        told.add_queries(asked.queries.clone());
        let mut lie = told.clone();
        lie.add_answer(address("www.a.example.", 66));
        // The right octets from the wrong place, and wrong octets from the right one.
        stranger.send_to(&lie.to_vec().unwrap(), from).unwrap();
        lie.metadata.id ^= 1;
        server.send_to(&lie.to_vec().unwrap(), from).unwrap();
        server.send_to(b"\0\0 not a packet", from).unwrap();
        told.add_answer(address("www.a.example.", 1));
        server.send_to(&told.to_vec().unwrap(), from).unwrap();
    });
    let truth = Outcome::Records(vec![Record::A([192, 0, 2, 1].into())]);
    assert_eq!(ask(&mut running.join(), "www.a.example", RecordKind::A), truth);
}

#[test]
fn it_leaves_when_told() {
    let (warden, control) = Channel::pair().unwrap();
    warden.send(0, &Order::Begin(Start::default()), &[]).unwrap();
    let house = House::begin_on(control).unwrap();
    let thread = std::thread::spawn(move || attend(house, Vec::new()).is_ok());
    warden.send(0, &Order::Stop, &[]).unwrap();
    assert!(thread.join().unwrap());
}

#[test]
fn fuzz_mutated_packets_never_panic() {
    let sent = sent(false);
    let mut good = reply(&sent);
    good.add_answer(alias("www.a.example.", "b.example.", 30));
    good.add_answer(address("b.example.", 3));
    let seed = good.to_vec().unwrap();
    let mut state = 0x5e15_0002_u64;
    let mut chance = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 16).unwrap()
    };
    let mut answered = 0;
    for _ in 0..20_000 {
        let mut packet = seed.clone();
        for _ in 0..=chance() % 3 {
            let at = chance() % packet.len();
            match chance() % 3 {
                0 => packet[at] = u8::try_from(chance() % 256).unwrap(),
                1 => packet.insert(at, u8::try_from(chance() % 256).unwrap()),
                _ => packet.truncate(at + 1),
            }
        }
        answered += usize::from(matches!(read_answer(&packet, &sent, false), Reading::Answer(_)));
        let _ = servers_in(&packet);
    }
    assert!(answered > 1_000);
}
