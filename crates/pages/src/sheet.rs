//! One sheet of words, with one button at most: every page that people see here.

use crate::words::{Language, words};
use http::Answer;

/// No script, nothing from elsewhere; this one style, by its hash; forms lead here.
pub(crate) const POLICY: &str = "default-src 'none'; style-src \
     'sha256-IukrrLb9FuLM6YBNuG9+xH4z7qtW7wE6oBcWPtvN6o4='; form-action 'self'; \
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
.note{margin-top:.75rem;font-size:.875rem;overflow-wrap:anywhere}\
nav{margin:.75rem 0 -.75rem;text-align:center}\
h1,p,button,nav{word-break:auto-phrase;text-wrap:pretty}\
footer{margin-top:1.25rem}\
a{color:var(--soft);display:inline-block;padding:.5rem}";

/// A form of one button. It goes to the address of its own page.
pub(crate) struct Button {
    pub name: &'static str,
    pub value: &'static str,
    pub text: &'static str,
}

/// What stands on it. All of it is ours, or our operators' and escaped: nothing that a stranger
/// wrote is put on a page.
pub(crate) struct Sheet {
    pub status: u16,
    pub language: Language,
    pub title: &'static str,
    pub text: &'static str,
    /// Lines in small letters, ready to be put there.
    pub notes: Vec<String>,
    /// The same in the other language, where no link may lead to: a page that says what was done is
    /// not had by asking again.
    pub also: Option<(&'static str, String)>,
    pub button: Option<Button>,
    /// Where somebody goes who means the contrary, and how that is called.
    pub other_way: Option<(String, &'static str)>,
    /// A way to the other language.
    pub has_switch: bool,
}

impl Sheet {
    pub(crate) fn answer(self) -> Answer {
        let Self { status, language, title, text, .. } = self;
        let (code, other) = (language.code(), language.other().code());
        let line = |note: &String| format!("<p class=\"note\">{note}</p>\n");
        let note = Some(self.notes.iter().map(line).collect::<String>());
        let also = self.also.map(|(title, text)| {
            format!("<p class=\"note\" lang=\"{other}\"><b>{title}</b><br>{text}</p>\n")
        });
        let form = self.button.map(|Button { name, value, text }| {
            format!(
                "<form method=\"post\"><input type=\"hidden\" name=\"{name}\" value=\"{value}\">\
                 <input type=\"hidden\" name=\"lang\" value=\"{code}\">\
                 <button type=\"submit\">{text}</button></form>\n"
            )
        });
        let other_way = self
            .other_way
            .map(|(to, words)| format!("<nav><a href=\"{to}?lang={code}\">{words}</a></nav>\n"));
        let switch = self.has_switch.then(|| {
            let name = words(language).other_language;
            format!(
                "<footer><a href=\"?lang={other}\" hreflang=\"{other}\" lang=\"{other}\">{name}\
                 </a></footer>\n"
            )
        });
        let [note, also, form, other_way, switch] =
            [note, also, form, other_way, switch].map(Option::unwrap_or_default);
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"{code}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"robots\" content=\"noindex\">\n<title>{title}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{text}</p>\n\
             {note}{also}{form}{other_way}</main>\n{switch}</body>\n</html>\n"
        );
        let answer = Answer::new(status, "text/html; charset=utf-8", html);
        let answer = answer.with("Content-Language", code).with("Vary", "Accept-Language");
        if status == 503 { answer.with("Retry-After", "60") } else { answer }
    }
}
