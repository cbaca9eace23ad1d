//! Content-Type and Content-Disposition with their parameters (RFC 2045 §5.1, RFC 2183), the
//! split and encoded ones of RFC 2231 included.

use crate::charset::decode_charset;
use crate::seen::{self, Notes};
use crate::word::decode_words;
use terms::Cursor;

/// Parameters of one field. Honest mail has at most ten.
const PARAMETERS: usize = 100;

/// A parameter as it stands in the field: name in lower case, value without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    pub value: Vec<u8>,
}

/// A media type with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType {
    pub main: String,
    pub sub: String,
    pub parameters: Vec<Parameter>,
}

/// How a part wants to be shown, `attachment` or `inline`, with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disposition {
    pub kind: String,
    pub parameters: Vec<Parameter>,
}

impl ContentType {
    pub(crate) fn new(main: &str, sub: &str) -> Self {
        Self { main: main.to_owned(), sub: sub.to_owned(), parameters: Vec::new() }
    }

    pub(crate) fn text_plain() -> Self {
        Self::new("text", "plain")
    }

    /// `main/sub` in lower case.
    pub fn essence(&self) -> String {
        format!("{}/{}", self.main, self.sub)
    }

    pub fn is(&self, main: &str, sub: &str) -> bool {
        self.main == main && self.sub == sub
    }

    /// A parameter's text, joined and decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        text_of(&self.parameters, name)
    }

    /// A parameter's octets, continuations joined, nothing decoded but RFC 2231.
    pub fn raw_parameter(&self, name: &str) -> Option<Vec<u8>> {
        octets_of(&self.parameters, name).map(|found| found.octets)
    }

    /// Every boundary that some reader may take, the usual choice first.
    pub(crate) fn boundaries(&self) -> Vec<Vec<u8>> {
        let plain = self.parameters.iter().filter(|parameter| parameter.name == "boundary");
        let all = self.raw_parameter("boundary").into_iter();
        let mut different: Vec<Vec<u8>> = Vec::new();
        for boundary in all.chain(plain.map(|parameter| parameter.value.clone())) {
            let boundary = boundary.trim_ascii_end();
            if !different.iter().any(|known| known == boundary) {
                different.push(boundary.to_vec());
            }
        }
        different
    }

    pub(crate) fn names(&self, parameter: &str) -> Vec<String> {
        texts_of(&self.parameters, parameter)
    }

    pub fn charset(&self) -> Option<String> {
        self.parameter("charset")
    }
}

impl Disposition {
    pub(crate) fn names(&self, parameter: &str) -> Vec<String> {
        texts_of(&self.parameters, parameter)
    }

    pub fn parameter(&self, name: &str) -> Option<String> {
        text_of(&self.parameters, name)
    }
}

/// Reads a Content-Type value. What cannot be read is text/plain (RFC 2045 §5.2).
pub fn content_type(value: &[u8]) -> ContentType {
    content_type_noting(value, &mut Notes::default())
}

pub(crate) fn content_type_noting(value: &[u8], notes: &mut Notes) -> ContentType {
    let mut cursor = Cursor::new(value);
    let main = token(&mut cursor);
    skip_blank(&mut cursor);
    let has_sub = cursor.eat(b'/');
    let sub = if has_sub { token(&mut cursor) } else { String::new() };
    let parameters = parameters(&mut cursor, notes);
    if main.is_empty() || (has_sub && sub.is_empty()) {
        return ContentType { parameters, ..ContentType::text_plain() };
    }
    if !has_sub {
        // `Content-Type: text` is old and means plain; a lone other word says nothing.
        let known = main == "text";
        let (main, sub) = if known { ("text", "plain") } else { ("application", "octet-stream") };
        return ContentType { parameters, ..ContentType::new(main, sub) };
    }
    ContentType { main, sub, parameters }
}

/// Reads a Content-Disposition value.
pub fn disposition(value: &[u8]) -> Disposition {
    let mut cursor = Cursor::new(value);
    let kind = token(&mut cursor);
    let parameters = parameters(&mut cursor, &mut Notes::default());
    Disposition { kind, parameters }
}

fn parameters(cursor: &mut Cursor<'_>, notes: &mut Notes) -> Vec<Parameter> {
    let mut found: Vec<Parameter> = Vec::new();
    loop {
        // Rubbish up to the next semicolon is skipped.
        cursor.take_while(|byte| byte != b';' && byte != b'(');
        skip_blank(cursor);
        if cursor.is_at_end() {
            return found;
        }
        if !cursor.eat(b';') {
            continue;
        }
        let name = token(cursor);
        skip_blank(cursor);
        if name.is_empty() || !cursor.eat(b'=') {
            continue;
        }
        skip_blank(cursor);
        let value = match cursor.peek() {
            Some(b'"') => quoted(cursor),
            _ => bare_value(cursor),
        };
        if found.len() >= PARAMETERS {
            notes.note(seen::PARAMETERS_MANY, PARAMETERS.to_string());
            return found;
        }
        if found.iter().any(|known| known.name == name) {
            notes.note(seen::PARAMETER_TWICE, name.as_str());
        }
        found.push(Parameter { name, value });
    }
}

/// A token in lower case, comments and blanks before it skipped.
fn token(cursor: &mut Cursor<'_>) -> String {
    skip_blank(cursor);
    let octets = cursor.take_while(|byte| {
        !byte.is_ascii_whitespace() && !matches!(byte, b'/' | b';' | b'=' | b'"' | b'(' | b',')
    });
    String::from_utf8_lossy(octets).to_ascii_lowercase()
}

/// An unquoted value. Honest ones are tokens; others run to the semicolon (names with spaces).
fn bare_value(cursor: &mut Cursor<'_>) -> Vec<u8> {
    let octets = cursor.take_while(|byte| byte != b';');
    let end = memchr::memmem::find(octets, b" (").unwrap_or(octets.len());
    octets.get(..end).unwrap_or_default().trim_ascii().to_vec()
}

/// A quoted string (RFC 5322 §3.2.4) from its first quote; one without an end runs to the end.
pub(crate) fn quoted(cursor: &mut Cursor<'_>) -> Vec<u8> {
    cursor.eat(b'"');
    let mut octets = Vec::new();
    while let Some(byte) = cursor.next() {
        match byte {
            b'"' => break,
            // A raw Shift_JIS or JIS name may have 0x5C as a second octet: only quotes and
            // backslashes are taken as escaped.
            b'\\' if matches!(cursor.peek(), Some(b'"' | b'\\')) => {
                octets.extend(cursor.next());
            }
            b'\r' | b'\n' => {}
            0x1B => jis_run(cursor, &mut octets),
            other => octets.push(other),
        }
    }
    octets
}

/// Raw ISO-2022-JP in a field: its two-octet characters use the octets of quotes and brackets,
/// so the run is copied whole, up to the escape that leads back to one-octet text.
pub(crate) fn jis_run(cursor: &mut Cursor<'_>, octets: &mut Vec<u8>) {
    octets.push(0x1B);
    let begins = cursor.rest().starts_with(b"$") || cursor.rest().starts_with(b"(I");
    if !begins {
        return;
    }
    let mut ahead = *cursor;
    let run = ahead.take_while(|byte| byte != 0x1B);
    // Without the way back it is no such run.
    if !ahead.is_at_end() {
        octets.extend_from_slice(run);
        *cursor = ahead;
        octets.extend(cursor.next());
        if cursor.peek() == Some(b'(') {
            octets.extend_from_slice(cursor.take(2).unwrap_or_default());
        }
    }
}

/// White space and comments, nested ones too (RFC 5322 §3.2.2), counted, not recursed.
pub(crate) fn skip_blank(cursor: &mut Cursor<'_>) {
    let mut depth = 0usize;
    while let Some(byte) = cursor.peek() {
        match byte {
            b'(' => depth += 1,
            b')' if depth > 0 => depth -= 1,
            b'\\' if depth > 0 => {
                cursor.next();
            }
            other if depth == 0 && !other.is_ascii_whitespace() => return,
            _ => {}
        }
        cursor.next();
    }
}

/// A joined value and the charset that RFC 2231 named for it.
struct Joined {
    octets: Vec<u8>,
    charset: Option<String>,
}

fn text_of(parameters: &[Parameter], name: &str) -> Option<String> {
    let joined = octets_of(parameters, name)?;
    match joined.charset {
        Some(charset) => Some(decode_charset(Some(&charset), &joined.octets).text),
        // RFC 2047 §5 forbids encoded words here; every Japanese writer of old uses them.
        None => Some(decode_words(&joined.octets)),
    }
}

/// The text that `text_of` takes, and each that stands beside it whole.
fn texts_of(parameters: &[Parameter], name: &str) -> Vec<String> {
    let whole = parameters.iter().filter(|parameter| parameter.name == name);
    let beside = whole.map(|parameter| decode_words(&parameter.value));
    text_of(parameters, name).into_iter().chain(beside).collect()
}

fn octets_of(parameters: &[Parameter], name: &str) -> Option<Joined> {
    let mut sections: Vec<(u32, bool, &[u8])> = Vec::new();
    let mut plain = None;
    for parameter in parameters {
        let Some(tail) = parameter.name.strip_prefix(name) else {
            continue;
        };
        match section_number(tail) {
            Some((None, false)) => plain = plain.or(Some(parameter.value.as_slice())),
            Some((number, encoded)) => {
                sections.push((number.unwrap_or(0), encoded, &parameter.value));
            }
            None => {}
        }
    }
    if sections.is_empty() {
        return plain.map(|octets| Joined { octets: octets.to_vec(), charset: None });
    }
    // RFC 2231 §3: any order, numbered from 0; a gap ends the value.
    sections.sort_by_key(|(number, ..)| *number);
    let mut joined = Joined { octets: Vec::new(), charset: None };
    let mut expected = 0;
    for (number, encoded, value) in sections {
        if number != expected {
            continue;
        }
        let mut value = value;
        if encoded && number == 0 {
            let mut pieces = value.splitn(3, |byte| *byte == b'\'');
            if let (Some(charset), Some(_), Some(rest)) =
                (pieces.next(), pieces.next(), pieces.next())
            {
                joined.charset = Some(String::from_utf8_lossy(charset).into_owned());
                value = rest;
            }
        }
        if encoded {
            unescape_percent(value, &mut joined.octets);
        } else {
            joined.octets.extend_from_slice(value);
        }
        expected += 1;
    }
    Some(joined)
}

/// `""` → plain, `*` → encoded, `*3` → section 3, `*3*` → section 3, encoded.
fn section_number(tail: &str) -> Option<(Option<u32>, bool)> {
    match tail {
        "" => return Some((None, false)),
        "*" => return Some((None, true)),
        _ => {}
    }
    let tail = tail.strip_prefix('*')?;
    let (digits, encoded) = match tail.strip_suffix('*') {
        Some(digits) => (digits, true),
        None => (tail, false),
    };
    digits.parse().ok().map(|number| (Some(number), encoded))
}

fn unescape_percent(value: &[u8], into: &mut Vec<u8>) {
    let mut cursor = Cursor::new(value);
    while let Some(byte) = cursor.next() {
        let pair = (byte == b'%').then(|| (cursor.peek(), cursor.peek_at(1)));
        let decoded = match pair {
            Some((Some(high), Some(low))) => crate::transfer::hex_pair(high, low),
            _ => None,
        };
        if decoded.is_some() {
            cursor.take(2);
        }
        into.push(decoded.unwrap_or(byte));
    }
}
