//! What was sent and how it was answered; what must therefore stand in the mailbox.

use crate::house::{Demo, within};
use crate::letters::{is_whole, letter};
use crate::post::Sender;
use crate::reader::Reader;
use std::time::{Duration, Instant};

pub const TO: &str = "aoi@example.jp";
const FROM: &str = "carol@sender.example";
/// Recovery by itself: restarts back off, caches age.
const RECOVERY: Duration = Duration::from_secs(40);

/// Letters of one trial.
#[derive(Default)]
pub struct Letters {
    number: u32,
    pub taken: Vec<Vec<u8>>,
    pub deferred: u32,
    /// What was answered to those, or how the connection broke.
    pub why: Vec<String>,
    pub slowest: Duration,
}

impl Letters {
    /// Sends a letter of about this size; the code, or 0 when the connection broke.
    pub fn send(&mut self, demo: &Demo, bytes: usize) -> u16 {
        self.number += 1;
        let octets = filled(&format!("trial {}", self.number), bytes);
        let started = Instant::now();
        let (code, words) = answered(demo, &octets);
        self.slowest = self.slowest.max(started.elapsed());
        match code {
            250 => self.taken.push(octets),
            _ => {
                self.deferred += 1;
                self.why.push(words);
            }
        }
        assert!(code == 0 || code == 250 || (400..500).contains(&code), "answered {code}");
        code
    }

    /// Sends until it is taken again.
    pub fn recover(&mut self, demo: &Demo) -> Duration {
        let started = Instant::now();
        within(RECOVERY, "letters are taken again", || self.send(demo, 900) == 250);
        started.elapsed()
    }

    /// Everything that was answered 250 is there octet for octet, and once.
    pub fn all_there(&self, demo: &Demo) {
        let found = inbox(demo);
        for sent in &self.taken {
            let copies = found.iter().filter(|kept| is_whole(kept, sent)).count();
            assert_eq!(copies, 1, "{} of {} kept", found.len(), self.taken.len());
        }
    }
}

/// A letter of about this size.
pub fn filled(subject: &str, bytes: usize) -> Vec<u8> {
    let line = "A line of an ordinary letter, neither short nor long, to fill the page.\r\n";
    letter(subject, &line.repeat(bytes / line.len() + 1))
}

/// The code of the last reply; 0 without one.
pub fn offered(demo: &Demo, octets: &[u8]) -> u16 {
    answered(demo, octets).0
}

fn answered(demo: &Demo, octets: &[u8]) -> (u16, String) {
    let reply = Sender::connect(&demo.port("smtp")).and_then(|mut sender| {
        sender.ask("EHLO sender.example")?;
        let reply = sender.letter(FROM, &[TO], octets);
        let _ = sender.send(b"QUIT\r\n");
        reply
    });
    match reply {
        Ok(reply) => (reply.code, format!("{reply:?}")),
        Err(fault) => {
            let text = fault.to_string();
            let code = text.split_once("code: ").and_then(|(_, rest)| rest.get(..3)?.parse().ok());
            (code.unwrap_or(0), text)
        }
    }
}

/// The whole inbox, as soon as it can be read.
pub fn inbox(demo: &Demo) -> Vec<Vec<u8>> {
    let started = Instant::now();
    loop {
        let tried = Reader::try_sign_in(demo, &demo.account(TO)).and_then(|mut reader| {
            let selected = reader.ask("SELECT INBOX")?.text();
            if selected.contains("* 0 EXISTS") {
                return Ok(Vec::new());
            }
            let answer = reader.ask("FETCH 1:* BODY.PEEK[]")?;
            match answer.is_ok() {
                true => Ok(answer.literals()),
                false => Err(std::io::Error::other(answer.end)),
            }
        });
        match tried {
            Ok(letters) => return letters,
            Err(fault) => assert!(started.elapsed() < RECOVERY, "not readable: {fault}"),
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Trials that mount, or look into others' processes.
pub fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        println!("absent: root");
    }
    is_root
}
