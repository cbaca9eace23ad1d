//! Distinct messages, by contract and in all, in bounded memory: they fall into drawers, and when
//! there are too many to hold, the drawers are emptied onto a disk, or, where there is none, one
//! part after the other is counted.

use terms::MessageId;

/// Pairs held at once: 24 octets each.
const PAIRS: usize = 32_000_000;
/// A drawer is put in order when it has grown fourfold, and not before it has so many.
const UNSORTED: usize = 4_096;
const DRAWERS: usize = 256;
/// A pair on a disk.
const PAIR_BYTES: usize = 20;

/// A message, and the number of a contract with, in its lowest bit, whether its key was certainly
/// handed out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pair(u64, u64, u32);

impl Pair {
    fn new(message: MessageId, contract: u32, is_certain: bool) -> Self {
        let id = u128::from_be_bytes(message.0);
        Self((id >> 64) as u64, id as u64, contract << 1 | u32::from(is_certain))
    }

    fn contract(self) -> u32 {
        self.2 >> 1
    }

    fn is_certain(self) -> bool {
        self.2 & 1 == 1
    }

    fn message(self) -> MessageId {
        MessageId((u128::from(self.0) << 64 | u128::from(self.1)).to_be_bytes())
    }

    fn write(self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.message().0);
        to.extend_from_slice(&self.2.to_be_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (message, contract) = bytes.split_first_chunk::<16>()?;
        let contract = contract.first_chunk::<4>()?;
        let pair = Self::new(MessageId(*message), 0, false);
        Some(Self(pair.0, pair.1, u32::from_be_bytes(*contract)))
    }
}

/// Which part of all messages is counted: those whose hash falls on `part` of `parts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub part: u8,
    pub parts: u8,
}

impl Part {
    pub const WHOLE: Self = Self { part: 0, parts: 1 };

    fn has(self, message: &MessageId) -> bool {
        // Ids are random; the octets are folded in case they are not.
        self.parts <= 1 || folded(message) % self.parts == self.part
    }
}

fn folded(message: &MessageId) -> u8 {
    message.0.iter().fold(0u8, |sum, byte| sum.rotate_left(3) ^ byte)
}

/// Where drawers are emptied to: octets by drawer, read back whole, once.
pub trait Spill {
    /// `false`: it has no room.
    fn put(&mut self, drawer: u8, bytes: &[u8]) -> bool;
    /// All that was put there; `None`: it cannot be read.
    fn take(&mut self, drawer: u8) -> Option<Vec<u8>>;
}

#[derive(Default)]
struct Drawer {
    pairs: Vec<Pair>,
    sorted: usize,
}

impl Drawer {
    fn settle(&mut self) {
        self.pairs.sort_unstable();
        self.pairs.dedup();
        self.sorted = self.pairs.len();
    }
}

/// A set that sorts itself now and then.
pub(crate) struct Counted {
    part: Part,
    drawers: Vec<Drawer>,
    held: usize,
    limit: usize,
    spill: Option<Box<dyn Spill + Send>>,
    has_spilled: bool,
    /// More than is held at once: the count is of no use, parts must be made smaller.
    pub overflowed: bool,
}

impl Counted {
    pub fn new(part: Part) -> Self {
        let drawers = (0..DRAWERS).map(|_| Drawer::default()).collect();
        let (held, limit, spill) = (0, PAIRS, None);
        Self { part, drawers, held, limit, spill, has_spilled: false, overflowed: false }
    }

    /// Beyond what is held, it goes there.
    pub fn spill_to(&mut self, spill: Box<dyn Spill + Send>, limit: Option<usize>) {
        self.spill = Some(spill);
        self.limit = limit.unwrap_or(PAIRS);
    }

    /// `is_certain`: its key was handed out; else it only passed, or could have been read.
    pub fn add(&mut self, contract: u32, message: MessageId, is_certain: bool) {
        if self.overflowed || !self.part.has(&message) {
            return;
        }
        let place = usize::from(message.0[15] ^ message.0[7].rotate_left(4));
        let Some(drawer) = self.drawers.get_mut(place) else { return };
        drawer.pairs.push(Pair::new(message, contract, is_certain));
        self.held += 1;
        if drawer.pairs.len() >= (drawer.sorted * 4).max(UNSORTED) {
            let before = drawer.pairs.len();
            drawer.settle();
            self.held -= before - drawer.sorted;
        }
        if self.held >= self.limit {
            self.drawers.iter_mut().for_each(Drawer::settle);
            self.held = self.drawers.iter().map(|drawer| drawer.sorted).sum();
            // Half of it again would be too soon to look again.
            if self.held >= self.limit / 2 {
                self.empty();
            }
        }
    }

    /// Onto the disk, or nowhere.
    fn empty(&mut self) {
        let Some(spill) = &mut self.spill else { return self.overflow() };
        let mut bytes = Vec::new();
        for (drawer, place) in self.drawers.iter_mut().zip(0..=u8::MAX) {
            drawer.settle();
            bytes.clear();
            drawer.pairs.iter().for_each(|pair| pair.write(&mut bytes));
            *drawer = Drawer::default();
            if !bytes.is_empty() && !spill.put(place, &bytes) {
                return self.overflow();
            }
        }
        (self.held, self.has_spilled) = (0, true);
    }

    fn overflow(&mut self) {
        self.overflowed = true;
        self.drawers.iter_mut().for_each(|drawer| *drawer = Drawer::default());
        self.held = 0;
    }

    /// Distinct messages in all, those of them that are certain, and those of each contract.
    pub fn count(&mut self, contracts: usize) -> (u64, u64, Vec<u64>) {
        let (mut all, mut certain) = (0, 0);
        let mut each = vec![0; contracts];
        for (drawer, place) in self.drawers.iter_mut().zip(0..=u8::MAX) {
            if self.has_spilled
                && let Some(spill) = &mut self.spill
            {
                let Some(bytes) = spill.take(place) else {
                    self.overflowed = true;
                    return (0, 0, each);
                };
                drawer.pairs.extend(bytes.chunks_exact(PAIR_BYTES).filter_map(Pair::read));
            }
            drawer.settle();
            let mut last: Option<Pair> = None;
            let mut was_certain = false;
            for pair in &drawer.pairs {
                let is_new = last.is_none_or(|last| (last.0, last.1) != (pair.0, pair.1));
                all += u64::from(is_new);
                was_certain &= !is_new;
                certain += u64::from(pair.is_certain() && !was_certain);
                was_certain |= pair.is_certain();
                let is_next = is_new || last.is_some_and(|last| last.contract() != pair.contract());
                if let Some(count) = each.get_mut(pair.contract() as usize).filter(|_| is_next) {
                    *count += 1;
                }
                last = Some(*pair);
            }
            if self.has_spilled {
                // Too many to be named one by one, and too many to be held at once.
                *drawer = Drawer::default();
            }
        }
        (all, certain, each)
    }

    /// Those that are held.
    pub fn messages(&self) -> impl Iterator<Item = MessageId> {
        self.drawers.iter().flat_map(|drawer| drawer.pairs.iter().map(|pair| pair.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, Part, Spill};
    use std::collections::{BTreeSet, HashMap};
    use terms::MessageId;

    #[derive(Default)]
    struct Shelf(HashMap<u8, Vec<u8>>, usize);

    impl Spill for Shelf {
        fn put(&mut self, drawer: u8, bytes: &[u8]) -> bool {
            self.0.entry(drawer).or_default().extend_from_slice(bytes);
            self.1 = self.1.saturating_sub(1);
            self.1 > 0
        }

        fn take(&mut self, drawer: u8) -> Option<Vec<u8>> {
            Some(self.0.remove(&drawer).unwrap_or_default())
        }
    }

    fn message(number: u64) -> MessageId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        id[8..].copy_from_slice(&number.to_be_bytes());
        MessageId(id)
    }

    /// Held, spilled, or in parts: the same numbers.
    #[test]
    fn what_is_counted_is_the_same_wherever_it_lies() {
        let pairs: Vec<(u32, MessageId, bool)> = (0..60_000u64)
            .map(|n| ((n % 3) as u32, message(n * 7 % 20_000), n % 11 == 0))
            .collect();
        let all: BTreeSet<MessageId> = pairs.iter().map(|pair| pair.1).collect();
        let sure: BTreeSet<MessageId> =
            pairs.iter().filter(|pair| pair.2).map(|pair| pair.1).collect();
        let by: BTreeSet<(u32, MessageId)> = pairs.iter().map(|pair| (pair.0, pair.1)).collect();
        let each = (0..3).map(|one| by.iter().filter(|pair| pair.0 == one).count() as u64);
        let expected = (all.len() as u64, sure.len() as u64, each.collect::<Vec<u64>>());
        let mut held = Counted::new(Part::WHOLE);
        let mut spilled = Counted::new(Part::WHOLE);
        spilled.spill_to(Box::new(Shelf(HashMap::new(), usize::MAX)), Some(1_000));
        let mut full = Counted::new(Part::WHOLE);
        full.spill_to(Box::new(Shelf(HashMap::new(), 3)), Some(1_000));
        for (contract, message, sure) in &pairs {
            for one in [&mut held, &mut spilled, &mut full] {
                one.add(*contract, *message, *sure);
            }
        }
        spilled.empty();
        pairs.iter().take(500).for_each(|one| spilled.add(one.0, one.1, one.2));
        spilled.empty();
        assert_eq!(held.count(3), expected);
        assert_eq!(spilled.count(3), expected);
        assert!(spilled.has_spilled && !spilled.overflowed);
        full.empty();
        assert!(full.overflowed, "no room: it says so");
        let mut sum = (0, 0, vec![0; 3]);
        for part in 0..4 {
            let mut counted = Counted::new(Part { part, parts: 4 });
            pairs.iter().for_each(|one| counted.add(one.0, one.1, one.2));
            let (all, certain, each) = counted.count(3);
            sum.0 += all;
            sum.1 += certain;
            sum.2.iter_mut().zip(each).for_each(|(sum, more)| *sum += more);
        }
        assert_eq!(sum, expected);
    }
}
