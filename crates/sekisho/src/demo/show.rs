//! What is shown: letters judged, a mailbox read, the evidence of it, an intruder stopped.

use super::Stage;
use super::reading::Reader;
use super::sample::{Letter, letters};
use super::screen::{Tone, heading, is_japanese, say, step, tinted};
use crate::client;
use policy::Language;
use serde_json::Value;
use wire::admin::Request;

pub struct Show<'a> {
    pub stage: &'a Stage,
}

impl Show<'_> {
    pub fn everything(&self) {
        println!(
            "{}",
            say(
                "関所 — 二つの組織あての一日分のメールが、いま届きます。",
                "Sekisho (関所) — a day's mail for two organisations arrives now."
            )
        );
        self.arrivals();
        self.reading();
        self.evidence();
    }

    fn arrivals(&self) {
        heading(say("届く", "Arriving"));
        for letter in letters() {
            self.arrival(&letter);
        }
    }

    fn arrival(&self, letter: &Letter) {
        let from = if letter.mail_from.is_empty() { "<>" } else { letter.mail_from };
        println!("{} → {}  {}", from, letter.rcpt_to.join(", "), tinted(Tone::Quiet, letter.about));
        let sent = match self.stage.send(letter) {
            Ok(sent) => sent,
            Err(error) => return step("edge", Tone::Stopped, &error.to_string()),
        };
        let tone = if sent.accepted { Tone::Good } else { Tone::Stopped };
        step("edge", tone, &format!("{} {}", sent.code, sent.reply));
        for journey in self.journeys(letter) {
            self.judgement(&journey);
        }
    }

    /// What the service itself says of this letter, found as an operator would find it.
    fn journeys(&self, letter: &Letter) -> Vec<Value> {
        let text = String::from_utf8_lossy(&letter.octets);
        let id = text.lines().find_map(|line| line.strip_prefix("Message-ID: "));
        let Some(query) = id.map(str::to_owned) else { return Vec::new() };
        let answer = client::value(&self.stage.wishes.data, &Request::Trace { query });
        let items = answer.ok().and_then(|value| value.get("items")?.as_array().cloned());
        items.unwrap_or_default()
    }

    fn judgement(&self, journey: &Value) {
        let word = |name: &str| journey.get(name).and_then(Value::as_str).unwrap_or_default();
        let verdict = word("verdict");
        let tone = match verdict {
            "deliver" => Tone::Good,
            "tag" | "junk" => Tone::Watch,
            _ => Tone::Stopped,
        };
        step("policy", tone, verdict);
        let language = if is_japanese() { Language::Japanese } else { Language::English };
        let reasons = journey.get("reasons").and_then(Value::as_array);
        for id in reasons.into_iter().flatten().filter_map(Value::as_str) {
            step("", Tone::Quiet, &format!("{}  ({id})", policy::why(id, language, "")));
        }
    }

    fn reading(&self) {
        heading(say("読む", "Reading"));
        if let Err(error) = self.read_one_mailbox() {
            step("access", Tone::Stopped, &error.to_string());
        }
    }

    fn read_one_mailbox(&self) -> Result<(), Box<dyn std::error::Error>> {
        let Some(account) = self.stage.accounts.first() else { return Ok(()) };
        let mut reader = Reader::connect(self.stage.ports.imaps(), &self.stage.authority())?;
        let login = format!("LOGIN {} {}", account.address, account.app_password);
        let (_, answer) = reader.say(&login)?;
        step("access", Tone::Plain, &format!("LOGIN {}: {answer}", account.address));
        let (_, answer) = reader.say("SELECT INBOX")?;
        step("access", Tone::Plain, &format!("SELECT INBOX: {answer}"));
        for seen in reader.list()? {
            step("", Tone::Plain, &format!("{}  {}", seen.from, tinted(Tone::Good, &seen.subject)));
        }
        reader.say("LOGOUT")?;
        Ok(())
    }

    fn evidence(&self) {
        heading(say("その証拠", "The evidence of it"));
        for line in crate::commands::newest_entries(&self.stage.wishes.data, 12) {
            step("ledger", Tone::Quiet, &line);
        }
    }

    pub fn how_to_connect(&self) {
        let stage = self.stage;
        heading(say("つなぎかた", "How to connect"));
        println!("  SMTP   {}   (no TLS needed on loopback; STARTTLS offered)", stage.ports.smtp());
        println!("  IMAPS  {}   server name mail.localhost", stage.ports.imaps());
        println!("  POP3S  {}", stage.ports.pop3s());
        println!("  DNS    {}", stage.ports.dns());
        println!("  CA     {}", stage.authority_file());
        println!("  data   {}\n", stage.wishes.data.display());
        for account in &stage.accounts {
            println!("  {:20} {}", account.address, account.app_password);
        }
        println!("\n{}", say("止めるには Ctrl-C を押してください。", "Press Ctrl-C to stop."));
    }
}
