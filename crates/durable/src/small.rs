//! Small files that are there whole or not at all.

use crate::step::{cut, rename, sync, sync_folder, write_at};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes a small file durably under its name: beside it, flushed, renamed, its folder flushed.
/// A crash leaves what was there before, or all of `bytes`.
pub fn put(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(mode).open(&beside)?;
    // What an interrupted one may have left.
    cut(&file, 0)?;
    write_at(&file, bytes, 0)?;
    sync(&file)?;
    rename(&beside, path)?;
    path.parent().map_or(Ok(()), |folder| sync_folder(&File::open(folder)?))
}
