//! `sekisho scan`: the scanner's own code in the scanner's own jail, over files. What the service
//! refuses before it judges is refused here too; the exit code is 0 whatever the verdicts.

use crate::arguments::Arguments;
use crate::demo::screen::is_japanese;
use crate::lone::{self, Lone};
use crate::outcome::{Answer, Outcome, Trouble};
use crate::printing;
use policy::{HouseRules, Language};
use serde_json::{Value, json};
use smtp::Oddity;
use std::fs;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use terms::{HOPS, Kind, MESSAGE_BYTES, SMTP_TEXT_LINE_BYTES};
use warden::{Worker, Workshop};
use wire::control::Start;
use wire::names::Answer as DnsAnswer;
use wire::scanner::{Examined, FromScanner, Header, Sender, Task, ToScanner};
use wire::{INLINE_BYTES, Parcel};

/// What one message may take before its worker is killed, as in the service.
const EXAMINE_LIMIT: Duration = Duration::from_secs(30);
const NAMES_LIMIT: Duration = Duration::from_secs(10);
/// Messages for one worker; the worker itself leaves after as many.
const MESSAGES: usize = scanner::MESSAGES;
/// Files named on one command line, folders followed.
const FILES: usize = 10_000_000;

struct Wishes {
    sender: Option<Sender>,
    as_json: bool,
}

pub fn run(mut arguments: Arguments, as_json: bool) -> Answer {
    let wishes = Wishes { sender: sender(&mut arguments)?, as_json };
    let _ = arguments.option("--rcpt-to")?; // the verdict of `scan` is the house's, for everybody
    let mut files = Vec::new();
    while let Ok(word) = arguments.word("a file") {
        gather(Path::new(&word), &mut files)?;
    }
    arguments.finish()?;
    if files.is_empty() {
        let hint = "sekisho scan FILE|DIR…";
        return Err(Trouble::wrong_use("files or folders", "no file", hint));
    }
    let mut scan = Scan::new(wishes)?;
    for file in files {
        scan.one(&file)?;
    }
    Ok(Outcome::Told(0))
}

fn sender(arguments: &mut Arguments) -> Result<Option<Sender>, Trouble> {
    let client: Option<IpAddr> = arguments.parsed("--client-ip", "an IP address")?;
    let helo = arguments.option("--helo")?;
    let mail_from = arguments.option("--mail-from")?;
    match arguments.option("--auth")?.as_deref() {
        None | Some("none") => Ok(None),
        Some("dns") => Ok(Some(Sender {
            client_ip: client.unwrap_or(IpAddr::from([127, 0, 0, 1])),
            helo: helo.unwrap_or_else(|| "localhost".to_owned()),
            mail_from: mail_from.unwrap_or_default(),
        })),
        Some(other) => Err(Trouble::wrong_use("dns or none", other, "--auth dns|none")),
    }
}

fn gather(path: &Path, into: &mut Vec<PathBuf>) -> Result<(), Trouble> {
    let fault = |error: std::io::Error| {
        let what = format!("{}: {error}", path.display());
        Trouble::fault(what, "name files or folders that you may read")
    };
    if fs::metadata(path).map_err(fault)?.is_file() {
        into.push(path.to_owned());
        return Ok(());
    }
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(&folder).map_err(fault)?.flatten().map(|entry| entry.path()).collect();
        entries.sort();
        for entry in entries {
            match fs::symlink_metadata(&entry) {
                Ok(found) if found.is_dir() => folders.push(entry),
                Ok(found) if found.is_file() && into.len() < FILES => into.push(entry),
                _ => {}
            }
        }
    }
    Ok(())
}

struct Scan {
    wishes: Wishes,
    workshop: Workshop,
    worker: Option<(Worker, usize)>,
    names: Option<Lone>,
}

/// Why a message was not examined.
enum Lost {
    /// The worker died or was silent.
    Worker,
    Other(Trouble),
}

impl Scan {
    fn new(wishes: Wishes) -> Result<Self, Trouble> {
        let names = match wishes.sender {
            Some(_) => Some(lone::keeper(Kind::Names, Vec::new())?),
            None => None,
        };
        let start = Start { host_name: "localhost".to_owned(), ..Start::default() };
        let workshop = Workshop::open(Kind::Scanner, start).map_err(no_worker)?;
        Ok(Self { wishes, workshop, worker: None, names })
    }

    fn one(&mut self, file: &Path) -> Result<(), Trouble> {
        let began = Instant::now();
        let mut value = match read(file) {
            Ok(message) => as_at_the_door(&message, self.judge(&message)?),
            Err(unread) => unread.told(),
        };
        if let Some(object) = value.as_object_mut() {
            object.insert("file".to_owned(), json!(file));
            let ms = began.elapsed().as_secs_f64() * 1000.0;
            object.insert("ms".to_owned(), json!((ms * 1000.0).round() / 1000.0));
        }
        self.tell(&value);
        Ok(())
    }

    /// As the service does: a message that kills two workers is set aside.
    fn judge(&mut self, message: &[u8]) -> Result<Value, Trouble> {
        for _ in 0..2 {
            match self.examine(message) {
                Ok(examined) => {
                    let refused = examined.header.as_ref().and_then(refused_for_header);
                    return Ok(refused_at_once(shown(&examined), refused, ""));
                }
                Err(Lost::Worker) => self.worker = None,
                Err(Lost::Other(trouble)) => return Err(trouble),
            }
        }
        let refused = self.workshop.refused();
        let calls: Vec<&str> = refused.iter().map(|refused| refused.call).collect();
        let mut value = unexamined("quarantine", "scanner.killed", "");
        super::insert(&mut value, "alarms", json!(calls));
        Ok(value)
    }

    fn examine(&mut self, message: &[u8]) -> Result<Examined, Lost> {
        let fault = |fault: wire::Fault| {
            Lost::Other(Trouble::fault(fault.to_string(), "`sekisho doctor` may know why"))
        };
        let mut held = Vec::new();
        let message = Parcel::pack(message.to_vec(), INLINE_BYTES, &mut held).map_err(fault)?;
        let sender = self.wishes.sender.clone();
        let host_name = "localhost".to_owned();
        let task = ToScanner::Examine(Task { sender, host_name, message });
        let worker = self.worker().map_err(Lost::Other)?;
        let call = worker.channel.next_call();
        worker.channel.send(call, &task, &held).map_err(|_| Lost::Worker)?;
        drop::<Vec<OwnedFd>>(held);
        self.hear_out()
    }

    /// Until the answer comes, questions to the DNS are passed on.
    fn hear_out(&mut self) -> Result<Examined, Lost> {
        let until = Instant::now() + EXAMINE_LIMIT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Some((worker, _)) = &mut self.worker else { return Err(Lost::Worker) };
            let frame = worker.channel.receive(Some(left)).map_err(|_| Lost::Worker)?;
            match frame.read() {
                Ok(FromScanner::Examined(examined)) => return Ok(*examined),
                Ok(FromScanner::Question(question)) => {
                    let Some(names) = &mut self.names else { return Err(Lost::Worker) };
                    let answer: Result<(DnsAnswer, _), _> =
                        names.channel.ask(&question, &[], NAMES_LIMIT);
                    let answer = answer.map_or_else(|_| failed(), |(answer, _)| answer);
                    let answer = ToScanner::Answer(answer);
                    worker.channel.send(frame.call, &answer, &[]).map_err(|_| Lost::Worker)?;
                }
                Err(_) => return Err(Lost::Worker),
            }
        }
    }

    fn worker(&mut self) -> Result<&mut Worker, Trouble> {
        if self.worker.as_ref().is_none_or(|(_, served)| *served >= MESSAGES) {
            self.worker = Some((self.workshop.worker(Kind::Edge).map_err(no_worker)?, 0));
        }
        match &mut self.worker {
            Some((worker, served)) => {
                *served += 1;
                Ok(worker)
            }
            None => Err(Trouble::fault("no worker", "try again")),
        }
    }

    fn tell(&self, value: &Value) {
        match self.wishes.as_json {
            true => println!("{}", printing::json(value)),
            false => println!("{}", readable(value)),
        }
    }
}

fn no_worker(fault: warden::Fault) -> Trouble {
    Trouble::fault(fault.to_string(), "`sekisho doctor` says which walls this machine grants")
}

fn failed() -> DnsAnswer {
    DnsAnswer {
        outcome: wire::names::Outcome::Failed,
        security: wire::names::Security::Insecure,
        ttl_seconds: 0,
    }
}

/// A file that is not looked into.
enum Unread {
    /// The service refuses such a message before it is whole (552).
    Large {
        octets: u64,
    },
    Fault(std::io::Error),
}

impl Unread {
    /// `error` is the same in a program's words.
    fn told(self) -> Value {
        let (verdict, id, detail, error) = match self {
            Self::Large { octets } => {
                let error = format!("expected at most {MESSAGE_BYTES} octets, found {octets}");
                ("refuse", "message.large", format!("{octets} > {MESSAGE_BYTES}"), error)
            }
            Self::Fault(error) => ("defer", "message.unread", error.to_string(), error.to_string()),
        };
        let mut value = unexamined(verdict, id, &detail);
        super::insert(&mut value, "error", json!(error));
        value
    }
}

/// What became of a message that no scanner saw to its end, and why.
fn unexamined(verdict: &str, id: &str, detail: &str) -> Value {
    let [why, why_ja] =
        [Language::English, Language::Japanese].map(|language| policy::why(id, language, detail));
    json!({
        "verdict": verdict,
        "score": 0.0,
        "parts": 0,
        "findings": [{ "id": id, "weight": 0.0, "why": why, "why_ja": why_ja }],
    })
}

fn read(file: &Path) -> Result<Vec<u8>, Unread> {
    let octets = fs::metadata(file).map_err(Unread::Fault)?.len();
    if octets > MESSAGE_BYTES as u64 {
        return Err(Unread::Large { octets });
    }
    fs::read(file).map_err(Unread::Fault)
}

/// What the service says before anybody judges is said here too, beside what was found.
fn as_at_the_door(message: &[u8], judged: Value) -> Value {
    let (id, detail) = match smtp::oddity_in_file(message, SMTP_TEXT_LINE_BYTES) {
        Some(Oddity::LongLine) => {
            let detail = format!("{} > {SMTP_TEXT_LINE_BYTES}", longest_line(message));
            (Some("message.line.long"), detail)
        }
        Some(Oddity::Nul) => (Some("message.nul"), String::new()),
        Some(Oddity::Continues) => (Some("message.continues"), String::new()),
        // Whoever sends a file ends its lines.
        Some(Oddity::BareCr | Oddity::BareLf) | None => (None, String::new()),
    };
    refused_at_once(judged, id, &detail)
}

/// As in `edge`, in its order.
fn refused_for_header(header: &Header) -> Option<&'static str> {
    match header {
        header if header.is_overlong => Some("message.header.long"),
        header if header.received > HOPS => Some("message.hops.many"),
        _ => None,
    }
}

/// The verdict becomes the service's answer; the reason for it stands first.
fn refused_at_once(mut judged: Value, id: Option<&str>, detail: &str) -> Value {
    let Some(id) = id else { return judged };
    let refused = unexamined("refuse", id, detail);
    let findings = |value: &Value| {
        value.get("findings").and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let all = [findings(&refused), findings(&judged)].concat();
    super::insert(&mut judged, "findings", json!(all));
    super::insert(&mut judged, "verdict", json!("refuse"));
    judged
}

/// Octets with the CRLF, under which a file's line goes over the wire whatever ends it here.
fn longest_line(message: &[u8]) -> usize {
    let text = |line: &[u8]| line.strip_suffix(b"\r").unwrap_or(line).len();
    message.split(|octet| *octet == b'\n').map(text).max().unwrap_or(0) + 2
}

fn shown(examined: &Examined) -> Value {
    let judged = scanner::judged(examined, &HouseRules::default());
    let findings: Vec<Value> = judged
        .reasons
        .iter()
        .map(|finding| {
            json!({
                "id": finding.id,
                "weight": finding.weight,
                "why": policy::why(&finding.id, Language::English, &finding.detail),
                "why_ja": policy::why(&finding.id, Language::Japanese, &finding.detail),
            })
        })
        .collect();
    json!({
        "verdict": judged.verdict.word(),
        "score": judged.score,
        "findings": findings,
        "parts": examined.parts,
    })
}

fn readable(value: &Value) -> String {
    let why = if is_japanese() { "why_ja" } else { "why" };
    let word = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut text = format!("{:10} {}", word("verdict"), word("file"));
    let findings = value.get("findings").and_then(Value::as_array);
    for finding in findings.into_iter().flatten() {
        let why = finding.get(why).and_then(Value::as_str).unwrap_or_default();
        let id = finding.get("id").and_then(Value::as_str).unwrap_or_default();
        text.push_str(&format!("\n           {why}  ({id})"));
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Header, as_at_the_door, read, refused_at_once, refused_for_header};
    use serde_json::json;
    use terms::{HOPS, SMTP_TEXT_LINE_BYTES};

    /// What `smtp` and `edge` refuse unjudged, at the same octet.
    #[test]
    fn a_file_is_judged_as_the_service_would_answer() {
        let judged = || json!({ "verdict": "deliver", "findings": [{ "id": "x" }] });
        let of = |octets: usize, end: &str| {
            let message = format!("a: b\r\n\r\n{}{end}c", "x".repeat(octets - 2));
            as_at_the_door(message.as_bytes(), judged())
        };
        for end in ["\n", "\r\n"] {
            assert_eq!(of(SMTP_TEXT_LINE_BYTES, end), judged());
            let refused = of(SMTP_TEXT_LINE_BYTES + 1, end);
            assert_eq!(refused["verdict"], "refuse", "{refused}");
            assert_eq!(refused["findings"][0]["id"], "message.line.long");
            assert_eq!(refused["findings"][1]["id"], "x", "what was found is told, too");
        }
        for (message, id) in [
            (" a: b\r\n\r\nc", "message.continues"),
            ("\ta: b\n\nc", "message.continues"),
            ("a: b\n\nc\0", "message.nul"),
        ] {
            let refused = as_at_the_door(message.as_bytes(), judged());
            let told = (&refused["verdict"], &refused["findings"][0]["id"]);
            assert_eq!(told, (&"refuse".into(), &id.into()));
        }
        assert_eq!(as_at_the_door(b"\r\n a: b\n\n", judged()), judged());
        let long = Header { is_overlong: true, received: HOPS + 1, ..Header::default() };
        let around = Header { received: HOPS + 1, ..Header::default() };
        let fit = Header { received: HOPS, ..Header::default() };
        let told = [&long, &around, &fit].map(refused_for_header);
        assert_eq!(told, [Some("message.header.long"), Some("message.hops.many"), None]);
        let refused = refused_at_once(judged(), told[0], "");
        assert!(refused["findings"][0]["why_ja"].as_str().unwrap().contains("554"), "{refused}");
    }

    #[test]
    fn what_is_too_large_is_refused_with_a_reason() {
        let path = std::env::temp_dir().join(format!("sekisho-large-{}", std::process::id()));
        std::fs::File::create(&path).unwrap().set_len(60 << 20).unwrap();
        let value = read(&path).err().unwrap().told();
        assert_eq!(value["verdict"], "refuse");
        let finding = &value["findings"][0];
        assert_eq!(finding["id"], "message.large");
        assert!(finding["why"].as_str().unwrap().contains("62914560"), "{finding}");
        assert!(finding["why_ja"].as_str().unwrap().contains("大きすぎます"), "{finding}");
        std::fs::remove_file(&path).unwrap();
        let gone = read(&path).err().unwrap().told();
        assert_eq!(
            (&gone["verdict"], &gone["findings"][0]["id"]),
            (&"defer".into(), &"message.unread".into())
        );
    }
}
