//! An author's pen: signs entries, hands them to the ledger, and forgets none on the way.
//!
//! Entries of one start are numbered without a gap. One that the ledger has not taken yet (it was
//! away, or died before it answered) is kept and handed in again first; the ledger knows an entry
//! that it already has by its number.
//!
//! [`Journal`] waits for each answer; [`Carrier`] is for those who wait for many things at once,
//! [`Rounds`] for those of them whose entries are told from a store of their own.

mod carrier;
#[cfg(test)]
mod carrier_tests;
mod noted;
mod past;
mod rounds;
#[cfg(test)]
mod rounds_tests;
mod runs;

pub use carrier::{Carrier, Heard};
pub use noted::{Age, Behind, Doubt, Noted, Notes, ahead, intruded};
pub use past::Found;
pub use rounds::{Deed, Rounds, Stored};
pub use runs::{Lacks, Runs};

use compartment::{now_ms, random};
use evidence::{Author, Body};
use std::collections::VecDeque;
use std::time::Duration;
use terms::{InstanceId, Kind};
use wire::Channel;
use wire::ledger::{FromLedger, LostAt, Proof, ToLedger};

/// A group commit takes milliseconds; longer means that the ledger is away.
const PATIENCE: Duration = Duration::from_secs(4);
/// Entries kept while the ledger is away. What must be recorded first is refused beyond that.
const PENDING: usize = 4_096;
/// Entries remembered that a ledger took: whoever comes after it is handed them again, in case it
/// kept nothing.
const TAKEN: usize = 4_096;

/// Why something was not recorded. The deed must not happen then.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the ledger is away")]
    Away,
    #[error("the ledger refused an entry: {0}")]
    Refused(String),
    #[error("the entry is too long for the ledger")]
    TooLong,
    #[error("the tables could not note that it is about to be recorded")]
    Unnoted,
}

/// The pen of one start.
pub struct Journal {
    author: Author,
    ledger: Option<Channel>,
    pending: Vec<Vec<u8>>,
    taken: VecDeque<Vec<u8>>,
    /// There is another ledger than the one that took them.
    is_anew: bool,
    /// Where deeds that change tables are noted before they are signed.
    memory: Option<noted::Memory>,
    /// There will be one, and nothing of that sort is signed before.
    awaits_notes: bool,
    doubt: noted::Doubt,
}

impl Journal {
    pub fn new(kind: Kind, instance: InstanceId) -> Self {
        let author = Author::new(kind, instance, &random());
        let (pending, taken) = Default::default();
        let (ledger, memory, doubt) = (None, None, noted::Doubt::default());
        let (is_anew, awaits_notes) = (false, false);
        Self { author, ledger, pending, taken, is_anew, memory, awaits_notes, doubt }
    }

    /// For `Report::Ready`: what the ledger will believe.
    pub fn public(&self) -> [u8; 32] {
        self.author.public_key().0
    }

    /// A (new) channel to the ledger. What the one before it took is handed in again, with the
    /// next entry.
    pub fn join(&mut self, ledger: Channel) {
        self.ledger = Some(ledger);
        self.is_anew = true;
    }

    /// Records one deed and waits until it is durable in the ledger.
    pub fn record(&mut self, body: Body) -> Result<(), Fault> {
        self.note(body)?;
        self.flush()
    }

    /// Records one deed under a checkpoint that the mirror has cosigned, and gives the entry, its
    /// place and that checkpoint, for whoever wants to see it proven.
    pub fn prove(&mut self, body: Body) -> Result<(Vec<u8>, Proof, Vec<u8>), Fault> {
        self.note(body)?;
        let entry = self.pending.last().cloned().unwrap_or_default();
        match self.hand_in(true)? {
            FromLedger::Proved { mut proofs, checkpoint } => {
                let proof = proofs.pop().ok_or(Fault::Away)?;
                Ok((entry, proof, checkpoint))
            }
            _ => Err(Fault::Away),
        }
    }

    /// Takes a deed down without waiting; [`Journal::flush`] hands it in.
    pub fn note(&mut self, body: Body) -> Result<(), Fault> {
        if self.pending.len() >= PENDING {
            return Err(Fault::Away);
        }
        if body.changes_tables() {
            let (start, seq) = (self.author.start(), self.author.next_seq());
            let noted = self.memory.as_mut().map(|memory| memory.before(start, seq));
            if !noted.unwrap_or(!self.awaits_notes) {
                return Err(Fault::Unnoted);
            }
        }
        let frame = self.author.sign(now_ms(), body).ok_or(Fault::TooLong)?;
        self.pending.push(frame);
        Ok(())
    }

    /// Hands in everything that is pending.
    pub fn flush(&mut self) -> Result<(), Fault> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.hand_in(false).map(|_| ())
    }

    /// What the ledger and its mirror, in this order, know to be lost.
    pub fn lost(&mut self) -> Result<(Vec<LostAt>, Vec<LostAt>), Fault> {
        let channel = self.ledger.as_mut().ok_or(Fault::Away)?;
        match channel.ask::<_, FromLedger>(&ToLedger::Lost, &[], PATIENCE) {
            Ok((FromLedger::Lost { ledger, mirror }, _)) => Ok((ledger, mirror)),
            Ok((FromLedger::Refused { why }, _)) => Err(Fault::Refused(why)),
            Ok(_) | Err(_) => Err(Fault::Away),
        }
    }

    fn hand_in(&mut self, prove: bool) -> Result<FromLedger, Fault> {
        if self.is_anew && !self.taken.is_empty() {
            self.append(self.taken.iter().cloned().collect(), false)?;
        }
        self.is_anew = false;
        let answer = self.append(self.pending.clone(), prove)?;
        self.taken.extend(self.pending.drain(..));
        self.taken.drain(..self.taken.len().saturating_sub(TAKEN));
        Ok(answer)
    }

    fn append(&mut self, entries: Vec<Vec<u8>>, prove: bool) -> Result<FromLedger, Fault> {
        let ledger = self.ledger.as_mut().ok_or(Fault::Away)?;
        let question = ToLedger::Append { entries, prove };
        match ledger.ask::<_, FromLedger>(&question, &[], PATIENCE) {
            Ok((answer @ (FromLedger::Taken { .. } | FromLedger::Proved { .. }), _)) => Ok(answer),
            Ok((FromLedger::Refused { why }, _)) => Err(Fault::Refused(why)),
            Ok(_) | Err(wire::Fault::Silent) => Err(Fault::Away),
            Err(_) => {
                self.ledger = None;
                Err(Fault::Away)
            }
        }
    }
}
