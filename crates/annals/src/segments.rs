//! The log as files of bounded size, one after the other; to a store it is one volume. The first
//! is `log`, as it was before there were segments.

use crate::disk::{Disk, grow, must_be_plain};
use crate::names;
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use tlog::{TILE_LEVELS, Volume, Volumes};

/// A new segment is begun behind so many octets, at the next batch.
const SEGMENT_BYTES: u64 = 256 * 1024 * 1024;

/// Files that follow each other.
pub struct Segments {
    first: PathBuf,
    /// Octets of each; the last one grows.
    lengths: Vec<u64>,
    last: File,
    /// Where older ones are read, the one that was read last.
    older: Mutex<Option<(usize, File)>>,
    limit: u64,
    may_write: bool,
    /// When the last one was written to, by us.
    written: Option<Written>,
    /// Whether somebody else touched it before it was written to again.
    stirred: bool,
    /// What somebody else did to it, as it was found before it was written to again.
    disturbed: Option<&'static str>,
}

/// When a file's octets were changed, and when anything about it was. The first anybody may put
/// back who may write to it, the second nobody.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Written {
    modified: SystemTime,
    changed: (i64, i64),
}

impl Written {
    fn of(about: &Metadata) -> Option<Self> {
        let changed = (about.ctime(), about.ctime_nsec());
        Some(Self { modified: about.modified().ok()?, changed })
    }
}

impl Segments {
    /// Opens what is there; makes the first if nothing is.
    ///
    /// # Errors
    /// The disk's.
    pub fn open(first: &Path) -> io::Result<Self> {
        Self::open_with(first, SEGMENT_BYTES, true)
    }

    /// For reading only: nothing is made.
    ///
    /// # Errors
    /// The disk's.
    pub fn look(first: &Path) -> io::Result<Self> {
        Self::open_with(first, SEGMENT_BYTES, false)
    }

    pub(crate) fn open_with(first: &Path, limit: u64, may_write: bool) -> io::Result<Self> {
        let mut lengths = Vec::new();
        loop {
            let name = name_of(first, lengths.len());
            must_be_plain(&name)?;
            let Ok(about) = name.metadata() else { break };
            lengths.push(about.len());
        }
        let path = name_of(first, lengths.len().saturating_sub(1));
        let last = match (may_write, lengths.is_empty()) {
            (true, false) => grow(&path)?,
            (true, true) => begin(&path)?,
            (false, false) => File::open(&path)?,
            // Nothing was derived yet, by an earlier version: it reads as empty.
            (false, true) => File::open("/dev/null")?,
        };
        if lengths.is_empty() {
            lengths.push(0);
        }
        let (first, older) = (first.to_owned(), Mutex::new(None));
        let written = Written::of(&last.metadata()?);
        let (stirred, disturbed) = (false, None);
        Ok(Self { first, lengths, last, older, limit, may_write, written, stirred, disturbed })
    }

    /// Octets of each segment.
    pub fn lengths(&self) -> &[u64] {
        &self.lengths
    }

    fn begin_another(&mut self) -> io::Result<()> {
        Disk.flush(&self.last)?;
        self.last = begin(&name_of(&self.first, self.lengths.len()))?;
        self.lengths.push(0);
        self.note_written();
        Ok(())
    }

    /// What we did to the last one was ours.
    fn note_written(&mut self) {
        self.written = self.last.metadata().ok().and_then(|about| Written::of(&about));
    }

    fn read_part(&self, segment: usize, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        if segment + 1 == self.lengths.len() {
            return Volume::read_at(&self.last, offset, into);
        }
        let mut older = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        if older.as_ref().is_none_or(|(number, _)| *number != segment) {
            *older = Some((segment, File::open(name_of(&self.first, segment))?));
        }
        match older.as_ref() {
            Some((_, file)) => Volume::read_at(file, offset, into),
            None => Ok(0),
        }
    }
}

/// A new file. Its name is durable before anything that is flushed under it counts.
fn begin(path: &Path) -> io::Result<File> {
    let file = grow(path)?;
    durable::cut(&file, 0)?;
    Disk.names(path)?;
    Ok(file)
}

fn name_of(first: &Path, number: usize) -> PathBuf {
    let name = first.file_name().map(|name| name.to_string_lossy().into_owned());
    first.with_file_name(segment_name(&name.unwrap_or_default(), number))
}

/// The name of a segment.
pub fn segment_name(first: &str, number: usize) -> String {
    match number {
        0 => first.to_owned(),
        number => format!("{first}.{number:06}"),
    }
}

impl Volume for Segments {
    fn length(&self) -> io::Result<u64> {
        match self.may_write {
            true => Ok(self.lengths.iter().sum()),
            // Somebody else writes: the last one may have grown.
            false => {
                let before = self.lengths.split_last().map_or(0, |(_, older)| older.iter().sum());
                Ok(before + self.last.metadata()?.len())
            }
        }
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let (mut done, mut base) = (0, 0);
        for (number, length) in self.lengths.iter().enumerate() {
            let is_last = number + 1 == self.lengths.len();
            let at = offset + done as u64;
            if is_last || at < base + length {
                let rest = into.get_mut(done..).unwrap_or_default();
                let room = usize::try_from(base + length - at.min(base + length));
                let room = if is_last { rest.len() } else { room.unwrap_or(usize::MAX) };
                let rest = rest.get_mut(..room.min(rest.len())).unwrap_or_default();
                done += self.read_part(number, at - base, rest)?;
            }
            if done == into.len() {
                break;
            }
            base += length;
        }
        Ok(done)
    }

    /// Only the last one is asked: older ones are no longer than a segment, as a rule.
    fn next_written(&self, offset: u64) -> io::Result<Option<u64>> {
        let before = self.lengths.split_last().map_or(0, |(_, older)| older.iter().sum());
        let Some(within) = offset.checked_sub(before) else { return Ok(Some(offset)) };
        Ok(written_from(&self.last, within)?.map(|at| before + at))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Before it is written to: afterwards it would look as if all of it were ours.
        self.disturbed = self.disturbed()?;
        self.stirred = self.stirred()?;
        if self.lengths.last().is_some_and(|length| *length >= self.limit) {
            self.begin_another()?;
        }
        let written = Disk.append(&self.last, bytes);
        let about = self.last.metadata()?;
        if let Some(length) = self.lengths.last_mut() {
            *length = about.len();
        }
        self.written = Written::of(&about);
        written
    }

    fn sync(&mut self) -> io::Result<()> {
        Disk.flush(&self.last)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        let mut left = length;
        let kept = self.lengths.iter().position(|here| {
            let ends_here = left <= *here;
            left = if ends_here { left } else { left - here };
            ends_here
        });
        let Some(kept) = kept else { return Ok(()) };
        *self.older.lock().unwrap_or_else(PoisonError::into_inner) = None;
        // The newest first: what is left is a log at every moment.
        for number in (kept + 1..self.lengths.len()).rev() {
            Disk.remove(&name_of(&self.first, number))?;
            self.lengths.pop();
        }
        self.last = grow(&name_of(&self.first, kept))?;
        Disk.cut(&self.last, left)?;
        if let Some(last) = self.lengths.last_mut() {
            *last = left;
        }
        self.note_written();
        Ok(())
    }

    fn disturbed(&self) -> io::Result<Option<&'static str>> {
        if !self.may_write {
            return Ok(None);
        }
        let about = self.last.metadata()?;
        // By its name: a file that was renamed has as many links as before.
        let there = name_of(&self.first, self.lengths.len().saturating_sub(1)).symlink_metadata();
        let is_ours = there.is_ok_and(|at| (at.dev(), at.ino()) == (about.dev(), about.ino()));
        Ok(if !is_ours {
            Some("its file was taken away or replaced")
        } else if self.disturbed.is_some() {
            self.disturbed
        } else if self.lengths.last().is_some_and(|length| *length != about.len()) {
            Some("it has another length than was written")
        } else if about.modified().ok() != self.written.map(|written| written.modified) {
            Some("somebody else wrote to its file")
        } else {
            None
        })
    }

    fn stirred(&self) -> io::Result<bool> {
        if !self.may_write || self.stirred {
            return Ok(self.stirred);
        }
        Ok(Written::of(&self.last.metadata()?) != self.written)
    }
}

/// One derived file, or nothing yet.
pub(crate) fn volumes(
    folder: &Path,
    open: impl Fn(&Path) -> io::Result<Segments>,
) -> io::Result<Volumes<Segments>> {
    use crate::names::{LOG, MARKS, TILES};
    let mut tiles = Vec::new();
    for level in 0..TILE_LEVELS {
        tiles.push(open(&folder.join(tiles_name(TILES, level)))?);
    }
    let tiles = tiles.try_into().map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(Volumes { log: open(&folder.join(LOG))?, tiles, marks: open(&folder.join(MARKS))? })
}

pub(crate) fn tiles_name(tiles: &str, level: usize) -> String {
    match level {
        0 => tiles.to_owned(),
        level => format!("{tiles}-{level}"),
    }
}

impl Segments {
    /// The volumes of a log's folder, to be written.
    ///
    /// # Errors
    /// The disk's.
    pub fn volumes(folder: &Path) -> io::Result<Volumes<Self>> {
        volumes(folder, Self::open)
    }
}
/// Keeps the changed log of a folder for whoever must find out by whom.
///
/// # Errors
/// The disk's.
pub fn keep_changed(folder: &Path, now_ms: u64) -> io::Result<()> {
    let log = Segments::open(&folder.join(names::LOG))?;
    for number in 0..log.lengths().len() {
        let name = segment_name(names::LOG, number);
        let copy = folder.join(format!("{name}.changed-{now_ms}"));
        copy_written(&File::open(folder.join(name))?, &copy)?;
    }
    Ok(())
}

/// Copies a file without what was never written to it: it may be longer than the disk.
fn copy_written(from: &File, to: &Path) -> io::Result<()> {
    let into = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to)?;
    let length = from.metadata()?.len();
    into.set_len(length)?;
    let mut at = 0;
    while let Some(start) = written_from(from, at)?.filter(|start| *start < length) {
        let end = match rustix::fs::seek(from, SeekFrom::Hole(start)) {
            Ok(end) => end,
            Err(Errno::INVAL | Errno::NXIO) => length,
            Err(errno) => return Err(errno.into()),
        };
        (&*from).seek(io::SeekFrom::Start(start))?;
        (&into).seek(io::SeekFrom::Start(start))?;
        // By reading and writing: what the library would use for two files stands in no charter.
        let part: &mut dyn Read = &mut from.take(end.saturating_sub(start));
        io::copy(part, &mut &into)?;
        at = end;
    }
    into.sync_all()
}

/// Where the next octet stands that was ever written. A file system that does not know says so of
/// every one.
fn written_from(file: &File, offset: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, SeekFrom::Data(offset)) {
        Ok(at) => Ok(Some(at)),
        Err(Errno::NXIO) => Ok(None),
        Err(Errno::INVAL) => Ok(Some(offset)),
        Err(errno) => Err(errno.into()),
    }
}
