//! How the demo writes: calm, aligned, and in colour only on a terminal.

use std::io::IsTerminal;

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

/// Whether the reader's language is Japanese.
pub fn is_japanese() -> bool {
    let language =
        ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|name| std::env::var(name).ok());
    language.is_some_and(|language| language.starts_with("ja"))
}

/// One of two wordings.
pub fn say<'a>(japanese: &'a str, english: &'a str) -> &'a str {
    if is_japanese() { japanese } else { english }
}
