//! What is printed of files that are only judged here: nothing in them reaches the terminal as
//! anything but signs that can be seen.

use terms::plain;

/// Several lines; only their ends stay what they are.
pub fn lines(text: &str) -> String {
    let shown: Vec<String> = text.split('\n').map(plain::shown).collect();
    shown.join("\n")
}

/// One line.
pub fn line(text: &str) -> String {
    plain::shown(text)
}

/// A line of JSON, with an escape for each letter that is hidden: it reads as what it was.
pub fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if !plain::is_hidden(letter) {
            shown.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            shown.push_str(&format!("\\u{unit:04x}"));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{json, lines};

    #[test]
    fn what_is_hidden_is_a_sign_and_json_stays_what_it_was() {
        assert_eq!(lines("a\u{1b}[2K\nb\u{202e}c\r\n"), "a␛[2K\nb<U+202E>c␍\n");
        let value = serde_json::json!({ "a\u{9b}2J": "x\u{202e}\u{1b}[1A\n\u{e0041}" });
        let shown = json(&value.to_string());
        assert!(shown.is_ascii() && terms::plain::is_plain(&shown), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
