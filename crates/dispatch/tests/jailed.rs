//! The real dispatch in its real walls: a day of outgoing mail, and not one call off its charter.
//! This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod neighbourhood;

use neighbourhood::{Neighbourhood, Plan, Seen};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use terms::Kind;
use walled::Born;
use wire::Channel;
use wire::control::Start;
use wire::dispatch::{FromAccess, ToAccess};

fn main() -> ExitCode {
    walled::main(|| compartment::zygote_main(dispatch::serve), live)
}

fn live() {
    let mut settings = wire::directory::SendingSettings::default();
    settings.notice = "社外秘".to_owned();
    let plan =
        Plan { scanner_dies: 1, settings, ear: listen, countries: COUNTRIES, ..Plan::default() };
    let around = Neighbourhood::around(plan, be_born);
    load(&around);
    let (seen, control, life) = around.leave();
    life.ended_well();
    drop(control);
    let seen = seen.lock().unwrap();
    seen.heard.assert_nothing_off_charter();
    seen.heard.assert_listeners(1);
    assert_eq!((seen.queued.len(), seen.renewed), (3, 1));
}

/// A zygote, and one instance of it with the control channel of the neighbourhood.
fn be_born(own: Channel) -> Born {
    let zygote = walled::born(Kind::Dispatch, Start::default());
    zygote.fork(own);
    zygote
}

/// Looked up in the file that the warden hands over.
const COUNTRIES: &str = "2|apnic|1|1|1|1|0\napnic|JP|ipv4|203.0.113.0|256|1|assigned\n";

/// Calls that dispatch was not meant to make.
fn listen(listener: OwnedFd, seen: Arc<Mutex<Seen>>) {
    seen.lock().unwrap().heard.listen(Kind::Dispatch, listener);
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
