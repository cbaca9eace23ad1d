//! The header of a message that our person wrote: who it says it is from, what it must not carry
//! along, what it lacks. Strict: what has two readings does not leave in our person's name.

use crate::stop::{Step, Stop};
use memchr::memmem;
use smtp::Address;
use terms::{HEADER_BYTES, HEADER_FIELDS};
use wire::directory::OUTLET_FIELD;

/// People who wrote one message together.
const AUTHORS: usize = 10;

/// One field: its name, and the whole of it with its folds and line ends.
struct Field {
    start: usize,
    colon: usize,
    end: usize,
}

/// The fields of a message, in their order.
pub(crate) struct Header<'a> {
    octets: &'a [u8],
    fields: Vec<Field>,
    /// Behind the empty line.
    pub end: usize,
}

/// Fields that nobody but the sender may see, one that only the last host writes (RFC 5322
/// §3.6.3, §3.6.6; RFC 5321 §4.4), and the secret of a tenant's own server.
const NOT_FOR_OTHERS: [&str; 4] = ["bcc", "resent-bcc", "return-path", OUTLET_FIELD];

impl<'a> Header<'a> {
    /// Reads the header of a text whose lines end with CRLF, as they must (RFC 5322 §2.2): a line
    /// end that is one for some readers only would be a second reading of what follows.
    pub(crate) fn read(octets: &'a [u8]) -> Step<Self> {
        let mut fields: Vec<Field> = Vec::new();
        let mut at = 0;
        loop {
            let rest = octets.get(at..).unwrap_or_default();
            let length = match memmem::find(rest, b"\r\n") {
                Some(0) => return Ok(Self { octets, fields, end: at + 2 }),
                Some(length) => length,
                None if rest.is_empty() => return Ok(Self { octets, fields, end: at }),
                // The last line of a text has its CRLF, but BDAT may have brought none.
                None => rest.len(),
            };
            let end = (at + length + 2).min(octets.len());
            if end > HEADER_BYTES {
                return Err(Stop::no(554, (6, 0), "this message's header is too long"));
            }
            let line = rest.get(..length).unwrap_or_default();
            if is_torn(line) {
                return Err(unreadable());
            }
            let is_full = fields.len() >= HEADER_FIELDS;
            match (line.first(), fields.last_mut()) {
                (Some(b' ' | b'\t'), Some(field)) => field.end = end,
                _ if is_full => {
                    return Err(Stop::no(554, (6, 0), "this message's header has too many fields"));
                }
                _ => fields.push(Field { start: at, colon: at + colon(line)?, end }),
            }
            at = end;
        }
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(move |field| {
            let found = self.octets.get(field.start..field.colon).unwrap_or_default();
            found.trim_ascii_end().eq_ignore_ascii_case(name.as_bytes())
        })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.named(name).next().is_some()
    }

    /// The first value of that name, unfolded.
    pub(crate) fn value(&self, name: &str) -> Option<Vec<u8>> {
        self.values(name).next()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = Vec<u8>> {
        self.named(name).map(|field| {
            let value = self.octets.get(field.colon + 1..field.end).unwrap_or_default();
            mime::unfold(value).into_owned()
        })
    }

    /// The places of fields that do not go along, whole, with their folds.
    pub(crate) fn withheld(&self) -> Vec<(usize, usize)> {
        let places = NOT_FOR_OTHERS.iter().flat_map(|name| self.named(name));
        places.map(|field| (field.start, field.end)).collect()
    }

    /// The authors: From, once, with addresses that have one reading (RFC 5322 §3.6.2).
    pub(crate) fn authors(&self) -> Step<Vec<String>> {
        let values: Vec<Vec<u8>> = self.values("from").collect();
        let [from] = values.as_slice() else {
            return Err(Stop::no(550, (7, 1), "a message has From once, with your address in it"));
        };
        let authors = addresses(from).filter(|authors| (1..=AUTHORS).contains(&authors.len()));
        authors.ok_or_else(|| Stop::no(550, (7, 1), "the address in From cannot be read"))
    }

    /// Others in whose name it says to come: they must be the person too.
    pub(crate) fn spokesmen(&self) -> Step<Vec<String>> {
        let mut all = Vec::new();
        for name in ["sender", "resent-from", "resent-sender"] {
            let values: Vec<Vec<u8>> = self.values(name).collect();
            let is_sound = name != "sender" || values.len() <= 1;
            let read = values.iter().map(|value| addresses(value));
            let read: Option<Vec<Vec<String>>> = read.collect();
            match read.filter(|_| is_sound) {
                Some(read) => all.extend(read.into_iter().flatten()),
                None => {
                    let text = format!("the address in {name} cannot be read");
                    return Err(Stop::no(550, (7, 1), text));
                }
            }
        }
        all.truncate(4 * AUTHORS);
        Ok(all)
    }

    /// A notice of a program, RFC 6522.
    pub(crate) fn is_report(&self) -> bool {
        let value = self.value("content-type");
        value.is_some_and(|value| mime::content_type(&value).is("multipart", "report"))
    }

    pub(crate) fn is_ascii(&self) -> bool {
        self.octets.get(..self.end).unwrap_or_default().is_ascii()
    }
}

fn unreadable() -> Stop {
    Stop::no(554, (6, 0), "this message's header cannot be read")
}

/// Whether a piece between two CRLF holds what ends a line, or a text, for some.
fn is_torn(line: &[u8]) -> bool {
    memchr::memchr3(b'\r', b'\n', 0, line).is_some()
}

/// Whether every line of a text is whole. The session that took it in has looked already; it is
/// another process, and nearer to strangers.
pub(crate) fn is_clean(mut octets: &[u8]) -> bool {
    while let Some(at) = memchr::memchr3(b'\r', b'\n', 0, octets) {
        match octets.get(at..at + 2) {
            Some(b"\r\n") => octets = octets.get(at + 2..).unwrap_or_default(),
            _ => return false,
        }
    }
    true
}

/// Where a field's name ends. A line that is no field may be read as the end of the header by
/// some, and what stands behind it as the body.
fn colon(line: &[u8]) -> Step<usize> {
    let colon = memchr::memchr(b':', line);
    let name = colon.and_then(|colon| line.get(..colon)).unwrap_or_default().trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    colon.filter(|_| is_name).ok_or_else(unreadable)
}

/// The addresses of a list, if it has exactly one reading: no group, no route, no encoded word in
/// an address, no second pair of angles in one entry.
fn addresses(value: &[u8]) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut in_angles = 0;
    for entry in mime::addresses(value) {
        let mime::Entry::Mailbox(address) = entry else { return None };
        let local = std::str::from_utf8(&address.local).ok()?;
        let domain = std::str::from_utf8(&address.domain).ok()?;
        if !address.route.is_empty() || local.contains("=?") || domain.contains("=?") {
            return None;
        }
        let plain = format!("{local}@{domain}");
        let read = Address::parse(&plain).or_else(|| {
            let quoted = local.replace('\\', "\\\\").replace('"', "\\\"");
            Address::parse(&format!("\"{quoted}\"@{domain}"))
        })?;
        in_angles += 1;
        found.push(read.written());
    }
    (angles(value)? <= in_angles).then_some(found)
}

/// Opening angles outside quotes and comments. `None`: something is not closed.
fn angles(value: &[u8]) -> Option<usize> {
    let (mut count, mut depth, mut quoted) = (0, 0usize, false);
    let mut octets = value.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' if quoted || depth > 0 => drop(octets.next()?),
            b'"' if depth == 0 => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.checked_sub(1)?,
            b'<' if !quoted && depth == 0 => count += 1,
            _ => {}
        }
    }
    (depth == 0 && !quoted).then_some(count)
}
