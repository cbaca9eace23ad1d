//! The real fetch in its real walls: resources of every kind, and not one call off its charter.
//! This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod world;

use compartment::policy::Verdict;
use compartment::walls::{Wall, walls};
use compartment::{Birth, House, Notices, Policy, spawn};
use rustix::event::{PollFd, PollFlags, poll};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use terms::Kind;
use wire::Channel;
use wire::control::{Order, Report};
use wire::fetch::Answer;
use world::{LIMIT, Web, ask, get, join, play_names, play_warden, start};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.first().map(String::as_str) == Some("sekisho") {
        return fetch::run(House::begin().unwrap());
    }
    if words.iter().any(|word| word == "--list") {
        println!("jailed: test");
        return ExitCode::SUCCESS;
    }
    if !walls().granted.contains(&Wall::Notices) {
        println!("absent: this kernel gives no listener for refused calls; nothing to hear");
        return ExitCode::SUCCESS;
    }
    let body = "x".repeat(50_000);
    let answer =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc350\r\n{body}\r\n0\r\n\r\n");
    let web = Web::that("web.example", Some(&answer), true);
    let (control, heard) = born(&web.pem);
    play_names(join(&control, Kind::Names, 1));
    let mut asker = join(&control, Kind::Depart, 2);
    let control = Arc::new(control);
    play_warden(control.clone(), web.at);
    for _ in 0..20 {
        let mut wanted = get("web.example");
        if let wire::fetch::Ask::Get { limit, .. } = &mut wanted {
            *limit = 60_000;
        }
        let Answer::Got { body: found, .. } = ask(&mut asker, &wanted) else { panic!("not got") };
        assert_eq!(found.len(), body.len());
    }
    // Refused, unknown, too long.
    for host in ["inner.example", "nobody.example", "web.example", "silent.example"] {
        assert!(matches!(ask(&mut asker, &get(host)), Answer::Failed(_)), "{host}");
    }
    control.send(0, &Order::Stop, &[]).unwrap();
    assert_eq!(*heard.lock().unwrap(), Vec::<String>::new(), "calls off charter");
    println!("test result: ok. 1 passed; 0 failed");
    ExitCode::SUCCESS
}

/// A jailed fetch that is ready, and the calls of it that were not meant to be made.
fn born(authorities: &str) -> (Channel, Arc<Mutex<Vec<String>>>) {
    let (ours, theirs) = Channel::pair().unwrap();
    ours.send(0, &Order::Begin(start(authorities)), &[]).unwrap();
    spawn(Birth {
        kind: "fetch",
        instance: None,
        user: compartment::is_root().then_some(64_000 + Kind::Fetch.number()),
        host_network: false,
        control: theirs.into(),
        more: Vec::new(),
        environment: Vec::new(),
    })
    .unwrap();
    let mut jailed = ours.receive(Some(LIMIT)).unwrap();
    let Report::Jailed { missing_walls } = jailed.read().unwrap() else { panic!("no walls") };
    println!("missing walls: {missing_walls:?}");
    let notices = Notices::new(jailed.descriptors.pop().expect("a listener"));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let memory = heard.clone();
    thread::spawn(move || {
        let policy = Policy::of("fetch").unwrap();
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
                memory.lock().unwrap().push(format!("{} {:x?}", notice.call, notice.args));
                notices.deny(&notice, 1).unwrap();
            }
        }
    });
    let ready = ours.receive(Some(LIMIT)).unwrap();
    assert!(matches!(ready.read().unwrap(), Report::Ready { .. }));
    (ours, heard)
}
