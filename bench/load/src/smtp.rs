//! Mail, as fast as it is taken: one message a connection, nothing pipelined.

use crate::corpus::Corpus;
use crate::figures::{ms, share};
use crate::line::Line;
use crate::{Outcome, Wishes};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Ten addresses of the demo; the peers take the same ones.
const RECIPIENTS: &str = "aoi@example.jp,haru@example.jp,info@example.jp,mina@example.jp,\
sato@example.jp,alice@example.net,bob@example.net,sales@example.net,olga@example.net,\
alice+list@example.net";

/// What all connections share.
struct Post {
    to: SocketAddr,
    letters: Vec<(String, String, Vec<u8>)>,
    next: AtomicUsize,
    refused: AtomicUsize,
    times: Mutex<Vec<(Duration, Duration)>>,
}

pub fn load(wishes: &Wishes) -> Outcome<Value> {
    let port = u16::try_from(wishes.number_or("port", 2025)?)?;
    let size = wishes.text_or("size", "4k");
    let connections = wishes.number_or("connections", 10)?;
    let messages = wishes.number_or("messages", 500)?;
    let credential = match wishes.text("credential") {
        Ok(file) => std::fs::read(file)?,
        Err(_) => Vec::new(),
    };
    let octets = match size {
        "4k" => 3_300,
        "40k" => 40_000,
        "1m" => 1_040_000,
        other => return Err(format!("no such size: {other}").into()),
    };
    let corpus = Corpus::new(octets, &credential)?;
    let recipients: Vec<&str> = wishes.text_or("to", RECIPIENTS).split(',').collect();
    let mut letters = Vec::with_capacity(messages);
    // Written and signed before the clock runs.
    for number in 0..messages {
        let to = recipients[number % recipients.len()];
        let (from, letter) = corpus.letter(number, to)?;
        letters.push((from, to.to_owned(), letter));
    }
    let post = Arc::new(Post {
        to: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        letters,
        next: AtomicUsize::new(0),
        refused: AtomicUsize::new(0),
        times: Mutex::new(Vec::with_capacity(messages)),
    });
    let begin = Instant::now();
    let threads: Vec<_> = (0..connections)
        .map(|_| {
            let post = post.clone();
            std::thread::spawn(move || post.deliver())
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "a sender died")?;
    }
    let took = begin.elapsed();
    Ok(report(&post, size, connections, took))
}

fn report(post: &Post, size: &str, connections: usize, took: Duration) -> Value {
    let times = post.times.lock().map(|times| times.clone()).unwrap_or_default();
    let mut whole: Vec<Duration> = times.iter().map(|(whole, _)| *whole).collect();
    let mut last: Vec<Duration> = times.iter().map(|(_, last)| *last).collect();
    json!({
        "size": size,
        "connections": connections,
        "accepted": whole.len(),
        "refused": post.refused.load(Ordering::Relaxed),
        "seconds": ms(took) / 1e3,
        "rate": (whole.len() as f64 / took.as_secs_f64()).round(),
        "p50_ms": share(&mut whole, 50),
        "p90_ms": share(&mut whole, 90),
        "p99_ms": share(&mut whole, 99),
        "dot_p50_ms": share(&mut last, 50),
        "dot_p99_ms": share(&mut last, 99),
    })
}

impl Post {
    fn deliver(&self) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((from, to, letter)) = self.letters.get(number) else { return };
            match self.one(from, to, letter) {
                Ok(times) => {
                    if let Ok(mut all) = self.times.lock() {
                        all.push(times);
                    }
                }
                Err(fault) => {
                    if self.refused.fetch_add(1, Ordering::Relaxed) < 5 {
                        eprintln!("load: {fault}");
                    }
                }
            }
        }
    }

    /// From the connection to the last reply, and from the end of the text to its reply.
    fn one(&self, from: &str, to: &str, letter: &[u8]) -> Outcome<(Duration, Duration)> {
        let begin = Instant::now();
        let mut line = Line::plain(self.to)?;
        expect(&mut line, b'2')?;
        say(&mut line, "EHLO mail.sender.example\r\n", b'2')?;
        say(&mut line, &format!("MAIL FROM:<{from}>\r\n"), b'2')?;
        say(&mut line, &format!("RCPT TO:<{to}>\r\n"), b'2')?;
        say(&mut line, "DATA\r\n", b'3')?;
        line.send(letter)?;
        let sent = Instant::now();
        expect(&mut line, b'2')?;
        let times = (begin.elapsed(), sent.elapsed());
        say(&mut line, "QUIT\r\n", b'2')?;
        Ok(times)
    }
}

fn say(line: &mut Line, command: &str, good: u8) -> Outcome<()> {
    line.send(command.as_bytes())?;
    expect(line, good)
}

fn expect(line: &mut Line, good: u8) -> Outcome<()> {
    let mut reply = Vec::new();
    loop {
        if line.next(&mut reply)? == 0 {
            return Err("the connection ended".into());
        }
        if reply.get(3) != Some(&b'-') {
            break;
        }
    }
    match reply.first() == Some(&good) {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&reply).trim_end().to_owned().into()),
    }
}
