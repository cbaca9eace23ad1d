//! Checks a view of the evidence, or a mirror's folder, and tells the scope of a breach from it:
//! alone, offline, with the keys that its user was given.
//!
//! # Never  opens a socket; writes anything but the file named by `--seen`

mod options;
mod report;

use annals::{Checked, Reader, Seen, Series, check_copy, check_view, find_keys};
use evidence::Entry;
use options::{Options, Task};
use report::Report;
use scope::{Proven, Question, measure};
use std::path::Path;
use std::process::ExitCode;

const FOLDERS: &str = "name a folder that `sekisho ledger view` wrote, or a mirror's";

fn main() -> ExitCode {
    let is_help = |word: String| matches!(&*word, "--help" | "-h" | "help");
    if std::env::args().nth(1).is_some_and(is_help) {
        println!("{}", options::HELP);
        return ExitCode::SUCCESS;
    }
    let options = match Options::read(std::env::args().skip(1).collect()) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("sekisho-verify: {why}\nhint:\n{}", options::HELP);
            return ExitCode::from(2);
        }
    };
    match look(&options) {
        Ok(report) => report.tell(&options),
        Err(fault) => {
            eprintln!("sekisho-verify: {fault}\nhint: {FOLDERS}");
            ExitCode::from(3)
        }
    }
}

fn look(options: &Options) -> Result<Report, annals::Fault> {
    let folder = &*options.folder;
    let is_view = folder.join("entries").is_file();
    let mut entries = Vec::new();
    // A scope is counted from entries that are kept until all of them are checked.
    let wanted = match &options.task {
        Task::Scope(_) => true,
        Task::View | Task::Mirror => false,
    };
    let keep = |index, entry: &Entry| {
        if wanted {
            entries.push((index, entry.clone()));
        }
    };
    let mut report = match is_view {
        true => view(folder, keep)?,
        false => mirror(folder, options, keep)?,
    };
    report.judge_keys(options);
    if let Task::Scope(question) = &options.task {
        report.scope = Some(count(question, &report, &entries));
    }
    Ok(report)
}

fn view(folder: &Path, keep: impl FnMut(u64, &Entry)) -> Result<Report, annals::Fault> {
    let (found, keys) = check_view(folder, keep)?;
    Ok(Report {
        what: "view",
        size: found.size,
        root: found.root,
        entries: found.entries,
        cosigned_at: found.cosigned_at,
        ledger: keys.ledger.to_text(),
        mirror: keys.mirror.map(|mirror| mirror.to_text()),
        problems: found.problems,
        notes: vec!["a view cannot show that nothing was left out".to_owned()],
        scope: None,
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
        what: "mirror",
        size,
        root,
        entries: size,
        cosigned_at: keys.mirror.as_ref().and_then(cosigned),
        ledger: keys.ledger.to_text(),
        mirror: keys.mirror.map(|mirror| mirror.to_text()),
        problems,
        notes,
        scope: None,
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
