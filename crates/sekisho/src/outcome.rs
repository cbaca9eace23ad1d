//! How a command ends: done (0), refused or found wanting (1), wrong use (2), fault (3).

use crate::demo::screen::{is_japanese, say};
use crate::printing;
use crate::words;
use evidence::rfc3339;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::OnceLock;
use terms::plain::shown;

/// What a command has to say.
pub enum Outcome {
    Done(Value),
    /// Done, and what was looked at is not as it should be.
    Wanting(Value),
    /// It printed for itself.
    Told(u8),
    /// What there is of an answer that is not whole, and why; it may have been printed already.
    Part(Option<Value>, Trouble),
}

impl Outcome {
    /// Texts that stand there in both languages, in one.
    pub fn in_one_language(self, is_japanese: bool) -> Self {
        match self {
            Self::Done(value) => Self::Done(in_one_language(value, is_japanese)),
            Self::Wanting(value) => Self::Wanting(in_one_language(value, is_japanese)),
            Self::Told(code) => Self::Told(code),
            Self::Part(value, trouble) => {
                Self::Part(value.map(|value| in_one_language(value, is_japanese)), trouble)
            }
        }
    }
}

/// `{"ja": …, "en": …}` becomes one of the two, wherever it stands.
fn in_one_language(value: Value, is_japanese: bool) -> Value {
    match value {
        Value::Object(mut fields) if fields.len() == 2 && fields.contains_key("ja") => {
            let word = if is_japanese { "ja" } else { "en" };
            fields.remove(word).unwrap_or_default()
        }
        Value::Object(fields) => {
            let fields =
                fields.into_iter().map(|(name, value)| (name, in_one_language(value, is_japanese)));
            Value::Object(fields.collect())
        }
        Value::Array(items) => {
            items.into_iter().map(|item| in_one_language(item, is_japanese)).collect()
        }
        other => other,
    }
}

/// Why a command was not carried out.
pub enum Trouble {
    Refused { expected: String, found: String, hint: String },
    WrongUse { expected: String, found: String, hint: String },
    Fault { what: String, hint: String },
}

impl Trouble {
    pub fn refused(expected: &str, found: impl Into<String>, hint: &str) -> Self {
        let (expected, hint) = (expected.to_owned(), hint.to_owned());
        Self::Refused { expected, found: found.into(), hint }
    }

    pub fn wrong_use(expected: &str, found: impl Into<String>, hint: &str) -> Self {
        let (expected, hint) = (expected.to_owned(), hint.to_owned());
        Self::WrongUse { expected, found: found.into(), hint }
    }

    /// For a line of the log.
    pub fn told(&self) -> String {
        match self {
            Self::Refused { expected, found, hint } | Self::WrongUse { expected, found, hint } => {
                format!("expected {expected}, found {found} (hint: {hint})")
            }
            Self::Fault { what, hint } => format!("{what} (hint: {hint})"),
        }
    }

    /// What went wrong, and what to do.
    fn in_english(self) -> (String, String) {
        match self {
            Self::Refused { expected, found, hint } | Self::WrongUse { expected, found, hint } => {
                (format!("expected {expected}, found {}", printing::in_short(&found)), hint)
            }
            Self::Fault { what, hint } => (what, hint),
        }
    }

    pub fn for_people(self, is_japanese: bool) -> String {
        if !is_japanese {
            let (error, hint) = self.in_english();
            return format!("sekisho: {error}\nhint: {hint}");
        }
        let say = |text: &str| words::in_japanese(text).unwrap_or_else(|| text.to_owned());
        match self {
            Self::Refused { expected, found, hint } | Self::WrongUse { expected, found, hint } => {
                let missing = unknown_word(&expected).filter(|_| found != "nothing");
                let (expected, found, hint) = (say(&expected), say(&found), say(&hint));
                let found = printing::in_short(&found);
                let what = match missing {
                    Some(whose) => format!("{whose} {found} はありません"),
                    None => format!("必要なもの: {expected}／実際: {found}"),
                };
                format!("sekisho: {what}\nヒント: {hint}")
            }
            Self::Fault { what, hint } => {
                format!("sekisho: {}\nヒント: {}", say(&what), say(&hint))
            }
        }
    }

    pub fn fault(what: impl Into<String>, hint: &str) -> Self {
        Self::Fault { what: what.into(), hint: hint.to_owned() }
    }
}

/// What there is none of, in Japanese, where a word of the command line is not known.
fn unknown_word(expected: &str) -> Option<String> {
    if expected == "a command" {
        return Some("コマンド".to_owned());
    }
    let command = expected.strip_prefix("something that `")?.strip_suffix("` does")?;
    Some(format!("`{command}` に"))
}

/// Columns of a table that people can still read.
const WIDEST: usize = 120;
/// Milliseconds above it are a moment since 1970 (March 1973), below it a duration.
const MOMENT_MS: u64 = 100_000_000_000;

pub type Answer = Result<Outcome, Trouble>;

/// Prints and gives the exit code.
pub fn tell(answer: Answer, as_json: bool) -> ExitCode {
    let code = told(answer, as_json);
    if printing::is_whole() { code } else { ExitCode::from(3) }
}

fn told(answer: Answer, as_json: bool) -> ExitCode {
    match answer {
        Ok(Outcome::Done(value)) => {
            show(&value, as_json);
            ExitCode::SUCCESS
        }
        Ok(Outcome::Wanting(value)) => {
            show(&value, as_json);
            ExitCode::from(1)
        }
        Ok(Outcome::Told(code)) => ExitCode::from(code),
        Ok(Outcome::Part(None, trouble)) => tell_trouble(trouble, as_json),
        Ok(Outcome::Part(Some(mut value), trouble)) if as_json => {
            // One line: what there is, and what is wrong with it.
            let (error, hint) = trouble.in_english();
            if let Some(fields) = value.as_object_mut() {
                fields.extend([("error".to_owned(), json!(error)), ("hint".into(), json!(hint))]);
            }
            show(&value, true);
            ExitCode::from(3)
        }
        Ok(Outcome::Part(Some(value), trouble)) => {
            show(&value, false);
            tell_trouble(trouble, false)
        }
        Err(trouble) => tell_trouble(trouble, as_json),
    }
}

/// Programs get the words of the code, people their own language.
fn tell_trouble(trouble: Trouble, as_json: bool) -> ExitCode {
    let code = match trouble {
        Trouble::Refused { .. } => 1,
        Trouble::WrongUse { .. } => 2,
        Trouble::Fault { .. } => 3,
    };
    if as_json {
        let (error, hint) = trouble.in_english();
        println!("{}", printing::json(&json!({ "error": error, "hint": hint })));
    } else {
        eprintln!("{}", trouble.for_people(is_japanese()));
    }
    ExitCode::from(code)
}

fn show(value: &Value, as_json: bool) {
    if as_json {
        println!("{}", printing::json(value));
        return;
    }
    let value = in_one_language(value.clone(), is_japanese());
    let value = if is_japanese() { words::in_values(value) } else { value };
    lines(&with_moments(value)).iter().for_each(|line| println!("{line}"));
}

/// Moments in milliseconds, for people: `until_ms 1798156800000` becomes `until 2026-12-25…`.
fn with_moments(value: Value) -> Value {
    let mut names = BTreeSet::new();
    find_moments(&value, &mut names);
    rename_moments(value, &names)
}

fn find_moments(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_moment = value.as_u64().is_some_and(|ms| ms > MOMENT_MS);
                if is_moment && name.ends_with("_ms") {
                    names.insert(name.clone());
                }
                find_moments(value, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| find_moments(item, names)),
        _ => {}
    }
}

/// A name that is a moment anywhere in it is one everywhere: a table has one name for a column.
fn rename_moments(value: Value, names: &BTreeSet<String>) -> Value {
    match value {
        Value::Object(fields) => {
            let mut shown = Map::new();
            for (name, value) in fields {
                match name.strip_suffix("_ms").filter(|_| names.contains(&name)) {
                    Some(plain) => {
                        let moment = value.as_u64().filter(|ms| *ms > MOMENT_MS).map(rfc3339);
                        shown.insert(plain.to_owned(), moment.map_or(value, Value::String))
                    }
                    None => shown.insert(name, rename_moments(value, names)),
                };
            }
            Value::Object(shown)
        }
        Value::Array(items) => items.into_iter().map(|item| rename_moments(item, names)).collect(),
        other => other,
    }
}

/// For people.
fn lines(value: &Value) -> Vec<String> {
    let Some(items) = value.get("items").and_then(Value::as_array) else { return fields(value) };
    let mut lines = about(value);
    match items.is_empty() {
        true => lines.push(none()),
        false => lines.extend(list(items)),
    }
    lines
}

/// What is said of a list beside its items stands above them.
fn about(value: &Value) -> Vec<String> {
    let mut rest = value.clone();
    if let Some(fields) = rest.as_object_mut() {
        fields.remove("items");
        fields.retain(|name, value| !(name == "next" && value.is_null()));
    }
    let mut lines =
        if rest.as_object().is_some_and(Map::is_empty) { vec![] } else { fields(&rest) };
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// A line a field; what has fields of its own stands below, indented.
fn fields(value: &Value) -> Vec<String> {
    let Some(fields_of) = value.as_object() else { return vec![plain(value)] };
    let width = fields_of.keys().map(String::len).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (name, value) in fields_of {
        let below = match value {
            Value::Object(inner) if !inner.is_empty() => fields(value),
            Value::Array(rows) if rows.iter().any(Value::is_object) => list(rows),
            Value::String(text) if text.trim_end().contains('\n') => {
                text.lines().map(shown).collect()
            }
            _ => {
                lines.push(format!("{name:width$}  {}", plain(value)).trim_end().to_owned());
                continue;
            }
        };
        lines.push(name.clone());
        lines.extend(below.iter().map(|line| format!("  {line}").trim_end().to_owned()));
    }
    lines
}

/// A table where it fits, else one item below the other.
fn list(items: &[Value]) -> Vec<String> {
    list_within(items, width())
}

/// A terminal's own width: a table that is wider wraps in the middle of words. Asked once.
fn width() -> usize {
    static WIDTH: OnceLock<usize> = OnceLock::new();
    *WIDTH
        .get_or_init(|| printing::terminal_columns().map_or(WIDEST, |columns| columns.min(WIDEST)))
}

fn list_within(items: &[Value], width: usize) -> Vec<String> {
    let rows = table(items);
    match rows.iter().all(|row| columns(row) <= width) {
        true => rows,
        false => one_below_the_other(items),
    }
}

fn one_below_the_other(items: &[Value]) -> Vec<String> {
    let blocks: Vec<String> = items.iter().map(|item| fields(item).join("\n")).collect();
    blocks.join("\n\n").lines().map(str::to_owned).collect()
}

/// A line of names, then a line an item.
fn table(items: &[Value]) -> Vec<String> {
    let Some(first) = items.first().and_then(Value::as_object) else {
        return items.iter().map(plain).collect();
    };
    let names: Vec<&String> = first.keys().collect();
    let cell = |item: &Value, name: &str| item.get(name).map(plain).unwrap_or_default();
    let widths: Vec<usize> = names
        .iter()
        .map(|name| {
            let longest = items.iter().map(|item| columns(&cell(item, name))).max();
            longest.unwrap_or(0).max(name.len())
        })
        .collect();
    let line = |text: &dyn Fn(&str) -> String| {
        let cells = names.iter().zip(&widths).map(|(name, width)| {
            let text = text(name);
            let rest = width.saturating_sub(columns(&text));
            format!("{text}{}", " ".repeat(rest))
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&str::to_owned)];
    lines.extend(items.iter().map(|item| line(&|name| cell(item, name))));
    lines
}

/// Columns on a terminal: Japanese letters, what goes with them and pictures are two wide; a mark
/// upon the letter before it takes none.
pub fn columns(text: &str) -> usize {
    let width = |one: char| match one {
        '\u{300}'..='\u{36f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{3099}'
        | '\u{309a}'
        | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    };
    text.chars().map(width).sum()
}

/// A list in which nothing is, wherever it stands; a dash is what is not known or not asked.
fn none() -> String {
    say("なし", "none").to_owned()
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => shown(text.trim_end_matches('\n')),
        Value::Array(items) if items.is_empty() => none(),
        Value::Object(fields) if fields.is_empty() => none(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            joined(&items, is_japanese())
        }
        Value::Object(fields) => {
            let shown = fields.iter().map(|(name, value)| format!("{name} {}", plain(value)));
            shown.collect::<Vec<_>>().join(" · ")
        }
        other => other.to_string(),
    }
}

/// What a Japanese sentence of ours has in it, and no name.
const SPOKEN: &[&str] = &["です", "ます", "ません", "でした", "ました", "ください", "。"];

/// One after the other on one line. Sentences, such as the reasons of a verdict, may have commas of
/// their own: what parts them is stronger than what is in them.
fn joined(items: &[String], is_japanese: bool) -> String {
    let has = |any: fn(char) -> bool| items.iter().any(|item| item.contains(any));
    let is_parted = has(|letter| letter.is_whitespace() || matches!(letter, ',' | '、'));
    let is_spoken = items.iter().any(|item| SPOKEN.iter().any(|word| item.contains(word)));
    let between = match is_japanese {
        true if has(|letter| matches!(letter, ',' | '、')) || is_spoken => "；",
        true if is_parted || !items.iter().all(|item| item.is_ascii()) => "、",
        false if is_parted => "; ",
        _ => ", ",
    };
    items.join(between)
}

#[cfg(test)]
mod tests {
    use super::{Trouble, columns, in_one_language, joined, lines, with_moments};
    use serde_json::json;

    #[test]
    fn people_read_errors_in_their_language() {
        let wrong = || Trouble::wrong_use("a command", "dance", "sekisho help");
        let english = "sekisho: expected a command, found dance\nhint: sekisho help";
        assert_eq!(wrong().for_people(false), english);
        let japanese = "sekisho: コマンド dance はありません\nヒント: sekisho help を参照";
        assert_eq!(wrong().for_people(true), japanese);
        let none = Trouble::wrong_use("a command", "nothing", "sekisho help").for_people(true);
        assert!(none.starts_with("sekisho: 必要なもの: コマンド／実際: なし"), "{none}");
        let act = Trouble::wrong_use("something that `queue` does", "dance", "sekisho help");
        assert!(act.for_people(true).starts_with("sekisho: `queue` に dance はありません"));
        let fault = Trouble::fault("mailbox is away", "try again").for_people(true);
        assert_eq!(fault, "sekisho: mailbox が応答していません\nヒント: もう一度実行してください");
    }

    #[test]
    fn nobodys_text_makes_a_line_of_ours() {
        let found = json!({ "reason": "ok\u{1b}[1A\nwhat  nothing", "name": "a\u{202e}b\rc" });
        let expected = ["name    a<U+202E>b␍c", "reason", "  ok␛[1A", "  what  nothing"];
        assert_eq!(lines(&found), expected);
        let row = json!({ "items": [{ "name": "a\nb" }] });
        assert_eq!(lines(&row), ["name", "a␊b"]);
        let long = Trouble::wrong_use("a command", "x".repeat(100_000), "sekisho help");
        assert!(long.for_people(false).len() < 1_000);
    }

    #[test]
    fn people_read_one_language() {
        let both = json!({ "a": [{ "why": { "ja": "関所", "en": "gate" } }], "b": { "ja": 1 } });
        let expected = json!({ "a": [{ "why": "関所" }], "b": { "ja": 1 } });
        assert_eq!(in_one_language(both, true), expected);
    }

    #[test]
    fn what_has_commas_is_parted_by_more() {
        let check = |items: &[&str], japanese: &str, english: &str| {
            let items: Vec<String> = items.iter().copied().map(str::to_owned).collect();
            assert_eq!(
                (joined(&items, true), joined(&items, false)),
                (japanese.into(), english.into())
            );
        };
        check(&["aoi@a.example", "25"], "aoi@a.example, 25", "aoi@a.example, 25");
        check(
            &["署名がありません", "ZIP です"],
            "署名がありません；ZIP です",
            "署名がありません; ZIP です",
        );
        check(&["青井 葵", "関 所"], "青井 葵、関 所", "青井 葵; 関 所");
        check(&["二つあり、違います", "NUL"], "二つあり、違います；NUL", "二つあり、違います; NUL");
        let english = ["names none", "was altered, or is another"];
        let by =
            ["names none；was altered, or is another", "names none; was altered, or is another"];
        check(&english, by[0], by[1]);
        check(&["one reason, only"], "one reason, only", "one reason, only");
        let reasons = ["auth.dmarc.quarantine", "mime.encoding.conflict"].map(|id| {
            let [ja, en] = [policy::Language::Japanese, policy::Language::English]
                .map(|one| policy::why(id, one, ""));
            json!({ "ja": ja, "en": en })
        });
        let told = lines(&in_one_language(json!({ "why": reasons }), false)).join("");
        let parts = told.matches("; ").count() + told.matches('；').count();
        assert_eq!(parts, 1, "{told}");
    }

    #[test]
    fn people_read_times_and_durations() {
        let item = |ms| json!({ "since_ms": ms, "reading_ms": 12 });
        let found =
            with_moments(json!({ "items": [item(None), item(Some(1_798_156_800_000u64))] }));
        let expected =
            ["reading_ms  since", "12          –", "12          2026-12-25T00:00:00.000Z"];
        assert_eq!(lines(&found), expected);
        let short = json!({ "until_ms": 5_000, "n": 1_798_156_800_000u64 });
        assert_eq!(with_moments(short.clone()), short);
    }

    #[test]
    fn a_table_wider_than_the_terminal_stands_one_field_a_line() {
        let items = [json!({ "address": "aoi@example.jp", "name": "関".repeat(12) })];
        let by_width = |width| super::list_within(&items, width);
        assert_eq!(by_width(40).len(), 2, "14 + 2 + 24 columns fit");
        let narrow =
            ["address  aoi@example.jp".to_owned(), format!("name     {}", "関".repeat(12))];
        assert_eq!(by_width(39), narrow);
    }

    #[test]
    fn a_table_where_it_fits_else_one_below_the_other() {
        let narrow = json!({ "items": [{ "name": "関所", "n": 1 }, { "name": "ab", "n": 22 }] });
        assert_eq!(lines(&narrow), ["n   name", "1   関所", "22  ab"]);
        let wide = json!({ "items": [{ "a": "x".repeat(100), "b": { "c": "y".repeat(30) } }] });
        let expected =
            [format!("a  {}", "x".repeat(100)), "b".to_owned(), format!("  c  {}", "y".repeat(30))];
        assert_eq!(lines(&wide), expected);
        let wide = json!({ "items": [{ "a": "関".repeat(61), "b": 1 }, { "a": "", "b": 2 }] });
        let expected = [
            format!("a  {}", "関".repeat(61)),
            "b  1".into(),
            String::new(),
            "a".into(),
            "b  2".into(),
        ];
        assert_eq!(lines(&wide), expected);
        assert_eq!(lines(&json!({ "items": [], "next": null })), ["none"]);
        assert_eq!(lines(&json!({ "a": [], "b": {}, "c": null })), ["a  none", "b  none", "c  –"]);
        let named = json!({ "name": "News", "items": [{ "a": 1 }], "next": null });
        assert_eq!(lines(&named), ["name  News", "", "a", "1"]);
        assert_eq!(columns("関a"), 3);
        // Half-width kana, a letter with its mark apart, a picture, a dash.
        let widths = ["ｶﾞ", "か\u{3099}", "📮", "–"].map(columns);
        assert_eq!(widths, [2, 2, 2, 1]);
    }
}
