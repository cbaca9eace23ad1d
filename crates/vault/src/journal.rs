//! The key store's file: records appended, flushed before anybody relies on them.
//!
//! Record: length (4) · first 8 octets of SHA-256 over the payload · payload. A torn last record
//! was never relied upon and is cut off; a torn one before it is a fault.
//!
//! Disks may write the sectors of one append in any order. So the length that makes the append
//! count is written when all the rest is flushed: before that it is zero, and ends the file.

use crate::Fault;
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use terms::Cursor;

/// Rows are keys and ids: a few hundred octets.
const RECORD_BYTES: usize = 4_096;
const SUM_BYTES: usize = 8;
const LENGTH_BYTES: usize = 4;
/// One append: the keys of a person are three records. More behind the end is no torn append.
const APPEND_BYTES: usize = 16 * 1024;
/// Disks write sectors whole.
const SECTOR: u64 = 512;

pub(crate) struct Journal {
    file: File,
    end: u64,
}

impl Journal {
    /// Opens or creates the file and gives every record in it, oldest first.
    pub fn open(path: &Path) -> Result<(Self, Vec<Vec<u8>>), Fault> {
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path);
        let mut file = opened.map_err(store("open"))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(store("read"))?;
        let (records, end) = read(&bytes)?;
        if end < bytes.len() as u64 {
            durable::cut(&file, end).map_err(store("mend"))?;
        }
        durable::sync(&file).map_err(store("flush"))?;
        if let Some(folder) = path.parent() {
            let folder = File::open(folder);
            folder.and_then(|folder| durable::sync_folder(&folder)).map_err(store("flush"))?;
        }
        Ok((Self { file, end }, records))
    }

    /// Appends all records or none, durably.
    pub fn append(&mut self, records: &[Vec<u8>]) -> Result<(), Fault> {
        let mut bytes = Vec::new();
        for record in records {
            if record.len() > RECORD_BYTES {
                return Err(Fault::Torn { at: self.end });
            }
            bytes.extend_from_slice(&(record.len() as u32).to_be_bytes());
            bytes.extend_from_slice(&sum(record));
            bytes.extend_from_slice(record);
        }
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
}

fn store(doing: &'static str) -> impl Fn(io::Error) -> Fault {
    move |source| Fault::Store { doing, source }
}

fn sum(record: &[u8]) -> [u8; SUM_BYTES] {
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(Sha256::digest(record));
    [a, b, c, d, e, f, g, h]
}

/// The whole records and where they end.
pub(crate) fn read(bytes: &[u8]) -> Result<(Vec<Vec<u8>>, u64), Fault> {
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
                records.push(record.to_vec());
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
