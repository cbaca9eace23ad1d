//! Puts records of one size in order in bounded memory: what is not held lies in a file without a
//! name, run by run, and is read back all runs at once.

use crate::overspill::unnamed;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Octets of a record; their order is that of the records.
pub(crate) const RECORD_BYTES: usize = 51;
pub(crate) type Record = [u8; RECORD_BYTES];
/// Records held at once: 50 MB.
const HELD: usize = 1_000_000;
/// Records of a run that are read at once.
const READ: usize = 1_000;

/// Takes records in any order.
pub(crate) struct Sorter {
    held: Vec<Record>,
    limit: usize,
    file: Option<File>,
    length: u64,
    /// Where each run begins and ends.
    runs: Vec<(u64, u64)>,
    /// The disk has no room for them.
    fault: Option<io::Error>,
}

impl Sorter {
    pub fn new() -> Self {
        Self::holding(HELD)
    }

    fn holding(limit: usize) -> Self {
        let (held, file, length, runs, fault) = (Vec::new(), None, 0, Vec::new(), None);
        Self { held, limit, file, length, runs, fault }
    }

    pub fn put(&mut self, record: Record) {
        if self.fault.is_some() {
            return;
        }
        self.held.push(record);
        if self.held.len() >= self.limit {
            self.fault = self.spill().err();
        }
    }

    fn spill(&mut self) -> io::Result<()> {
        self.held.sort_unstable();
        let file = match self.file.take() {
            Some(file) => file,
            None => unnamed()?,
        };
        let bytes = self.held.as_flattened();
        file.write_all_at(bytes, self.length)?;
        let end = self.length + bytes.len() as u64;
        self.runs.push((self.length, end));
        (self.length, self.file) = (end, Some(file));
        self.held.clear();
        Ok(())
    }

    /// All of them, in order.
    ///
    /// # Errors
    /// The disk's, now or at any time before.
    pub fn merged(mut self) -> io::Result<Merged> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        if self.runs.is_empty() {
            self.held.sort_unstable();
            let runs = vec![Run { at: 0, end: 0, read: self.held, next: 0 }];
            return Merged::of(None, runs);
        }
        if !self.held.is_empty() {
            self.spill()?;
        }
        let run = |(at, end): &(u64, u64)| Run { at: *at, end: *end, read: Vec::new(), next: 0 };
        Merged::of(self.file, self.runs.iter().map(run).collect())
    }
}

struct Run {
    at: u64,
    end: u64,
    read: Vec<Record>,
    next: usize,
}

impl Run {
    fn next(&mut self, file: Option<&File>) -> io::Result<Option<Record>> {
        if self.next == self.read.len() && self.at < self.end {
            let octets = (self.end - self.at).min((READ * RECORD_BYTES) as u64);
            let octets = usize::try_from(octets).map_err(io::Error::other)?;
            self.read.resize(octets / RECORD_BYTES, [0; RECORD_BYTES]);
            let file = file.ok_or(io::ErrorKind::NotFound)?;
            file.read_exact_at(self.read.as_flattened_mut(), self.at)?;
            (self.at, self.next) = (self.at + octets as u64, 0);
        }
        let record = self.read.get(self.next).copied();
        self.next += 1;
        Ok(record)
    }
}

/// Hands out records in their order.
pub(crate) struct Merged {
    file: Option<File>,
    runs: Vec<Run>,
    heads: BinaryHeap<Reverse<(Record, usize)>>,
}

impl Merged {
    fn of(file: Option<File>, runs: Vec<Run>) -> io::Result<Self> {
        let mut merged = Self { file, runs, heads: BinaryHeap::new() };
        (0..merged.runs.len()).try_for_each(|run| merged.draw(run))?;
        Ok(merged)
    }

    fn draw(&mut self, run: usize) -> io::Result<()> {
        let Some(of) = self.runs.get_mut(run) else { return Ok(()) };
        let next = of.next(self.file.as_ref())?;
        self.heads.extend(next.map(|record| Reverse((record, run))));
        Ok(())
    }

    /// The next one; `None`: there is no more.
    ///
    /// # Errors
    /// The disk's.
    pub fn next(&mut self) -> io::Result<Option<Record>> {
        let Some(Reverse((record, run))) = self.heads.pop() else { return Ok(None) };
        self.draw(run)?;
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::{RECORD_BYTES, Record, Sorter};

    fn record(number: u64) -> Record {
        let mut record = [0; RECORD_BYTES];
        record[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        record[8..16].copy_from_slice(&number.to_be_bytes());
        record
    }

    /// Held, or in runs of every length: the same order, and none is lost.
    #[test]
    fn what_does_not_fit_comes_back_in_order() {
        let mut expected: Vec<Record> = (0..5_000).map(|n| record(n % 3_000)).collect();
        expected.sort_unstable();
        for limit in [7, 1_000, 1_001, 4_999, 5_000, 9_000] {
            let mut sorter = Sorter::holding(limit);
            (0..5_000).for_each(|n| sorter.put(record(n % 3_000)));
            let mut merged = sorter.merged().unwrap();
            let mut found = Vec::new();
            while let Some(record) = merged.next().unwrap() {
                found.push(record);
            }
            assert!(found == expected, "{limit}");
        }
        assert!(Sorter::new().merged().unwrap().next().unwrap().is_none());
    }
}
