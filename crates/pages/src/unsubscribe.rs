//! The page by which somebody leaves a mailing list, and the question that mail programs put
//! without showing one (RFC 8058).

use crate::autoconfig::escaped;
use crate::sheet::{Button, Sheet};
use crate::words::{Language, words};
use http::{Answer, Request};
use wire::pages::Subscription;

/// What RFC 8058 §3.1 has in the body.
const FIELD: &str = "List-Unsubscribe";
const VALUE: &str = "One-Click";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Asks,
    Done,
    Over,
    Unknown,
    Later,
}

/// A form that was sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Of the page that it was on; a mail program has none.
    pub language: Option<Language>,
}

/// Whether a POST is the one that means it. Both codings are allowed (RFC 8058 §3.1).
pub(crate) fn read(request: &Request) -> Result<Form, Answer> {
    let body = String::from_utf8_lossy(&request.body);
    let (is_meant, language) = match request.content_type.as_str() {
        "application/x-www-form-urlencoded" => {
            let mut pairs = body.trim_end().split('&').filter_map(|pair| pair.split_once('='));
            let language = pairs.clone().find(|(name, _)| *name == "lang");
            let is_meant = pairs.any(|(name, value)| name == FIELD && value == VALUE);
            (is_meant, language.and_then(|(_, code)| Language::parse(code)))
        }
        "multipart/form-data" => (has_part(&body), None),
        _ => {
            let words = "expected application/x-www-form-urlencoded or multipart/form-data\n";
            return Err(Answer::text(415, words));
        }
    };
    if is_meant {
        return Ok(Form { language });
    }
    Err(Answer::text(400, format!("expected {FIELD}={VALUE} in the body; found something else\n")))
}

/// The part of that name with that value, and nothing else in it.
fn has_part(body: &str) -> bool {
    let mut lines = body.split("\r\n");
    let named = format!("name=\"{FIELD}\"").to_ascii_lowercase();
    while let Some(line) = lines.next() {
        let line = line.to_ascii_lowercase();
        if line.starts_with("content-disposition:") && line.contains(&named) {
            return lines.find(|line| line.is_empty()).is_some() && lines.next() == Some(VALUE);
        }
    }
    false
}

/// `meant`: what the token leaves, where that is known.
pub(crate) fn page(state: State, language: Language, meant: Option<&Subscription>) -> Answer {
    let words = words(language);
    let (status, title, text) = match state {
        State::Asks => (200, words.asks_title, words.asks),
        State::Done => (200, words.done_title, words.done),
        State::Over => (200, words.over_title, words.over),
        State::Unknown => (404, words.unknown_title, words.unknown),
        State::Later => (503, words.later_title, words.later),
    };
    let button = match state {
        State::Asks | State::Later => {
            Some(Button { name: FIELD, value: VALUE, text: words.button })
        }
        State::Done | State::Over | State::Unknown => None,
    };
    let notes = meant.map_or_else(Vec::new, |Subscription { name, list, member }| {
        let list = format!("{}{} <{list}>", words.list, bare(name));
        [list, format!("{}{member}", words.member)].iter().map(|note| escaped(note)).collect()
    });
    // What was done is not shown again by a GET, which would ask anew.
    let has_switch = state != State::Done;
    let other = crate::words::words(language.other());
    let also = (!has_switch).then(|| (other.done_title, other.done.to_owned()));
    let other_way = None;
    Sheet { status, language, title, text, notes, also, button, other_way, has_switch }.answer()
}

/// A name without what would turn the line around it.
fn bare(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control() && !is_direction(*letter)).collect()
}

fn is_direction(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
