//! Parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (6152, 3030), SMTPUTF8 (6531) and those of
//! delivery notices (3461).

use crate::reply::Reply;
use terms::Cursor;

/// `BODY=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    #[default]
    SevenBit,
    EightBitMime,
}

/// `RET=`: how much of a message a notice may return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    Full,
    Headers,
}

/// `NOTIFY=`. All false: `NEVER`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    pub success: bool,
    pub failure: bool,
    pub delay: bool,
}

/// `ORCPT=`: the recipient as the sender first had it.
#[derive(Clone, PartialEq, Eq)]
pub struct Original {
    /// `rfc822` or `utf-8`, in lower case.
    pub kind: String,
    /// Decoded from xtext.
    pub address: String,
}

/// RFC 3461 §4.4.
const ENVELOPE_ID_BYTES: usize = 100;
/// RFC 3461 §4.2.
const ORIGINAL_BYTES: usize = 500;

/// One `keyword[=value]`.
pub(crate) struct Parameter<'a> {
    pub keyword: String,
    pub value: Option<&'a str>,
}

/// What stands behind the path, one parameter at a time; a second one of the same name is refused.
pub(crate) fn parameters<'a>(rest: &'a str) -> Result<Vec<Parameter<'a>>, Reply> {
    let mut found: Vec<Parameter<'a>> = Vec::new();
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Err(malformed("a space stands before each parameter"));
    }
    for word in rest.split(' ').filter(|word| !word.is_empty()) {
        let (keyword, value) = match word.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (word, None),
        };
        let keyword = keyword.to_ascii_uppercase();
        if !is_keyword(&keyword) || value.is_some_and(|value| !is_value(value)) {
            return Err(malformed("this parameter cannot be read"));
        }
        if found.iter().any(|earlier| earlier.keyword == keyword) {
            return Err(malformed("a parameter stands twice"));
        }
        found.push(Parameter { keyword, value });
    }
    Ok(found)
}

pub(crate) fn size(value: Option<&str>) -> Result<u64, Reply> {
    let digits = value.filter(|text| text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit()));
    let size = digits.and_then(|text| text.parse().ok());
    size.ok_or_else(|| malformed("SIZE= wants a number of octets"))
}

pub(crate) fn body(value: Option<&str>) -> Result<Body, Reply> {
    match value.map(str::to_ascii_uppercase).as_deref() {
        Some("7BIT") => Ok(Body::SevenBit),
        Some("8BITMIME") => Ok(Body::EightBitMime),
        Some("BINARYMIME") => Err(Reply::new(
            555,
            (6, 1),
            "BINARYMIME is not offered here; please send this message as 8BITMIME",
        )),
        _ => Err(malformed("BODY= wants 7BIT or 8BITMIME")),
    }
}

pub(crate) fn returned(value: Option<&str>) -> Result<Return, Reply> {
    match value.map(str::to_ascii_uppercase).as_deref() {
        Some("FULL") => Ok(Return::Full),
        Some("HDRS") => Ok(Return::Headers),
        _ => Err(malformed("RET= wants FULL or HDRS")),
    }
}

pub(crate) fn envelope_id(value: Option<&str>) -> Result<String, Reply> {
    let text = value.filter(|text| text.len() <= ENVELOPE_ID_BYTES).and_then(decode_xtext);
    text.ok_or_else(|| malformed("ENVID= wants xtext of at most 100 octets"))
}

pub(crate) fn notify(value: Option<&str>) -> Result<Notify, Reply> {
    let value = value.unwrap_or_default().to_ascii_uppercase();
    let mut notify = Notify::default();
    if value == "NEVER" {
        return Ok(notify);
    }
    for word in value.split(',') {
        match word {
            "SUCCESS" => notify.success = true,
            "FAILURE" => notify.failure = true,
            "DELAY" => notify.delay = true,
            _ => return Err(malformed("NOTIFY= wants NEVER or SUCCESS, FAILURE, DELAY")),
        }
    }
    Ok(notify)
}

pub(crate) fn original(value: Option<&str>) -> Result<Original, Reply> {
    let parts = value.filter(|text| text.len() <= ORIGINAL_BYTES).and_then(|t| t.split_once(';'));
    let read = parts.and_then(|(kind, text)| {
        let address = decode_xtext(text)?;
        is_keyword(kind).then(|| Original { kind: kind.to_ascii_lowercase(), address })
    });
    read.ok_or_else(|| malformed("ORCPT= wants a type, a semicolon and xtext"))
}

/// `AUTH=<>` or xtext, RFC 4954 §5: only its form is looked at.
pub(crate) fn vouched(value: &str) -> Result<bool, Reply> {
    let fits = value == "<>" || decode_xtext(value).is_some_and(|text| !text.is_empty());
    fits.then_some(true).ok_or_else(|| malformed("AUTH= wants <> or xtext"))
}

/// Writes a text as xtext, RFC 3461 §4.
pub fn xtext(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'+' | b'=' | ..=32 | 127.. => written.push_str(&format!("+{octet:02X}")),
            other => written.push(char::from(other)),
        }
    }
    written
}

/// RFC 3461 §4: `+` and two upper-case hexadecimal digits stand for an octet.
fn decode_xtext(text: &str) -> Option<String> {
    let mut cursor = Cursor::new(text.as_bytes());
    let mut meant = Vec::with_capacity(text.len());
    while let Some(byte) = cursor.next() {
        match byte {
            b'+' => meant.push(hexadecimal(cursor.next()?)? << 4 | hexadecimal(cursor.next()?)?),
            b'=' | ..=32 | 127 => return None,
            other => meant.push(other),
        }
    }
    String::from_utf8(meant).ok()
}

fn hexadecimal(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// esmtp-keyword of RFC 5321 §4.1.2.
fn is_keyword(word: &str) -> bool {
    let starts_well = word.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    starts_well && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// esmtp-value: anything visible but `=`; RFC 6531 §3.3 adds UTF-8.
fn is_value(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte > 32 && !matches!(byte, b'=' | 127))
}

fn malformed(why: &'static str) -> Reply {
    Reply::new(501, (5, 4), why)
}
