//! One walk over the message, line by line where lines matter, that makes the tree of parts.
//!
//! Iterative: what is open stands on a list of at most `DEPTH` entries. Linear: each octet is
//! looked at once for lines and once for boundaries.

use crate::parameter::{self, ContentType};
use crate::part::{
    DEPTH, FIELD_BYTES, FIELDS_PER_MESSAGE, FIELDS_PER_PART, Field, Holds, Message, PARTS, Part,
    unfold,
};
use crate::seen::{self, Notes};
use crate::transfer::Encoding;
use memchr::memmem;
use std::borrow::Cow;
use std::cell::OnceCell;
use terms::{Cursor, Finding};

/// RFC 2046 §5.1.1: a boundary has at most 70 characters; longer ones work but are odd.
const BOUNDARY_USUAL_BYTES: usize = 70;
/// Beyond this a boundary is cut off the tree: no writer needs it, and each line is held to it.
const BOUNDARY_BYTES: usize = 1_000;
/// Fields of one name, behind the first, that are compared with it.
const DOUBLES: usize = 10;

/// Takes a message apart. Never fails: what is odd is a finding.
pub fn parse(bytes: &[u8]) -> (Message<'_>, Vec<Finding>) {
    let (message, findings, _) = parse_by(bytes, Reading::default());
    (message, findings)
}

/// Where a header says two things, readers take the first, the last, or another: the places of
/// those that this reading takes. Where there are fewer, the last. And some take a boundary for one
/// that stands behind its closing line (RFC 2046 §5.1.1 has readers ignore all that does).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub types: usize,
    pub boundaries: usize,
    pub encodings: usize,
    /// 1: a closed multipart opens again.
    pub reopened: usize,
}

impl Reading {
    /// In each of its places the higher of two.
    pub(crate) fn highest(self, other: Self) -> Self {
        Self {
            types: self.types.max(other.types),
            boundaries: self.boundaries.max(other.boundaries),
            encodings: self.encodings.max(other.encodings),
            reopened: self.reopened.max(other.reopened),
        }
    }
}

/// The same by one reading, and the highest places that another reading might take.
pub(crate) fn parse_by(bytes: &[u8], reading: Reading) -> (Message<'_>, Vec<Finding>, Reading) {
    let mut walk = Walk::new(bytes);
    walk.reading = reading;
    let mut next = Some(Start { parent: None, default: Untyped::Text, is_message: true });
    while let Some(start) = next {
        let part = walk.begin(&start);
        let ended_by = walk.read_header(part);
        walk.understand(part, start.default);
        next = match ended_by {
            Some(delimiter) => walk.cross(delimiter),
            None => walk.enter(part),
        };
    }
    let highest = walk.highest;
    let (message, findings) = walk.finish();
    (message, findings, highest)
}

/// Reads only the first header of `bytes`.
pub(crate) fn parse_header(bytes: &[u8]) -> (Message<'_>, Vec<Finding>) {
    let mut walk = Walk::new(bytes);
    let part = walk.begin(&Start { parent: None, default: Untyped::Text, is_message: true });
    walk.read_header(part);
    walk.finish()
}

/// The type of a part that names none (RFC 2045 §5.2, RFC 2046 §5.1.5 for digests).
#[derive(Clone, Copy)]
enum Untyped {
    Text,
    Message,
}

struct Start {
    parent: Option<usize>,
    default: Untyped,
    is_message: bool,
}

/// A multipart whose boundary is looked for.
struct Open {
    part: usize,
    boundary: Vec<u8>,
    /// Entries of `chain` up to and with this part.
    height: usize,
    seen: bool,
    /// Its closing line has been seen: what follows is its epilogue.
    closed: bool,
}

/// A boundary line: it belongs to `open[level]`.
struct Delimiter {
    level: usize,
    line_start: usize,
    after: usize,
    closing: bool,
}

struct Walk<'a> {
    cursor: Cursor<'a>,
    bytes: &'a [u8],
    parts: Vec<Part>,
    fields: Vec<Field>,
    open: Vec<Open>,
    /// Parts whose end has not been seen, from the root to the innermost.
    chain: Vec<usize>,
    notes: Notes,
    reading: Reading,
    highest: Reading,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            cursor: Cursor::new(bytes),
            bytes,
            parts: Vec::new(),
            fields: Vec::new(),
            open: Vec::new(),
            chain: Vec::new(),
            notes: Notes::default(),
            reading: Reading::default(),
            highest: Reading::default(),
        }
    }

    fn begin(&mut self, start: &Start) -> usize {
        let index = self.parts.len();
        let at = self.cursor.position();
        let mut number = 1;
        if let Some(parent) = start.parent.and_then(|parent| self.parts.get_mut(parent)) {
            parent.children.push(index);
            number = u32::try_from(parent.children.len()).unwrap_or(u32::MAX);
        }
        self.parts.push(Part {
            parent: start.parent,
            number,
            depth: self.chain.len(),
            is_message: start.is_message,
            header: at..at,
            body: at..at,
            content_type: ContentType::text_plain(),
            encoding: Encoding::Identity,
            holds: Holds::Octets,
            children: Vec::new(),
            fields: self.fields.len()..self.fields.len(),
            lines: OnceCell::new(),
        });
        self.chain.push(index);
        index
    }

    /// Reads up to and with the empty line; a boundary line ends a header too.
    fn read_header(&mut self, part: usize) -> Option<Delimiter> {
        let start = self.cursor.position();
        let first_field = self.fields.len();
        let mut ended_by = None;
        let mut continues = false;
        loop {
            let line_start = self.cursor.position();
            let Some(line) = self.cursor.line() else {
                break;
            };
            if line.is_empty() {
                break;
            }
            if line.starts_with(b"--")
                && let Some(delimiter) = self.delimiter(line_start)
            {
                self.notes.note(seen::HEADER_UNENDED, "");
                self.cursor.stand_at(line_start);
                ended_by = Some(delimiter);
                break;
            }
            let room = self.fields.len() - first_field < FIELDS_PER_PART
                && self.fields.len() < FIELDS_PER_MESSAGE;
            continues = self.read_field_line(line, line_start, continues, room);
        }
        let end = self.cursor.position();
        let fields = first_field..self.fields.len();
        if let Some(part) = self.parts.get_mut(part) {
            part.header = start..end;
            part.body = end..end;
            part.fields = fields;
        }
        ended_by
    }

    /// One line of a header. True if a following line may continue it.
    fn read_field_line(&mut self, line: &[u8], at: usize, continues: bool, room: bool) -> bool {
        let after = self.cursor.position();
        let value_end = at + line.len();
        if matches!(line.first(), Some(b' ' | b'\t')) {
            if continues && let Some(field) = self.fields.last_mut() {
                field.end = after;
                field.value_end = value_end.min(field.start + FIELD_BYTES);
                if value_end - field.start > FIELD_BYTES {
                    self.notes.note(seen::FIELD_LONG, "");
                }
            } else if !line.trim_ascii().is_empty() {
                self.notes.note(seen::FIELD_MALFORMED, "");
            }
            return continues;
        }
        let Some(colon) = name_length(line) else {
            self.notes.note(seen::FIELD_MALFORMED, "");
            return false;
        };
        if !room {
            self.notes.note(seen::FIELDS_MANY, "");
            return false;
        }
        if line
            .get(colon.wrapping_sub(1))
            .is_some_and(|before| *before != b':' && before.is_ascii_whitespace())
        {
            // Some readers see a field here, some none.
            self.notes.note(seen::FIELD_SPACED, "");
        }
        if line.len() > FIELD_BYTES {
            self.notes.note(seen::FIELD_LONG, "");
        }
        let value_end = value_end.min(at + FIELD_BYTES);
        let colon = (at + colon).min(value_end);
        self.fields.push(Field { start: at, colon, value_end, end: after });
        true
    }

    /// Reads type and encoding out of the header just read.
    fn understand(&mut self, index: usize, default: Untyped) {
        let Some(part) = self.parts.get(index) else {
            return;
        };
        let view = Message { bytes: self.bytes, parts: Vec::new(), fields: Vec::new() };
        let mut types = Vec::new();
        let mut encodings = Vec::new();
        for field in self.fields.get(part.fields.clone()).unwrap_or_default() {
            let name = view.name(field);
            if name.eq_ignore_ascii_case(b"content-type") {
                if field.value_end - field.start >= FIELD_BYTES {
                    // The boundary may stand behind the cut.
                    self.notes.note(seen::UNWALKED, "Content-Type");
                }
                types.push(unfold(view.raw_value(field)));
            } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
                encodings.push(unfold(view.raw_value(field)));
            }
        }
        let first = match types.first() {
            Some(value) => parameter::content_type_noting(value, &mut self.notes),
            None => match default {
                Untyped::Text => ContentType::text_plain(),
                Untyped::Message => ContentType::new("message", "rfc822"),
            },
        };
        let content_type = self.choose_type(first, types.get(1..).unwrap_or_default());
        let encoding = self.choose_encoding(&encodings);
        if let Some(part) = self.parts.get_mut(index) {
            part.content_type = content_type;
            part.encoding = encoding;
        }
    }

    /// Two readers may each believe another one of two fields: the classic way past a scanner.
    fn choose_type(&mut self, first: ContentType, others: &[Cow<'_, [u8]>]) -> ContentType {
        let mut different = vec![first];
        for other in others.iter().take(DOUBLES) {
            let other = parameter::content_type(other);
            let essence = other.essence();
            let same = |known: &ContentType| {
                known.essence() == essence && known.boundaries() == other.boundaries()
            };
            let conflict = !different.first().is_some_and(same);
            let seen = if conflict { seen::TYPE_CONFLICT } else { seen::TYPE_TWICE };
            self.notes.note(seen, essence.as_str());
            if !different.iter().any(same) {
                different.push(other);
            }
        }
        self.highest.types = self.highest.types.max(different.len() - 1);
        let chosen = self.reading.types.min(different.len() - 1);
        different.swap_remove(chosen)
    }

    fn choose_encoding(&mut self, encodings: &[Cow<'_, [u8]>]) -> Encoding {
        let first = encodings.first().map_or(Encoding::Identity, |value| Encoding::named(value));
        if !encodings.is_empty() && first == Encoding::Unknown {
            self.notes.note(seen::ENCODING_UNKNOWN, "");
        }
        let mut different = vec![first];
        for other in encodings.iter().skip(1).take(DOUBLES) {
            let other = Encoding::named(other);
            let seen = if other == first { seen::ENCODING_TWICE } else { seen::ENCODING_CONFLICT };
            self.notes.note(seen, "");
            if !different.contains(&other) {
                different.push(other);
            }
        }
        self.highest.encodings = self.highest.encodings.max(different.len() - 1);
        let chosen = self.reading.encodings.min(different.len() - 1);
        different.swap_remove(chosen)
    }

    /// Goes into a part's body. Returns the next part to begin, `None` at the end.
    fn enter(&mut self, index: usize) -> Option<Start> {
        let (holds, boundary) = self.decide_contents(index);
        let height = self.chain.len();
        if let Some(part) = self.parts.get_mut(index) {
            part.holds = holds;
        }
        match (holds, boundary) {
            (Holds::Message, _) => {
                return Some(Start {
                    parent: Some(index),
                    default: Untyped::Text,
                    is_message: true,
                });
            }
            (Holds::Parts, Some(boundary)) => {
                self.open.push(Open { part: index, boundary, height, seen: false, closed: false });
            }
            _ => {}
        }
        let delimiter = self.next_delimiter()?;
        self.cross(delimiter)
    }

    fn decide_contents(&mut self, index: usize) -> (Holds, Option<Vec<u8>>) {
        let Some(part) = self.parts.get(index) else {
            return (Holds::Octets, None);
        };
        let essence = part.content_type.essence();
        let is_multipart = essence.starts_with("multipart/");
        let is_message = matches!(essence.as_str(), "message/rfc822" | "message/global");
        // RFC 2046 §5.2.2: the reader's program joins by these what no scanner has seen whole. Old
        // notices call what they return so, and name none.
        let joins = ["id", "number"];
        if essence == "message/partial"
            && joins.iter().any(|name| part.content_type.raw_parameter(name).is_some())
        {
            self.notes.note(seen::PARTIAL, "");
        }
        // RFC 2046 §5.2.3: the reader's program fetches what no scanner has seen. Drafts of the
        // IETF were announced so: by itself it is odd, and no more.
        if essence == "message/external-body" {
            let how = part.content_type.parameter("access-type");
            let how = how.filter(|how| !how.is_empty()).unwrap_or_else(|| "?".to_owned());
            self.notes.note(seen::EXTERNAL, how.to_lowercase());
        }
        if !is_multipart && !is_message {
            return (Holds::Octets, None);
        }
        let encoded = matches!(
            part.encoding,
            Encoding::Base64 | Encoding::QuotedPrintable | Encoding::Uuencode
        );
        if encoded {
            // RFC 2045 §6.4 forbids it; a multipart is walked as it stands, as others do.
            self.notes.note(seen::ENCODING_COMPOSITE, essence.as_str());
        }
        if self.chain.len() >= DEPTH {
            self.notes.note(seen::DEPTH_GREAT, DEPTH.to_string());
            return (Holds::Octets, None);
        }
        if self.parts.len() >= PARTS {
            self.notes.note(seen::PARTS_MANY, PARTS.to_string());
            return (Holds::Octets, None);
        }
        if is_message {
            let holds = if encoded { Holds::Octets } else { Holds::Message };
            return (holds, None);
        }
        match self.usable_boundary(index) {
            Some(boundary) => (Holds::Parts, Some(boundary)),
            None => (Holds::Octets, None),
        }
    }

    fn usable_boundary(&mut self, index: usize) -> Option<Vec<u8>> {
        let part = self.parts.get(index)?;
        let mut boundaries = part.content_type.boundaries();
        let Some(last) = boundaries.len().checked_sub(1) else {
            self.notes.note(seen::BOUNDARY_ABSENT, "");
            return None;
        };
        self.highest.boundaries = self.highest.boundaries.max(last);
        let boundary = boundaries.swap_remove(self.reading.boundaries.min(last));
        if boundary.is_empty() {
            self.notes.note(seen::BOUNDARY_EMPTY, "");
            return None;
        }
        if boundary.len() > BOUNDARY_USUAL_BYTES {
            self.notes.note(seen::BOUNDARY_LONG, boundary.len().to_string());
        }
        if boundary.len() > BOUNDARY_BYTES {
            self.notes.note(seen::UNWALKED, "boundary");
            return None;
        }
        for open in &self.open {
            if open.boundary == boundary {
                self.notes.note(seen::BOUNDARY_SAME, "");
            } else if open.boundary.starts_with(&boundary) || boundary.starts_with(&open.boundary) {
                self.notes.note(seen::BOUNDARY_PREFIX, "");
            }
        }
        Some(boundary)
    }

    /// The next boundary line of any open multipart, from where the cursor stands.
    fn next_delimiter(&mut self) -> Option<Delimiter> {
        if self.open.is_empty() {
            return None;
        }
        let start = self.cursor.position();
        if self.cursor.rest().starts_with(b"--")
            && let Some(delimiter) = self.delimiter(start)
        {
            return Some(delimiter);
        }
        let rest = self.cursor.rest();
        for found in memmem::find_iter(rest, b"\n--") {
            if let Some(delimiter) = self.delimiter(start + found + 1) {
                return Some(delimiter);
            }
        }
        None
    }

    /// Is the line at `line_start`, which begins with `--`, a boundary line, and whose?
    fn delimiter(&mut self, line_start: usize) -> Option<Delimiter> {
        let mut cursor = Cursor::new(self.bytes);
        cursor.stand_at(line_start + 2);
        let rest = cursor.rest();
        let mut behind = None;
        // The innermost first; an outer boundary closes what lies inside it.
        for (level, open) in self.open.iter().enumerate().rev() {
            let Some(tail) = rest.strip_prefix(open.boundary.as_slice()) else {
                continue;
            };
            let tail_start = line_start + 2 + open.boundary.len();
            let mut line = Cursor::new(tail);
            let found = line.line().unwrap_or_default();
            let after = tail_start + line.position();
            let opening = found.trim_ascii().is_empty();
            let closing =
                found.strip_prefix(b"--").is_some_and(|tail| tail.trim_ascii().is_empty());
            if opening || closing {
                let delimiter = Delimiter { level, line_start, after, closing };
                if !open.closed {
                    return Some(delimiter);
                }
                behind = behind.or(Some(delimiter));
            } else if !open.closed {
                self.notes.note(seen::BOUNDARY_NEAR, "");
            }
        }
        self.reopening(behind.filter(|delimiter| !delimiter.closing)?)
    }

    /// A boundary line behind its closing line opens a part for some readers.
    fn reopening(&mut self, delimiter: Delimiter) -> Option<Delimiter> {
        self.notes.note(seen::BOUNDARY_REOPENED, "");
        self.highest.reopened = 1;
        (self.reading.reopened > 0).then_some(delimiter)
    }

    /// Steps over boundary lines until one opens a part.
    fn cross(&mut self, first: Delimiter) -> Option<Start> {
        let mut delimiter = first;
        loop {
            self.close_inside(&delimiter);
            self.cursor.stand_at(delimiter.after);
            let open = self.open.last_mut()?;
            open.seen = true;
            open.closed = delimiter.closing;
            let part = open.part;
            if delimiter.closing {
                // The line ends nothing but what `close_inside` ended: an epilogue follows.
            } else if self.parts.len() < PARTS {
                let digest = self
                    .parts
                    .get(part)
                    .is_some_and(|part| part.content_type.essence() == "multipart/digest");
                let default = if digest { Untyped::Message } else { Untyped::Text };
                return Some(Start { parent: Some(part), default, is_message: false });
            } else {
                self.notes.note(seen::PARTS_MANY, PARTS.to_string());
            }
            delimiter = self.next_delimiter()?;
        }
    }

    /// Ends every part inside the delimiter's multipart before the line end that precedes it
    /// (RFC 2046 §5.1.1: that line end belongs to the boundary).
    fn close_inside(&mut self, delimiter: &Delimiter) {
        let before = Cursor::new(self.bytes).slice(0, delimiter.line_start);
        let end = match before.strip_suffix(b"\n") {
            Some(before) => before.strip_suffix(b"\r").unwrap_or(before).len(),
            None => before.len(),
        };
        while self.open.len() > delimiter.level + 1 {
            if self.open.pop().is_some_and(|open| !open.closed) {
                self.notes.note(seen::BOUNDARY_UNCLOSED, "");
            }
        }
        let height = self.open.last().map_or(0, |open| open.height);
        while self.chain.len() > height {
            self.end_innermost(end);
        }
    }

    fn end_innermost(&mut self, end: usize) {
        if let Some(part) = self.chain.pop().and_then(|index| self.parts.get_mut(index)) {
            part.body.end = end.max(part.body.start);
        }
    }

    fn finish(mut self) -> (Message<'a>, Vec<Finding>) {
        for open in self.open.iter().filter(|open| !open.closed) {
            let seen = if open.seen { seen::BOUNDARY_UNCLOSED } else { seen::BOUNDARY_UNSEEN };
            self.notes.note(seen, "");
        }
        let end = self.bytes.len();
        while !self.chain.is_empty() {
            self.end_innermost(end);
        }
        let Self { bytes, parts, fields, notes, .. } = self;
        (Message { bytes, parts, fields }, notes.into_findings())
    }
}

/// The length of a field's name if the line has one: printable ASCII without spaces, then
/// perhaps white space (RFC 5322 §4.5.8, obsolete), then the colon.
fn name_length(line: &[u8]) -> Option<usize> {
    let mut cursor = Cursor::new(line);
    let name = cursor.take_while(|byte| byte.is_ascii_graphic() && byte != b':');
    if name.is_empty() {
        return None;
    }
    cursor.take_while(|byte| matches!(byte, b' ' | b'\t'));
    (cursor.peek() == Some(b':')).then(|| cursor.position())
}
