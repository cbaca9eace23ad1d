//! What the user typed.

use scope::{Language, Question};
use std::collections::VecDeque;
use std::path::PathBuf;
use terms::Kind;

pub const HELP: &str = "\
sekisho-verify view DIR | mirror DIR
sekisho-verify certificate FILE [--mirror DIR] [--witness-key K]
sekisho-verify scope DIR --component C --from T --to T [--version V] [--people | --messages]
  --json   --lang ja|en   --names FILE   --seen FILE   --ledger-key K   --mirror-key K
  --mirror-ml-dsa-44-key K (with a mirror)";

pub enum Task {
    View,
    Mirror,
    /// A certificate of destruction, as `sekisho tenant certificate` wrote it.
    Certificate,
    Scope(Question),
}

/// Whose it is: people, or each of them with their messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    People,
    Messages,
}

pub struct Options {
    pub task: Task,
    /// The folder, or the file of a certificate.
    pub folder: PathBuf,
    pub as_json: bool,
    /// Beside a scope: whose it is, one by one.
    pub list: Option<Listing>,
    pub language: Language,
    pub names: Option<PathBuf>,
    pub seen: Option<PathBuf>,
    pub ledger_key: Option<String>,
    pub mirror_key: Option<String>,
    /// The mirror's ML-DSA-44 key.
    pub lattice_key: Option<String>,
    /// Beside a certificate: a mirror's folder that must agree, a witness that must have signed.
    pub mirror: Option<PathBuf>,
    pub witness_key: Option<String>,
}

impl Options {
    pub fn read(arguments: Vec<String>) -> Result<Self, String> {
        let mut left = VecDeque::from(arguments);
        let as_json = left.iter().any(|word| word == "--json");
        left.retain(|word| word != "--json");
        let list = listing(&mut left)?;
        let mut option = |name: &str| -> Result<Option<String>, String> {
            let Some(at) = left.iter().position(|word| word == name) else { return Ok(None) };
            left.remove(at);
            left.remove(at).map(Some).ok_or_else(|| format!("expected a value after {name}"))
        };
        let language = match option("--lang")? {
            Some(word) => Language::parse(&word)
                .ok_or_else(|| format!("expected ja or en after --lang, found {word}"))?,
            None => language(&[]),
        };
        let (names, seen) = (option("--names")?, option("--seen")?);
        let (ledger_key, mirror_key) = (option("--ledger-key")?, option("--mirror-key")?);
        let lattice_key = option("--mirror-ml-dsa-44-key")?;
        let (mirror, witness_key) = (option("--mirror")?, option("--witness-key")?);
        let (component, version) = (option("--component")?, option("--version")?);
        let (from, to) = (option("--from")?, option("--to")?);
        let (task, folder) = (left.pop_front(), left.pop_front());
        if let Some(more) = left.pop_front() {
            return Err(format!("expected no more words, found {more}"));
        }
        let task = match task.as_deref() {
            Some("view") => Task::View,
            Some("mirror") => Task::Mirror,
            Some("certificate") => Task::Certificate,
            Some("scope") => Task::Scope(question(component, version, (from, to))?),
            other => {
                let found = other.unwrap_or("nothing");
                return Err(format!("expected view, mirror, certificate or scope, found {found}"));
            }
        };
        if list.is_some() && !matches!(task, Task::Scope(_)) {
            return Err("--people and --messages go with a scope".to_owned());
        }
        if task_is_other(&task) && (mirror.is_some() || witness_key.is_some()) {
            return Err("--mirror and --witness-key go with a certificate".to_owned());
        }
        if matches!(task, Task::Certificate) && seen.is_some() {
            return Err("--seen goes with a view or a mirror".to_owned());
        }
        if matches!(task, Task::View | Task::Certificate) && lattice_key.is_some() {
            return Err("--mirror-ml-dsa-44-key goes with a mirror".to_owned());
        }
        Ok(Self {
            task,
            folder: folder.ok_or("expected a folder, found nothing")?.into(),
            as_json,
            list,
            language,
            names: names.map(PathBuf::from),
            seen: seen.map(PathBuf::from),
            ledger_key,
            mirror_key,
            lattice_key,
            mirror: mirror.map(PathBuf::from),
            witness_key,
        })
    }
}

/// What the reader speaks, as far as these words tell, which may be wrong otherwise.
pub fn language(words: &[String]) -> Language {
    let mut pairs = words.iter().zip(words.iter().skip(1));
    let asked = pairs.find(|(name, _)| *name == "--lang");
    let asked = asked.and_then(|(_, word)| Language::parse(word));
    asked.unwrap_or_else(|| match std::env::var("LANG").is_ok_and(|lang| lang.starts_with("ja")) {
        true => Language::Japanese,
        false => Language::English,
    })
}

fn listing(left: &mut VecDeque<String>) -> Result<Option<Listing>, String> {
    let mut switch = |name: &str| {
        let before = left.len();
        left.retain(|word| word != name);
        left.len() < before
    };
    match (switch("--people"), switch("--messages")) {
        (true, true) => Err("expected one of --people and --messages, found both".to_owned()),
        (true, false) => Ok(Some(Listing::People)),
        (false, true) => Ok(Some(Listing::Messages)),
        (false, false) => Ok(None),
    }
}

fn task_is_other(task: &Task) -> bool {
    !matches!(task, Task::Certificate)
}

fn question(
    component: Option<String>,
    version: Option<String>,
    (from, to): (Option<String>, Option<String>),
) -> Result<Question, String> {
    let word = component.ok_or("expected --component, found nothing")?;
    let component =
        Kind::parse(&word).ok_or_else(|| format!("expected a compartment's name, found {word}"))?;
    let (from_ms, to_ms) = (time(from, "--from")?, time(to, "--to")?);
    if from_ms > to_ms {
        // Nothing lies in it: in an incident the worst of answers.
        return Err("expected --from before --to, found the reverse".to_owned());
    }
    Ok(Question { component, version, from_ms, to_ms })
}

fn time(text: Option<String>, name: &str) -> Result<u64, String> {
    let text = text.ok_or_else(|| format!("expected {name}, found nothing"))?;
    let read = evidence::parse_moment(&text);
    let wrong =
        || format!("expected a time such as 2026-11-22T09:00:00Z after {name}, found {text}");
    read.ok_or_else(wrong)
}
