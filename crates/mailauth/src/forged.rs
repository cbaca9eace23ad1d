//! Authentication-Results that claim to be ours but came from outside are taken out.
//! RFC 8601 §5.

use crate::author::skip_comment;
use crate::fields;
use crate::shown::shown;
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
        field.is("ARC-Authentication-Results") && claims_to_be(field.value, our_name)
    };
    parts.fields.iter().filter(claims).map(fields::Field::range).collect()
}

/// Where the fields of this name stand in the message, each with its line end, in order.
pub fn fields_named(message: &[u8], name: &str) -> Vec<Range<usize>> {
    let parts = fields::take_apart(message);
    parts.fields.iter().filter(|field| field.is(name)).map(fields::Field::range).collect()
}

/// The same of fields by what they are called, without the blanks that may stand behind a name.
pub fn fields_such_as(message: &[u8], is_such: impl Fn(&[u8]) -> bool) -> Vec<Range<usize>> {
    let parts = fields::take_apart(message);
    let such = parts.fields.iter().filter(|field| is_such(field.name));
    such.map(fields::Field::range).collect()
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

/// Whether a reader could take the field's authserv-id for our name (RFC 8601 §2.2, §2.5): read as
/// its first word, or as all that stands before the first result.
fn claims_to_be(value: &[u8], our_name: &str) -> bool {
    let ours = our_name.trim_end_matches('.').to_ascii_lowercase();
    let is_ours = |text: &[u8]| !ours.is_empty() && shown(text).name == ours;
    let id = authserv_id(value);
    is_ours(id.first.trim_ascii()) || is_ours(&id.whole)
}

#[derive(Default)]
struct Id {
    /// What stands up to a blank, a comment or a quote, once something stands there.
    first: Vec<u8>,
    /// All of it without those.
    whole: Vec<u8>,
}

/// The id, out of its quotes, without comments, folding and controls. Empty pieces before it and
/// an instance (as ARC has it) are passed over.
fn authserv_id(value: &[u8]) -> Id {
    let mut cursor = Cursor::new(value);
    let mut id = Id::default();
    let mut is_first = true;
    loop {
        let begun = !id.whole.is_empty();
        match cursor.next() {
            Some(b';') if !begun || is_instance(&id.whole) => {
                (id, is_first) = (Id::default(), true)
            }
            None | Some(b';') => return id,
            Some(b'(') => {
                skip_comment(&mut cursor);
                is_first &= !begun;
            }
            Some(b'"') => is_first &= !begun,
            Some(b'\\') => {}
            Some(byte) if byte <= b' ' || byte == 0x7f => is_first &= !begun,
            Some(byte) => {
                id.whole.push(byte);
                if is_first {
                    id.first.push(byte);
                }
            }
        }
    }
}

/// `i=` and digits (RFC 8617 §4.1.1).
fn is_instance(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"i=").or_else(|| text.strip_prefix(b"I="));
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
}
