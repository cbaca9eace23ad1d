//! Where in the file something stands, and what the TOML reader says in sentences of ours:
//! expected, found, and the line. Its own words are about parsers and types of Rust.

use crate::Fault;
use std::ops::Range;

/// Letters of a line or value that are said again.
const SHOWN: usize = 80;
const EVERY: &str = "docs/generated/config.md lists every setting";

/// The number of the line in which an octet stands; the first is 1.
pub(crate) fn line_at(text: &[u8], at: usize) -> usize {
    let before = text.get(..at).unwrap_or(text);
    1 + before.iter().filter(|octet| **octet == b'\n').count()
}

/// The line that sets `section.name`, if one does.
pub(crate) fn line_of(text: &str, setting: &str) -> Option<usize> {
    let (mut section, mut found) = (String::new(), None);
    for (number, line) in text.lines().enumerate() {
        if let Some(name) = section_in(line) {
            section = name.to_owned();
        } else if let Some(name) = name_in(line)
            && (format!("{section}.{name}") == setting || (section.is_empty() && name == setting))
        {
            found = Some(number + 1);
        }
    }
    found
}

/// The setting that stands where an octet does: a list may begin some lines above.
fn setting_at(text: &str, at: usize) -> Option<String> {
    let end = text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |end| at + end);
    let mut name = None;
    for line in text.get(..end)?.lines().rev() {
        if let Some(section) = section_in(line) {
            return name.map(|name| format!("{section}.{name}"));
        }
        name = name.or_else(|| name_in(line));
    }
    name.map(str::to_owned)
}

fn section_in(line: &str) -> Option<&str> {
    // A file of Windows may begin with a mark of its own.
    let line = line.trim_start_matches('\u{feff}').trim();
    let (name, _) = line.strip_prefix('[')?.split_once(']')?;
    let is_name = !name.is_empty() && name.bytes().all(is_bare);
    is_name.then_some(name)
}

fn name_in(line: &str) -> Option<&str> {
    let name = line.split_once('=')?.0.trim();
    (!name.is_empty() && name.bytes().all(is_bare)).then_some(name)
}

fn is_bare(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-' | b'.')
}

/// What the TOML reader found, as one of our faults.
pub(crate) fn unread(text: &str, error: &toml::de::Error) -> Fault {
    let span = error.span().unwrap_or(0..0);
    let line = Some(line_at(text.as_bytes(), span.start));
    let setting = setting_at(text, span.start);
    let message = error.message();
    let found = piece(text, &span);
    if let Some(known) = message.strip_prefix("unknown field ").and_then(known_names) {
        let section = setting.as_deref().and_then(|name| name.rsplit_once('.'));
        let expected = match section {
            Some((section, _)) => format!("a setting of [{section}]: {known}"),
            None => format!("a section: {known}"),
        };
        return Fault::Wanting { line, setting: None, expected, found, hint: EVERY };
    }
    if let Some(shape) = shape(message) {
        let hint = "texts stand in quotes, lists in brackets, numbers alone";
        return Fault::Wanting { line, setting, expected: shape, found, hint };
    }
    let (expected, setting) = match message.contains("duplicate key") {
        true => ("each setting once", setting),
        false => ("NAME = VALUE, or [SECTION]", None),
    };
    let whole = text.lines().nth(line.unwrap_or(1) - 1).unwrap_or_default();
    let hint = "texts stand in quotes, lists in brackets; what stands behind # is a comment";
    let found = in_short(whole.trim());
    Fault::Wanting { line, setting, expected: expected.to_owned(), found, hint }
}

/// `` `a`, expected one of `b`, `c` `` knows of `b, c`.
fn known_names(rest: &str) -> Option<String> {
    let (_, known) = rest.split_once("expected ")?;
    let names = known.split('`').skip(1).step_by(2);
    Some(names.collect::<Vec<_>>().join(", "))
}

/// What a value should have been, where the reader says so.
fn shape(message: &str) -> Option<String> {
    let whole = |most: u64| format!("a whole number from 0 to {most}");
    if message.contains("socket address") {
        return Some("IP:PORT, such as 192.0.2.1:25 or [::]:25".to_owned());
    }
    if message.contains("IP address") {
        return Some("an IP address".to_owned());
    }
    let is_shape = message.starts_with("invalid type") || message.starts_with("invalid value");
    let (_, expected) = message.rsplit_once("expected ").filter(|_| is_shape)?;
    Some(match expected {
        "u16" => whole(u16::MAX.into()),
        "u32" => whole(u32::MAX.into()),
        "u64" => "a whole number, 0 or more".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" | "path string" => "a text in quotes".to_owned(),
        "a sequence" => "a list in brackets".to_owned(),
        _ => "a section, with its settings below [SECTION]".to_owned(),
    })
}

fn piece(text: &str, span: &Range<usize>) -> String {
    in_short(text.get(span.clone()).unwrap_or_default().trim())
}

/// One line, and no more of it than one knows it by.
fn in_short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None if line.is_empty() => "nothing".to_owned(),
        None => line.to_owned(),
    }
}
