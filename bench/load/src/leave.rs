//! Mail that leaves: sessions that hand in, and the outside world that takes it, in one process.
//!
//! The clock of a letter runs from its MAIL to the moment at which the outside has answered 250.

use crate::figures::{ms, share};
use crate::line::{Line, trusting};
use crate::{Outcome, Wishes};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The demo's `dead.outside.example`.
const DEAD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 99));

/// Who hands in: a line of `--json` names the account and its secret; the peers ask for none.
struct Account {
    address: String,
    secret: Option<String>,
}

struct Shared {
    to: SocketAddr,
    trust: Option<Arc<rustls::ClientConfig>>,
    accounts: Vec<Account>,
    messages: usize,
    octets: usize,
    destinations: usize,
    next: AtomicUsize,
    refused: AtomicUsize,
    /// For each letter: when it was begun, and how many copies are still to come.
    begun: Vec<Mutex<Option<(Instant, usize)>>>,
    /// Every letter goes to all destinations, not to one of them.
    to_all: bool,
    /// The last of the destinations takes connections and never says a word.
    dead: bool,
    answered: Mutex<Vec<Duration>>,
    left: Mutex<Vec<Duration>>,
    arrived: AtomicUsize,
}

/// `load leave --sink PORT (--ready FILE | --port N) [--messages N] [--connections C]
/// [--octets N] [--destinations D] [--to-all yes] [--dead yes]`; `dead`: one more destination,
/// which takes connections and never says a word, and whose letters are not waited for.
pub fn load(wishes: &Wishes) -> Outcome<Value> {
    let sink = u16::try_from(wishes.number_or("sink", 0)?)?;
    let messages = wishes.number_or("messages", 2_000)?;
    let connections = wishes.number_or("connections", 20)?;
    let shared = Arc::new(shared(wishes, messages)?);
    open_sink(sink, &shared)?;
    let begin = Instant::now();
    let threads: Vec<_> = (0..connections)
        .map(|number| {
            let shared = shared.clone();
            std::thread::spawn(move || {
                if let Err(fault) = shared.hand_in(number) {
                    eprintln!("load: {fault}");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "a sender died")?;
    }
    let handed_in = begin.elapsed();
    let accepted = shared.answered.lock().map(|all| all.len()).unwrap_or(0);
    let patience = Duration::from_secs(60);
    let awaited = accepted.saturating_sub((0..messages).filter(|one| shared.is_dead(*one)).count());
    while shared.arrived.load(Ordering::SeqCst) < awaited && begin.elapsed() < handed_in + patience
    {
        std::thread::sleep(Duration::from_millis(2));
    }
    let took = begin.elapsed();
    let arrived = shared.arrived.load(Ordering::SeqCst);
    let mut answered = shared.answered.lock().map(|all| all.clone()).unwrap_or_default();
    let mut left = shared.left.lock().map(|all| all.clone()).unwrap_or_default();
    Ok(json!({
        "accepted": accepted,
        "refused": shared.refused.load(Ordering::Relaxed),
        "arrived": arrived,
        "awaited": awaited,
        "seconds": ms(took) / 1e3,
        "handed_in_per_second": (accepted as f64 / handed_in.as_secs_f64()).round(),
        "rate": (arrived as f64 / took.as_secs_f64()).round(),
        "answer_p50_ms": share(&mut answered, 50),
        "answer_p99_ms": share(&mut answered, 99),
        "left_p50_ms": share(&mut left, 50),
        "left_p99_ms": share(&mut left, 99),
    }))
}

fn shared(wishes: &Wishes, messages: usize) -> Outcome<Shared> {
    let (to, trust, accounts) = match wishes.text("ready") {
        Ok(file) => {
            let ready: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let accounts = ready["accounts"].as_array().ok_or("no accounts")?.iter();
            let accounts = accounts.map(|one| Account {
                address: word(&one["address"]),
                secret: Some(word(&one["app_password_smtp"])),
            });
            let to = word(&ready["submissions"]).parse()?;
            (to, Some(trusting(&word(&ready["ca"]))?), accounts.collect())
        }
        Err(_) => {
            let port = u16::try_from(wishes.number_or("port", 25)?)?;
            let account = Account { address: "aoi@example.jp".to_owned(), secret: None };
            (SocketAddr::from((Ipv4Addr::LOCALHOST, port)), None, vec![account])
        }
    };
    let dead = wishes.text_or("dead", "no") == "yes";
    Ok(Shared {
        to,
        trust,
        accounts,
        messages,
        octets: wishes.number_or("octets", 4_096)?,
        destinations: wishes.number_or("destinations", 20)?.max(1) + usize::from(dead),
        dead,
        next: AtomicUsize::new(0),
        refused: AtomicUsize::new(0),
        begun: (0..messages).map(|_| Mutex::new(None)).collect(),
        to_all: wishes.text_or("to-all", "no") == "yes",
        answered: Mutex::default(),
        left: Mutex::default(),
        arrived: AtomicUsize::new(0),
    })
}

impl Shared {
    /// One session: signed in once, letter after letter.
    fn hand_in(&self, number: usize) -> Outcome<()> {
        let account = &self.accounts[number % self.accounts.len()];
        let mut line = match &self.trust {
            Some(trust) => Line::tls(self.to, trust)?,
            None => Line::plain(self.to)?,
        };
        expect(&mut line, b'2')?;
        say(&mut line, "EHLO client.example\r\n", b'2')?;
        if let Some(secret) = &account.secret {
            let words = format!("\0{}\0{secret}", account.address);
            let words = data_encoding::BASE64.encode(words.as_bytes());
            say(&mut line, &format!("AUTH PLAIN {words}\r\n"), b'2')?;
        }
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.messages {
                break;
            }
            let begin = Instant::now();
            if let Ok(mut begun) = self.begun[number].lock() {
                *begun = Some((begin, if self.to_all { self.destinations } else { 1 }));
            }
            match self.letter(&mut line, &account.address, number) {
                Ok(()) => self.answered.lock().map_err(|_| "poisoned")?.push(begin.elapsed()),
                Err(fault) => {
                    if self.refused.fetch_add(1, Ordering::Relaxed) < 5 {
                        eprintln!("load: {fault}");
                    }
                    say(&mut line, "RSET\r\n", b'2')?;
                }
            }
        }
        say(&mut line, "QUIT\r\n", b'2')
    }

    fn is_dead(&self, number: usize) -> bool {
        self.dead && number % self.destinations == self.destinations - 1
    }

    fn letter(&self, line: &mut Line, from: &str, number: usize) -> Outcome<()> {
        let to = match self.is_dead(number) {
            true => format!("friend{number}@dead.outside.example"),
            false => format!("friend{number}@d{}.outside.example", number % self.destinations),
        };
        say(line, &format!("MAIL FROM:<{from}>\r\n"), b'2')?;
        say(line, &format!("RCPT TO:<{to}>\r\n"), b'2')?;
        let others = if self.to_all { self.destinations } else { 1 };
        for other in (0..others).filter(|other| self.to_all && *other != number % self.destinations)
        {
            let to = format!("friend{number}@d{other}.outside.example");
            say(line, &format!("RCPT TO:<{to}>\r\n"), b'2')?;
        }
        say(line, "DATA\r\n", b'3')?;
        let mut text = format!(
            "From: <{from}>\r\nTo: <{to}>\r\nSubject: number {number}\r\n\
             Date: Sun, 29 Nov 2026 12:00:00 +0900\r\nMessage-ID: <{number}@client.example>\r\n\r\n"
        );
        while text.len() < self.octets {
            text.push_str("A line of text that somebody wrote to somebody, seventy octets.\r\n");
        }
        text.push_str(".\r\n");
        line.send(text.as_bytes())?;
        expect(line, b'2')
    }
}

fn say(line: &mut Line, command: &str, good: u8) -> Outcome<()> {
    line.send(command.as_bytes())?;
    expect(line, good)
}

fn expect(line: &mut Line, good: u8) -> Outcome<()> {
    let mut reply = Vec::new();
    loop {
        reply.clear();
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

fn open_sink(port: u16, shared: &Arc<Shared>) -> Outcome<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?;
    let shared = shared.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let shared = shared.clone();
            std::thread::spawn(move || drop(take(stream, &shared)));
        }
    });
    Ok(())
}

/// One connection of the outside world.
fn take(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    if stream.local_addr()?.ip() == DEAD {
        while stream.read(&mut [0; 512])? > 0 {}
        return Ok(());
    }
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::with_capacity(64 * 1024, stream);
    writer.write_all(b"220 sink ESMTP\r\n")?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply: &[u8] = match verb.as_slice() {
            b"EHLO" => b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 60000000\r\n",
            b"DATA" => {
                writer.write_all(b"354 go on\r\n")?;
                let number = text(&mut reader)?;
                writer.write_all(b"250 taken\r\n")?;
                note(shared, number);
                continue;
            }
            b"QUIT" => {
                writer.write_all(b"221 bye\r\n")?;
                return Ok(());
            }
            _ => b"250 ok\r\n",
        };
        // Several commands may stand in one packet: they are answered in one, too.
        writer.write_all(reply)?;
    }
}

fn note(shared: &Shared, number: Option<usize>) {
    let begun = number.and_then(|number| shared.begun.get(number));
    let Some(Ok(mut begun)) = begun.map(Mutex::lock) else { return };
    let Some((begin, left)) = begun.as_mut() else { return };
    *left -= 1;
    if *left == 0 {
        if let Ok(mut all) = shared.left.lock() {
            all.push(begin.elapsed());
        }
        *begun = None;
        shared.arrived.fetch_add(1, Ordering::SeqCst);
    }
}

/// Reads a text to its end; the number in its subject.
fn text(reader: &mut impl BufRead) -> std::io::Result<Option<usize>> {
    let mut number = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(number);
        }
        if number.is_none()
            && let Some(digits) = line.strip_prefix(b"Subject: number ")
        {
            number = std::str::from_utf8(digits).ok().and_then(|text| text.trim().parse().ok());
        }
    }
}
