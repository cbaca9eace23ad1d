//! Sigma rules: those that are shipped, those of a folder, and who wrote them.

use super::sealed;
use crate::arguments::Arguments;
use crate::outcome::{Answer, Outcome, Trouble};
use serde_json::json;
use sigma::Rule;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};
use wire::sentinel::RULES_BYTES;

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

/// The rules of the house as the sentinel takes them; `None`: the settings name no folder.
pub fn of_house(folder: &Path) -> Result<Option<OwnedFd>, Trouble> {
    if folder.as_os_str().is_empty() {
        return Ok(None);
    }
    let named = texts(&[folder.to_owned()])?;
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

/// Without files: the shipped rules. With files: which of them can be read here, and why not.
pub fn sigma(mut arguments: Arguments) -> Answer {
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
    let (mut items, mut unread) = (Vec::new(), Vec::new());
    for (name, text) in &texts {
        match Rule::parse(text) {
            Ok(Rule { title, id, author, status, level, .. }) => items.push(json!({
                "file": name, "title": title, "id": id, "author": author, "status": status,
                "level": level,
            })),
            Err(wrong) => unread.push(json!({ "file": name, "why": wrong.to_string() })),
        }
    }
    let is_whole = unread.is_empty();
    let value = json!({ "items": items, "next": null, "read": items.len(), "unread": unread });
    Ok(if is_whole { Outcome::Done(value) } else { Outcome::Wanting(value) })
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
