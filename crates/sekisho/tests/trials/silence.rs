//! Those whom we ask do not answer.

use crate::house::{Demo, signal};
use crate::ledger_of_letters::Letters;
use rustix::process::Signal;
use std::time::Duration;

/// An arrival with silent names must end within this.
const PATIENCE: Duration = Duration::from_secs(60);

/// Holds a process still while letters arrive; then lets it go on.
fn check(kind: &str) {
    let demo = Demo::fresh(kind);
    let mut letters = Letters::default();
    let pid = demo.pid_of(kind);
    signal(pid, Signal::STOP);
    let codes = [letters.send(&demo, 2_000), letters.send(&demo, 2_000)];
    signal(pid, Signal::CONT);
    println!("{kind} silent: answered {codes:?}, slowest {:?}", letters.slowest);
    assert!(codes.into_iter().all(|code| code == 250 || code / 100 == 4), "{codes:?}");
    assert!(letters.slowest < PATIENCE, "{:?}", letters.slowest);
    letters.recover(&demo);
    letters.all_there(&demo);
}

#[test]
fn silent_name_servers() {
    check("zone");
}

#[test]
fn a_silent_resolver() {
    check("names");
}
