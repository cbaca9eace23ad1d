//! kill -9 where it hurts: edges in a row, and the scanners of one message.

use crate::house::{Demo, signal};
use crate::ledger_of_letters::{Letters, TO, filled};
use crate::post::Sender;
use rustix::process::Signal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const EDGES: usize = 20;

/// Workers of a kind; the first process of the kind is the one that they are forked from.
fn workers(demo: &Demo, kind: &str) -> Vec<u32> {
    let all = demo.processes().into_iter().filter(|process| process.kind == kind);
    let mut pids: Vec<u32> = all.map(|process| process.pid).collect();
    pids.sort_unstable();
    pids.into_iter().skip(1).collect()
}

/// A connection may still reach an edge that was just killed: a sender then tries again.
fn begun(demo: &Demo) -> Sender {
    for _ in 0..20 {
        let begun = Sender::connect(&demo.port("smtp")).and_then(|mut sender| {
            sender.ask("EHLO sender.example")?;
            let reply = sender.offer("carol@sender.example", &[TO])?;
            Ok((sender, reply.code))
        });
        if let Ok((sender, 354)) = begun {
            return sender;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("nobody takes letters any more");
}

#[test]
fn twenty_killed_edges_in_a_row() {
    let demo = Demo::fresh("edges");
    let mut letters = Letters::default();
    for _ in 0..EDGES {
        let mut sender = begun(&demo);
        sender.send(&filled("half", 4_000)).unwrap();
        workers(&demo, "edge").into_iter().for_each(|pid| signal(pid, Signal::KILL));
        assert!(sender.send(b".\r\n").is_err() || sender.reply().is_err(), "it is gone");
        let _ = letters.send(&demo, 3_000);
    }
    let after = letters.recover(&demo);
    let (taken, deferred) = (letters.taken.len(), letters.deferred);
    println!("{EDGES} × all edges killed: {taken} letters taken at once, {deferred} put off");
    println!("then taken after {after:?}; slowest answer {:?}", letters.slowest);
    println!("put off: {:#?}", letters.why);
    // A caller whose edge was just killed is handed to another one: most letters never notice.
    assert!(2 * taken > EDGES, "{taken} taken at once");
    assert!(taken + usize::try_from(deferred).unwrap() >= EDGES);
    letters.all_there(&demo);
}

/// A message whose scanners die: set aside where somebody can find it, or put off; never lost.
#[test]
fn a_message_that_kills_its_scanners_is_set_aside_or_put_off() {
    let demo = Arc::new(Demo::fresh("poison"));
    let (stop, other) = (Arc::new(AtomicBool::new(false)), demo.clone());
    let is_over = stop.clone();
    let hunter = std::thread::spawn(move || {
        let mut count = 0;
        while !is_over.load(Ordering::SeqCst) {
            for pid in workers(&other, "scanner") {
                signal(pid, Signal::KILL);
                count += 1;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        count
    });
    let mut codes = Vec::new();
    for number in 0..3 {
        let octets = filled(&format!("poison {number}"), 20 * 1024 * 1024);
        let mut sender = Sender::greeted(&demo.port("smtp"));
        codes.push(sender.letter("carol@sender.example", &[TO], &octets).map_or(0, |r| r.code));
    }
    stop.store(true, Ordering::SeqCst);
    let killed = hunter.join().unwrap();
    let taken = codes.iter().filter(|code| **code == 250).count();
    assert!(codes.iter().all(|code| *code == 250 || code / 100 == 4), "{codes:?}");
    let mut letters = Letters::default();
    let after = letters.recover(&demo);
    let (held, _) = demo.ask(&["quarantine", "list"]);
    let held = held["items"].as_array().map_or(0, Vec::len);
    let delivered = crate::ledger_of_letters::inbox(&demo).len() - letters.taken.len();
    println!("{killed} scanners killed under 3 messages: answered {codes:?}; {held} set aside");
    println!("{delivered} delivered; an ordinary letter was taken after {after:?}");
    assert_eq!(taken, held + delivered, "what was answered 250 is somewhere");
    letters.all_there(&demo);
}
