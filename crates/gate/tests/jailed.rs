//! The real gate in its real walls: connections, refusals, a new ledger, and not one call off its
//! charter. This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use compartment::House;
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;
use terms::{InstanceId, Kind};
use wire::control::{Order, Report, Service, Start};
use wire::gate::{FromGate, ToGate};
use wire::ledger::{FromLedger, ToLedger};
use wire::{Channel, Label};

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    walled::main(|| gate::run(House::begin().unwrap()), live)
}

fn live() {
    let gate = walled::born(Kind::Gate, Start { instance: InstanceId([3; 6]), ..Start::default() });
    assert!(matches!(gate.ready, Report::Ready { author: Some(_), .. }));
    load(&gate.control);
    gate.stop();
}

fn join(control: &Channel, kind: Kind, number: u8) -> Channel {
    walled::join(control, Label { instance: InstanceId([number; 6]), kind, person: None })
}

/// Connections over both families, one client too many, a ledger that dies and comes back.
fn load(control: &Channel) {
    let open = |address: SocketAddr| {
        let listener = TcpListener::bind(address).ok()?;
        let address = listener.local_addr().unwrap();
        control.send(0, &Order::Listen(Service::Smtp), &[listener.into()]).unwrap();
        Some(address)
    };
    let four = open((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let addresses = [Some(four), open((Ipv6Addr::LOCALHOST, 0).into())];
    drop(join(control, Kind::Ledger, 200));
    let ledger = join(control, Kind::Ledger, 201);
    let mut edge = join(control, Kind::Edge, 1);
    let mut served = 0;
    for address in addresses.into_iter().flatten().cycle().take(20) {
        let _client = TcpStream::connect(address).unwrap();
        let frame = edge.receive(Some(LIMIT)).unwrap();
        let FromGate::Handed { connection, .. } = frame.read().unwrap() else { panic!("none") };
        let allow = ToGate::Allow { bytes: 1 << 20 };
        let (answer, _): (FromGate, _) = edge.ask(&allow, &[], LIMIT).unwrap();
        assert!(matches!(answer, FromGate::Allowed(true)));
        edge.send(0, &ToGate::Release { bytes: 1 << 20 }, &[]).unwrap();
        edge.send(0, &ToGate::Done { connection, last: false }, &[]).unwrap();
        served += 1;
    }
    let mut recorded = 0;
    while recorded < served {
        let frame = ledger.receive(Some(LIMIT)).unwrap();
        let ToLedger::Append { entries, .. } = frame.read().unwrap() else { panic!("no entries") };
        recorded += entries.len();
        ledger.send(frame.call, &FromLedger::Taken { first_index: 0 }, &[]).unwrap();
    }
    assert_eq!(recorded, served);
    drop(edge);
    let _open: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(four).unwrap()).collect();
    let mut said = String::new();
    TcpStream::connect(four).unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "421 4.3.2 too many connections from you; try again later\r\n");
}
