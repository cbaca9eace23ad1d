//! What is suspicious in a message: hidden types, archives, programs, documents that act, pages
//! that deceive, senders that pretend.
//!
//! Work is measured, not timed: so many octets looked at, so many inflated, so many entries. The
//! same message gives the same findings on every machine.

mod file;
mod outside;
mod readings;
mod written;

mod archive;
mod inflate;
mod packed;
mod tar;
mod zip;

mod magic;
mod marks;
mod names;
mod office;
mod pdf;

mod lookalike;
mod page;
mod punycode;
mod sender;

#[cfg(test)]
mod tests;

use crate::parse::{Reading, parse_by};
use crate::part::{Holds, Message, Part};
use crate::seen::{self, Notes};
use crate::summary::{Summary, summary_of};
use crate::transfer::{self, Encoding};
use crate::word::decode_words;
use file::{File, Files};
use std::collections::BTreeSet;
use terms::Finding;

pub use inflate::gunzip;
pub use magic::{KINDS, true_kind};

/// Kinds of file by a word: what a file really is, known endings, and what findings say of files.
pub fn kinds_of_files() -> BTreeSet<&'static str> {
    let of_finding = |id: &'static str| {
        let (area, what) = id.strip_prefix("content.")?.rsplit_once('.')?;
        matches!(area, "type" | "name" | "archive" | "office" | "pdf").then_some(what)
    };
    let found = seen::FINDINGS.iter().filter_map(|seen| of_finding(seen.id));
    KINDS.iter().map(|kind| kind.name).chain(names::endings()).chain(found).collect()
}

/// What one examination may spend.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Octets that decompression may make, in all. Honest archives of mail stay far below.
    pub inflated_bytes: usize,
    /// Files inside archives that are looked at. The sources of a large program are that many;
    /// what they cost is bounded by the octets.
    pub entries: usize,
    /// Archives inside archives.
    pub depth: usize,
    /// Octets looked at, counting decoded ones again: bounds the time.
    pub looked_at_bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            inflated_bytes: 64 * 1024 * 1024,
            entries: 20_000,
            depth: 4,
            looked_at_bytes: 512 * 1024 * 1024,
        }
    }
}

/// What was found in one message.
pub struct Examined {
    pub findings: Vec<Finding>,
    pub parts: u32,
    pub summary: Summary,
}

/// Octets of a text part that are read as text: the rest is searched for marks only.
const TEXT_BYTES: usize = 1024 * 1024;

/// Makes what every process would make at its first message: for one that is forked from.
pub fn prepare() {
    lookalike::prepare();
}

/// Looks at a whole message.
pub fn examine(bytes: &[u8], budget: &Budget) -> Examined {
    let (message, findings, highest) = parse_by(bytes, Reading::default());
    let mut notes = Notes::default();
    findings.into_iter().for_each(|finding| notes.add(finding));
    whole(&message, &mut notes);
    sender::look(&message, &mut notes);
    let mut files = Files::new(budget, &mut notes);
    for part in message.parts() {
        if part.holds == Holds::Octets {
            look_at_part(&message, part, 0, &mut files);
        }
    }
    readings::look(&message, highest, 0, &mut files);
    files.finish();
    Examined {
        findings: notes.into_findings(),
        parts: u32::try_from(message.parts().len()).unwrap_or(u32::MAX),
        summary: summary_of(&message),
    }
}

/// What is seen in the octets as they came, wherever a reader may find it.
fn whole(message: &Message<'_>, notes: &mut Notes) {
    let bytes = message.bytes();
    marks::look(bytes, "", notes);
    if memchr::memchr(0, bytes).is_some() {
        notes.note(seen::RAW_NUL, "");
    }
    let Some(root) = message.part(0) else { return };
    // RFC 5322 §3.6: these fields stand once; two readers may each show another one.
    for name in ["from", "subject", "date", "to", "message-id", "sender", "reply-to"] {
        if message.values(root, name).nth(1).is_some() {
            notes.note(seen::FIELD_TWICE, name);
        }
    }
}

fn look_at_part(message: &Message<'_>, part: &Part, depth: usize, files: &mut Files<'_>) {
    let name = message.file_name(part).unwrap_or_default();
    let raw = message.slice(&part.body);
    let octets = message.content(part);
    if part.encoding == Encoding::Base64 {
        note_junk(raw, files.notes);
        if let Some(octets) = transfer::base64_unpadded(raw) {
            files.notes.note(seen::BASE64_JUNK, "");
            marks::look(&octets, &name, files.notes);
            let (name, declared, octets) = (name.clone(), String::new(), octets.into());
            files.look(&File { name, declared, octets, depth });
        }
    }
    let other_ways = matches!(part.encoding, Encoding::Unknown)
        || message.values(part, "content-transfer-encoding").nth(1).is_some();
    if other_ways {
        // Whichever of two encodings a reader believes, the marks are found.
        marks::look(&transfer::base64(raw), &name, files.notes);
        marks::look(&transfer::quoted_printable(raw), &name, files.notes);
    }
    if other_ways || part.encoding == Encoding::Uuencode {
        // Nobody here knows the encoding; or it names one file, and there may be others.
        written::look(raw, depth, files);
    }
    if part.encoding != Encoding::Identity {
        marks::look(&octets, &name, files.notes);
    }
    let is_text = part.content_type.main == "text";
    if is_text || part.content_type.essence() == "application/xhtml+xml" {
        look_at_text(message, part, &octets, &name, files);
    }
    for other in other_names(message, part).iter().filter(|other| **other != name) {
        names::look(other, files.notes);
    }
    let declared = part.content_type.essence();
    files.look(&File { name, declared, octets, depth });
}

/// Every name under which some reader may save a part.
fn other_names(message: &Message<'_>, part: &Part) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for value in message.values(part, "content-disposition").take(3) {
        all.extend(crate::disposition(&value).names("filename"));
    }
    for value in message.values(part, "content-type").take(3) {
        all.extend(crate::content_type(&value).names("name"));
    }
    all
}

fn look_at_text(
    message: &Message<'_>,
    part: &Part,
    octets: &[u8],
    name: &str,
    files: &mut Files<'_>,
) {
    if let Some(label) = part.content_type.charset()
        && crate::charset::is_utf7(&label)
    {
        files.notes.note(seen::CHARSET_UTF7, "");
    }
    let sample = octets.get(..TEXT_BYTES).unwrap_or(octets);
    let charset = part.content_type.charset();
    let is_page = part.content_type.sub.ends_with("html") || part.content_type.sub == "xhtml+xml";
    if !is_page && crate::charset::is_as_it_stands(charset.as_deref(), sample) {
        // Decoding would copy a mebibyte to find what has been looked at.
        return;
    }
    let decoded = crate::decode_charset(charset.as_deref(), sample);
    if decoded.lying {
        files.notes.note(seen::CHARSET_LYING, decoded.charset);
    }
    let attached = !name.is_empty()
        || message.disposition(part).is_some_and(|found| found.kind == "attachment");
    if is_page {
        page::look(&decoded.text, attached, files.notes);
    } else {
        // Scripts written in UTF-7 or marks split by a charset are found after decoding; what
        // decoding left alone has been looked at.
        if decoded.text.as_bytes() != sample {
            marks::look(decoded.text.as_bytes(), name, files.notes);
        }
    }
}

/// Rubbish inside base64 is how scanners and readers are set against each other. Looked for without
/// early exits, so that it compiles to vector instructions.
fn note_junk(raw: &[u8], notes: &mut Notes) {
    let sample = raw.get(..64 * 1024).unwrap_or(raw);
    if !sample.iter().fold(true, |usual, byte| usual & is_usual_in_base64(*byte)) {
        notes.note(seen::BASE64_JUNK, "");
    }
}

fn is_usual_in_base64(byte: u8) -> bool {
    let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // `/` stands before `0`.
    let is_digit = byte.wrapping_sub(b'/') < 11;
    let is_other = (byte == b'+') | (byte == b'=');
    let is_space = (byte == b'\r') | (byte == b'\n') | (byte == b' ');
    is_letter | is_digit | is_other | is_space
}

/// A header value as text, for the detectors.
fn header_text(message: &Message<'_>, name: &str) -> String {
    let root = message.part(0);
    let value = root.and_then(|root| message.value(root, name));
    value.map(|value| decode_words(&value)).unwrap_or_default()
}
