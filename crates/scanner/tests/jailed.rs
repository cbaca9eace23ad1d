//! The real scanner in its real walls: mail of every kind and of the largest size, questions to
//! the DNS, and not one call off its charter. This program is its own compartment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use compartment::walls::{Wall, walls};
use compartment::{Birth, Notices, Spawned, spawn};
use miniz_oxide::deflate::compress_to_vec;
use rustix::event::{PollFd, PollFlags, poll};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use terms::{InstanceId, Kind};
use wire::control::{Order, Report, Start};
use wire::names::{Answer, Outcome, Security};
use wire::scanner::{Examined, FromScanner, Sender, Task, ToScanner};
use wire::{Channel, Label, Parcel};

const LIMIT: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.first().map(String::as_str) == Some("sekisho") {
        return compartment::zygote_main(scanner::serve);
    }
    if words.iter().any(|word| word == "--list") {
        println!("jailed: test");
        return ExitCode::SUCCESS;
    }
    if !walls().granted.contains(&Wall::Notices) {
        println!("absent: this kernel gives no listener for refused calls; nothing to hear");
        return ExitCode::SUCCESS;
    }
    let (zygote, _life) = zygote();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (_own, mut edge) = instance(&zygote, heard.clone());
    load(&mut edge);
    drop(edge);
    let ended = zygote.receive(Some(LIMIT)).unwrap();
    let Report::Ended { status, .. } = ended.read().unwrap() else { panic!("not an end") };
    assert_eq!(*heard.lock().unwrap(), Vec::<String>::new(), "calls off charter");
    assert_eq!(status, 0);
    println!("test result: ok. 1 passed; 0 failed");
    ExitCode::SUCCESS
}

fn zygote() -> (Channel, Spawned) {
    let (control, theirs) = Channel::pair().unwrap();
    let start = Start { kind_word: "scanner".to_owned(), ..Start::default() };
    control.send(0, &Order::Begin(start), &[]).unwrap();
    let spawned = spawn(Birth {
        kind: "scanner",
        instance: None,
        user: compartment::is_root().then_some(64_000 + Kind::Scanner.number()),
        host_network: false,
        control: theirs.into(),
        more: Vec::new(),
        environment: Vec::new(),
    })
    .unwrap();
    let jailed = control.receive(Some(LIMIT)).unwrap();
    assert!(matches!(jailed.read().unwrap(), Report::Jailed { .. }));
    let ready = control.receive(Some(LIMIT)).unwrap();
    assert!(matches!(ready.read().unwrap(), Report::Ready { .. }));
    (control, spawned)
}

/// A born instance: its control channel, and the channel on which we are its edge.
fn instance(zygote: &Channel, heard: Arc<Mutex<Vec<String>>>) -> (Channel, Channel) {
    let (own, theirs) = Channel::pair().unwrap();
    let start = Start {
        kind_word: "scanner".to_owned(),
        host_name: "mx.house.example".to_owned(),
        ..Start::default()
    };
    own.send(0, &Order::Begin(start), &[]).unwrap();
    zygote.send(0, &Order::Fork(InstanceId([3; 6])), &[theirs.into()]).unwrap();
    let born = zygote.receive(Some(LIMIT)).unwrap();
    assert!(matches!(born.read().unwrap(), Report::Born(_)));
    let mut jailed = own.receive(Some(LIMIT)).unwrap();
    assert!(matches!(jailed.read().unwrap(), Report::Jailed { .. }));
    listen(jailed.descriptors.pop().expect("a listener"), heard);
    let (edge, scanner) = Channel::pair().unwrap();
    let label = Label { instance: InstanceId([4; 6]), kind: Kind::Edge, person: None };
    own.send(0, &Order::Join(label), &[scanner.into()]).unwrap();
    (own, edge)
}

/// Every call that is heard is one too many; it is refused and told.
fn listen(listener: OwnedFd, heard: Arc<Mutex<Vec<String>>>) {
    let notices = Notices::new(listener);
    thread::spawn(move || {
        loop {
            let mut fds = [PollFd::new(&notices, PollFlags::IN)];
            poll(&mut fds, None).unwrap();
            if !fds[0].revents().contains(PollFlags::IN) {
                return;
            }
            let Ok(Some(notice)) = notices.receive() else { continue };
            heard.lock().unwrap().push(notice.call.to_owned());
            notices.deny(&notice, 1).unwrap();
        }
    });
}

fn ask(edge: &mut Channel, message: Vec<u8>) -> Examined {
    let mut held = Vec::new();
    let message = Parcel::pack(message, 64 * 1024, &mut held).unwrap();
    let sender = Some(Sender {
        client_ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        helo: "mail.sender.example".to_owned(),
        mail_from: "ann@sender.example".to_owned(),
    });
    let call = edge.next_call();
    let host_name = String::new();
    edge.send(call, &ToScanner::Examine(Task { sender, host_name, message }), &held).unwrap();
    drop(held);
    loop {
        let frame = edge.receive(Some(LIMIT)).unwrap();
        match frame.read().unwrap() {
            FromScanner::Examined(examined) => return *examined,
            FromScanner::Question(_) => {
                let (outcome, security) = (Outcome::NoSuchName, Security::Insecure);
                let answer = Answer { outcome, security, ttl_seconds: 60 };
                edge.send(frame.call, &ToScanner::Answer(answer), &[]).unwrap();
            }
        }
    }
}

/// Small mail, signed mail, the largest mail, a bomb.
fn load(edge: &mut Channel) {
    let head = "From: Ann <ann@sender.example>\r\nTo: bo@house.example\r\nSubject: x\r\n";
    let examined = ask(edge, format!("{head}\r\nhello\r\n").into_bytes());
    assert!(examined.authentication_results.contains("mx.house.example"));
    let signature =
        "DKIM-Signature: v=1; a=rsa-sha256; d=sender.example; s=a; h=from; bh=AA==; b=AA==\r\n";
    ask(edge, format!("{signature}{head}\r\nhello\r\n").into_bytes());
    let fields =
        "Content-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    let mut large = format!("{head}{fields}").into_bytes();
    let line = format!("{}\r\n", data_encoding::BASE64.encode(&[7; 57]));
    large.extend_from_slice(line.repeat(49 * 1024 * 1024 / line.len()).as_bytes());
    let examined = ask(edge, large);
    assert_eq!(examined.parts, 1);
    let mut bomb = b"\x1F\x8B\x08\0\0\0\0\0\0\xFF".to_vec();
    bomb.extend_from_slice(&compress_to_vec(&vec![0; 100 * 1024 * 1024], 6));
    let bomb = data_encoding::BASE64.encode(&bomb);
    let examined = ask(edge, format!("{head}{fields}{bomb}\r\n").into_bytes());
    assert!(examined.findings.iter().any(|found| found.id == "content.bomb.size"));
}
