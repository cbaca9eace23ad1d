//! `sekisho help`: every command with its options, and what each is for, in the reader's language.

use super::manual::{self, USAGE, command_of, explained, lines_of};
use crate::arguments::Arguments;
use crate::demo::screen::is_japanese;
use crate::outcome::{Answer, Outcome, Trouble};

const TITLE: [&str; 2] = [
    "sekisho (関所): 防壁の内側で、多くの組織のメールを扱います",
    "sekisho (関所): mail for many organisations, behind walls",
];

const ENDS: [&str; 2] = [
    "\
二人で決める運用では、重要なコマンドに --reason TEXT [--as ADDRESS] [--expires 24h] を付けると申請に
なります。パスワードは端末、標準入力、--password-fd N のどれかから読み取ります。
どのコマンドも --lang ja|en で言語を選べ、--json で一行に一つの値を返します（`scan` と
`ledger export` は一通・一件ごと）。終了コード: 0 完了、1 拒否または不備、2 使い方の誤り、3 障害。",
    "\
Where two persons decide, privileged commands take --reason TEXT [--as ADDRESS] [--expires 24h] and
answer with a request; passwords are read from the terminal, standard input or --password-fd N.
Every command takes --lang ja|en, and --json, which gives one value on one line; `scan` and
`ledger export` give one a message or entry. Exit: 0 done, 1 refused or found wanting, 2 wrong use,
3 fault.",
];

/// All of it, or the lines of one command.
pub fn help(mut arguments: Arguments) -> Answer {
    let japanese = is_japanese();
    let shown = match arguments.word("a command") {
        Ok(word) => {
            let act = arguments.word("an act of it").ok();
            arguments.finish()?;
            let mut lines = lines_of(&word);
            if lines.is_empty() {
                return Err(Trouble::wrong_use("a command", word, "sekisho help"));
            }
            if let Some(act) = act {
                lines = lines_about(&lines, &act);
                if lines.is_empty() {
                    let hint = "`sekisho help COMMAND` shows all of them";
                    let expected = format!("something that `{word}` does");
                    return Err(Trouble::wrong_use(&expected, act, hint));
                }
            }
            manual::page(&word, &lines, japanese)
        }
        Err(_) => {
            let one = |[ja, en]: [&str; 2]| if japanese { ja.to_owned() } else { en.to_owned() };
            let (title, ends) = (one(TITLE), one(ENDS));
            let usage = explained(&USAGE.lines().collect::<Vec<_>>(), japanese);
            [vec![title, String::new()], usage, vec![String::new(), ends]].concat()
        }
    };
    shown.iter().for_each(|line| println!("{line}"));
    Ok(Outcome::Told(0))
}

/// Of a command's lines those of one act: whole usages, as several acts share their options.
fn lines_about(lines: &[&'static str], act: &str) -> Vec<&'static str> {
    let is_between = |letter: char| !letter.is_alphanumeric() && letter != '-';
    let names = |line: &&str| line.split(is_between).any(|word| word == act);
    let usages = lines.chunk_by(|_, next| command_of(next).is_none());
    usages.filter(|usage| usage.iter().any(names)).flatten().copied().collect()
}

/// Whether any command takes such an option.
pub fn has_option(name: &str) -> bool {
    let is_end = |next: Option<char>| next.is_none_or(|one| !one.is_alphanumeric() && one != '-');
    let is_in = |text: &str| {
        text.match_indices(name)
            .any(|(at, _)| is_end(text.get(at + name.len()..).and_then(|rest| rest.chars().next())))
    };
    is_in(USAGE) || is_in(ENDS[1])
}

#[cfg(test)]
mod tests {
    use super::{ENDS, USAGE, command_of, explained, has_option, lines_about, lines_of};
    use crate::commands::manual::{ACTS, EXAMPLES, OPTIONS, SUMMARIES, meaning, options_in, page};
    use crate::outcome::columns;

    #[test]
    fn help_is_of_one_command() {
        let of = |command| lines_of(command).join("\n");
        assert!(lines_of("tenant").len() > 8, "{}", of("tenant"));
        assert!(of("tenant").contains("search-remains") && !of("tenant").contains("domain add"));
        assert!(of("keys").ends_with("[--new-passphrase-fd N]"), "{}", of("keys"));
        assert_eq!(lines_of("version").len(), 1);
        assert_eq!(lines_of("release").len(), 1);
        assert!(lines_of("dance").is_empty());
    }

    #[test]
    fn help_is_of_one_act() {
        let of = |command, act| lines_about(&lines_of(command), act).join("\n");
        let told = of("tenant", "terminate");
        assert!(told.contains("terminate NAME") && !told.contains("tenant outlet"), "{told}");
        assert!(of("ledger", "acknowledge-loss").contains("acknowledge-loss"));
        assert!(of("tenant", "outlet").starts_with("  sekisho tenant outlet NAME"));
        assert_eq!(of("tenant", "dance"), "");
    }

    #[test]
    fn every_command_says_what_it_is_for_in_both_languages() {
        let commands: Vec<&str> = USAGE.lines().filter_map(command_of).collect();
        for command in &commands {
            let known = SUMMARIES.iter().find(|(known, ..)| known == command);
            let (_, japanese, english) = known.unwrap_or_else(|| panic!("{command}"));
            assert!(!japanese.is_ascii() && english.is_ascii(), "{command}");
        }
        for (command, ..) in SUMMARIES {
            assert!(commands.contains(command), "{command}");
        }
        let shown = explained(&lines_of("tenant"), true);
        assert_eq!(shown.iter().filter(|line| line.starts_with('#')).count(), 1, "{shown:?}");
    }

    #[test]
    fn every_option_and_command_is_explained_in_both_languages() {
        let mut used = Vec::new();
        for (command, ..) in SUMMARIES {
            for option in options_in(&lines_of(command)) {
                let told = meaning(command, option);
                let (ja, en) = told.unwrap_or_else(|| panic!("{command} {option}"));
                assert!(!ja.is_ascii() && en.is_ascii(), "{command} {option}");
                used.push(ja);
            }
            let example = EXAMPLES.iter().filter(|(of, _)| of == command);
            let example: Vec<&str> = example.map(|(_, line)| *line).collect();
            assert_eq!(example.len(), 1, "{command}");
            assert!(example[0].starts_with(&format!("sekisho {command}")), "{command}");
            let known = options_in(&lines_of(command));
            options_in(&example).iter().for_each(|one| assert!(known.contains(one), "{one}"));
        }
        for (of, option, ja, _) in OPTIONS {
            assert!(used.contains(ja), "no command takes {option} ({of})");
        }
        let scan = page("scan", &lines_of("scan"), false).join("\n");
        for part in ["judges messages", "--auth", "0 whatever the verdicts", "Example: sekisho"] {
            assert!(scan.contains(part), "{scan}");
        }
        let release = page("queue", &lines_about(&lines_of("queue"), "release"), true).join("\n");
        assert!(release.contains("終了コード: 0 完了") && release.contains("例: "), "{release}");
    }

    /// Words that a usage begins with, outside of brackets.
    fn acts_of(command: &str) -> Vec<String> {
        let lines = lines_of(command).join(" ") + " ";
        let lines = lines.replace(&format!("sekisho {command} "), "| ");
        let mut depth = 0;
        let plain = lines.chars().map(|letter| {
            depth += i32::from(matches!(letter, '[' | '('));
            depth -= i32::from(matches!(letter, ']' | ')'));
            if depth > 0 { '.' } else { letter }
        });
        let plain: String = plain.collect();
        let first = plain.split("| ").filter_map(|usage| usage.split_whitespace().next());
        let is_act = |word: &&str| word.chars().all(|one| one.is_ascii_lowercase() || one == '-');
        first.filter(is_act).filter(|word| !word.starts_with('-')).map(str::to_owned).collect()
    }

    #[test]
    fn every_act_is_explained_in_both_languages() {
        let mut acts = 0;
        for (command, ..) in SUMMARIES {
            for act in acts_of(command) {
                let told = ACTS.iter().find(|(of, known, ..)| of == command && *known == act);
                let (.., ja, en) = told.unwrap_or_else(|| panic!("{command} {act}"));
                assert!(!ja.is_ascii() && en.is_ascii(), "{command} {act}");
                acts += 1;
            }
        }
        assert!(acts > 80, "{acts}");
        for (of, act, ..) in ACTS {
            assert!(acts_of(of).iter().any(|known| known == act), "{of} does not {act}");
        }
        let queue = page("queue", &lines_of("queue"), false).join("\n");
        assert!(queue.contains("  cancel   gives it back to its sender"), "{queue}");
    }

    #[test]
    fn help_fits_a_hundred_columns_and_names_the_same_options() {
        let lines = USAGE.lines().chain(ENDS[0].lines()).chain(ENDS[1].lines());
        lines.for_each(|line| assert!(columns(line) <= 100, "{line}"));
        for option in ["--reason", "--as", "--expires", "--password-fd", "--lang", "--json"] {
            assert!(ENDS.iter().all(|end| end.contains(option)), "{option}");
        }
    }

    #[test]
    fn options_of_any_command() {
        assert!(has_option("--tenant") && has_option("--as") && has_option("--role"));
        assert!(has_option("--lang") && has_option("--json"));
        assert!(!has_option("--roel") && !has_option("--ten") && !has_option("--"));
    }
}
