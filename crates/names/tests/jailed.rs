//! `names` asks `zone`, both inside their real jails: every kind of answer comes over sockets that
//! it was handed, and no call at all is heard. This program is its own compartments:
//! birth re-executes it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use compartment::walls::{Wall, walls};
use compartment::{Birth, House, Notices, spawn};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use terms::{InstanceId, Kind};
use wire::control::{Order, Report, Service, Start};
use wire::names::{Answer, Outcome, Question, Record, RecordKind};
use wire::{Channel, Label};
use zone::{RecordWord, Zones};

const LIMIT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.first().map(String::as_str) == Some("sekisho") {
        let house = House::begin().unwrap();
        return if words[1] == "zone" { zone::run(house) } else { names::run(house) };
    }
    if words.iter().any(|word| word == "--list") {
        println!("jailed: test");
        return ExitCode::SUCCESS;
    }
    if !walls().granted.contains(&Wall::Notices) {
        println!("absent: this kernel gives no listener for refused calls");
        return ExitCode::SUCCESS;
    }
    names_and_zone_live_within_their_charters();
    println!("test result: ok. 1 passed; 0 failed");
    ExitCode::SUCCESS
}

fn names_and_zone_live_within_their_charters() {
    let (udp, tcp) = sockets();
    let server = udp.local_addr().unwrap();
    let long = "x".repeat(9_000);
    let zones = Zones::default().with("a.example", RecordWord::A, "192.0.2.1").unwrap();
    let zones = zones.with("long.example", RecordWord::Txt, &long).unwrap();
    let zones = zones.with("_25._tcp.a.example", RecordWord::Tlsa, "3 1 1 00ff").unwrap();
    let mut zones =
        zones.with("_imaps._tcp.a.example", RecordWord::Srv, "0 1 993 a.example").unwrap();
    zones.sign("a.example");

    let zone_start = Start { zones: zones.to_toml(), ..Start::default() };
    let (zone, zone_calls) = born(Kind::Zone, zone_start);
    zone.send(0, &Order::Listen(Service::Zone), &[udp.into()]).unwrap();
    zone.send(0, &Order::Listen(Service::Zone), &[tcp.into()]).unwrap();
    let names_start = Start { dns_servers: vec![server], ..Start::default() };
    let (names, names_calls) = born(Kind::Names, names_start);

    let handing = hand_sockets(&names, server);
    let (mut asker, theirs) = Channel::pair().unwrap();
    let label = Label { instance: InstanceId([1; 6]), kind: Kind::Edge, person: None };
    names.send(0, &Order::Join(label), &[theirs.into()]).unwrap();
    let mut check = |name: &str, kind, expected: Outcome| {
        let question = Question { name: name.to_owned(), kind };
        let (answer, _): (Answer, _) = asker.ask(&question, &[], LIMIT).unwrap();
        assert_eq!(answer.outcome, expected, "{name}");
    };
    let address = Record::A([192, 0, 2, 1].into());
    check("a.example", RecordKind::A, Outcome::Records(vec![address]));
    check("a.example", RecordKind::Mx, Outcome::NoRecords);
    check("b.example", RecordKind::A, Outcome::NoSuchName);
    let tlsa = Record::Tlsa { usage: 3, selector: 1, matching: 1, data: vec![0, 0xff] };
    check("_25._tcp.a.example", RecordKind::Tlsa, Outcome::Records(vec![tlsa]));
    let host = "a.example".to_owned();
    let srv = Record::Srv { priority: 0, weight: 1, port: 993, host };
    check("_imaps._tcp.a.example", RecordKind::Srv, Outcome::Records(vec![srv]));
    let text = Record::Txt(long.into_bytes());
    check("long.example", RecordKind::Txt, Outcome::Records(vec![text]));

    for control in [&zone, &names] {
        control.send(0, &Order::Stop, &[]).unwrap();
    }
    handing.join().unwrap();
    assert_eq!(heard(&zone_calls), Vec::<String>::new());
    assert_eq!(heard(&names_calls), Vec::<String>::new());
}

/// What the warden does until `names` has left: sockets that are connected to its server.
fn hand_sockets(names: &Channel, to: SocketAddr) -> std::thread::JoinHandle<()> {
    let control: Channel = names.as_fd().try_clone_to_owned().unwrap().into();
    std::thread::spawn(move || {
        while let Ok(frame) = control.receive(Some(LIMIT)) {
            let Ok(Report::Resolvers { server, over_tcp, sockets }) = frame.read() else { return };
            let handed: Vec<OwnedFd> = match over_tcp {
                true => vec![TcpStream::connect(to).unwrap().into()],
                false => (0..sockets).map(|_| connected(to)).collect(),
            };
            control.send(0, &Order::Resolvers { server, over_tcp }, &handed).unwrap();
        }
    })
}

fn connected(to: SocketAddr) -> OwnedFd {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(to).unwrap();
    socket.into()
}

fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
}

/// A jailed compartment that is ready, and the calls of it that the warden would hear.
fn born(kind: Kind, start: Start) -> (Channel, Receiver<String>) {
    let (ours, theirs) = Channel::pair().unwrap();
    let start = Start { kind_word: kind.word().to_owned(), ..start };
    ours.send(0, &Order::Begin(start), &[]).unwrap();
    let spawned = spawn(Birth {
        kind: kind.word(),
        instance: None,
        user: compartment::is_root().then_some(64_000 + kind.number()),
        host_network: false,
        control: theirs.into(),
        more: Vec::new(),
        environment: Vec::new(),
    })
    .unwrap();
    let (Report::Jailed { .. }, mut fds) = report(&ours) else { panic!("not jailed") };
    let notices = Notices::new(fds.pop().expect("a listener"));
    let (tell, hear) = channel();
    std::thread::spawn(move || listen(&notices, &spawned.pidfd, &tell));
    assert!(matches!(report(&ours).0, Report::Ready { .. }));
    (ours, hear)
}

/// Lets every call go on and tells of it, until the compartment has ended.
fn listen(notices: &Notices, ended: &OwnedFd, tell: &std::sync::mpsc::Sender<String>) {
    use rustix::event::{PollFd, PollFlags, poll};
    loop {
        let mut ready = [PollFd::new(notices, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
        poll(&mut ready, None).unwrap();
        if ready[0].revents().contains(PollFlags::IN)
            && let Some(notice) = notices.receive().unwrap()
        {
            tell.send(notice.call.to_owned()).unwrap();
            notices.continue_(&notice).unwrap();
        } else if !ready[1].revents().is_empty() {
            return;
        }
    }
}

fn report(control: &Channel) -> (Report, Vec<OwnedFd>) {
    let frame = control.receive(Some(LIMIT)).expect("a report");
    (frame.read().unwrap(), frame.descriptors)
}

fn heard(calls: &Receiver<String>) -> Vec<String> {
    let mut heard = Vec::new();
    while let Ok(call) = calls.recv_timeout(LIMIT) {
        heard.push(call);
    }
    heard
}
