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
    let one = |before| syllable(before, letter).or_else(|| joined(before, letter));
    match text.chars().next_back().and_then(one) {
        Some(one) => {
            text.pop();
            text.push(one);
        }
        None => text.push(letter),
    }
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
    use super::folded_text;

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
}
