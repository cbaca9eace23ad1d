//! Checks a view of the evidence, a mirror's folder or a certificate of destruction, and tells the
//! scope of a breach: alone, offline, with the keys that its user was given.
//!
//! # Never  opens a socket; writes anything but the file named by `--seen`

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod certificate;
mod json;
mod lattice;
mod memory;
mod options;
mod report;
mod said;
mod shown;
mod view;
mod words;

#[cfg(test)]
mod tests;

use annals::{Acknowledgements, Naming, Reader, Series, Told, check_copy, find_keys};
use evidence::Entry;
use memory::Memory;
use options::{Listing, Options, Task};
use report::Report;
use said::Said;
use scope::{Checked, Language, Listed, Proven, Question, Theirs, measure};
use std::collections::HashMap;
use std::path::Path;

const UNSEEN: &str = "without --seen it is not known whether more was here before";
const FOLDERS: &str = "name a folder that `sekisho ledger view` wrote, or a mirror's";
const CERTIFICATES: &str =
    "name the certificate.json that `sekisho tenant certificate --to DIR` wrote";

/// What the user is told, and the exit code: 0 right, 1 found wanting, 2 wrong use, 3 a file that
/// cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: u8,
    pub text: String,
}

/// Does what these words ask for. What stands in the judged files cannot move or hide anything on
/// the reader's terminal.
pub fn answer(words: Vec<String>) -> Answer {
    let Answer { code, text } = found(words);
    Answer { code, text: shown::lines(&text) }
}

fn found(words: Vec<String>) -> Answer {
    if words.first().is_some_and(|word| matches!(&**word, "--help" | "-h" | "help")) {
        return Answer { code: 0, text: format!("{}\n", options::HELP) };
    }
    let language = options::language(&words);
    let options = match Options::read(words) {
        Ok(options) => options,
        Err(why) => {
            let text = refusal(&why, &format!("\n{}", options::HELP), language);
            return Answer { code: 2, text };
        }
    };
    let hint = match &options.task {
        Task::Certificate => CERTIFICATES,
        Task::View | Task::Mirror | Task::Scope(_) => FOLDERS,
    };
    match look(&options) {
        Ok(report) => report.tell(&options),
        Err(fault) => {
            let hint = match language {
                Language::Japanese => format!(" {}", words::in_japanese(hint)),
                Language::English => format!(" {hint}"),
            };
            Answer { code: 3, text: refusal(&fault, &hint, language) }
        }
    }
}

/// One line of what is wrong, whatever it quotes.
fn refusal(why: &str, hint: &str, language: Language) -> String {
    let why = match language {
        Language::Japanese => words::in_japanese(why),
        Language::English => why.to_owned(),
    };
    let why = &*why;
    format!("sekisho-verify: {}\nhint:{hint}\n", shown::line(why))
}

fn look(options: &Options) -> Result<Report, String> {
    let mut report = match &options.task {
        Task::Certificate => certificate::check(&options.folder, options)?,
        Task::View | Task::Mirror => evidence_of(options, |_, _| {})?,
        Task::Scope(question) => {
            // A scope is counted from entries that are kept until all of them are checked.
            let mut entries = Vec::new();
            let keep = |index, entry: &Entry| entries.push((index, entry.clone()));
            let mut report = evidence_of(options, keep)?;
            report.judge_keys(options);
            must_be_covered(question, &entries)?;
            report.names = names(options)?;
            let losses = match (lost(&options.folder), report.problems.is_empty()) {
                (Err(fault), true) => return Err(told(fault)),
                // What stands above says that it cannot be read.
                (losses, _) => losses.unwrap_or_default(),
            };
            report.scope = Some(count(question, &report, &entries, losses));
            report.whose = options.list.map(|list| whose(question, list, &entries)).transpose()?;
            return Ok(report);
        }
    };
    report.judge_keys(options);
    Ok(report)
}

/// Of a time before the log nothing would be found, which says nothing of that time. (A customer's
/// view begins with their own first entry.)
fn must_be_covered(question: &Question, entries: &[(u64, Entry)]) -> Result<(), String> {
    let begins = entries.first().filter(|(index, _)| *index == 0).map(|(_, entry)| entry.time_ms);
    match begins.filter(|begins| question.to_ms < *begins) {
        None => Ok(()),
        Some(begins) => Err(format!(
            "expected a window that the log covers, found one that ends at {}; it begins at {}",
            evidence::rfc3339(question.to_ms),
            evidence::rfc3339(begins)
        )),
    }
}

fn evidence_of(options: &Options, keep: impl FnMut(u64, &Entry)) -> Result<Report, String> {
    let folder = &*options.folder;
    let memory = options.seen.as_deref().map(Memory::open).transpose()?;
    if !folder.join("entries").is_file() {
        return mirror(folder, options, memory.as_ref(), keep);
    }
    let before = memory.as_ref().and_then(Memory::size);
    let (mut report, shown) = view::check(folder, before, keep).map_err(told)?;
    match &memory {
        Some(memory) => memory.look_at_view(&shown, &mut report)?,
        None => report.notes.push(UNSEEN.into()),
    }
    Ok(report)
}

fn told(fault: annals::Fault) -> String {
    fault.to_string()
}

/// Names by opaque id, for those who were given them.
fn names(options: &Options) -> Result<HashMap<String, String>, String> {
    let Some(path) = &options.names else { return Ok(HashMap::new()) };
    let name = path.display();
    let text = std::fs::read(path).map_err(|error| format!("could not use {name}: {error}"))?;
    let value = json::read(&text).map_err(|error| format!("{name} holds no names: {error}"))?;
    serde_json::from_value(value).map_err(|error| format!("{name} holds no names: {error}"))
}

fn mirror(
    folder: &Path,
    options: &Options,
    memory: Option<&Memory>,
    mut keep: impl FnMut(u64, &Entry),
) -> Result<Report, String> {
    let keys = find_keys(folder).map_err(told)?;
    let mut series = Series::default();
    let found = check_copy(folder, 0, |index, bytes| {
        if let Some(entry) = series.check(index, bytes) {
            keep(index, &entry);
        }
    })
    .map_err(told)?;
    let annals::Checked { size, root, newest, mut problems, mut notes, .. } = found;
    problems.extend(series.finish().1);
    let reader = Reader::open(folder, keys.clone()).map_err(told)?;
    let twice = lattice::look(folder, &reader, options);
    match memory {
        Some(memory) => problems.extend(memory.look_at_mirror(&reader)?),
        None => notes.push(UNSEEN.to_owned()),
    }
    let cosigned = |mirror: &tlog::CosignerKey| {
        newest.as_ref().and_then(|signed| mirror.cosigned(&signed.note))
    };
    let said = |some: Vec<String>| some.into_iter().map(Said::from);
    Ok(Report {
        size,
        root,
        entries: size,
        lattice: twice.key,
        lattice_at: twice.cosigned_at,
        lattice_size: twice.size,
        cosigned_at: keys.mirror.as_ref().and_then(cosigned),
        ledger: keys.ledger.to_text(),
        mirror: keys.mirror.map(|mirror| mirror.to_text()),
        problems: said(problems).chain(twice.problems).collect(),
        notes: said(notes).chain(twice.notes).collect(),
        ..Report::of("mirror")
    })
}

/// Somebody, and their messages in the order of time.
type OfOne = (Theirs, Vec<Listed>);

/// The list that `sekisho scope --people` or `--messages` makes, from these entries alone.
fn whose(
    question: &Question,
    list: Listing,
    entries: &[(u64, Entry)],
) -> Result<Vec<OfOne>, String> {
    let naming = Naming::default();
    let told = scope::list(question, Box::new(naming.clone()), |seen| {
        entries.iter().for_each(|(index, entry)| seen(*index, entry));
        Ok::<(), std::convert::Infallible>(())
    });
    match told {
        Ok(()) => {}
    }
    let mut people: Vec<OfOne> = Vec::new();
    let found = naming.settle(list == Listing::Messages).and_then(|whose| {
        whose.each(|told| {
            match told {
                Told::Person(one) => people.push((*one, Vec::new())),
                Told::Message(one) => {
                    people.last_mut().into_iter().for_each(|(_, theirs)| theirs.push(*one));
                }
            }
            true
        })
    });
    found.map(|()| people).map_err(|fault| fault.to_string())
}

/// What a mirror says that was lost. A view holds one contract's entries, and cannot.
fn lost(folder: &Path) -> Result<Vec<scope::Loss>, annals::Fault> {
    if folder.join("entries").is_file() {
        return Ok(Vec::new());
    }
    let reader = Reader::open(folder, find_keys(folder)?)?;
    Acknowledgements::read(&reader)?.lost(&reader)
}

fn count(
    question: &Question,
    report: &Report,
    entries: &[(u64, Entry)],
    losses: Vec<scope::Loss>,
) -> scope::Scope {
    let proven = Proven {
        losses,
        entries: report.size,
        root: report.root.to_base64(),
        checked: match report.what {
            // The reasons stand above.
            _ if !report.problems.is_empty() => Checked::Wanting(Vec::new()),
            "mirror" => Checked::Mirror,
            // A view holds one contract's entries: of the rest it knows hashes.
            _ => Checked::Nothing,
        },
    };
    let counted = measure(question, proven, |seen| {
        entries.iter().for_each(|(index, entry)| seen(*index, entry));
        Ok::<(), std::convert::Infallible>(())
    });
    match counted {
        Ok(scope) => scope,
    }
}
