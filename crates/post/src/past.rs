//! What became of mail that has left the queue: one short line each, for those who ask later.
//!
//! The lines follow from the log and are not flushed: a crash may lose the newest, never invent
//! one. One file a month; files older than four hundred days go.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use terms::MessageId;
use wire::post::{Decided, Decider};

/// Id, second, legs sent, legs not sent.
const LINE_BYTES: usize = 16 + 4 + 2 + 2;
/// A message has a thousand legs at most, so the highest bits of both counts are free: who decided
/// about it, and in the second count how. A line of an older version has none of them.
const BY_SENDER: u16 = 1 << 15;
const BY_OPERATOR: u16 = 1 << 14;
const RELEASED: u16 = 1 << 15;
const COUNT: u16 = BY_OPERATOR - 1;
/// About a month and four hundred days.
const MONTH_SECONDS: u32 = 30 * 24 * 3600;
const MONTHS: u32 = 14;
/// Lines read at once while a file is searched.
const CHUNK_LINES: usize = 16 * 1024;

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    pub message: MessageId,
    pub at_s: u32,
    pub legs_sent: u16,
    pub legs_not_sent: u16,
    pub decided: Option<Decided>,
}

impl Past {
    fn octets(self) -> [u8; LINE_BYTES] {
        let mut line = [0; LINE_BYTES];
        let (id, rest) = line.split_at_mut(16);
        id.copy_from_slice(&self.message.0);
        let (at, rest) = rest.split_at_mut(4);
        at.copy_from_slice(&self.at_s.to_le_bytes());
        let (sent, not) = rest.split_at_mut(2);
        let by = match self.decided.map(|decided| decided.by) {
            Some(Decider::Sender) => BY_SENDER,
            Some(Decider::Operator) => BY_OPERATOR,
            None => 0,
        };
        let how = if self.decided.is_some_and(|decided| decided.released) { RELEASED } else { 0 };
        sent.copy_from_slice(&(self.legs_sent.min(COUNT) | by).to_le_bytes());
        not.copy_from_slice(&(self.legs_not_sent.min(COUNT) | how).to_le_bytes());
        line
    }

    fn read(line: &[u8]) -> Option<Past> {
        let mut cursor = terms::Cursor::new(line);
        let message = MessageId::from_slice(cursor.take(16)?)?;
        let at_s = u32::from_le_bytes(cursor.take(4)?.try_into().ok()?);
        let sent = u16::from_le_bytes(cursor.take(2)?.try_into().ok()?);
        let not = u16::from_le_bytes(cursor.take(2)?.try_into().ok()?);
        let by = match (sent & BY_SENDER != 0, sent & BY_OPERATOR != 0) {
            (true, _) => Some(Decider::Sender),
            (false, true) => Some(Decider::Operator),
            (false, false) => None,
        };
        let decided = by.map(|by| Decided { by, released: not & RELEASED != 0 });
        let (legs_sent, legs_not_sent) = (sent & COUNT, not & COUNT);
        Some(Past { message, at_s, legs_sent, legs_not_sent, decided })
    }
}

/// The files, one open for writing.
pub struct Pasts {
    folder: PathBuf,
    file: Option<(u32, File)>,
}

impl Pasts {
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), file: None })
    }

    /// Writes lines down. What cannot be written is lost, which `trace` shows as "not known".
    pub fn add(&mut self, pasts: &[Past], now_s: u32) -> std::io::Result<()> {
        if pasts.is_empty() {
            return Ok(());
        }
        let month = now_s / MONTH_SECONDS;
        if self.file.as_ref().is_none_or(|(open, _)| *open != month) {
            let path = self.folder.join(format!("{month}.past"));
            let file = File::options().create(true).append(true).open(path)?;
            self.file = Some((month, file));
            self.drop_old(month)?;
        }
        let lines: Vec<u8> = pasts.iter().flat_map(|past| past.octets()).collect();
        match &mut self.file {
            Some((_, file)) => file.write_all(&lines),
            None => Ok(()),
        }
    }

    fn drop_old(&self, month: u32) -> std::io::Result<()> {
        for (at, path) in self.files()? {
            if at + MONTHS < month {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn files(&self) -> std::io::Result<Vec<(u32, PathBuf)>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let month = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            files.extend(month.map(|month| (month, path)));
        }
        files.sort();
        Ok(files)
    }

    /// How a message ended, if it did within four hundred days. Newest files first.
    pub fn find(&self, message: MessageId) -> std::io::Result<Option<Past>> {
        for (_, path) in self.files()?.into_iter().rev() {
            let mut file = File::open(path)?;
            let mut buffer = vec![0; LINE_BYTES * CHUNK_LINES];
            loop {
                let read = read_full(&mut file, &mut buffer)?;
                let lines = buffer.get(..read).unwrap_or(&[]).chunks_exact(LINE_BYTES);
                let found = lines.filter(|line| line.starts_with(&message.0)).last();
                if let Some(past) = found.and_then(Past::read) {
                    return Ok(Some(past));
                }
                if read < buffer.len() {
                    break;
                }
            }
        }
        Ok(None)
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

#[cfg(test)]
mod tests {
    use super::{LINE_BYTES, MONTH_SECONDS, Past, Pasts};
    use terms::MessageId;
    use wire::post::{Decided, Decider};

    fn past(id: u8, at_s: u32) -> Past {
        let by = if id.is_multiple_of(2) { Decider::Sender } else { Decider::Operator };
        let decided = Some(Decided { by, released: id.is_multiple_of(3) });
        let decided = decided.filter(|_| !id.is_multiple_of(5));
        Past { message: MessageId([id; 16]), at_s, legs_sent: 2, legs_not_sent: 1, decided }
    }

    #[test]
    fn what_ended_is_found_for_four_hundred_days() {
        let folder = std::env::temp_dir().join(format!("post-past-{}", std::process::id()));
        let mut pasts = Pasts::open(&folder).unwrap();
        for month in 0..20u8 {
            let at = u32::from(month) * MONTH_SECONDS;
            pasts.add(&[past(month, at)], at).unwrap();
        }
        let find = |id: u8| pasts.find(MessageId([id; 16])).unwrap();
        assert_eq!(find(19), Some(past(19, 19 * MONTH_SECONDS)));
        assert_eq!(find(6), Some(past(6, 6 * MONTH_SECONDS)));
        assert_eq!(find(2), None);
        assert_eq!(find(99), None);
        assert_eq!(past(1, 1).octets().len(), LINE_BYTES);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
