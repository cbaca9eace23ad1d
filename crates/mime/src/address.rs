//! Address lists (RFC 5322 §3.4) with groups, comments, quoted and encoded names, as tolerant as
//! readers are.

use crate::parameter::{jis_run, quoted};
use crate::word::decode_words;
use terms::Cursor;

/// Entries of one list. A message has at most 1,000 recipients; twice that and groups fit.
const ENTRIES: usize = 5_000;

/// One mailbox. Octets as they stand in the header, quotes taken off.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Address {
    /// The display name, encoded words left as they are. Empty if there is none.
    pub name: Vec<u8>,
    /// An obsolete source route, `@a,@b`. Empty if there is none.
    pub route: Vec<u8>,
    pub local: Vec<u8>,
    pub domain: Vec<u8>,
}

impl Address {
    /// The display name as text.
    pub fn display(&self) -> String {
        decode_words(&self.name)
    }

    /// `local@domain`; the domain in lower case.
    pub fn address(&self) -> String {
        let local = decode_words(&self.local);
        match self.domain_text() {
            domain if domain.is_empty() => local,
            domain => format!("{local}@{domain}"),
        }
    }

    pub fn domain_text(&self) -> String {
        decode_words(&self.domain).to_lowercase()
    }
}

/// An element of a list. Groups are flat: a start, members, an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    Mailbox(Address),
    GroupStart(Vec<u8>),
    GroupEnd,
}

/// Reads an address list, unfolded or not.
pub fn addresses(value: &[u8]) -> Vec<Entry> {
    let mut reader = Reader {
        cursor: Cursor::new(value),
        entries: Vec::new(),
        phrase: Phrase::default(),
        in_group: false,
    };
    while reader.entries.len() < ENTRIES && reader.step() {}
    reader.end_mailbox();
    reader.end_group();
    reader.entries
}

/// The mailboxes of a list without its groups.
pub(crate) fn mailboxes(value: &[u8]) -> Vec<Address> {
    let mailbox = |entry| match entry {
        Entry::Mailbox(address) => Some(address),
        _ => None,
    };
    addresses(value).into_iter().filter_map(mailbox).collect()
}

/// The mailboxes of a From value. A comma in a name without quotes (`Foo, Inc. <a@b>`) makes a
/// stray entry without a domain; it is read as a part of the name that follows, as people do.
pub(crate) fn authors(value: &[u8]) -> Vec<Address> {
    let mut authors: Vec<Address> = Vec::new();
    let mut stray: Vec<u8> = Vec::new();
    for mut address in mailboxes(value) {
        let bare = address.domain.is_empty() && address.name.is_empty();
        if bare {
            stray.extend_from_slice(&address.local);
            stray.extend_from_slice(b", ");
            continue;
        }
        stray.extend_from_slice(&address.name);
        address.name = std::mem::take(&mut stray);
        authors.push(address);
    }
    if authors.is_empty() && !stray.is_empty() {
        let local = stray.strip_suffix(b", ").unwrap_or(&stray).to_vec();
        authors.push(Address { local, ..Address::default() });
    }
    authors
}

/// What has been read since the last separator.
#[derive(Default)]
struct Phrase {
    text: Vec<u8>,
    comment: Vec<u8>,
    /// From `<…>`.
    angle: Option<Vec<u8>>,
    seen_any: bool,
    has_quotes: bool,
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    entries: Vec<Entry>,
    phrase: Phrase,
    in_group: bool,
}

impl Reader<'_> {
    fn step(&mut self) -> bool {
        let Some(byte) = self.cursor.peek() else {
            return false;
        };
        match byte {
            b',' => {
                self.cursor.next();
                self.end_mailbox();
            }
            b';' => {
                self.cursor.next();
                self.end_mailbox();
                self.end_group();
            }
            b':' if !self.in_group && self.phrase.angle.is_none() => {
                self.cursor.next();
                let phrase = std::mem::take(&mut self.phrase);
                self.entries.push(Entry::GroupStart(phrase.text.trim_ascii().to_vec()));
                self.in_group = true;
            }
            b'<' => self.angle(),
            b'(' => {
                let comment = comment(&mut self.cursor);
                self.phrase.comment = comment;
            }
            b'"' => {
                let text = quoted(&mut self.cursor);
                self.phrase.has_quotes = true;
                self.push_text(&text);
            }
            b' ' | b'\t' | b'\r' | b'\n' => {
                self.cursor.next();
                if self.phrase.text.last().is_some_and(|last| *last != b' ') {
                    self.phrase.text.push(b' ');
                }
            }
            0x1B => {
                self.cursor.next();
                let mut text = Vec::new();
                jis_run(&mut self.cursor, &mut text);
                self.push_text(&text);
            }
            other => {
                self.cursor.next();
                self.push_text(&[other]);
            }
        }
        true
    }

    fn push_text(&mut self, text: &[u8]) {
        self.phrase.seen_any = true;
        self.phrase.text.extend_from_slice(text);
    }

    fn angle(&mut self) {
        self.cursor.next();
        let mut inside = Vec::new();
        let mut in_quotes = false;
        while let Some(byte) = self.cursor.peek() {
            if byte == b'(' && !in_quotes && self.comment_ends_here() {
                comment(&mut self.cursor);
                continue;
            }
            self.cursor.next();
            match byte {
                b'"' => in_quotes = !in_quotes,
                b'>' if !in_quotes => break,
                b'\\' if in_quotes => inside.extend(self.cursor.next()),
                other if other.is_ascii_whitespace() && !in_quotes => {}
                other => inside.push(other),
            }
        }
        // Of two angles in one entry the last is the address, as most readers take it.
        self.phrase.angle = Some(inside);
        self.phrase.seen_any = true;
    }

    /// A comment between angles is closed between them; a bracket that is not stands for itself.
    fn comment_ends_here(&self) -> bool {
        let mut depth = 0usize;
        let mut octets = self.cursor.rest().iter();
        while let Some(byte) = octets.next() {
            match byte {
                b'\\' => drop(octets.next()),
                b'(' => depth += 1,
                b')' if depth == 1 => return true,
                b')' => depth -= 1,
                b'>' => return false,
                _ => {}
            }
        }
        false
    }

    fn end_mailbox(&mut self) {
        let phrase = std::mem::take(&mut self.phrase);
        if !phrase.seen_any {
            return;
        }
        let text = phrase.text.trim_ascii();
        let address = match &phrase.angle {
            Some(angle) => {
                let name = if text.is_empty() { phrase.comment.as_slice() } else { text };
                let mut address = split_address(angle);
                address.name = name.trim_ascii().to_vec();
                address
            }
            None => {
                let spaced = phrase.has_quotes || !text.contains(&b'@');
                let bare = if spaced { text.to_vec() } else { spaces_out(text) };
                let mut address = split_address(&bare);
                address.name = phrase.comment.trim_ascii().to_vec();
                address
            }
        };
        self.entries.push(Entry::Mailbox(address));
    }

    fn end_group(&mut self) {
        if std::mem::take(&mut self.in_group) {
            self.entries.push(Entry::GroupEnd);
        }
    }
}

/// White space around the `@` and dots of a bare address is allowed by the obsolete syntax.
fn spaces_out(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| *byte != b' ').collect()
}

fn split_address(text: &[u8]) -> Address {
    let mut rest = text;
    let mut route = Vec::new();
    if rest.starts_with(b"@")
        && let Some(colon) = memchr::memchr(b':', rest)
    {
        let mut cursor = Cursor::new(rest);
        route = cursor.take(colon).unwrap_or_default().to_vec();
        cursor.eat(b':');
        rest = cursor.rest();
    }
    match memchr::memrchr(b'@', rest) {
        Some(at) => {
            let mut cursor = Cursor::new(rest);
            let local = cursor.take(at).unwrap_or_default().to_vec();
            cursor.eat(b'@');
            Address { name: Vec::new(), route, local, domain: cursor.rest().to_vec() }
        }
        None => Address { route, local: rest.to_vec(), ..Address::default() },
    }
}

/// A comment's text from its bracket, nested ones flattened; counted, not recursed.
fn comment(cursor: &mut Cursor<'_>) -> Vec<u8> {
    let mut depth = 0usize;
    let mut text = Vec::new();
    while let Some(byte) = cursor.next() {
        match byte {
            b'(' => {
                depth += 1;
                if depth == 1 {
                    continue;
                }
            }
            b')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            }
            b'\\' => {
                text.extend(cursor.next());
                continue;
            }
            0x1B => {
                jis_run(cursor, &mut text);
                continue;
            }
            b'\r' | b'\n' => continue,
            _ => {}
        }
        text.push(byte);
    }
    text
}
