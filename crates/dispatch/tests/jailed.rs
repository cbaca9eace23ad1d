//! The real dispatch in its real walls: a day of outgoing mail, and not one call off its charter.
//! This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod neighbourhood;

use compartment::policy::Verdict;
use compartment::walls::{Wall, walls};
use compartment::{Birth, Notices, Policy, Spawned, spawn};
use neighbourhood::{LIMIT, Neighbourhood, Plan, Seen};
use rustix::event::{PollFd, PollFlags, poll};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use terms::{InstanceId, Kind};
use wire::Channel;
use wire::control::{Order, Report, Start};
use wire::dispatch::{FromAccess, ToAccess};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.first().map(String::as_str) == Some("sekisho") {
        return compartment::zygote_main(dispatch::serve);
    }
    if words.iter().any(|word| word == "--list") {
        println!("jailed: test");
        return ExitCode::SUCCESS;
    }
    if !walls().granted.contains(&Wall::Notices) {
        println!("absent: this kernel gives no listener for refused calls; nothing to hear");
        return ExitCode::SUCCESS;
    }
    let mut settings = wire::directory::SendingSettings::default();
    settings.notice = "社外秘".to_owned();
    let plan = Plan { scanner_dies: 1, settings, ear: listen, ..Plan::default() };
    let around = Neighbourhood::around(plan, be_born);
    load(&around);
    let (seen, control, life) = around.leave();
    let (zygote, _) = &life;
    let ended = zygote.receive(Some(LIMIT)).unwrap();
    let Report::Ended { status, .. } = ended.read().unwrap() else { panic!("not an end") };
    drop(control);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.heard, Vec::<String>::new(), "calls off charter");
    assert!(seen.listened);
    assert_eq!((status, seen.queued.len(), seen.renewed), (0, 3, 1));
    println!("test result: ok. 1 passed; 0 failed");
    ExitCode::SUCCESS
}

/// A zygote, and one instance of it with the control channel of the neighbourhood.
fn be_born(own: Channel) -> (Channel, Spawned) {
    let (control, theirs) = Channel::pair().unwrap();
    let start = Start { kind_word: "dispatch".to_owned(), ..Start::default() };
    control.send(0, &Order::Begin(start), &[]).unwrap();
    let spawned = spawn(Birth {
        kind: "dispatch",
        instance: None,
        user: compartment::is_root().then_some(64_000 + Kind::Dispatch.number()),
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

/// Calls that dispatch was not meant to make.
fn listen(listener: OwnedFd, seen: Arc<Mutex<Seen>>) {
    let policy = Policy::of("dispatch").unwrap();
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

/// Small mail, large mail, a sender that is not theirs, a text put under.
fn load<T>(around: &Neighbourhood<T>) {
    let head = "From: aoi@example.jp\r\nBcc: ben@example.jp\r\n";
    let plain = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n";
    assert_eq!(around.ask(&FromAccess::From("aoi@example.jp".to_owned()), &[]), ToAccess::Yes);
    assert_eq!(around.ask(&FromAccess::Many(2), &[]), ToAccess::Yes);
    for text in [
        format!("{head}\r\nhello\r\n"),
        format!("{head}{plain}\r\naGVsbG8=\r\n"),
        format!("{head}\r\n{}", "0123456789abcdef\r\n".repeat(200_000)),
    ] {
        let answer = around.hand_in("aoi@example.jp", &["x@far.example", "ben@example.jp"], &text);
        assert!(matches!(answer, ToAccess::Queued { .. }), "{answer:?}");
    }
    let refused = around.hand_in("ben@example.jp", &["x@far.example"], "From: x@y\r\n\r\nhi\r\n");
    assert!(matches!(refused, ToAccess::No { code: 550, .. }), "{refused:?}");
}
