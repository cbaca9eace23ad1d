//! The stream for `sentinel`: who waits is told what stands after an index as soon as it is
//! durable. One question, one answer; who wants more asks again.

use crate::book::{Book, Out};
use terms::Kind;
use tlog::Volume;
use wire::Peer;
use wire::ledger::FromLedger;

/// Entries in one answer, and their octets: well within one frame.
const ENTRIES: usize = 512;
const BYTES: usize = 512 * 1024;
/// Peers that wait at once: there is one sentinel, and perhaps the one before it.
const WAITING: usize = 4;

struct Follower {
    peer: Peer,
    call: u32,
    from_index: u64,
}

#[derive(Default)]
pub(crate) struct Followers(Vec<Follower>);

impl Followers {
    /// Nobody else has a use for everybody's entries.
    pub fn wait(&mut self, peer: Peer, call: u32, kind: Kind, from_index: u64) {
        if kind == Kind::Sentinel {
            self.gone(peer);
            if self.0.len() < WAITING {
                self.0.push(Follower { peer, call, from_index });
            }
        }
    }

    pub fn gone(&mut self, peer: Peer) {
        self.0.retain(|follower| follower.peer != peer);
    }

    /// Answers for all who have something to be told.
    pub fn tell<V: Volume>(&mut self, book: &Book<V>) -> Vec<Out> {
        let size = book.store.size();
        let due = self.0.extract_if(.., |follower| follower.from_index != size);
        due.map(|Follower { peer, call, from_index }| {
            let first_index = from_index.min(size);
            let found = match first_index < size {
                true => book.store.entries(first_index, ENTRIES, BYTES),
                false => Ok(Vec::new()),
            };
            let answer = match found {
                Ok(entries) => FromLedger::Followed { first_index, entries },
                Err(_) => FromLedger::Away,
            };
            Out::Answer(peer, call, answer)
        })
        .collect()
    }
}
