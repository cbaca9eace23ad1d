//! What an author has said, until it is shown to stand in the log. Taken is not yet shown: a ledger
//! that is owned can say "taken" and keep nothing. So entries wait here in two parts, those that
//! were taken and those that were not, and whoever comes after such a ledger is handed both: it
//! knows those that it has, so nothing is said twice and no number is missing.

use crate::author::Author;
use crate::body::Body;
use std::collections::VecDeque;

/// Octets in one Append: several fit the ledger's round, none starves the others.
const APPEND_BYTES: usize = 256 * 1024;
/// Frames that are remembered when they were taken and no log shows them: the ledger knows as many
/// of an author again, and more.
const REMEMBERED: usize = 4_096;

/// An author and its frames, oldest first: those that were taken and are not yet shown to stand in
/// the log, then those that were not taken.
pub struct Outbox {
    author: Author,
    frames: VecDeque<Vec<u8>>,
    /// How many of them were taken, by the ledger that there is now, and by any.
    taken: usize,
    ever_taken: usize,
    /// How many may wait to be taken.
    limit: usize,
}

impl Outbox {
    /// `limit`: frames that may wait to be taken; beyond it `record` refuses, and the author acts
    /// on that.
    pub fn new(author: Author, limit: usize) -> Self {
        Self { author, frames: VecDeque::new(), taken: 0, ever_taken: 0, limit }
    }

    pub fn author(&self) -> &Author {
        &self.author
    }

    /// Signs and queues one entry. False if it is too long or too many wait.
    #[must_use]
    pub fn record(&mut self, time_ms: u64, body: Body) -> bool {
        if self.waiting() >= self.limit {
            return false;
        }
        let frame = self.author.sign(time_ms, body);
        let signed = frame.is_some();
        self.frames.extend(frame);
        signed
    }

    /// Those that were not taken.
    pub fn waiting(&self) -> usize {
        self.frames.len() - self.taken
    }

    /// Those that were taken and are not yet shown to stand in the log.
    pub fn unshown(&self) -> usize {
        self.taken
    }

    /// The oldest that were not taken, as many as one Append carries. Call [`Outbox::taken`] with
    /// their count when they are; ask again and resend after any other answer or none.
    pub fn frames(&self) -> Vec<Vec<u8>> {
        let mut room = APPEND_BYTES;
        let fits = |frame: &&Vec<u8>| {
            let fits = frame.len() <= room;
            room = room.saturating_sub(frame.len());
            fits
        };
        self.frames.range(self.taken..).take_while(fits).cloned().collect()
    }

    /// The oldest that were taken, `most` at most. Call [`Outbox::shown`] with their count when the
    /// log shows them.
    pub fn unshown_frames(&self, most: usize) -> Vec<Vec<u8>> {
        self.frames.range(..most.min(self.taken)).cloned().collect()
    }

    /// The number of the oldest frame here in its author's series.
    pub fn first_number(&self) -> u64 {
        self.author.next_seq() - self.frames.len() as u64
    }

    /// So many of those that waited were taken. The oldest are forgotten when more were taken than
    /// are remembered. Returns how many were taken for the first time.
    pub fn taken(&mut self, count: usize) -> usize {
        self.taken = self.frames.len().min(self.taken + count);
        let fresh = self.taken.saturating_sub(self.ever_taken);
        self.ever_taken += fresh;
        self.shown(self.taken.saturating_sub(REMEMBERED));
        fresh
    }

    /// So many of the oldest stand in the log, and are forgotten.
    pub fn shown(&mut self, count: usize) {
        let count = count.min(self.taken);
        self.frames.drain(..count);
        self.taken -= count;
        self.ever_taken -= count;
    }

    /// Another ledger: what no log has shown is handed in again.
    pub fn begin_again(&mut self) {
        self.taken = 0;
    }
}
