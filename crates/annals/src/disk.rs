//! Every durable step goes through here: append, flush, cut, put in place, take away.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The steps that change what stands on disk.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Disk;

impl Disk {
    pub fn append(self, file: &File, bytes: &[u8]) -> io::Result<()> {
        durable::append(file, bytes)
    }

    pub fn flush(self, file: &File) -> io::Result<()> {
        durable::sync(file)
    }

    pub fn cut(self, file: &File, length: u64) -> io::Result<()> {
        durable::cut(file, length)?;
        durable::sync(file)
    }

    /// Makes the names in a file's folder durable.
    pub fn names(self, path: &Path) -> io::Result<()> {
        path.parent().map_or(Ok(()), |folder| durable::sync_folder(&File::open(folder)?))
    }

    pub fn remove(self, path: &Path) -> io::Result<()> {
        durable::remove(path)?;
        self.names(path)
    }
}

/// Opens a file that grows at its end.
pub(crate) fn grow(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).create(true).append(true).mode(0o600).open(path)
}

/// Nothing but a file: a pipe in its place would never end, a device would change by being read,
/// and a link leads to what somebody else writes. Not there is no fault.
pub(crate) fn must_be_plain(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(about) if about.is_file() => Ok(()),
        Ok(_) => Err(io::Error::other("not a file: a link, a pipe, a device or a folder")),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// Small files beside the log, each replaced whole.
pub trait Shelf {
    /// Puts a file in place; it is there whole, or not at all.
    ///
    /// # Errors
    /// The disk's.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Reads one; `None` if there is none.
    ///
    /// # Errors
    /// The disk's.
    fn get(&self, name: &str) -> io::Result<Option<Vec<u8>>>;
}

/// A folder as a shelf.
#[derive(Clone, Debug)]
pub struct Folder(pub PathBuf);

impl Shelf for Folder {
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.0.join(name);
        if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
            fs::create_dir_all(folder)?;
        }
        durable::put(&path, bytes, 0o600)
    }

    fn get(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let path = self.0.join(name);
        must_be_plain(&path)?;
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}
