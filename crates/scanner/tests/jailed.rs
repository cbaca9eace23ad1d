//! The real scanner in its real walls: mail of every kind and of the largest size, questions to
//! the DNS, and not one call off its charter. This program is its own compartment.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use miniz_oxide::deflate::compress_to_vec;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::time::Duration;
use terms::{InstanceId, Kind};
use walled::Born;
use wire::control::{Order, Report, Start};
use wire::names::{Answer, Outcome, Security};
use wire::scanner::{Examined, FromScanner, Sender, Task, ToScanner};
use wire::{Channel, Label, Parcel};

const LIMIT: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    walled::main(
        || compartment::zygote_main(scanner::serve),
        || {
            let zygote = walled::born(Kind::Scanner, Start::default());
            let (_own, mut edge) = instance(&zygote);
            load(&mut edge);
            drop(edge);
            zygote.ended_well();
            zygote.heard.assert_nothing_off_charter();
            assert_eq!(zygote.heard.witnessed(), 0);
        },
    )
}

/// A born instance: its control channel, and the channel on which we are its edge.
fn instance(zygote: &Born) -> (Channel, Channel) {
    let (own, theirs) = Channel::pair().unwrap();
    let start = Start {
        kind_word: "scanner".to_owned(),
        host_name: "mx.house.example".to_owned(),
        ..Start::default()
    };
    own.send(0, &Order::Begin(start), &[]).unwrap();
    zygote.fork(theirs);
    let mut jailed = own.receive(Some(LIMIT)).unwrap();
    assert!(matches!(jailed.read().unwrap(), Report::Jailed { .. }));
    zygote.heard.listen(Kind::Scanner, jailed.descriptors.pop().expect("a listener"));
    let label = Label { instance: InstanceId([4; 6]), kind: Kind::Edge, person: None };
    let edge = walled::join(&own, label);
    (own, edge)
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
