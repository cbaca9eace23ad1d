//! The page by which somebody leaves a mailing list, and the question that mail programs put
//! without showing one (RFC 8058).

use crate::sheet::{Button, Sheet};
use crate::words::{Language, words};
use http::{Answer, Request};

/// What RFC 8058 §3.1 has in the body.
const FIELD: &str = "List-Unsubscribe";
const VALUE: &str = "One-Click";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Asks,
    Done,
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

pub(crate) fn page(state: State, language: Language) -> Answer {
    let words = words(language);
    let (status, title, text) = match state {
        State::Asks => (200, words.asks_title, words.asks),
        State::Done => (200, words.done_title, words.done),
        State::Unknown => (404, words.unknown_title, words.unknown),
        State::Later => (503, words.later_title, words.later),
    };
    let button = match state {
        State::Asks | State::Later => {
            Some(Button { name: FIELD, value: VALUE, text: words.button })
        }
        State::Done | State::Unknown => None,
    };
    // What was done is not shown again by a GET, which would ask anew.
    let has_switch = state != State::Done;
    Sheet { status, language, title, text, note: None, button, other_way: None, has_switch }
        .answer()
}
