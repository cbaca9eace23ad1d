//! Every sentence that the code can say has both languages; values keep their places.

use super::{ALL, GAP, in_japanese, in_values, values_of};
use serde_json::json;
use std::path::{Path, PathBuf};

fn all() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    ALL.iter().copied().flatten()
}

/// Whose sentences reach the command line.
const SOURCES: &[&str] = &[
    "sekisho/src/commands",
    "sekisho/src/demo",
    "sekisho/src/arguments.rs",
    "sekisho/src/client.rs",
    "admin/src",
    "directory/src",
    "identity/src",
    "settings/src",
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
    "wanting(",
    "within(",
];
const NAMES: &[&str] = &["let hint", "let expected", "let found =", "let shape"];
const CONSTANTS: &[&str] =
    &["HINT: &str", "ACTS: &str", "SHAPE: &str", "LEVELS: &str", "GONE: &str"];

/// Whose alarms, incidents, problems and notes are shown by `alarms list`, `ledger verify` and
/// `status`.
const ALARMED: &[&str] = &[
    "annals/src",
    "depart/src",
    "directory/src",
    "dispatch/src",
    "edge/src",
    "gate/src",
    "ledger/src",
    "mailbox/src",
    "mirror/src",
    "post/src",
    "scanner/src",
    "sentinel/src",
    "signer/src",
    "vault/src",
    "vigil/src",
    "warden/src",
];
const ALARMS: &[&str] = &[
    "Alarm {",
    "Attention {",
    "Alarm(",
    ".alarm(",
    "alarms.push(",
    "Incident::new(",
    "end_liar(",
    "problem(",
    "problems.push(",
    "problems\n            .push(",
    "notes.push(",
    "Saved::Wrong(",
    "raise_alarm(",
];
const TOLD: &[&str] = &["let what =", "let why ="];
/// Functions that say nothing else.
const TELLERS: &[&str] = &["fn alarm(", "fn problem("];

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

/// A sentence and where it stands, once each.
fn told(sources: &[&str], parts: impl Fn(&str) -> Vec<String>) -> Vec<(String, String)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut paths = Vec::new();
    sources.iter().for_each(|source| files(&crates.join(source), &mut paths));
    let mut found = Vec::new();
    for path in paths {
        let place = path.strip_prefix(crates).unwrap().display().to_string();
        let texts = parts(&code(&path)).into_iter().map(|text| with_gaps(&text));
        found.extend(texts.map(|text| (place.clone(), text)));
    }
    // A question to a table is nobody's sentence.
    found.retain(|(_, text)| is_sentence(text) && !text.starts_with("SELECT "));
    found.sort();
    found.dedup();
    found
}

/// What is handed to these calls.
fn of_calls(code: &str, calls: &[&str]) -> Vec<String> {
    let at = |call: &&str| {
        let last = call.len() - 1;
        code.match_indices(call).map(move |(at, _)| at + last).collect::<Vec<_>>()
    };
    calls.iter().flat_map(at).flat_map(|at| texts(&code[at..], false)).collect()
}

/// What these names are given.
fn of_statements(code: &str, starts: &[&str]) -> Vec<String> {
    let at = |start: &&str| code.match_indices(start).map(|(at, _)| at).collect::<Vec<_>>();
    starts.iter().flat_map(at).flat_map(|at| texts(&code[at..], true)).collect()
}

/// What stands in the bodies of these functions.
fn of_bodies(code: &str, starts: &[&str]) -> Vec<String> {
    let at = |start: &&str| code.match_indices(start).map(|(at, _)| at).collect::<Vec<_>>();
    let body = |at: usize| code[at..].find(" {\n").map(|body| at + body + 1);
    starts.iter().flat_map(at).filter_map(body).flat_map(|at| texts(&code[at..], false)).collect()
}

fn sentences() -> Vec<(String, String)> {
    let spoken = told(SOURCES, |code| {
        let names = [NAMES, CONSTANTS].concat();
        [of_calls(code, CALLS), of_statements(code, &names)].concat()
    });
    let alarmed = told(ALARMED, |code| {
        [of_calls(code, ALARMS), of_statements(code, TOLD), of_bodies(code, TELLERS)].concat()
    });
    assert!(spoken.len() > 400, "only {} were found", spoken.len());
    assert!(alarmed.len() > 100, "only {} were found", alarmed.len());
    [spoken, alarmed].concat()
}

#[test]
fn every_sentence_has_both_languages() {
    let found = sentences();
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
        // All by their order, or by their numbers those that Japanese has a place for.
        let is_numbered = plain == 0 && (1..=gaps).contains(&numbered);
        assert!((plain, numbered) == (gaps, 0) || is_numbered, "{english}");
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
    // Why a house cannot be opened is said by the warden, in the reader's language.
    check("could not listen on 127.0.0.1:25", Some("127.0.0.1:25 で待ち受けられません"));
    let full = "the disk below /a is full (0 KiB left): mail is put off, and parts that cannot \
        write start again until there is room";
    assert!(in_japanese(full).is_some_and(|said| said.starts_with("/a のディスクがいっぱい")));
    check("another sekisho runs on /a", Some("/a では別の sekisho が動いています"));
    let few = "expected a limit of 400 or more open descriptors, found 64: raise it (`ulimit -n`, \
        LimitNOFILE= of the unit)";
    assert!(in_japanese(few).is_some_and(|said| said.contains("64 です")));
    let tiles = "the ledger's tiles.1 differ from the entries at octet 7";
    check(tiles, Some("台帳の tiles.1 が 7 オクテット目で記録と食い違っています"));
    let used = "原因: アドレスは使用中です (os error 98)";
    check("because: Address already in use (os error 98)", Some(used));
    check("aoi@example.jp", None);
    assert_eq!(values_of("a {} b {}", "a x b y b z"), Some(vec!["x", "y b z"]));
    assert_eq!(values_of("a {}", "b"), None);
    assert_eq!(values_of("none", "none"), None);
}

#[test]
fn alarms_and_problems_are_told_in_the_readers_language() {
    let check = |english: &str, japanese: &str| {
        assert_eq!(in_values(json!({ "what": english })), json!({ "what": japanese }));
        let problems = json!({ "problems": [english], "ok": false });
        assert_eq!(in_values(problems), json!({ "problems": [japanese], "ok": false }));
    };
    check(
        "the mirror lost entries: 90 were cosigned with the root abc=, 80 are left",
        "写しの記録が失われました: 根 abc= の 90 件が連署されていましたが、残りは 80 件です",
    );
    check(
        "the ledger has another key: 9 entries were cosigned with the root abc= (`lost-9-ab` keeps \
         the statement): put the log back from a backup or from the other copy; or, to go on \
         without: sekisho ledger acknowledge-loss",
        "台帳の鍵が変わっています: 連署されていたのは根 abc= の 9 件です（証拠は `lost-9-ab`）。\
         バックアップかもう一方の写しから戻してください。戻さずに続けるときは: sekisho ledger \
         acknowledge-loss",
    );
    check(
        "the ledger and the mirror lost entries, of 32 with the root abc=: acknowledged at \
         2026-12-01T00:00:00.000Z by one operator alone",
        "台帳と写しの記録（根 abc= の 32 件のうち）が失われたことを、2026-12-01T00:00:00.000Z に\
         承知しました: 管理者一人",
    );
    check(
        "the saved checkpoint is not signed by the ledger",
        "保存されたチェックポイント: 台帳の署名がありません",
    );
    check("mail was opened with another's grant", "別のプロセスの許可で、メールが開かれました");
    check("mail was opened, for a decoy", "おとりについて: メールが開かれました");
    check("12 more: execve: refused", "ほかに 12 件: execve: 拒みました");
    check("pid 7 is traced", "pid 7 が外から追跡されています");
    check("a second jail", "二度目の隔離の申告");
    // A subject is no alarm, however much it reads like one.
    let subject = json!({ "subject": "read more: the doors were shut, for a decoy" });
    assert_eq!(in_values(subject.clone()), subject);
}

/// Names of two words are no sentences that a search finds: each wall and source is asked for.
#[test]
fn walls_and_sources_have_japanese_names() {
    let walls = compartment::walls();
    for wall in walls.granted.iter().chain(&walls.missing) {
        let english = wall.to_string();
        let shown = in_values(json!({ "walls": [english.clone()] }));
        assert_ne!(shown["walls"][0], json!(english), "{shown}");
        let without = format!("names (and perhaps others) without {english}; see `sekisho doctor`");
        assert!(!in_japanese(&without).unwrap().contains(&english), "{without}");
    }
    for source in wire::sentinel::Source::ALL {
        let shown = in_values(json!({ "source": source.word() }));
        let is_shown = shown["source"] != json!(source.word()) || source.word() == "syslog";
        assert!(is_shown, "{shown}");
    }
}

/// What people meet where a secret is wrong, or something stands otherwise than they thought.
#[test]
fn secrets_and_states_are_told_in_japanese() {
    let check = |english: &str, expected: &str| {
        assert_eq!(in_japanese(english).as_deref(), Some(expected), "{english}");
    };
    check(
        "1 different shares of set ab12, 2 are needed",
        "組 ab12 の断片が 1 個だけです。2 個必要です",
    );
    check("this text is not a share", "このテキストは断片ではありません");
    check(
        "the passphrase is wrong, or the text was changed",
        "パスフレーズが違うか、テキストが書き換えられています",
    );
    check("a request that is open", "未決の申請");
    check("one whose state is grace", "猶予期間中のもの");
    let token = "the token's helper: could not sign in: PIN is wrong";
    let said = in_japanese(token).unwrap();
    assert!(said.starts_with("トークンの補助プログラム: サインインできませんでした"), "{said}");
    let limits = [
        root::Passphrase::new("short").err().map(|fault| fault.to_string()),
        root::Shares::of("5/2").err().map(|fault| fault.to_string()),
    ];
    for limit in limits {
        assert!(in_japanese(&limit.unwrap()).is_some());
    }
}
