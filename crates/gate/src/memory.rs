//! Mail in flight: who holds how much of the memory that all share.

use crate::clients::client;
use std::collections::HashMap;
use std::net::IpAddr;
use terms::{IN_FLIGHT_BYTES, MESSAGE_BYTES};
use wire::Peer;

/// One instance serves one connection and so holds one message, and a step more.
const INSTANCE_BYTES: u64 = MESSAGE_BYTES as u64 + 8 * 1024 * 1024;
/// What one client's connections hold together: two of the largest messages, or a hundred
/// connections with small ones. Whoever would shut the door for all needs many addresses.
const CLIENT_BYTES: u64 = IN_FLIGHT_BYTES as u64 / 4;
/// Kept back from strangers' mail for people who hand in their own.
const RESERVE_BYTES: u64 = IN_FLIGHT_BYTES as u64 / 8;

/// Who wants memory.
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    pub peer: Peer,
    pub client: IpAddr,
    /// Anybody's mail, on port 25.
    pub is_stranger: bool,
}

pub struct Memory {
    held: HashMap<Peer, (IpAddr, u64)>,
    clients: HashMap<IpAddr, u64>,
    total: u64,
    /// In the demo, loopback has no share of its own.
    spares_loopback: bool,
}

impl Memory {
    pub fn new(spares_loopback: bool) -> Self {
        Self { held: HashMap::new(), clients: HashMap::new(), total: 0, spares_loopback }
    }

    /// Whether they may hold `bytes` more; if so, they do.
    pub fn allow(&mut self, holder: Holder, bytes: u64) -> bool {
        let Holder { peer, client: ip, is_stranger } = holder;
        let ip = client(ip);
        let (_, held) = *self.held.get(&peer).unwrap_or(&(ip, 0));
        let of_client = self.clients.get(&ip).copied().unwrap_or(0);
        let reserve = if is_stranger { RESERVE_BYTES } else { 0 };
        let is_spared = self.spares_loopback && ip.is_loopback();
        let fits = held.saturating_add(bytes) <= INSTANCE_BYTES
            && (is_spared || of_client.saturating_add(bytes) <= CLIENT_BYTES)
            && self.total.saturating_add(bytes).saturating_add(reserve) <= IN_FLIGHT_BYTES as u64;
        if fits {
            self.held.insert(peer, (ip, held + bytes));
            self.clients.insert(ip, of_client + bytes);
            self.total += bytes;
        }
        fits
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn release(&mut self, peer: Peer, bytes: u64) {
        let Some((ip, held)) = self.held.get_mut(&peer) else { return };
        let bytes = bytes.min(*held);
        *held -= bytes;
        let ip = *ip;
        self.take_back(ip, bytes);
    }

    /// An instance is gone, or its connection, and with it what it held.
    pub fn gone(&mut self, peer: Peer) {
        if let Some((ip, bytes)) = self.held.remove(&peer) {
            self.take_back(ip, bytes);
        }
    }

    fn take_back(&mut self, ip: IpAddr, bytes: u64) {
        self.total -= bytes;
        if let Some(of_client) = self.clients.get_mut(&ip) {
            *of_client -= bytes;
            if *of_client == 0 {
                self.clients.remove(&ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: u64 = IN_FLIGHT_BYTES as u64;
    const SHARE: u64 = 32 * 1024 * 1024;

    fn stranger(peer: Peer, client: u8) -> Holder {
        Holder { peer, client: [192, 0, 2, client].into(), is_stranger: true }
    }

    #[test]
    fn what_is_given_comes_back() {
        let mut memory = Memory::new(false);
        assert!(memory.allow(stranger(1, 1), INSTANCE_BYTES));
        assert!(!memory.allow(stranger(1, 1), 1));
        assert!(!memory.allow(stranger(2, 1), u64::MAX));
        memory.release(1, 10);
        assert_eq!(memory.total(), INSTANCE_BYTES - 10);
        memory.release(1, u64::MAX);
        assert!(memory.allow(stranger(1, 1), INSTANCE_BYTES));
        memory.gone(1);
        memory.gone(1);
        memory.release(1, 5);
        assert_eq!((memory.total(), memory.clients.len(), memory.held.len()), (0, 0, 0));
    }

    #[test]
    fn one_client_has_a_share() {
        let mut memory = Memory::new(true);
        let mut next = 100;
        let mut many = |client: IpAddr, memory: &mut Memory| {
            let mut count = 0;
            loop {
                next += 1;
                let holder = Holder { peer: next, client, is_stranger: true };
                if !memory.allow(holder, SHARE) {
                    return count;
                }
                count += 1;
            }
        };
        assert_eq!(many("192.0.2.1".parse().unwrap(), &mut memory), CLIENT_BYTES / SHARE);
        assert!(memory.allow(stranger(1, 2), SHARE));
        // One customer's network is one client.
        let mut memory = Memory::new(true);
        assert_eq!(many("2001:db8::1".parse().unwrap(), &mut memory), CLIENT_BYTES / SHARE);
        assert_eq!(many("2001:db8::2".parse().unwrap(), &mut memory), 0);
        let spared = (ALL - RESERVE_BYTES - CLIENT_BYTES) / SHARE;
        assert_eq!(many("127.0.0.1".parse().unwrap(), &mut memory), spared);
    }

    #[test]
    fn people_hand_in_when_strangers_have_all_they_may() {
        let mut memory = Memory::new(false);
        let mut peer = 0;
        while memory.allow(stranger(peer, u8::try_from(peer / 4).unwrap()), SHARE) {
            peer += 1;
        }
        assert_eq!(memory.total(), ALL - RESERVE_BYTES);
        let person = Holder { is_stranger: false, ..stranger(peer, 200) };
        assert!(memory.allow(person, SHARE));
        memory.gone(peer);
        memory.gone(0);
        assert!(memory.allow(stranger(0, 200), SHARE));
    }
}
