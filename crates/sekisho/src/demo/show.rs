//! What is shown: letters judged, a mailbox read, the evidence of it, an intruder stopped.

use super::Stage;
use super::reading::Reader;
use super::sample::{Letter, letters};
use super::screen::{Tone, because, breathe, heading, is_japanese, outcome, say, step, tinted};
use super::words;
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
        super::leaving::play(self.stage);
        self.evidence();
        super::attack::play(self.stage);
    }

    fn arrivals(&self) {
        heading(say("届く", "Arriving"));
        for letter in letters() {
            self.arrival(&letter);
        }
    }

    /// One letter: what became of it for each recipient, and why.
    fn arrival(&self, letter: &Letter) {
        let from = if letter.mail_from.is_empty() { "<>" } else { letter.mail_from };
        let route = format!("{from} → {}", letter.rcpt_to.join(", "));
        let about = tinted(Tone::Quiet, words::about(letter.about));
        let sent = match self.stage.send(letter) {
            Ok(sent) => sent,
            Err(error) => return outcome(Tone::Stopped, "—", &format!("{route}  {error}")),
        };
        let journeys = self.journeys(letter);
        let verdicts: Vec<&str> = journeys.iter().map(|journey| word(journey, "verdict")).collect();
        let verdict = match verdicts.iter().copied().max_by_key(|verdict| words::gravity(verdict)) {
            Some(verdict) => verdict,
            None if sent.accepted => "deliver",
            None => "refuse",
        };
        outcome(words::tone(verdict), words::verdict(verdict), &format!("{route}  {about}"));
        if !sent.accepted {
            because(&format!("{} {}", sent.code, sent.reply));
        }
        let mut told = std::collections::BTreeSet::new();
        for journey in &journeys {
            let reasons = journey.get("reasons").and_then(Value::as_array);
            for id in reasons.into_iter().flatten().filter_map(Value::as_str) {
                if told.insert(id.to_owned()) {
                    because(&policy::why(id, language(), ""));
                }
            }
        }
        breathe();
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
        step("access", Tone::Plain, &format!("LOGIN {}  {}", account.address, plain(&answer)));
        let (_, answer) = reader.say("SELECT INBOX")?;
        step("access", Tone::Plain, &format!("SELECT INBOX  {}", plain(&answer)));
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
        let smtp =
            say("TLS なしでも届きます。STARTTLS 可", "no TLS needed on loopback; STARTTLS offered");
        let imaps =
            say("最初から TLS。下のアプリパスワードで", "TLS from the start; app passwords below");
        let pop3s = say(
            "POP3 用のアプリパスワードは demo --json に",
            "app passwords of its own, in demo --json",
        );
        println!("  SMTP   {:16}  {smtp}", stage.ports.smtp().to_string());
        println!("  IMAPS  {:16}  {imaps}", format!("localhost:{}", stage.ports.imaps().port()));
        println!("  POP3S  {:16}  {pop3s}", format!("localhost:{}", stage.ports.pop3s().port()));
        let submissions = say(
            "送信。アプリパスワードは demo --json に",
            "for writing; app passwords of its own, in demo --json",
        );
        let port = stage.ports.submissions().port();
        println!("  SMTPS  {:16}  {submissions}", format!("localhost:{port}"));
        let dns = say(
            "レコードは sekisho domain check の求めるとおり(証明書だけは自前の認証局)",
            "records as sekisho domain check wants them; certificates are our own authority's",
        );
        println!("  DNS    {:16}  {dns}", stage.ports.dns().to_string());
        println!("  CA     {}", stage.authority_file());
        println!("  data   {}\n", stage.wishes.data.display());
        for account in &stage.accounts {
            println!("  {:20} {}", account.address, account.app_password);
        }
        println!("\n{}", say("止めるには Ctrl-C を押してください。", "Press Ctrl-C to stop."));
    }
}

fn language() -> Language {
    if is_japanese() { Language::Japanese } else { Language::English }
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A tagged response without its tag and its codes.
fn plain(answer: &str) -> &str {
    let text = answer.split_once(' ').map_or(answer, |(_, text)| text);
    text.rsplit_once("] ").map_or(text, |(_, text)| text)
}
