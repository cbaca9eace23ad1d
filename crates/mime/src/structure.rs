//! ENVELOPE, BODY and BODYSTRUCTURE (RFC 3501 §7.4.2) of a message, ready to be sent.

use crate::address::{Address, Entry, addresses};
use crate::imap_text::{nstring, string};
use crate::parameter::Parameter;
use crate::part::{Holds, Message, Part};

/// Addresses of one envelope list: an overview of mail to a thousand people stays
/// readable, and its length bounded. The rest is in the header, where SEARCH looks as well.
const ENVELOPE_ADDRESSES: usize = 1_000;
/// Languages of one part that are told.
const LANGUAGES: usize = 100;

/// The envelope of a message (part 0 or one inside a message/rfc822).
pub(crate) fn envelope(message: &Message<'_>, part: &Part, into: &mut Vec<u8>) {
    into.push(b'(');
    nstring(message.value(part, "date").as_deref(), into);
    into.push(b' ');
    nstring(message.value(part, "subject").as_deref(), into);
    let from = address_list(message, part, "from");
    // RFC 3501 §7.4.2: absent Sender and Reply-To are From.
    let or_from = |name| address_list(message, part, name).or_else(|| from.clone());
    let lists = [
        from.clone(),
        or_from("sender"),
        or_from("reply-to"),
        address_list(message, part, "to"),
        address_list(message, part, "cc"),
        address_list(message, part, "bcc"),
    ];
    for list in lists {
        into.push(b' ');
        into.extend_from_slice(list.as_deref().unwrap_or(b"NIL"));
    }
    for name in ["in-reply-to", "message-id"] {
        into.push(b' ');
        nstring(message.value(part, name).as_deref(), into);
    }
    into.push(b')');
}

fn address_list(message: &Message<'_>, part: &Part, name: &str) -> Option<Vec<u8>> {
    let mut list = vec![b'('];
    let entries = message.values(part, name).flat_map(|value| addresses(&value));
    for entry in entries.take(ENVELOPE_ADDRESSES) {
        match entry {
            Entry::Mailbox(address) => mailbox(&address, &mut list),
            Entry::GroupStart(name) => {
                list.extend_from_slice(b"(NIL NIL ");
                string(&name, &mut list);
                list.extend_from_slice(b" NIL)");
            }
            Entry::GroupEnd => list.extend_from_slice(b"(NIL NIL NIL NIL)"),
        }
    }
    list.push(b')');
    (list.len() > 2).then_some(list)
}

fn mailbox(address: &Address, list: &mut Vec<u8>) {
    let present = |octets: &[u8]| (!octets.is_empty()).then(|| octets.to_vec());
    list.push(b'(');
    nstring(present(&address.name).as_deref(), list);
    list.push(b' ');
    nstring(present(&address.route).as_deref(), list);
    list.push(b' ');
    // NIL would mean the end of a group.
    string(&address.local, list);
    list.push(b' ');
    string(&address.domain, list);
    list.push(b')');
}

/// BODY (`extended` false) or BODYSTRUCTURE of a part. Recursive; `part::DEPTH` bounds it.
pub(crate) fn structure(message: &Message<'_>, index: usize, extended: bool, into: &mut Vec<u8>) {
    let Some(part) = message.part(index) else {
        return;
    };
    into.push(b'(');
    match part.holds {
        Holds::Parts => multipart(message, part, extended, into),
        _ => single(message, part, extended, into),
    }
    into.push(b')');
}

fn multipart(message: &Message<'_>, part: &Part, extended: bool, into: &mut Vec<u8>) {
    for child in &part.children {
        structure(message, *child, extended, into);
    }
    if part.children.is_empty() {
        // The grammar wants at least one body; an empty text is what other servers show too.
        into.extend_from_slice(b"(\"text\" \"plain\" NIL NIL NIL \"7bit\" 0 0)");
    }
    into.push(b' ');
    string(part.content_type.sub.as_bytes(), into);
    if extended {
        into.push(b' ');
        parameters(&part.content_type.parameters, into);
        tail(message, part, into);
    }
}

fn single(message: &Message<'_>, part: &Part, extended: bool, into: &mut Vec<u8>) {
    let kind = &part.content_type;
    // A multipart or message that was not walked must not be announced as one.
    let opaque = part.holds == Holds::Octets
        && (kind.main == "multipart" || matches!(kind.sub.as_str(), "rfc822" | "global"));
    let (main, sub) = match opaque {
        true => ("application", "octet-stream"),
        false => (kind.main.as_str(), kind.sub.as_str()),
    };
    string(main.as_bytes(), into);
    into.push(b' ');
    string(sub.as_bytes(), into);
    into.push(b' ');
    let has_type = message.value(part, "content-type").is_some();
    if has_type || main != "text" {
        parameters(&kind.parameters, into);
    } else {
        into.extend_from_slice(b"(\"charset\" \"us-ascii\")");
    }
    for name in ["content-id", "content-description"] {
        into.push(b' ');
        nstring(message.value(part, name).as_deref(), into);
    }
    into.push(b' ');
    match message.value(part, "content-transfer-encoding") {
        Some(encoding) if !encoding.is_empty() => string(&encoding, into),
        _ => string(b"7bit", into),
    }
    into.extend_from_slice(format!(" {}", part.body.len()).as_bytes());
    if part.holds == Holds::Message
        && let Some(inside) = part.children.first()
    {
        into.push(b' ');
        if let Some(inside) = message.part(*inside) {
            envelope(message, inside, into);
        }
        into.push(b' ');
        structure(message, *inside, extended, into);
    }
    if main == "text" || part.holds == Holds::Message {
        let count = || memchr::memchr_iter(b'\n', message.slice(&part.body)).count();
        let lines = part.lines.get_or_init(count);
        into.extend_from_slice(format!(" {lines}").as_bytes());
    }
    if extended {
        into.push(b' ');
        nstring(message.value(part, "content-md5").as_deref(), into);
        tail(message, part, into);
    }
}

/// Disposition, language, location: the end of both extended forms.
fn tail(message: &Message<'_>, part: &Part, into: &mut Vec<u8>) {
    into.push(b' ');
    match message.disposition(part) {
        Some(disposition) if !disposition.kind.is_empty() => {
            into.push(b'(');
            string(disposition.kind.as_bytes(), into);
            into.push(b' ');
            parameters(&disposition.parameters, into);
            into.push(b')');
        }
        _ => into.extend_from_slice(b"NIL"),
    }
    into.push(b' ');
    languages(message.value(part, "content-language").as_deref(), into);
    into.push(b' ');
    nstring(message.value(part, "content-location").as_deref(), into);
}

/// RFC 3501 §9, `body-fld-lang`: one language is a string, more are a list (RFC 3282 §2).
fn languages(value: Option<&[u8]>, into: &mut Vec<u8>) {
    let named = value.unwrap_or_default().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    let named: Vec<&[u8]> = named.filter(|tag| !tag.is_empty()).take(LANGUAGES).collect();
    if let [] | [_] = named.as_slice() {
        return nstring(named.first().copied(), into);
    }
    for (place, tag) in named.into_iter().enumerate() {
        into.push(if place == 0 { b'(' } else { b' ' });
        string(tag, into);
    }
    into.push(b')');
}

fn parameters(parameters: &[Parameter], into: &mut Vec<u8>) {
    if parameters.is_empty() {
        into.extend_from_slice(b"NIL");
        return;
    }
    into.push(b'(');
    for (place, parameter) in parameters.iter().enumerate() {
        if place > 0 {
            into.push(b' ');
        }
        string(parameter.name.as_bytes(), into);
        into.push(b' ');
        string(&parameter.value, into);
    }
    into.push(b')');
}
