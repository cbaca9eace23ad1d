//! The gate with a warden, instances and a ledger that are played.

use compartment::House;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use terms::{ConnectionId, InstanceId, Kind};
use wire::control::{Order, Report, Service, Start};
use wire::gate::{FromGate, ToGate};
use wire::ledger::{FromLedger, ToLedger};
use wire::{Channel, Frame, Label};

const LIMIT: Duration = Duration::from_secs(5);

struct Warden {
    control: Channel,
    gate: JoinHandle<ExitCode>,
    smtp: SocketAddr,
    imaps: SocketAddr,
    ledger: Channel,
    born: u8,
}

fn start(demo: bool) -> Warden {
    let (control, gate) = Channel::pair().unwrap();
    let kind_word = "gate".to_owned();
    let begin = Start { kind_word, demo, instance: InstanceId([7; 6]), ..Start::default() };
    control.send(0, &Order::Begin(begin), &[]).unwrap();
    let house = House::begin_on(gate).unwrap();
    let gate = std::thread::spawn(move || crate::keep(house));
    let listen = |service| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        control.send(0, &Order::Listen(service), &[listener.into()]).unwrap();
        address
    };
    let (smtp, imaps) = (listen(Service::Smtp), listen(Service::Imaps));
    let ledger = join(&control, Kind::Ledger, 200);
    assert!(matches!(hear(&control), Report::Ready { author: Some(_), .. }));
    Warden { control, gate, smtp, imaps, ledger, born: 0 }
}

fn join(control: &Channel, kind: Kind, number: u8) -> Channel {
    let (near, far) = Channel::pair().unwrap();
    let label = Label { instance: InstanceId([number; 6]), kind, person: None };
    control.send(0, &Order::Join(label), &[far.into()]).unwrap();
    near
}

fn hear(control: &Channel) -> Report {
    control.receive(Some(LIMIT)).unwrap().read().unwrap()
}

impl Warden {
    fn instance(&mut self, kind: Kind) -> Channel {
        self.born += 1;
        join(&self.control, kind, self.born)
    }
}

fn handed(instance: &Channel) -> (ConnectionId, SocketAddr, Service, TcpStream) {
    let Frame { payload, descriptors, call } = instance.receive(Some(LIMIT)).unwrap();
    assert_eq!(call, 0);
    let frame = Frame { call, payload, descriptors: Vec::new() };
    let FromGate::Handed { connection, peer, service, .. } = frame.read().unwrap() else {
        panic!("something else than a connection");
    };
    let socket = descriptors.into_iter().next().unwrap();
    (connection, peer, service, socket.into())
}

#[test]
fn connections_go_to_instances_of_their_kind_and_come_back_free() {
    let mut warden = start(true);
    let (mut edge, access) = (warden.instance(Kind::Edge), warden.instance(Kind::Access));
    let reader = TcpStream::connect(warden.imaps).unwrap();
    let (_, peer, service, _socket) = handed(&access);
    assert_eq!((peer, service), (reader.local_addr().unwrap(), Service::Imaps));
    for round in 0..3 {
        let client = TcpStream::connect(warden.smtp).unwrap();
        let (connection, peer, service, socket) = handed(&edge);
        assert_eq!((peer, service), (client.local_addr().unwrap(), Service::Smtp));
        drop(socket);
        let (allow, huge) = (ToGate::Allow { bytes: 1 << 20 }, ToGate::Allow { bytes: 1 << 40 });
        let (answer, _): (FromGate, _) = edge.ask(&allow, &[], LIMIT).unwrap();
        assert!(matches!(answer, FromGate::Allowed(true)));
        let (answer, _): (FromGate, _) = edge.ask(&huge, &[], LIMIT).unwrap();
        assert!(matches!(answer, FromGate::Allowed(false)));
        let last = round == 2;
        edge.send(0, &ToGate::Done { connection, last }, &[]).unwrap();
    }
    assert!(edge.receive(Some(LIMIT)).is_err(), "a retired instance is let go");
}

#[test]
fn every_connection_is_recorded_within_a_second_and_again_if_the_ledger_was_away() {
    let mut warden = start(true);
    let edge = warden.instance(Kind::Edge);
    let _client = TcpStream::connect(warden.smtp).unwrap();
    let begin = Instant::now();
    let (connection, ..) = handed(&edge);
    let first = warden.ledger.receive(Some(LIMIT)).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(1));
    let ToLedger::Append { entries, prove: false } = first.read().unwrap() else { panic!() };
    let entry = evidence::Frame::parse(&entries[0]).unwrap().entry;
    let evidence::Body::Connection { connection: found, instance, .. } = entry.body else {
        panic!("another entry");
    };
    assert_eq!((found, instance, entry.seq), (connection, InstanceId([1; 6]), 0));
    // The ledger dies before it has answered; its successor gets the same.
    warden.ledger = join(&warden.control, Kind::Ledger, 201);
    let second = warden.ledger.receive(Some(LIMIT)).unwrap();
    let ToLedger::Append { entries: again, .. } = second.read().unwrap() else { panic!() };
    assert_eq!(entries, again);
    warden.ledger.send(second.call, &FromLedger::Taken { first_index: 0 }, &[]).unwrap();
    assert!(!warden.ledger.wait(Duration::from_millis(600)).unwrap());
}

#[test]
fn callers_wait_for_instances_which_the_warden_is_asked_for() {
    let mut warden = start(true);
    let clients: Vec<TcpStream> =
        (0..6).map(|_| TcpStream::connect(warden.smtp).unwrap()).collect();
    let mut asked = 0;
    while asked < 6 {
        let Report::Need { kind, instances } = hear(&warden.control) else { panic!() };
        asked += if kind == Kind::Edge { instances } else { 0 };
    }
    let (near, far) = Channel::pair().unwrap();
    drop(near);
    let label = Label { instance: InstanceId([99; 6]), kind: Kind::Edge, person: None };
    warden.control.send(0, &Order::Join(label), &[far.into()]).unwrap();
    let mut peers = Vec::new();
    let edges: Vec<Channel> = (0..6).map(|_| warden.instance(Kind::Edge)).collect();
    for edge in &edges {
        peers.push(handed(edge).1);
    }
    let mut expected: Vec<SocketAddr> =
        clients.iter().map(|client| client.local_addr().unwrap()).collect();
    peers.sort();
    expected.sort();
    assert_eq!(peers, expected);
}

#[test]
fn an_instance_that_dies_takes_only_its_own_connection_with_it() {
    let mut warden = start(false);
    for _ in 0..110 {
        let edge = warden.instance(Kind::Edge);
        let client = TcpStream::connect(warden.smtp).unwrap();
        let (connection, .., socket) = handed(&edge);
        edge.send(0, &ToGate::Begun { connection }, &[]).unwrap();
        drop((edge, socket, client));
    }
    let edge = warden.instance(Kind::Edge);
    let _client = TcpStream::connect(warden.smtp).unwrap();
    handed(&edge);
}

#[test]
fn a_caller_whose_instance_died_before_it_had_begun_is_handed_to_another() {
    let mut warden = start(true);
    let (first, second) = (warden.instance(Kind::Edge), warden.instance(Kind::Edge));
    let client = TcpStream::connect(warden.smtp).unwrap();
    let (_, caller, ..) = handed(&first);
    drop(first);
    let (_, again, ..) = handed(&second);
    assert_eq!((caller, again), (client.local_addr().unwrap(), client.local_addr().unwrap()));
    // Who kills every instance before it has begun is not handed on for ever.
    drop(second);
    for _ in 2..16 {
        drop(handed(&warden.instance(Kind::Edge)));
    }
    let mut said = String::new();
    (&client).read_to_string(&mut said).unwrap();
    assert_eq!(said, "421 4.3.2 going down; try again later\r\n");
}

#[test]
fn too_many_connections_are_turned_away_in_words() {
    let mut warden = start(false);
    let mut open = Vec::new();
    for _ in 0..100 {
        let edge = warden.instance(Kind::Edge);
        let client = TcpStream::connect(warden.smtp).unwrap();
        open.push((handed(&edge), client, edge));
    }
    let mut said = String::new();
    TcpStream::connect(warden.smtp).unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "421 4.3.2 too many connections from you; try again later\r\n");
    // What an edge says of its client counts once, and no more than fits one connection.
    for ((connection, ..), _, edge) in open.iter().take(11) {
        for _ in 0..10 {
            edge.send(0, &ToGate::Unknown { count: 500 }, &[]).unwrap();
        }
        if *connection == open[10].0.0 {
            edge.send(0, &ToGate::Done { connection: *connection, last: false }, &[]).unwrap();
        }
    }
    let mut said = String::new();
    while !said.contains("unknown recipients") {
        said.clear();
        let mut client = TcpStream::connect(warden.smtp).unwrap();
        client.set_read_timeout(Some(LIMIT)).unwrap();
        client.read_to_string(&mut said).unwrap();
    }
}

/// Whoever waits at a door that begins with TLS hears nothing until it is served or turned away.
fn is_turned_away(mut client: &TcpStream) -> bool {
    client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    matches!(client.read(&mut [0]), Ok(0))
}

#[test]
fn whoever_has_signed_in_makes_room_for_others_from_there() {
    compartment::signals::raise_descriptor_limit();
    let mut warden = start(false);
    let access = warden.instance(Kind::Access);
    let signed_in = TcpStream::connect(warden.imaps).unwrap();
    let (connection, .., socket) = handed(&access);
    access.send(0, &ToGate::Begun { connection }, &[]).unwrap();
    // As many as may wait for an instance, which is more than may be without having signed in.
    let mut waiting: Vec<TcpStream> =
        (0..500).map(|_| TcpStream::connect(warden.imaps).unwrap()).collect();
    assert!(is_turned_away(&waiting.pop().unwrap()));
    assert!(waiting.iter().rev().take(3).all(|client| !is_turned_away(client)));
    // Somebody else's number changes nothing, nor does the same word twice.
    for instance in [InstanceId([9; 6]), InstanceId([1; 6]), InstanceId([1; 6])] {
        warden.control.send(0, &Order::SignedIn(instance), &[]).unwrap();
    }
    warden.control.send(0, &Order::Pulse, &[]).unwrap();
    while !matches!(hear(&warden.control), Report::Alive) {}
    let welcome = TcpStream::connect(warden.imaps).unwrap();
    assert!(!is_turned_away(&welcome));
    assert!(is_turned_away(&TcpStream::connect(warden.imaps).unwrap()));
    // Their end makes no room for a second one: they had not been counted any more.
    access.send(0, &ToGate::Done { connection, last: true }, &[]).unwrap();
    drop((signed_in, socket));
    assert!(access.receive(Some(LIMIT)).is_err());
    assert!(is_turned_away(&TcpStream::connect(warden.imaps).unwrap()));
}

#[test]
fn told_to_stop_it_says_so_and_leaves_when_all_is_done() {
    let mut warden = start(true);
    let (idle, busy) = (warden.instance(Kind::Edge), warden.instance(Kind::Edge));
    let _client = TcpStream::connect(warden.smtp).unwrap();
    let (connection, ..) = handed(&idle);
    warden.control.send(0, &Order::Stop, &[]).unwrap();
    for instance in [&idle, &busy] {
        let frame = instance.receive(Some(LIMIT)).unwrap();
        assert!(matches!(frame.read().unwrap(), FromGate::Closing));
    }
    let refused = TcpStream::connect(warden.smtp);
    idle.send(0, &ToGate::Done { connection, last: true }, &[]).unwrap();
    let frame = warden.ledger.receive(Some(LIMIT)).unwrap();
    warden.ledger.send(frame.call, &FromLedger::Taken { first_index: 0 }, &[]).unwrap();
    let begin = Instant::now();
    assert_eq!(warden.gate.join().unwrap(), ExitCode::SUCCESS);
    assert!(begin.elapsed() < Duration::from_secs(1));
    drop(refused);
}
