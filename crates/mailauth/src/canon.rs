//! The two canonical forms of RFC 6376 §3.4, made while hashing: no copy of a body is built.
//!
//! A line that ends in a bare LF is treated as if it ended in CRLF, since files of mail are often
//! kept that way; mail received over SMTP has none.

use aws_lc_rs::digest::{Context, SHA256};
use memchr::{memchr, memrchr};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Canon {
    Simple,
    Relaxed,
}

impl Canon {
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "simple" => Some(Self::Simple),
            "relaxed" => Some(Self::Relaxed),
            _ => None,
        }
    }

    /// `c=`: header form, then body form, each `simple` unless said (RFC 6376 §3.5).
    pub fn pair(value: Option<&str>) -> Option<(Self, Self)> {
        let Some(value) = value else {
            return Some((Self::Simple, Self::Simple));
        };
        match value.split_once('/') {
            Some((header, body)) => Some((Self::parse(header)?, Self::parse(body)?)),
            None => Some((Self::parse(value)?, Self::Simple)),
        }
    }
}

/// Appends the canonical form of one raw field, with CRLF (RFC 6376 §3.4.1, §3.4.2).
pub fn header(canon: Canon, raw: &[u8], into: &mut Vec<u8>) {
    match canon {
        Canon::Simple => {
            for line in raw.split(|byte| *byte == b'\n') {
                into.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
                into.extend_from_slice(b"\r\n");
            }
        }
        Canon::Relaxed => {
            relaxed_header(raw, into);
            into.extend_from_slice(b"\r\n");
        }
    }
}

fn relaxed_header(raw: &[u8], into: &mut Vec<u8>) {
    let colon = memchr(b':', raw).unwrap_or(raw.len());
    let (name, value) = raw.split_at_checked(colon).unwrap_or((raw, b""));
    into.extend(name.trim_ascii_end().iter().map(u8::to_ascii_lowercase));
    into.push(b':');
    let mut pending = false;
    let mut begun = false;
    for byte in value.iter().skip(1) {
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            pending = begun;
            continue;
        }
        if pending {
            into.push(b' ');
        }
        (pending, begun) = (false, true);
        into.push(*byte);
    }
}

/// A body's hash, and whether `l=` left any of it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyHash {
    pub sha256: [u8; 32],
    /// Canonical octets in all.
    pub canonical_octets: u64,
}

/// Hashes a body in one pass; `limit` is the `l=` tag.
pub fn body_hash(canon: Canon, limit: Option<u64>, body: &[u8]) -> BodyHash {
    let mut hashing = Hashing { context: Context::new(&SHA256), left: limit, total: 0 };
    write_body(canon, body, &mut |octets| hashing.update(octets));
    let mut sha256 = [0u8; 32];
    let digest = hashing.context.finish();
    for (to, from) in sha256.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    BodyHash { sha256, canonical_octets: hashing.total }
}

struct Hashing {
    context: Context,
    left: Option<u64>,
    total: u64,
}

impl Hashing {
    fn update(&mut self, octets: &[u8]) {
        self.total += octets.len() as u64;
        let wanted = match self.left {
            None => octets,
            Some(left) => {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(octets.len());
                self.left = Some(left - count as u64);
                octets.get(..count).unwrap_or_default()
            }
        };
        self.context.update(wanted);
    }
}

/// Octets looked at together: they stay in the first-level cache for the hash behind it.
const BLOCK_BYTES: usize = 16 * 1024;

/// Lines that are canonical already are not copied: they grow a run that is handed over whole.
struct Run<'a, 'w> {
    body: &'a [u8],
    start: usize,
    end: usize,
    /// Empty lines seen since the last line that is not.
    blanks: usize,
    /// Whether those lines stand in the body as plain CRLF.
    blanks_are_plain: bool,
    written: bool,
    write: &'w mut dyn FnMut(&[u8]),
}

/// Writes the canonical form of a body in pieces (RFC 6376 §3.4.3, §3.4.4).
pub fn write_body(canon: Canon, body: &[u8], write: &mut dyn FnMut(&[u8])) {
    let mut run =
        Run { body, start: 0, end: 0, blanks: 0, blanks_are_plain: true, written: false, write };
    let mut at = 0;
    let mut by_line_to = 0;
    let mut reduced = Vec::new();
    while let Some(rest) = body.get(at..).filter(|rest| !rest.is_empty()) {
        if at >= by_line_to {
            let block = block(rest);
            if !block.is_empty() && is_canonical(canon, block) {
                run.plain(at, at + block.len());
                at += block.len();
                continue;
            }
            // Something in it is not as it should be: its lines one by one.
            // So are empty lines, however many: they are not looked at again for each of them.
            let looked_at = rest.len().min(BLOCK_BYTES);
            by_line_to = at + if block.is_empty() { looked_at } else { block.len() };
        }
        let (line, step, plain_end) = split_line(rest);
        let next = at + step;
        let empty = match canon {
            Canon::Simple => line.is_empty(),
            Canon::Relaxed => line.iter().all(|byte| matches!(byte, b' ' | b'\t')),
        };
        if empty {
            run.blank(plain_end && line.is_empty());
        } else if plain_end && (canon == Canon::Simple || is_reduced(line)) {
            run.plain(at, next);
        } else {
            reduced.clear();
            match canon {
                Canon::Simple => reduced.extend_from_slice(line),
                Canon::Relaxed => reduce(line, &mut reduced),
            }
            reduced.extend_from_slice(b"\r\n");
            run.changed(&reduced, next);
        }
        at = next;
    }
    run.flush();
    // RFC 6376 §3.4.3: simple makes an empty body one CRLF; §3.4.4: relaxed leaves it empty.
    if !run.written && canon == Canon::Simple {
        (run.write)(b"\r\n");
    }
}

impl Run<'_, '_> {
    fn blank(&mut self, plain: bool) {
        self.blanks += 1;
        self.blanks_are_plain &= plain;
    }

    fn plain(&mut self, at: usize, next: usize) {
        if !self.blanks_are_plain {
            self.flush();
            self.write_blanks();
            self.start = at;
        }
        self.end = next;
        (self.blanks, self.blanks_are_plain) = (0, true);
    }

    fn changed(&mut self, line: &[u8], next: usize) {
        self.flush();
        self.write_blanks();
        (self.write)(line);
        self.written = true;
        (self.start, self.end) = (next, next);
    }

    fn flush(&mut self) {
        let octets = self.body.get(self.start..self.end).unwrap_or_default();
        if !octets.is_empty() {
            (self.write)(octets);
            self.written = true;
        }
        self.start = self.end;
    }

    fn write_blanks(&mut self) {
        for _ in 0..self.blanks {
            (self.write)(b"\r\n");
        }
        self.written |= self.blanks > 0;
        (self.blanks, self.blanks_are_plain) = (0, true);
    }
}

/// Whole lines, as many as are looked at together; empty ones at the end are left for later.
fn block(rest: &[u8]) -> &[u8] {
    let most = rest.get(..BLOCK_BYTES).unwrap_or(rest);
    let end = memrchr(b'\n', most).map_or(0, |end| end + 1);
    let mut lines = most.get(..end).unwrap_or_default();
    while let Some(before) = lines.strip_suffix(b"\r\n")
        && (before.is_empty() || before.ends_with(b"\n"))
    {
        lines = before;
    }
    lines
}

/// Whether a block of whole lines is canonical as it stands: each line ends in CRLF, and relaxing
/// would change nothing (a bare CR is left to a closer look). Written without early exits, so that
/// it compiles to vector instructions.
fn is_canonical(canon: Canon, block: &[u8]) -> bool {
    let after = block.get(1..).unwrap_or_default();
    let pairs = || block.iter().zip(after);
    let bare = pairs().fold(0u8, |odd, (a, b)| odd | u8::from((*a == b'\r') ^ (*b == b'\n')));
    let spaced = match canon {
        Canon::Simple => 0,
        Canon::Relaxed => pairs().fold(0u8, |odd, (a, b)| {
            let ends = (*b == b' ') | (*b == b'\r');
            odd | u8::from((*a == b'\t') | ((*a == b' ') & ends))
        }),
    };
    bare | spaced == 0 && block.first() != Some(&b'\n')
}

/// A line without its end, its length with it, and whether the end is CRLF.
fn split_line(rest: &[u8]) -> (&[u8], usize, bool) {
    let Some(end) = memchr(b'\n', rest) else {
        return (rest, rest.len(), false);
    };
    let line = rest.get(..end).unwrap_or_default();
    match line.strip_suffix(b"\r") {
        Some(line) => (line, end + 1, true),
        None => (line, end + 1, false),
    }
}

/// Whether relaxing would change nothing: no tab, no two spaces, no space at the end. Written
/// without early exits, so that it compiles to vector instructions.
fn is_reduced(line: &[u8]) -> bool {
    let after = line.get(1..).unwrap_or_default();
    let doubled =
        line.iter().zip(after).fold(false, |odd, (a, b)| odd | ((*a == b' ') & (*b == b' ')));
    let tabbed = line.iter().fold(false, |odd, byte| odd | (*byte == b'\t'));
    !doubled && !tabbed && line.last() != Some(&b' ')
}

/// Runs of white space become one space, and none at the end.
fn reduce(line: &[u8], into: &mut Vec<u8>) {
    let mut pending = false;
    for byte in line {
        if matches!(byte, b' ' | b'\t') {
            pending = true;
            continue;
        }
        if pending {
            into.push(b' ');
        }
        pending = false;
        into.push(*byte);
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK_BYTES, Canon, reduce, write_body};

    /// RFC 6376 §3.4.3 and §3.4.4 as they read, a line at a time.
    fn plainly(canon: Canon, body: &[u8]) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = Vec::new();
        for line in body.split_inclusive(|byte| *byte == b'\n') {
            let bare = line.strip_suffix(b"\n");
            let line = bare.map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
            let mut reduced = Vec::new();
            match canon {
                Canon::Simple => reduced.extend_from_slice(line),
                Canon::Relaxed => reduce(line, &mut reduced),
            }
            lines.push(reduced);
        }
        while lines.pop_if(|line| line.is_empty()).is_some() {}
        if lines.is_empty() && canon == Canon::Simple {
            lines.push(Vec::new());
        }
        lines.into_iter().flat_map(|line| [line, b"\r\n".to_vec()].concat()).collect()
    }

    /// A body of empty lines alone, and one with a line behind them, in one pass.
    #[test]
    fn empty_lines_are_looked_at_once() {
        let lines = 2_000_000;
        for (end, canon) in [("", Canon::Relaxed), ("x\r\n", Canon::Simple)] {
            let body = ["\r\n".repeat(lines).as_str(), end].concat();
            let mut octets = 0;
            write_body(canon, body.as_bytes(), &mut |piece| octets += piece.len());
            assert_eq!(octets, if end.is_empty() { 0 } else { body.len() });
        }
    }

    #[test]
    fn blocks_and_lines_give_the_same_form() {
        let mut state = 0x5EED_u64;
        let mut below = |limit: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % limit
        };
        let odd = ["  ", "\t", " \r\n", "\n", "\r", "\r\n\r\n", " ", "\r\n \r\n", "\n\n"];
        for round in 0..400 {
            let mut body = String::new();
            let length = below(3 * BLOCK_BYTES as u64);
            let rarely = 2 + below(2_000);
            while (body.len() as u64) < length {
                body.push_str(["A line of words.\r\n", "x\r\n", "\r\n"][below(3) as usize]);
                if below(rarely) == 0 {
                    body.push_str(odd[below(odd.len() as u64) as usize]);
                }
            }
            body.push_str(["", "end", "\r\n\r\n", "\n", " "][below(5) as usize]);
            for canon in [Canon::Simple, Canon::Relaxed] {
                let mut written = Vec::new();
                write_body(canon, body.as_bytes(), &mut |octets| written.extend_from_slice(octets));
                assert!(written == plainly(canon, body.as_bytes()), "round {round}, {canon:?}");
            }
        }
    }
}
