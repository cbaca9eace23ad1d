//! The key store's file: records appended, flushed before anybody relies on them.
//!
//! Record: length (4) · first 8 octets of SHA-256 over the payload · payload. A torn last record
//! was never relied upon and is cut off; a torn one before it is a fault.
//!
//! Disks may write the sectors of one append in any order. So the length that makes the append
//! count is written when all the rest is flushed: before that it is zero, and ends the file.
//!
//! What is to be forgotten is forgotten by writing the file anew: the new file takes the old one's
//! place in one step, and the old one's octets are overwritten before it is unlinked.

use crate::Fault;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use terms::Cursor;
use zeroize::Zeroizing;

/// Rows are keys and ids: a few hundred octets.
const RECORD_BYTES: usize = 4_096;
const SUM_BYTES: usize = 8;
const LENGTH_BYTES: usize = 4;
/// One append: the keys of a person are three records. More behind the end is no torn append.
const APPEND_BYTES: usize = 16 * 1024;
/// Disks write sectors whole.
const SECTOR: u64 = 512;

/// Overwritten at once when an old file is wiped.
const WIPE_BYTES: usize = 64 * 1024;

/// Records as they stand in the file: wrapped keys among them, so they are wiped after use.
pub(crate) type Records = Vec<Zeroizing<Vec<u8>>>;

pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    end: u64,
}

impl Journal {
    /// Opens or creates the file and gives every record in it, oldest first.
    pub fn open(path: &Path) -> Result<(Self, Records), Fault> {
        // Left by a start that ended while it wrote the file anew: the one or the other, not ours.
        wipe_at(&beside(path))?;
        let mut file = options(false).open(path).map_err(store("open"))?;
        let mut bytes = Zeroizing::new(Vec::new());
        file.read_to_end(&mut bytes).map_err(store("read"))?;
        let (records, end) = read(&bytes)?;
        if end < bytes.len() as u64 {
            durable::cut(&file, end).map_err(store("mend"))?;
        }
        durable::sync(&file).map_err(store("flush"))?;
        flush_folder(path)?;
        Ok((Self { file, path: path.to_owned(), end }, records))
    }

    /// Appends all records or none, durably.
    pub fn append(&mut self, records: &[Vec<u8>]) -> Result<(), Fault> {
        let mut bytes = Vec::new();
        records.iter().try_for_each(|record| put(&mut bytes, record, self.end))?;
        if bytes.len() > APPEND_BYTES {
            return Err(Fault::Torn { at: self.end });
        }
        if let Err(source) = self.write(&mut bytes) {
            // What may stand there is overwritten by the next append, or cut at the next start.
            let _ = durable::cut(&self.file, self.end);
            return Err(store("append to")(source));
        }
        self.end += bytes.len() as u64;
        Ok(())
    }

    fn write(&self, bytes: &mut [u8]) -> io::Result<()> {
        let Some(head) = bytes.first_chunk_mut::<LENGTH_BYTES>() else { return Ok(()) };
        let length = std::mem::take(head);
        durable::write_at(&self.file, bytes, self.end)?;
        durable::sync(&self.file)?;
        durable::write_at(&self.file, &length, self.end)?;
        durable::sync(&self.file)
    }

    /// Every record, as it stands in the file.
    pub fn records(&self) -> Result<Records, Fault> {
        let length = usize::try_from(self.end).map_err(|_| Fault::Torn { at: self.end })?;
        let mut bytes = Zeroizing::new(vec![0; length]);
        self.file.read_exact_at(&mut bytes, 0).map_err(store("read"))?;
        read(&bytes).map(|(records, _)| records)
    }

    /// Puts `records` in the place of everything: all of it or nothing, whenever power fails.
    /// Then what stood there is overwritten.
    pub fn rewrite(&mut self, records: &Records) -> Result<(), Fault> {
        let new = beside(&self.path);
        let mut bytes = Zeroizing::new(Vec::new());
        records.iter().try_for_each(|record| put(&mut bytes, record, self.end))?;
        let file = options(true).open(&new).map_err(store("write anew"))?;
        keep_owner(&self.file, &file).map_err(store("write anew"))?;
        file.write_all_at(&bytes, 0).and_then(|()| file.sync_all()).map_err(store("write anew"))?;
        let is_exchanged = renameat_with(CWD, &new, CWD, &self.path, RenameFlags::EXCHANGE);
        if is_exchanged.is_err() {
            // A file system that cannot exchange: the old file lives on by its descriptor alone.
            std::fs::rename(&new, &self.path).map_err(store("write anew"))?;
        }
        flush_folder(&self.path)?;
        let old = std::mem::replace(&mut self.file, file);
        let old_bytes = std::mem::replace(&mut self.end, bytes.len() as u64);
        wipe(&old, old_bytes)?;
        wipe_at(&new)
    }
}

fn options(is_new: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(is_new).mode(0o600);
    options
}

/// Root writes it anew while no vault runs: it stays the vault's own.
fn keep_owner(old: &File, new: &File) -> io::Result<()> {
    let (before, now) = (old.metadata()?, new.metadata()?);
    match (before.uid(), before.gid()) == (now.uid(), now.gid()) {
        true => Ok(()),
        false => fchown(new, Some(before.uid()), Some(before.gid())),
    }
}

/// Where a file is written anew.
fn beside(path: &Path) -> PathBuf {
    path.with_extension("new")
}

fn flush_folder(path: &Path) -> Result<(), Fault> {
    let folder = path.parent().map(File::open).transpose().map_err(store("flush"))?;
    folder.map_or(Ok(()), |folder| durable::sync_folder(&folder)).map_err(store("flush"))
}

/// Overwrites a file that is in nobody's use, and unlinks it.
fn wipe_at(path: &Path) -> Result<(), Fault> {
    match OpenOptions::new().write(true).open(path) {
        Ok(file) => {
            wipe(&file, file.metadata().map_err(store("wipe"))?.len())?;
            std::fs::remove_file(path).map_err(store("wipe"))?;
            flush_folder(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(store("wipe")(error)),
    }
}

fn wipe(file: &File, length: u64) -> Result<(), Fault> {
    let zeroes = [0u8; WIPE_BYTES];
    let mut at = 0;
    while at < length {
        let count = usize::try_from(length - at).unwrap_or(WIPE_BYTES).min(WIPE_BYTES);
        let some = zeroes.get(..count).unwrap_or_default();
        file.write_all_at(some, at).map_err(store("wipe"))?;
        at += count as u64;
    }
    file.sync_all().map_err(store("wipe"))
}

fn put(bytes: &mut Vec<u8>, record: &[u8], at: u64) -> Result<(), Fault> {
    if record.len() > RECORD_BYTES {
        return Err(Fault::Torn { at });
    }
    bytes.extend_from_slice(&(record.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&sum(record));
    bytes.extend_from_slice(record);
    Ok(())
}

fn store(doing: &'static str) -> impl Fn(io::Error) -> Fault {
    move |source| Fault::Store { doing, source }
}

fn sum(record: &[u8]) -> [u8; SUM_BYTES] {
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(Sha256::digest(record));
    [a, b, c, d, e, f, g, h]
}

/// The whole records and where they end.
pub(crate) fn read(bytes: &[u8]) -> Result<(Records, u64), Fault> {
    let mut cursor = Cursor::new(bytes);
    let mut records = Vec::new();
    while !cursor.is_at_end() {
        let start = cursor.position() as u64;
        let length = cursor.take(4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
        let length = length.map_or(0, |length| length as usize);
        let expected = cursor.take(SUM_BYTES);
        let record = cursor.take(length);
        match (expected, record) {
            (Some(expected), Some(record)) if expected == sum(record).as_slice() => {
                records.push(Zeroizing::new(record.to_vec()));
            }
            // Cut short, or zeroes that the file system grew by: the tail of a broken append.
            (_, None) | (None, _) => return Ok((records, start)),
            (Some(_), Some(_)) if cursor.is_at_end() || is_unfinished(bytes, start, length) => {
                return Ok((records, start));
            }
            _ => return Err(Fault::Torn { at: start }),
        }
    }
    Ok((records, bytes.len() as u64))
}

/// Whether the append that begins here was never finished: its length is not written, or (where
/// it lies across two sectors) only in part.
fn is_unfinished(bytes: &[u8], from: u64, length: usize) -> bool {
    let is_across = from % SECTOR > SECTOR - LENGTH_BYTES as u64;
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    (length == 0 || is_across) && bytes.len().saturating_sub(from) <= APPEND_BYTES
        || bytes.iter().skip(from).all(|byte| *byte == 0)
}
