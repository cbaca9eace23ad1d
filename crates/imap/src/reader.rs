//! Octets in any pieces to commands, with both kinds of literals. RFC 3501 §4.3, RFC 7888.
//!
//! The caller feeds what it received and calls `step` until it says `NeedMore`. A message being
//! appended never stands here as a whole: it is handed on in pieces.

use crate::announce::{Announced, Watch, announced};
use crate::command::{Append, Command};
use crate::limit::{
    APPEND_BYTES, APPEND_PIECE_BYTES, BAD_IN_A_ROW, COMMAND_BYTES, COMMANDS, DROPPED_BYTES,
};
use crate::verb::{append_head, command, tag_of};
use memchr::memchr;
use zeroize::Zeroize;

/// What the octets so far amount to.
#[cfg_attr(test, derive(Debug))]
#[derive(PartialEq, Eq)]
pub enum Step {
    /// Nothing more until more octets are fed.
    NeedMore,
    /// Send `+ ` now: the client waits before it sends a literal.
    Continue,
    Command(Command),
    /// A message is offered: look, then call `accept` or `refuse`. After `accept`, send `+ ` if
    /// `waits`; after `refuse`, answer NO.
    Append(Append),
    /// The next octets of an accepted message.
    Octets(Vec<u8>),
    /// The accepted message is whole. With `Some` the command was wrong after all: answer BAD.
    AppendEnd {
        bad: Option<&'static str>,
    },
    /// The line that `expect_line` asked for, without its end.
    Line(Vec<u8>),
    /// Answer BAD, tagged if the tag was legible.
    Bad {
        tag: Option<String>,
        why: &'static str,
    },
    /// A limit is passed: answer BYE and close.
    Close(&'static str),
}

enum State {
    /// Reading a line of a command, or a whole plain line.
    Line {
        plain: bool,
    },
    /// Reading a literal into the command.
    Literal {
        left: usize,
    },
    /// Waiting for `accept` or `refuse`.
    Offered {
        size: u64,
        waits: bool,
    },
    Message {
        left: u64,
        nul: bool,
    },
    /// The rest of the line behind the message.
    Tail {
        bad: Option<&'static str>,
    },
    /// Dropping octets, then the rest of their line; then the answer, if one is still due.
    Drop {
        left: u64,
        watch: Watch,
        answer: Option<(Option<String>, &'static str)>,
    },
    Closed(&'static str),
}

pub struct Reader {
    input: Vec<u8>,
    /// Octets of `input` already used up.
    used: usize,
    /// Octets of `input` already searched for a line's end.
    searched: usize,
    command: Vec<u8>,
    state: State,
    commands: u64,
    bad_in_a_row: u32,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    pub fn new() -> Self {
        Self {
            input: Vec::new(),
            used: 0,
            searched: 0,
            command: Vec::new(),
            state: State::Line { plain: false },
            commands: 0,
            bad_in_a_row: 0,
        }
    }

    pub fn feed(&mut self, octets: &[u8]) {
        if self.used == self.input.len() {
            self.input.clear();
            (self.used, self.searched) = (0, 0);
        } else if self.used >= self.input.len() / 2 {
            self.input.drain(..self.used);
            self.searched -= self.used;
            self.used = 0;
        }
        self.input.extend_from_slice(octets);
    }

    /// The next line is not a command: an answer to `+ `, or the DONE of IDLE.
    pub fn expect_line(&mut self) {
        if let State::Line { plain } = &mut self.state {
            *plain = true;
        }
    }

    /// Whether a command, literal or message is under way.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Line { .. })
            && self.command.is_empty()
            && self.used == self.input.len()
    }

    /// Gives memory back while nothing is under way.
    pub fn rest(&mut self) {
        if self.is_idle() {
            (self.used, self.searched) = (0, 0);
            self.input.zeroize();
            self.input = Vec::new();
            self.command = Vec::new();
        }
    }

    /// The offered message shall come.
    pub fn accept(&mut self) {
        if let State::Offered { size, .. } = self.state {
            self.state = State::Message { left: size, nul: false };
        }
    }

    /// The offered message is not wanted; if it is already on its way it is dropped.
    pub fn refuse(&mut self) {
        if let State::Offered { size, waits } = self.state {
            self.state = dropping(if waits { 0 } else { size }, waits, None);
        }
    }

    pub fn step(&mut self) -> Step {
        loop {
            let step = match &mut self.state {
                State::Closed(why) => return Step::Close(why),
                State::Offered { .. } => return Step::NeedMore,
                State::Line { plain: true } => self.plain_line(),
                State::Line { plain: false } => self.command_line(),
                State::Literal { .. } => self.literal(),
                State::Message { .. } => self.message(),
                State::Tail { .. } => self.tail(),
                State::Drop { .. } => self.drop_octets(),
            };
            if let Some(step) = step {
                return self.counted(step);
            }
        }
    }

    fn counted(&mut self, step: Step) -> Step {
        match &step {
            Step::Command(_) | Step::Append(_) => {
                self.commands += 1;
                self.bad_in_a_row = 0;
            }
            Step::Bad { .. } => self.bad_in_a_row += 1,
            _ => return step,
        }
        if self.bad_in_a_row > BAD_IN_A_ROW {
            self.state = State::Closed("too many unreadable commands");
        } else if self.commands > COMMANDS {
            self.state = State::Closed("too many commands in one session");
        } else {
            return step;
        }
        self.step()
    }

    fn waiting(&self) -> &[u8] {
        self.input.get(self.used..).unwrap_or_default()
    }

    /// Takes the next line with its end off the input, `None` if it has not come in full.
    fn take_line(&mut self) -> Option<Vec<u8>> {
        let unseen = self.input.get(self.searched..).unwrap_or_default();
        let Some(end) = memchr(b'\n', unseen) else {
            self.searched = self.input.len();
            return None;
        };
        let end = self.searched + end + 1;
        let line = self.input.get(self.used..end).unwrap_or_default().to_vec();
        (self.used, self.searched) = (end, end);
        Some(line)
    }

    fn plain_line(&mut self) -> Option<Step> {
        let Some(mut line) = self.take_line() else {
            return self.more(None);
        };
        self.state = State::Line { plain: false };
        if line.len() > COMMAND_BYTES {
            return Some(Step::Bad { tag: None, why: "the line is too long" });
        }
        if !line.ends_with(b"\r\n") {
            return Some(Step::Bad { tag: None, why: "lines end with CRLF" });
        }
        line.truncate(line.len() - 2);
        Some(Step::Line(line))
    }

    /// Waits for the line's end; an endless line is dropped as it comes.
    fn more(&mut self, tag: Option<String>) -> Option<Step> {
        if self.waiting().len() + self.command.len() <= COMMAND_BYTES {
            return Some(Step::NeedMore);
        }
        let tag = tag.or_else(|| tag_of(self.waiting()));
        self.command.zeroize();
        self.state = dropping(0, false, Some((tag, "the command is too long")));
        None
    }

    fn command_line(&mut self) -> Option<Step> {
        let Some(mut line) = self.take_line() else {
            let tag = tag_of(&self.command);
            return self.more(tag);
        };
        let before = self.command.len();
        let announced = announced(&line);
        self.command.extend_from_slice(&line);
        line.zeroize();
        let why = if self.command.len() > COMMAND_BYTES {
            Some("the command is too long")
        } else if !self.command.ends_with(b"\r\n") {
            Some("lines end with CRLF")
        } else if self.command.get(before..).is_some_and(odd_octets) {
            Some("a line contains NUL or a bare CR")
        } else {
            None
        };
        if let Some(why) = why {
            return self.bad(why, announced);
        }
        match announced {
            Some(announced) => self.announcement(before, announced),
            None => Some(self.finish()),
        }
    }

    /// Gives up on the command; octets that come anyway are dropped.
    fn bad(&mut self, why: &'static str, announced: Option<Announced>) -> Option<Step> {
        let tag = tag_of(&self.command);
        self.command.zeroize();
        self.state = match announced {
            // A client that waits sends nothing when it sees BAD. RFC 3501 §7.5.
            Some(Announced { waits: false, size, .. }) => dropping(size, false, Some((tag, why))),
            _ => {
                self.state = State::Line { plain: false };
                return Some(Step::Bad { tag, why });
            }
        };
        None
    }

    fn announcement(&mut self, before: usize, announced: Announced) -> Option<Step> {
        let head = self.command.get(..before + announced.at).unwrap_or_default();
        match append_head(head) {
            Some(Ok(append)) => return self.offer(append, announced),
            Some(Err(refusal)) => return self.bad(refusal.why, Some(announced)),
            None => {}
        }
        let room = COMMAND_BYTES.saturating_sub(self.command.len());
        match usize::try_from(announced.size) {
            Ok(size) if size <= room => {
                self.state = State::Literal { left: size };
                announced.waits.then_some(Step::Continue)
            }
            _ => self.bad("the literal is too large", Some(announced)),
        }
    }

    fn offer(&mut self, append: Append, announced: Announced) -> Option<Step> {
        let Announced { size, waits, .. } = announced;
        if size == 0 {
            return self.bad("the message is empty", Some(announced));
        }
        self.command.clear();
        self.state = if size > DROPPED_BYTES && !waits {
            State::Closed("the literal is too large")
        } else {
            State::Offered { size, waits }
        };
        Some(Step::Append(Append { size, waits, ..append }))
    }

    fn finish(&mut self) -> Step {
        self.command.truncate(self.command.len().saturating_sub(2));
        let step = match command(&self.command) {
            Ok(command) => Step::Command(command),
            Err(refusal) => Step::Bad { tag: refusal.tag, why: refusal.why },
        };
        self.command.zeroize(); // it may have been a LOGIN
        step
    }

    fn literal(&mut self) -> Option<Step> {
        let State::Literal { left } = self.state else {
            return None;
        };
        let taken = self.waiting().len().min(left);
        let end = self.used + taken;
        self.command.extend_from_slice(self.input.get(self.used..end).unwrap_or_default());
        self.pass(taken);
        if taken < left {
            self.state = State::Literal { left: left - taken };
            return Some(Step::NeedMore);
        }
        self.state = State::Line { plain: false };
        None
    }

    fn message(&mut self) -> Option<Step> {
        let State::Message { left, nul } = self.state else {
            return None;
        };
        if left == 0 {
            // RFC 3501 §9: a literal holds no NUL, and no message of ours does.
            self.state = State::Tail { bad: nul.then_some("the message contains NUL") };
            return None;
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(APPEND_PIECE_BYTES);
        let most = self.waiting().len().min(most);
        let piece = self.waiting().get(..most).unwrap_or_default().to_vec();
        if piece.is_empty() {
            return Some(Step::NeedMore);
        }
        self.pass(piece.len());
        let nul = nul || memchr(0, &piece).is_some();
        self.state = State::Message { left: left - piece.len() as u64, nul };
        Some(Step::Octets(piece))
    }

    fn tail(&mut self) -> Option<Step> {
        let State::Tail { bad } = self.state else {
            return None;
        };
        let Some(line) = self.take_line() else {
            if self.waiting().len() > COMMAND_BYTES {
                self.state = State::Closed("the command is too long");
                return None;
            }
            return Some(Step::NeedMore);
        };
        self.state = match announced(&line) {
            // MULTIAPPEND is not offered; what is already on its way is dropped.
            Some(Announced { waits: false, size, .. }) => dropping(size, false, None),
            _ => State::Line { plain: false },
        };
        let bad = bad.or((line != b"\r\n").then_some("something follows the message"));
        Some(Step::AppendEnd { bad })
    }

    fn drop_octets(&mut self) -> Option<Step> {
        let State::Drop { left, watch, answer } = &mut self.state else {
            return None;
        };
        let waiting = self.input.get(self.used..).unwrap_or_default();
        if *left > 0 {
            let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(waiting.len());
            *left -= taken as u64;
            let done = *left == 0;
            self.pass(taken);
            return (!done).then_some(Step::NeedMore);
        }
        let end = memchr(b'\n', waiting).map(|end| end + 1);
        let count = end.unwrap_or(waiting.len());
        waiting.iter().take(count).for_each(|octet| watch.see(*octet));
        let step = match (end, watch.announced()) {
            (None, _) => Some(Step::NeedMore),
            (Some(_), Some(Announced { waits: false, size, .. })) => {
                let answer = answer.take();
                self.state = dropping(size, false, answer);
                None
            }
            (Some(_), _) => {
                let answer = answer.take();
                self.state = State::Line { plain: false };
                answer.map(|(tag, why)| Step::Bad { tag, why })
            }
        };
        self.pass(count);
        step
    }

    fn pass(&mut self, count: usize) {
        self.used = (self.used + count).min(self.input.len());
        self.searched = self.searched.max(self.used);
    }
}

fn dropping(size: u64, waits: bool, answer: Option<(Option<String>, &'static str)>) -> State {
    if waits {
        State::Line { plain: false }
    } else if size > DROPPED_BYTES {
        State::Closed("the literal is too large")
    } else {
        State::Drop { left: size, watch: Watch::default(), answer }
    }
}

fn odd_octets(line: &[u8]) -> bool {
    let text = line.strip_suffix(b"\r\n").unwrap_or(line);
    text.iter().any(|octet| matches!(octet, 0 | b'\r' | b'\n'))
}

/// Whether an offered message is within what we take.
impl Append {
    pub fn fits(&self) -> bool {
        self.size <= APPEND_BYTES
    }
}
