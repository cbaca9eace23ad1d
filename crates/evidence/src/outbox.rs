//! What an author has said and the ledger has not yet acknowledged. After a restart of the
//! ledger, or an answer that never came, the same frames are sent again: the ledger knows those
//! that it has, so nothing is said twice and no number is missing.

use crate::author::Author;
use crate::body::Body;
use std::collections::VecDeque;

/// Octets in one Append: several fit the ledger's round, none starves the others.
const APPEND_BYTES: usize = 256 * 1024;

/// An author and its frames that wait for an answer, oldest first.
pub struct Outbox {
    author: Author,
    waiting: VecDeque<Vec<u8>>,
    /// How many may wait.
    limit: usize,
}

impl Outbox {
    /// `limit`: frames that may wait; beyond it `record` refuses, and the author acts on that.
    pub fn new(author: Author, limit: usize) -> Self {
        Self { author, waiting: VecDeque::new(), limit }
    }

    pub fn author(&self) -> &Author {
        &self.author
    }

    /// Signs and queues one entry. False if it is too long or too many wait.
    #[must_use]
    pub fn record(&mut self, time_ms: u64, body: Body) -> bool {
        if self.waiting.len() >= self.limit {
            return false;
        }
        let frame = self.author.sign(time_ms, body);
        let signed = frame.is_some();
        self.waiting.extend(frame);
        signed
    }

    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The oldest waiting frames, as many as one Append carries. Call `acknowledged` with their
    /// count when `Taken` or `Proved` comes; ask again and resend after any other answer or none.
    pub fn frames(&self) -> Vec<Vec<u8>> {
        let mut room = APPEND_BYTES;
        let fits = |frame: &&Vec<u8>| {
            let fits = frame.len() <= room;
            room = room.saturating_sub(frame.len());
            fits
        };
        self.waiting.iter().take_while(fits).cloned().collect()
    }

    pub fn acknowledged(&mut self, count: usize) {
        self.waiting.drain(..count.min(self.waiting.len()));
    }
}
