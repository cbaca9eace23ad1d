//! What a notice tells, looked at once however many victims it names.
//!
//! Whoever writes a notice chooses how many it names and how long its texts are. What is looked for
//! around each of them has one budget for the whole notice; past it the status codes decide alone.

use crate::Reason;
use crate::reason::clue;
use crate::returned::SAID;
use crate::status;

/// Octets compared for all victims together. The longest texts are searched for 256 victims with
/// it, texts of a usual length for all.
const COMPARED: usize = 16 * 1024 * 1024;
/// Reading words for a clue costs as much as searching them so many times.
const CLUES: usize = 64;

pub(crate) struct Told<'a> {
    /// Where victims are looked for: each line, and the same in lower case.
    lines: Vec<(&'a str, String)>,
    /// What is told of the mail as a whole.
    all: &'a str,
    clue: Option<Option<Reason>>,
    status: Option<Option<(u8, u16, u16)>>,
    left: usize,
}

impl<'a> Told<'a> {
    pub fn new(words: &'a str, all: &'a str) -> Self {
        let lines = words.lines().map(|line| (line, line.to_lowercase())).collect();
        Self { lines, all, clue: None, status: None, left: COMPARED }
    }

    /// The reason that the whole of it speaks for.
    pub fn clue(&mut self) -> Option<Reason> {
        *self.clue.get_or_insert_with(|| clue(self.all, false))
    }

    /// The first code in the whole of it.
    pub fn status(&mut self) -> Option<(u8, u16, u16)> {
        *self.status.get_or_insert_with(|| status::in_words(self.all))
    }

    /// The reason that these words speak for, as long as there is a budget for them.
    pub fn clue_in(&mut self, words: &str) -> Option<Reason> {
        if self.spend(words.len().saturating_mul(CLUES)) { clue(words, false) } else { None }
    }

    /// The words around an address: its line and what follows up to an empty line or the next
    /// address.
    pub fn around(&mut self, address: &str) -> String {
        let address = address.to_lowercase();
        let mut said = String::new();
        let mut is_near = false;
        for at in 0..self.lines.len() {
            let Some((line, lower)) = self.lines.get(at) else { break };
            let (line, names) = (*line, lower.contains(&address));
            let ends = line.trim().is_empty() && said.len() > address.len() + 20;
            if is_near && (ends || said.len() > SAID) {
                break;
            }
            is_near |= names;
            if !self.spend(line.len()) {
                return String::new();
            }
            if is_near {
                said.push_str(line.trim());
                said.push(' ');
            }
        }
        said
    }

    fn spend(&mut self, octets: usize) -> bool {
        let left = self.left.checked_sub(octets);
        self.left = left.unwrap_or(0);
        left.is_some()
    }
}
