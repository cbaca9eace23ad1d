//! The words of every finding, in Japanese and in English, by id.

use crate::words::WORDS;

/// A language of the catalogues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Japanese,
    English,
}

/// One sentence about a finding, whole with its detail and without. An id without words (from a
/// newer scanner) is shown as it is.
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
    spoken(words, detail)
}

/// Lists keep ids only: what stands in brackets is `[with the detail|without it]`.
fn spoken(words: &str, detail: &str) -> String {
    let mut said = String::new();
    let mut rest = words;
    while let Some((before, behind)) = rest.split_once('[') {
        let (choice, after) = behind.split_once(']').unwrap_or((behind, ""));
        let (with, without) = choice.split_once('|').unwrap_or((choice, ""));
        said.push_str(before);
        said.push_str(if detail.is_empty() { without } else { with });
        rest = after;
    }
    said.push_str(rest);
    said.replace("{}", detail)
}

/// Every id that has words.
pub fn ids() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|(id, ..)| *id)
}
