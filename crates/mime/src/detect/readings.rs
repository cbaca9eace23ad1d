//! What the first walk does not show and some reader does: the parts by another of two fields or
//! boundaries, or behind a closing one; multiparts that are encoded; what lies beyond the limits of
//! one walk.

use super::file::{File, Files};
use super::{look_at_part, outside};
use crate::parse::{Reading, parse_by};
use crate::part::{DEPTH, Holds, Message, PARTS, Part};
use crate::seen;
use crate::transfer::Encoding;
use std::collections::{BTreeMap, BTreeSet};

/// Walks over one message. An honest message has one reading; the attacks known have two.
const READINGS: usize = 8;
/// Encoded multiparts that are taken apart. Honest mail has none (RFC 2045 §6.4).
const ENCODED: usize = 20;
/// Parts too deep for one walk that another begins with.
const CUT: usize = 20;
/// The first reading, with what stands behind closing boundaries: what it leaves out is outside.
const REOPENED: Reading = Reading { types: 0, boundaries: 0, encodings: 0, reopened: 1 };

/// Looks at what else readers may find in a message. `highest` is what its walk saw of other
/// readings.
pub(crate) fn look(message: &Message<'_>, highest: Reading, depth: usize, files: &mut Files<'_>) {
    if highest.reopened == 0 {
        outside::look(message, depth, files);
    }
    look_by_others(message, highest, depth, files);
    let cut = |part: &&Part| part.holds == Holds::Octets && part.depth + 1 >= DEPTH;
    for part in message.parts().iter().filter(cut).filter(|part| holds_parts(part)).take(CUT) {
        open(message.slice(&(part.header.start..part.body.end)).to_vec(), depth, files);
    }
    look_into_encoded(message, depth, files);
    look_beyond(message, depth, files);
}

fn look_by_others(message: &Message<'_>, highest: Reading, depth: usize, files: &mut Files<'_>) {
    if highest == Reading::default() {
        return;
    }
    let mut highest = highest;
    let mut done = vec![Reading::default()];
    let mut seen: BTreeSet<_> = message.parts().iter().map(place).collect();
    let shown = bodies(message);
    while let Some(next) = next_reading(highest, &done) {
        if done.len() >= READINGS || !files.pay(message.bytes().len()) {
            files.notes.note(seen::UNWALKED, "Content-Type");
            return;
        }
        done.push(next);
        let (other, findings, more) = parse_by(message.bytes(), next);
        highest = highest.highest(more);
        findings.into_iter().for_each(|finding| files.notes.add(finding));
        let others = bodies(&other);
        // What stands behind a closing boundary has a finding of its own.
        if next.reopened == 0 && others.keys().ne(shown.keys()) {
            let new = others.iter().find(|(body, _)| !shown.contains_key(body));
            let detail = new.or(shown.first_key_value()).map(|(_, name)| name.as_str());
            files.notes.note(seen::READINGS, detail.unwrap_or_default());
        }
        for part in other.parts().iter().filter(|part| part.holds == Holds::Octets) {
            if seen.insert(place(part)) {
                look_at_part(&other, part, depth, files);
            }
        }
        look_into_encoded(&other, depth, files);
        if next == REOPENED {
            outside::look(&other, depth, files);
        }
    }
}

/// What makes two parts of two readings the same one.
fn place(part: &Part) -> (usize, usize, String, u8) {
    (part.body.start, part.body.end, part.content_type.essence(), part.encoding as u8)
}

/// What a reader shows: where each lies, and what it is called.
fn bodies(message: &Message<'_>) -> BTreeMap<(usize, usize), String> {
    let shown = message.parts().iter().filter(|part| part.holds == Holds::Octets);
    let of = |part: &Part| {
        let name = message.file_name(part).unwrap_or_else(|| part.content_type.essence());
        ((part.body.start, part.body.end), name)
    };
    shown.map(of).collect()
}

fn next_reading(highest: Reading, done: &[Reading]) -> Option<Reading> {
    let reopened = 0..=highest.reopened;
    let mut all = reopened.flat_map(|reopened| {
        (0..=highest.types).flat_map(move |types| {
            (0..=highest.boundaries).flat_map(move |boundaries| {
                let of = move |encodings| Reading { types, boundaries, encodings, reopened };
                (0..=highest.encodings).map(of)
            })
        })
    });
    all.find(|reading| !done.contains(reading))
}

fn holds_parts(part: &Part) -> bool {
    let of_message = part.content_type.is("message", "rfc822");
    part.content_type.main == "multipart" || of_message || part.content_type.is("message", "global")
}

fn is_encoded(part: &Part) -> bool {
    matches!(part.encoding, Encoding::Base64 | Encoding::QuotedPrintable | Encoding::Uuencode)
}

/// Some readers take the encoding off a multipart before they look for its boundary.
fn look_into_encoded(message: &Message<'_>, depth: usize, files: &mut Files<'_>) {
    let multipart = |part: &&Part| part.content_type.main == "multipart" && is_encoded(part);
    for part in message.parts().iter().filter(multipart).take(ENCODED) {
        let octets = message.content(part);
        let shows = |boundary: &Vec<u8>| {
            let line = [b"--", boundary.as_slice()].concat();
            memchr::memmem::find(&octets, &line).is_some()
        };
        let boundaries = part.content_type.boundaries();
        // Quoted-printable leaves most of an honest multipart as it stands: its parts are known.
        let known = part.encoding == Encoding::QuotedPrintable && !part.children.is_empty();
        if known || !boundaries.iter().any(shows) {
            continue;
        }
        files.notes.note(seen::READINGS, part.content_type.essence());
        for value in message.values(part, "content-type").take(2) {
            let inside = [b"Content-Type: ", value.as_ref(), b"\r\n\r\n", &octets].concat();
            open(inside, depth, files);
        }
    }
}

/// The rest of a message with more parts than one walk makes, by its innermost and its outermost
/// multipart.
fn look_beyond(message: &Message<'_>, depth: usize, files: &mut Files<'_>) {
    if message.parts().len() < PARTS {
        return;
    }
    let Some(last) = message.parts().last() else { return };
    let mut around = Vec::new();
    let mut above = last.parent;
    while let Some(part) = above.and_then(|index| message.part(index)) {
        if part.holds == Holds::Parts {
            around.push(part);
        }
        above = part.parent;
    }
    around.dedup_by_key(|part| part.header.start);
    let outermost = around.last().copied().filter(|_| around.len() > 1);
    for part in around.first().copied().into_iter().chain(outermost) {
        let rest = message.slice(&(last.body.end..part.body.end));
        open([message.slice(&part.header), rest].concat(), depth, files);
    }
}

pub(crate) fn open(octets: Vec<u8>, depth: usize, files: &mut Files<'_>) {
    let declared = "message/rfc822".to_owned();
    let file = File { name: String::new(), declared, octets: octets.into(), depth };
    if !files.open_message(&file) {
        files.notes.note(seen::UNWALKED, "");
    }
}
