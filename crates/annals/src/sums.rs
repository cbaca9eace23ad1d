//! Sums of a chapter: for each component, version and deed, when and whose and which messages; and
//! the messages themselves, each once for each contract, in the order in which they are counted.

use crate::chapter::{CHAPTER_ENTRIES, group_of};
use crate::place::{FENCES, Place, UNKNOWN};
use crate::rows::{NOBODY, put};
use evidence::Word;
use scope::{Beside, Cell, Deed, Fact, Item, Person, Roll, Tie, order};
use std::collections::{BTreeMap, HashMap, HashSet};
use terms::{InstanceId, MessageId, TenantId};

/// No map.
pub(crate) const NO_MAP: u16 = u16::MAX;
/// The last of the people of a message.
pub(crate) const LAST: u32 = 1 << 23;

/// A cell as it stands in a chapter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub kind: u8,
    pub word: u16,
    pub cell: Cell,
    pub people: u16,
    pub pairs: u16,
    /// Bits in its map of messages. Of connections that a gate handed on: over how many something
    /// came that was kept.
    pub count: u32,
}

type Key = (u8, u16, u8, Tie, u32);

pub(crate) struct Sums {
    cells: Vec<Kept>,
    people_maps: Vec<Vec<u8>>,
    pair_maps: Vec<Vec<u8>>,
    credentials: BTreeMap<(u8, u16, Item, Option<TenantId>), u64>,
    /// Secrets by who was shown them and the number of whose they are: when last, by which entry.
    shown: BTreeMap<(u8, u16, u32, Item), (u64, u64)>,
    pairs: Vec<(u64, MessageId, u16)>,
    /// To whom each message was delivered: three octets each, and where those of each begin.
    whose: Vec<u8>,
    whose_at: Vec<u32>,
}

fn set(map: &mut [u8], place: u32) {
    if let Some(octet) = map.get_mut(place as usize / 8) {
        *octet |= 1 << (place % 8);
    }
}

impl Sums {
    /// `facts` in the order of the rows, each with whose grant opened it, and with the number of
    /// the person of each.
    pub fn of(
        (facts, under): (&[Fact], &[Option<(u8, u16)>]),
        numbers: &[u32],
        people: &[(Person, Vec<u32>)],
        roll: &Roll,
        words: &[Word],
    ) -> Self {
        let (pairs, pair_of) = pair_up(facts, numbers, people);
        let (whose, whose_at) = owners(facts, numbers, people, &pair_of, pairs.len());
        let mut making = Making {
            places: HashMap::new(),
            cells: Vec::new(),
            credentials: BTreeMap::new(),
            shown: BTreeMap::new(),
            met: HashSet::new(),
            sizes: (people.len().div_ceil(8), pairs.len().div_ceil(8)),
        };
        let beside = Beside::of(roll);
        let mut groups = Groups { roll, words, last: [None; 2] };
        for (((fact, person), pair), under) in facts.iter().zip(numbers).zip(&pair_of).zip(under) {
            let whose = (*person, *pair);
            let (own, author) = (groups.of(0, fact.instance), groups.of(1, fact.start));
            making.add(own, fact, Tie::Own, whose);
            if let Some(tie) = tie_of(own, author, fact.deed) {
                making.add(author, fact, tie, whose);
            }
            beside.each(fact, |life| {
                making.add(group_of(Some(life), words), fact, Tie::Beside, whose);
            });
            for minter in under.iter().filter(|minter| minter.0 != UNKNOWN) {
                making.add(*minter, fact, Tie::Grant, whose);
            }
            making.credential(own, fact);
            making.credential(author, fact);
            making.shown(own, fact, *person);
            making.shown(author, fact, *person);
        }
        let Making { mut cells, credentials, shown, .. } = making;
        cells.sort_by_key(|made| made.key);
        let (mut people_maps, mut pair_maps) = (Vec::new(), Vec::new());
        let cells = cells.into_iter().map(|made| {
            let (kind, word, ..) = made.key;
            let count = made.pairs.iter().map(|octet| octet.count_ones()).sum();
            let people = keep(made.people, &mut people_maps);
            let pairs = keep(made.pairs, &mut pair_maps);
            Kept { kind, word, cell: made.cell, people, pairs, count }
        });
        let cells = cells.collect();
        Self { cells, people_maps, pair_maps, credentials, shown, pairs, whose, whose_at }
    }

    /// Over how many connections of each gate's version something came.
    pub fn note_brought(&mut self, brought: &HashMap<(u8, u16), u32>) {
        for kept in self.cells.iter_mut().filter(|kept| kept.cell.is_met()) {
            kept.count = brought.get(&(kept.kind, kept.word)).copied().unwrap_or_default();
        }
    }

    pub fn count(&self, place: Place) -> usize {
        match place {
            Place::Cells => self.cells.len(),
            Place::PeopleMaps => self.people_maps.len(),
            Place::PairMaps => self.pair_maps.len(),
            Place::Credentials => self.credentials.len(),
            Place::Shown => self.shown.len(),
            Place::Fences => FENCES as usize,
            Place::Pairs | Place::ContractOf => self.pairs.len(),
            Place::Whose => self.whose.len(),
            _ => 0,
        }
    }

    pub fn write(&self, to: &mut Vec<u8>) {
        for Kept { kind, word, cell, people, pairs, count } in &self.cells {
            to.push(*kind);
            put(to, (*word).into(), 2);
            to.push(cell.deed as u8);
            to.push(cell.tie as u8);
            put(to, cell.month.into(), 4);
            for time in [cell.first_ms, cell.last_ms, cell.told.0, cell.told.1, cell.sum] {
                put(to, time, 8);
            }
            put(to, (*people).into(), 2);
            put(to, (*pairs).into(), 2);
            put(to, (*count).into(), 4);
        }
        for map in self.people_maps.iter().chain(&self.pair_maps) {
            to.extend_from_slice(map);
        }
        for ((kind, word, item, tenant), last_ms) in &self.credentials {
            to.push(*kind);
            put(to, (*word).into(), 2);
            to.extend_from_slice(&item.0);
            to.push(tenant.is_some().into());
            to.extend_from_slice(&tenant.unwrap_or_default().0);
            put(to, *last_ms, 8);
        }
        for ((kind, word, person, item), (last_ms, index)) in &self.shown {
            to.push(*kind);
            put(to, (*word).into(), 2);
            put(to, (*person).into(), 3);
            to.extend_from_slice(&item.0);
            put(to, *last_ms, 8);
            put(to, index % CHAPTER_ENTRIES, 2);
        }
        for octet in 0..FENCES {
            let first = self.pairs.partition_point(|pair| pair.0 >> 56 < octet);
            let whose = self.whose_at.get(first).copied();
            put(to, first as u64, 4);
            put(to, whose.map_or(self.whose.len() as u64, u64::from), 4);
        }
        self.pairs.iter().for_each(|pair| to.extend_from_slice(&pair.1.0));
        self.pairs.iter().for_each(|pair| put(to, pair.2.into(), 2));
        to.extend_from_slice(&self.whose);
    }
}

/// Of which component and version: rows of one process, and of one author, stand together.
struct Groups<'a> {
    roll: &'a Roll,
    words: &'a [Word],
    last: [Option<(InstanceId, (u8, u16))>; 2],
}

impl Groups<'_> {
    fn of(&mut self, place: usize, one: InstanceId) -> (u8, u16) {
        let Some(last) = self.last.get_mut(place) else { return (UNKNOWN, 0) };
        match last.filter(|last| last.0 == one) {
            Some((_, group)) => group,
            None => last.insert((one, group_of(self.roll.0.get(&one), self.words))).1,
        }
    }
}

/// What an author's words are to the author, unless they are about its own kind and version: then
/// the deed itself says it.
fn tie_of(own: (u8, u16), author: (u8, u16), deed: Deed) -> Option<Tie> {
    match author.0 {
        UNKNOWN => None,
        // Who mints a grant and to whom it is given are two, whatever they are.
        _ if deed == Deed::Grant => Some(Tie::Author),
        _ if own == author => None,
        kind if kind == own.0 => Some(Tie::Kin),
        _ => Some(Tie::Author),
    }
}

fn keep(map: Vec<u8>, maps: &mut Vec<Vec<u8>>) -> u16 {
    if map.is_empty() {
        return NO_MAP;
    }
    let number = u16::try_from(maps.len()).unwrap_or(NO_MAP);
    maps.push(map);
    number
}

struct Made {
    key: Key,
    cell: Cell,
    people: Vec<u8>,
    pairs: Vec<u8>,
}

struct Making {
    places: HashMap<Key, usize>,
    cells: Vec<Made>,
    credentials: BTreeMap<(u8, u16, Item, Option<TenantId>), u64>,
    shown: BTreeMap<(u8, u16, u32, Item), (u64, u64)>,
    /// Connections of others, each once.
    met: HashSet<(Key, InstanceId, u64, Item)>,
    /// Octets of a map of people, and of one of messages.
    sizes: (usize, usize),
}

impl Making {
    fn add(
        &mut self,
        (kind, word): (u8, u16),
        fact: &Fact,
        tie: Tie,
        (person, pair): (u32, Option<u32>),
    ) {
        let Some(cell) = Cell::of(fact, tie) else { return };
        let key = (kind, word, cell.deed as u8, tie, cell.month);
        if cell.is_met() && !self.met.insert((key, fact.instance, fact.at_ms, fact.item)) {
            return;
        }
        let cells = &mut self.cells;
        let place = *self.places.entry(key).or_insert_with(|| {
            cells.push(Made { key, cell, people: Vec::new(), pairs: Vec::new() });
            cells.len() - 1
        });
        let Some(made) = cells.get_mut(place) else { return };
        made.cell.add(fact);
        if person != NOBODY && cell.classes() != 0 {
            made.people.resize(self.sizes.0, 0);
            set(&mut made.people, person);
        }
        if let Some(pair) = pair {
            made.pairs.resize(self.sizes.1, 0);
            set(&mut made.pairs, pair);
        }
    }
}

impl Making {
    fn credential(&mut self, (kind, word): (u8, u16), fact: &Fact) {
        if fact.deed == Deed::Credential {
            let tenant = fact.person.map(|person| person.tenant);
            let at = self.credentials.entry((kind, word, fact.item, tenant)).or_default();
            *at = (*at).max(fact.at_ms);
        }
    }
}

impl Making {
    fn shown(&mut self, (kind, word): (u8, u16), fact: &Fact, person: u32) {
        if fact.deed == Deed::Secret && person != NOBODY {
            let at = self.shown.entry((kind, word, person, fact.item)).or_default();
            *at = (*at).max((fact.at_ms, fact.index));
        }
    }
}

fn carries_message(fact: &Fact) -> bool {
    Cell::of(fact, Tie::Own).is_some_and(|cell| cell.messages().is_some())
}

/// The number of each person's contract.
fn contracts(people: &[(Person, Vec<u32>)]) -> Vec<u16> {
    let by_contract = people.chunk_by(|one, other| one.0.tenant == other.0.tenant);
    let numbered = by_contract.zip(0u32..);
    numbered.flat_map(|(theirs, number)| theirs.iter().map(move |_| number as u16)).collect()
}

/// Messages in their order, each once for each contract, and which each fact is about.
fn pair_up(
    facts: &[Fact],
    numbers: &[u32],
    people: &[(Person, Vec<u32>)],
) -> (Vec<(u64, MessageId, u16)>, Vec<Option<u32>>) {
    let contracts = contracts(people);
    let mut about: Vec<((u64, MessageId, u16), u32)> = Vec::new();
    for ((fact, person), place) in facts.iter().zip(numbers).zip(0u32..) {
        if let Some(contract) = contracts.get(*person as usize).filter(|_| carries_message(fact)) {
            let message = fact.item.message();
            about.push(((order(message), message, *contract), place));
        }
    }
    about.sort_unstable();
    let mut pairs: Vec<(u64, MessageId, u16)> = Vec::new();
    let mut pair_of = vec![None; facts.len()];
    for (pair, place) in about {
        if pairs.last() != Some(&pair) {
            pairs.push(pair);
        }
        if let Some(of) = pair_of.get_mut(place as usize) {
            *of = Some(pairs.len() as u32 - 1);
        }
    }
    (pairs, pair_of)
}

/// To whom each message was delivered. Nothing at all where there are more people than fit.
fn owners(
    facts: &[Fact],
    numbers: &[u32],
    people: &[(Person, Vec<u32>)],
    pair_of: &[Option<u32>],
    pairs: usize,
) -> (Vec<u8>, Vec<u32>) {
    let mut whose_at = vec![0; pairs];
    if people.len() >= LAST as usize {
        return (Vec::new(), whose_at);
    }
    let mut delivered: Vec<(u32, u32)> = Vec::new();
    for ((fact, person), pair) in facts.iter().zip(numbers).zip(pair_of) {
        if let (Deed::Deliver, Some(pair)) = (fact.deed, pair) {
            delivered.push((*pair, *person));
        }
    }
    delivered.sort_unstable();
    delivered.dedup();
    let mut whose = Vec::with_capacity(delivered.len() * 3);
    let mut theirs = delivered.chunk_by(|one, other| one.0 == other.0).peekable();
    for (pair, at) in (0..).zip(&mut whose_at) {
        *at = whose.len() as u32;
        let own = theirs.next_if(|own| own.first().is_some_and(|one| one.0 == pair));
        let own = own.unwrap_or_default();
        for (place, (_, person)) in (1..).zip(own) {
            let last = if place == own.len() { LAST } else { 0 };
            put(&mut whose, (person | last).into(), 3);
        }
    }
    (whose, whose_at)
}
