//! The real gate in its real walls: connections, refusals, a new ledger, and not one call off its
//! charter. This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use compartment::policy::Verdict;
use compartment::walls::{Wall, walls};
use compartment::{Birth, House, Notices, Policy, spawn};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use terms::{InstanceId, Kind};
use wire::control::{Order, Report, Service, Start};
use wire::gate::{FromGate, ToGate};
use wire::ledger::{FromLedger, ToLedger};
use wire::{Channel, Label};

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.first().map(String::as_str) == Some("sekisho") {
        return gate::run(House::begin().unwrap());
    }
    if words.iter().any(|word| word == "--list") {
        println!("jailed: test");
        return ExitCode::SUCCESS;
    }
    if !walls().granted.contains(&Wall::Notices) {
        println!("absent: this kernel gives no listener for refused calls; nothing to hear");
        return ExitCode::SUCCESS;
    }
    live();
    println!("test result: ok. 1 passed; 0 failed");
    ExitCode::SUCCESS
}

fn live() {
    let start =
        Start { instance: InstanceId([3; 6]), kind_word: "gate".to_owned(), ..Start::default() };
    let (control, theirs) = Channel::pair().unwrap();
    control.send(0, &Order::Begin(start), &[]).unwrap();
    let spawned = spawn(Birth {
        kind: "gate",
        instance: None,
        user: compartment::is_root().then_some(64_000 + Kind::Gate.number()),
        host_network: false,
        control: theirs.into(),
        more: Vec::new(),
        environment: Vec::new(),
    })
    .unwrap();
    let mut jailed = control.receive(Some(LIMIT)).unwrap();
    let Report::Jailed { missing_walls } = jailed.read().unwrap() else { panic!("no walls") };
    println!("missing walls: {missing_walls:?}");
    let heard = Arc::new(Mutex::new(Vec::new()));
    listen(Notices::new(jailed.descriptors.pop().unwrap()), heard.clone());
    let ready = control.receive(Some(LIMIT)).unwrap();
    assert!(matches!(ready.read().unwrap(), Report::Ready { author: Some(_), .. }));
    load(&control);
    control.send(0, &Order::Stop, &[]).unwrap();
    assert!(ends(&spawned.pidfd), "the gate did not stop");
    assert_eq!(*heard.lock().unwrap(), Vec::<String>::new(), "calls off charter");
}

fn ends(pidfd: &impl AsFd) -> bool {
    let mut ended = [PollFd::new(pidfd, PollFlags::IN)];
    let limit = rustix::event::Timespec { tv_sec: 6, tv_nsec: 0 };
    poll(&mut ended, Some(&limit)).unwrap() == 1
}

/// Calls that the gate was not meant to make.
fn listen(notices: Notices, heard: Arc<Mutex<Vec<String>>>) {
    let policy = Policy::of("gate").unwrap();
    thread::spawn(move || {
        loop {
            let mut fds = [PollFd::new(&notices, PollFlags::IN)];
            poll(&mut fds, None).unwrap();
            if !fds[0].revents().contains(PollFlags::IN) {
                return;
            }
            let Ok(Some(notice)) = notices.receive() else { continue };
            if policy.judge(notice.number) == Verdict::Witness {
                notices.continue_(&notice).unwrap();
            } else {
                heard.lock().unwrap().push(format!("{} {:x?}", notice.call, notice.args));
                notices.deny(&notice, 1).unwrap();
            }
        }
    });
}

fn join(control: &Channel, kind: Kind, number: u8) -> Channel {
    let (one, other) = Channel::pair().unwrap();
    let label = Label { instance: InstanceId([number; 6]), kind, person: None };
    control.send(0, &Order::Join(label), &[other.into()]).unwrap();
    one
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
