//! One place for the sentences of the command line: what was written in English is said in
//! Japanese, wherever it comes from. Errors are English in the code, in the ledger and for
//! programs; here they are put into the reader's language, just before they are printed.

mod alarms;
mod keepers;
mod line;
mod walls;

use crate::demo::screen::is_japanese;
use serde_json::Value;

/// Where a value stands in a sentence. A Japanese sentence may name it by its number.
const GAP: &str = "{}";
/// Words of a sentence that is one for certain.
const LONG: usize = 5;
/// Fields that hold alarms, walls and what is wrong, never a name or a subject.
const TOLD: &[&str] = &[
    "what",
    "problems",
    "incomplete",
    "notes",
    "why_not",
    "said",
    "source",
    "walls",
    "missing_walls",
    "wanting",
    "weakened",
    "weaker_by_choice",
];

type Catalogue = &'static [&'static [(&'static str, &'static str)]];
/// Among these no name is taken for a sentence.
const SPOKEN: Catalogue = &[keepers::WORDS, line::WORDS, walls::WORDS];
const ALL: Catalogue = &[keepers::WORDS, line::WORDS, walls::WORDS, alarms::WORDS];

/// In the reader's language; what no catalogue has, such as a name that somebody typed, as it is.
pub fn said(text: &str) -> String {
    match is_japanese() {
        true => in_japanese(text).unwrap_or_else(|| text.to_owned()),
        false => text.to_owned(),
    }
}

/// The sentence in Japanese, if it is one of ours.
pub fn in_japanese(text: &str) -> Option<String> {
    found_in(ALL, text)
}

/// Sentences among the values that people are shown. A short word is somebody's name, or a word
/// that is typed as it stands.
pub fn in_values(value: Value) -> Value {
    match value {
        Value::String(text) if text.split_whitespace().count() >= LONG => {
            Value::String(found_in(SPOKEN, &text).unwrap_or(text))
        }
        Value::Array(items) => items.into_iter().map(in_values).collect(),
        Value::Object(fields) => {
            let fields =
                fields.into_iter().map(|(name, value)| match TOLD.contains(&name.as_str()) {
                    true => (name, told(value)),
                    false => (name, in_values(value)),
                });
            Value::Object(fields.collect())
        }
        other => other,
    }
}

/// What the house itself says of what happened, however short.
fn told(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(in_japanese(&text).unwrap_or(text)),
        Value::Array(items) => items.into_iter().map(told).collect(),
        other => in_values(other),
    }
}

fn found_in(catalogue: Catalogue, text: &str) -> Option<String> {
    let all = || catalogue.iter().copied().flatten();
    if let Some((_, japanese)) = all().find(|(english, _)| *english == text) {
        return Some((*japanese).to_owned());
    }
    // Of several that fit, one that begins with words of its own, and of those the longest: the
    // others fit a value in it as well.
    let fitting = all().filter_map(|(english, japanese)| {
        let values = values_of(english, text)?;
        Some(((!english.starts_with(GAP), english.len()), japanese, values))
    });
    let (_, japanese, values) = fitting.max_by_key(|(rank, ..)| *rank)?;
    Some(filled(catalogue, japanese, &values))
}

/// What stands in the gaps of a sentence, if the text is that sentence.
fn values_of<'a>(sentence: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut pieces = sentence.split(GAP);
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut values = Vec::new();
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        let at = match pieces.peek() {
            // The last piece is the text's end.
            None => rest.len().checked_sub(piece.len()).filter(|_| rest.ends_with(piece))?,
            Some(_) => rest.find(piece)?,
        };
        values.push(rest.get(..at)?);
        rest = rest.get(at + piece.len()..)?;
    }
    (!values.is_empty() && rest.is_empty()).then_some(values)
}

/// A value may itself be a sentence.
fn filled(catalogue: Catalogue, japanese: &str, values: &[&str]) -> String {
    let mut said = japanese.to_owned();
    for (at, value) in values.iter().enumerate() {
        let value = found_in(catalogue, value).unwrap_or_else(|| (*value).to_owned());
        let numbered = format!("{{{at}}}");
        said = match said.contains(&numbered) {
            true => said.replacen(&numbered, &value, 1),
            false => said.replacen(GAP, &value, 1),
        };
    }
    said
}

#[cfg(test)]
mod tests;
