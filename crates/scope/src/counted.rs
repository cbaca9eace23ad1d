//! Distinct messages, by contract and in all, in bounded memory: of too many, one part after the
//! other is counted.

use terms::MessageId;

/// Pairs held at once: 20 octets each.
const PAIRS: usize = 48_000_000;

/// A message and the number of a contract.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pair([u8; 16], u32);

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
        let folded = message.0.iter().fold(0u8, |sum, byte| sum.rotate_left(3) ^ byte);
        folded % self.parts.max(1) == self.part
    }
}

/// A set that sorts itself now and then.
pub(crate) struct Counted {
    part: Part,
    pairs: Vec<Pair>,
    sorted: usize,
    /// More than is held at once: the count is of no use, parts must be made smaller.
    pub overflowed: bool,
}

impl Counted {
    pub fn new(part: Part) -> Self {
        Self { part, pairs: Vec::new(), sorted: 0, overflowed: false }
    }

    pub fn add(&mut self, contract: u32, message: MessageId) {
        if self.overflowed || !self.part.has(&message) {
            return;
        }
        self.pairs.push(Pair(message.0, contract));
        if self.pairs.len() >= (self.sorted * 2).max(1 << 20) {
            self.settle();
            if self.pairs.len() >= PAIRS {
                self.overflowed = true;
                self.pairs = Vec::new();
                self.sorted = 0;
            }
        }
    }

    fn settle(&mut self) {
        self.pairs.sort_unstable();
        self.pairs.dedup();
        self.sorted = self.pairs.len();
    }

    /// Distinct messages in all, and of each contract.
    pub fn count(&mut self, contracts: usize) -> (u64, Vec<u64>) {
        self.settle();
        let (mut all, mut last) = (0, None);
        let mut each = vec![0; contracts];
        for Pair(message, contract) in &self.pairs {
            if last != Some(message) {
                all += 1;
                last = Some(message);
            }
            if let Some(count) = each.get_mut(*contract as usize) {
                *count += 1;
            }
        }
        (all, each)
    }

    pub fn messages(&self) -> impl Iterator<Item = MessageId> {
        self.pairs.iter().map(|pair| MessageId(pair.0))
    }
}
