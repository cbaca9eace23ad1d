//! Octets in any pieces to commands.

use crate::command::{Command, command};
use crate::{BAD_IN_A_ROW, COMMANDS, LINE_BYTES};
use memchr::memchr;
use zeroize::Zeroize;

#[cfg_attr(test, derive(Debug))]
#[derive(PartialEq, Eq)]
pub enum Step {
    /// Nothing more until more octets are fed.
    NeedMore,
    Command(Command),
    /// Answer `-ERR` with these words.
    Bad(&'static str),
    /// A limit is passed: answer `-ERR` and close.
    Close(&'static str),
}

#[derive(Default)]
pub struct Reader {
    input: Vec<u8>,
    /// Octets of `input` already used up.
    used: usize,
    /// The line under way is already too long and is dropped up to its end.
    dropping: bool,
    commands: u64,
    bad_in_a_row: u32,
    closed: Option<&'static str>,
}

impl Reader {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn feed(&mut self, octets: &[u8]) {
        self.input.drain(..self.used);
        self.used = 0;
        self.input.extend_from_slice(octets);
    }

    /// Gives memory back while nothing is under way.
    pub fn rest(&mut self) {
        if self.used == self.input.len() {
            self.used = 0;
            self.input.zeroize();
            self.input = Vec::new();
        }
    }

    pub fn step(&mut self) -> Step {
        loop {
            if let Some(why) = self.closed {
                return Step::Close(why);
            }
            let waiting = self.input.get(self.used..).unwrap_or_default();
            let Some(end) = memchr(b'\n', waiting) else {
                if waiting.len() > LINE_BYTES {
                    self.dropping = true;
                    self.used = self.input.len();
                }
                return Step::NeedMore;
            };
            let line = waiting.get(..=end).unwrap_or_default();
            let read = if self.dropping || line.len() > LINE_BYTES {
                Err("the line is too long")
            } else {
                read(line)
            };
            self.dropping = false;
            self.used += end + 1;
            if let Some(step) = self.counted(read) {
                return step;
            }
        }
    }

    fn counted(&mut self, read: Result<Command, &'static str>) -> Option<Step> {
        match read {
            Ok(command) => {
                self.commands += 1;
                self.bad_in_a_row = 0;
                if self.commands <= COMMANDS {
                    return Some(Step::Command(command));
                }
                self.closed = Some("too many commands in one session");
            }
            Err(why) => {
                self.bad_in_a_row += 1;
                if self.bad_in_a_row <= BAD_IN_A_ROW {
                    return Some(Step::Bad(why));
                }
                self.closed = Some("too many unreadable commands");
            }
        }
        None
    }
}

fn read(line: &[u8]) -> Result<Command, &'static str> {
    let Some(text) = line.strip_suffix(b"\r\n") else {
        return Err("lines end with CRLF");
    };
    if text.iter().any(|octet| matches!(octet, 0 | b'\r')) {
        return Err("the line contains NUL or a bare CR");
    }
    command(text)
}
