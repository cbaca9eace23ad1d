//! `sekisho soak`: a house of its own under the load of an ordinary day. Every incident is a false
//! one, for nobody attacks; the sentinel's share of the processor is measured beside.

use crate::arguments::Arguments;
use crate::client;
use crate::demo::accounts::{self, Account};
use crate::demo::reading::Reader;
use crate::demo::sample::{Letter, Manner};
use crate::demo::senders::Senders;
use crate::demo::{self, Ports, post};
use crate::outcome::{Answer, Outcome, Trouble};
use crate::trial::stage::Set;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use terms::{InstanceId, Kind};
use warden::Happening;
use wire::admin::Request;

/// An hour, as the issue asks.
const MINUTES: u64 = 60;
/// A week.
const MOST_MINUTES: u64 = 7 * 24 * 60;
/// Senders at once: what two cores can feed.
const SENDERS: u64 = 3;
/// Of a thousand connections so many end before any message (see `docs`: measured traffic).
const FRUITLESS: u64 = 550;
/// After so many connections of a sender a person reads for a while.
const READ_EVERY: u64 = 25;
const PATIENCE: Duration = Duration::from_secs(30);
/// A kernel's tick, as `/proc` counts them.
const TICK_MS: u64 = 10;

pub fn run(mut arguments: Arguments) -> Answer {
    let minutes = arguments.parsed("--minutes", "minutes")?.unwrap_or(MINUTES);
    arguments.finish()?;
    if !(1..=MOST_MINUTES).contains(&minutes) {
        let hint = "an hour if it is left away";
        return Err(Trouble::wrong_use("1 to 10080 minutes", minutes.to_string(), hint));
    }
    let set = Set::open(None)?;
    let found = perform(&set, minutes);
    set.clear();
    let found = found?;
    let is_quiet = found.get("false_alarms").and_then(Value::as_u64) == Some(0);
    Ok(if is_quiet { Outcome::Done(found) } else { Outcome::Wanting(found) })
}

/// Starts the house, loads it, stops it.
fn perform(set: &Set, minutes: u64) -> Result<Value, Trouble> {
    let senders = Senders::new(&set.credential);
    let zones = senders.zones().map_err(|e| Trouble::fault(e.to_string(), "report this"))?;
    let (tell, told) = channel();
    let mut plan = demo::plan(&set.data, set.ports, zones, &set.credential, tell.clone())?;
    let (give, result) = channel();
    let house = House { data: set.data.clone(), ports: set.ports, credential: set.credential };
    let mut waiting = Some((house, told));
    plan.tell = Box::new(move |happening| {
        let _ = tell.send(happening.clone());
        if matches!(happening, Happening::Ready)
            && let Some((house, told)) = waiting.take()
        {
            let give = give.clone();
            std::thread::spawn(move || {
                let _ = give.send(house.soak(&told, Duration::from_secs(minutes * 60)));
                // The warden takes its own TERM as it would an operator's.
                let own = rustix::process::getpid();
                let _ = rustix::process::kill_process(own, rustix::process::Signal::TERM);
            });
        }
    });
    let _ = warden::run(plan);
    let none = |_| Trouble::fault("the soak's house did not stand", "see `sekisho doctor`");
    result.try_recv().map_err(none)?
}

struct House {
    data: std::path::PathBuf,
    ports: Ports,
    credential: [u8; 32],
}

/// What was done.
#[derive(Default)]
struct Done {
    connections: AtomicU64,
    delivered: AtomicU64,
    sessions: AtomicU64,
    failures: AtomicU64,
}

impl House {
    fn soak(&self, told: &Receiver<Happening>, length: Duration) -> Result<Value, Trouble> {
        let accounts = accounts::settle(&self.data, &self.credential)?;
        let authority = client::value(&self.data, &Request::Authority)?;
        let authority = authority.get("ca").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut seen = Seen::default();
        told.try_iter().for_each(|happening| seen.note(happening));
        let before = seen.processor();
        let events_before = self.events();
        let (done, began) = (Done::default(), Instant::now());
        let told = Mutex::new(told);
        std::thread::scope(|scope| {
            for sender in 0..SENDERS {
                let (done, accounts, authority) = (&done, &accounts, &authority);
                scope.spawn(move || {
                    self.send_for(sender + 1, began + length, (done, accounts, authority));
                });
            }
            while began.elapsed() < length {
                std::thread::sleep(Duration::from_millis(200));
                if let Ok(told) = told.lock() {
                    told.try_iter().for_each(|happening| seen.note(happening));
                }
            }
        });
        // What was folded, or is still on its way, is told within moments.
        std::thread::sleep(Duration::from_secs(2));
        if let Ok(told) = told.lock() {
            told.try_iter().for_each(|happening| seen.note(happening));
        }
        let events = self.events().saturating_sub(events_before);
        Ok(report(&seen, &before, &done, events, began.elapsed()))
    }

    /// What the sentinel has weighed.
    fn events(&self) -> u64 {
        let status = client::value(&self.data, &Request::Status).ok();
        let events = status.and_then(|status| status.get("sentinel")?.get("events")?.as_u64());
        events.unwrap_or(0)
    }

    /// One sender's day: connections that come to nothing, letters, and a reader now and then.
    fn send_for(
        &self,
        seed: u64,
        until: Instant,
        (done, accounts, authority): (&Done, &[Account], &str),
    ) {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut round = 0u64;
        while Instant::now() < until {
            round += 1;
            done.connections.fetch_add(1, Ordering::Relaxed);
            let went_well = match chance.below(1_000) < FRUITLESS {
                true => fruitless(self.ports, &mut chance).is_ok(),
                false => self.deliver(&mut chance, accounts, done),
            };
            if !went_well {
                done.failures.fetch_add(1, Ordering::Relaxed);
            }
            if round.is_multiple_of(READ_EVERY) {
                let place = chance.below(accounts.len() as u64) as usize;
                let reads = accounts.get(place).map(|who| self.read(who, authority));
                match reads {
                    Some(Ok(())) => done.sessions.fetch_add(1, Ordering::Relaxed),
                    _ => done.failures.fetch_add(1, Ordering::Relaxed),
                };
            }
        }
    }

    fn deliver(&self, chance: &mut Chance, accounts: &[Account], done: &Done) -> bool {
        let place = chance.below(accounts.len().max(1) as u64) as usize;
        let Some(to) = accounts.get(place).map(|account| account.address) else { return false };
        let letter = Letter {
            about: "a soak's letter",
            helo: "mail.sender.example",
            mail_from: "day@sender.example",
            rcpt_to: vec![to],
            octets: letter(chance, to),
            signed_by: None,
            manner: Manner::Proper,
        };
        match post::send(self.ports.smtp(), &letter, &letter.octets) {
            Ok(sent) => {
                done.delivered.fetch_add(u64::from(sent.accepted), Ordering::Relaxed);
                sent.accepted
            }
            Err(_) => false,
        }
    }

    fn read(&self, who: &Account, authority: &str) -> Result<(), Box<dyn std::error::Error>> {
        let mut reader = Reader::connect(self.ports.imaps(), authority)?;
        reader.say(&format!("LOGIN {} {}", who.address, who.app_password))?;
        reader.say("SELECT INBOX")?;
        reader.say("FETCH *:* (ENVELOPE BODY.PEEK[])")?;
        reader.say("LOGOUT")?;
        Ok(())
    }
}

/// Sizes as measured: a median of 21 kB, nine in ten under 63 kB, one in a hundred near 1 MB.
fn letter(chance: &mut Chance, to: &str) -> Vec<u8> {
    let size = match chance.below(100) {
        0 => 1_000_000,
        1..10 => 60_000 + chance.below(60_000),
        10..50 => 21_000 + chance.below(40_000),
        _ => 2_000 + chance.below(19_000),
    };
    let mut text = format!(
        "From: <day@sender.example>\r\nTo: <{to}>\r\nSubject: day {:x}\r\n\
         Message-ID: <{:x}@sender.example>\r\nDate: Sun, 22 Nov 2026 04:00:00 +0000\r\n\r\n",
        chance.next(),
        chance.next(),
    );
    while (text.len() as u64) < size {
        text.push_str(&format!("an ordinary line of {:016x} 朝の定例の件\r\n", chance.next()));
    }
    text.into_bytes()
}

/// A connection that ends before any message: a recipient whom nobody knows, or nothing at all.
fn fruitless(ports: Ports, chance: &mut Chance) -> std::io::Result<()> {
    let stream = TcpStream::connect(ports.smtp())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    let commands = match chance.below(3) {
        0 => vec!["HELO -bad-".to_owned()],
        1 => vec!["EHLO mail.sender.example".to_owned()],
        _ => vec![
            "EHLO mail.sender.example".to_owned(),
            "MAIL FROM:<day@sender.example>".to_owned(),
            format!("RCPT TO:<nobody-{:x}@example.jp>", chance.next()),
        ],
    };
    let mut line = String::new();
    reader.read_line(&mut line)?;
    for command in commands.into_iter().chain(["QUIT".to_owned()]) {
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 || line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
    }
    Ok(())
}

/// Seeded: the same day each time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}

/// What the warden told.
#[derive(Default)]
struct Seen {
    alive: Vec<(InstanceId, Kind, u32)>,
    incidents: Vec<Value>,
    alarms: Vec<String>,
}

/// Milliseconds of the processor.
#[derive(Default)]
struct Processor {
    sentinel_ms: u64,
    house_ms: u64,
    /// The warden's own threads: its loop, its ears, its eyes.
    warden_ms: u64,
}

impl Seen {
    fn note(&mut self, happening: Happening) {
        match happening {
            Happening::Born { instance, kind, pid, .. } => self.alive.push((instance, kind, pid)),
            Happening::Ended { instance, .. } => self.alive.retain(|(own, _, _)| *own != instance),
            Happening::Incident(incident) => self.incidents.push(json!({
                "cause": incident.cause, "what": incident.what, "count": incident.count,
                "component": incident.kind.map(Kind::word),
            })),
            Happening::Alarm { kind, call, what, .. } => {
                self.alarms.push(format!("{}: {call} {what}", kind.word()));
            }
            _ => {}
        }
    }

    /// Instances that ended are counted by the zygote that collected them.
    fn processor(&self) -> Processor {
        let mut found = Processor::default();
        for (_, kind, pid) in &self.alive {
            let spent = spent_ms(Path::new(&format!("/proc/{pid}/stat")), true);
            found.house_ms += spent;
            if *kind == Kind::Sentinel {
                found.sentinel_ms += spent;
            }
        }
        let own = std::process::id();
        for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
            let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            let is_main = task.file_name().to_string_lossy() == own.to_string();
            if is_main || matches!(name.trim(), "ears" | "eyes") {
                found.warden_ms += spent_ms(&task.path().join("stat"), false);
            }
        }
        found
    }
}

/// User and system time of a process (with its collected children), or of a thread.
fn spent_ms(stat: &Path, with_children: bool) -> u64 {
    let text = std::fs::read_to_string(stat).unwrap_or_default();
    let words: Vec<u64> = text
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(11)
        .take(if with_children { 4 } else { 2 })
        .filter_map(|word| word.parse().ok())
        .collect();
    words.iter().sum::<u64>() * TICK_MS
}

fn report(seen: &Seen, before: &Processor, done: &Done, events: u64, length: Duration) -> Value {
    let after = seen.processor();
    let sentinel_ms = after.sentinel_ms.saturating_sub(before.sentinel_ms);
    let warden_ms = after.warden_ms.saturating_sub(before.warden_ms);
    let house_ms = after.house_ms.saturating_sub(before.house_ms) + warden_ms;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let machine_ms = length.as_millis() as u64 * cores as u64;
    let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
    let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
    json!({
        "seconds": length.as_secs(),
        "connections": count(&done.connections),
        "delivered": count(&done.delivered),
        "sessions": count(&done.sessions),
        "failures": count(&done.failures),
        "false_alarms": seen.incidents.len() + seen.alarms.len(),
        "incidents": seen.incidents,
        "alarms": seen.alarms,
        "sentinel": {
            "cpu_ms": sentinel_ms,
            "percent_of_house": percent(sentinel_ms, house_ms),
            "percent_of_machine": percent(sentinel_ms, machine_ms),
            "events": events,
            "us_per_event": 1_000.0 * sentinel_ms as f64 / events.max(1) as f64,
        },
        "warden_cpu_ms": warden_ms,
        "house_cpu_ms": house_ms,
    })
}
