//! What the command line prints. Whoever reads may have had enough (`sekisho help | head -1`): that
//! is no fault of ours, and no reason to panic, as the standard library's macros do.
//!
//! Much of it is text of people, some of them hostile. Whatever in it a terminal would obey, or
//! would not show, comes out as a sign: whoever reads decides by what they see.

use serde_json::Value;
use std::fmt::Arguments;
use std::io::{ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use terms::plain::{is_hidden, shown, sign};

/// Letters of a text that is said again: more than any name or address has.
const LETTERS: usize = 400;
/// Something was not printed for another reason, such as a full disk.
static IS_LOST: AtomicBool = AtomicBool::new(false);

macro_rules! println {
    () => { $crate::printing::print(format_args!("\n")) };
    ($($text:tt)*) => { $crate::printing::print_line(format_args!($($text)*)) };
}

macro_rules! print {
    ($($text:tt)*) => { $crate::printing::print(format_args!($($text)*)) };
}

macro_rules! eprintln {
    () => { $crate::printing::tell(format_args!("")) };
    ($($text:tt)*) => { $crate::printing::tell(format_args!($($text)*)) };
}

pub fn print(text: Arguments<'_>) {
    note(&std::io::stdout().lock().write_all(on_a_terminal(&text.to_string()).as_bytes()));
}

pub fn print_line(text: Arguments<'_>) {
    print(format_args!("{text}\n"));
}

/// On the other output. Nobody is left who could be told that it did not come through.
pub fn tell(text: Arguments<'_>) {
    let line = on_a_terminal(&format!("{text}\n"));
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// The tones that we write ourselves (`demo::screen::tinted`), and the way back from them.
const TONES: &[&str] = &["\u{1b}[0m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"];

/// Lines stay lines, and our own tones tones; the rest of what is hidden is shown as a sign.
pub fn on_a_terminal(text: &str) -> String {
    let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(letter) = rest.chars().next() {
        let tone = TONES.iter().find(|tone| rest.starts_with(**tone));
        let taken = tone.map_or(letter.len_utf8(), |tone| tone.len());
        let (piece, after) = rest.split_at_checked(taken).unwrap_or((rest, ""));
        match sign(letter) {
            Some(sign) if tone.is_none() && !matches!(letter, '\n' | '\t') => shown.push_str(&sign),
            _ => shown.push_str(piece),
        }
        rest = after;
    }
    shown
}

/// A value for programs, on one line: the same value to them, and nothing hidden to a terminal
/// (RFC 8259 §7 has `\u` for any letter).
pub fn json(value: &Value) -> String {
    json_line(value.to_string())
}

/// The same, of a value that is text already.
pub fn json_line(text: String) -> String {
    if !text.chars().any(is_hidden) {
        return text;
    }
    let mut units = [0; 2];
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match is_hidden(letter) {
            true => letter
                .encode_utf16(&mut units)
                .iter()
                .for_each(|unit| escaped.push_str(&format!("\\u{unit:04x}"))),
            false => escaped.push(letter),
        }
    }
    escaped
}

/// Text that was typed, said again: enough of it to know it by.
pub fn in_short(text: &str) -> String {
    let shown = shown(text);
    match shown.char_indices().nth(LETTERS) {
        None => shown,
        Some((at, _)) => {
            format!("{}… ({} octets)", shown.get(..at).unwrap_or_default(), text.len())
        }
    }
}

/// How wide the terminal is on which it is printed; `None` where it is printed elsewhere.
pub fn terminal_columns() -> Option<usize> {
    let stdout = std::io::stdout();
    let terminal = stdout.is_terminal().then(|| stdout.as_fd().try_clone_to_owned().ok())??;
    let given = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let asked = || {
        let size = Command::new("stty").arg("size").stdin(Stdio::from(terminal)).output().ok()?;
        String::from_utf8(size.stdout).ok()?.split_whitespace().nth(1)?.parse().ok()
    };
    given.or_else(asked).filter(|columns| *columns > 0)
}

/// Whether all that was printed came through, or its reader had enough.
pub fn is_whole() -> bool {
    note(&std::io::stdout().lock().flush());
    !IS_LOST.load(Ordering::Relaxed)
}

fn note(written: &std::io::Result<()>) {
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
        && !IS_LOST.swap(true, Ordering::Relaxed)
    {
        tell(format_args!("sekisho: standard output: {error}"));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{in_short, json, on_a_terminal};
    use serde_json::{Value, json as value};

    #[test]
    fn a_terminal_obeys_nobody_elses_text() {
        let check = |text: &str, expected: &str| assert_eq!(on_a_terminal(text), expected);
        check("reason  ok\u{1b}[1A\u{1b}[2Kwhat\n", "reason  ok␛[1A␛[2Kwhat\n");
        check("\u{1b}[32m✓\u{1b}[0m 関所\tyes", "\u{1b}[32m✓\u{1b}[0m 関所\tyes");
        check("\u{1b}[8mnot seen\u{1b}[0", "␛[8mnot seen␛[0");
        check("over\rwritten \u{202e}cod.exe", "over␍written <U+202E>cod.exe");
        check("", "");
    }

    #[test]
    fn programs_get_the_same_value_with_nothing_hidden() {
        let all = value!({ "a": "\u{1b}[2J\u{9b}\u{202e}\u{e0041}\u{7f}\u{200d}\"関" });
        let line = json(&all);
        assert!(!line.chars().any(terms::plain::is_hidden), "{line}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), all);
    }

    #[test]
    fn what_was_typed_is_said_again_in_short() {
        assert_eq!(in_short("frob"), "frob");
        let long = in_short(&"関\u{1b}".repeat(50_000));
        assert_eq!(long, format!("{}… (200000 octets)", "関␛".repeat(200)));
    }
}
