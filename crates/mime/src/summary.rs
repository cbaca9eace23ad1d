//! What a mailbox shows of a message without opening its body.

use crate::address::{authors, mailboxes};
use crate::charset::decode_charset;
use crate::date::epoch_seconds;
use crate::html;
use crate::parse::parse;
use crate::part::{Holds, Message, Part};
use crate::structure;
use crate::transfer::{Encoding, decode_transfer};
use crate::word::decode_words;
use serde::{Deserialize, Serialize};
use terms::Cursor;

/// Octets of the top header that are kept: the largest honest ones reach 40 KiB.
pub const HEADER_BYTES: usize = 64 * 1024;
/// Characters of the snippet: two lines of a message list.
const SNIPPET_LETTERS: usize = 200;
/// Octets of a body that are read for the snippet; HTML mail begins with much style.
const SNIPPET_SOURCE_BYTES: usize = 128 * 1024;
/// Characters of each decoded text.
const TEXT_LETTERS: usize = 1_000;
/// Attachments listed.
const ATTACHMENTS: usize = 100;

/// A file in a message.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    pub name: String,
    /// The declared type, `main/sub`.
    pub kind: String,
    /// Octets after decoding, estimated from the encoded size.
    pub size: u64,
}

/// The overview of one message. Plaintext: sealed before it is kept, never printed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The top header as it came, its empty line included, cut to `HEADER_BYTES`.
    pub header: Vec<u8>,
    /// How long the top header really is.
    pub header_bytes: u64,
    /// IMAP's ENVELOPE with its brackets; may contain literals.
    pub envelope: Vec<u8>,
    /// IMAP's BODYSTRUCTURE with its brackets.
    pub bodystructure: Vec<u8>,
    /// IMAP's BODY (not extended) with its brackets.
    pub body: Vec<u8>,
    pub subject: String,
    /// The first From: display name and address, as text.
    pub from: String,
    /// The first From's bare address.
    pub from_address: String,
    /// To, as text.
    pub to: String,
    pub date_text: String,
    /// Date in seconds since 1970, if it could be read.
    pub sent: Option<i64>,
    pub message_id: String,
    pub in_reply_to: String,
    /// The first readable words.
    pub snippet: String,
    /// Octets of the whole message.
    pub size: u64,
    pub attachments: Vec<Attachment>,
}

/// The overview of an empty message: every structure stands in its form, none says anything.
impl Default for Summary {
    fn default() -> Self {
        summarise(b"")
    }
}

/// Reads a message's overview.
pub fn summarise(bytes: &[u8]) -> Summary {
    summary_of(&parse(bytes).0)
}

/// The same, of a message already taken apart.
pub fn summary_of(message: &Message<'_>) -> Summary {
    let mut envelope = Vec::new();
    let mut bodystructure = Vec::new();
    let mut body = Vec::new();
    let mut header: &[u8] = &[];
    if let Some(root) = message.part(0) {
        header = message.slice(&root.header);
        structure::envelope(message, root, &mut envelope);
        structure::structure(message, 0, true, &mut bodystructure);
        structure::structure(message, 0, false, &mut body);
    }
    let value = |name: &str| {
        let root = message.part(0)?;
        message.value(root, name).map(|value| value.into_owned())
    };
    let decoded = |name: &str| clipped(&decode_words(&value(name).unwrap_or_default()));
    let from = authors(&value("from").unwrap_or_default()).into_iter().next();
    let from = from.unwrap_or_default();
    let to = mailboxes(&value("to").unwrap_or_default());
    let to: Vec<String> = to.iter().take(20).map(shown).collect();
    Summary {
        header: Cursor::new(header).slice(0, HEADER_BYTES).to_vec(),
        header_bytes: header.len() as u64,
        envelope,
        bodystructure,
        body,
        subject: decoded("subject"),
        from: clipped(&shown(&from)),
        from_address: clipped(&from.address()),
        to: clipped(&to.join(", ")),
        date_text: decoded("date"),
        sent: value("date").and_then(|date| epoch_seconds(&date)),
        message_id: decoded("message-id"),
        in_reply_to: decoded("in-reply-to"),
        snippet: snippet(message),
        size: message.bytes().len() as u64,
        attachments: attachments(message),
    }
}

fn shown(address: &crate::address::Address) -> String {
    match (address.display(), address.address()) {
        (name, bare) if name.is_empty() => bare,
        (name, bare) => format!("{name} <{bare}>"),
    }
}

fn clipped(text: &str) -> String {
    text.chars().take(TEXT_LETTERS).collect()
}

/// Parts of the message itself, not of messages attached to it.
fn own_parts<'m>(message: &'m Message<'_>) -> Vec<&'m Part> {
    let mut foreign = vec![false; message.parts().len()];
    let mut own = Vec::new();
    for (index, part) in message.parts().iter().enumerate() {
        let parent = part.parent.and_then(|parent| message.part(parent).zip(foreign.get(parent)));
        let inside =
            parent.is_some_and(|(parent, foreign)| *foreign || parent.holds == Holds::Message);
        if let Some(place) = foreign.get_mut(index) {
            *place = inside;
        }
        if !inside {
            own.push(part);
        }
    }
    own
}

fn attachments(message: &Message<'_>) -> Vec<Attachment> {
    let mut found = Vec::new();
    for part in own_parts(message) {
        if part.holds == Holds::Parts || found.len() >= ATTACHMENTS {
            continue;
        }
        let name = message.file_name(part);
        let attached =
            message.disposition(part).is_some_and(|disposition| disposition.kind == "attachment");
        if name.is_none() && !attached && part.holds != Holds::Message {
            continue;
        }
        found.push(Attachment {
            name: clipped(&name.unwrap_or_default()),
            kind: part.content_type.essence(),
            size: decoded_size(part),
        });
    }
    found
}

fn decoded_size(part: &Part) -> u64 {
    let length = part.body.len() as u64;
    match part.encoding {
        // 76 letters and a line end carry 57 octets.
        Encoding::Base64 => length * 57 / 78,
        Encoding::Uuencode => length * 45 / 63,
        _ => length,
    }
}

fn snippet(message: &Message<'_>) -> String {
    let own = own_parts(message);
    for wanted in ["plain", "html"] {
        for part in own.iter().take(50) {
            let attached =
                message.disposition(part).is_some_and(|found| found.kind == "attachment");
            if part.holds != Holds::Octets || attached || !part.content_type.is("text", wanted) {
                continue;
            }
            let text = part_text(message, part, SNIPPET_SOURCE_BYTES);
            let words = match wanted {
                "html" => html::readable(&text, SNIPPET_LETTERS * 4),
                _ => text,
            };
            let snippet = first_words(&words);
            if !snippet.is_empty() {
                return snippet;
            }
        }
    }
    String::new()
}

/// The text of a part, from at most `most` octets of its body.
pub(crate) fn part_text(message: &Message<'_>, part: &Part, most: usize) -> String {
    let body = message.slice(&part.body);
    let cut = Cursor::new(body).slice(0, most);
    let octets = decode_transfer(part.encoding, cut);
    let mut octets = octets.as_ref();
    if cut.len() < body.len() {
        // The cut may stand inside a character, which would make the whole look like another
        // charset.
        let end = memchr::memrchr2(b'\n', b' ', octets).unwrap_or(octets.len());
        octets = Cursor::new(octets).slice(0, end);
    }
    decode_charset(part.content_type.charset().as_deref(), octets).text
}

fn first_words(text: &str) -> String {
    let mut snippet = String::new();
    let mut letters = 0;
    for word in text.split(|letter: char| letter.is_whitespace() || letter.is_control()) {
        if word.is_empty() {
            continue;
        }
        if letters > 0 {
            snippet.push(' ');
            letters += 1;
        }
        for letter in word.chars() {
            if letters >= SNIPPET_LETTERS {
                return snippet;
            }
            snippet.push(letter);
            letters += 1;
        }
    }
    snippet
}
