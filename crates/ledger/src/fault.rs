//! What can break on the ledger's side. All of it ends the process; the warden starts it anew.

use crate::book::Out;
use std::io;

#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("expected a data folder, found none")]
    NoFolder,
    #[error("could not use the file {name}: {source}")]
    File { name: &'static str, source: io::Error },
    #[error("the file {name} is damaged: expected {expected}, found something else")]
    Changed { name: &'static str, expected: &'static str },
    #[error("could not read the evidence: {0}")]
    Annals(#[source] annals::Fault),
    #[error("could not write or flush the log: {0}")]
    Store(io::Error),
    #[error("could not use a channel: {0}")]
    Wire(wire::Fault),
    #[error("could not begin: {0}")]
    House(compartment::Fault),
}

impl Fault {
    /// Whether room is what is missing.
    pub fn is_full(&self) -> bool {
        match self {
            Self::File { source, .. } | Self::Store(source) => {
                compartment::is_full_by_kernel(source)
            }
            _ => false,
        }
    }
}

/// So long nothing was refused before it is over: on a disk that is almost full small batches still
/// find room between large ones that do not.
const QUIET_MS: u64 = 10_000;

/// Batches that the disk did not take: the authors ask again at once, so it is told once, and once
/// when it is over. Told each time it would read as the babble of a ledger that was taken over.
#[derive(Default)]
pub struct Unwritten {
    /// When the last one was refused, since it was told.
    last_ms: Option<u64>,
    /// Whether one was taken after it.
    is_written: bool,
}

impl Unwritten {
    /// A disk without room is nobody's deed: it is no alarm.
    pub fn refused(&mut self, fault: &io::Error, now_ms: u64) -> Option<Out> {
        self.is_written = false;
        if self.last_ms.replace(now_ms).is_some() {
            return None;
        }
        Some(match compartment::is_full_by_kernel(fault) {
            true => Out::Note("the disk is full: entries wait, and nobody can read".to_owned()),
            false => Out::Alarm(format!("a batch could not be written: {fault}")),
        })
    }

    /// A batch was written.
    pub fn written(&mut self) {
        self.is_written = true;
    }

    /// When it is over, if nothing is refused until then: an idle house writes nothing more.
    pub fn due_ms(&self) -> Option<u64> {
        self.last_ms.filter(|_| self.is_written).map(|last_ms| last_ms + QUIET_MS)
    }

    pub fn over(&mut self, now_ms: u64) -> Option<Out> {
        self.due_ms().filter(|due_ms| now_ms >= *due_ms)?;
        self.last_ms = None;
        Some(Out::Note("entries are written again".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Out, QUIET_MS, Unwritten};
    use std::io::{Error, ErrorKind};

    #[test]
    fn what_the_disk_does_not_take_is_told_once_and_accuses_nobody() {
        let mut unwritten = Unwritten::default();
        unwritten.written();
        assert!(unwritten.over(QUIET_MS).is_none());
        let full = Error::from(ErrorKind::StorageFull);
        let first = unwritten.refused(&full, 1);
        assert!(matches!(first, Some(Out::Note(text)) if text.starts_with("the disk is full: ")));
        // Small batches still find room: neither is told again.
        for at_ms in 2..1_000 {
            assert!(unwritten.refused(&full, at_ms).is_none());
            unwritten.written();
            assert!(unwritten.over(at_ms + 1).is_none());
        }
        assert_eq!(unwritten.due_ms(), Some(999 + QUIET_MS));
        assert!(matches!(unwritten.over(999 + QUIET_MS), Some(Out::Note(_))));
        assert!(unwritten.over(1_000 + QUIET_MS).is_none());
        // Nothing was written since: it is not over.
        let other = unwritten.refused(&Error::from(ErrorKind::PermissionDenied), 1);
        assert!(matches!(other, Some(Out::Alarm(_))));
        assert!(unwritten.over(1 + QUIET_MS).is_none());
    }
}
