//! What a count cannot hold, in a file without a name: gone when it is closed.

use scope::Spill;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::atomic::{AtomicU64, Ordering};

/// Names that are tried: somebody may have left one there.
const TRIES: u32 = 16;

/// Ids of messages, for the time of one count.
pub(crate) struct Overspill {
    file: File,
    length: u64,
    runs: Vec<(u8, u64, usize)>,
}

/// `None`: the host has no place for it, and the count goes in parts.
pub(crate) fn overspill() -> Option<Box<dyn Spill + Send>> {
    let file = unnamed().ok()?;
    Some(Box::new(Overspill { file, length: 0, runs: Vec::new() }))
}

/// A file that is gone when it is closed.
///
/// # Errors
/// The host has no place for it.
pub(crate) fn unnamed() -> io::Result<File> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    for _ in 0..TRIES {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sekisho-scope-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut options = OpenOptions::new();
        match options.read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {}
            Err(fault) => return Err(fault),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

impl Spill for Overspill {
    fn put(&mut self, drawer: u8, bytes: &[u8]) -> bool {
        if self.file.write_all_at(bytes, self.length).is_err() {
            return false;
        }
        self.runs.push((drawer, self.length, bytes.len()));
        self.length += bytes.len() as u64;
        true
    }

    fn take(&mut self, drawer: u8) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        for (_, at, length) in self.runs.iter().filter(|run| run.0 == drawer) {
            let begun = all.len();
            all.resize(begun + length, 0);
            self.file.read_exact_at(all.get_mut(begun..)?, *at).ok()?;
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::overspill;

    #[test]
    fn each_drawer_is_read_back_whole() {
        let mut spill = overspill().unwrap();
        for round in 0..3u8 {
            for drawer in [0, 7, 255] {
                assert!(spill.put(drawer, &[drawer ^ round; 5]));
            }
        }
        let expected = [[7; 5], [6; 5], [5; 5]].concat();
        assert_eq!(spill.take(7), Some(expected));
        assert_eq!(spill.take(8), Some(Vec::new()));
    }
}
