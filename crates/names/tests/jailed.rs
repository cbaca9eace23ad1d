//! `names` asks `zone`, both inside their real jails: every kind of answer comes over sockets that
//! it was handed, and no call at all is heard. This program is its own compartments:
//! birth re-executes it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use compartment::House;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::time::Duration;
use terms::{InstanceId, Kind};
use wire::control::{Order, Report, Service, Start};
use wire::names::{Answer, Outcome, Question, Record, RecordKind};
use wire::{Channel, Label};
use zone::{RecordWord, Zones};

const LIMIT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    walled::main(
        || {
            let house = House::begin().unwrap();
            match std::env::args().nth(1).as_deref() {
                Some("zone") => zone::run(house),
                _ => names::run(house),
            }
        },
        names_and_zone_live_within_their_charters,
    )
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
    let zone = walled::born(Kind::Zone, zone_start);
    zone.control.send(0, &Order::Listen(Service::Zone), &[udp.into()]).unwrap();
    zone.control.send(0, &Order::Listen(Service::Zone), &[tcp.into()]).unwrap();
    let names_start = Start { dns_servers: vec![server], ..Start::default() };
    let names = walled::born(Kind::Names, names_start);

    let handing = hand_sockets(&names.control, server);
    let label = Label { instance: InstanceId([1; 6]), kind: Kind::Edge, person: None };
    let mut asker = names.join(label);
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

    // No call is so much as witnessed.
    for born in [&zone, &names] {
        born.stop();
        assert_eq!(born.heard.witnessed(), 0);
    }
    handing.join().unwrap();
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
