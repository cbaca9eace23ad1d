//! FETCH: which data items of which messages. RFC 3501 §6.4.5, RFC 7162 §3.1.4.

use crate::limit::{FETCH_ITEMS, HEADER_FIELDS, PART_DEPTH};
use crate::sequence::{SequenceSet, sequence_set};
use crate::words::{Why, Words};

#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq)]
pub struct Fetch {
    pub set: SequenceSet,
    pub uid: bool,
    pub items: Vec<Item>,
    pub changed_since: Option<u64>,
}

#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq)]
pub enum Item {
    Flags,
    Uid,
    InternalDate,
    Size,
    ModSeq,
    Envelope,
    /// BODY: the structure without extension data.
    Body,
    BodyStructure,
    /// RFC822: the whole message, sets \Seen.
    Rfc822,
    /// RFC822.HEADER: does not set \Seen.
    Rfc822Header,
    /// RFC822.TEXT: sets \Seen.
    Rfc822Text,
    Section {
        section: Section,
        /// BODY.PEEK: \Seen stays as it is.
        peek: bool,
        /// First octet and how many.
        partial: Option<(u32, u32)>,
    },
}

impl Item {
    /// Whether showing this sets \Seen in a folder open for writing.
    pub fn marks_seen(&self) -> bool {
        match self {
            Self::Rfc822 | Self::Rfc822Text => true,
            Self::Section { peek, .. } => !peek,
            _ => false,
        }
    }
}

/// What stands between the brackets of `BODY[…]`.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// Part numbers from the outside in; empty for the message itself.
    pub part: Vec<u32>,
    pub text: SectionText,
}

#[cfg_attr(test, derive(Debug))]
#[derive(Clone, Default, PartialEq, Eq)]
pub enum SectionText {
    /// The whole part or message.
    #[default]
    All,
    Header,
    /// Names in capitals or not, as asked, in the order asked.
    HeaderFields(Vec<String>),
    HeaderFieldsNot(Vec<String>),
    Text,
    Mime,
}

pub(crate) fn fetch(words: &mut Words, uid: bool) -> Result<Fetch, Why> {
    let set = sequence_set(words)?;
    words.space()?;
    let mut items = Vec::new();
    if words.peek() == Some(b'(') {
        let found = words.listed(FETCH_ITEMS, item)?;
        items.extend(found);
    } else if words.eat_word("ALL") {
        items = vec![Item::Flags, Item::InternalDate, Item::Size, Item::Envelope];
    } else if words.eat_word("FULL") {
        items = vec![Item::Flags, Item::InternalDate, Item::Size, Item::Envelope, Item::Body];
    } else if words.eat_word("FAST") {
        items = vec![Item::Flags, Item::InternalDate, Item::Size];
    } else {
        items.push(item(words)?);
    }
    if items.is_empty() {
        return Err("FETCH asks for nothing");
    }
    let mut changed_since = None;
    if words.eat(b' ') {
        words.open()?;
        if !words.eat_word("CHANGEDSINCE") {
            return Err("expected CHANGEDSINCE");
        }
        words.space()?;
        changed_since = Some(words.number()?);
        words.close()?;
    }
    Ok(Fetch { set, uid, items, changed_since })
}

fn item(words: &mut Words) -> Result<Item, Why> {
    let name = words.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    let name = name.to_ascii_uppercase();
    let sections = words.peek() == Some(b'[');
    Ok(match (name.as_slice(), sections) {
        (b"BODY", true) => return sectioned(words, false),
        (b"BODY.PEEK", true) => return sectioned(words, true),
        (_, true) => return Err("only BODY and BODY.PEEK take a section"),
        (b"FLAGS", _) => Item::Flags,
        (b"UID", _) => Item::Uid,
        (b"INTERNALDATE", _) => Item::InternalDate,
        (b"RFC822.SIZE", _) => Item::Size,
        (b"MODSEQ", _) => Item::ModSeq,
        (b"ENVELOPE", _) => Item::Envelope,
        (b"BODY", _) => Item::Body,
        (b"BODYSTRUCTURE", _) => Item::BodyStructure,
        (b"RFC822", _) => Item::Rfc822,
        (b"RFC822.HEADER", _) => Item::Rfc822Header,
        (b"RFC822.TEXT", _) => Item::Rfc822Text,
        _ => return Err("unknown FETCH item"),
    })
}

fn sectioned(words: &mut Words, peek: bool) -> Result<Item, Why> {
    words.eat(b'[');
    let section = section(words)?;
    if !words.eat(b']') {
        return Err("the section is not closed");
    }
    let mut partial = None;
    if words.eat(b'<') {
        let from = words.number_u32()?;
        let dot = words.eat(b'.');
        let count = words.number_u32()?;
        // RFC 3501 §9: the count is a nz-number.
        if !dot || count == 0 || !words.eat(b'>') {
            return Err("expected <first octet.count>");
        }
        partial = Some((from, count));
    }
    Ok(Item::Section { section, peek, partial })
}

fn section(words: &mut Words) -> Result<Section, Why> {
    let mut part = Vec::new();
    while words.peek().is_some_and(|byte| byte.is_ascii_digit()) {
        match words.number_u32()? {
            0 => return Err("parts are numbered from 1"),
            number => part.push(number),
        }
        if part.len() > PART_DEPTH {
            return Err("the part number is too long");
        }
        if !words.eat(b'.') {
            return Ok(Section { part, text: SectionText::All });
        }
        if words.peek() == Some(b']') {
            return Err("the part number ends with a dot");
        }
    }
    let name = words.take_while(|byte| byte.is_ascii_alphabetic() || byte == b'.');
    let text = match name.to_ascii_uppercase().as_slice() {
        b"" if part.is_empty() => SectionText::All,
        b"HEADER" => SectionText::Header,
        b"TEXT" => SectionText::Text,
        b"MIME" if !part.is_empty() => SectionText::Mime,
        b"HEADER.FIELDS" => SectionText::HeaderFields(field_names(words)?),
        b"HEADER.FIELDS.NOT" => SectionText::HeaderFieldsNot(field_names(words)?),
        _ => return Err("unknown section"),
    };
    Ok(Section { part, text })
}

fn field_names(words: &mut Words) -> Result<Vec<String>, Why> {
    words.space()?;
    let names = words.listed(HEADER_FIELDS, |words| {
        let name = words.astring()?;
        // RFC 5322 §2.2: a field name is printable ASCII but the colon.
        if name.is_empty() || !name.iter().all(|byte| (33..=126).contains(byte) && *byte != b':') {
            return Err("expected a header field's name");
        }
        String::from_utf8(name).map_err(|_| "expected a header field's name")
    })?;
    if names.is_empty() { Err("the list of field names is empty") } else { Ok(names) }
}
