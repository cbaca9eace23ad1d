//! What the house as a whole remembers of its evidence: whoever starts it demands that the log is
//! still the one that was there, for a folder that is taken away takes its own memory along.

use crate::verify::reader;
use annals::{Reader, Sight, lost_name, names, sight, sight_of};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use tlog::{NoteVerifier, SignedCheckpoint};

/// In the data folder: the newest cosigned checkpoint of the ledger.
pub const SEEN: &str = "seen";
/// In the data folder: how far the vault, which opens nothing without a proof, saw the ledger come.
pub const SIGHTED: &str = "vault/sighted";
/// Octets of a checkpoint or a key; more is not read.
const SMALL: u64 = 64 * 1024;
/// A house in which one of these has a folder has run before.
const KEEPERS: &[&str] = &["ledger", "mirror", "vault", "directory", "mailbox"];

/// Before the house in `data` starts: hands the ledger what it must know was lost. `beside` is
/// what readers saw, kept beside the data; a house that never ran sets it aside, for it speaks of
/// another one.
///
/// # Errors
/// Files that cannot be used.
pub fn before_start(data: &Path, beside: &Path) -> io::Result<()> {
    let [inside, sighted] = [SEEN, SIGHTED].map(|name| data.join(name));
    if !inside.exists() && !KEEPERS.iter().any(|keeper| data.join(keeper).exists()) {
        return set_aside(beside);
    }
    let folder = data.join("ledger");
    let reader = if is_plain(&folder) { reader(&folder).ok() } else { None };
    let mut is_told = false;
    for path in [&inside, &sighted, &beside.to_owned()] {
        let note = read_small(path).unwrap_or_default();
        let Some(signed) = SignedCheckpoint::parse(&note) else { continue };
        if !is_held(reader.as_ref(), &signed) {
            hand_over(&folder, &note)?;
            is_told = true;
        }
    }
    if is_told {
        // The ledger keeps it from here on, for good.
        let _ = durable::remove(&inside);
        let _ = durable::remove(&sighted);
    } else if data.join("vault/keys").exists() && !folder.join(names::LOG).exists() {
        hand_over(&folder, b"the ledger was not there, and nobody knew how far it had come\n")?;
    }
    Ok(())
}

/// Of what somebody altered nothing is known; whoever reads says so.
fn is_held(reader: Option<&Reader>, signed: &SignedCheckpoint) -> bool {
    let is_held = |sight: Sight| matches!(sight, Sight::Consistent | Sight::Unreadable);
    reader.is_some_and(|reader| is_held(sight_of(reader, signed)))
}

/// Puts a lost checkpoint into the ledger's folder, as its own. The folder is another user's, who
/// may have laid a link there: nothing that stands is written to, or given away.
fn hand_over(folder: &Path, note: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let owner = fs::metadata(folder)?;
    let path = folder.join(lost_name(note));
    let mut file = match File::options().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(fault) => return Err(fault),
    };
    file.write_all(note)?;
    if file.metadata()?.uid() != owner.uid() {
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    durable::sync(&file)?;
    durable::sync_folder(&File::open(folder)?)
}

/// Whether nothing but files and folders stands here: whoever starts a house may be root, and the
/// folder is a compartment's.
fn is_plain(folder: &Path) -> bool {
    let is_plain = |entry: io::Result<fs::DirEntry>| {
        let sort = entry.and_then(|entry| entry.file_type());
        sort.is_ok_and(|sort| sort.is_file() || sort.is_dir())
    };
    fs::read_dir(folder).is_ok_and(|mut entries| entries.all(is_plain))
}

/// A small file, and no link, pipe or device in its place.
pub(crate) fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if fs::symlink_metadata(path)?.is_file() {
        let file = File::open(path)?;
        if file.metadata()?.is_file() {
            file.take(SMALL).read_to_end(&mut bytes)?;
        }
    }
    Ok(bytes)
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
    let note = read_small(&folder.join(names::CHECKPOINT))?;
    let key = read_small(&folder.join(names::PUBLIC))?;
    let key = String::from_utf8_lossy(&key);
    let (Some(key), Some(signed)) =
        (NoteVerifier::parse(key.trim()), SignedCheckpoint::parse(&note))
    else {
        // Caught while it was written: the next look finds it whole.
        return Ok(());
    };
    let before = read_small(&data.join(SEEN)).ok();
    let is_kept = before.is_some();
    let before = before.as_deref().and_then(SignedCheckpoint::parse);
    if is_kept && before.is_none() {
        // Somebody altered it. Written over, nobody would ever know; readers say it.
        return Ok(());
    }
    let is_altered =
        |before: &SignedCheckpoint| sight(before, &key, u64::MAX, |_| None) == Sight::Unreadable;
    if before.as_ref().is_some_and(is_altered) {
        return Ok(());
    }
    let before = before.filter(|before| before.note.is_signed_by(&key));
    let is_news = before.is_none_or(|before| before.checkpoint.size < signed.checkpoint.size);
    match is_news && signed.note.is_signed_by(&key) {
        true => durable::put(&data.join(SEEN), &note, 0o600),
        false => Ok(()),
    }
}
