//! What the house as a whole remembers of its evidence: whoever starts it demands that the log is
//! still the one that was there, for a folder that is taken away takes its own memory along.

use crate::verify::reader;
use annals::{Reader, keep_lost, names, sight_of};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tlog::{NoteVerifier, SignedCheckpoint};

/// In the data folder: the newest cosigned checkpoint of the ledger.
pub const SEEN: &str = "seen";
/// A house in which one of these has a folder has run before.
const KEEPERS: &[&str] = &["ledger", "mirror", "vault", "directory", "mailbox"];

/// Before the house in `data` starts: hands the ledger what it must know was lost. `beside` is
/// what readers saw, kept beside the data; a house that never ran sets it aside, for it speaks of
/// another one.
///
/// # Errors
/// Files that cannot be used.
pub fn before_start(data: &Path, beside: &Path) -> io::Result<()> {
    let inside = data.join(SEEN);
    if !inside.exists() && !KEEPERS.iter().any(|keeper| data.join(keeper).exists()) {
        return set_aside(beside);
    }
    let folder = data.join("ledger");
    let reader = reader(&folder).ok();
    let mut is_told = false;
    for path in [&inside, &beside.to_owned()] {
        let note = fs::read(path).unwrap_or_default();
        let Some(signed) = SignedCheckpoint::parse(&note) else { continue };
        if !is_held(reader.as_ref(), &signed) {
            hand_over(&folder, &note)?;
            is_told = true;
        }
    }
    if is_told {
        // The ledger keeps it from here on, until somebody takes it away.
        let _ = durable::remove(&inside);
    } else if data.join("vault/keys").exists() && !folder.join(names::LOG).exists() {
        hand_over(&folder, b"the ledger was not there, and nobody knew how far it had come\n")?;
    }
    Ok(())
}

fn is_held(reader: Option<&Reader>, signed: &SignedCheckpoint) -> bool {
    reader.is_some_and(|reader| sight_of(reader, signed).problem().is_none())
}

/// Puts a lost checkpoint into the ledger's folder, as its own.
fn hand_over(folder: &Path, note: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let lost = keep_lost(folder, note)?;
    let owner = fs::metadata(folder)?;
    let path = folder.join(lost.name);
    if fs::metadata(&path)?.uid() != owner.uid() {
        std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

fn set_aside(beside: &Path) -> io::Result<()> {
    let mut number = 1;
    loop {
        let mut name = beside.as_os_str().to_owned();
        name.push(format!(".before-{number}"));
        let name = PathBuf::from(name);
        if name.exists() {
            number += 1;
            continue;
        }
        return match fs::rename(beside, name) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(fault),
            _ => Ok(()),
        };
    }
}

/// Remembers the checkpoint that the ledger in `data` saved last, unless more is remembered.
///
/// # Errors
/// Files that cannot be used.
pub fn remember(data: &Path) -> io::Result<()> {
    let folder = data.join("ledger");
    let note = fs::read(folder.join(names::CHECKPOINT))?;
    let key = fs::read_to_string(folder.join(names::PUBLIC))?;
    let (Some(key), Some(signed)) =
        (NoteVerifier::parse(key.trim()), SignedCheckpoint::parse(&note))
    else {
        // Caught while it was written: the next look finds it whole.
        return Ok(());
    };
    let before = fs::read(data.join(SEEN)).ok();
    let before = before.as_deref().and_then(SignedCheckpoint::parse);
    let before = before.filter(|before| before.note.is_signed_by(&key));
    let is_news = before.is_none_or(|before| before.checkpoint.size < signed.checkpoint.size);
    match is_news && signed.note.is_signed_by(&key) {
        true => durable::put(&data.join(SEEN), &note, 0o600),
        false => Ok(()),
    }
}
