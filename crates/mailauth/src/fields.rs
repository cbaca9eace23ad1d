//! A message as authentication sees it: raw header fields, and a body.

use memchr::memchr;
use std::ops::Range;
use terms::{Cursor, HEADER_BYTES, HEADER_FIELDS};

/// One header field exactly as it came.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Before the colon, without trailing space.
    pub name: &'a [u8],
    /// The whole field with its folded lines, without the last line end.
    pub raw: &'a [u8],
    /// Behind the colon.
    pub value: &'a [u8],
    /// Where it stands in the message, with its line end.
    pub start: usize,
    pub end: usize,
}

impl Field<'_> {
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// A message taken apart at its first empty line.
pub struct Parts<'a> {
    pub fields: Vec<Field<'a>>,
    pub body: &'a [u8],
    /// Octets of the header, its empty line included.
    pub header_bytes: usize,
    /// Fields that there was no room for.
    pub unread: usize,
}

impl Parts<'_> {
    /// There is more of it than is read: it is to be refused, for others would see what we did
    /// not.
    pub fn is_overlong(&self) -> bool {
        self.unread > 0 || self.header_bytes > HEADER_BYTES
    }
}

/// Octets of a message's header, its empty line included.
pub fn header_bytes(message: &[u8]) -> usize {
    take_apart(message).header_bytes
}

/// Whether a message's header has more fields, or more octets, than are read.
pub fn is_overlong(message: &[u8]) -> bool {
    take_apart(message).is_overlong()
}

/// Never fails: what is not a field is skipped, a missing empty line means an empty body.
pub fn take_apart(message: &[u8]) -> Parts<'_> {
    let mut cursor = Cursor::new(message);
    let mut fields = Vec::new();
    let mut unread = 0;
    while let Some(line) = peek_line(&cursor) {
        if is_blank(line) {
            cursor.take(line.len());
            break;
        }
        let start = cursor.position();
        cursor.take(line.len());
        while let Some(next) = peek_line(&cursor) {
            if !matches!(next.first(), Some(b' ' | b'\t')) {
                break;
            }
            cursor.take(next.len());
        }
        let whole = cursor.slice(start, cursor.position());
        match field(whole, start) {
            Some(_) if fields.len() >= HEADER_FIELDS => unread += 1,
            field => fields.extend(field),
        }
    }
    Parts { fields, body: cursor.rest(), header_bytes: cursor.position(), unread }
}

fn is_blank(line: &[u8]) -> bool {
    matches!(line, b"\n" | b"\r\n")
}

/// The line at the cursor with its end.
fn peek_line<'a>(cursor: &Cursor<'a>) -> Option<&'a [u8]> {
    let rest = cursor.rest();
    if rest.is_empty() {
        return None;
    }
    match memchr(b'\n', rest) {
        Some(end) => rest.get(..=end),
        None => Some(rest),
    }
}

fn field(whole: &[u8], start: usize) -> Option<Field<'_>> {
    let raw = whole.strip_suffix(b"\n").unwrap_or(whole);
    let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
    let colon = memchr(b':', raw)?;
    let name = raw.get(..colon)?.trim_ascii_end();
    let value = raw.get(colon + 1..)?;
    let is_name = !name.is_empty() && name.iter().all(|byte| (33..=126).contains(byte));
    is_name.then_some(Field { name, raw, value, start, end: start + whole.len() })
}
