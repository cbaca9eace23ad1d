//! Every sentence that the code can say has both languages; values keep their places.

use super::{GAP, all, in_japanese, values_of};
use std::path::{Path, PathBuf};

/// Whose sentences reach the command line.
const SOURCES: &[&str] = &[
    "sekisho/src/commands",
    "sekisho/src/demo",
    "sekisho/src/arguments.rs",
    "sekisho/src/client.rs",
    "admin/src",
    "directory/src",
    "identity/src",
    "vault/src",
];

/// Calls whose texts a person reads, and names of texts that are handed to them.
const CALLS: &[&str] = &[
    "Trouble::refused(",
    "Trouble::wrong_use(",
    "Trouble::fault(",
    "Refusal::new(",
    " refused(",
    "(refused(",
    ".word(",
    ".parsed(",
    "terminal::ask(",
    "terminal::ask_plainly(",
];
const NAMES: &[&str] = &["let hint", "let expected", "let found =", "let shape"];
const CONSTANTS: &[&str] =
    &["HINT: &str", "ACTS: &str", "SHAPE: &str", "LEVELS: &str", "GONE: &str"];

fn files(under: &Path, into: &mut Vec<PathBuf>) {
    if under.is_file() {
        return into.push(under.to_owned());
    }
    for entry in std::fs::read_dir(under).unwrap().flatten() {
        let path = entry.path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_read = path.is_dir() || (name.ends_with(".rs") && !name.contains("tests"));
        if is_read {
            files(&path, into);
        }
    }
}

/// The code without comments and tests.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n").replace("'\"'", "' '")
}

/// From here to where this call or statement ends, its texts.
fn texts(code: &str, is_statement: bool) -> Vec<String> {
    let (mut depth, mut found, mut text) = (0i32, Vec::new(), None::<String>);
    let mut letters = code.chars().peekable();
    while let Some(letter) = letters.next() {
        match (&mut text, letter) {
            (Some(inside), '\\') => match letters.next() {
                Some('n') => inside.push('\n'),
                // A line that goes on in the next one.
                Some('\n') => {
                    while letters.peek().is_some_and(|next| next.is_whitespace()) {
                        letters.next();
                    }
                }
                Some(other) => inside.push(other),
                None => {}
            },
            (Some(_), '"') => found.extend(text.take()),
            (Some(inside), other) => inside.push(other),
            (None, '"') => text = Some(String::new()),
            (None, '(' | '{' | '[') => depth += 1,
            (None, ')' | '}' | ']') => {
                depth -= 1;
                if depth <= 0 && !is_statement || depth < 0 {
                    return found;
                }
            }
            (None, ';') if is_statement && depth <= 0 => return found,
            _ => {}
        }
    }
    found
}

/// `{name:04o}` is a gap like any other.
fn with_gaps(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let Some((_, after)) = behind.split_once('}') else { break };
        plain.push_str(before);
        plain.push_str(GAP);
        rest = after;
    }
    plain + rest
}

/// Two words of plain language outside of what is quoted.
fn is_sentence(text: &str) -> bool {
    let unquoted: String = text.split('`').step_by(2).collect();
    let is_plain = |word: &&str| {
        let word = word.trim_matches(|one: char| ".,:;()?!…".contains(one));
        let is_letter = |one: char| one.is_ascii_lowercase() || one == '\'';
        !word.is_empty() && word.chars().all(is_letter)
    };
    unquoted.is_ascii() && unquoted.split_whitespace().filter(is_plain).count() >= 2
}

fn sentences() -> Vec<(String, String)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut paths = Vec::new();
    SOURCES.iter().for_each(|source| files(&crates.join(source), &mut paths));
    let mut found = Vec::new();
    for path in paths {
        let code = code(&path);
        let mut take = |starts: &[&str], is_statement: bool| {
            for start in starts {
                for (at, _) in code.match_indices(start) {
                    let from = if is_statement { at } else { at + start.len() - 1 };
                    let texts = texts(&code[from..], is_statement).into_iter();
                    let place = path.strip_prefix(crates).unwrap().display().to_string();
                    found.extend(texts.map(|text| (place.clone(), with_gaps(&text))));
                }
            }
        };
        take(CALLS, false);
        take(NAMES, true);
        take(CONSTANTS, true);
    }
    // A question to a table is nobody's sentence.
    found.retain(|(_, text)| is_sentence(text) && !text.starts_with("SELECT "));
    found.sort();
    found.dedup();
    found
}

#[test]
fn every_sentence_has_both_languages() {
    let found = sentences();
    assert!(found.len() > 400, "only {} were found", found.len());
    let unknown = found.iter().filter(|(_, text)| !all().any(|(english, _)| english == text));
    let unknown: Vec<String> = unknown.map(|(place, text)| format!("{place}: {text}")).collect();
    assert!(unknown.is_empty(), "without Japanese:\n{}", unknown.join("\n"));
}

#[test]
fn values_keep_their_places() {
    for (english, japanese) in all() {
        let gaps = english.matches(GAP).count();
        let numbered = (0..gaps).filter(|at| japanese.contains(&format!("{{{at}}}"))).count();
        let plain = japanese.matches(GAP).count();
        // All by their order, or all by their numbers.
        assert!((plain, numbered) == (gaps, 0) || (plain, numbered) == (0, gaps), "{english}");
        assert!(!japanese.is_empty() && english.trim() == *english, "{english}");
    }
}

#[test]
fn each_sentence_stands_once() {
    let mut seen = std::collections::BTreeSet::new();
    all().for_each(|(english, _)| assert!(seen.insert(*english), "twice: {english}"));
}

#[test]
fn sentences_with_values() {
    let check = |text: &str, expected: Option<&str>| {
        assert_eq!(in_japanese(text).as_deref(), expected, "{text}");
    };
    check("a command", Some("コマンド"));
    check("unknown option --roel", Some("知らないオプション --roel"));
    check("12 octets in 3 files", Some("3 ファイルで 12 オクテット"));
    let missing = "/a: ファイルもフォルダもありません (os error 2)";
    check("/a: No such file or directory (os error 2)", Some(missing));
    // A value that is a sentence itself.
    let away = "no service answers at /a/admin.sock: No such file or directory (os error 2)";
    let said =
        "/a/admin.sock でサービスが応答しません: ファイルもフォルダもありません (os error 2)";
    check(away, Some(said));
    check("a value after the address", Some("アドレス の後の値"));
    check("aoi@example.jp", None);
    assert_eq!(values_of("a {} b {}", "a x b y b z"), Some(vec!["x", "y b z"]));
    assert_eq!(values_of("a {}", "b"), None);
    assert_eq!(values_of("none", "none"), None);
}
