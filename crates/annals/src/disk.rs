//! Every durable step goes through here: append, flush, cut, put in place, take away.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The steps that change what stands on disk. `Disk` takes them; a test may put one in between.
pub trait Steps {
    fn append(&self, file: &File, bytes: &[u8]) -> io::Result<()>;
    fn flush(&self, file: &File) -> io::Result<()>;
    fn cut(&self, file: &File, length: u64) -> io::Result<()>;
    /// Gives `made` its name, and makes the name durable.
    fn rename(&self, made: &Path, name: &Path) -> io::Result<()>;
    fn remove(&self, name: &Path) -> io::Result<()>;
}

/// The disk itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Disk;

impl Steps for Disk {
    fn append(&self, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn flush(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn cut(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)?;
        file.sync_data()
    }

    fn rename(&self, made: &Path, name: &Path) -> io::Result<()> {
        fs::rename(made, name)?;
        name.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }

    fn remove(&self, name: &Path) -> io::Result<()> {
        fs::remove_file(name)?;
        name.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

/// Opens a file that grows at its end.
pub(crate) fn grow(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).create(true).append(true).mode(0o600).open(path)
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
        let made = path.with_extension("new");
        let mut to = OpenOptions::new();
        let to = to.write(true).create(true).truncate(true).mode(0o600).open(&made)?;
        Disk.append(&to, bytes)?;
        Disk.flush(&to)?;
        Disk.rename(&made, &path)
    }

    fn get(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}
