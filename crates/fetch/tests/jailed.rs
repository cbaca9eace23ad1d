//! The real fetch in its real walls: resources of every kind, and not one call off its charter.
//! This program is its own compartment: birth re-executes it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod world;

use compartment::House;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use terms::Kind;
use wire::fetch::Answer;
use world::{Web, ask, get, join, play_names, play_warden, start};

fn main() -> ExitCode {
    walled::main(|| fetch::run(House::begin().unwrap()), live)
}

fn live() {
    let body = "x".repeat(50_000);
    let answer =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc350\r\n{body}\r\n0\r\n\r\n");
    let web = Web::that("web.example", Some(&answer), true);
    let fetch = walled::born(Kind::Fetch, start(&web.pem));
    let control = &fetch.control;
    play_names(join(control, Kind::Names, 1));
    let mut asker = join(control, Kind::Depart, 2);
    let warden = control.as_fd().try_clone_to_owned().unwrap();
    play_warden(Arc::new(warden.into()), web.at);
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
    fetch.stop();
}
