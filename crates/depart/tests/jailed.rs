//! The real depart in its real walls: mail of every kind, and not one call off its charter.
//! This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod neighbourhood;

use neighbourhood::remote::{Authority, Remote};
use neighbourhood::{Letter, Neighbourhood, Plan, SENDER, Seen};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use terms::Kind;
use walled::Born;
use wire::Channel;
use wire::control::{Order, Start};
use wire::names::{Outcome as Found, Record, RecordKind};
use wire::post::{Errand, Finish, Hop};

fn main() -> ExitCode {
    walled::main(|| compartment::zygote_main(depart::serve), live)
}

fn live() {
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
    around.life.ended_well();
    let seen = around.seen.lock().unwrap();
    seen.heard.assert_nothing_off_charter();
    seen.heard.assert_listeners(1);
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
        "10.0 failed sent 0: Unreachable",
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
fn be_born(own: Channel) -> Born {
    let zygote = walled::born(Kind::Depart, Start::default());
    zygote.fork(own);
    zygote
}

/// Calls that the depart was not meant to make.
fn listen(listener: OwnedFd, seen: Arc<Mutex<Seen>>) {
    seen.lock().unwrap().heard.listen(Kind::Depart, listener);
}
