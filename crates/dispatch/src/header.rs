//! The header of a message that our person wrote: who it says it is from, what it must not carry
//! along, what it lacks. Strict: what has two readings does not leave in our person's name.

use crate::mailboxes::{Odd, mailboxes};
use crate::stop::{Step, Stop};
use memchr::memmem;
use terms::{HEADER_BYTES, HEADER_FIELDS};
use wire::directory::OUTLET_FIELD;

/// People who wrote one message together, or sent it on.
const AUTHORS: usize = 10;
/// Others in whose name a message comes: it was sent on a few times.
const SPOKESMEN: usize = 40;

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

/// Fields that stand once (RFC 5322 §3.6, RFC 2045 §3): of two, one reader takes the first and
/// another the last. From and Sender are counted where they are read; Bcc does not go along.
const ONCE: [&str; 11] = [
    "date",
    "reply-to",
    "to",
    "cc",
    "message-id",
    "in-reply-to",
    "references",
    "subject",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
];

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
                // RFC 5322 §3.2.2: some take a line of blanks for the empty one.
                (Some(b' ' | b'\t'), _) if line.trim_ascii().is_empty() => {
                    let text = "a line of this message's header has nothing but blanks";
                    return Err(Stop::no(554, (6, 0), text));
                }
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

    /// Where the fields of that name begin.
    pub(crate) fn places(&self, name: &str) -> impl Iterator<Item = usize> {
        self.named(name).map(|field| field.start)
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

    /// RFC 8689 §5: its author wants it to arrive more than to arrive unread by others. Said twice,
    /// or with another word, it is not said.
    pub(crate) fn is_heedless(&self) -> bool {
        let mut said = self.values("tls-required");
        let says_no = said.next().is_some_and(|it| it.trim_ascii().eq_ignore_ascii_case(b"no"));
        says_no && said.next().is_none()
    }

    /// The places of fields that do not go along, whole, with their folds.
    pub(crate) fn withheld(&self) -> Vec<(usize, usize)> {
        let places = NOT_FOR_OTHERS.iter().flat_map(|name| self.named(name));
        places.map(|field| (field.start, field.end)).collect()
    }

    /// Whether every field that stands once does.
    pub(crate) fn stands_once(&self) -> Step<()> {
        match ONCE.iter().find(|name| self.named(name).nth(1).is_some()) {
            None => Ok(()),
            Some(name) => {
                let found = self.named(name).count();
                let text = format!("{name}: expected once, found {found} times");
                Err(Stop::no(554, (6, 0), text))
            }
        }
    }

    /// The authors: From, once, with addresses that have one reading (RFC 5322 §3.6.2).
    pub(crate) fn authors(&self) -> Step<Vec<String>> {
        let values: Vec<Vec<u8>> = self.values("from").collect();
        let [from] = values.as_slice() else {
            return Err(Stop::no(550, (7, 1), "a message has From once, with your address in it"));
        };
        mailboxes(from, AUTHORS).map_err(|odd| unnamed("From", &odd))
    }

    /// Others in whose name it says to come: they must be the person too, each of them.
    pub(crate) fn spokesmen(&self) -> Step<Vec<String>> {
        let mut all = Vec::new();
        for (name, most) in [("Sender", 1), ("Resent-From", AUTHORS), ("Resent-Sender", 1)] {
            for (before, value) in self.values(name).enumerate() {
                if name == "Sender" && before > 0 {
                    return Err(Stop::no(550, (7, 1), "Sender: expected once, found more"));
                }
                all.extend(mailboxes(&value, most).map_err(|odd| unnamed(name, &odd))?);
                if all.len() > SPOKESMEN {
                    let text = format!("{name}: expected {SPOKESMEN} addresses at most");
                    return Err(Stop::no(550, (7, 1), text));
                }
            }
        }
        Ok(all)
    }

    /// A notice of a program, RFC 6522.
    pub(crate) fn is_report(&self) -> bool {
        let value = self.value("content-type");
        value.is_some_and(|value| mime::content_type(&value).is("multipart", "report"))
    }
}

/// A field that does not say for certain who it is.
fn unnamed(name: &str, odd: &Odd) -> Stop {
    let Odd { expected, found } = odd;
    Stop::no(550, (7, 1), format!("{name}: expected {expected}, found: {found}"))
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
