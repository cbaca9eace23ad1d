//! kill -9 at random, of one compartment or of all, under load: what was answered 250 is in the
//! mailbox, octet for octet, once.
//!
//! 50 kills by default; `SEKISHO_KILLS=1000` makes it the long run of `bench/kills/run.sh`,
//! `SEKISHO_SEED` repeats one, and `SEKISHO_BETWEEN_MS` sets the pace on a busy machine.

use super::house::{Demo, Process, descendants, signal, within};
use super::letters::is_whole;
use super::post::Sender;
use super::reader::Reader;
use rustix::process::Signal;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SENDERS: usize = 20;
const KILLS: usize = 50;
/// Every so many kills it is the first process, and with it all.
const ALL_EVERY: usize = 10;
/// Between two kills: some letters pass, some are on their way.
const BETWEEN_MS: u64 = 900;
/// Each sender's rest between two letters: a load of about 150 letters a second; less in a long
/// run, whose letters are all read again at its end.
const REST: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_millis(800);
/// All that was killed is back, however busy the machine.
pub const HEALING: Duration = Duration::from_secs(60);
pub const PEOPLE: [&str; 4] =
    ["aoi@example.jp", "haru@example.jp", "alice@example.net", "bob@example.net"];
/// Messages that are read in one command when the mailboxes are counted.
const PIECE: usize = 200;

/// A letter as its sender remembers it.
struct Sent {
    to: &'static str,
    octets: Vec<u8>,
    is_accepted: bool,
    unanswered: usize,
}

#[derive(Default)]
struct Notebook {
    letters: Mutex<HashMap<u64, Sent>>,
    accepted: AtomicUsize,
    is_over: AtomicBool,
}

/// xorshift64*: the same kills for the same seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % limit
    }
}

pub fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

pub fn kills() -> usize {
    usize::try_from(number("SEKISHO_KILLS", KILLS as u64)).unwrap()
}

/// Letters of all sizes, each with its own number in its subject and its text.
fn octets(id: u64) -> Vec<u8> {
    let lines = match id % 10 {
        0 => 3000, // beyond one piece of everything that is buffered
        1..4 => 300,
        _ => 12,
    };
    let text = format!("line of {id:016x}\r\n").repeat(lines);
    super::letters::letter(&format!("kill {id:016x}"), &text)
}

/// One sender: letter after letter, each repeated until it is answered with 250.
fn keep_sending(smtp: &str, number: u64, notebook: &Notebook) {
    let mut session: Option<Sender> = None;
    for count in 0.. {
        let id = number << 32 | count;
        let to = PEOPLE[usize::try_from(id % 4).unwrap()];
        let octets = octets(id);
        let sent = Sent { to, octets: octets.clone(), is_accepted: false, unanswered: 0 };
        notebook.letters.lock().unwrap().insert(id, sent);
        loop {
            if notebook.is_over.load(Ordering::SeqCst) {
                return;
            }
            match offer(&mut session, smtp, to, &octets) {
                Tried::Accepted => break,
                Tried::Refused => {}
                Tried::Unanswered => {
                    let mut letters = notebook.letters.lock().unwrap();
                    letters.get_mut(&id).unwrap().unanswered += 1;
                }
            }
            session = None;
            std::thread::sleep(Duration::from_millis(100));
        }
        notebook.letters.lock().unwrap().get_mut(&id).unwrap().is_accepted = true;
        notebook.accepted.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(if kills() > KILLS * 4 { LONG } else { REST });
    }
}

enum Tried {
    Accepted,
    /// Not taken, and it is known that it was not.
    Refused,
    /// The octets were sent and no answer came: it may have been kept.
    Unanswered,
}

fn offer(session: &mut Option<Sender>, smtp: &str, to: &str, octets: &[u8]) -> Tried {
    if session.is_none() {
        let Ok(mut sender) = Sender::connect(smtp) else { return Tried::Refused };
        if sender.ask("EHLO sender.example").is_err() {
            return Tried::Refused;
        }
        *session = Some(sender);
    }
    let Some(sender) = session else { return Tried::Refused };
    match sender.offer("carol@sender.example", &[to]) {
        Ok(reply) if reply.code == 354 => {}
        Ok(reply) => {
            assert!(reply.code < 500, "{reply:?}"); // a 5xx would lose the letter for ever
            return Tried::Refused;
        }
        Err(_) => return Tried::Refused,
    }
    let _ = sender.send(octets).and_then(|()| sender.send(b".\r\n"));
    match sender.reply() {
        Ok(reply) if reply.code == 250 => Tried::Accepted,
        Ok(reply) => {
            assert!(reply.code < 500, "{reply:?}");
            Tried::Refused
        }
        Err(_) => Tried::Unanswered,
    }
}

/// Kills one compartment's process at random; gives its kind.
fn kill_one(demo: &Demo, dice: &mut Dice) -> String {
    // Each kind as likely as any other, however many processes it has.
    let all = demo.processes();
    let mut kinds: Vec<&str> = all.iter().map(|process| process.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let kind = kinds[dice.below(kinds.len())];
    let of_kind: Vec<&Process> = all.iter().filter(|process| process.kind == kind).collect();
    signal(of_kind[dice.below(of_kind.len())].pid, Signal::KILL);
    kind.to_owned()
}

/// kill -9 of the first process: all end with it, and it starts again on the same folder.
pub fn kill_all(mut demo: Demo) -> Demo {
    let pids: Vec<u32> = demo.processes().into_iter().map(|process| process.pid).collect();
    demo.keep_folder();
    demo.kill();
    within(HEALING, "all follow", || {
        pids.iter().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
    });
    let wishes = demo.wishes.clone();
    drop(demo);
    Demo::start(wishes)
}

/// Kills one process or all, so often; `passed` counts what goes on meanwhile.
pub fn kill_at_random(
    mut demo: Demo,
    kills: usize,
    dice: &mut Dice,
    passed: impl Fn() -> usize,
) -> Demo {
    let between = Duration::from_millis(number("SEKISHO_BETWEEN_MS", BETWEEN_MS));
    let mut killed: HashMap<String, usize> = HashMap::new();
    for count in 1..=kills {
        std::thread::sleep(between.mul_f64(0.5 + dice.below(100) as f64 / 100.0));
        let kind = match count % ALL_EVERY {
            0 => {
                demo = kill_all(demo);
                "all".to_owned()
            }
            _ => kill_one(&demo, dice),
        };
        *killed.entry(kind).or_default() += 1;
        if count % 100 == 0 {
            println!("{count} kills, {} letters", passed());
        }
    }
    println!("killed: {killed:?}");
    demo
}

fn run(demo: Demo, kills: usize, dice: &mut Dice, notebook: &Arc<Notebook>) -> Demo {
    let passed = || notebook.accepted.load(Ordering::SeqCst);
    let demo = kill_at_random(demo, kills, dice, passed);
    // Everything still works: more letters pass after the last kill.
    let before = notebook.accepted.load(Ordering::SeqCst);
    within(HEALING, "letters pass after the last kill", || {
        notebook.accepted.load(Ordering::SeqCst) > before + SENDERS
    });
    demo
}

/// The letters in a mailbox by the number in their text: how often, and each whole.
fn count(
    demo: &Demo,
    address: &str,
    letters: &HashMap<u64, Sent>,
    stand: &mut HashMap<u64, usize>,
) {
    let mut reader = Reader::sign_in(demo, address);
    for folder in ["INBOX", "Junk"] {
        let exists = reader.exists(folder);
        for first in (1..=exists).step_by(PIECE) {
            let last = (first + PIECE - 1).min(exists);
            let answer = reader.must(&format!("FETCH {first}:{last} BODY.PEEK[]"));
            let kept = answer.literals();
            assert_eq!(kept.len(), last - first + 1, "some of {first}:{last} cannot be read");
            for octets in kept {
                let text = String::from_utf8_lossy(&octets);
                let at = text.find("Subject: kill ").expect("one of ours") + 14;
                let id = u64::from_str_radix(&text[at..at + 16], 16).unwrap();
                let sent = &letters[&id];
                assert_eq!(sent.to, address);
                assert!(is_whole(&octets, &sent.octets), "{id:x} is not what came:\n{text}");
                *stand.entry(id).or_default() += 1;
            }
        }
    }
}

fn check_books(demo: &Demo, notebook: &Notebook) {
    let letters = notebook.letters.lock().unwrap();
    let mut stand = HashMap::new();
    for address in PEOPLE {
        count(demo, address, &letters, &mut stand);
    }
    let (mut lost, mut twice) = (Vec::new(), Vec::new());
    for (id, sent) in letters.iter() {
        let times = stand.get(id).copied().unwrap_or(0);
        if sent.is_accepted && times == 0 {
            lost.push(*id);
        }
        // One for the answer, and one more for each time that no answer came.
        let may_stand = usize::from(sent.is_accepted) + sent.unanswered;
        if times > may_stand {
            twice.push((*id, times, may_stand));
        }
    }
    let again: usize = letters.values().map(|sent| sent.unanswered).sum();
    println!("{} letters, {again} times no answer, {} stand", letters.len(), stand.len());
    for id in lost.iter().take(10) {
        // What the house says of it: kept elsewhere than where people read is not lost.
        println!("trace of {id:016x}: {}", demo.ask(&["trace", &format!("kill {id:016x}")]).0);
    }
    assert!(lost.is_empty(), "lost: {lost:x?}");
    assert!(twice.is_empty(), "stand too often: {twice:x?}");
}

#[test]
fn kills_lose_nothing() {
    let kills = kills();
    let seed = number("SEKISHO_SEED", 0x5eed_0000 + u64::from(std::process::id()));
    println!("{kills} kills, SEKISHO_SEED={seed}");
    let started = Instant::now();
    let mut dice = Dice::new(seed);
    let mut demo = Demo::fresh("kills");
    let notebook = Arc::new(Notebook::default());
    let smtp = demo.port("smtp");
    let senders: Vec<_> = (0..SENDERS as u64)
        .map(|number| {
            let (smtp, notebook) = (smtp.clone(), notebook.clone());
            std::thread::spawn(move || keep_sending(&smtp, number, &notebook))
        })
        .collect();
    demo = run(demo, kills, &mut dice, &notebook);
    notebook.is_over.store(true, Ordering::SeqCst);
    let ended: Vec<_> = senders.into_iter().map(|sender| sender.join()).collect();
    assert!(ended.iter().all(Result::is_ok), "a sender was refused for ever");
    // What stands is what stands after one more start.
    let demo = kill_all(demo);
    within(HEALING, "reading", || {
        let account = demo.account(PEOPLE[0]);
        let reader = Reader::try_sign_in(&demo, &account);
        reader.is_ok_and(|mut reader| reader.ask("EXAMINE INBOX").is_ok_and(|end| end.is_ok()))
    });
    check_books(&demo, &notebook);
    let (told, _) = demo.ask(&["alarms", "list"]);
    assert!(!told.to_string().contains("older than"), "tables look older: {told}");
    let (value, code) = demo.ask(&["ledger", "verify"]);
    assert_eq!(code, 0, "{value}");
    assert!(descendants(demo.pid()).len() > 12);
    println!("{:?}", started.elapsed());
}
