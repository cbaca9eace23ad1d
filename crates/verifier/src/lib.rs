//! Checks a view of the evidence, a mirror's folder or a certificate of destruction, and tells the
//! scope of a breach: alone, offline, with the keys that its user was given.
//!
//! # Never  opens a socket; writes anything but the file named by `--seen`

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod certificate;
mod options;
mod report;
mod said;

#[cfg(test)]
mod tests;

use annals::{Checked, Reader, Seen, Series, check_copy, check_view, find_keys};
use evidence::Entry;
use options::{Options, Task};
use report::Report;
use said::Said;
use scope::{Proven, Question, measure};
use std::path::Path;

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

/// Does what these words ask for.
pub fn answer(words: Vec<String>) -> Answer {
    if words.first().is_some_and(|word| matches!(&**word, "--help" | "-h" | "help")) {
        return Answer { code: 0, text: format!("{}\n", options::HELP) };
    }
    let options = match Options::read(words) {
        Ok(options) => options,
        Err(why) => {
            let text = format!("sekisho-verify: {why}\nhint:\n{}\n", options::HELP);
            return Answer { code: 2, text };
        }
    };
    let hint = match &options.task {
        Task::Certificate => CERTIFICATES,
        Task::View | Task::Mirror | Task::Scope(_) => FOLDERS,
    };
    match look(&options) {
        Ok(report) => report.tell(&options),
        Err(fault) => Answer { code: 3, text: format!("sekisho-verify: {fault}\nhint: {hint}\n") },
    }
}

fn look(options: &Options) -> Result<Report, String> {
    let told = |fault: annals::Fault| fault.to_string();
    let mut report = match &options.task {
        Task::Certificate => certificate::check(&options.folder, options)?,
        Task::View | Task::Mirror => evidence_of(options, |_, _| {}).map_err(told)?,
        Task::Scope(question) => {
            // A scope is counted from entries that are kept until all of them are checked.
            let mut entries = Vec::new();
            let keep = |index, entry: &Entry| entries.push((index, entry.clone()));
            let mut report = evidence_of(options, keep).map_err(told)?;
            report.judge_keys(options);
            report.scope = Some(count(question, &report, &entries));
            return Ok(report);
        }
    };
    report.judge_keys(options);
    Ok(report)
}

fn evidence_of(options: &Options, keep: impl FnMut(u64, &Entry)) -> Result<Report, annals::Fault> {
    let folder = &*options.folder;
    match folder.join("entries").is_file() {
        true => view(folder, keep),
        false => mirror(folder, options, keep),
    }
}

fn view(folder: &Path, keep: impl FnMut(u64, &Entry)) -> Result<Report, annals::Fault> {
    let (found, keys) = check_view(folder, keep)?;
    Ok(Report {
        size: found.size,
        root: found.root,
        entries: found.entries,
        cosigned_at: found.cosigned_at,
        ledger: keys.ledger.to_text(),
        mirror: keys.mirror.map(|mirror| mirror.to_text()),
        problems: found.problems.into_iter().map(Said::from).collect(),
        notes: vec!["a view cannot show that nothing was left out".into()],
        ..Report::of("view")
    })
}

fn mirror(
    folder: &Path,
    options: &Options,
    mut keep: impl FnMut(u64, &Entry),
) -> Result<Report, annals::Fault> {
    let keys = find_keys(folder)?;
    let mut series = Series::default();
    let found = check_copy(folder, 0, |index, bytes| {
        if let Some(entry) = series.check(index, bytes) {
            keep(index, &entry);
        }
    })?;
    let Checked { size, root, newest, mut problems, mut notes, .. } = found;
    problems.extend(series.finish().1);
    if let Some(seen) = &options.seen {
        let reader = Reader::open(folder, keys.clone())?;
        problems.extend(Seen::at(seen).look(&reader)?.problem());
    } else {
        notes.push("without --seen it is not known whether more was here before".to_owned());
    }
    let cosigned = |mirror: &tlog::CosignerKey| {
        newest.as_ref().and_then(|signed| mirror.cosigned(&signed.note))
    };
    Ok(Report {
        size,
        root,
        entries: size,
        cosigned_at: keys.mirror.as_ref().and_then(cosigned),
        ledger: keys.ledger.to_text(),
        mirror: keys.mirror.map(|mirror| mirror.to_text()),
        problems: problems.into_iter().map(Said::from).collect(),
        notes: notes.into_iter().map(Said::from).collect(),
        ..Report::of("mirror")
    })
}

fn count(question: &Question, report: &Report, entries: &[(u64, Entry)]) -> scope::Scope {
    let proven = Proven {
        entries: report.size,
        root: report.root.to_base64(),
        // A view holds one contract's entries: of the rest it knows hashes.
        verified: report.what == "mirror" && report.problems.is_empty(),
    };
    let counted = measure(question, proven, |seen| {
        entries.iter().for_each(|(index, entry)| seen(*index, entry));
        Ok::<(), std::convert::Infallible>(())
    });
    match counted {
        Ok(scope) => scope,
    }
}
