//! Which letters stand together in a name of ours: those that somebody sees, of one script, or of
//! the scripts that one language is written in (UTS #39 §5.2, "highly restrictive").

use crate::is_unseen;

/// Why a name could be taken for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    /// No reader shows it: with and without it two names look the same.
    Unseen(char),
    /// Of a script in which few people write, or for phonetics alone (UAX #31, table 4 and 7).
    Rare(char),
    /// Both scripts by name: `аoi` with a Cyrillic `а`.
    Mixed(&'static str, &'static str),
}

/// Scripts that stand together: Japanese, Chinese and Korean are written with Latin letters, too.
const TOGETHER: [&[&str]; 3] = [
    &["Latin", "Han", "Hiragana", "Katakana", KANA],
    &["Latin", "Han", "Bopomofo"],
    &["Latin", "Han", "Hangul"],
];

/// The long sound of both kinds of kana.
const KANA: &str = "Kana";

/// Scripts in general use (UAX #31, table 5), with what lies between their letters.
#[rustfmt::skip]
const SCRIPTS: &[(u32, u32, &str)] = &[
    (0xaa, 0xaa, "Latin"), (0xba, 0xba, "Latin"), (0xc0, 0x24f, "Latin"), (0x370, 0x3e1, "Greek"),
    (0x3f0, 0x3ff, "Greek"), (0x400, 0x52f, "Cyrillic"), (0x531, 0x588, "Armenian"),
    (0x591, 0x5f2, "Hebrew"), (0x610, 0x6ff, "Arabic"), (0x750, 0x77f, "Arabic"),
    (0x780, 0x7bf, "Thaana"), (0x870, 0x8ff, "Arabic"), (0x900, 0x97f, "Devanagari"),
    (0x980, 0x9ff, "Bengali"), (0xa00, 0xa7f, "Gurmukhi"), (0xa80, 0xaff, "Gujarati"),
    (0xb00, 0xb7f, "Oriya"), (0xb80, 0xbff, "Tamil"), (0xc00, 0xc7f, "Telugu"),
    (0xc80, 0xcff, "Kannada"), (0xd00, 0xd7f, "Malayalam"), (0xd80, 0xdff, "Sinhala"),
    (0xe00, 0xe7f, "Thai"), (0xe80, 0xeff, "Lao"), (0xf00, 0xfff, "Tibetan"),
    (0x1000, 0x109f, "Myanmar"), (0x10a0, 0x10ff, "Georgian"), (0x1100, 0x11ff, "Hangul"),
    (0x1200, 0x139f, "Ethiopic"), (0x1780, 0x17ff, "Khmer"), (0x1e00, 0x1eff, "Latin"),
    (0x1f00, 0x1fff, "Greek"), (0x2d80, 0x2dde, "Ethiopic"), (0x3005, 0x3007, "Han"),
    (0x3041, 0x309f, "Hiragana"), (0x30a1, 0x30fa, "Katakana"), (0x30fc, 0x30fc, KANA),
    (0x30fd, 0x30ff, "Katakana"), (0x3105, 0x312f, "Bopomofo"), (0x31a0, 0x31bf, "Bopomofo"),
    (0x31f0, 0x31ff, "Katakana"), (0x3400, 0x4dbf, "Han"), (0x4e00, 0x9fff, "Han"),
    (0xac00, 0xd7a3, "Hangul"), (0xf900, 0xfad9, "Han"), (0x20000, 0x323af, "Han"),
];

/// What is odd about a name in its folded spelling; digits and signs of ASCII go with every script.
pub fn odd_letter(name: &str) -> Option<Odd> {
    if let Some(unseen) = name.chars().find(|letter| is_unseen(*letter)) {
        return Some(Odd::Unseen(unseen));
    }
    let mut scripts: Vec<&'static str> = Vec::new();
    for letter in name.chars().filter(|letter| letter.is_alphanumeric()) {
        if letter.is_ascii_digit() {
            continue;
        }
        let Some(script) = script(letter) else { return Some(Odd::Rare(letter)) };
        if !scripts.contains(&script) {
            scripts.push(script);
        }
        let is_within = |set: &&[&str]| scripts.iter().all(|script| set.contains(script));
        if let [first, .., last] = scripts.as_slice()
            && !TOGETHER.iter().any(|set| is_within(&set))
        {
            return Some(Odd::Mixed(first, last));
        }
    }
    None
}

fn script(letter: char) -> Option<&'static str> {
    if letter.is_ascii() {
        return Some("Latin");
    }
    let code = u32::from(letter);
    let found = SCRIPTS.iter().find(|(first, last, _)| (*first..=*last).contains(&code));
    found.map(|(.., script)| *script)
}

#[cfg(test)]
mod tests {
    use super::{Odd, odd_letter};

    #[test]
    fn letters_of_one_language_stand_together() {
        for name in [
            "aoi",
            "aoi.mori-2_3",
            "jörg",
            "山田太郎",
            "たろう",
            "タロー",
            "aoi山田さんタロー",
            "佐々木",
            "안녕aoi",
            "ㄅㄆ漢a",
            "иван",
            "γιώργος2",
            "สมชาย",
            "2026",
            "",
        ] {
            assert_eq!(odd_letter(name), None, "{name}");
        }
    }

    #[test]
    fn what_looks_like_another_name_is_odd() {
        for (name, odd) in [
            ("аoi", Odd::Mixed("Cyrillic", "Latin")),
            ("aоi", Odd::Mixed("Latin", "Cyrillic")),
            ("aοi", Odd::Mixed("Latin", "Greek")),
            ("иваν", Odd::Mixed("Cyrillic", "Greek")),
            ("あ안", Odd::Mixed("Hiragana", "Hangul")),
            ("たろд", Odd::Mixed("Hiragana", "Cyrillic")),
            ("ㄅあ", Odd::Mixed("Bopomofo", "Hiragana")),
            ("a١", Odd::Mixed("Latin", "Arabic")),
            ("a\u{200b}oi", Odd::Unseen('\u{200b}')),
            ("\u{202e}ioa", Odd::Unseen('\u{202e}')),
            ("aoi\u{3164}", Odd::Unseen('\u{3164}')),
            ("a\u{200d}oi", Odd::Unseen('\u{200d}')),
            // Cherokee, and phonetic letters.
            ("ꭺoi", Odd::Rare('ꭺ')),
            ("ɑoi", Odd::Rare('ɑ')),
        ] {
            assert_eq!(odd_letter(name), Some(odd), "{name}");
        }
    }
}
