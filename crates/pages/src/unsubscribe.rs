//! The page by which somebody leaves a mailing list, and the question that mail programs put
//! without showing one (RFC 8058).

use crate::words::{Language, words};
use http::{Answer, Request};

/// No script, nothing from elsewhere; this one style, by its hash; forms lead here.
pub(crate) const POLICY: &str = "default-src 'none'; style-src \
     'sha256-zdeSASx1VqzgEoYFJ5c55LSkuotFvgnoghmO8vfeW4I='; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'";

pub(crate) const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2733;--soft:#566374;--paper:#f4f6f8;--card:#fff;\
--line:#d9dfe6;--deep:#1f5f8b;--on:#fff}\
@media (prefers-color-scheme:dark){:root{--ink:#e8edf2;--soft:#a9b5c2;--paper:#12181f;\
--card:#1b232c;--line:#324050;--deep:#7cc0ee;--on:#0c1319}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:flex;flex-direction:column;align-items:center;\
justify-content:center;padding:1.5rem 1rem;background:var(--paper);color:var(--ink);\
font:1rem/1.8 system-ui,-apple-system,\"Hiragino Sans\",\"Noto Sans CJK JP\",\"Noto Sans JP\",\
Meiryo,sans-serif}\
main{width:100%;max-width:32rem;background:var(--card);border:1px solid var(--line);\
border-radius:.75rem;padding:2rem 1.75rem}\
h1{margin:0 0 .75rem;font-size:1.375rem;line-height:1.4}\
p{margin:0;color:var(--soft)}\
form{margin:1.75rem 0 0}\
button{width:100%;min-height:3rem;padding:.75rem 1.25rem;border:0;border-radius:.5rem;\
background:var(--deep);color:var(--on);font:inherit;font-weight:600;cursor:pointer}\
button:focus-visible,a:focus-visible{outline:3px solid var(--ink);outline-offset:3px}\
footer{margin-top:1.25rem}\
a{color:var(--soft);display:inline-block;padding:.5rem}";

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
    let (code, other) = (language.code(), language.other().code());
    let form = match state {
        State::Asks | State::Later => format!(
            "<form method=\"post\"><input type=\"hidden\" name=\"{FIELD}\" value=\"{VALUE}\">\
             <input type=\"hidden\" name=\"lang\" value=\"{code}\">\
             <button type=\"submit\">{}</button></form>",
            words.button
        ),
        State::Done | State::Unknown => String::new(),
    };
    // What was done is not shown again by a GET, which would ask anew.
    let switch = match state {
        State::Done => String::new(),
        _ => format!(
            "<footer><a href=\"?lang={other}\" hreflang=\"{other}\" lang=\"{other}\">{}</a>\
             </footer>",
            words.other_language
        ),
    };
    let html = format!(
        "<!DOCTYPE html>\n<html lang=\"{code}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{text}</p>\n\
         {form}\n</main>\n{switch}\n</body>\n</html>\n"
    );
    let answer = Answer::new(status, "text/html; charset=utf-8", html);
    let answer = answer.with("Content-Language", code).with("Vary", "Accept-Language");
    if state == State::Later { answer.with("Retry-After", "60") } else { answer }
}
