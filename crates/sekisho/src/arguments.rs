//! The command line taken apart: words, options with values, switches.

use crate::outcome::Trouble;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::str::FromStr;

/// What the user typed, in order; each act takes what it knows and refuses what is left.
pub struct Arguments {
    left: VecDeque<String>,
}

impl Arguments {
    pub fn new(arguments: Vec<String>) -> Self {
        Self { left: arguments.into() }
    }

    /// Takes a switch out, wherever it stands.
    pub fn switch(&mut self, name: &str) -> bool {
        let before = self.left.len();
        self.left.retain(|word| word != name);
        self.left.len() != before
    }

    /// Takes an option with its value out; `--name value` or `--name=value`.
    pub fn option(&mut self, name: &str) -> Result<Option<String>, Trouble> {
        let prefix = format!("{name}=");
        if let Some(at) = self.left.iter().position(|word| word.starts_with(&prefix)) {
            let word = self.left.remove(at).unwrap_or_default();
            return Ok(word.strip_prefix(&prefix).map(str::to_owned));
        }
        let Some(at) = self.left.iter().position(|word| word == name) else { return Ok(None) };
        self.left.remove(at);
        match self.left.remove(at) {
            Some(value) if !value.starts_with("--") => Ok(Some(value)),
            other => {
                let found = other.unwrap_or_else(|| "nothing".to_owned());
                Err(Trouble::wrong_use(&format!("a value after {name}"), found, "sekisho help"))
            }
        }
    }

    /// Every value of an option that may stand more than once.
    pub fn options(&mut self, name: &str) -> Result<Vec<String>, Trouble> {
        let mut all = Vec::new();
        while let Some(value) = self.option(name)? {
            all.push(value);
        }
        Ok(all)
    }

    pub fn parsed<T: FromStr>(&mut self, name: &str, shape: &str) -> Result<Option<T>, Trouble> {
        let Some(text) = self.option(name)? else { return Ok(None) };
        let wrong = |_| Trouble::wrong_use(shape, text.clone(), &format!("{name} {shape}"));
        text.parse().map(Some).map_err(wrong)
    }

    /// An option whose value is one of a few words.
    pub fn choice(&mut self, name: &str, words: &[&str]) -> Result<Option<String>, Trouble> {
        let Some(word) = self.option(name)? else { return Ok(None) };
        one_of(name, word, words).map(Some)
    }

    pub fn required(&mut self, name: &str) -> Result<String, Trouble> {
        let hint = "sekisho help shows every command with its options";
        self.option(name)?.ok_or_else(|| Trouble::wrong_use(name, "nothing", hint))
    }

    pub fn data(&mut self) -> Result<PathBuf, Trouble> {
        Ok(PathBuf::from(self.required("--data")?))
    }

    /// The next plain word.
    pub fn word(&mut self, what: &str) -> Result<String, Trouble> {
        match self.left.front() {
            Some(word) if !word.starts_with("--") => Ok(self.left.pop_front().unwrap_or_default()),
            other => {
                let found = other.cloned().unwrap_or_else(|| "nothing".to_owned());
                Err(Trouble::wrong_use(what, found, "sekisho help"))
            }
        }
    }

    /// Nothing may be left over: a mistyped option is not ignored.
    pub fn finish(&mut self) -> Result<(), Trouble> {
        match self.left.front() {
            None => Ok(()),
            Some(left) => {
                Err(Trouble::wrong_use("no more words or options", left.clone(), "sekisho help"))
            }
        }
    }
}

/// A word that must be one of a few.
pub fn one_of(name: &str, word: String, words: &[&str]) -> Result<String, Trouble> {
    if words.contains(&word.as_str()) {
        return Ok(word);
    }
    let hint = format!("{name} {}", words.join("|"));
    Err(Trouble::wrong_use(&format!("one of {}", words.join(", ")), word, &hint))
}
