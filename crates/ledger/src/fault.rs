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

/// Batches that the disk did not take: the authors ask again at once, so it is told once, and once
/// when it is over. Told each time it would read as the babble of a ledger that was taken over.
#[derive(Default)]
pub struct Unwritten {
    is_told: bool,
}

impl Unwritten {
    /// A disk without room is nobody's deed: it is no alarm.
    pub fn refused(&mut self, fault: &io::Error) -> Option<Out> {
        if std::mem::replace(&mut self.is_told, true) {
            return None;
        }
        Some(match compartment::is_full_by_kernel(fault) {
            true => Out::Note("the disk is full: entries wait, and nobody can read".to_owned()),
            false => Out::Alarm(format!("a batch could not be written: {fault}")),
        })
    }

    pub fn over(&mut self) -> Option<Out> {
        let was_told = std::mem::take(&mut self.is_told);
        was_told.then(|| Out::Note("entries are written again".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Out, Unwritten};
    use std::io::{Error, ErrorKind};

    #[test]
    fn what_the_disk_does_not_take_is_told_once_and_accuses_nobody() {
        let mut unwritten = Unwritten::default();
        assert!(unwritten.over().is_none());
        let full = Error::from(ErrorKind::StorageFull);
        let first = unwritten.refused(&full);
        assert!(matches!(first, Some(Out::Note(text)) if text.starts_with("the disk is full: ")));
        assert!((0..1_000).all(|_| unwritten.refused(&full).is_none()));
        assert!(matches!(unwritten.over(), Some(Out::Note(_))) && unwritten.over().is_none());
        let other = unwritten.refused(&Error::from(ErrorKind::PermissionDenied));
        assert!(matches!(other, Some(Out::Alarm(_))));
    }
}
