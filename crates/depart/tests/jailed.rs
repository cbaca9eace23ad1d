//! The real depart in its real walls: mail of every kind, and not one call off its charter.
//! This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod neighbourhood;

use compartment::policy::Verdict;
use compartment::walls::{Wall, walls};
use compartment::{Birth, Notices, Policy, Spawned, spawn};
use neighbourhood::remote::{Authority, Remote};
use neighbourhood::{LIMIT, Letter, Neighbourhood, Plan, SENDER, Seen};
use rustix::event::{PollFd, PollFlags, poll};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread;
use terms::{InstanceId, Kind};
use wire::Channel;
use wire::control::{Order, Report, Start};
use wire::names::{Outcome as Found, Record, RecordKind};
use wire::post::{Errand, Finish, Hop};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if words.first().map(String::as_str) == Some("sekisho") {
        return compartment::zygote_main(depart::serve);
    }
    if words.iter().any(|word| word == "--list") {
        println!("jailed: test");
        return ExitCode::SUCCESS;
    }
    if !walls().granted.contains(&Wall::Notices) {
        println!("absent: this kernel gives no listener for refused calls; nothing to hear");
        return ExitCode::SUCCESS;
    }
    let authority = Authority::new();
    let (tls, _) = authority.server("mx.there.example");
    let secure = Remote::with(|_, _| None, Some(tls));
    let clear = Remote::that(|_, line| {
        line.starts_with("RCPT TO:<gone").then(|| "550 5.1.1 no such user\r\n".to_owned())
    });
    let mut plan = Plan { ear: listen, authorities: authority.pem(), ..Plan::default() };
    plan = plan.with("there.example", "mx.there.example", &secure);
    plan = plan.with("clear.example", "mx.clear.example", &clear);
    let id = Found::Records(vec![Record::Txt(b"v=STSv1; id=1;".to_vec())]);
    plan.record("_mta-sts.there.example", RecordKind::Txt, id);
    let policy = "version: STSv1\nmode: enforce\nmx: mx.there.example\nmax_age: 100\n";
    plan.policies.insert("mta-sts.there.example".to_owned(), policy.to_owned());
    let away = Found::Records(vec![Record::A([192, 0, 2, 99].into())]);
    plan.record("away.example", RecordKind::A, away);
    let around = Neighbourhood::around(plan, be_born);
    load(&around);
    // The second batch goes over the first one's connection, if it comes soon enough.
    assert!((1..=2).contains(&secure.secured()), "{}", secure.secured());
    assert_eq!((secure.texts().len(), clear.texts().len()), (5, 1));
    around.control.send(0, &Order::Stop, &[]).unwrap();
    let (zygote, _) = &around.life;
    let ended = zygote.receive(Some(LIMIT)).unwrap();
    let Report::Ended { status, .. } = ended.read().unwrap() else { panic!("not an end") };
    let seen = around.seen.lock().unwrap();
    assert_eq!(seen.heard, Vec::<String>::new(), "calls off charter");
    assert!(seen.listened);
    assert_eq!(status, 0);
    println!("test result: ok. 1 passed; 0 failed");
    ExitCode::SUCCESS
}

/// Small and large mail, under TLS and in clear, for people of the house, for nobody, and errands.
fn load<T>(around: &Neighbourhood<T>) {
    let large = "0123456789abcdef\r\n".repeat(100_000).into_bytes();
    let out = |to: &str, number| Letter::out(&[to]).numbered(number);
    let letters = [
        out("bob@there.example", 1),
        Letter { text: large.clone(), ..out("bob@there.example", 2) },
        out("bob@clear.example", 3),
        out("gone@clear.example", 4),
        out("bob@nowhere.example", 5),
        out("bob@away.example", 6),
        Letter::to(Hop::Here, &["ben@here.example", "cy@here.example"]).numbered(7),
        Letter { text: large, ..Letter::to(Hop::Here, &["ben@here.example"]).numbered(8) },
        Letter { errand: Errand::TellLate, ..out("bob@there.example", 9) },
        Letter { errand: Errand::GiveBack, ..out("bob@there.example", 10) },
        finished(out("bob@there.example", 11)),
    ];
    let mut outcomes = around.carry(&letters);
    outcomes.sort();
    let expected = [
        "1.0 sent 1",
        "10.0 failed sent 0: 5.4.7",
        "11.0 sent 1",
        "2.0 sent 1",
        "3.0 sent 1",
        "4.0 failed sent 0: 5.1.1",
        "5.0 failed sent 0: 5.1.2",
        "6.0 later sent 0: Unreachable",
        "7.0 sent 2",
        "8.0 sent 1",
        "9.0 told late",
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(around.carry(&[letters[0].clone(), letters[1].clone()]).len(), 2);
    let seen = around.seen.lock().unwrap();
    let told = seen.copies.iter().filter(|copy| copy.user == SENDER).count();
    assert_eq!((told, seen.copies.len()), (4, 7));
}

/// To be signed in its domain's name.
fn finished(mut letter: Letter) -> Letter {
    letter.envelope.finish = Finish::Sign { domain: "here.example".to_owned() };
    letter
}

/// A zygote, and one instance of it with the control channel of the neighbourhood.
fn be_born(own: Channel) -> (Channel, Spawned) {
    let (control, theirs) = Channel::pair().unwrap();
    let start = Start { kind_word: "depart".to_owned(), ..Start::default() };
    control.send(0, &Order::Begin(start), &[]).unwrap();
    let spawned = spawn(Birth {
        kind: "depart",
        instance: None,
        user: compartment::is_root().then_some(64_000 + Kind::Depart.number()),
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

/// Calls that the depart was not meant to make.
fn listen(listener: OwnedFd, seen: Arc<Mutex<Seen>>) {
    let policy = Policy::of("depart").unwrap();
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
