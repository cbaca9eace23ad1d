//! The request line and the fields: strict, each rule with its reason.

use crate::request::{Method, Refusal};
use crate::{BODY_BYTES, FIELDS, TARGET_BYTES};
use terms::Cursor;

/// Digits of a length: more is longer than anything that is taken.
const LENGTH_DIGITS: usize = 12;
/// RFC 1035 §2.3.4, with a final dot.
const HOST_BYTES: usize = 254;
/// Of a field that is only looked into.
const VALUE_BYTES: usize = 1_024;

/// What the head says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub method: Method,
    pub path: String,
    pub query: Option<String>,
    pub host: String,
    pub content_type: String,
    pub accept_language: String,
    pub keeps: bool,
    pub length: usize,
    pub expects_continue: bool,
}

#[derive(Default)]
struct Fields {
    host: Option<String>,
    length: Option<usize>,
    is_coded: bool,
    closes: bool,
    expects: Option<bool>,
    content_type: String,
    accept_language: String,
}

/// Reads a head without its last empty line. `octets` ends with the CRLF of the last field.
pub(crate) fn read(octets: &[u8]) -> Result<Head, Refusal> {
    // A bare CR or LF, or a NUL, is where two readers part: RFC 9112 §2.2, RFC 9110 §5.5.
    let mut lines = Vec::new();
    let mut rest = octets;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|two| two == b"\r\n").ok_or(Refusal::Malformed)?;
        let line = rest.get(..end).unwrap_or_default();
        if line.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)) {
            return Err(Refusal::Malformed);
        }
        lines.push(line);
        rest = rest.get(end + 2..).unwrap_or_default();
    }
    let (first, fields) = lines.split_first().ok_or(Refusal::Malformed)?;
    let (method, target) = request_line(first)?;
    if fields.len() > FIELDS {
        return Err(Refusal::HeadTooLong);
    }
    let fields = read_fields(fields)?;
    let host = fields.host.ok_or(Refusal::Malformed)?;
    let (path, query, host) = split_target(target, host)?;
    let length = match (fields.is_coded, fields.length) {
        // RFC 9112 §6.1: who sends both may mean to smuggle.
        (true, Some(_)) => return Err(Refusal::Malformed),
        (true, None) => return Err(Refusal::LengthRequired),
        (false, length) => length.unwrap_or(0),
    };
    let expects_continue = match fields.expects {
        Some(false) => return Err(Refusal::Expectation),
        expects => expects.is_some(),
    };
    if length > BODY_BYTES {
        return Err(Refusal::BodyTooLong);
    }
    let Fields { content_type, accept_language, closes, .. } = fields;
    let keeps = !closes;
    Ok(Head {
        method,
        path,
        query,
        host,
        content_type,
        accept_language,
        keeps,
        length,
        expects_continue,
    })
}

/// RFC 9112 §3: three words with one space between.
fn request_line(line: &[u8]) -> Result<(Method, &str), Refusal> {
    let mut words = line.split(|octet| *octet == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Refusal::Malformed);
    };
    if method.is_empty() || !method.iter().all(|octet| is_token(*octet)) {
        return Err(Refusal::Malformed);
    }
    if version != b"HTTP/1.1" {
        let is_http = version.len() == 8 && version.starts_with(b"HTTP/");
        return Err(if is_http { Refusal::Version } else { Refusal::Malformed });
    }
    if target.len() > TARGET_BYTES {
        return Err(Refusal::TargetTooLong);
    }
    let is_printable = !target.is_empty() && target.iter().all(u8::is_ascii_graphic);
    let target = std::str::from_utf8(target).ok().filter(|_| is_printable);
    let method = match method {
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        b"POST" => Method::Post,
        _ => Method::Other,
    };
    Ok((method, target.ok_or(Refusal::Malformed)?))
}

/// Path, query and host: of the target itself where it names one (RFC 9112 §3.2.2), which must
/// then be the same as in the field.
fn split_target(target: &str, host: String) -> Result<(String, Option<String>, String), Refusal> {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| {
        target.get(..scheme.len()).is_some_and(|found| found.eq_ignore_ascii_case(scheme))
    });
    let target = match scheme {
        Some(scheme) => {
            let rest = target.get(scheme.len()..).unwrap_or_default();
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
            if read_host(authority.as_bytes())? != host {
                return Err(Refusal::Malformed);
            }
            if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
        }
        None => target.to_owned(),
    };
    // A fragment never leaves a client (RFC 9110 §7.1).
    if target.contains('#') || !(target.starts_with('/') || target == "*") {
        return Err(Refusal::Malformed);
    }
    Ok(match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned()), host),
        None => (target, None, host),
    })
}

fn read_fields(lines: &[&[u8]]) -> Result<Fields, Refusal> {
    let mut fields = Fields::default();
    for line in lines {
        let mut cursor = Cursor::new(line);
        // A line that begins with a blank continues another one: RFC 9112 §5.2 lets us refuse it.
        let name = cursor.take_while(is_token);
        // RFC 9112 §5.1: no blank before the colon.
        if name.is_empty() || !cursor.eat(b':') {
            return Err(Refusal::Malformed);
        }
        let value = cursor.rest().trim_ascii();
        if value.iter().any(|octet| octet.is_ascii_control() && *octet != b'\t') {
            return Err(Refusal::Malformed);
        }
        fields.take(&name.to_ascii_lowercase(), value)?;
    }
    Ok(fields)
}

impl Fields {
    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        match name {
            b"host" => {
                // RFC 9112 §3.2: with two of them, 400.
                let found = read_host(value)?;
                if self.host.replace(found).is_some() {
                    return Err(Refusal::Malformed);
                }
            }
            b"content-length" => {
                let found = read_length(value)?;
                if self.length.replace(found).is_some() {
                    return Err(Refusal::Malformed);
                }
            }
            b"transfer-encoding" => self.is_coded = true,
            b"expect" => self.expects = Some(value.eq_ignore_ascii_case(b"100-continue")),
            b"connection" => {
                let mut options = value.split(|octet| *octet == b',');
                self.closes |=
                    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"));
            }
            b"content-type" => {
                let kind = value.split(|octet| *octet == b';').next().unwrap_or_default();
                self.content_type = text(kind.trim_ascii()).to_ascii_lowercase();
            }
            b"accept-language" => self.accept_language = text(value),
            _ => {}
        }
        Ok(())
    }
}

fn text(value: &[u8]) -> String {
    let value = value.get(..value.len().min(VALUE_BYTES)).unwrap_or_default();
    String::from_utf8_lossy(value).into_owned()
}

/// Digits only: no sign, no list (RFC 9110 §8.6 lets a list of equal ones be refused).
fn read_length(value: &[u8]) -> Result<usize, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::Malformed);
    }
    if value.len() > LENGTH_DIGITS {
        return Err(Refusal::BodyTooLong);
    }
    let digits = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
    digits.ok_or(Refusal::Malformed)
}

/// A name (or an address), a colon and a port, if there is one. RFC 3986 §3.2.2, without what no
/// host name has.
fn read_host(value: &[u8]) -> Result<String, Refusal> {
    let text = std::str::from_utf8(value).map_err(|_| Refusal::Malformed)?;
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, behind) = rest.split_once(']').ok_or(Refusal::Malformed)?;
            let port = behind.strip_prefix(':');
            if port.is_none() && !behind.is_empty() {
                return Err(Refusal::Malformed);
            }
            let is_address = address.parse::<std::net::Ipv6Addr>().is_ok();
            (Some(address).filter(|_| is_address).ok_or(Refusal::Malformed)?, port)
        }
        None => match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        },
    };
    let is_port = |port: &str| port.len() <= 5 && port.bytes().all(|octet| octet.is_ascii_digit());
    let is_in_a_name =
        |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b':');
    let fits = !name.is_empty()
        && name.len() <= HOST_BYTES
        && name.bytes().all(is_in_a_name)
        && port.is_none_or(is_port);
    if !fits {
        return Err(Refusal::Malformed);
    }
    Ok(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase())
}

/// RFC 9110 §5.6.2.
fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}
