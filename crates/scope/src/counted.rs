//! Distinct messages, by contract and in all, in bounded memory. Those that are handed in one by
//! one fall into drawers, and when there are too many to hold, the drawers are emptied onto a
//! disk, or, where there is none, one part after the other is counted. Those that stand in columns
//! already in order are read slice by slice, each no more than is held, by two processors.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use terms::MessageId;

/// Pairs held at once: 24 octets each.
const PAIRS: usize = 32_000_000;
/// A drawer is put in order when it has grown fourfold, and not before it has so many.
const UNSORTED: usize = 4_096;
const DRAWERS: usize = 256;
/// A pair on a disk.
const PAIR_BYTES: usize = 20;
/// Pairs of one slice, of which each of two processors holds one.
const SLICE_PAIRS: u64 = 12_000_000;
/// A slice that holds more than was thought is divided, but no further than this.
const DIVISIONS: u32 = 40;
/// Marks of a pair, and of its message.
const PLACE_BITS: u32 = Mark::BITS * 2;
/// More message ids are not handed out one by one.
pub(crate) const NAMED_MESSAGES: usize = 2_000_000;
/// An odd number without a pattern: the golden ratio's.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Where an id falls among all of them: evenly, also where ids are counted up. Columns of an index
/// stand in this order, so it never changes without the index's version.
pub fn order(message: MessageId) -> u64 {
    let id = u128::from_be_bytes(message.0);
    let sum = ((id >> 64) as u64) ^ (id as u64).wrapping_mul(MIX);
    (sum ^ (sum >> 32)).wrapping_mul(MIX)
}

/// The ids whose order begins with these bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    prefix: u64,
    bits: u32,
}

impl Slice {
    pub const ALL: Self = Self { prefix: 0, bits: 0 };

    pub fn has(self, order: u64) -> bool {
        order.checked_shr(64 - self.bits).unwrap_or(0) == self.prefix
    }

    /// The first octets of orders in it: from, and up to and with.
    pub fn octets(self) -> (u8, u8) {
        let first = self.prefix.checked_shl(64 - self.bits).unwrap_or(0);
        let last = first | u64::MAX.checked_shr(self.bits).unwrap_or(0);
        ((first >> 56) as u8, (last >> 56) as u8)
    }

    fn halves(self) -> [Self; 2] {
        [0, 1].map(|more| Self { prefix: self.prefix << 1 | more, bits: self.bits + 1 })
    }

    /// Into which of as many buckets as there are drawers an order of it falls.
    fn bucket(self, order: u64) -> usize {
        usize::from((order.checked_shl(self.bits).unwrap_or(0) >> 56) as u8)
    }
}

/// Messages that stand in order somewhere, and are read where they are.
pub trait Columns: Sync {
    /// At most how many pairs they are.
    fn pairs(&self) -> u64;
    /// Hands on those of a slice, and perhaps others. `false`: they cannot be read.
    fn each(&self, of: Slice, pair: &mut dyn FnMut(Pair)) -> bool;
}

/// Why a message counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u8);

impl Mark {
    /// It passed.
    pub const PASSED: Self = Self(1);
    /// Its key was certainly handed out.
    pub const OPENED: Self = Self(1 | Self::CERTAIN);
    /// Keys that are held could open it.
    pub const COULD: Self = Self(4);
    const COUNTED: u8 = 1;
    const CERTAIN: u8 = 2;
    const BITS: u32 = 3;
    const ALL: u8 = 7;

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn is_certain(self) -> bool {
        self.0 & Self::CERTAIN != 0
    }

    pub(crate) fn has_counted(self) -> bool {
        self.0 & Self::COUNTED != 0
    }

    /// As an octet, for whoever keeps it elsewhere.
    pub fn bits(self) -> u8 {
        self.0
    }

    pub fn of_bits(bits: u8) -> Self {
        Self(bits & Self::ALL)
    }
}

/// A message, and the number of a contract with, in its lowest bits, why it counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair(u64, u64, u32);

impl Pair {
    pub fn new(message: MessageId, contract: u32, Mark(mark): Mark) -> Self {
        let id = u128::from_be_bytes(message.0);
        Self((id >> 64) as u64, id as u64, contract << Mark::BITS | u32::from(mark))
    }

    fn contract(self) -> u32 {
        self.2 >> Mark::BITS
    }

    fn mark(self) -> u8 {
        self.2 as u8 & Mark::ALL
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
        let pair = Self::new(MessageId(*message), 0, Mark(0));
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
    spill: Mutex<Option<Box<dyn Spill + Send>>>,
    has_spilled: bool,
    /// The messages themselves, unless they are too many.
    names: BTreeSet<MessageId>,
    /// The same of those that could be opened.
    could: BTreeSet<MessageId>,
    /// More than is held at once: the count is of no use, parts must be made smaller.
    pub overflowed: bool,
}

impl Counted {
    pub fn new(part: Part) -> Self {
        let drawers = (0..DRAWERS).map(|_| Drawer::default()).collect();
        let (held, limit, spill) = (0, PAIRS, Mutex::default());
        let (has_spilled, overflowed) = (false, false);
        let (names, could) = (BTreeSet::new(), BTreeSet::new());
        Self { part, drawers, held, limit, spill, has_spilled, names, could, overflowed }
    }

    /// Beyond what is held, it goes there.
    pub fn spill_to(&mut self, spill: Box<dyn Spill + Send>, limit: Option<usize>) {
        self.spill = Mutex::new(Some(spill));
        self.limit = limit.unwrap_or(PAIRS);
    }

    pub fn add(&mut self, contract: u32, message: MessageId, mark: Mark) {
        if self.overflowed || !self.part.has(&message) {
            return;
        }
        let place = Slice::ALL.bucket(order(message));
        let Some(drawer) = self.drawers.get_mut(place) else { return };
        drawer.pairs.push(Pair::new(message, contract, mark));
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
        let own = self.spill.get_mut().ok().and_then(Option::as_mut);
        let Some(spill) = own else { return self.overflow() };
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

    /// Distinct messages: of what was handed in, and of what stands in columns.
    pub fn count(&mut self, contracts: usize, columns: Option<&dyn Columns>) -> Count {
        // What was handed in lies in as many drawers; each is small enough.
        let mut bits = if columns.is_some() { 1 } else { DRAWERS.ilog2() };
        let in_all = columns.map_or(0, Columns::pairs) + self.held as u64;
        while in_all >> bits > SLICE_PAIRS || (self.has_spilled && 1 << bits < DRAWERS) {
            bits += 1;
        }
        let next = AtomicU64::new(0);
        let work = || {
            let mut sum = Some(Sum::new(contracts));
            let mut buckets = Buckets::new(in_all >> bits);
            loop {
                let prefix = next.fetch_add(1, Ordering::Relaxed);
                if prefix >> bits > 0 {
                    return sum;
                }
                let more =
                    self.count_slice(Slice { prefix, bits }, contracts, columns, &mut buckets);
                sum = sum.and_then(|sum| Some(sum.with(more?)));
            }
        };
        let both = thread::scope(|scope| {
            let other = scope.spawn(work);
            let own = work();
            Some(own?.with(other.join().ok()??))
        });
        let Some(sum) = both else {
            self.overflowed = true;
            return Count::of(contracts);
        };
        self.names = sum.names.unwrap_or_default().into_iter().collect();
        self.could = sum.could.unwrap_or_default().into_iter().collect();
        sum.count
    }

    fn count_slice(
        &self,
        of: Slice,
        contracts: usize,
        columns: Option<&dyn Columns>,
        all: &mut Buckets,
    ) -> Option<Sum> {
        let buckets = &mut all.0;
        let mut held = 0;
        let may_divide = of.bits < DIVISIONS;
        let is_too_much = |held: u64| may_divide && held > SLICE_PAIRS / 4 * 5;
        let mut take = |pair: Pair| {
            let place = order(pair.message());
            if of.has(place)
                && !is_too_much(held)
                && let Some(bucket) = buckets.get_mut(of.bucket(place))
            {
                bucket.push(pair);
                held += 1;
            }
        };
        let (first, last) = of.octets();
        for place in first..=last {
            let drawer = self.drawers.get(usize::from(place))?;
            drawer.pairs.iter().for_each(|pair| take(*pair));
            if self.has_spilled {
                let bytes = self.spill.lock().ok()?.as_mut()?.take(place)?;
                bytes.chunks_exact(PAIR_BYTES).filter_map(Pair::read).for_each(&mut take);
            }
        }
        if let Some(columns) = columns {
            let part = self.part;
            let mut take = |pair: Pair| {
                if part.has(&pair.message()) {
                    take(pair);
                }
            };
            if !columns.each(of, &mut take) {
                return None;
            }
        }
        if is_too_much(held) {
            buckets.iter_mut().for_each(Vec::clear);
            let [one, other] = of.halves();
            let one = self.count_slice(one, contracts, columns, all)?;
            return Some(one.with(self.count_slice(other, contracts, columns, all)?));
        }
        let mut sum = Sum::new(contracts);
        for bucket in buckets {
            sum.add(bucket, &mut all.1);
            bucket.clear();
        }
        Some(sum)
    }

    /// Those that were counted, if they are few enough.
    pub fn messages(&mut self) -> BTreeSet<MessageId> {
        std::mem::take(&mut self.names)
    }

    /// Those that could be opened, if they are few enough.
    pub fn could_open(&mut self) -> BTreeSet<MessageId> {
        std::mem::take(&mut self.could)
    }
}

/// Pairs of one slice, in as many buckets as there are drawers, and the places of one bucket's;
/// the next slice takes their place.
struct Buckets(Vec<Vec<Pair>>, Places);

impl Buckets {
    fn new(pairs: u64) -> Self {
        let each = usize::try_from(pairs).unwrap_or_default() / DRAWERS;
        let buckets = (0..DRAWERS).map(|_| Vec::with_capacity(each + each / 16)).collect();
        Self(buckets, Places::default())
    }
}

/// Where the pairs of a bucket are found again: a table of their numbers, found by a sum of the
/// id that nobody outside can foresee. Cheaper than putting them in order.
struct Places {
    keys: (u64, u64),
    /// 0: nobody; else its number from 1, with its marks and, where the message was met first, the
    /// message's.
    table: Vec<u32>,
}

impl Default for Places {
    fn default() -> Self {
        let state = RandomState::new();
        let keys = (state.hash_one(0) | 1, state.hash_one(1) | 1);
        Self { keys, table: Vec::new() }
    }
}

impl Places {
    fn clear(&mut self, pairs: usize) {
        self.table.clear();
        self.table.resize((pairs * 2).next_power_of_two().max(2), 0);
    }

    /// Sets marks, and says which of them are new.
    fn marks(&mut self, at: usize, shift: u32, marks: u8) -> u8 {
        let Some(place) = self.table.get_mut(at) else { return 0 };
        let new = marks & !((*place >> shift) as u8);
        *place |= u32::from(marks) << shift;
        new
    }

    fn first(&self, pair: &Pair) -> usize {
        let sum = pair.0.wrapping_mul(self.keys.0).wrapping_add(pair.1.wrapping_mul(self.keys.1));
        let mixed = (sum ^ (sum >> 32)).wrapping_mul(self.keys.0);
        (mixed >> (64 - self.table.len().ilog2())) as usize
    }
}

/// Distinct messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// That passed or were opened.
    pub all: u64,
    /// Of these, those that were certainly opened.
    pub certain: u64,
    /// Of `all`, those of each contract.
    pub each: Vec<u64>,
    /// That could be opened.
    pub could: u64,
    pub could_each: Vec<u64>,
}

impl Count {
    fn of(contracts: usize) -> Self {
        let [each, could_each] = [vec![0; contracts], vec![0; contracts]];
        Self { each, could_each, ..Self::default() }
    }

    fn with(mut self, other: &Self) -> Self {
        self.all += other.all;
        self.certain += other.certain;
        self.could += other.could;
        self.each.iter_mut().zip(&other.each).for_each(|(sum, more)| *sum += more);
        self.could_each.iter_mut().zip(&other.could_each).for_each(|(sum, more)| *sum += more);
        self
    }
}

/// What was counted of one slice after the other.
struct Sum {
    count: Count,
    /// `None`: too many.
    names: Option<Vec<MessageId>>,
    could: Option<Vec<MessageId>>,
}

/// Both, unless they are too many together.
fn joined(one: Option<Vec<MessageId>>, other: Option<Vec<MessageId>>) -> Option<Vec<MessageId>> {
    let (mut one, other) = one.zip(other)?;
    (one.len() + other.len() <= NAMED_MESSAGES).then(|| {
        one.extend(other);
        one
    })
}

impl Sum {
    fn new(contracts: usize) -> Self {
        Self { count: Count::of(contracts), names: Some(Vec::new()), could: Some(Vec::new()) }
    }

    /// Adds the pairs of a bucket.
    fn add(&mut self, pairs: &[Pair], places: &mut Places) {
        places.clear(pairs.len());
        for (pair, number) in pairs.iter().zip(1u32..) {
            self.add_one(pair, number, pairs, places);
        }
        self.names.take_if(|names| names.len() > NAMED_MESSAGES);
        self.could.take_if(|names| names.len() > NAMED_MESSAGES);
    }

    fn add_one(&mut self, pair: &Pair, number: u32, pairs: &[Pair], places: &mut Places) {
        let mask = places.table.len() - 1;
        let mut at = places.first(pair);
        // Where the message itself was met first, whichever contract's it was then.
        let mut known_at = None;
        loop {
            let found = places.table.get(at).copied().unwrap_or_default();
            let other = pairs.get((found >> PLACE_BITS).wrapping_sub(1) as usize);
            let Some(other) = other else {
                if let Some(place) = places.table.get_mut(at) {
                    *place = number << PLACE_BITS;
                }
                break;
            };
            if (other.0, other.1) == (pair.0, pair.1) {
                known_at = known_at.or(Some(at));
                if other.contract() == pair.contract() {
                    break;
                }
            }
            at = (at + 1) & mask;
        }
        let mark = pair.mark();
        let new = places.marks(at, Mark::BITS, mark);
        let contract = pair.contract() as usize;
        let of = |each: &mut Vec<u64>, bit: u8| {
            each.get_mut(contract).into_iter().for_each(|sum| *sum += u64::from(new & bit != 0));
        };
        of(&mut self.count.each, Mark::COUNTED);
        of(&mut self.count.could_each, Mark::COULD.0);
        let new = places.marks(known_at.unwrap_or(at), 0, mark);
        if new & Mark::COUNTED != 0 {
            self.count.all += 1;
            self.names.iter_mut().for_each(|names| names.push(pair.message()));
        }
        self.count.certain += u64::from(new & Mark::CERTAIN != 0);
        if new & Mark::COULD.0 != 0 {
            self.count.could += 1;
            self.could.iter_mut().for_each(|names| names.push(pair.message()));
        }
    }

    fn with(mut self, other: Self) -> Self {
        self.count = self.count.with(&other.count);
        self.names = joined(self.names, other.names);
        self.could = joined(self.could, other.could);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{Columns, Count, Counted, Mark, Pair, Part, SLICE_PAIRS, Slice, Spill, order};
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
            Some(self.0.get(&drawer).cloned().unwrap_or_default())
        }
    }

    fn message(number: u64) -> MessageId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        id[8..].copy_from_slice(&number.to_be_bytes());
        MessageId(id)
    }

    fn mark(is_certain: bool) -> Mark {
        if is_certain { Mark::OPENED } else { Mark::PASSED }
    }

    /// What could be opened is counted by itself, wherever else the message stands.
    #[test]
    fn what_could_be_opened_is_counted_beside_what_was() {
        let mut counted = Counted::new(Part::WHOLE);
        counted.add(0, message(1), Mark::COULD);
        counted.add(1, message(1), Mark::COULD.and(Mark::PASSED));
        counted.add(0, message(1), Mark::PASSED);
        counted.add(0, message(1), Mark::OPENED);
        counted.add(1, message(2), Mark::OPENED);
        counted.add(0, message(3), Mark::COULD);
        let expected =
            Count { all: 2, certain: 2, each: vec![1, 2], could: 2, could_each: vec![2, 1] };
        assert_eq!(counted.count(2, None), expected);
        assert_eq!(counted.messages(), BTreeSet::from([message(1), message(2)]));
        assert_eq!(counted.could_open(), BTreeSet::from([message(1), message(3)]));
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
        let (all, certain, each) = (all.len() as u64, sure.len() as u64, each.collect());
        let expected = Count { all, certain, each, could: 0, could_each: vec![0; 3] };
        let mut held = Counted::new(Part::WHOLE);
        let mut spilled = Counted::new(Part::WHOLE);
        spilled.spill_to(Box::new(Shelf(HashMap::new(), usize::MAX)), Some(1_000));
        let mut full = Counted::new(Part::WHOLE);
        full.spill_to(Box::new(Shelf(HashMap::new(), 3)), Some(1_000));
        for (contract, message, sure) in &pairs {
            for one in [&mut held, &mut spilled, &mut full] {
                one.add(*contract, *message, mark(*sure));
            }
        }
        spilled.empty();
        pairs.iter().take(500).for_each(|one| spilled.add(one.0, one.1, mark(one.2)));
        spilled.empty();
        assert_eq!(held.count(3, None), expected);
        assert_eq!(spilled.count(3, None), expected);
        assert!(spilled.has_spilled && !spilled.overflowed);
        full.empty();
        assert!(full.overflowed, "no room: it says so");
        let mut sum = Count::of(3);
        for part in 0..4 {
            let mut counted = Counted::new(Part { part, parts: 4 });
            pairs.iter().for_each(|one| counted.add(one.0, one.1, mark(one.2)));
            sum = sum.with(&counted.count(3, None));
        }
        assert_eq!(sum, expected);
    }

    /// Pairs in the order of columns, and how many of them are said to be there.
    struct Sorted(Vec<(u32, MessageId, bool)>, u64);

    impl Columns for Sorted {
        fn pairs(&self) -> u64 {
            self.1
        }

        fn each(&self, of: Slice, pair: &mut dyn FnMut(Pair)) -> bool {
            let (first, last) = of.octets();
            let is_near = |one: &&(u32, MessageId, bool)| {
                (first..=last).contains(&((order(one.1) >> 56) as u8))
            };
            self.0
                .iter()
                .filter(is_near)
                .for_each(|one| pair(Pair::new(one.1, one.0, mark(one.2))));
            true
        }
    }

    /// Some in columns, some handed in, some both, and however many slices there are: as if all
    /// had been handed in.
    #[test]
    fn columns_count_as_if_they_were_handed_in() {
        let pairs: Vec<(u32, MessageId, bool)> =
            (0..9_000u64).map(|n| ((n % 3) as u32, message(n * 7 % 4_000), n % 11 == 0)).collect();
        let mut whole = Counted::new(Part::WHOLE);
        pairs.iter().for_each(|one| whole.add(one.0, one.1, mark(one.2)));
        let expected = whole.count(3, None);
        for said in [0, SLICE_PAIRS * 3, SLICE_PAIRS * 600] {
            for handed in [0, 1_000, 9_000] {
                let mut counted = Counted::new(Part::WHOLE);
                pairs[..handed].iter().for_each(|one| counted.add(one.0, one.1, mark(one.2)));
                let columns = Sorted(pairs[handed.min(8_500)..].to_vec(), said);
                assert_eq!(counted.count(3, Some(&columns)), expected, "{said} {handed}");
                assert_eq!(counted.messages(), whole.names);
            }
        }
        assert!(!expected.each.is_empty() && whole.names.len() as u64 == expected.all);
    }

    #[test]
    fn every_order_is_in_one_slice_of_each_size() {
        for bits in [0, 1, 7, 8, 9, 40] {
            for order in [0, 1, u64::MAX, u64::MAX - 1, 1 << 63, 0x1234_5678_9abc_def0] {
                let prefix = if bits == 0 { 0 } else { order >> (64 - bits) };
                let slice = Slice { prefix, bits };
                let (first, last) = slice.octets();
                assert!(slice.has(order) && (first..=last).contains(&((order >> 56) as u8)));
                assert!(slice.halves().iter().filter(|half| half.has(order)).count() == 1);
                assert!(bits == 0 || !slice.has(order ^ 1 << 63));
            }
        }
    }
}
