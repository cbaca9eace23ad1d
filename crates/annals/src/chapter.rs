//! Writes the index of 65,536 entries, one file: facts by (component, version, process, time), by
//! (contract, person, time), entries by deed, and sums of the facts of each component. A fence in
//! front says of what and when it speaks.
//!
//! ```text
//! head     magic, number, root of the 65,536 leaves, times, counts, sections; its SHA-256
//! tables   versions; processes; those that outlive the chapter; authors; contracts and people
//! lives    processes without a row here that the next chapter must know
//! late     what was kept and came over no connection that a gate handed on here
//! sums     cells by component and deed, with maps of people and messages; messages in order
//! grants   who minted which; rows released under grants that are not among them
//! handed   connections that gates handed on
//! records  of each process its life and its rows
//! rows     32 octets each, by component, version, process, time
//! lists    rows by person; entries by deed
//! sum      SHA-256 of everything before
//! ```
//!
//! A scope reads every chapter up to its messages, a tenth of it, and little behind them.

use crate::handed::Matched;
use crate::minted::Minted;
use crate::place::{ID_BYTES, MAGIC, Place, Section, UNKNOWN};
use crate::rows::{NOBODY, ROW_BYTES, Row, put};
use crate::sums::Sums;
use evidence::Word;
use scope::{Deed, Fact, Life, Person, Roll, unattributed};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use terms::{InstanceId, Kind, TenantId, UserId};
use tlog::Hash;

/// Entries of a chapter: its root is one hash of the tiles' second level.
pub const CHAPTER_ENTRIES: u64 = 65_536;

/// What a binder has gathered.
pub(crate) struct Contents<'a> {
    pub number: u64,
    pub root: Hash,
    pub times: (u64, u64),
    /// The entry of the latest time.
    pub newest: u16,
    pub facts: Vec<Fact>,
    pub deeds: Vec<(u8, u16)>,
    pub authors: HashMap<InstanceId, Kind>,
    pub roll: &'a Roll,
    /// Of the roll, whom the next chapter need not know.
    pub gone: HashSet<InstanceId>,
}

/// A process, and which rows are its own.
struct Process {
    instance: InstanceId,
    first: u32,
    count: u32,
}

/// Contents in the order in which they are written.
struct Arranged<'a> {
    contents: Contents<'a>,
    words: Vec<Word>,
    authors: BTreeMap<InstanceId, Kind>,
    people: Vec<(Person, Vec<u32>)>,
    processes: Vec<Process>,
    crossing: Vec<u32>,
    sections: Vec<Section>,
    rows: Vec<u8>,
    by_deed: BTreeMap<u8, Vec<u16>>,
    lives: Vec<InstanceId>,
    sums: Sums,
    minted: Minted,
    matched: Matched,
}

/// Numbers of a process's component and version.
pub(crate) fn group_of(life: Option<&Life>, words: &[Word]) -> (u8, u16) {
    let Some(life) = life else { return (UNKNOWN, 0) };
    let kind = u8::try_from(life.kind.number()).unwrap_or(UNKNOWN);
    let word = words.binary_search(&life.version).unwrap_or_default();
    (kind, u16::try_from(word).unwrap_or_default())
}

fn write_life(to: &mut Vec<u8>, life: Option<&Life>, words: &[Word]) {
    let (kind, word) = group_of(life, words);
    to.push(kind);
    put(to, word.into(), 2);
    put(to, life.map_or(0, |life| life.from_ms), 8);
    put(to, life.and_then(|life| life.to_ms).unwrap_or(u64::MAX), 8);
    let serves = life.and_then(|life| life.serves);
    to.push(u8::from(serves.is_some()));
    to.extend_from_slice(&serves.unwrap_or_default().0);
}

fn person_key(person: &Person) -> (TenantId, bool, UserId) {
    (person.tenant, person.user.is_some(), person.user.unwrap_or_default())
}

/// Writes a chapter's index: the same entries give the same octets.
pub(crate) fn encode(contents: Contents) -> Vec<u8> {
    let arranged = arrange(contents);
    let mut to = Vec::with_capacity(arranged.rows.len() * 3);
    arranged.write_head(&mut to);
    arranged.write_tables(&mut to);
    arranged.write_lives(&mut to);
    arranged.matched.late.iter().for_each(|one| one.write(&mut to));
    arranged.sums.write(&mut to);
    arranged.minted.write(&mut to, &arranged.rows, ROW_BYTES);
    arranged.matched.handed.iter().for_each(|one| one.write(&mut to));
    arranged.processes.iter().for_each(|process| arranged.write_record(&mut to, process));
    arranged.write_lists(&mut to);
    let sum = Sha256::digest(&to);
    to.extend_from_slice(&sum);
    to
}

fn arrange(mut contents: Contents) -> Arranged {
    let roll = contents.roll;
    let words: BTreeSet<&Word> = roll.0.values().map(|life| &life.version).collect();
    let words: Vec<Word> = words.into_iter().cloned().collect();
    let groups: HashMap<InstanceId, (u8, u16)> =
        roll.0.iter().map(|(one, life)| (*one, group_of(Some(life), &words))).collect();
    contents.facts.sort_by_cached_key(|fact| {
        let group = groups.get(&fact.instance).copied().unwrap_or((UNKNOWN, 0));
        (group, fact.instance, fact.at_ms, fact.index)
    });
    let facts = &contents.facts;
    let authors: BTreeMap<InstanceId, Kind> =
        contents.authors.iter().map(|(start, kind)| (*start, *kind)).collect();
    let people: HashSet<Person> = facts.iter().filter_map(|fact| fact.person).collect();
    let mut people: Vec<(Person, Vec<u32>)> =
        people.into_iter().map(|person| (person, Vec::new())).collect();
    people.sort_by_key(|(person, _)| person_key(person));
    let (processes, crossing, sections) = divide(facts, roll, &words);
    let (rows, numbers) = write_rows(&contents, &authors, &processes, &mut people);
    let minted = Minted::of(facts, authors.keys(), (roll, &words), contents.times.0);
    let matched = Matched::of(facts, (roll, &words), contents.times.0);
    let mut sums = Sums::of((facts, &minted.under), &numbers, &people, roll, &words);
    sums.note_brought(&matched.brought());
    let mut by_deed: BTreeMap<u8, Vec<u16>> = BTreeMap::new();
    for (deed, place) in &contents.deeds {
        by_deed.entry(*deed).or_default().push(*place);
    }
    let told: HashSet<InstanceId> = processes.iter().map(|process| process.instance).collect();
    let stays = |one: &&InstanceId| !contents.gone.contains(*one) && !told.contains(*one);
    let mut lives: Vec<InstanceId> = roll.0.keys().filter(stays).copied().collect();
    lives.sort_unstable();
    Arranged {
        contents,
        words,
        authors,
        people,
        processes,
        crossing,
        sections,
        rows,
        by_deed,
        lives,
        sums,
        minted,
        matched,
    }
}

/// The rows, and the number of the person of each; every person learns its rows.
fn write_rows(
    contents: &Contents,
    authors: &BTreeMap<InstanceId, Kind>,
    processes: &[Process],
    people: &mut [(Person, Vec<u32>)],
) -> (Vec<u8>, Vec<u32>) {
    let facts = &contents.facts;
    let starts: HashMap<InstanceId, u16> =
        authors.keys().zip(0..).map(|(start, place)| (*start, place)).collect();
    let numbers: HashMap<Person, u32> =
        people.iter().zip(0..).map(|((person, _), place)| (*person, place)).collect();
    let mut rows = Vec::with_capacity(facts.len() * ROW_BYTES);
    let mut persons = Vec::with_capacity(facts.len());
    let mut process = 0u32;
    for (place, fact) in (0u32..).zip(facts) {
        if processes.get(process as usize + 1).is_some_and(|next| next.first == place) {
            process += 1;
        }
        let person = fact.person.and_then(|person| numbers.get(&person)).copied();
        if let Some((_, list)) = person.and_then(|person| people.get_mut(person as usize)) {
            list.push(place);
        }
        persons.push(person.unwrap_or(NOBODY));
        let row = Row {
            at_ms: fact.at_ms.saturating_sub(contents.times.0),
            entry: u16::try_from(fact.index % CHAPTER_ENTRIES).unwrap_or_default(),
            deed: fact.deed,
            instance: process,
            start: starts.get(&fact.start).copied().unwrap_or_default(),
            person: person.unwrap_or(NOBODY),
            item: fact.item,
        };
        row.write(&mut rows);
    }
    // By time within a person, whichever process it was.
    for (_, list) in people {
        list.sort_by_key(|place| facts.get(*place as usize).map(|fact| (fact.at_ms, fact.index)));
    }
    (rows, persons)
}

/// Which facts, in their order, are of which process, which processes outlive the chapter, and
/// which are of which component and version.
fn divide(facts: &[Fact], roll: &Roll, words: &[Word]) -> (Vec<Process>, Vec<u32>, Vec<Section>) {
    let (mut processes, mut crossing) = (Vec::new(), Vec::new());
    let mut sections: Vec<Section> = Vec::new();
    let mut first = 0u32;
    for own in facts.chunk_by(|one, other| one.instance == other.instance) {
        let Some(instance) = own.first().map(|fact| fact.instance) else { continue };
        let (number, count) = (processes.len() as u32, own.len() as u32);
        let life = roll.0.get(&instance);
        let (kind, word) = group_of(life, words);
        if sections.last().is_none_or(|last| (last.kind, last.word) != (kind, word)) {
            sections.push(Section {
                kind,
                word,
                first_row: first,
                rows: 0,
                first_process: number,
                processes: 0,
                first_crossing: crossing.len() as u32,
                crossing: 0,
                unattributed: 0,
                ended_ms: 0,
            });
        }
        if let Some(section) = sections.last_mut() {
            section.rows += count;
            section.processes += 1;
            let did = |deed| own.iter().any(|fact| fact.deed == deed);
            let ended_ms = life.and_then(|life| life.to_ms);
            match (life, ended_ms.filter(|_| did(Deed::Start) && did(Deed::Stop))) {
                (Some(life), Some(ended_ms)) => {
                    section.unattributed += unattributed(life.kind, own.iter()) as u32;
                    section.ended_ms = section.ended_ms.max(ended_ms);
                }
                (Some(_), None) => {
                    section.crossing += 1;
                    crossing.push(number);
                }
                (None, _) => {}
            }
        }
        processes.push(Process { instance, first, count });
        first += count;
    }
    (processes, crossing, sections)
}

impl Arranged<'_> {
    fn count(&self, place: Place) -> usize {
        match place {
            Place::Words => self.words.iter().map(|word| word.as_str().len() + 1).sum(),
            Place::Ids | Place::Records => self.processes.len(),
            Place::Crossing => self.crossing.len(),
            Place::Authors => self.authors.len(),
            Place::Contracts => self.people.chunk_by(|a, b| a.0.tenant == b.0.tenant).count(),
            Place::Users | Place::ListOf => self.people.len(),
            Place::Rows => self.contents.facts.len(),
            Place::Lists => self.people.iter().map(|(_, list)| list.len()).sum(),
            Place::DeedTable => self.by_deed.len(),
            Place::Deeds => self.contents.deeds.len(),
            Place::Lives => self.lives.len(),
            Place::Grants => self.minted.counts().0,
            Place::Open => self.minted.counts().1,
            Place::Handed => self.matched.handed.len(),
            Place::Late => self.matched.late.len(),
            _ => self.sums.count(place),
        }
    }

    fn write_head(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(MAGIC);
        put(to, self.contents.number, 8);
        to.extend_from_slice(&self.contents.root.0);
        put(to, self.contents.times.0, 8);
        put(to, self.contents.times.1, 8);
        put(to, self.contents.newest.into(), 2);
        for place in Place::ALL {
            put(to, self.count(place) as u64, 4);
        }
        put(to, self.sections.len() as u64, 4);
        for one in &self.sections {
            to.push(one.kind);
            put(to, one.word.into(), 2);
            for number in [
                one.first_row,
                one.rows,
                one.first_process,
                one.processes,
                one.first_crossing,
                one.crossing,
                one.unattributed,
            ] {
                put(to, number.into(), 4);
            }
            put(to, one.ended_ms, 8);
        }
        let sum = Sha256::digest(&*to);
        to.extend_from_slice(&sum);
    }

    fn write_tables(&self, to: &mut Vec<u8>) {
        for word in &self.words {
            to.push(word.as_str().len() as u8);
            to.extend_from_slice(word.as_str().as_bytes());
        }
        for process in &self.processes {
            to.extend_from_slice(&process.instance.0);
        }
        for process in self.crossing.iter().filter_map(|one| self.processes.get(*one as usize)) {
            to.extend_from_slice(&process.instance.0);
            self.write_record(to, process);
        }
        for (start, kind) in &self.authors {
            to.extend_from_slice(&start.0);
            to.push(u8::try_from(kind.number()).unwrap_or(UNKNOWN));
            let (kind, word) = group_of(self.contents.roll.0.get(start), &self.words);
            to.push(kind);
            put(to, word.into(), 2);
            let (until_ms, entry) = self.minted.until(*start);
            put(to, until_ms, 8);
            put(to, entry % CHAPTER_ENTRIES, 2);
        }
        self.write_people(to);
        let mut first = 0;
        for (deed, list) in &self.by_deed {
            to.push(*deed);
            put(to, first, 4);
            put(to, list.len() as u64, 4);
            first += list.len() as u64;
        }
    }

    fn write_record(&self, to: &mut Vec<u8>, process: &Process) {
        write_life(to, self.contents.roll.0.get(&process.instance), &self.words);
        put(to, process.first.into(), 4);
        put(to, process.count.into(), 4);
    }

    fn write_people(&self, to: &mut Vec<u8>) {
        let mut first = 0;
        for theirs in self.people.chunk_by(|one, other| one.0.tenant == other.0.tenant) {
            if let Some((person, _)) = theirs.first() {
                to.extend_from_slice(&person.tenant.0);
                put(to, first, 4);
                // Whether the first of them is the contract itself, nobody of it.
                to.push(u8::from(person.user.is_none()));
            }
            first += theirs.len() as u64;
        }
        for (person, _) in &self.people {
            to.extend_from_slice(&person.user.unwrap_or_default().0);
        }
    }

    fn write_lists(&self, to: &mut Vec<u8>) {
        let mut first = 0;
        for (_, list) in &self.people {
            put(to, first, 4);
            put(to, list.len() as u64, 4);
            first += list.len() as u64;
        }
        to.extend_from_slice(&self.rows);
        for place in self.people.iter().flat_map(|(_, list)| list) {
            put(to, (*place).into(), 4);
        }
        for place in self.by_deed.values().flatten() {
            put(to, (*place).into(), 2);
        }
    }

    fn write_lives(&self, to: &mut Vec<u8>) {
        to.reserve(self.lives.len() * ID_BYTES);
        for instance in &self.lives {
            to.extend_from_slice(&instance.0);
            write_life(to, self.contents.roll.0.get(instance), &self.words);
        }
    }
}
