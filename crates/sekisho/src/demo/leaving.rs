//! Somebody writes: three letters leave, and what became of each is shown.

use super::Stage;
use super::reading::{Reader, Tls, tls};
use super::screen::{Tone, because, breathe, heading, say, step, tinted};
use crate::client;
use data_encoding::BASE64;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::time::{Duration, Instant};
use wire::admin::Request;

/// A letter leaves within a second on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(100);

struct Letter {
    to: &'static [&'static str],
    subject: &'static str,
    header: &'static str,
    text: &'static str,
}

const LETTERS: &[Letter] = &[
    Letter {
        to: &["tanaka@outside.example", "hidden@outside.example"],
        subject: "お見積りの件",
        header: "To: tanaka@outside.example\r\nBcc: hidden@outside.example\r\n",
        text: "田中様\r\n\r\nお見積りをお送りします。\r\n",
    },
    Letter {
        to: &["bob@example.net"],
        subject: "Lunch on Friday?",
        header: "To: bob@example.net\r\n",
        text: "Same place, at noon?\r\n",
    },
    Letter {
        to: &["nobody@outside.example"],
        subject: "To somebody who left",
        header: "To: nobody@outside.example\r\n",
        text: "Are you still there?\r\n",
    },
];

pub(super) fn play(stage: &Stage) {
    heading(say("出す", "Leaving"));
    if let Err(error) = write(stage) {
        step("access", Tone::Stopped, &error.to_string());
    }
}

fn write(stage: &Stage) -> Result<(), Box<dyn std::error::Error>> {
    let Some(account) = stage.accounts.first() else { return Ok(()) };
    let authority = stage.authority();
    let stream = tls(stage.ports.submissions(), "mail.localhost", &authority)?;
    let mut line = Line::open(stream)?;
    let secret = format!("\0{}\0{}", account.address, account.smtp_password);
    let reply = line.say(&format!("AUTH PLAIN {}", BASE64.encode(secret.as_bytes())))?;
    step("access", Tone::Plain, &format!("AUTH {}  {reply}", account.address));
    for letter in LETTERS {
        let reply = line.letter(account.address, letter)?;
        let route = format!("{} → {}", account.address, letter.to.join(", "));
        step("dispatch", Tone::Plain, &format!("{route}  {reply}"));
        let state = fate(stage, letter.subject);
        let tone = if state == "sent" { Tone::Good } else { Tone::Watch };
        step("depart", tone, &format!("{}  {}", letter.subject, word_for(&state)));
        breathe();
    }
    line.say("QUIT")?;
    for came in stage.outside.take() {
        let text = String::from_utf8_lossy(&came.text).into_owned();
        let signed = text.matches("DKIM-Signature:").count();
        let blind = text.to_ascii_lowercase().contains("\r\nbcc:");
        let said = format!("{} → {}  {} B", came.from, came.to.join(", "), came.octets);
        step("outside", Tone::Plain, &said);
        let signatures = say("DKIM 署名", "DKIM signatures");
        let bcc = match blind {
            true => say("Bcc が残っています", "Bcc is still in it"),
            false => say("Bcc は消えています", "no trace of Bcc"),
        };
        because(&format!("{signed} {signatures} · {bcc}"));
    }
    let mut reader = Reader::connect(stage.ports.imaps(), &authority)?;
    reader.say(&format!("LOGIN {} {}", account.address, account.app_password))?;
    reader.say("SELECT INBOX")?;
    if let Some(notice) = reader.list()?.pop() {
        let subject = tinted(Tone::Watch, &notice.subject);
        step("access", Tone::Plain, &format!("{}  {subject}", notice.from));
    }
    reader.say("LOGOUT")?;
    Ok(())
}

/// What `trace` says of it, once nothing more is to come.
fn fate(stage: &Stage, subject: &str) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let query = subject.to_owned();
        let found = client::value(&stage.wishes.data, &Request::Trace { query }).ok();
        let items = found.as_ref().and_then(|found| found.get("items")?.as_array());
        let state = items.into_iter().flatten().find_map(|item| {
            let is_out = item.get("direction").and_then(Value::as_str) == Some("out");
            is_out.then(|| item.get("state")?.as_str().map(str::to_owned)).flatten()
        });
        let state = state.unwrap_or_default();
        if matches!(state.as_str(), "sent" | "not-sent" | "delayed") || Instant::now() >= until {
            return state;
        }
        std::thread::sleep(LOOK);
    }
}

fn word_for(state: &str) -> &str {
    match state {
        "sent" => say("届けました", "sent"),
        "not-sent" => say("届きませんでした。差出人に知らせます", "not sent; the sender is told"),
        "delayed" => say("あとでもう一度", "to be tried again"),
        other => other,
    }
}

/// A session of a client, a line at a time.
pub struct Line(BufReader<Tls>);

impl Line {
    /// Connected, greeted and greeting.
    pub fn open(stream: Tls) -> std::io::Result<Self> {
        let mut line = Self(BufReader::new(stream));
        line.reply()?;
        line.say("EHLO laptop.example.jp")?;
        Ok(line)
    }

    pub fn say(&mut self, command: &str) -> std::io::Result<String> {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes())?;
        self.reply()
    }

    fn reply(&mut self) -> std::io::Result<String> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line.trim_end().to_owned());
            }
        }
    }

    fn letter(&mut self, from: &str, letter: &Letter) -> std::io::Result<String> {
        self.say(&format!("MAIL FROM:<{from}>"))?;
        for to in letter.to {
            self.say(&format!("RCPT TO:<{to}>"))?;
        }
        let reply = self.say("DATA")?;
        if !reply.starts_with('3') {
            return Ok(reply);
        }
        let subject = BASE64.encode(letter.subject.as_bytes());
        let text = format!(
            "From: {from}\r\n{}Subject: =?utf-8?B?{subject}?=\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{}.",
            letter.header, letter.text
        );
        self.say(&text)
    }
}
