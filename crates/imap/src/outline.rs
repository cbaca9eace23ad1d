//! A message's envelope and structure as IMAP shows them. RFC 3501 §7.4.2.
//!
//! Values borrow from whoever took the message apart; this crate takes nothing apart itself.

use crate::limit::STRUCTURE_DEPTH;
use crate::writer::{decimal, nstring, string};

/// Header values as they stand in the message (encoded words stay encoded), unfolded.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Envelope<'a> {
    pub date: Option<&'a [u8]>,
    pub subject: Option<&'a [u8]>,
    pub from: Vec<Address<'a>>,
    /// Empty means: the same as `from`. RFC 3501 demands that this is filled in.
    pub sender: Vec<Address<'a>>,
    /// Empty means: the same as `from`.
    pub reply_to: Vec<Address<'a>>,
    pub to: Vec<Address<'a>>,
    pub cc: Vec<Address<'a>>,
    pub bcc: Vec<Address<'a>>,
    pub in_reply_to: Option<&'a [u8]>,
    pub message_id: Option<&'a [u8]>,
}

/// A group opens with its name as `mailbox` and no `host`, and closes with neither.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Address<'a> {
    pub name: Option<&'a [u8]>,
    pub mailbox: Option<&'a [u8]>,
    pub host: Option<&'a [u8]>,
}

pub type Parameters<'a> = Vec<(&'a [u8], &'a [u8])>;

#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq)]
pub enum Structure<'a> {
    Single(Box<Single<'a>>),
    Multi {
        parts: Vec<Structure<'a>>,
        subtype: &'a [u8],
        parameters: Parameters<'a>,
        disposition: Option<(&'a [u8], Parameters<'a>)>,
        language: Option<&'a [u8]>,
        location: Option<&'a [u8]>,
    },
}

#[cfg_attr(test, derive(Debug))]
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Single<'a> {
    /// `TEXT` of `TEXT/PLAIN`.
    pub kind: &'a [u8],
    pub subtype: &'a [u8],
    pub parameters: Parameters<'a>,
    pub id: Option<&'a [u8]>,
    pub description: Option<&'a [u8]>,
    /// The transfer encoding; empty means 7BIT.
    pub encoding: &'a [u8],
    /// In its transfer encoding.
    pub octets: u64,
    /// Shown for TEXT and for MESSAGE/RFC822 with `message`.
    pub lines: u64,
    /// What a MESSAGE/RFC822 part holds.
    pub message: Option<(Envelope<'a>, Structure<'a>)>,
    pub md5: Option<&'a [u8]>,
    pub disposition: Option<(&'a [u8], Parameters<'a>)>,
    pub language: Option<&'a [u8]>,
    pub location: Option<&'a [u8]>,
}

pub(crate) fn write_envelope(envelope: &Envelope, out: &mut Vec<u8>) {
    let instead = |list: &'_ [Address], out: &mut Vec<u8>| {
        write_addresses(
            if list.is_empty() {
                &envelope.from
            } else {
                list
            },
            out,
        );
    };
    out.push(b'(');
    nstring(out, envelope.date);
    out.push(b' ');
    nstring(out, envelope.subject);
    out.push(b' ');
    write_addresses(&envelope.from, out);
    out.push(b' ');
    instead(&envelope.sender, out);
    out.push(b' ');
    instead(&envelope.reply_to, out);
    for list in [&envelope.to, &envelope.cc, &envelope.bcc] {
        out.push(b' ');
        write_addresses(list, out);
    }
    out.push(b' ');
    nstring(out, envelope.in_reply_to);
    out.push(b' ');
    nstring(out, envelope.message_id);
    out.push(b')');
}

fn write_addresses(list: &[Address], out: &mut Vec<u8>) {
    if list.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    out.push(b'(');
    for address in list {
        out.push(b'(');
        nstring(out, address.name);
        out.extend_from_slice(b" NIL "); // at-domain-list: source routes are obsolete
        nstring(out, address.mailbox);
        out.push(b' ');
        nstring(out, address.host);
        out.push(b')');
    }
    out.push(b')');
}

/// BODY (`extended` false) or BODYSTRUCTURE.
pub(crate) fn write_structure(structure: &Structure, extended: bool, out: &mut Vec<u8>) {
    write_level(structure, extended, STRUCTURE_DEPTH, out);
}

fn write_level(structure: &Structure, extended: bool, depth: usize, out: &mut Vec<u8>) {
    match structure {
        Structure::Multi {
            parts,
            subtype,
            parameters,
            disposition,
            language,
            location,
        } if depth > 0 && !parts.is_empty() => {
            out.push(b'(');
            for part in parts {
                write_level(part, extended, depth - 1, out);
            }
            out.push(b' ');
            string(out, subtype);
            if extended {
                out.push(b' ');
                write_parameters(parameters, out);
                write_placing(disposition.as_ref(), *language, *location, out);
            }
            out.push(b')');
        }
        Structure::Multi { .. } => {
            // A multipart needs at least one part in the grammar: show it as opaque.
            out.extend_from_slice(b"(\"APPLICATION\" \"OCTET-STREAM\" NIL NIL NIL \"7BIT\" 0)");
        }
        Structure::Single(single) => write_single(single, extended, depth, out),
    }
}

fn write_single(single: &Single, extended: bool, depth: usize, out: &mut Vec<u8>) {
    out.push(b'(');
    string(out, single.kind);
    out.push(b' ');
    string(out, single.subtype);
    out.push(b' ');
    write_parameters(&single.parameters, out);
    out.push(b' ');
    nstring(out, single.id);
    out.push(b' ');
    nstring(out, single.description);
    out.push(b' ');
    string(
        out,
        if single.encoding.is_empty() {
            b"7BIT"
        } else {
            single.encoding
        },
    );
    out.push(b' ');
    decimal(out, single.octets);
    match &single.message {
        Some((envelope, structure)) if depth > 0 => {
            out.push(b' ');
            write_envelope(envelope, out);
            out.push(b' ');
            write_level(structure, extended, depth - 1, out);
            out.push(b' ');
            decimal(out, single.lines);
        }
        _ if single.kind.eq_ignore_ascii_case(b"TEXT") => {
            out.push(b' ');
            decimal(out, single.lines);
        }
        _ => {}
    }
    if extended {
        out.push(b' ');
        nstring(out, single.md5);
        write_placing(
            single.disposition.as_ref(),
            single.language,
            single.location,
            out,
        );
    }
    out.push(b')');
}

fn write_placing(
    disposition: Option<&(&[u8], Parameters)>,
    language: Option<&[u8]>,
    location: Option<&[u8]>,
    out: &mut Vec<u8>,
) {
    out.push(b' ');
    match disposition {
        Some((kind, parameters)) => {
            out.push(b'(');
            string(out, kind);
            out.push(b' ');
            write_parameters(parameters, out);
            out.push(b')');
        }
        None => out.extend_from_slice(b"NIL"),
    }
    out.push(b' ');
    nstring(out, language);
    out.push(b' ');
    nstring(out, location);
}

fn write_parameters(parameters: &Parameters, out: &mut Vec<u8>) {
    if parameters.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    for (at, (name, value)) in parameters.iter().enumerate() {
        out.push(if at == 0 { b'(' } else { b' ' });
        string(out, name);
        out.push(b' ');
        string(out, value);
    }
    out.push(b')');
}
