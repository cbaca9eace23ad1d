//! What was seen before, in the file that `--seen` names: whoever looks again demands that it is
//! still the beginning.

use crate::report::Report;
use crate::said::Said;
use annals::{Folder, Reader, Seen, Shelf, Sight, sight};
use std::path::{Path, PathBuf};
use tlog::{Hash, NoteVerifier, SignedCheckpoint};

pub struct Memory {
    path: PathBuf,
    /// As it lies there; `None`: nothing yet.
    kept: Option<Vec<u8>>,
}

/// What a view shows of the log, for comparing.
pub struct Shown {
    pub ledger: NoteVerifier,
    /// Its checkpoint, as it lies in the folder.
    pub note: Vec<u8>,
    /// The root of as many entries as were seen before, if the view tells it.
    pub before: Option<Hash>,
}

impl Memory {
    /// # Errors
    /// A path in no folder, or at which no file can be read.
    pub fn open(path: &Path) -> Result<Self, String> {
        let wrong = |error: std::io::Error| format!("could not use {}: {error}", path.display());
        // A folder that is not there is a slip of the pen: it is not made.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let is_there = folder.unwrap_or(Path::new(".")).is_dir();
        if !is_there || path.file_name().is_none() {
            return Err(wrong(std::io::ErrorKind::NotFound.into()));
        }
        let kept = match std::fs::read(path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(wrong(error)),
        };
        Ok(Self { path: path.to_owned(), kept })
    }

    /// How many entries there were; `None`: nothing is remembered, or nothing that can be read.
    pub fn size(&self) -> Option<u64> {
        self.signed().map(|signed| signed.checkpoint.size)
    }

    fn signed(&self) -> Option<SignedCheckpoint> {
        self.kept.as_deref().and_then(SignedCheckpoint::parse)
    }

    /// Compares a mirror's folder with it, and remembers what is there now.
    ///
    /// # Errors
    /// A memory that cannot be read or written.
    pub fn look_at_mirror(&self, reader: &Reader) -> Result<Option<String>, String> {
        let sight = Seen::at(&self.path).look(reader).map_err(|fault| fault.to_string())?;
        let problem = sight.problem();
        if problem.is_none() {
            self.must_hold(reader.head().note.as_bytes())?;
        }
        Ok(problem)
    }

    /// Compares a view with it. A view that is right otherwise is remembered, where it shows that
    /// what was seen before still stands.
    ///
    /// # Errors
    /// A memory that cannot be written.
    pub fn look_at_view(&self, shown: &Shown, report: &mut Report) -> Result<(), String> {
        let before = self.signed();
        let sight = match (&self.kept, &before) {
            (Some(_), None) => Sight::Unreadable,
            (None, _) => Sight::First,
            (_, Some(signed)) => {
                let (seen, size) = (signed.checkpoint.size, report.size);
                let is_hidden = seen < size && shown.before.is_none();
                if is_hidden && signed.note.is_signed_by(&shown.ledger) {
                    // Nothing proves that this goes on from there: what is known is kept.
                    report.notes.push(untold(seen, size));
                    return Ok(());
                }
                let here = Some(report.root).filter(|_| seen == size);
                sight(signed, &shown.ledger, size, |_| here.or(shown.before))
            }
        };
        report.problems.extend(sight.problem().map(Said::from));
        if !report.problems.is_empty() {
            return Ok(());
        }
        // The writer's own refusal says less than what lies there afterwards.
        let folder = Folder(self.path.parent().map(PathBuf::from).unwrap_or_default());
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let _ = folder.put(&name, &shown.note);
        self.must_hold(&shown.note)
    }

    /// What cannot be remembered would be missed only when it is needed.
    fn must_hold(&self, note: &[u8]) -> Result<(), String> {
        match std::fs::read(&self.path) {
            Ok(bytes) if bytes == note || note.is_empty() => Ok(()),
            Err(_) if note.is_empty() => Ok(()),
            _ => Err(format!("could not write {}", self.path.display())),
        }
    }
}

fn untold(seen: u64, size: u64) -> Said {
    Said::new(
        format!(
            "this view of {size} entries cannot show that the {seen} seen before are their \
             beginning: compare a mirror, or the house's own `ledger verify`; what was seen before \
             stays remembered"
        ),
        format!(
            "この view（全 {size} 件）だけでは、以前に見た {seen} 件がその始まりであることは示せない。写しか、\
             `ledger verify` で確かめること。以前に見たものは、そのまま覚えておく"
        ),
    )
}
