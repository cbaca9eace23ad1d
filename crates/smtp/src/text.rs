//! The text of a message as DATA and BDAT carry it: where it ends, and what is odd about it.

use memchr::{memchr, memchr3, memrchr};
use terms::Cursor;

/// What no text may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    BareCr,
    BareLf,
    Nul,
    LongLine,
    /// Its first line continues another (RFC 5322 §2.2.3): the last field that we write above it.
    Continues,
}

impl Oddity {
    /// For the words of a reply.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BareCr => "a bare CR",
            Self::BareLf => "a bare LF",
            Self::Nul => "a NUL",
            Self::LongLine => "a long line",
            Self::Continues => "a continuation of no field",
        }
    }
}

/// Whether a text begins as what continues a field above it.
pub(crate) fn is_continuation(text: &[u8]) -> bool {
    matches!(text.first(), Some(b' ' | b'\t'))
}

/// What a text is refused for that lies in a file and is sent as it lies there: CRLF at the end of
/// each line, whatever ends it in the file. So no bare line end is found.
pub fn oddity_in_file(text: &[u8], line_limit: usize) -> Option<Oddity> {
    if is_continuation(text) {
        return Some(Oddity::Continues);
    }
    text.split(|octet| *octet == b'\n').find_map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let is_long = line.len() + 2 > line_limit;
        let has_nul = memchr(0, line).is_some();
        is_long.then_some(Oddity::LongLine).or(has_nul.then_some(Oddity::Nul))
    })
}

/// What [`Text::read`] made of its input: first `text` octets to hand on, then `gone` octets that
/// are no text, then this. What is left over must be offered again with more behind it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub text: usize,
    pub gone: usize,
    pub then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The rest, if any, makes sense only with more input.
    More,
    /// Go on with the rest.
    Again,
    /// CRLF.CRLF.
    End,
    /// First seen now; from here on the text only drains to its end.
    Odd(Oddity),
}

/// Reads text of DATA: takes out stuffed dots (RFC 5321 §4.5.2) and finds CRLF.CRLF.
#[derive(Debug)]
pub(crate) struct Text {
    line_limit: usize,
    /// Octets of this line so far, as they came.
    line_octets: usize,
    /// A leading dot was taken out of this line.
    dotted: bool,
    drain: Option<Drain>,
}

impl Text {
    pub(crate) fn new(line_limit: usize) -> Self {
        Self { line_limit, line_octets: 0, dotted: false, drain: None }
    }

    pub(crate) fn read(&mut self, input: &[u8]) -> Step {
        if let Some(drain) = &mut self.drain {
            return drain.read(input);
        }
        let cursor = Cursor::new(input);
        let mut at = 0;
        let mut by_line_to = 0;
        loop {
            let rest = cursor.slice(at, input.len());
            if self.line_octets == 0 && at >= by_line_to {
                let block = block(rest);
                if !block.is_empty() && block.len() <= self.line_limit && is_plain(block) {
                    at += block.len();
                    continue;
                }
                // Something in it wants a look: its lines one by one.
                by_line_to = at + block.len().max(1);
            }
            if self.line_octets == 0
                && let Some(step) = self.leading_dot(rest, at)
            {
                return step;
            }
            let Some(found) = memchr3(b'\r', b'\n', 0, rest) else {
                return self.pass(at, rest.len(), Then::More);
            };
            match cursor.slice(at + found, at + found + 2) {
                b"\r\n" => {
                    self.line_octets += found + 2;
                    if self.line_octets > self.line_limit {
                        self.line_octets -= found + 2;
                        return self.odd(at, Oddity::LongLine);
                    }
                    self.line_octets = 0;
                    self.dotted = false;
                    at += found + 2;
                }
                b"\r" => return self.pass(at, found, Then::More),
                [b'\r', ..] => return self.pass(at, found, Then::Odd(Oddity::BareCr)),
                [b'\n', ..] => return self.pass(at, found, Then::Odd(Oddity::BareLf)),
                _ => return self.pass(at, found, Then::Odd(Oddity::Nul)),
            }
        }
    }

    /// From here on the text is lost, whoever decided so; it is read only to find its end.
    pub(crate) fn abandon(&mut self) {
        if self.drain.is_none() {
            let strict = match (self.line_octets, self.dotted) {
                (0, _) => Place::Start,
                (1, true) => Place::Dot,
                _ => Place::Line,
            };
            self.drain = Some(Drain::new(strict));
        }
    }

    /// What spoiled the text, if anything, and whether something looked like its end.
    pub(crate) fn oddity(&self) -> Option<Oddity> {
        self.drain.as_ref().and_then(|drain| drain.odd)
    }

    pub(crate) fn has_false_end(&self) -> bool {
        self.drain.as_ref().is_some_and(|drain| drain.false_end)
    }

    /// At the start of a line: the end, a stuffed dot, or too little to tell.
    fn leading_dot(&mut self, rest: &[u8], at: usize) -> Option<Step> {
        match rest {
            [b'.', b'\r', b'\n', ..] => Some(Step { text: at, gone: 3, then: Then::End }),
            b"" | b"." | b".\r" => Some(Step { text: at, gone: 0, then: Then::More }),
            [b'.', ..] => {
                self.line_octets = 1;
                self.dotted = true;
                Some(Step { text: at, gone: 1, then: Then::Again })
            }
            _ => None,
        }
    }

    /// Hands on `count` more octets of this line, unless they make it too long.
    fn pass(&mut self, at: usize, count: usize, then: Then) -> Step {
        if self.line_octets + count > self.line_limit {
            return self.odd(at, Oddity::LongLine);
        }
        self.line_octets += count;
        match then {
            Then::Odd(oddity) => self.odd(at + count, oddity),
            then => Step { text: at + count, gone: 0, then },
        }
    }

    fn odd(&mut self, text: usize, oddity: Oddity) -> Step {
        self.abandon();
        if let Some(drain) = &mut self.drain {
            drain.odd = Some(oddity);
        }
        Step { text, gone: 0, then: Then::Odd(oddity) }
    }
}

/// Lines looked at together: they stay in the first-level cache until they are handed on.
const BLOCK_BYTES: usize = 16 * 1024;

/// Whole lines, as many as are looked at together.
fn block(rest: &[u8]) -> &[u8] {
    let most = rest.get(..BLOCK_BYTES).unwrap_or(rest);
    let end = memrchr(b'\n', most).map_or(0, |end| end + 1);
    most.get(..end).unwrap_or_default()
}

/// Whether whole lines are text as it stands: each ends in CRLF, none begins with a dot, no NUL.
/// Written without early exits, so that it compiles to vector instructions.
fn is_plain(block: &[u8]) -> bool {
    let after = block.get(1..).unwrap_or_default();
    let odd = block.iter().zip(after).fold(0u8, |odd, (a, b)| {
        let torn = (*a == b'\r') ^ (*b == b'\n');
        let dotted = (*a == b'\n') & (*b == b'.');
        odd | u8::from(torn | dotted | (*a == 0))
    });
    odd == 0 && !matches!(block.first(), Some(b'\n' | b'.'))
}

/// Where in a line we stand, by the one true line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    Line,
    Cr,
    Dot,
    DotCr,
}

/// Reads a lost text to its end, and notices what a careless reader would have taken for the end.
#[derive(Debug)]
struct Drain {
    strict: Place,
    /// The same by any line end, with NUL not counted: `Start`, `Dot` or `Line`.
    careless: Place,
    odd: Option<Oddity>,
    false_end: bool,
}

impl Drain {
    fn new(strict: Place) -> Self {
        Self { strict, careless: strict, odd: None, false_end: false }
    }

    fn read(&mut self, input: &[u8]) -> Step {
        for (before, byte) in input.iter().enumerate() {
            if self.strict == Place::DotCr && *byte == b'\n' {
                return Step { text: 0, gone: before + 1, then: Then::End };
            }
            self.notice(*byte);
            self.pass(*byte);
        }
        Step { text: 0, gone: input.len(), then: Then::More }
    }

    /// Oddities, and ends that are none.
    fn notice(&mut self, byte: u8) {
        let after_cr = matches!(self.strict, Place::Cr | Place::DotCr);
        let oddity = match byte {
            b'\n' if !after_cr => Some(Oddity::BareLf),
            0 => Some(Oddity::Nul),
            other if after_cr && other != b'\n' => Some(Oddity::BareCr),
            _ => None,
        };
        self.odd = self.odd.or(oddity);
        // `. CR` behind a true line start may yet become the true end: wait for what follows it.
        let maybe_true = self.strict == Place::Dot && byte == b'\r';
        let ends_careless = self.careless == Place::Dot && matches!(byte, b'\r' | b'\n');
        if self.strict == Place::DotCr || (ends_careless && !maybe_true) {
            self.false_end = true;
        }
    }

    fn pass(&mut self, byte: u8) {
        self.careless = match (self.careless, byte) {
            (place, 0) => place,
            (_, b'\r' | b'\n') => Place::Start,
            (Place::Start, b'.') => Place::Dot,
            _ => Place::Line,
        };
        self.strict = match (self.strict, byte) {
            (Place::Cr, b'\n') => Place::Start,
            (Place::Dot, b'\r') => Place::DotCr,
            (_, b'\r') => Place::Cr,
            (Place::Start, b'.') => Place::Dot,
            _ => Place::Line,
        };
    }
}

/// Reads text of BDAT, which ends by count and has no stuffed dots: only its lines are checked.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    after_cr: bool,
    line_octets: usize,
}

impl Lines {
    pub(crate) fn check(&mut self, input: &[u8], line_limit: usize) -> Option<Oddity> {
        let cursor = Cursor::new(input);
        let mut at = 0;
        if self.after_cr && !input.is_empty() {
            if input.first() != Some(&b'\n') {
                return Some(Oddity::BareCr);
            }
            self.after_cr = false;
            self.line_octets = 0;
            at = 1;
        }
        loop {
            let rest = cursor.slice(at, input.len());
            let found = memchr3(b'\r', b'\n', 0, rest);
            if self.line_octets + found.unwrap_or(rest.len()) > line_limit {
                return Some(Oddity::LongLine);
            }
            let Some(found) = found else {
                self.line_octets += rest.len();
                return None;
            };
            match cursor.slice(at + found, at + found + 2) {
                b"\r\n" => self.line_octets = 0,
                b"\r" => {
                    self.after_cr = true;
                    return None;
                }
                [b'\r', ..] => return Some(Oddity::BareCr),
                [b'\n', ..] => return Some(Oddity::BareLf),
                _ => return Some(Oddity::Nul),
            }
            at += found + 2;
        }
    }

    /// What the end of the text leaves open.
    pub(crate) fn finish(&self) -> Option<Oddity> {
        self.after_cr.then_some(Oddity::BareCr)
    }
}
