//! The steps themselves.

use crate::tape::{Step, name_of, step};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Writes at a place, all of it.
pub fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    step(|| Ok(Step::Write { file: name_of(file)?, at: offset, bytes: bytes.to_vec() }))
        .or_else(|fault| half(file, bytes, fault, |file, half| file.write_all_at(half, offset)))?;
    file.write_all_at(bytes, offset)
}

/// Writes at the end of a file that was opened for appending, all of it.
pub fn append(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    step(|| {
        let at = file.metadata()?.len();
        Ok(Step::Write { file: name_of(file)?, at, bytes: bytes.to_vec() })
    })
    .or_else(|fault| half(file, bytes, fault, |mut file, half| file.write_all(half)))?;
    file.write_all(bytes)
}

/// A disk that fills up in the middle of a write has taken its first half.
fn half(
    file: &File,
    bytes: &[u8],
    fault: io::Error,
    write: impl Fn(&File, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let _ = write(file, bytes.split_at(bytes.len() / 2).0);
    Err(fault)
}

/// Returns when everything written to this file is durable.
pub fn sync(file: &File) -> io::Result<()> {
    step(|| Ok(Step::Sync { file: name_of(file)? }))?;
    file.sync_data()
}

/// Drops what stands behind `length`. Durable after the next [`sync`].
pub fn cut(file: &File, length: u64) -> io::Result<()> {
    step(|| Ok(Step::Cut { file: name_of(file)?, length }))?;
    file.set_len(length)
}

/// Gives a file another name, replacing what had it. Durable after [`sync_folder`].
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    step(|| Ok(Step::Rename { from: from.to_owned(), to: to.to_owned() }))?;
    std::fs::rename(from, to)
}

/// Takes a name away. Durable after [`sync_folder`].
pub fn remove(path: &Path) -> io::Result<()> {
    step(|| Ok(Step::Remove { path: path.to_owned() }))?;
    std::fs::remove_file(path)
}

/// Returns when the names in this folder are durable.
pub fn sync_folder(folder: &File) -> io::Result<()> {
    step(|| Ok(Step::SyncFolder))?;
    folder.sync_all()
}
