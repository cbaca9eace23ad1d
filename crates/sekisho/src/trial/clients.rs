//! People who read and write while something hostile runs, and strangers who try what was stolen.

use super::markers::Side;
use super::stage::{Handed, House};
use crate::demo::leaving::Line;
use crate::demo::reading::{Reader, tls};
use data_encoding::BASE64;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

/// Letters fetched by one reader.
const COMMANDS: &[&str] = &["SELECT INBOX", "FETCH 1:* (BODY.PEEK[])"];

/// What became of one reading.
pub struct Reading {
    /// Everything that was read.
    pub octets: Vec<u8>,
    /// The last answer to a command, or why there was none.
    pub said: String,
    pub let_in: bool,
    pub millis: u64,
}

/// Reads somebody's inbox with a name and a secret, in a thread of its own.
pub fn reading(house: &House, name: &str, secret: &str) -> JoinHandle<Reading> {
    let (imaps, authority) = (house.ports.imaps(), house.authority.clone());
    let login = format!("LOGIN {name} {secret}");
    spawn(move || {
        let begun = Instant::now();
        let mut reading =
            Reading { octets: Vec::new(), said: String::new(), let_in: false, millis: 0 };
        if let Err(error) = read_all(imaps, &authority, &login, &mut reading) {
            reading.said = error.to_string();
        }
        reading.millis = begun.elapsed().as_millis() as u64;
        reading
    })
}

fn read_all(
    imaps: SocketAddr,
    authority: &str,
    login: &str,
    reading: &mut Reading,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut reader = Reader::connect(imaps, authority)?;
    (_, reading.said) = reader.say(login)?;
    reading.let_in = is_ok(&reading.said);
    for command in COMMANDS.iter().filter(|_| reading.let_in) {
        let (untagged, said) = reader.say(command)?;
        reading.octets.extend(untagged.concat());
        reading.said = said;
        if !is_ok(&reading.said) {
            break;
        }
    }
    Ok(())
}

fn is_ok(said: &str) -> bool {
    said.split_whitespace().nth(1) == Some("OK")
}

/// The person of a side, reading as every day.
pub fn person_reading(house: &House, side: Side) -> Option<JoinHandle<Reading>> {
    let account = house.account(side)?;
    Some(reading(house, account.address, &account.app_password))
}

/// A client that has handed in its letters stays signed in for so long at most.
const STAY: Duration = Duration::from_secs(120);

/// A person who is signed in to hand in letters, until this is dropped.
pub struct Handing {
    replies: Receiver<Vec<String>>,
    _stay: Sender<()>,
}

impl Handing {
    /// The last reply to each letter, once all are answered.
    pub fn replies(&self, limit: Duration) -> Option<Vec<String>> {
        match self.replies.recv_timeout(limit) {
            Ok(replies) => Some(replies),
            Err(RecvTimeoutError::Timeout) => None,
            // It ended before its first letter.
            Err(RecvTimeoutError::Disconnected) => Some(Vec::new()),
        }
    }
}

/// The person of a side signs in to hand in these letters, and stays.
pub fn handing_in(house: &House, side: Side, letters: Vec<Handed>) -> Option<Handing> {
    let account = house.account(side)?;
    let (address, secret) = (account.address, account.smtp_password.clone());
    let (submissions, authority) = (house.ports.submissions(), house.authority.clone());
    let (answer, replies) = channel();
    let (_stay, leave) = channel();
    spawn(move || {
        let words = BASE64.encode(format!("\0{address}\0{secret}").as_bytes());
        let opened = tls(submissions, "mail.localhost", &authority);
        let Some(mut line) = opened.ok().and_then(|stream| Line::open(stream).ok()) else { return };
        let mut said = vec![line.say(&format!("AUTH PLAIN {words}")).unwrap_or_default()];
        for letter in letters {
            said.push(hand_in(&mut line, address, &letter).unwrap_or_default());
        }
        let _ = answer.send(said);
        let _: Result<(), _> = leave.recv_timeout(STAY);
    });
    Some(Handing { replies, _stay })
}

fn hand_in(line: &mut Line, from: &str, letter: &Handed) -> std::io::Result<String> {
    line.say(&format!("MAIL FROM:<{from}>"))?;
    for to in &letter.to {
        line.say(&format!("RCPT TO:<{to}>"))?;
    }
    let reply = line.say("DATA")?;
    if !reply.starts_with('3') {
        return Ok(reply);
    }
    line.say(&format!("{}.", String::from_utf8_lossy(&letter.octets)))
}

/// Whether a letter of the first side leaves the house, all the way.
pub fn mail_leaves(house: &mut House, limit: Duration) -> bool {
    let letter = house.write_out(Side::A, None);
    let to = letter.to.clone();
    house.world.take();
    let until = Instant::now() + limit;
    let Some(handing) = handing_in(house, Side::A, vec![letter]) else { return false };
    let replies = handing.replies(limit).unwrap_or_default();
    if !replies.last().is_some_and(|reply| reply.starts_with("250")) {
        return false;
    }
    while Instant::now() < until {
        if house.world.take().iter().any(|came| came.to == to) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
