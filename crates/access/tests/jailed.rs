//! The real access in its real walls: a normal day of mail, and not one call off its charter.
//! This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
mod world;

use compartment::policy::Verdict;
use compartment::walls::{Wall, walls};
use compartment::{Birth, Notices, Policy, Spawned, spawn};
use rustix::event::{PollFd, PollFlags, poll};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use terms::{InstanceId, Kind};
use wire::Channel;
use wire::control::{Order, Report, Service, Start};
use world::client::{Client, Sender};
use world::{SECRET, World};

const LIMIT: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Seen {
    listeners: u32,
    heard: Vec<String>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.first().map(String::as_str) == Some("sekisho") {
        return compartment::zygote_main(access::serve);
    }
    if words.iter().any(|word| word == "--list") {
        println!("jailed: test");
        return ExitCode::SUCCESS;
    }
    if !walls().granted.contains(&Wall::Notices) {
        println!("absent: this kernel gives no listener for refused calls; nothing to hear");
        return ExitCode::SUCCESS;
    }
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (zygote, _life) = be_born();
    imap_day(&World::with_instances(Service::Imaps, vec![fork(&zygote, &seen)]));
    ended(&zygote);
    pop_day(&World::with_instances(Service::Pop3s, vec![fork(&zygote, &seen)]));
    ended(&zygote);
    for service in [Service::Submissions, Service::Submission] {
        submission_day(&World::with_instances(service, vec![fork(&zygote, &seen)]), service);
        ended(&zygote);
    }
    zygote.send(0, &Order::Stop, &[]).unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.heard, Vec::<String>::new(), "calls off charter");
    assert_eq!(seen.listeners, 4);
    println!("test result: ok. 1 passed; 0 failed");
    ExitCode::SUCCESS
}

fn be_born() -> (Channel, Spawned) {
    let (control, theirs) = Channel::pair().unwrap();
    let start = Start { kind_word: "access".to_owned(), ..Start::default() };
    control.send(0, &Order::Begin(start), &[]).unwrap();
    let spawned = spawn(Birth {
        kind: "access",
        instance: None,
        user: compartment::is_root().then_some(64_000 + Kind::Access.number()),
        host_network: false,
        control: theirs.into(),
        more: Vec::new(),
        environment: Vec::new(),
    })
    .unwrap();
    let jailed = control.receive(Some(LIMIT)).unwrap();
    let Report::Jailed { missing_walls } = jailed.read().unwrap() else { panic!("no walls") };
    println!("missing walls: {missing_walls:?}");
    let ready = control.receive(Some(LIMIT)).unwrap();
    assert!(matches!(ready.read().unwrap(), Report::Ready { .. }));
    (control, spawned)
}

/// An instance; gives the warden's end of its control channel.
fn fork(zygote: &Channel, seen: &Arc<Mutex<Seen>>) -> Channel {
    let (own, warden) = Channel::pair().unwrap();
    zygote.send(0, &Order::Fork(InstanceId([3; 6])), &[own.into()]).unwrap();
    let born = zygote.receive(Some(LIMIT)).unwrap();
    assert!(matches!(born.read().unwrap(), Report::Born(_)));
    let reports = Channel::from(rustix::io::dup(&warden).unwrap());
    let seen = seen.clone();
    thread::spawn(move || {
        while let Ok(mut frame) = reports.receive(None) {
            if let (Ok(Report::Jailed { .. }), Some(listener)) =
                (frame.read(), frame.descriptors.pop())
            {
                listen(listener, seen.clone());
            }
        }
    });
    warden
}

/// Calls that access was not meant to make.
fn listen(listener: OwnedFd, seen: Arc<Mutex<Seen>>) {
    let policy = Policy::of("access").unwrap();
    let notices = Notices::new(listener);
    seen.lock().unwrap().listeners += 1;
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
                let call = format!("{} {:x?}", notice.call, notice.args);
                seen.lock().unwrap().heard.push(call);
                notices.deny(&notice, 1).unwrap();
            }
        }
    });
}

fn ended(zygote: &Channel) {
    let ended = zygote.receive(Some(LIMIT)).unwrap();
    let Report::Ended { status, .. } = ended.read().unwrap() else { panic!("not an end") };
    assert_eq!(status, 0);
}

fn imap_day(world: &World) {
    world.deliver("From: a@b\r\nSubject: one\r\n\r\nfirst\r\n");
    world.deliver(&format!("Subject: two\r\n\r\n{}", "0123456789abcdef\r\n".repeat(100_000)));
    let mut client = Client::new(world);
    client.ask("LOGIN aoi@example.jp hunter2");
    client.ask(&format!("LOGIN aoi@example.jp {SECRET}"));
    for command in [
        "LIST \"\" *",
        "CREATE Work",
        "SELECT INBOX",
        "FETCH 1:* (FLAGS ENVELOPE)",
        "FETCH 1:* BODY[]",
        "SEARCH FROM a BODY first",
        "STORE 1 +FLAGS ($x \\Deleted)",
        "COPY 1:2 Work",
        "MOVE 2 Trash",
        "EXPUNGE",
        "GETQUOTAROOT INBOX",
    ] {
        let answer = client.ask(command);
        assert!(answer.contains("x OK"), "{command}: {answer}");
    }
    let large = format!("Subject: own\r\n\r\n{}", "0123456789abcdef\r\n".repeat(20_000));
    client.send(format!("a APPEND INBOX {{{}+}}\r\n{large}\r\n", large.len()).as_bytes());
    assert!(client.answer("a").contains("APPENDUID"));
    client.send(b"i IDLE\r\n");
    assert!(client.line().starts_with("+ "));
    thread::sleep(Duration::from_secs(3)); // memory is given back meanwhile
    world.deliver("Subject: three\r\n\r\nthird\r\n");
    assert!(client.line().contains("EXISTS"));
    client.send(b"DONE\r\n");
    client.answer("i");
    assert!(client.ask("LOGOUT").contains("BYE"));
    client.end();
}

fn pop_day(world: &World) {
    world.deliver("From: a@b\r\nSubject: one\r\n\r\nfirst\r\n");
    let mut client = Client::new(world);
    let pass = format!("PASS {SECRET}");
    for command in ["USER aoi@example.jp", &pass, "STAT", "DELE 1", "QUIT"] {
        client.send(format!("{command}\r\n").as_bytes());
        let answer = client.line();
        assert!(answer.starts_with("+OK"), "{command}: {answer}");
    }
    client.end();
}

fn submission_day(world: &World, service: Service) {
    let mut client = Sender::new(world, service);
    client.asks("EHLO c", "250");
    client.asks("AUTH PLAIN AGFvaUBleGFtcGxlLmpwAGh1bnRlcjI=", "535");
    let plain = format!("\0aoi@example.jp\0{SECRET}");
    client.asks(&format!("AUTH PLAIN {}", data_encoding::BASE64.encode(plain.as_bytes())), "235");
    let large = "0123456789abcdef\r\n".repeat(300_000);
    for text in ["hi\r\n", &large] {
        client.asks("MAIL FROM:<aoi@example.jp>", "250");
        client.asks("RCPT TO:<cy@other.example>", "250");
        client.asks("DATA", "354");
        client.asks(&format!("{text}."), "250");
    }
    client.asks("QUIT", "221");
    assert_eq!(client.line(), "");
}
