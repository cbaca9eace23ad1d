//! The lines of one folder in memory, packed and in uid order: 40 octets a message.

use crate::entry::{Entry, Line};
use std::collections::HashSet;
use wire::mailbox::Row;

/// A folder's lines.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    pub lines: Vec<Line>,
    /// When it was last asked for, by the store's count.
    pub used: u64,
}

pub fn row(line: &Line) -> Row {
    Row {
        uid: line.uid,
        flags: line.flags,
        modseq: line.modseq,
        size: line.size,
        received: line.received,
    }
}

impl Shelf {
    pub fn find(&self, uid: u32) -> Option<&Line> {
        let index = self.lines.binary_search_by_key(&uid, |line| line.uid).ok()?;
        self.lines.get(index)
    }

    fn find_mut(&mut self, uid: u32) -> Option<&mut Line> {
        let index = self.lines.binary_search_by_key(&uid, |line| line.uid).ok()?;
        self.lines.get_mut(index)
    }

    /// The lines with these uids, in the folder's order; unknown uids are passed over.
    pub fn pick(&self, uids: &[u32]) -> Vec<Line> {
        let mut wanted: Vec<u32> = uids.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        wanted.into_iter().filter_map(|uid| self.find(uid).copied()).collect()
    }

    pub fn rows(&self, since: Option<u64>) -> Vec<Row> {
        match since {
            None => self.lines.iter().map(row).collect(),
            Some(since) => self.lines.iter().filter(|line| line.modseq > since).map(row).collect(),
        }
    }

    /// Follows an entry that concerns this folder.
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Listed { lines, .. } => {
                let last = self.lines.last().map_or(0, |line| line.uid);
                // New uids are always above; an entry told twice changes nothing.
                self.lines.extend(lines.iter().filter(|line| line.uid > last));
            }
            Entry::Flags { modseq, flags, .. } => {
                for (uid, flags) in flags {
                    if let Some(line) = self.find_mut(*uid) {
                        line.flags = *flags;
                        line.modseq = *modseq;
                    }
                }
            }
            Entry::Expunged { lines, .. } => {
                let gone: HashSet<u32> = lines.iter().map(|line| line.uid).collect();
                self.lines.retain(|line| !gone.contains(&line.uid));
            }
            Entry::Gone { .. } => self.lines.clear(),
            _ => {}
        }
    }
}
