//! How a command ends: done (0), refused or found wanting (1), wrong use (2), fault (3).

use serde_json::{Value, json};
use std::process::ExitCode;

/// What a command has to say.
pub enum Outcome {
    Done(Value),
    /// Done, and what was looked at is not as it should be.
    Wanting(Value),
    /// It printed for itself.
    Told(u8),
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

    pub fn fault(what: impl Into<String>, hint: &str) -> Self {
        Self::Fault { what: what.into(), hint: hint.to_owned() }
    }
}

pub type Answer = Result<Outcome, Trouble>;

/// Prints and gives the exit code.
pub fn tell(answer: Answer, as_json: bool) -> ExitCode {
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
        Err(trouble) => tell_trouble(trouble, as_json),
    }
}

fn tell_trouble(trouble: Trouble, as_json: bool) -> ExitCode {
    let (code, error, hint) = match trouble {
        Trouble::Refused { expected, found, hint } => {
            (1, format!("expected {expected}, found {found}"), hint)
        }
        Trouble::WrongUse { expected, found, hint } => {
            (2, format!("expected {expected}, found {found}"), hint)
        }
        Trouble::Fault { what, hint } => (3, what, hint),
    };
    if as_json {
        println!("{}", json!({ "error": error, "hint": hint }));
    } else {
        eprintln!("sekisho: {error}\nhint: {hint}");
    }
    ExitCode::from(code)
}

fn show(value: &Value, as_json: bool) {
    if as_json {
        println!("{value}");
        return;
    }
    match value.get("items").and_then(Value::as_array) {
        Some(items) if items.is_empty() => println!("(none)"),
        Some(items) => table(items).iter().for_each(|row| println!("{row}")),
        None => show_fields(value),
    }
}

fn show_fields(value: &Value) {
    let Some(fields) = value.as_object() else { return println!("{}", plain(value)) };
    let width = fields.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in fields {
        match value.as_array() {
            Some(rows) if rows.iter().any(Value::is_object) => {
                println!("{name}");
                table(rows).iter().for_each(|row| println!("  {row}"));
            }
            _ => println!("{name:width$}  {}", plain(value)),
        }
    }
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
            let longest = items.iter().map(|item| cell(item, name).chars().count()).max();
            longest.unwrap_or(0).max(name.len())
        })
        .collect();
    let line = |text: &dyn Fn(&str) -> String| {
        let cells = names.iter().zip(&widths).map(|(name, width)| format!("{:width$}", text(name)));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&str::to_owned)];
    lines.extend(items.iter().map(|item| line(&|name| cell(item, name))));
    lines
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let shown = fields.iter().map(|(name, value)| format!("{name} {}", plain(value)));
            shown.collect::<Vec<_>>().join(" · ")
        }
        other => other.to_string(),
    }
}
