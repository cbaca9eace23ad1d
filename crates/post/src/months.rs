//! Lines of one length, a file a month, kept for about four hundred days.

use std::fs::File;
use std::io::Read;
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
    /// Lines were written since the last flush.
    is_loose: bool,
}

impl Months {
    pub fn open(folder: &Path, ending: &'static str, line_bytes: usize) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), ending, line_bytes, file: None, is_loose: false })
    }

    pub fn add(&mut self, lines: &[u8], now_s: u32) -> std::io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let month = now_s / MONTH_SECONDS;
        if self.file.as_ref().is_none_or(|(open, _)| *open != month) {
            self.begin(month)?;
        }
        let Some((_, file)) = &self.file else { return Ok(()) };
        self.is_loose = true;
        let written = durable::append(file, lines);
        if written.is_err() {
            // It may end within a line: the next opening cuts that off.
            self.file = None;
        }
        written
    }

    fn begin(&mut self, month: u32) -> std::io::Result<()> {
        self.flush()?;
        let file = File::options().create(true).append(true).open(self.path(month))?;
        // A crash may have left part of a line, and every line behind it would be read askew.
        let length = file.metadata()?.len();
        let part = length % (self.line_bytes.max(1) as u64);
        if part > 0 {
            durable::cut(&file, length.saturating_sub(part))?;
        }
        self.file = Some((month, file));
        self.drop_old(month)
    }

    /// Returns when all lines are durable, and the names of their files.
    pub fn flush(&mut self) -> std::io::Result<()> {
        let Some((_, file)) = self.file.as_ref().filter(|_| self.is_loose) else { return Ok(()) };
        durable::sync(file)?;
        durable::sync_folder(&File::open(&self.folder)?)?;
        self.is_loose = false;
        Ok(())
    }

    fn path(&self, month: u32) -> PathBuf {
        self.folder.join(format!("{month}.{}", self.ending))
    }

    fn drop_old(&self, month: u32) -> std::io::Result<()> {
        for at in self.newest_first(u32::MAX)? {
            if at + MONTHS < month {
                durable::remove(&self.path(at))?;
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
        let all = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        let chunk = self.line_bytes.saturating_mul(CHUNK_LINES);
        // A short file takes one short look, and a second that finds its end.
        let lines = all.min(chunk).div_ceil(self.line_bytes.max(1)).max(1);
        let mut buffer = vec![0; lines.saturating_mul(self.line_bytes)];
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
