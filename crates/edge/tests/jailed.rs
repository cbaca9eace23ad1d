//! The real edge in its real walls: mail of every kind, and not one call off its charter.
//! This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod neighbourhood;

use neighbourhood::{Neighbourhood, Plan, Scanner, Seen, through_tls};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use terms::Kind;
use walled::Born;
use wire::Channel;
use wire::control::{Order, Start};

fn main() -> ExitCode {
    walled::main(|| compartment::zygote_main(edge::serve), live)
}

fn live() {
    let scanners = vec![Scanner::Retires, Scanner::Asks, Scanner::Dies, Scanner::Asks];
    let around = Neighbourhood::around(Plan { scanners, ear: listen, ..Plan::default() }, be_born);
    load(&around);
    around.control.send(0, &Order::Stop, &[]).unwrap();
    around.life.ended_well();
    let seen = around.seen.lock().unwrap();
    seen.heard.assert_nothing_off_charter();
    seen.heard.assert_listeners(1);
    assert_eq!((seen.copies.len(), seen.letters.len()), (6, 4));
}

/// A zygote, and one instance of it with the control channel of the neighbourhood.
fn be_born(own: Channel) -> Born {
    let zygote = walled::born(Kind::Edge, Start::default());
    zygote.fork(own);
    zygote
}

/// Calls that the edge was not meant to make.
fn listen(listener: OwnedFd, seen: Arc<Mutex<Seen>>) {
    seen.lock().unwrap().heard.listen(Kind::Edge, listener);
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
