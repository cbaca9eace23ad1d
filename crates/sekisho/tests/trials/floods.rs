//! Too many at once: connections, octets, and those who take their time.

use crate::house::{Demo, Wishes};
use crate::ledger_of_letters::{Letters, TO, filled, offered};
use crate::post::{Sender, socket};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

const CROWD: usize = 150;
/// Descriptors for each process: enough to start with.
const FEW: usize = 400;
/// While others misbehave a letter takes longer, not long.
const PROMPT: Duration = Duration::from_secs(10);

/// The demo spares its own machine the rates, so this crowd reaches as far as the house does.
#[test]
fn a_crowd_is_served_or_hears_421() {
    let demo = Demo::fresh("crowd");
    let to = demo.port("smtp");
    let mut letters = Letters::default();
    let crowd: Vec<Sender> = (0..CROWD).filter_map(|_| Sender::connect(&to).ok()).collect();
    assert_eq!(letters.send(&demo, 900), 250);
    println!("{} of {CROWD} idle connections; then {:?}", crowd.len(), letters.slowest);
    drop(crowd);
    letters.recover(&demo);
    letters.all_there(&demo);
}

/// Every process of the house may have so few descriptors that a crowd takes them all.
#[test]
fn without_descriptors_nobody_is_lost() {
    let mut wishes = Wishes::new("descriptors");
    let few = format!("ulimit -n {FEW} && exec \"$0\" \"$@\"");
    wishes.through = vec!["sh".to_owned(), "-c".to_owned(), few];
    let demo = Demo::start(wishes);
    let to = demo.port("smtp");
    let mut letters = Letters::default();
    assert_eq!(letters.send(&demo, 900), 250);
    let gate = demo.pid_of("gate");
    let waiting: Vec<_> = (0..CROWD).map(|_| socket(&to).unwrap()).collect();
    std::thread::sleep(Duration::from_secs(3));
    let heard: Vec<String> = waiting.iter().map(already_said).collect();
    let count = |code: &str| heard.iter().filter(|said| said.starts_with(code)).count();
    let (greeted, refused) = (count("220"), count("421"));
    assert_eq!(demo.pid_of("gate"), gate, "the gate lives");
    drop(waiting);
    let after = letters.recover(&demo);
    println!("{FEW} descriptors, {CROWD} connections: {greeted} greeted, {refused} heard 421");
    println!("taken again after {after:?}");
    assert!(
        heard
            .iter()
            .all(|said| said.is_empty() || said.starts_with("220 ") || said.starts_with("421 ")),
        "{heard:?}"
    );
    letters.all_there(&demo);
}

/// Standard error is the operator's log: whoever held it could cut it, or end it for all.
#[test]
fn nobody_holds_the_log() {
    let demo = Demo::fresh("voices");
    let log = |pid| std::fs::read_link(format!("/proc/{pid}/fd/2"));
    let pids =
        ["gate", "edge", "scanner", "mailbox", "vault"].map(|kind| (kind, demo.pid_of(kind)));
    for (kind, pid) in pids {
        match log(pid) {
            Ok(place) => assert!(place.to_string_lossy().starts_with("pipe:"), "{kind}: {place:?}"),
            Err(_) => println!("absent: {kind} may not be looked at here"),
        }
    }
    let voices: Vec<_> = pids.iter().filter_map(|(_, pid)| log(*pid).ok()).collect();
    let own = log(std::process::id()).ok();
    assert!(voices.iter().all(|voice| Some(voice) != own.as_ref()));
    let distinct: std::collections::BTreeSet<_> = voices.iter().collect();
    assert_eq!(distinct.len(), voices.len(), "each kind has its own: {voices:?}");
}

/// What has come by now.
fn already_said(socket: &TcpStream) -> String {
    socket.set_nonblocking(true).unwrap();
    let mut piece = [0; 512];
    let mut socket = socket;
    let count = socket.read(&mut piece).unwrap_or(0);
    String::from_utf8_lossy(&piece[..count]).into_owned()
}

/// 50 that say one octet a second, and 40 that say nothing and have half gone.
#[test]
fn slow_and_half_open_clients_stop_nobody() {
    let demo = Demo::fresh("slow");
    let to = demo.port("smtp");
    let open = |_| {
        let socket = socket(&to).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    };
    let mut slow: Vec<TcpStream> = (0..50).map(open).collect();
    let half: Vec<TcpStream> = (0..40).map(open).collect();
    for socket in half.iter().step_by(2) {
        let _ = socket.shutdown(std::net::Shutdown::Write);
    }
    let mut letters = Letters::default();
    for octet in b"EHLO sender.e" {
        for socket in &mut slow {
            let _ = socket.write(&[*octet]);
        }
        let started = Instant::now();
        assert_eq!(letters.send(&demo, 8_000), 250);
        std::thread::sleep(Duration::from_secs(1).saturating_sub(started.elapsed()));
    }
    println!("90 slow and half-open clients: slowest letter {:?}", letters.slowest);
    assert!(letters.slowest < PROMPT, "{:?}", letters.slowest);
    letters.all_there(&demo);
}

/// More mail at once than all may hold together: somebody hears 452, and nobody else suffers.
#[test]
fn mail_in_flight_has_a_limit() {
    let demo = Arc::new(Demo::fresh("flight"));
    let body = Arc::new(filled("in flight", 48 * 1024 * 1024));
    let everybody = Arc::new(Barrier::new(13));
    let senders: Vec<_> = (0..12)
        .map(|_| {
            let (demo, body, everybody) = (demo.clone(), body.clone(), everybody.clone());
            std::thread::spawn(move || {
                let mut sender = Sender::greeted(&demo.port("smtp"));
                let begun = sender.offer("carol@sender.example", &[TO]).map_or(0, |r| r.code);
                // Nobody ends the text: all of it stays in flight until all have sent theirs.
                let sent = begun == 354 && sender.send(&body).is_ok();
                everybody.wait();
                everybody.wait();
                let refused = begun == 452 || (begun == 354 && sent && ended(&mut sender) == 452);
                (begun, refused)
            })
        })
        .collect();
    everybody.wait();
    let small = offered(&demo, &filled("small", 2_000));
    everybody.wait();
    let ends: Vec<(u16, bool)> = senders.into_iter().map(|each| each.join().unwrap()).collect();
    let refused = ends.iter().filter(|(_, refused)| *refused).count();
    println!("12 × 48 MiB in flight: {refused} heard 452; a small letter meanwhile: {small}");
    assert!(refused > 0, "{ends:?}");
    assert!([250, 452].contains(&small), "{small}");
    let mut letters = Letters::default();
    letters.recover(&demo);
    letters.all_there(&demo);
}

/// The text ends here; what is said about it. Those who were refused need not finish.
fn ended(sender: &mut Sender) -> u16 {
    let _ = sender.send(b"\r\n.\r\n");
    sender.reply().map_or(0, |reply| reply.code)
}
