//! Checkpoints that a log was once seen to reach and was found without at a start. Each is kept
//! beside the log as a file of its own: it stays a problem until the log holds it again, or until
//! those who decide say that they know (`acknowledged`).

use crate::disk::{Folder, Shelf, must_be_plain};
use crate::names;
use crate::seen::Sight;
use std::fs;
use std::io;
use std::path::Path;
use tlog::{Hash, SignedCheckpoint, empty_root};

/// Files that are read; whoever makes more of them hides none.
const MOST: usize = 1_000;

/// One file of a lost checkpoint.
#[derive(Clone, Debug)]
pub struct Lost {
    pub name: String,
    /// `None`: nobody knows how far the log went, only that there was one.
    pub signed: Option<SignedCheckpoint>,
}

impl Lost {
    /// Size and root, by which one loss is told from another; of no entries where nobody knows how
    /// far the log went.
    pub fn place(&self) -> (u64, Hash) {
        let checkpoint = self.signed.as_ref().map(|signed| &signed.checkpoint);
        checkpoint.map_or_else(|| (0, empty_root()), |found| (found.size, found.root))
    }

    /// Whether the file says nothing that a ledger ever said: neither a checkpoint under this log's
    /// key or another's, nor that nobody knew how far the log went.
    pub fn is_altered(&self, sight: &Sight) -> bool {
        match &self.signed {
            Some(_) => *sight == Sight::Unreadable,
            None => !self.name.is_empty() && self.name != nameless(),
        }
    }

    /// What was lost, for the alarm and for the entry that it becomes: 160 octets are kept.
    pub fn alarm(&self, whose: &str, sight: &Sight) -> Option<String> {
        let name = &self.name;
        if self.is_altered(sight) {
            return Some(format!(
                "`{name}` is no statement of a loss of {whose}: somebody altered it, or made it \
                 up; compare with a backup, then remove that file"
            ));
        }
        let Some(signed) = &self.signed else {
            return Some(format!("{whose} was gone at a start of a house that had run before"));
        };
        let (seen, root) = (signed.checkpoint.size, signed.checkpoint.root.to_base64());
        match sight {
            Sight::First | Sight::Consistent | Sight::Unreadable => None,
            Sight::RolledBack { found, .. } => Some(format!(
                "{whose} lost entries: {seen} were cosigned with the root {root}, {found} are left"
            )),
            Sight::Forked { .. } => Some(format!(
                "{whose} tells another history: {seen} entries were cosigned with the root {root}"
            )),
            Sight::Foreign { .. } => Some(format!(
                "{whose} has another key: {seen} entries were cosigned with the root {root}"
            )),
        }
    }

    /// What `ledger verify` says of it until it is held again or acknowledged.
    pub fn problem(&self, whose: &str, sight: &Sight) -> Option<String> {
        let what = self.alarm(whose, sight)?;
        if self.is_altered(sight) {
            return Some(what);
        }
        let name = &self.name;
        Some(format!(
            "{what} (`{name}` keeps the statement): put the log back from a backup or from the \
             other copy; or, to go on without: sekisho ledger acknowledge-loss"
        ))
    }
}

/// Keeps a checkpoint that a log in `folder` does not hold, and says where. One that is kept
/// already is not written again.
///
/// # Errors
/// The disk's.
pub fn keep_lost(folder: &Path, note: &[u8]) -> io::Result<()> {
    let (shelf, name) = (Folder(folder.to_owned()), lost_name(note));
    match shelf.get(&name)? {
        None => shelf.put(&name, note),
        Some(_) => Ok(()),
    }
}

/// The name of the file that keeps a checkpoint.
pub fn lost_name(note: &[u8]) -> String {
    let Some(signed) = SignedCheckpoint::parse(note) else {
        return nameless();
    };
    let mark = signed.checkpoint.root.0.iter().take(4);
    let mark: String = mark.map(|octet| format!("{octet:02x}")).collect();
    format!("{}{}-{mark}", names::LOST, signed.checkpoint.size)
}

/// Where it is kept that a log was gone, and nobody knew how far it had come.
fn nameless() -> String {
    format!("{}all", names::LOST)
}

/// What is kept of lost checkpoints in a log's folder.
///
/// # Errors
/// The disk's.
pub fn lost_of(folder: &Path) -> io::Result<Vec<Lost>> {
    let mut lost = Vec::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(lost),
        Err(fault) => return Err(fault),
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.filter(|name| name.starts_with(names::LOST) && !name.ends_with(".new"));
        if let Some(name) = name.filter(|_| lost.len() < MOST) {
            must_be_plain(&path)?;
            let signed = SignedCheckpoint::parse(&fs::read(&path)?);
            lost.push(Lost { name, signed });
        }
    }
    lost.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(lost)
}
