//! Lines of one length, a file a month, kept for about four hundred days.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

pub const MONTH_SECONDS: u32 = 30 * 24 * 3600;
/// About a month and four hundred days.
const MONTHS: u32 = 14;
/// Lines read at once while a file is searched.
const CHUNK_LINES: usize = 16 * 1024;

/// The files with one ending, one open for writing. A line begins with an id.
pub struct Months {
    folder: PathBuf,
    ending: &'static str,
    line_bytes: usize,
    file: Option<(u32, File)>,
}

impl Months {
    pub fn open(folder: &Path, ending: &'static str, line_bytes: usize) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), ending, line_bytes, file: None })
    }

    pub fn add(&mut self, lines: &[u8], now_s: u32) -> std::io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let month = now_s / MONTH_SECONDS;
        if self.file.as_ref().is_none_or(|(open, _)| *open != month) {
            let file = File::options().create(true).append(true).open(self.path(month))?;
            self.file = Some((month, file));
            self.drop_old(month)?;
        }
        match &mut self.file {
            Some((_, file)) => file.write_all(lines),
            None => Ok(()),
        }
    }

    fn path(&self, month: u32) -> PathBuf {
        self.folder.join(format!("{month}.{}", self.ending))
    }

    fn drop_old(&self, month: u32) -> std::io::Result<()> {
        for at in self.newest_first(u32::MAX)? {
            if at + MONTHS < month {
                std::fs::remove_file(self.path(at))?;
            }
        }
        Ok(())
    }

    /// Months of which there is a file, not later than this second's.
    pub fn newest_first(&self, until_s: u32) -> std::io::Result<Vec<u32>> {
        let mut months = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let is_one = path.extension().is_some_and(|ending| ending == self.ending);
            let month: Option<u32> = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            months.extend(month.filter(|month| is_one && *month <= until_s / MONTH_SECONDS));
        }
        months.sort_unstable_by(|one, other| other.cmp(one));
        Ok(months)
    }

    /// The lines of one month that begin with this id, as they were written.
    pub fn lines_of(&self, month: u32, id: &[u8]) -> std::io::Result<Vec<Vec<u8>>> {
        let mut file = File::open(self.path(month))?;
        let mut buffer = vec![0; self.line_bytes * CHUNK_LINES];
        let mut found = Vec::new();
        loop {
            let read = read_full(&mut file, &mut buffer)?;
            let lines = buffer.get(..read).unwrap_or(&[]).chunks_exact(self.line_bytes);
            found.extend(lines.filter(|line| line.starts_with(id)).map(<[u8]>::to_vec));
            if read < buffer.len() {
                return Ok(found);
            }
        }
    }
}

fn read_full(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}
