//! The load of the benchmarks: mail over SMTP, readers over IMAP, sessions that do nothing.
//!
//! ```text
//! load smtp --port N [--size 4k|40k|1m] [--connections C] [--messages N] [--credential FILE]
//!           [--to a@b,c@d…] [--json]
//! load fill --ready FILE --messages N            APPEND to the first account's INBOX
//! load imap --ready FILE [--releases N]          sign-in, SELECT, FLAGS, STORE, openings
//! load leave --sink PORT (--ready FILE | --port N) [--messages N] [--connections C]
//!            [--octets N] [--destinations D]     hands in, and takes what leaves
//! load idle --ready FILE --sessions N [--used FILE]
//! ```
//! `--ready FILE` holds the line that `sekisho demo --json` prints. One thread for each
//! connection, closed loop: the next message begins when the last one has been answered.

mod corpus;
mod figures;
mod idle;
mod imap;
mod leave;
mod line;
mod reading;
mod smtp;

use std::collections::HashMap;
use std::process::ExitCode;

/// What broke; the load ends with it.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// `--name value` pairs behind the mode.
pub struct Wishes(HashMap<String, String>);

impl Wishes {
    fn read(arguments: &[String]) -> Outcome<Self> {
        let mut wishes = HashMap::new();
        let mut rest = arguments.iter();
        while let Some(word) = rest.next() {
            let name = word.strip_prefix("--").ok_or_else(|| format!("not an option: {word}"))?;
            let value = rest.next().ok_or_else(|| format!("--{name} wants a value"))?;
            wishes.insert(name.to_owned(), value.clone());
        }
        Ok(Self(wishes))
    }

    pub fn text(&self, name: &str) -> Outcome<&str> {
        let found = self.0.get(name).map(String::as_str);
        found.ok_or_else(|| format!("--{name} is missing").into())
    }

    pub fn text_or<'w>(&'w self, name: &str, otherwise: &'w str) -> &'w str {
        self.0.get(name).map_or(otherwise, String::as_str)
    }

    pub fn number_or(&self, name: &str, otherwise: usize) -> Outcome<usize> {
        match self.0.get(name) {
            Some(text) => text.parse().map_err(|_| format!("--{name} wants a number").into()),
            None => Ok(otherwise),
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("load: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Outcome<serde_json::Value> {
    let (mode, rest) = arguments.split_first().ok_or("load smtp | fill | imap | idle | leave")?;
    let wishes = Wishes::read(rest)?;
    match mode.as_str() {
        "smtp" => smtp::load(&wishes),
        "fill" => reading::fill(&wishes),
        "imap" => reading::read(&wishes),
        "idle" => idle::hold(&wishes),
        "leave" => leave::load(&wishes),
        other => Err(format!("no such mode: {other}").into()),
    }
}
