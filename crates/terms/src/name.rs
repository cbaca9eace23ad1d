//! Names of domains as people type them, in the one spelling that a name has: letters of other
//! widths and shapes made plain, marks joined to their letters, full stops of other scripts made
//! dots (UTS #46, as far as it leads to a name that anybody could have registered).

use crate::letters::LETTERS;
use crate::shapes::JOINED;

/// Halfwidth katakana from U+FF66 on.
const KATAKANA: &str = "ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン";
/// Full stops beside the one of ASCII (RFC 3490 §3.1); Japanese keyboards type them.
pub const FULL_STOPS: [char; 3] = ['\u{3002}', '\u{ff0e}', '\u{ff61}'];

/// A domain as it was typed, as the DNS has it: in A-labels, without the full stop at its end.
pub fn dns_name(typed: &str) -> String {
    crate::ascii_name(mapped_name(typed.trim()).trim_end_matches('.'))
}

/// A domain as it was typed, in its one spelling; `ascii_name` makes it one for the DNS. What no
/// name can have stays, so that whoever reads it refuses it.
pub fn mapped_name(typed: &str) -> String {
    if typed.is_ascii() {
        return typed.to_ascii_lowercase();
    }
    let mut name = String::with_capacity(typed.len());
    for letter in typed.chars() {
        match is_unseen(letter) {
            true if is_passed_over(letter) => {}
            true => name.push(letter),
            false => push_plain(&mut name, letter),
        }
    }
    name
}

/// What UTS #46 calls ignored.
fn is_passed_over(letter: char) -> bool {
    matches!(u32::from(letter),
        0xad | 0x034f | 0x180b..=0x180d | 0x180f | 0x200b | 0x2060 | 0x2064 | 0xfe00..=0xfe0f
        | 0xfeff)
}

/// One more letter of a name, plain. What nobody sees is left out.
pub fn push_plain(name: &mut String, letter: char) {
    if is_unseen(letter) {
        return;
    }
    if FULL_STOPS.contains(&letter) {
        name.push('.');
        return;
    }
    if let Some(letters) = plain_letters(letter) {
        name.push_str(&letters);
        return;
    }
    let mark = match letter {
        '\u{ff9e}' => '\u{3099}',
        '\u{ff9f}' => '\u{309a}',
        letter => letter,
    };
    match name.chars().next_back().and_then(|before| joined(before, mark)) {
        Some(joined) => {
            name.pop();
            name.push(joined);
        }
        None => name.extend(mark.to_lowercase()),
    }
}

/// What a small letter and a mark behind it become.
pub(crate) fn joined(before: char, mark: char) -> Option<char> {
    if !matches!(mark, '\u{300}'..='\u{345}' | '\u{3099}' | '\u{309a}') {
        return None;
    }
    JOINED.iter().filter(|(known, ..)| *known == mark).find_map(|(_, letters, made)| {
        let at = letters.chars().position(|letter| letter == before)?;
        made.chars().nth(at)
    })
}

/// A mark that joins the letter before it, or would if there were such a letter.
pub fn is_joined_mark(before: char, letter: char) -> bool {
    let is_kana = ('\u{3041}'..='\u{30fe}').contains(&before);
    is_mark(letter) && (before.is_ascii_alphabetic() || is_kana)
}

/// Marks that may join a letter.
pub fn is_mark(letter: char) -> bool {
    matches!(u32::from(letter), 0x0300..=0x036f | 0x3099..=0x309a | 0xff9e..=0xff9f)
}

/// What NFKC and case folding make of a letter, where that is made of ASCII or of katakana.
pub fn plain_letters(letter: char) -> Option<String> {
    let code = u32::from(letter);
    let ascii = |first: u8, offset: u32| {
        let byte = u8::try_from(offset).ok().and_then(|offset| first.checked_add(offset));
        byte.map(|byte| char::from(byte.to_ascii_lowercase()).to_string())
    };
    match code {
        0xff01..=0xff5e => ascii(b'!', code - 0xff01),
        // Thirteen alphabets of mathematics, then five rows of digits.
        0x1d400..=0x1d6a3 => ascii(b'a', (code - 0x1d400) % 26),
        0x1d7ce..=0x1d7ff => ascii(b'0', (code - 0x1d7ce) % 10),
        0xff66..=0xff9d => {
            let at = usize::try_from(code - 0xff66).ok()?;
            KATAKANA.chars().nth(at).map(String::from)
        }
        _ => looked_up(LETTERS, code).map(str::to_owned),
    }
}

/// What a table of runs has for a code point.
pub(crate) fn looked_up<'t>(table: &[(u32, &'t str)], code: u32) -> Option<&'t str> {
    let (first, run) = table.iter().rev().find(|(first, _)| *first <= code)?;
    let at = usize::try_from(code - first).ok()?;
    run.split(' ').nth(at).filter(|letters| *letters != "?")
}

/// Controls, blanks of every kind, and what Unicode calls default ignorable: no reader shows them.
pub fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || letter.is_whitespace()
        || matches!(u32::from(letter),
            0xad | 0x034f | 0x061c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f
            | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f
            | 0xfeff | 0xffa0 | 0xfff0..=0xfffd | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a
            | 0xe0000..=0xe0fff)
}

#[cfg(test)]
mod tests {
    use super::{dns_name, mapped_name};
    use crate::ascii_name;

    #[test]
    fn a_name_has_one_spelling_however_it_is_typed() {
        for (typed, name, in_the_dns) in [
            ("Example.JP", "example.jp", "example.jp"),
            ("ｅｘａｍｐｌｅ．ｊｐ", "example.jp", "example.jp"),
            ("ＥＸＡＭＰＬＥ。ＪＰ", "example.jp", "example.jp"),
            ("example｡jp", "example.jp", "example.jp"),
            ("例え。テスト", "例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("例え.ﾃｽﾄ", "例え.テスト", "xn--r8jz45g.xn--zckzah"),
            // Two code points and one: か and a sound mark, u and two dots.
            ("か\u{3099}く.jp", "がく.jp", "xn--v8jg.jp"),
            ("ｶﾞｸ.jp", "ガク.jp", "xn--mckg.jp"),
            ("Mu\u{308}nchen.example", "münchen.example", "xn--mnchen-3ya.example"),
            ("ex\u{ad}ample\u{feff}.jp", "example.jp", "example.jp"),
            ("①.example", "1.example", "1.example"),
            // No mark of these: it stays, and nobody has such a name.
            ("あ\u{3099}.jp", "あ\u{3099}.jp", "xn--l8jvj.jp"),
        ] {
            let mapped = mapped_name(typed);
            assert_eq!(mapped, name, "{typed}");
            assert_eq!(mapped_name(&mapped), mapped, "{typed}");
            assert_eq!(ascii_name(&mapped), in_the_dns, "{typed}");
            assert_eq!(dns_name(&format!(" {typed}。")), in_the_dns, "{typed}");
        }
        assert_eq!(mapped_name("a\u{202e}b.jp"), "a\u{202e}b.jp");
    }
}
