//! Text of people on a terminal: what shows nothing of itself there, and could move, hide or
//! overwrite what stands around it.

/// Controls (an escape begins a terminal's commands), line separators, marks of writing direction
/// (Unicode UAX #9), and blanks without a width. What joins letters into one is none of them.
pub fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{61c}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Whether all of it can be seen as it stands.
pub fn is_plain(text: &str) -> bool {
    !text.chars().any(is_hidden)
}

/// The text with a sign for each letter that is hidden.
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match sign(letter) {
            Some(sign) => shown.push_str(&sign),
            None => shown.push(letter),
        }
    }
    shown
}

/// `␛`, or `<U+202E>`.
pub fn sign(letter: char) -> Option<String> {
    let code = u32::from(letter);
    match code {
        // Unicode has pictures of these.
        0..=0x1f => char::from_u32(0x2400 + code).map(String::from),
        0x7f => Some('\u{2421}'.to_string()),
        _ => is_hidden(letter).then(|| format!("<U+{code:04X}>")),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_plain, shown};

    #[test]
    fn what_is_hidden_is_shown_as_a_sign() {
        let check = |text: &str, expected: &str| {
            assert_eq!(shown(text), expected);
            assert_eq!(is_plain(text), text == expected, "{expected}");
        };
        check("端末を失くした 📮 👨\u{200d}👩", "端末を失くした 📮 👨\u{200d}👩");
        check("ok\u{1b}[1A\u{1b}[2Kwhat", "ok␛[1A␛[2Kwhat");
        check("a\r\nb\tc\u{7f}", "a␍␊b␉c␡");
        check("\u{9b}2J", "<U+009B>2J");
        check("gro.elpmaxe\u{202e}", "gro.elpmaxe<U+202E>");
        check("\u{2066}\u{e0041}\u{feff}", "<U+2066><U+E0041><U+FEFF>");
    }
}
