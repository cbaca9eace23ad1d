//! Text of people on a terminal: what shows nothing of itself there, and could move, hide or
//! overwrite what stands around it.

/// Controls (an escape begins a terminal's commands), line separators, marks of writing direction
/// (Unicode UAX #9), blanks and fillers that are not seen, and what joins letters into one: two
/// names that differ in it alone look the same. What chooses the form of a letter before it, as in
/// Japanese names (U+FE00…, U+E0100…), is none of them.
pub fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || is_joiner(letter)
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180e}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Persian and Indic words are written with these, and pictures of several people.
fn is_joiner(letter: char) -> bool {
    matches!(letter, '\u{200c}'..='\u{200d}')
}

/// Whether it may be kept as what a person wrote: nothing in it is hidden but what joins letters,
/// which is shown as a sign wherever it is printed.
pub fn is_plain(text: &str) -> bool {
    !text.chars().any(|letter| is_hidden(letter) && !is_joiner(letter))
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

/// One line of a log, of so many letters at most: a control becomes a blank, so that no text looks
/// like the line of another, and what is hidden otherwise its sign.
pub fn in_a_line(text: &str, letters: usize) -> String {
    let (mut line, mut left) = (String::new(), letters);
    for letter in text.chars() {
        let sign = if letter.is_control() { Some(" ".to_owned()) } else { sign(letter) };
        let piece = sign.unwrap_or_else(|| letter.to_string());
        // Half a sign says nothing.
        let Some(rest) = left.checked_sub(piece.chars().count()) else { break };
        line.push_str(&piece);
        left = rest;
    }
    line
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
    use super::{in_a_line, is_hidden, is_plain, shown};

    #[test]
    fn what_is_hidden_is_shown_as_a_sign() {
        let check = |text: &str, expected: &str| {
            assert_eq!(shown(text), expected);
            assert_eq!(is_plain(text), text == expected, "{expected}");
        };
        let japanese = "端末を失くした 📮 パパ ｶﾞ 葛\u{e0100} ☎\u{fe0f}";
        check(japanese, japanese);
        check("ok\u{1b}[1A\u{1b}[2Kwhat", "ok␛[1A␛[2Kwhat");
        check("a\r\nb\tc\u{7f}", "a␍␊b␉c␡");
        check("\u{9b}2J", "<U+009B>2J");
        check("gro.elpmaxe\u{202e}", "gro.elpmaxe<U+202E>");
        check("\u{2066}\u{e0041}\u{feff}", "<U+2066><U+E0041><U+FEFF>");
        check("a\u{ad}o\u{3164}i\u{180e}", "a<U+00AD>o<U+3164>i<U+180E>");
        let hidden = "\u{61c}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\
                      \u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\u{2066}\u{2067}\u{2068}\u{2069}\
                      \u{feff}\u{e0000}\u{e0001}\u{e0020}\u{e007f}";
        assert!(hidden.chars().all(is_hidden) && shown(hidden).is_ascii());
    }

    /// A person may write them; whoever reads a name sees that they are there.
    #[test]
    fn what_joins_letters_may_be_kept_and_is_shown() {
        assert!(is_plain("👨\u{200d}👩") && is_plain("می\u{200c}خواهم"));
        assert_eq!(shown("aoi\u{200d}@\u{200c}"), "aoi<U+200D>@<U+200C>");
    }

    #[test]
    fn a_line_of_a_log_is_one_and_turns_nothing_around() {
        let check = |text: &str, letters, expected: &str| {
            assert_eq!(in_a_line(text, letters), expected);
        };
        check("two\nlines\u{1b}[2J\u{9b}1A", 200, "two lines [2J 1A");
        check("gpj.\u{202e}exe\u{2028}", 200, "gpj.<U+202E>exe<U+2028>");
        check("関所\u{202e}", 10, "関所<U+202E>");
        check("関所\u{202e}", 9, "関所");
        check("関所", 1, "関");
    }
}
