//! Pages that deceive: links that go elsewhere than they say, forms, scripts, hidden text.

use super::lookalike::{self, registrable};
use crate::html::{Token, Tokens, attributes, unescape};
use crate::seen::{self, Notes};

/// Tokens of one page that are read.
const TOKENS: usize = 50_000;
/// Link targets whose names are compared with known houses.
const COMPARED_LINKS: usize = 200;

#[derive(Default)]
struct Page {
    link: Option<String>,
    link_text: String,
    links: Vec<String>,
    forms: usize,
    password: bool,
    scripts: bool,
    hidden: usize,
}

pub(crate) fn look(text: &str, attached: bool, notes: &mut Notes) {
    let mut page = Page::default();
    for token in Tokens::new(text).take(TOKENS) {
        match token {
            Token::Text(piece) => {
                if page.link.is_some() && page.link_text.len() < 500 {
                    page.link_text.push_str(&unescape(piece));
                }
            }
            Token::Open { name, inside } => open(&mut page, name, inside, notes),
            Token::Close(name) if name.eq_ignore_ascii_case("a") => close_link(&mut page, notes),
            Token::Close(_) => {}
        }
    }
    close_link(&mut page, notes);
    if page.forms > 0 {
        let seen = if page.password { seen::PAGE_PASSWORD } else { seen::PAGE_FORM };
        notes.note(seen, "");
    }
    if page.scripts {
        notes.note(seen::PAGE_SCRIPT, "");
    }
    if page.hidden >= 5 {
        notes.note(seen::PAGE_HIDDEN, page.hidden.to_string());
    }
    if attached {
        notes.note(seen::PAGE_ATTACHED, "");
        smuggling(text, page.scripts, notes);
    }
}

/// Words that make a tag's attributes worth reading: what acts, and what hides.
const TELLING: &[&[u8]] = &[b"style", b"onload", b"onclick", b"onerror"];

fn open(page: &mut Page, name: &str, inside: &str, notes: &mut Notes) {
    let name = name.to_ascii_lowercase();
    let name = name.as_str();
    let tells = matches!(name, "a" | "area" | "input" | "meta" | "base")
        || TELLING.iter().any(|word| holds(inside.as_bytes(), word));
    let attributes = if tells { attributes(inside) } else { Vec::new() };
    let value = |wanted: &str| {
        attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    };
    let style: String = value("style")
        .unwrap_or_default()
        .to_ascii_lowercase()
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .collect();
    if ["display:none", "visibility:hidden", "font-size:0"].iter().any(|way| style.contains(way)) {
        page.hidden += 1;
    }
    if attributes.iter().any(|(name, _)| matches!(name.as_str(), "onload" | "onclick" | "onerror"))
    {
        page.scripts = true;
    }
    match name {
        "a" | "area" => {
            close_link(page, notes);
            if let Some(target) = value("href") {
                look_at_target(target, page, notes);
                page.link = Some(target.to_owned());
            }
        }
        "form" => page.forms += 1,
        "input" if value("type").is_some_and(|kind| kind.eq_ignore_ascii_case("password")) => {
            page.password = true;
        }
        "script" => page.scripts = true,
        "iframe" | "object" | "embed" | "applet" => notes.note(seen::PAGE_FRAME, name),
        "meta" => {
            let refresh =
                value("http-equiv").is_some_and(|kind| kind.eq_ignore_ascii_case("refresh"));
            let elsewhere = value("content").is_some_and(|content| content.contains("url="))
                || value("content").is_some_and(|content| content.contains("URL="));
            if refresh && elsewhere {
                notes.note(seen::PAGE_REFRESH, "");
            }
        }
        "base" if value("href").is_some() => notes.note(seen::PAGE_BASE, ""),
        _ => {}
    }
}

/// Whether `text` holds the lower-case `word` in any case.
fn holds(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|here| here.eq_ignore_ascii_case(word))
}

fn look_at_target(target: &str, page: &mut Page, notes: &mut Notes) {
    // Browsers drop white space and controls inside a scheme; so did `java\nscript:`.
    let bare: String = target
        .chars()
        .filter(|letter| !letter.is_whitespace() && !letter.is_control())
        .take(300)
        .collect();
    let lower = bare.to_ascii_lowercase();
    if lower.starts_with("javascript:") || lower.starts_with("vbscript:") {
        notes.note(seen::PAGE_SCRIPT_LINK, "");
    } else if lower.starts_with("data:") {
        notes.note(seen::PAGE_DATA_LINK, lower.chars().take(40).collect::<String>());
    } else if lower.starts_with("file:") || lower.starts_with("\\\\") {
        notes.note(seen::PAGE_FILE_LINK, "");
    }
    let Some(host) = host_of(&lower) else { return };
    if has_user(&lower) {
        notes.note(seen::LINK_USER, host.as_str());
    }
    let is_number = host.parse::<std::net::Ipv4Addr>().is_ok()
        || host.starts_with('[')
        || host.starts_with("0x");
    if is_number {
        notes.note(seen::LINK_NUMBER, host.as_str());
    }
    if page.links.len() < COMPARED_LINKS && !page.links.contains(&host) {
        lookalike::look(&host, &[], notes);
        page.links.push(host);
    }
}

/// A link's text that is itself an address must be the one that it leads to.
fn close_link(page: &mut Page, notes: &mut Notes) {
    let Some(target) = page.link.take() else {
        return;
    };
    let text = std::mem::take(&mut page.link_text);
    let text = text.trim().to_lowercase();
    let (Some(shown), Some(real)) = (shown_host(&text), host_of(&target.to_lowercase())) else {
        return;
    };
    if registrable(&shown) != registrable(&real) {
        notes.note(seen::LINK_ELSEWHERE, format!("{shown} → {real}"));
        let bare = shown.strip_prefix("www.").unwrap_or(&shown);
        if real.contains(&format!("{bare}.")) {
            notes.note(seen::LOOKALIKE_WORN, real.as_str());
        }
    }
}

/// The host that a link's text claims, if the whole text is an address of the web.
fn shown_host(text: &str) -> Option<String> {
    if text.contains(char::is_whitespace) || text.contains('@') {
        return None;
    }
    if text.starts_with("http://") || text.starts_with("https://") {
        return host_of(text);
    }
    let host: String = text.chars().take_while(|letter| !matches!(letter, '/' | '?')).collect();
    let end = host.rsplit('.').next().unwrap_or_default();
    let plausible = host.contains('.')
        && (2..=12).contains(&end.len())
        && end.chars().all(|letter| letter.is_ascii_lowercase())
        && host.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '-'));
    // `report.pdf` is a file, `www.example.jp` is a host.
    let known = host.starts_with("www.")
        || matches!(end, "com" | "net" | "org" | "jp" | "info" | "biz" | "io" | "cn" | "xyz");
    (plausible && known).then_some(host)
}

/// The host of an absolute link to the web.
fn host_of(target: &str) -> Option<String> {
    let target = target.trim();
    let rest = target
        .strip_prefix("http://")
        .or_else(|| target.strip_prefix("https://"))
        .or_else(|| target.strip_prefix("//"))?;
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host =
        if host.starts_with('[') { host } else { host.split(':').next().unwrap_or_default() };
    (!host.is_empty()).then(|| host.chars().take(253).collect())
}

fn has_user(target: &str) -> bool {
    let rest = target.split_once("//").map(|(_, rest)| rest).unwrap_or_default();
    rest.split(['/', '?', '#']).next().unwrap_or_default().contains('@')
}

/// A page that builds a file in the reader's browser and saves it, past every scanner.
fn smuggling(text: &str, scripts: bool, notes: &mut Notes) {
    let lower = text.get(..256 * 1024).unwrap_or(text).to_ascii_lowercase();
    let builds = ["new blob", "atob(", "fromcharcode", "uint8array"];
    let saves = ["mssaveoropenblob", "createobjecturl", ".download", "download=", ".click()"];
    let any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if scripts && any(&builds) && any(&saves) {
        notes.note(seen::PAGE_SMUGGLING, "");
    }
}
