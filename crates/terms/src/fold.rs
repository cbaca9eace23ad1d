//! Texts in the one shape in which they are compared: widths, shapes and joined marks made alike
//! (Unicode's NFKC, as far as `letters` and `shapes` know it) and without capitals.

use crate::is_unseen;
use crate::name::{joined, looked_up, plain_letters};
use crate::shapes::SHAPES;

/// Text to look in, or to look for: blanks are spaces, and what nobody sees is not there.
pub fn folded_text(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase().replace('\t', " ");
    }
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            ' '..='~' => folded.push(letter.to_ascii_lowercase()),
            '\t' => folded.push(' '),
            // Octets that were no letters: words on both sides are not one word.
            '\u{fffd}' => folded.push(letter),
            _ if letter.is_control() => folded.push(letter),
            _ if letter.is_whitespace() => folded.push(' '),
            _ if is_unseen(letter) => {}
            _ => push_folded(&mut folded, letter),
        }
    }
    folded
}

/// The local part of an address of ours, in the one spelling in which it is kept and looked up.
/// What no reader shows stays, so that whoever reads it refuses it.
pub fn folded_local(local: &str) -> String {
    if local.is_ascii() {
        return local.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(local.len());
    for letter in local.chars() {
        match is_unseen(letter) {
            true => folded.push(letter),
            false => push_folded(&mut folded, letter),
        }
    }
    folded
}

/// A local part in that spelling, without the tag behind its plus, be it a wide one.
pub fn plain_local(local: &str) -> String {
    let local = folded_local(local);
    match local.split_once('+') {
        Some((plain, _)) if !plain.is_empty() => plain.to_owned(),
        _ => local,
    }
}

/// A name of people's own making with its marks joined to their letters (NFC): capitals and
/// widths stay theirs.
pub fn composed(name: &str) -> String {
    if name.is_ascii() {
        return name.to_owned();
    }
    let mut made = String::with_capacity(name.len());
    for letter in name.chars() {
        // Characters that Unicode has twice are one in NFC, too.
        match looked_up(SHAPES, u32::from(letter)) {
            Some(same) if ('\u{f900}'..='\u{fad9}').contains(&letter) => made.push_str(same),
            _ => push_joined(&mut made, letter),
        }
    }
    made
}

fn push_folded(folded: &mut String, letter: char) {
    match letter {
        '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | '\u{4e00}'..='\u{9fff}' => {
            folded.push(letter);
        }
        '\u{ff9e}' => push_joined(folded, '\u{3099}'),
        '\u{ff9f}' => push_joined(folded, '\u{309a}'),
        // At the end of a word and elsewhere: one letter.
        'ς' => folded.push('σ'),
        'µ' => folded.push('μ'),
        _ => match shape(letter) {
            Some(plain) => folded.push_str(&plain),
            None => letter.to_lowercase().for_each(|letter| push_joined(folded, letter)),
        },
    }
}

fn shape(letter: char) -> Option<String> {
    plain_letters(letter).or_else(|| looked_up(SHAPES, u32::from(letter)).map(str::to_owned))
}

fn push_joined(text: &mut String, letter: char) {
    match text.chars().next_back().and_then(|before| one_of(before, letter)) {
        Some(one) => {
            text.pop();
            text.push(one);
        }
        None => text.push(letter),
    }
}

/// What a letter and the next become, be it in capitals.
fn one_of(before: char, letter: char) -> Option<char> {
    if let Some(one) = syllable(before, letter) {
        return Some(one);
    }
    if let Some(one) = joined(before, letter) {
        return Some(one);
    }
    let alone =
        |mut letters: std::char::ToLowercase| letters.next().filter(|_| letters.next().is_none());
    let small = alone(before.to_lowercase()).filter(|small| *small != before)?;
    let mut capital = joined(small, letter)?.to_uppercase();
    capital.next().filter(|_| capital.next().is_none())
}

/// Korean syllables are counted together of their letters (Unicode §3.12).
fn syllable(before: char, letter: char) -> Option<char> {
    let (before, letter) = (u32::from(before), u32::from(letter));
    match (before, letter) {
        (0x1100..=0x1112, 0x1161..=0x1175) => {
            char::from_u32(0xac00 + ((before - 0x1100) * 21 + letter - 0x1161) * 28)
        }
        (0xac00..=0xd7a3, 0x11a8..=0x11c2) if (before - 0xac00).is_multiple_of(28) => {
            char::from_u32(before + letter - 0x11a7)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{composed, folded_local, folded_text, plain_local};

    #[test]
    fn text_is_folded_to_one_shape() {
        for (written, folded) in [
            ("Hello\tWorld\r\n", "hello world\r\n"),
            ("ﾃｽﾄ", "テスト"),
            ("ｶﾞｽﾎﾟﾝﾌﾟ", "ガスポンプ"),
            ("カ\u{3099}ス", "ガス"),
            ("ＡＢＣ　１２", "abc 12"),
            ("㈱リンゴ ㍿ ㍉ ①", "(株)リンゴ 株式会社 ミリ 1"),
            ("\u{fa19}社", "神社"),
            ("葛\u{e0100}城", "葛城"),
            ("見\u{200b}積\u{ad}書", "見積書"),
            ("E\u{301}tude Éclair", "étude éclair"),
            ("Vie\u{323}\u{302}t", "việt"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
            ("ΣΊΣΥΦΟΣ σίσυφος", "σίσυφοσ σίσυφοσ"),
            ("。｡，", "。。,"),
            ("\u{fffd}", "\u{fffd}"),
        ] {
            assert_eq!(folded_text(written), folded, "{written}");
            assert_eq!(folded_text(folded), folded, "{written}");
        }
    }

    #[test]
    fn a_local_part_is_folded_and_nothing_is_taken_away() {
        for (typed, folded) in [
            ("Aoi", "aoi"),
            ("ＡＯＩ．ｍｏｒｉ", "aoi.mori"),
            ("か\u{3099}く", "がく"),
            ("ｱｵｲ", "アオイ"),
            ("Ｊｏ\u{308}ｒｇ", "jörg"),
            ("a\u{200b}b", "a\u{200b}b"),
            ("a\u{3000}b", "a\u{3000}b"),
        ] {
            assert_eq!(folded_local(typed), folded, "{typed}");
            assert_eq!(folded_local(folded), folded, "{typed}");
        }
    }

    #[test]
    fn a_tag_is_split_off_behind_either_plus() {
        for (typed, plain) in [("Aoi+x", "aoi"), ("ａｏｉ＋ｘ", "aoi"), ("+x", "+x"), ("だ", "だ")]
        {
            assert_eq!(plain_local(typed), plain, "{typed}");
        }
    }

    #[test]
    fn a_name_is_composed_and_else_left_as_it_is() {
        for (typed, name) in [
            ("Work", "Work"),
            ("カ\u{3099}ス", "ガス"),
            ("U\u{308}ber", "Über"),
            ("ＡＢＣ ﾃｽﾄ", "ＡＢＣ ﾃｽﾄ"),
            ("\u{1100}\u{1161}", "가"),
            ("\u{fa19}", "神"),
        ] {
            assert_eq!(composed(typed), name, "{typed}");
            assert_eq!(composed(name), name, "{typed}");
        }
    }
}
