//! The tree that `parse` makes: a flat list of parts, each with the exact octets it spans.

use crate::parameter::{ContentType, Disposition, disposition};
use crate::transfer::Encoding;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;
use terms::Cursor;

/// Parts of one message. Real mail stays below 200; 10,000 have killed other servers.
pub const PARTS: usize = 1_000;
/// Parts inside parts. Forwarded forwards reach ten.
pub const DEPTH: usize = 50;
/// Fields of one header. A message whose own has more is refused before anybody keeps it.
pub const FIELDS_PER_PART: usize = terms::HEADER_FIELDS;
/// Fields of all headers of a message, so that small parts cannot multiply them.
pub const FIELDS_PER_MESSAGE: usize = 20_000;
/// Octets of one field that are looked at. The longest honest ones (To, References) reach 40 KiB.
pub const FIELD_BYTES: usize = 64 * 1024;

/// One header field by position. `name..colon` is the name, `colon + 1..value_end` the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub start: usize,
    pub colon: usize,
    /// Where the value ends, without the line's end, cut to `FIELD_BYTES`.
    pub value_end: usize,
    /// Behind the line's end: `start..end` is the whole field as it came.
    pub end: usize,
}

/// What a part contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    Octets,
    Parts,
    /// Its only child is the message inside.
    Message,
}

/// One part. Part 0 is the message itself.
#[derive(Clone, Debug)]
pub struct Part {
    pub parent: Option<usize>,
    /// Place among its parent's children, from 1.
    pub number: u32,
    pub depth: usize,
    /// A message of its own: the root, or what a message/rfc822 part contains.
    pub is_message: bool,
    /// The header with its empty line.
    pub header: Range<usize>,
    pub body: Range<usize>,
    pub content_type: ContentType,
    pub encoding: Encoding,
    pub holds: Holds,
    pub children: Vec<usize>,
    pub(crate) fields: Range<usize>,
    /// Counted when first asked for: both forms of a structure want it.
    pub(crate) lines: OnceCell<usize>,
}

/// A message taken apart. Borrows the octets; copies none of them.
pub struct Message<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) parts: Vec<Part>,
    pub(crate) fields: Vec<Field>,
}

impl<'a> Message<'a> {
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub fn part(&self, index: usize) -> Option<&Part> {
        self.parts.get(index)
    }

    pub fn slice(&self, range: &Range<usize>) -> &'a [u8] {
        Cursor::new(self.bytes).slice(range.start, range.end)
    }

    /// The fields of a part's header, in their order.
    pub fn fields(&self, part: &Part) -> &[Field] {
        self.fields.get(part.fields.clone()).unwrap_or_default()
    }

    pub fn name(&self, field: &Field) -> &'a [u8] {
        self.slice(&(field.start..field.colon)).trim_ascii_end()
    }

    /// The value as it came, folded, without the end of its last line.
    pub fn raw_value(&self, field: &Field) -> &'a [u8] {
        self.slice(&(field.colon.saturating_add(1)..field.value_end))
    }

    /// Every value of the fields called `name`, unfolded and trimmed.
    pub fn values(&self, part: &Part, name: &str) -> impl Iterator<Item = Cow<'a, [u8]>> {
        self.fields(part)
            .iter()
            .filter(move |field| self.name(field).eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| unfold(self.raw_value(field)))
    }

    /// The first value of the fields called `name`.
    pub fn value(&self, part: &Part, name: &str) -> Option<Cow<'a, [u8]>> {
        self.values(part, name).next()
    }

    pub fn disposition(&self, part: &Part) -> Option<Disposition> {
        self.value(part, "content-disposition").map(|value| disposition(&value))
    }

    /// The name under which a part would be saved: from its disposition, else from its type.
    pub fn file_name(&self, part: &Part) -> Option<String> {
        self.disposition(part)
            .and_then(|found| found.parameter("filename"))
            .or_else(|| part.content_type.parameter("name"))
            .filter(|name| !name.is_empty())
    }

    /// The body with its transfer encoding taken off.
    pub fn content(&self, part: &Part) -> Cow<'a, [u8]> {
        crate::transfer::decode_transfer(part.encoding, self.slice(&part.body))
    }
}

/// Takes the folds out (RFC 5322 §2.2.3: the line ends go, the white space stays) and trims.
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect())
}

/// The unfolded values of the fields called `name` in a raw header block, for readers of a
/// `Summary` that hold no message.
pub fn field_values(header: &[u8], name: &str) -> Vec<Vec<u8>> {
    let (message, _) = crate::parse::parse_header(header);
    let Some(root) = message.part(0) else {
        return Vec::new();
    };
    message.values(root, name).map(Cow::into_owned).collect()
}

/// The unfolded values of the fields called `name` in a whole message, none cut: for those who look
/// for octets in them. `field_values` sees at most `FIELD_BYTES` of each.
pub fn whole_values(message: &[u8], name: &str) -> Vec<Vec<u8>> {
    let (message, _) = crate::parse::parse_header(message);
    let Some(root) = message.part(0) else {
        return Vec::new();
    };
    let named = message
        .fields(root)
        .iter()
        .filter(|field| message.name(field).eq_ignore_ascii_case(name.as_bytes()));
    let whole = |field: &Field| message.slice(&(field.colon.saturating_add(1)..field.end));
    named.map(|field| unfold(whole(field)).into_owned()).collect()
}

/// The header of a whole message, its empty line included.
pub fn header_of(message: &[u8]) -> &[u8] {
    let (parsed, _) = crate::parse::parse_header(message);
    parsed.part(0).map_or(&[], |root| parsed.slice(&root.header))
}

/// All fields of a raw header block, in their order: names in lower case, values unfolded.
pub fn fields(header: &[u8]) -> Vec<(String, Vec<u8>)> {
    let (message, _) = crate::parse::parse_header(header);
    let Some(root) = message.part(0) else {
        return Vec::new();
    };
    let of = |field: &Field| {
        let name = String::from_utf8_lossy(message.name(field)).to_ascii_lowercase();
        (name, unfold(message.raw_value(field)).into_owned())
    };
    message.fields(root).iter().map(of).collect()
}
