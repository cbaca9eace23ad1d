//! Addresses that an edge asked for and nobody has: a few are a sender's mistakes, many are a list
//! being guessed by whoever owns that edge.

use std::collections::HashMap;
use wire::Peer;

/// Misses of one edge in its life. An honest one closes a connection at its eleventh and serves
/// sixty-four of them; loopback in a demo is spared that, so that there is room above.
const MISSES: u32 = 4_096;

#[derive(Default)]
pub struct Guesses {
    misses: HashMap<Peer, u32>,
}

impl Guesses {
    /// Counts one more miss; whether it is one too many.
    pub fn is_too_many(&mut self, peer: Peer) -> bool {
        let misses = self.misses.entry(peer).or_default();
        *misses = misses.saturating_add(1);
        *misses > MISSES
    }

    pub fn forget(&mut self, peer: Peer) {
        self.misses.remove(&peer);
    }
}

#[cfg(test)]
mod tests {
    use super::{Guesses, MISSES};

    #[test]
    fn an_edge_guesses_so_often_and_no_more() {
        let mut guesses = Guesses::default();
        assert!((0..MISSES).all(|_| !guesses.is_too_many(1)));
        assert!(guesses.is_too_many(1));
        assert!(!guesses.is_too_many(2), "each edge for itself");
        guesses.forget(1);
        assert!(!guesses.is_too_many(1));
    }
}
