//! Authentication-Results that claim to be ours but came from outside are taken out.
//! RFC 8601 §5.

use crate::author::skip_comment;
use crate::fields;
use std::borrow::Cow;
use std::ops::Range;
use terms::Cursor;

/// Where forged fields stand in the message, each with its line end, in order.
pub fn forged_fields(message: &[u8], our_name: &str) -> Vec<Range<usize>> {
    let parts = fields::take_apart(message);
    let claims = |field: &&fields::Field<'_>| {
        field.is("Authentication-Results") && claims_to_be(field.value, our_name)
    };
    parts.fields.iter().filter(claims).map(fields::Field::range).collect()
}

/// The same of `ARC-Authentication-Results` that claim our name. Those of a chain that passes are
/// what we wrote, or another sealer answers for them: to take one out would break the chain.
pub fn forged_arc_results(message: &[u8], our_name: &str) -> Vec<Range<usize>> {
    let parts = fields::take_apart(message);
    let claims = |field: &&fields::Field<'_>| {
        // RFC 8617 §4.1.1: behind the instance stands what Authentication-Results has.
        let behind = field.value.iter().position(|byte| *byte == b';');
        let results = behind.and_then(|at| field.value.get(at + 1..)).unwrap_or_default();
        // Some readers need no instance.
        field.is("ARC-Authentication-Results")
            && (claims_to_be(results, our_name) || claims_to_be(field.value, our_name))
    };
    parts.fields.iter().filter(claims).map(fields::Field::range).collect()
}

/// Where the fields of this name stand in the message, each with its line end, in order.
pub fn fields_named(message: &[u8], name: &str) -> Vec<Range<usize>> {
    let parts = fields::take_apart(message);
    parts.fields.iter().filter(|field| field.is(name)).map(fields::Field::range).collect()
}

/// The message without forged fields; all else stays octet for octet.
pub fn without_forged<'a>(message: &'a [u8], our_name: &str) -> Cow<'a, [u8]> {
    let forged = forged_fields(message, our_name);
    if forged.is_empty() {
        return Cow::Borrowed(message);
    }
    let mut kept = Vec::with_capacity(message.len());
    let mut at = 0;
    for range in forged {
        kept.extend_from_slice(message.get(at..range.start).unwrap_or_default());
        at = range.end;
    }
    kept.extend_from_slice(message.get(at..).unwrap_or_default());
    Cow::Owned(kept)
}

/// Whether the field's authserv-id is our name (RFC 8601 §2.2, §2.5).
fn claims_to_be(value: &[u8], our_name: &str) -> bool {
    let id = authserv_id(value);
    let id = id.strip_suffix(b".").unwrap_or(&id);
    id.eq_ignore_ascii_case(our_name.trim_end_matches('.').as_bytes())
}

/// The first word of the value, out of its quotes, behind comments and folding.
pub(crate) fn authserv_id(value: &[u8]) -> Vec<u8> {
    let mut cursor = Cursor::new(value);
    loop {
        cursor.take_while(|byte| byte.is_ascii_whitespace());
        if !cursor.eat(b'(') {
            break;
        }
        skip_comment(&mut cursor);
    }
    if !cursor.eat(b'"') {
        let ends = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b';' | b'(' | b'"');
        return cursor.take_while(|byte| !ends(byte)).to_vec();
    }
    let mut id = Vec::new();
    while let Some(byte) = cursor.next() {
        match byte {
            b'"' => break,
            b'\\' => id.extend(cursor.next()),
            b'\r' | b'\n' => {}
            _ => id.push(byte),
        }
    }
    id
}
