//! Sigma rules: those that are shipped, those of a folder, and who wrote them.

use super::sealed;
use crate::arguments::Arguments;
use crate::demo::screen::say;
use crate::outcome::{Answer, Outcome, Trouble};
use sentinel::sightings::{Watched, watched};
use serde_json::{Value, json};
use settings::RULE_LEVELS;
use sigma::Rule;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};
use wire::sentinel::{RULES_BYTES, Source};

/// Files of rules in one call.
const FILES: usize = 20_000;

static SHIPPED: LazyLock<Vec<Rule>> = LazyLock::new(sigma::shipped);
/// Those of the house, once they are known to this process.
static FURTHER: OnceLock<Vec<Rule>> = OnceLock::new();

/// A file's name and its text.
pub type Named = (String, String);

/// A rule by the name under which the sentinel tells of it.
pub fn rule_of(name: &str) -> Option<&'static Rule> {
    let mut all = SHIPPED.iter().chain(FURTHER.get().into_iter().flatten());
    all.find(|rule| rule.id == name || (rule.id.is_empty() && rule.title == name))
}

/// Rules that are to be named with their authors from now on, beside the shipped ones.
pub fn know(texts: &[Named]) {
    let rules = texts.iter().filter_map(|(_, text)| Rule::parse(text).ok()).collect();
    let _ = FURTHER.set(rules);
}

/// The rules of the house as the sentinel takes them, from this level on; `None`: the settings
/// name no folder.
pub fn of_house(folder: &Path, from: &str) -> Result<Option<OwnedFd>, Trouble> {
    if folder.as_os_str().is_empty() {
        return Ok(None);
    }
    let mut named = texts(&[folder.to_owned()])?;
    // What cannot be read goes along: the sentinel says how many those are.
    named.retain(|(_, text)| Rule::parse(text).map_or(true, |rule| is_from(&rule.level, from)));
    let only: Vec<&str> = named.iter().map(|(_, text)| text.as_str()).collect();
    let bytes = postcard::to_stdvec(&only)
        .map_err(|error| Trouble::fault(error.to_string(), "look at `sentinel.rules`"))?;
    if bytes.len() > RULES_BYTES {
        let found = format!("{} octets in {} files", bytes.len(), only.len());
        let hint = "`sentinel.rules` names the folder; take out what is not for Linux";
        return Err(Trouble::refused("8 MiB of rules at most", found, hint));
    }
    know(&named);
    sealed(&bytes).map(Some)
}

/// Whether a rule of this level is wanted; one that names none that we know is.
fn is_from(level: &str, from: &str) -> bool {
    let place = |word: &str| RULE_LEVELS.iter().position(|known| *known == word);
    place(level).is_none_or(|level| Some(level) >= place(from))
}

/// Without files: the shipped rules. With files: which of them can be read here, why not, and
/// whether anybody sees the events that they wait for.
pub fn sigma(mut arguments: Arguments, as_json: bool) -> Answer {
    let language = arguments.choice("--lang", &["ja", "en"])?;
    let mut paths = Vec::new();
    while let Ok(path) = arguments.word("a file or folder") {
        paths.push(PathBuf::from(path));
    }
    arguments.finish()?;
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    let texts = match paths.is_empty() {
        true => sigma::shipped::FILES.iter().map(owned).collect(),
        false => texts(&paths)?,
    };
    let (mut items, mut unread, mut can_match) = (Vec::new(), Vec::new(), 0u64);
    for (name, text) in &texts {
        match Rule::parse(text) {
            Ok(rule) => {
                let watched = watched(&rule);
                can_match += u64::from(matches!(watched, Watched::By(_)));
                items.push(item(name, &rule, &watched));
            }
            Err(wrong) => unread.push(json!({ "file": name, "why": wrong.to_string() })),
        }
    }
    let is_whole = unread.is_empty();
    let value = json!({
        "items": items, "next": null, "read": items.len(), "watched": can_match, "unread": unread,
    });
    let answer = if is_whole { Outcome::Done(value) } else { Outcome::Wanting(value) };
    // Programs get both languages unless they ask for one.
    Ok(match (language, as_json) {
        (None, true) => answer,
        (language, _) => {
            answer.in_one_language(language.as_deref().unwrap_or(say("ja", "en")) == "ja")
        }
    })
}

fn item(file: &str, rule: &Rule, watched: &Watched) -> Value {
    let Rule { title, id, author, status, level, source, .. } = rule;
    let kinds = [&source.product, &source.category, &source.service];
    let kind: Vec<&str> = kinds.into_iter().flatten().map(String::as_str).collect();
    json!({
        "file": file, "title": title, "id": id, "author": author, "status": status,
        "level": level, "source": kind.join("/"), "watched": words_of(watched),
    })
}

/// Where a rule's events come from here, for people.
fn words_of(watched: &Watched) -> Value {
    let (japanese, english) = match watched {
        Watched::By(sources) => {
            let all = |word: fn(Source) -> (&'static str, &'static str)| -> Vec<_> {
                sources.iter().map(|source| word(*source)).collect()
            };
            let (japanese, english): (Vec<_>, Vec<_>) = all(source_words).into_iter().unzip();
            (japanese.join("、"), english.join(", "))
        }
        Watched::Lacks(fields) => {
            let fields = fields.join(", ");
            (
                format!("一致しません。ここの出来事にない項目: {fields}"),
                format!("never: no event here has {fields}"),
            )
        }
        Watched::Nowhere => ("見ていません".to_owned(), "not watched here".to_owned()),
    };
    json!({ "ja": japanese, "en": english })
}

fn source_words(source: Source) -> (&'static str, &'static str) {
    match source {
        Source::Processes => ("プログラムの起動", "program starts"),
        Source::Audit => ("監査記録", "audit records"),
        Source::Files => ("監視フォルダーへの書き込み", "files written in watched folders"),
        other => (other.word(), other.word()),
    }
}

/// Every file of rules that is named, or that lies below a folder that is named.
pub fn texts(paths: &[PathBuf]) -> Result<Vec<Named>, Trouble> {
    let mut texts = Vec::new();
    for path in paths {
        gather(path, &mut texts).map_err(|error| {
            Trouble::fault(format!("{}: {error}", path.display()), "give files that may be read")
        })?;
    }
    Ok(texts)
}

fn gather(path: &Path, into: &mut Vec<Named>) -> std::io::Result<()> {
    if path.is_dir() {
        let mut inside: Vec<PathBuf> =
            std::fs::read_dir(path)?.flatten().map(|entry| entry.path()).collect();
        inside.sort();
        for path in inside {
            let is_rule = path.extension().is_some_and(|end| end == "yml" || end == "yaml");
            if path.is_dir() || is_rule {
                gather(&path, into)?;
            }
        }
    } else if into.len() < FILES {
        into.push((path.display().to_string(), std::fs::read_to_string(path)?));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{is_from, words_of};
    use sentinel::sightings::Watched;
    use wire::sentinel::Source;

    #[test]
    fn levels_have_an_order_and_none_is_no_reason_to_leave_a_rule_out() {
        for (level, from, expected) in [
            ("low", "informational", true),
            ("low", "low", true),
            ("low", "medium", false),
            ("critical", "high", true),
            ("high", "critical", false),
            ("", "critical", true),
            ("grave", "critical", true),
        ] {
            assert_eq!(is_from(level, from), expected, "{level} from {from}");
        }
    }

    #[test]
    fn where_events_come_from_is_said_in_both_languages() {
        let both = words_of(&Watched::By(vec![Source::Processes, Source::Files]));
        assert_eq!(both["en"], "program starts, files written in watched folders");
        assert_eq!(both["ja"], "プログラムの起動、監視フォルダーへの書き込み");
        let lacks = words_of(&Watched::Lacks(vec!["Hashes".to_owned()]));
        assert_eq!(lacks["en"], "never: no event here has Hashes");
        assert_eq!(words_of(&Watched::Nowhere)["ja"], "見ていません");
    }
}
