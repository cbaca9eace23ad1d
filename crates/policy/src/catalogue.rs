//! The words of every finding, in Japanese and in English, by id.

use crate::words::WORDS;

/// A language of the catalogues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Japanese,
    English,
}

/// One sentence about a finding. `{}` in the words is where the detail stands. An id without
/// words (from a newer scanner) is shown as it is.
pub fn why(id: &str, language: Language, detail: &str) -> String {
    let Some((_, japanese, english)) = WORDS.iter().find(|(known, ..)| *known == id) else {
        return match detail {
            "" => id.to_owned(),
            detail => format!("{id} ({detail})"),
        };
    };
    let words = match language {
        Language::Japanese => japanese,
        Language::English => english,
    };
    match detail {
        "" => without_detail(words, language),
        detail => words.replace("{}", detail),
    }
}

/// The words alone, for lists that keep ids only.
fn without_detail(words: &str, language: Language) -> String {
    let words = words.replace(" ({})", "").replace(" ({} 文字)", "");
    match (language, words.strip_prefix("{} ")) {
        (Language::Japanese, Some(rest)) => format!("該当するもの{rest}"),
        (Language::English, Some(rest)) => format!("something {rest}"),
        (Language::Japanese, None) => words.replace(" {} ", "").replace(" {}", ""),
        (Language::English, None) => words.replace(" {}", "").replace("{}", ""),
    }
}

/// Every id that has words.
pub fn ids() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|(id, ..)| *id)
}
