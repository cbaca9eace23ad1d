//! kill -9 at random while mail is opened: whatever a client received was released before, by an
//! entry that stands in the ledger, and the vault's numbers run on without a gap.
//!
//! 50 kills by default; `SEKISHO_KILLS`, `SEKISHO_SEED` and `SEKISHO_BETWEEN_MS` as for `kills`.

use super::house::{Demo, command, entries, within};
use super::kills::{Dice, HEALING, PEOPLE, kill_all, kill_at_random, kills, number};
use super::letters::letter;
use super::post::Sender;
use super::reader::Reader;
use serde_json::Value;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const READERS: usize = 16;
/// Letters in each mailbox, sent before anything is killed, so that each is there once.
const LETTERS: usize = 40;
/// Letters opened in one session, each once.
const OPENED: usize = 12;
/// A reader's rest between two letters.
const REST: Duration = Duration::from_millis(250);
/// A client that is not answered gives up; evidence that is away is said within ten seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a reader reaches the house, which is another one after each end of all.
struct Way {
    imaps: String,
    authority: PathBuf,
    people: Vec<(&'static str, String)>,
}

/// What clients received, by person and letter.
#[derive(Default)]
struct Received {
    plaintexts: Mutex<HashMap<(usize, usize), u64>>,
    count: AtomicUsize,
    unavailable: AtomicUsize,
    is_over: AtomicBool,
}

/// Each letter is longer than the one before it, by more than what is added on the way varies: the
/// ledger names no subject, but the size of what was kept.
fn text(person: usize, number: usize) -> Vec<u8> {
    let lines = 8 * (person * LETTERS + number);
    letter(
        &format!("release {person:02}-{number:03}"),
        &"Only for the one who reads it, and on record.\r\n".repeat(lines),
    )
}

fn fill(demo: &Demo) {
    let mut sender = Sender::greeted(&demo.port("smtp"));
    for (person, address) in PEOPLE.iter().enumerate() {
        for number in 0..LETTERS {
            let octets = text(person, number);
            let reply = sender.letter("carol@sender.example", &[address], &octets).unwrap();
            assert_eq!(reply.code, 250, "{reply:?}");
        }
    }
}

/// The opaque ids of all letters, with their person and number, by the sizes that were delivered.
fn named(demo: &Demo) -> HashMap<String, (usize, usize)> {
    let mut names = HashMap::new();
    within(HEALING, "all deliveries are recorded", || {
        let all = demo.entries();
        let delivered = all.iter().filter(|entry| entry["entry"] == "deliver");
        let messages = delivered.flat_map(|entry| entry["messages"].as_array().unwrap());
        let mut sizes: Vec<(u64, String)> = messages
            .map(|one| (one["bytes"].as_u64().unwrap(), one["message"].as_str().unwrap().into()))
            .collect();
        sizes.sort();
        let ids = sizes.into_iter().map(|(_, id)| id).enumerate();
        names = ids.map(|(place, id)| (id, (place / LETTERS, place % LETTERS))).collect();
        names.len() == PEOPLE.len() * LETTERS
    });
    names
}

/// One session: opens some letters, each once.
fn session(way: &Way, person: usize, dice: &mut Dice, received: &Received) -> std::io::Result<()> {
    let (address, secret) = &way.people[person];
    let mut reader = Reader::connect(&way.imaps, &way.authority)?;
    reader.patience(PATIENCE);
    let refused = |said: String| std::io::Error::other(said);
    for command in [format!("LOGIN {address} {secret}"), "SELECT INBOX".to_owned()] {
        let answer = reader.ask(&command)?;
        if !answer.is_ok() {
            return Err(refused(answer.end));
        }
    }
    let first = dice.below(LETTERS);
    for step in 0..OPENED {
        if received.is_over.load(Ordering::SeqCst) {
            return Ok(());
        }
        let number = (first + step * 7) % LETTERS;
        let started = Instant::now();
        let answer = reader.ask(&format!("FETCH {} BODY.PEEK[]", number + 1))?;
        assert!(started.elapsed() < PATIENCE, "silence");
        for octets in answer.literals() {
            let expected = format!("Subject: release {person:02}-{number:03}");
            assert!(String::from_utf8_lossy(&octets).contains(&expected), "another letter");
            *received.plaintexts.lock().unwrap().entry((person, number)).or_default() += 1;
            received.count.fetch_add(1, Ordering::SeqCst);
        }
        if !answer.is_ok() {
            received.unavailable.fetch_add(1, Ordering::SeqCst);
            return Err(refused(answer.end));
        }
        std::thread::sleep(REST);
    }
    Ok(())
}

fn keep_reading(way: &Way, reader: usize, received: &Received) {
    let mut dice = Dice::new(reader as u64 + 1);
    while !received.is_over.load(Ordering::SeqCst) {
        if session(way, reader % PEOPLE.len(), &mut dice, received).is_err() {
            std::thread::sleep(REST);
        }
    }
}

/// How often each letter was released, and the vault's numbers in the order of the ledger.
fn released(
    all: &[Value],
    names: &HashMap<String, (usize, usize)>,
) -> (HashMap<(usize, usize), u64>, Vec<u64>) {
    let (mut times, mut numbers) = (HashMap::new(), Vec::new());
    for entry in all.iter().filter(|entry| entry["entry"] == "release") {
        numbers.push(entry["vault_seq"].as_u64().unwrap());
        if entry["released"]["class"] == "body" {
            for message in entry["released"]["items"].as_array().unwrap() {
                *times.entry(names[message.as_str().unwrap()]).or_default() += 1;
            }
        }
    }
    (times, numbers)
}

fn check_books(demo: &Demo, received: &Received, names: &HashMap<String, (usize, usize)>) {
    let (times, numbers) = released(&entries(demo.data()), names);
    let expected: Vec<u64> = (0..numbers.len() as u64).collect();
    assert_eq!(numbers, expected, "the vault's numbers have a gap, or one stands twice");
    let plaintexts = received.plaintexts.lock().unwrap();
    for (letter, count) in plaintexts.iter() {
        let recorded = times.get(letter).copied().unwrap_or(0);
        assert!(*count <= recorded, "{letter:?}: received {count} times, released {recorded}");
    }
    let (received, released): (u64, u64) = (plaintexts.values().sum(), times.values().sum());
    println!("{received} plaintexts received, {released} bodies released, each number once");
}

#[test]
fn kills_release_nothing_unrecorded() {
    let seed = number("SEKISHO_SEED", 0x5eed_0000 + u64::from(std::process::id()));
    println!("{} kills, SEKISHO_SEED={seed}", kills());
    let started = Instant::now();
    let mut dice = Dice::new(seed);
    let mut demo = Demo::fresh("releases");
    fill(&demo);
    let names = named(&demo);
    let people = PEOPLE.map(|address| (address, demo.account(address).imap));
    let (imaps, authority) = (demo.port("imaps"), demo.authority());
    let way = Arc::new(Way { imaps, authority, people: people.to_vec() });
    let received = Arc::new(Received::default());
    let readers: Vec<_> = (0..READERS)
        .map(|reader| {
            let (way, received) = (way.clone(), received.clone());
            std::thread::spawn(move || keep_reading(&way, reader, &received))
        })
        .collect();
    demo = kill_at_random(demo, kills(), &mut dice, || received.count.load(Ordering::SeqCst));
    let before = received.count.load(Ordering::SeqCst);
    within(HEALING, "mail is opened after the last kill", || {
        received.count.load(Ordering::SeqCst) > before + READERS
    });
    received.is_over.store(true, Ordering::SeqCst);
    let ended: Vec<_> = readers.into_iter().map(|reader| reader.join()).collect();
    assert!(ended.iter().all(Result::is_ok), "a reader was answered wrongly");
    let demo = kill_all(demo);
    check_books(&demo, &received, &names);
    let unavailable = received.unavailable.load(Ordering::SeqCst);
    println!("{unavailable} times UNAVAILABLE; {:?}", started.elapsed());
    let words = ["ledger", "verify", "--data", demo.data().to_str().unwrap()];
    within(HEALING, "ledger and mirror agree", || command(&words).1 == 0);
}
