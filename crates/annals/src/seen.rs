//! What a reader saw last: whoever reads again demands that this is still the beginning.

use crate::disk::{Folder, Shelf};
use crate::fault::{Fault, file};
use crate::reading::Reader;
use std::path::{Path, PathBuf};
use tlog::{Hash, NoteVerifier, SignedCheckpoint};

/// A reader's memory: one small file, kept away from the log.
pub struct Seen {
    shelf: Folder,
    name: String,
}

/// How a log stands to what was seen before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    First,
    /// It holds what was seen, and perhaps more.
    Consistent,
    /// It holds less than was seen.
    RolledBack {
        seen: u64,
        found: u64,
    },
    /// It holds another history than was seen.
    Forked {
        seen: u64,
        root: Hash,
    },
    /// What was seen was signed by another key than this log's.
    Foreign {
        seen: u64,
        root: Hash,
    },
    /// Something is remembered that is no checkpoint, or bears the name of this log's key and not
    /// its signature: somebody altered it, and what it was is not known.
    Unreadable,
}

impl Sight {
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::First | Self::Consistent => None,
            Self::RolledBack { seen, found } => Some(format!(
                "rolled back: a checkpoint of {seen} entries was seen here before, {found} are left"
            )),
            Self::Forked { seen, root } => Some(format!(
                "forked: the first {seen} entries had the root {} when they were last seen",
                root.to_base64()
            )),
            Self::Foreign { seen, root } => Some(format!(
                "another ledger: a checkpoint of {seen} entries with the root {} was seen before, \
                 under another key than this log's",
                root.to_base64()
            )),
            Self::Unreadable => Some(
                "what was seen before holds no checkpoint that this log signed: somebody \
                 altered it"
                    .to_owned(),
            ),
        }
    }
}

impl Seen {
    pub fn at(path: &Path) -> Self {
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Self { shelf: Folder(folder), name: name.unwrap_or_default() }
    }

    /// Compares with what was seen before, and, if that is still there, remembers what is now.
    ///
    /// # Errors
    /// A memory that cannot be read. One that cannot be written is no fault: some readers may
    /// only read.
    pub fn look(&self, reader: &Reader) -> Result<Sight, Fault> {
        self.look_past(reader, |_| false)
    }

    /// As `look`; what is `known` to be lost is no problem, and what is there now is remembered.
    ///
    /// # Errors
    /// As `look`.
    pub fn look_past(
        &self,
        reader: &Reader,
        known: impl FnOnce(&SignedCheckpoint) -> bool,
    ) -> Result<Sight, Fault> {
        let before = self.shelf.get(&self.name).map_err(file(&*self.name))?;
        let is_kept = before.is_some();
        let before = before.as_deref().and_then(SignedCheckpoint::parse);
        if is_kept && before.is_none() {
            // It stays as it is: written over, nobody would ever know.
            return Ok(Sight::Unreadable);
        }
        let mut sight = before.as_ref().map_or(Sight::First, |signed| sight_of(reader, signed));
        if let (Sight::RolledBack { .. }, Some(signed)) = (&sight, &before) {
            // Somebody else may have seen more, and remembered it, since this log was opened.
            let again = Reader::open(reader.folder(), reader.keys().clone())?;
            sight = sight_of(&again, signed);
        }
        if sight.problem().is_some() && before.as_ref().is_some_and(known) {
            sight = Sight::Consistent;
        }
        if sight.problem().is_none() {
            let note = reader.head().note;
            if !note.is_empty() {
                let _ = self.shelf.put(&self.name, note.as_bytes());
            }
        }
        Ok(sight)
    }
}

/// How a log stands to a checkpoint that was seen before.
pub fn sight_of(reader: &Reader, signed: &SignedCheckpoint) -> Sight {
    sight(signed, &reader.keys().ledger, reader.size(), |size| reader.root_at(size))
}

/// How a log of `size` entries under the key `ledger` stands to a checkpoint.
pub fn sight(
    signed: &SignedCheckpoint,
    ledger: &NoteVerifier,
    size: u64,
    root_at: impl FnOnce(u64) -> Option<Hash>,
) -> Sight {
    let (seen, root) = (signed.checkpoint.size, signed.checkpoint.root);
    if !signed.note.is_signed_by(ledger) {
        let mut lines = signed.note.signatures.iter();
        let is_named = lines.any(|one| one.name == ledger.name && one.key_id == ledger.key_id);
        return if is_named { Sight::Unreadable } else { Sight::Foreign { seen, root } };
    }
    if seen > size {
        return Sight::RolledBack { seen, found: size };
    }
    match root_at(seen) {
        Some(found) if found == root => Sight::Consistent,
        _ => Sight::Forked { seen, root },
    }
}
