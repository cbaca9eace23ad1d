//! How the demo writes: calm, aligned, and in colour only on a terminal.

use std::io::IsTerminal;
use std::sync::OnceLock;

/// Room for the longest outcome in both languages.
const OUTCOME_COLUMNS: usize = 14;
/// Thirty letters in about five seconds.
const BREATH: std::time::Duration = std::time::Duration::from_millis(150);

/// Colours that say something: good, watch, stopped, quiet.
#[derive(Clone, Copy)]
pub enum Tone {
    Plain,
    Good,
    Watch,
    Stopped,
    Quiet,
}

/// Writes `text` in its tone.
pub fn tinted(tone: Tone, text: &str) -> String {
    let code = match tone {
        Tone::Plain => return text.to_owned(),
        Tone::Good => "32",
        Tone::Watch => "33",
        Tone::Stopped => "31",
        Tone::Quiet => "2",
    };
    if !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some() {
        return text.to_owned();
    }
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// A heading with air around it.
pub fn heading(text: &str) {
    println!("\n{}\n", tinted(Tone::Plain, &format!("━━ {text}")));
}

/// `name     text`, as the golden stories have it.
pub fn step(who: &str, tone: Tone, text: &str) {
    println!("  {} {}", tinted(Tone::Quiet, &format!("{who:<9}")), tinted(tone, text));
}

/// What became of something, in a column of its own.
pub fn outcome(tone: Tone, what: &str, of: &str) {
    let blanks = " ".repeat(OUTCOME_COLUMNS.saturating_sub(crate::outcome::columns(what)));
    println!("  {}{blanks}{of}", tinted(tone, what));
}

/// One reason below an outcome.
pub fn because(why: &str) {
    println!("  {}{}", " ".repeat(OUTCOME_COLUMNS), tinted(Tone::Quiet, why));
}

/// A moment to read, where somebody watches.
pub fn breathe() {
    if std::io::stdout().is_terminal() {
        std::thread::sleep(BREATH);
    }
}

/// What `--lang` chose.
static CHOSEN: OnceLock<bool> = OnceLock::new();

/// From now on this language, whatever the environment says.
pub fn choose(japanese: bool) {
    let _ = CHOSEN.set(japanese);
}

/// Whether the reader's language is Japanese.
pub fn is_japanese() -> bool {
    if let Some(japanese) = CHOSEN.get() {
        return *japanese;
    }
    is_japanese_by(|name| std::env::var(name).ok())
}

/// A variable that is set and empty says nothing (POSIX, Base Definitions §8.2).
fn is_japanese_by(variable: impl Fn(&str) -> Option<String>) -> bool {
    let said = |name: &&str| variable(name).filter(|language| !language.is_empty());
    let language = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(said);
    language.is_some_and(|language| language.starts_with("ja"))
}

/// One of two wordings.
pub fn say<'a>(japanese: &'a str, english: &'a str) -> &'a str {
    if is_japanese() { japanese } else { english }
}

#[cfg(test)]
mod tests {
    use super::is_japanese_by;

    #[test]
    fn an_empty_variable_hides_no_other() {
        let check = |set: &[(&str, &str)], expected: bool| {
            let variable = |name: &str| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(is_japanese_by(variable), expected, "{set:?}");
        };
        check(&[("LANG", "ja_JP.UTF-8")], true);
        check(&[("LC_ALL", ""), ("LANG", "ja_JP.UTF-8")], true);
        check(&[("LC_ALL", ""), ("LC_MESSAGES", ""), ("LANG", "ja")], true);
        check(&[("LC_ALL", "C"), ("LANG", "ja_JP.UTF-8")], false);
        check(&[("LC_MESSAGES", "en_GB"), ("LANG", "ja")], false);
        check(&[], false);
    }
}
