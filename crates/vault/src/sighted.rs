//! How far the ledger had come when the vault last believed it, written down beside the keys.
//!
//! Whoever puts back older copies of the ledger, of its mirror and of all that remembers them there
//! has a log that is whole in itself; what opened mail says that there was more. The start of the
//! house compares (`ledger::before_start`), and the ledger answers as for any loss.

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Beside the keys; a signed checkpoint, as it came.
pub const SIGHTED: &str = "sighted";
/// How far behind it may be where the vault is killed: as the house's own memory.
const EVERY: Duration = Duration::from_secs(10);
/// More is no checkpoint.
const MOST_BYTES: usize = 64 * 1024;

/// The newest checkpoint, and whether it is written down.
pub struct Sighted {
    path: PathBuf,
    size: u64,
    unkept: Option<Vec<u8>>,
    /// Of how many entries what this start wrote down tells.
    pub kept: Option<u64>,
    kept_at: Option<Instant>,
}

impl Sighted {
    pub fn new(path: PathBuf) -> Self {
        Self { path, size: 0, unkept: None, kept: None, kept_at: None }
    }

    /// A checkpoint of so many entries, signed and cosigned: the vault has seen that it is.
    pub fn note(&mut self, size: u64, checkpoint: &[u8]) {
        if size > self.size && checkpoint.len() <= MOST_BYTES {
            self.size = size;
            self.unkept = Some(checkpoint.to_vec());
        }
    }

    pub fn keep_if_due(&mut self) {
        if self.kept_at.is_none_or(|at| at.elapsed() >= EVERY) {
            self.keep();
        }
    }

    /// A memory that lags is no fault: the next time tries again.
    pub fn keep(&mut self) {
        if let Some(checkpoint) = &self.unkept {
            if durable::put(&self.path, checkpoint, 0o600).is_ok() {
                (self.unkept, self.kept) = (None, Some(self.size));
            }
            self.kept_at = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sighted;

    #[test]
    fn the_newest_is_kept_and_an_older_one_covers_nothing() {
        let folder = std::env::temp_dir().join(format!("vault-sighted-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(super::SIGHTED);
        let kept = || std::fs::read(&path).unwrap_or_default();
        let mut sighted = Sighted::new(path.clone());
        sighted.keep_if_due();
        assert!(kept().is_empty(), "nothing was seen");
        sighted.note(7, b"seven");
        sighted.keep_if_due();
        assert_eq!(kept(), b"seven");
        sighted.note(9, b"nine");
        sighted.note(8, b"eight");
        sighted.keep_if_due();
        assert_eq!(kept(), b"seven", "not at each");
        // A clean end.
        sighted.keep();
        assert_eq!(kept(), b"nine");
        sighted.note(10, &vec![b'x'; super::MOST_BYTES + 1]);
        sighted.keep();
        assert_eq!(kept(), b"nine");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
