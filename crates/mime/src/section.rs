//! IMAP's names for pieces of a message (RFC 3501 §6.4.5), answered with exact octets.

use crate::part::{Holds, Message, Part};
use std::borrow::Cow;

/// Numbers of one path. Deeper than `part::DEPTH` nothing exists.
const PATH: usize = 100;

/// The octets of a section: `""`, `1.2`, `1.2.MIME`, `HEADER`, `2.TEXT`,
/// `HEADER.FIELDS (FROM TO)`, `2.HEADER.FIELDS.NOT (RECEIVED)`. `None`: there is no such section.
pub fn section<'a>(message: &Message<'a>, spec: &str) -> Option<Cow<'a, [u8]>> {
    let (path, text) = split(spec.trim())?;
    let mut place = Place { index: 0, as_part: false };
    for number in path {
        place = step(message, place, number)?;
    }
    let part = message.part(place.index)?;
    if text.is_empty() {
        let whole = place.index == 0 && !place.as_part;
        let octets = if whole { message.bytes } else { message.slice(&part.body) };
        return Some(Cow::Borrowed(octets));
    }
    let upper = text.to_ascii_uppercase();
    if upper == "MIME" {
        return place.as_part.then(|| Cow::Borrowed(message.slice(&part.header)));
    }
    let inside = if place.as_part { message_inside(message, part)? } else { part };
    match upper.as_str() {
        "HEADER" => Some(Cow::Borrowed(message.slice(&inside.header))),
        "TEXT" => Some(Cow::Borrowed(message.slice(&inside.body))),
        _ => fields_section(message, inside, &upper),
    }
}

/// A part by number, or a message as a whole: they have different children.
#[derive(Clone, Copy)]
struct Place {
    index: usize,
    as_part: bool,
}

/// `1.2.HEADER` → ([1, 2], "HEADER").
fn split(spec: &str) -> Option<(Vec<usize>, &str)> {
    let mut path = Vec::new();
    let mut rest = spec;
    while rest.starts_with(|letter: char| letter.is_ascii_digit()) {
        let (number, tail) = rest.split_once('.').unwrap_or((rest, ""));
        path.push(number.parse().ok()?);
        if path.len() > PATH {
            return None;
        }
        rest = tail;
    }
    Some((path, rest))
}

fn step(message: &Message<'_>, place: Place, number: usize) -> Option<Place> {
    let part = message.part(place.index)?;
    let child = |part: &Part| {
        let index = *part.children.get(number.checked_sub(1)?)?;
        Some(Place { index, as_part: true })
    };
    if part.holds == Holds::Parts {
        return child(part);
    }
    if !place.as_part {
        // A message that is not multipart has its body as part 1.
        return (number == 1).then_some(Place { index: place.index, as_part: true });
    }
    if part.holds != Holds::Message {
        return None;
    }
    let index = *part.children.first()?;
    let inside = message.part(index)?;
    match inside.holds {
        Holds::Parts => child(inside),
        _ => (number == 1).then_some(Place { index, as_part: true }),
    }
}

fn message_inside<'m>(message: &'m Message<'_>, part: &Part) -> Option<&'m Part> {
    if part.holds != Holds::Message {
        return None;
    }
    message.part(*part.children.first()?)
}

/// `HEADER.FIELDS (…)` and `HEADER.FIELDS.NOT (…)`; the empty line stands at the end in all cases.
fn fields_section<'a>(message: &Message<'a>, part: &Part, text: &str) -> Option<Cow<'a, [u8]>> {
    let rest = text.strip_prefix("HEADER.FIELDS")?;
    let (wanted, list) = match rest.strip_prefix(".NOT") {
        Some(list) => (false, list),
        None => (true, rest),
    };
    let list = list.trim().trim_start_matches('(').trim_end_matches(')');
    let names: Vec<&str> = list.split_whitespace().map(|name| name.trim_matches('"')).collect();
    let mut octets = Vec::new();
    for field in message.fields(part) {
        let name = message.name(field);
        let named = names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        if named == wanted {
            octets.extend_from_slice(message.slice(&(field.start..field.end)));
        }
    }
    if !octets.is_empty() && !octets.ends_with(b"\n") {
        octets.extend_from_slice(b"\r\n");
    }
    octets.extend_from_slice(b"\r\n");
    Some(Cow::Owned(octets))
}
