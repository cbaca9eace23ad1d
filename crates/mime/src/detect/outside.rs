//! What stands in a multipart and in none of its parts: before the first boundary, behind the last.
//! RFC 2046 §5.1.1 has readers ignore it, and some do not.

use super::file::Files;
use super::{marks, readings, written};
use crate::part::{Holds, Message, Part};
use crate::seen;
use crate::transfer;
use std::ops::Range;
use terms::Cursor;

/// Headers of parts outside the boundaries that are followed, in one message. Honest mail has none.
const HEADERS: usize = 20;
/// Multiparts that a boundary is guessed for, and guesses at each. Honest mail has none.
const GUESSED: usize = 20;
const GUESSES: usize = 3;
/// How often the octets are read: as they stand, as quoted-printable, as base64 from each of four
/// letters.
const READ: usize = 6;

/// Looks at what all parts of a message leave out.
pub(crate) fn look(message: &Message<'_>, depth: usize, files: &mut Files<'_>) {
    let mut headers = HEADERS;
    for part in message.parts().iter().filter(|part| part.holds == Holds::Parts) {
        for range in left_out(message, part) {
            let octets = message.slice(&range);
            if octets.trim_ascii().is_empty() {
                continue;
            }
            if !files.pay(READ * octets.len()) {
                files.notes.note(seen::UNEXAMINED, "");
                return;
            }
            look_at_text(octets, depth, files);
            // A multipart whose boundary never comes has a finding of its own.
            let noted = !part.children.is_empty();
            look_at_parts(octets, depth, noted, &mut headers, files);
        }
    }
    for part in message.parts().iter().filter(|part| names_no_boundary(part)).take(GUESSED) {
        let octets = message.content(part);
        if !files.pay(READ * octets.len()) {
            files.notes.note(seen::UNEXAMINED, "");
            return;
        }
        look_at_text(&octets, depth, files);
        match guesses(&octets).as_slice() {
            [] => look_at_parts(&octets, depth, true, &mut headers, files),
            guesses => look_by_guesses(&octets, guesses, depth, files),
        }
    }
}

/// A multipart without a boundary, or with an empty one, has one for those readers that take the
/// first line which looks like it (some mail programs do).
fn names_no_boundary(part: &Part) -> bool {
    part.content_type.main == "multipart"
        && part.holds == Holds::Octets
        && part.content_type.boundaries().iter().all(Vec::is_empty)
}

fn look_by_guesses(octets: &[u8], guesses: &[&[u8]], depth: usize, files: &mut Files<'_>) {
    for boundary in guesses {
        let shown = String::from_utf8_lossy(boundary).into_owned();
        files.notes.note(seen::READINGS, shown);
        let quoted: Vec<u8> = boundary
            .iter()
            .flat_map(|byte| match byte {
                b'"' | b'\\' => vec![b'\\', *byte],
                byte => vec![*byte],
            })
            .collect();
        let head: [&[u8]; 3] =
            [b"Content-Type: multipart/mixed; boundary=\"", &quoted, b"\"\r\n\r\n"];
        readings::open([&head.concat(), octets].concat(), depth, files);
    }
}

/// What follows `--` on a line before a field of a part; the first few that differ.
fn guesses(octets: &[u8]) -> Vec<&[u8]> {
    let mut found: Vec<&[u8]> = Vec::new();
    let mut cursor = Cursor::new(octets);
    let mut before: &[u8] = b"";
    while let Some(line) = cursor.line().filter(|_| found.len() < GUESSES) {
        let boundary = before.strip_prefix(b"--").map(<[u8]>::trim_ascii_end);
        let new = boundary.filter(|boundary| !boundary.is_empty() && !found.contains(boundary));
        found.extend(new.filter(|_| begins_part(line)));
        before = line;
    }
    found
}

/// The octets of a multipart that belong to none of its parts.
fn left_out(message: &Message<'_>, part: &Part) -> Vec<Range<usize>> {
    let mut from = part.body.start;
    let mut ranges = Vec::new();
    for child in part.children.iter().filter_map(|index| message.part(*index)) {
        ranges.push(from..boundary_line(message, from..child.header.start));
        from = child.body.end;
    }
    ranges.push(from..part.body.end);
    ranges
}

/// Where the boundary line begins that ends these octets.
fn boundary_line(message: &Message<'_>, before: Range<usize>) -> usize {
    let octets = message.slice(&before);
    let line_end = octets.strip_suffix(b"\n").unwrap_or(octets);
    before.start + memchr::memrchr(b'\n', line_end).map_or(0, |end| end + 1)
}

fn look_at_text(octets: &[u8], depth: usize, files: &mut Files<'_>) {
    marks::look(&transfer::quoted_printable(octets), "", files.notes);
    look_at_base64(octets, files);
    written::look(octets, depth, files);
}

fn look_at_parts(
    octets: &[u8],
    depth: usize,
    noted: bool,
    headers: &mut usize,
    files: &mut Files<'_>,
) {
    for shaped in parts(octets) {
        if noted {
            files.notes.note(seen::PART_OUTSIDE, "");
        }
        if *headers == 0 {
            files.notes.note(seen::UNEXAMINED, "");
            return;
        }
        *headers -= 1;
        readings::open(octets.get(shaped).unwrap_or_default().to_vec(), depth, files);
    }
}

/// Lines of nothing but letters of base64 are one text, with or without a header. Where its first
/// letter stands is not known: a word before it may look like a part of it.
fn look_at_base64(octets: &[u8], files: &mut Files<'_>) {
    let mut cursor = Cursor::new(octets);
    let mut text = Vec::new();
    loop {
        let line = cursor.line();
        match line.map(<[u8]>::trim_ascii) {
            Some(line) if !line.is_empty() && line.iter().all(is_letter) => {
                text.extend(line.iter().copied().filter(|letter| *letter != b'='));
            }
            _ => {
                for skipped in 0..4 {
                    let from = text.get(skipped..).unwrap_or_default();
                    marks::look(&transfer::base64(from), "", files.notes);
                }
                text.clear();
            }
        }
        if line.is_none() {
            return;
        }
    }
}

fn is_letter(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// What looks like a part: a field of one, an empty line, and contents. Each goes on to the next.
fn parts(octets: &[u8]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut cursor = Cursor::new(octets);
    // Where the header began that is being read; whether it has ended; whether contents followed.
    let mut open: Option<(usize, bool, bool)> = None;
    loop {
        let at = cursor.position();
        let Some(line) = cursor.line() else { break };
        let is_field = begins_part(line);
        match &mut open {
            Some((_, ended @ false, _)) => *ended = line.trim_ascii().is_empty(),
            Some((_, true, filled)) if !is_field => *filled |= !line.trim_ascii().is_empty(),
            Some((start, true, true)) => {
                found.push(*start..at);
                open = Some((at, false, false));
            }
            Some((_, true, false)) | None if is_field => open = Some((at, false, false)),
            _ => {}
        }
    }
    if let Some((start, _, true)) = open {
        found.push(start..octets.len());
    }
    found
}

/// A field that says what a part is.
fn begins_part(line: &[u8]) -> bool {
    let mut cursor = Cursor::new(line);
    let known = cursor.eat_word(b"content-");
    cursor.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    cursor.take_while(|byte| matches!(byte, b' ' | b'\t'));
    known && cursor.eat(b':')
}
