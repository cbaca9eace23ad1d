//! The index of 65,536 entries, one file: facts by (component, process, time), by (contract,
//! person, time), and entries by deed. A fence in front says of what and when it speaks.
//!
//! ```text
//! head     magic, number, root of the 65,536 leaves, times, counts, sections; its SHA-256
//! tables   versions; processes; authors; people
//! rows     32 octets each, by component, process, time
//! lists    rows by person; entries by deed
//! lives    processes that the next chapter must know
//! sum      SHA-256 of everything before
//! ```

use crate::rows::{NOBODY, ROW_BYTES, Row, number, put};
use evidence::Word;
use scope::{Fact, Life, Person, Roll};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io;
use terms::{Cursor, InstanceId, Kind, TenantId, UserId};
use tlog::{Hash, Volume};

/// Entries of a chapter: its root is one hash of the tiles' second level.
pub const CHAPTER_ENTRIES: u64 = 65_536;
const MAGIC: &[u8; 16] = b"sekisho index 1\n";
/// The component of a process that no start tells of.
const UNKNOWN: u8 = 0xff;
const LIFE_BYTES: usize = 6 + 1 + 2 + 8 + 8 + 7;
const PROCESS_BYTES: usize = LIFE_BYTES + 8;
const AUTHOR_BYTES: usize = 7;
const PERSON_BYTES: usize = 17 + 8;
const SECTION_BYTES: usize = 17;
const DEED_BYTES: usize = 9;
/// Fixed octets of the head before its sections.
const HEAD_BYTES: usize = 16 + 8 + 32 + 16 + 10 * 4;
/// Components and one unknown; more is no chapter of ours.
const SECTIONS: usize = 256;

/// What a binder has gathered.
pub(crate) struct Contents<'a> {
    pub number: u64,
    pub root: Hash,
    pub times: (u64, u64),
    pub facts: Vec<Fact>,
    pub deeds: Vec<(u8, u16)>,
    pub authors: HashMap<InstanceId, Kind>,
    pub roll: &'a Roll,
}

/// One component's part of the rows and of the processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub kind: u8,
    pub first_row: u32,
    pub rows: u32,
    pub first_process: u32,
    pub processes: u32,
}

fn kind_of(roll: &Roll, instance: &InstanceId) -> u8 {
    let known = roll.0.get(instance).map(|life| life.kind.number());
    known.and_then(|number| u8::try_from(number).ok()).unwrap_or(UNKNOWN)
}

fn write_life(to: &mut Vec<u8>, instance: &InstanceId, life: Option<&Life>, words: &[Word]) {
    let place = life.and_then(|life| words.iter().position(|word| *word == life.version));
    let kind = life.and_then(|life| u8::try_from(life.kind.number()).ok()).unwrap_or(UNKNOWN);
    to.extend_from_slice(&instance.0);
    to.push(kind);
    put(to, place.unwrap_or_default() as u64, 2);
    put(to, life.map_or(0, |life| life.from_ms), 8);
    put(to, life.and_then(|life| life.to_ms).unwrap_or(u64::MAX), 8);
    let serves = life.and_then(|life| life.serves);
    to.push(u8::from(serves.is_some()));
    to.extend_from_slice(&serves.unwrap_or_default().0);
}

fn person_key(person: &Person) -> (TenantId, bool, UserId) {
    (person.tenant, person.user.is_some(), person.user.unwrap_or_default())
}

/// Contents in the order in which they are written.
struct Arranged<'a> {
    contents: Contents<'a>,
    words: Vec<Word>,
    authors: BTreeMap<InstanceId, Kind>,
    people: Vec<(Person, Vec<u32>)>,
    processes: Vec<(InstanceId, u32, u32)>,
    sections: Vec<Section>,
    rows: Vec<u8>,
    by_deed: BTreeMap<u8, Vec<u16>>,
}

/// Writes a chapter's index: the same entries give the same octets.
pub(crate) fn encode(contents: Contents) -> Vec<u8> {
    let arranged = arrange(contents);
    let mut to = Vec::with_capacity(arranged.rows.len() * 2);
    arranged.write_head(&mut to);
    arranged.write_tables(&mut to);
    to.extend_from_slice(&arranged.rows);
    arranged.write_lists(&mut to);
    let sum = Sha256::digest(&to);
    to.extend_from_slice(&sum);
    to
}

fn arrange(mut contents: Contents) -> Arranged {
    let roll = contents.roll;
    contents.facts.sort_by_cached_key(|fact| {
        (kind_of(roll, &fact.instance), fact.instance, fact.at_ms, fact.index)
    });
    let facts = &contents.facts;
    let words: BTreeSet<&Word> = roll.0.values().map(|life| &life.version).collect();
    let words = words.into_iter().cloned().collect();
    let authors: BTreeMap<InstanceId, Kind> =
        contents.authors.iter().map(|(start, kind)| (*start, *kind)).collect();
    let starts: HashMap<InstanceId, u16> =
        authors.keys().zip(0..).map(|(start, place)| (*start, place)).collect();
    let people: HashSet<Person> = facts.iter().filter_map(|fact| fact.person).collect();
    let mut people: Vec<(Person, Vec<u32>)> =
        people.into_iter().map(|person| (person, Vec::new())).collect();
    people.sort_by_key(|(person, _)| person_key(person));
    let numbers: HashMap<Person, u32> =
        people.iter().zip(0..).map(|((person, _), place)| (*person, place)).collect();
    let (processes, sections) = divide(facts, roll);
    let mut rows = Vec::with_capacity(facts.len() * ROW_BYTES);
    let mut process = 0u32;
    for (place, fact) in (0u32..).zip(facts) {
        if processes.get(process as usize + 1).is_some_and(|next| next.1 == place) {
            process += 1;
        }
        let person = fact.person.and_then(|person| numbers.get(&person)).copied();
        if let Some((_, list)) = person.and_then(|person| people.get_mut(person as usize)) {
            list.push(place);
        }
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
    for (_, list) in &mut people {
        list.sort_by_key(|place| facts.get(*place as usize).map(|fact| (fact.at_ms, fact.index)));
    }
    let mut by_deed: BTreeMap<u8, Vec<u16>> = BTreeMap::new();
    for (deed, place) in &contents.deeds {
        by_deed.entry(*deed).or_default().push(*place);
    }
    Arranged { contents, words, authors, people, processes, sections, rows, by_deed }
}

/// Which facts, in their order, are of which process, and which processes of which component.
fn divide(facts: &[Fact], roll: &Roll) -> (Vec<(InstanceId, u32, u32)>, Vec<Section>) {
    let mut processes: Vec<(InstanceId, u32, u32)> = Vec::new();
    let mut sections: Vec<Section> = Vec::new();
    for (place, fact) in (0u32..).zip(facts) {
        if processes.last().is_none_or(|last| last.0 != fact.instance) {
            let kind = kind_of(roll, &fact.instance);
            if sections.last().is_none_or(|section| section.kind != kind) {
                let first_process = processes.len() as u32;
                let (rows, processes) = (0, 0);
                sections.push(Section { kind, first_row: place, rows, first_process, processes });
            }
            if let Some(section) = sections.last_mut() {
                section.processes += 1;
            }
            processes.push((fact.instance, place, 0));
        }
        if let (Some(process), Some(section)) = (processes.last_mut(), sections.last_mut()) {
            process.2 += 1;
            section.rows += 1;
        }
    }
    (processes, sections)
}

impl Arranged<'_> {
    fn write_head(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(MAGIC);
        put(to, self.contents.number, 8);
        to.extend_from_slice(&self.contents.root.0);
        put(to, self.contents.times.0, 8);
        put(to, self.contents.times.1, 8);
        for count in [
            self.words.len(),
            self.words.iter().map(|word| word.as_str().len() + 1).sum(),
            self.processes.len(),
            self.authors.len(),
            self.people.len(),
            self.contents.facts.len(),
            self.people.iter().map(|(_, list)| list.len()).sum(),
            self.by_deed.len(),
            self.contents.deeds.len(),
            self.sections.len(),
        ] {
            put(to, count as u64, 4);
        }
        for one in &self.sections {
            to.push(one.kind);
            for number in [one.first_row, one.rows, one.first_process, one.processes] {
                put(to, number.into(), 4);
            }
        }
        let sum = Sha256::digest(&*to);
        to.extend_from_slice(&sum);
    }

    fn write_tables(&self, to: &mut Vec<u8>) {
        for word in &self.words {
            to.push(word.as_str().len() as u8);
            to.extend_from_slice(word.as_str().as_bytes());
        }
        let roll = self.contents.roll;
        for (instance, first, count) in &self.processes {
            write_life(to, instance, roll.0.get(instance), &self.words);
            put(to, (*first).into(), 4);
            put(to, (*count).into(), 4);
        }
        for (start, kind) in &self.authors {
            to.extend_from_slice(&start.0);
            to.push(u8::try_from(kind.number()).unwrap_or(UNKNOWN));
        }
        let mut first = 0;
        for (person, list) in &self.people {
            let (tenant, has_user, user) = person_key(person);
            to.extend_from_slice(&tenant.0);
            to.push(u8::from(has_user));
            to.extend_from_slice(&user.0);
            put(to, first, 4);
            put(to, list.len() as u64, 4);
            first += list.len() as u64;
        }
    }

    fn write_lists(&self, to: &mut Vec<u8>) {
        for place in self.people.iter().flat_map(|(_, list)| list) {
            put(to, (*place).into(), 4);
        }
        let mut first = 0;
        for (deed, list) in &self.by_deed {
            to.push(*deed);
            put(to, first, 4);
            put(to, list.len() as u64, 4);
            first += list.len() as u64;
        }
        for place in self.by_deed.values().flatten() {
            put(to, (*place).into(), 2);
        }
        let mut lives: Vec<_> = self.contents.roll.0.iter().collect();
        lives.sort_by_key(|life| life.0);
        put(to, lives.len() as u64, 4);
        for (instance, life) in lives {
            write_life(to, instance, Some(life), &self.words);
        }
    }
}

enum Source {
    Bytes(Vec<u8>),
    File(File),
}

/// An index that is read where it is asked, and no more.
pub struct Chapter {
    source: Source,
    pub number: u64,
    pub root: Hash,
    /// The earliest and the latest time of its entries.
    pub times: (u64, u64),
    pub(crate) sections: Vec<Section>,
    counts: Counts,
}

#[derive(Clone, Copy)]
struct Counts {
    words: u64,
    word_bytes: u64,
    processes: u64,
    authors: u64,
    people: u64,
    rows: u64,
    lists: u64,
    deeds: u64,
    listed: u64,
    head: u64,
}

impl Chapter {
    /// # Errors
    /// The disk's, and `InvalidData` if this is no chapter.
    pub fn open(file: File) -> io::Result<Self> {
        Self::read(Source::File(file))
    }

    /// # Errors
    /// `InvalidData` if this is no chapter.
    pub fn of(bytes: Vec<u8>) -> io::Result<Self> {
        Self::read(Source::Bytes(bytes))
    }

    fn read(source: Source) -> io::Result<Self> {
        let fixed = part(&source, 0, HEAD_BYTES as u64)?;
        let parsed = parse_head(&fixed).ok_or(io::ErrorKind::InvalidData)?;
        let (number, root, times, counts, sections) = parsed;
        let length = HEAD_BYTES + sections * SECTION_BYTES;
        let head = part(&source, 0, length as u64 + 32)?;
        let (body, sum) = head.split_last_chunk::<32>().ok_or(io::ErrorKind::InvalidData)?;
        let own = body.get(HEAD_BYTES..).and_then(parse_sections);
        let (Some(sections), true) = (own, <[u8; 32]>::from(Sha256::digest(body)) == *sum) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let counts = Counts { head: length as u64 + 32, ..counts };
        Ok(Self { source, number, root, times, sections, counts })
    }

    fn processes_at(&self) -> u64 {
        self.counts.head + self.counts.word_bytes
    }

    fn authors_at(&self) -> u64 {
        self.processes_at() + self.counts.processes * PROCESS_BYTES as u64
    }

    fn people_at(&self) -> u64 {
        self.authors_at() + self.counts.authors * AUTHOR_BYTES as u64
    }

    fn rows_at(&self) -> u64 {
        self.people_at() + self.counts.people * PERSON_BYTES as u64
    }

    fn lists_at(&self) -> u64 {
        self.rows_at() + self.counts.rows * ROW_BYTES as u64
    }

    fn deeds_at(&self) -> u64 {
        self.lists_at() + self.counts.lists * 4
    }

    fn lives_at(&self) -> u64 {
        self.deeds_at() + self.counts.deeds * DEED_BYTES as u64 + self.counts.listed * 2
    }

    pub fn row_count(&self) -> u64 {
        self.counts.rows
    }

    fn words(&self) -> io::Result<Vec<Word>> {
        let bytes = part(&self.source, self.counts.head, self.counts.word_bytes)?;
        let mut from = Cursor::new(&bytes);
        let mut word = || {
            let length = usize::from(from.next()?);
            std::str::from_utf8(from.take(length)?).ok().map(Word::new)
        };
        let words: Option<Vec<Word>> = (0..self.counts.words).map(|_| word()).collect();
        words.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// The processes of some sections (all: `None`), each with its life and its rows.
    pub(crate) fn processes(&self, of: Option<u8>) -> io::Result<Vec<Process>> {
        let words = self.words()?;
        let mut found = Vec::new();
        for section in self.sections.iter().filter(|one| of.is_none_or(|kind| one.kind == kind)) {
            let first = u64::from(section.first_process) * PROCESS_BYTES as u64;
            let length = u64::from(section.processes) * PROCESS_BYTES as u64;
            let bytes = part(&self.source, self.processes_at() + first, length)?;
            for one in bytes.chunks_exact(PROCESS_BYTES) {
                let (life, rows) = one.split_at_checked(LIFE_BYTES).unwrap_or_default();
                let (instance, life) = read_life(life, &words).ok_or(io::ErrorKind::InvalidData)?;
                let mut rows = Cursor::new(rows);
                let (Some(first), Some(count)) = (number(&mut rows, 4), number(&mut rows, 4))
                else {
                    return Err(io::ErrorKind::InvalidData.into());
                };
                found.push(Process { instance, life, first, count });
            }
        }
        Ok(found)
    }

    /// Every process by its number.
    pub(crate) fn instances(&self) -> io::Result<Vec<InstanceId>> {
        let length = self.counts.processes * PROCESS_BYTES as u64;
        let bytes = part(&self.source, self.processes_at(), length)?;
        let ids = bytes.chunks_exact(PROCESS_BYTES).filter_map(|one| one.first_chunk::<6>());
        Ok(ids.map(|id| InstanceId(*id)).collect())
    }

    pub(crate) fn authors(&self) -> io::Result<Vec<InstanceId>> {
        let length = self.counts.authors * AUTHOR_BYTES as u64;
        let bytes = part(&self.source, self.authors_at(), length)?;
        let ids = bytes.chunks_exact(AUTHOR_BYTES).filter_map(|one| one.first_chunk::<6>());
        Ok(ids.map(|id| InstanceId(*id)).collect())
    }

    /// People by their number.
    pub(crate) fn people(&self) -> io::Result<Vec<Person>> {
        let length = self.counts.people * PERSON_BYTES as u64;
        let bytes = part(&self.source, self.people_at(), length)?;
        let people: Option<Vec<Person>> =
            bytes.chunks_exact(PERSON_BYTES).map(|one| Some(read_person(one)?.0)).collect();
        people.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    pub(crate) fn rows(&self, first: u64, count: u64) -> io::Result<Cow<'_, [u8]>> {
        let end = first.checked_add(count).filter(|end| *end <= self.counts.rows);
        let end = end.ok_or(io::ErrorKind::InvalidData)?;
        let bytes = ROW_BYTES as u64;
        part(&self.source, self.rows_at() + first * bytes, (end - first) * bytes)
    }

    /// Entries (from the chapter's first) that touch a contract, or one person of it, in the
    /// order of time.
    pub fn entries_of(&self, tenant: TenantId, user: Option<UserId>) -> io::Result<Vec<u16>> {
        let length = self.counts.people * PERSON_BYTES as u64;
        let bytes = part(&self.source, self.people_at(), length)?;
        let of = |one: &[u8]| read_person(one).map(|found| found.0.tenant);
        let people: Vec<&[u8]> = bytes.chunks_exact(PERSON_BYTES).collect();
        let from = people.partition_point(|one| of(one) < Some(tenant));
        let theirs = people.get(from..).unwrap_or_default();
        let theirs = theirs.iter().take_while(|one| of(one) == Some(tenant));
        let mut places = BTreeSet::new();
        for one in theirs {
            let (person, first, count) = read_person(one).ok_or(io::ErrorKind::InvalidData)?;
            if user.is_some() && person.user.is_some() && person.user != user {
                continue;
            }
            let list = part(&self.source, self.lists_at() + first * 4, count * 4)?;
            for place in list.chunks_exact(4) {
                let place = number(&mut Cursor::new(place), 4).unwrap_or_default();
                let row = self.rows(place, 1)?;
                let row = Row::read(&row).ok_or(io::ErrorKind::InvalidData)?;
                if user.is_none() || person.user == user {
                    places.insert(row.entry);
                }
            }
        }
        Ok(places.into_iter().collect())
    }

    /// Entries of one deed.
    pub fn entries_by(&self, deed: u8) -> io::Result<Vec<u16>> {
        let table = part(&self.source, self.deeds_at(), self.counts.deeds * DEED_BYTES as u64)?;
        for one in table.chunks_exact(DEED_BYTES) {
            let mut from = Cursor::new(one);
            let (found, first, count) = (from.next(), number(&mut from, 4), number(&mut from, 4));
            if let (Some(first), Some(count), true) = (first, count, found == Some(deed)) {
                let at = self.deeds_at() + self.counts.deeds * DEED_BYTES as u64 + first * 2;
                let list = part(&self.source, at, count.min(CHAPTER_ENTRIES) * 2)?;
                let places = list.chunks_exact(2).filter_map(|two| two.try_into().ok());
                return Ok(places.map(u16::from_be_bytes).collect());
            }
        }
        Ok(Vec::new())
    }

    /// What the binder of the next chapter must know.
    pub(crate) fn lives(&self) -> io::Result<Vec<(InstanceId, Life)>> {
        let words = self.words()?;
        let at = self.lives_at();
        let count = number(&mut Cursor::new(&part(&self.source, at, 4)?), 4).unwrap_or_default();
        let count = count.min(CHAPTER_ENTRIES * 64);
        let bytes = part(&self.source, at + 4, count * LIFE_BYTES as u64)?;
        let lives = bytes.chunks_exact(LIFE_BYTES).map(|one| {
            let (instance, life) = read_life(one, &words)?;
            Some((instance, life?))
        });
        lives.collect::<Option<_>>().ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

pub(crate) struct Process {
    pub instance: InstanceId,
    pub life: Option<Life>,
    pub first: u64,
    pub count: u64,
}

fn part(source: &Source, offset: u64, length: u64) -> io::Result<Cow<'_, [u8]>> {
    let (at, length) = (usize::try_from(offset), usize::try_from(length));
    let (Ok(at), Ok(length)) = (at, length) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    match source {
        Source::Bytes(bytes) => {
            let found = at.checked_add(length).and_then(|end| bytes.get(at..end));
            found.map(Cow::Borrowed).ok_or_else(|| io::ErrorKind::InvalidData.into())
        }
        Source::File(file) => {
            if file.metadata()?.len() < offset.saturating_add(length as u64) {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let mut bytes = vec![0; length];
            match Volume::read_at(file, offset, &mut bytes)? == length {
                true => Ok(Cow::Owned(bytes)),
                false => Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }
}

fn parse_head(head: &[u8]) -> Option<(u64, Hash, (u64, u64), Counts, usize)> {
    let mut from = Cursor::new(head);
    if from.take(MAGIC.len())? != MAGIC {
        return None;
    }
    let chapter = number(&mut from, 8)?;
    let root = Hash::from_slice(from.take(32)?)?;
    let times = (number(&mut from, 8)?, number(&mut from, 8)?);
    let mut count = || number(&mut from, 4);
    let counts = Counts {
        words: count()?,
        word_bytes: count()?,
        processes: count()?,
        authors: count()?,
        people: count()?,
        rows: count()?,
        lists: count()?,
        deeds: count()?,
        listed: count()?,
        head: 0,
    };
    let sections = usize::try_from(count()?).ok().filter(|sections| *sections <= SECTIONS)?;
    Some((chapter, root, times, counts, sections))
}

fn parse_sections(bytes: &[u8]) -> Option<Vec<Section>> {
    let section = |bytes: &[u8]| {
        let mut from = Cursor::new(bytes);
        let kind = from.next()?;
        let mut four = || number(&mut from, 4).and_then(|number| u32::try_from(number).ok());
        Some(Section {
            kind,
            first_row: four()?,
            rows: four()?,
            first_process: four()?,
            processes: four()?,
        })
    };
    bytes.chunks_exact(SECTION_BYTES).map(section).collect()
}

fn read_life(bytes: &[u8], words: &[Word]) -> Option<(InstanceId, Option<Life>)> {
    let mut from = Cursor::new(bytes);
    let instance = InstanceId::from_slice(from.take(6)?)?;
    let kind = from.next()?;
    let word = usize::try_from(number(&mut from, 2)?).ok()?;
    let (from_ms, to_ms) = (number(&mut from, 8)?, number(&mut from, 8)?);
    let has_edge = from.next()? == 1;
    let serves = InstanceId::from_slice(from.take(6)?)?;
    if kind == UNKNOWN {
        return Some((instance, None));
    }
    let life = Life {
        kind: Kind::ALL.iter().copied().find(|one| one.number() == u32::from(kind))?,
        version: words.get(word)?.clone(),
        from_ms,
        to_ms: (to_ms != u64::MAX).then_some(to_ms),
        serves: has_edge.then_some(serves),
    };
    Some((instance, Some(life)))
}

fn read_person(bytes: &[u8]) -> Option<(Person, u64, u64)> {
    let mut from = Cursor::new(bytes);
    let tenant = TenantId::from_slice(from.take(8)?)?;
    let has_user = from.next()? == 1;
    let user = UserId::from_slice(from.take(8)?)?;
    let person = Person { tenant, user: has_user.then_some(user) };
    Some((person, number(&mut from, 4)?, number(&mut from, 4)?))
}

/// The number under which processes without a start are found.
pub(crate) fn unknown_section() -> u8 {
    UNKNOWN
}
