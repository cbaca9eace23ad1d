//! The real edge in its real walls: mail of every kind, and not one call off its charter.
//! This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod neighbourhood;

use compartment::policy::Verdict;
use compartment::walls::{Wall, walls};
use compartment::{Birth, Notices, Policy, Spawned, spawn};
use neighbourhood::{Neighbourhood, Plan, Scanner, Seen, through_tls};
use rustix::event::{PollFd, PollFlags, poll};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use terms::{InstanceId, Kind};
use wire::Channel;
use wire::control::{Order, Report, Start};

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.first().map(String::as_str) == Some("sekisho") {
        return compartment::zygote_main(edge::serve);
    }
    if words.iter().any(|word| word == "--list") {
        println!("jailed: test");
        return ExitCode::SUCCESS;
    }
    if !walls().granted.contains(&Wall::Notices) {
        println!("absent: this kernel gives no listener for refused calls; nothing to hear");
        return ExitCode::SUCCESS;
    }
    let scanners = vec![Scanner::Retires, Scanner::Asks, Scanner::Dies, Scanner::Asks];
    let around = Neighbourhood::around(Plan { scanners, ear: listen, ..Plan::default() }, be_born);
    load(&around);
    around.control.send(0, &Order::Stop, &[]).unwrap();
    let (zygote, _) = &around.life;
    let ended = zygote.receive(Some(LIMIT)).unwrap();
    let Report::Ended { status, .. } = ended.read().unwrap() else { panic!("not an end") };
    let seen = around.seen.lock().unwrap();
    assert_eq!(seen.heard, Vec::<String>::new(), "calls off charter");
    assert!(seen.listened);
    assert_eq!((status, seen.copies.len(), seen.letters.len()), (0, 6, 4));
    println!("test result: ok. 1 passed; 0 failed");
    ExitCode::SUCCESS
}

/// A zygote, and one instance of it with the control channel of the neighbourhood.
fn be_born(own: Channel) -> (Channel, Spawned) {
    let (control, theirs) = Channel::pair().unwrap();
    let start = Start { kind_word: "edge".to_owned(), ..Start::default() };
    control.send(0, &Order::Begin(start), &[]).unwrap();
    let spawned = spawn(Birth {
        kind: "edge",
        instance: None,
        user: compartment::is_root().then_some(64_000 + Kind::Edge.number()),
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
    control.send(0, &Order::Fork(InstanceId([3; 6])), &[own.into()]).unwrap();
    let born = control.receive(Some(LIMIT)).unwrap();
    assert!(matches!(born.read().unwrap(), Report::Born(_)));
    (control, spawned)
}

/// Calls that the edge was not meant to make.
fn listen(listener: OwnedFd, seen: Arc<Mutex<Seen>>) {
    let policy = Policy::of("edge").unwrap();
    let notices = Notices::new(listener);
    seen.lock().unwrap().listened = true;
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

/// Small mail, large mail, mail for many, a dying scanner, TLS, a smuggler, a client that leaves,
/// mail that is passed on, an answer of somebody who is away.
fn load<T>(around: &Neighbourhood<T>) {
    let small = "Subject: hi\r\n\r\nhello\r\n";
    let large = "0123456789abcdef\r\n".repeat(100_000);
    for text in [small, &large] {
        let said = around.deliver(&["aoi@example.jp", "nobody@example.jp"], text);
        assert!(said.contains(" kept\r\n"), "{said}");
    }
    let mut client = around.connect();
    client.hear();
    client.ask("EHLO c");
    client.ask("STARTTLS");
    let lines = ["EHLO c", "MAIL FROM:<>", "RCPT TO:<aoi@example.jp>", "DATA", "hi\r\n.", "QUIT"];
    let said = through_tls(client.stream, &lines);
    assert!(said.contains(" kept\r\n"), "{said}");
    let mut smuggler = around.connect();
    smuggler.begin(&["aoi@example.jp"]);
    smuggler.say("body\n.\r\nMAIL FROM:<x@y>\r\n\r\n.\r\n");
    smuggler.hear_all();
    assert!(smuggler.said.contains("554 5.6.0"), "{}", smuggler.said);
    let mut leaver = around.connect();
    leaver.begin(&["aoi@example.jp"]);
    leaver.say("half a message");
    drop(leaver);
    let said = around.deliver(&["cy@other.example"], small);
    assert!(said.contains(" kept\r\n"), "{said}");
    for text in [small, &large] {
        let said = around.deliver(&["x@gateway.example"], text);
        assert!(said.contains(" queued\r\n"), "{said}");
    }
    for to in ["kept.on@example.jp", "away@away.example"] {
        let said = around.deliver(&[to], small);
        assert!(said.contains(" kept\r\n"), "{said}");
    }
}
