//! Names of files and other parameters of a type or a disposition in ASCII (RFC 2231): many
//! programs write them raw, and servers without SMTPUTF8 do not take that in a header.

use std::collections::HashSet;

/// Letters of one piece of a value, so that a line stays below 78.
const PIECE_BYTES: usize = 54;
/// What readers find parts and letters by is never written otherwise.
const FOR_MACHINES: &[&str] = &["boundary", "charset"];

/// The value of Content-Type or Content-Disposition, unfolded, with every parameter in ASCII.
/// `None`: it is already, or one of them cannot be told for certain.
pub(crate) fn in_ascii(value: &str) -> Option<String> {
    let mut segments = segments(value);
    let kind = segments.next().filter(|kind| kind.is_ascii())?.trim();
    let segments: Vec<&str> = segments.map(str::trim).filter(|one| !one.is_empty()).collect();
    let encoded: HashSet<String> = segments.iter().filter_map(|one| encoded_name(one)).collect();
    let mut written = kind.to_owned();
    for segment in segments {
        if segment.is_ascii() {
            written.push_str(&format!(";\r\n {segment}"));
            continue;
        }
        let (name, raw) = segment.split_once('=')?;
        let name = name.trim();
        let is_name = !name.is_empty()
            && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
        let lower = name.to_ascii_lowercase();
        if !is_name || FOR_MACHINES.contains(&lower.as_str()) {
            return None;
        }
        // Who wrote both means the encoded one to be read.
        if !encoded.contains(&lower) {
            written.push_str(&pieces(name, &plain(raw.trim())?));
        }
    }
    Some(written)
}

/// What stands between semicolons that are in no quotes.
fn segments(value: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    value.split(move |letter| {
        let ends = letter == ';' && !is_quoted;
        if letter == '"' && !is_escaped {
            is_quoted = !is_quoted;
        }
        is_escaped = letter == '\\' && !is_escaped;
        ends
    })
}

/// Whose encoded form this is: `filename` of `filename*=` and `filename*0*=`.
fn encoded_name(segment: &str) -> Option<String> {
    let (name, _) = segment.split_once('=')?;
    let (name, _) = name.split_once('*')?;
    Some(name.trim().to_ascii_lowercase())
}

/// A value without its quotes. `None`: they do not end, or words in it are encoded another way.
fn plain(raw: &str) -> Option<String> {
    let Some(quoted) = raw.strip_prefix('"') else {
        return (!raw.contains(['"', '(', '\\']) && !raw.contains("=?")).then(|| raw.to_owned());
    };
    let quoted = quoted.strip_suffix('"')?;
    let mut letters = quoted.chars().peekable();
    let mut plain = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return None,
            '\\' if matches!(letters.peek(), Some('"' | '\\')) => plain.extend(letters.next()),
            other => plain.push(other),
        }
    }
    (!plain.contains("=?")).then_some(plain)
}

/// RFC 2231 §3 and §4: one parameter, in as many pieces as lines need.
fn pieces(name: &str, value: &str) -> String {
    let mut pieces = vec![String::new()];
    for letter in value.chars() {
        let encoded = encoded(letter);
        match pieces.last_mut() {
            Some(piece) if piece.len() + encoded.len() <= PIECE_BYTES => piece.push_str(&encoded),
            _ => pieces.push(encoded),
        }
    }
    if let [piece] = pieces.as_slice() {
        return format!(";\r\n {name}*=UTF-8''{piece}");
    }
    let numbered = pieces.iter().enumerate().map(|(number, piece)| {
        let charset = if number == 0 { "UTF-8''" } else { "" };
        format!(";\r\n {name}*{number}*={charset}{piece}")
    });
    numbered.collect()
}

fn encoded(letter: char) -> String {
    if letter.is_ascii_alphanumeric() || "!#$&+-.^_`{}|~".contains(letter) {
        return letter.to_string();
    }
    let mut octets = [0; 4];
    letter.encode_utf8(&mut octets).bytes().map(|octet| format!("%{octet:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::in_ascii;

    /// Every reader of both forms finds the same value.
    fn check(value: &str, name: &str, expected: &str) {
        let written = in_ascii(value).unwrap();
        assert!(written.is_ascii() && written.lines().all(|line| line.len() <= 78), "{written}");
        let unfolded = mime::unfold(written.as_bytes());
        for value in [value.as_bytes(), &unfolded] {
            let found = mime::disposition(value).parameter(name);
            assert_eq!(found.as_deref(), Some(expected), "{written}");
        }
    }

    #[test]
    fn names_of_files_read_as_before() {
        check("attachment; filename=\"日本.pdf\"", "filename", "日本.pdf");
        check("attachment; filename=見積書.pdf; size=3", "filename", "見積書.pdf");
        check("attachment; filename=\"a \\\"b\\\" ; é.txt\"; size=3", "size", "3");
        check("attachment; filename=\"a \\\"b\\\" ; é.txt\"", "filename", "a \"b\" ; é.txt");
        let long = "長い名前の見積書".repeat(12) + ".xlsx";
        check(&format!("attachment; filename=\"{long}\""), "filename", &long);
        check(
            "attachment; filename*=UTF-8''%E6%97%A5.pdf; filename=\"日.pdf\"",
            "filename",
            "日.pdf",
        );
    }

    #[test]
    fn what_is_not_certain_stays() {
        for value in [
            "multipart/mixed; boundary=\"日本\"",
            "text/日本; name=a",
            "attachment; filename=\"日本",
            "attachment; filename=\"=?utf-8?q?a?= 日本\"",
            "attachment; 日本",
            "attachment; 名=a",
        ] {
            assert_eq!(in_ascii(value), None, "{value}");
        }
    }
}
