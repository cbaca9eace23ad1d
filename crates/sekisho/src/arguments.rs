//! The command line taken apart: words, options with values, switches.

use crate::outcome::Trouble;
use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::str::FromStr;

/// What the user typed, in order; each act takes what it knows and refuses what is left.
pub struct Arguments {
    left: VecDeque<String>,
    /// Options and switches that the command has asked for so far.
    known: BTreeSet<String>,
}

/// Letters in which a mistyped option may differ.
const SLIPS: usize = 2;

impl Arguments {
    pub fn new(arguments: Vec<String>) -> Self {
        Self { left: arguments.into(), known: BTreeSet::new() }
    }

    /// Takes a switch out, wherever it stands.
    pub fn switch(&mut self, name: &str) -> bool {
        self.known.insert(name.to_owned());
        let before = self.left.len();
        self.left.retain(|word| word != name);
        self.left.len() != before
    }

    /// Takes an option with its value out; `--name value` or `--name=value`.
    pub fn option(&mut self, name: &str) -> Result<Option<String>, Trouble> {
        self.known.insert(name.to_owned());
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

    /// The value of an option that stays where it is, for others to take.
    pub fn look(&self, name: &str) -> Option<String> {
        let at = self.left.iter().position(|word| name_of(word) == name)?;
        let word = self.left.get(at)?;
        let inside = word.split_once('=').map(|(_, value)| value.to_owned());
        inside.or_else(|| self.left.get(at + 1).cloned())
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

    /// What is to be done, and with which data. Who gives neither is told what there is to do.
    pub fn act_and_data(&mut self, acts: &str) -> Result<(String, PathBuf), Trouble> {
        let data = self.option("--data")?;
        let act = self.word(acts)?;
        let data = data.map_or_else(|| self.required("--data"), Ok)?;
        Ok((act, PathBuf::from(data)))
    }

    /// The next plain word.
    pub fn word(&mut self, what: &str) -> Result<String, Trouble> {
        match self.left.front() {
            Some(word) if !word.starts_with("--") => Ok(self.left.pop_front().unwrap_or_default()),
            Some(option) if !crate::commands::has_option(name_of(option)) => {
                Err(self.unknown_option(option))
            }
            Some(option) => {
                let hint = "the command's words first, then its options; see `sekisho help`";
                Err(Trouble::wrong_use(what, option.clone(), hint))
            }
            None => Err(Trouble::wrong_use(what, "nothing", "sekisho help")),
        }
    }

    /// Whether one of these options stands there and was not taken.
    pub fn holds(&self, names: &[&str]) -> bool {
        self.left.iter().any(|word| names.contains(&name_of(word)))
    }

    fn unknown_option(&self, word: &str) -> Trouble {
        let name = name_of(word);
        let near = self.known.iter().filter(|known| {
            slips(name, known) <= SLIPS || known.starts_with(name) || name.starts_with(*known)
        });
        let near: Vec<&str> = near.map(String::as_str).collect();
        let hint = match near.is_empty() {
            true => "`sekisho help COMMAND` shows every option".to_owned(),
            false => format!("is {} meant?", near.join(" or ")),
        };
        Trouble::wrong_use("options of this command", format!("unknown option {name}"), &hint)
    }

    /// Nothing may be left over: a mistyped option is not ignored.
    pub fn finish(&mut self) -> Result<(), Trouble> {
        match self.left.front() {
            None => Ok(()),
            Some(left) if left.starts_with("--") => Err(self.unknown_option(left)),
            Some(left) => {
                Err(Trouble::wrong_use("no more words or options", left.clone(), "sekisho help"))
            }
        }
    }
}

/// An option without the value that may stand behind `=`.
fn name_of(word: &str) -> &str {
    word.split_once('=').map_or(word, |(name, _)| name)
}

/// How many letters differ: inserted, left out or exchanged.
fn slips(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut before = at;
        let mut next = vec![at + 1];
        for (letters, above) in other.chars().zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            next.push((before + usize::from(letter != letters)).min(left + 1).min(above + 1));
            before = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// A word that must be one of a few.
pub fn one_of(name: &str, word: String, words: &[&str]) -> Result<String, Trouble> {
    if words.contains(&word.as_str()) {
        return Ok(word);
    }
    let hint = format!("{name} {}", words.join("|"));
    Err(Trouble::wrong_use(&format!("one of {}", words.join(", ")), word, &hint))
}

#[cfg(test)]
mod tests {
    use super::{Arguments, slips};
    use crate::outcome::Trouble;

    fn typed(text: &str) -> Arguments {
        Arguments::new(text.split_whitespace().map(str::to_owned).collect())
    }

    #[test]
    fn a_mistyped_option_is_named_with_the_nearest() {
        let check = |text: &str, found: &str, hint: &str| {
            let mut arguments = typed(text);
            let _ = arguments.option("--role");
            let _ = arguments.switch("--json");
            match arguments.word("a word").and_then(|_| arguments.finish()) {
                Err(Trouble::WrongUse { found: said, hint: helped, .. }) => {
                    assert_eq!((said.as_str(), helped.contains(hint)), (found, true), "{helped}");
                }
                _ => panic!("{text}"),
            }
        };
        check("a --roel x", "unknown option --roel", "--role");
        check("a --roel=x", "unknown option --roel", "--role");
        check("--roel x a", "unknown option --roel", "--role");
        check("a --colour", "unknown option --colour", "sekisho help");
        check("--tenant x a", "--tenant", "words first");
        check("a b", "b", "sekisho help");
        check("", "nothing", "sekisho help");
    }

    #[test]
    fn who_gives_nothing_is_told_what_there_is_to_do() {
        let wanted = |text: &str| match typed(text).act_and_data("verify or head") {
            Err(Trouble::WrongUse { expected, .. }) => expected,
            _ => String::new(),
        };
        assert_eq!(wanted(""), "verify or head");
        assert_eq!(wanted("--data d"), "verify or head");
        assert_eq!(wanted("verify"), "--data");
        assert_eq!((wanted("verify --data d"), wanted("--data d verify")), Default::default());
    }

    #[test]
    fn letters_that_differ() {
        let check = |one: &str, other: &str, expected| assert_eq!(slips(one, other), expected);
        check("--role", "--role", 0);
        check("--roel", "--role", 2);
        check("--rol", "--role", 1);
        check("", "abc", 3);
        check("関所", "関", 1);
    }
}
