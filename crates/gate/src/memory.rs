//! Mail in flight: who holds how much of the memory that all share.

use std::collections::HashMap;
use terms::{IN_FLIGHT_BYTES, MESSAGE_BYTES};
use wire::Peer;

/// One instance serves one connection and so holds one message, and a step more.
const INSTANCE_BYTES: u64 = MESSAGE_BYTES as u64 + 8 * 1024 * 1024;

#[derive(Default)]
pub struct Memory {
    held: HashMap<Peer, u64>,
    total: u64,
}

impl Memory {
    /// Whether `peer` may hold `bytes` more; if so, it does.
    pub fn allow(&mut self, peer: Peer, bytes: u64) -> bool {
        let held = self.held.entry(peer).or_default();
        let fits = held.saturating_add(bytes) <= INSTANCE_BYTES
            && self.total.saturating_add(bytes) <= IN_FLIGHT_BYTES as u64;
        if fits {
            *held += bytes;
            self.total += bytes;
        }
        fits
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn release(&mut self, peer: Peer, bytes: u64) {
        if let Some(held) = self.held.get_mut(&peer) {
            let bytes = bytes.min(*held);
            *held -= bytes;
            self.total -= bytes;
        }
    }

    /// An instance is gone, and with it what it held.
    pub fn gone(&mut self, peer: Peer) {
        self.total -= self.held.remove(&peer).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::{INSTANCE_BYTES, Memory};
    use terms::IN_FLIGHT_BYTES;

    #[test]
    fn what_is_given_comes_back() {
        let mut memory = Memory::default();
        assert!(memory.allow(1, INSTANCE_BYTES));
        assert!(!memory.allow(1, 1));
        assert!(!memory.allow(2, u64::MAX));
        let others = IN_FLIGHT_BYTES as u64 / INSTANCE_BYTES;
        for peer in 2..=others {
            assert!(memory.allow(peer, INSTANCE_BYTES));
        }
        assert!(!memory.allow(99, INSTANCE_BYTES));
        memory.release(1, u64::MAX);
        assert!(memory.allow(99, INSTANCE_BYTES));
        memory.gone(99);
        memory.gone(99);
        memory.release(99, 5);
        assert!(memory.allow(1, INSTANCE_BYTES));
    }
}
