//! Reads a chapter where it is asked, and no more.

use crate::chapter::CHAPTER_ENTRIES;
use crate::handed::{HANDED_BYTES, Handed, LATE_BYTES, Late};
use crate::minted::Mint;
use crate::place::{
    AUTHOR_BYTES, CELL_BYTES, CONTRACT_BYTES, CREDENTIAL_BYTES, CROSSING_BYTES, Counts, DEED_BYTES,
    FENCE_BYTES, GRANT_BYTES, HEAD_BYTES, ID_BYTES, LIFE_BYTES, Place, RECORD_BYTES, SECTION_BYTES,
    SHOWN_BYTES, Section, UNKNOWN, USER_BYTES, parse_head, parse_sections,
};
use crate::rows::{Row, number};
use crate::sums::{Kept, NO_MAP};
use evidence::Word;
use rustix::fs::{Advice, fadvise};
use scope::{Cell, Deed, Item, Life, Person, Tie};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use terms::{Cursor, InstanceId, Kind, TenantId, UserId};
use tlog::{Hash, Volume};

enum Source {
    Bytes(Vec<u8>),
    File(File, u64),
}

/// An index that is read where it is asked, and no more.
pub struct Chapter {
    source: Source,
    pub number: u64,
    pub root: Hash,
    /// The earliest and the latest time of its entries.
    pub times: (u64, u64),
    /// The entry of the latest time.
    pub newest: u64,
    pub(crate) sections: Vec<Section>,
    counts: Counts,
    head: u64,
}

pub(crate) struct Process {
    pub instance: InstanceId,
    pub life: Option<Life>,
    pub first: u64,
    pub count: u64,
}

/// A contract's people: of whom, the first of them, and whether that is nobody of it.
#[derive(Clone, Copy)]
pub(crate) struct Contract {
    pub tenant: TenantId,
    pub first: u32,
    pub has_nobody: bool,
}

fn damaged() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

impl Chapter {
    /// # Errors
    /// The disk's, and `InvalidData` if this is no chapter.
    pub fn open(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Self::read(Source::File(file, length))
    }

    /// # Errors
    /// `InvalidData` if this is no chapter.
    pub fn of(bytes: Vec<u8>) -> io::Result<Self> {
        Self::read(Source::Bytes(bytes))
    }

    fn read(source: Source) -> io::Result<Self> {
        let fixed = part(&source, 0, HEAD_BYTES as u64)?;
        let found = parse_head(&fixed).ok_or_else(damaged)?;
        let length = HEAD_BYTES + found.sections * SECTION_BYTES;
        let head = part(&source, 0, length as u64 + 32)?;
        let (body, sum) = head.split_last_chunk::<32>().ok_or_else(damaged)?;
        let own = body.get(HEAD_BYTES..).and_then(parse_sections);
        let (Some(sections), true) = (own, <[u8; 32]>::from(Sha256::digest(body)) == *sum) else {
            return Err(damaged());
        };
        Ok(Self {
            number: found.number,
            root: found.root,
            times: found.times,
            newest: found.number.saturating_mul(CHAPTER_ENTRIES) + u64::from(found.newest),
            sections,
            counts: found.counts,
            head: length as u64 + 32,
            source,
        })
    }

    /// Octets of all that a scope reads of every chapter.
    pub(crate) fn front(&self) -> u64 {
        self.head.saturating_add(self.counts.at(Place::Whose))
    }

    /// Asks the disk for the front, in one go, and does not wait.
    pub(crate) fn will_need(&self) {
        if let Source::File(file, _) = &self.source {
            // Without it the same is read later, in pieces.
            let _ = fadvise(file, 0, NonZeroU64::new(self.front()), Advice::WillNeed);
        }
    }

    /// Records of a part.
    pub(crate) fn some(&self, place: Place, first: u64, count: u64) -> io::Result<Cow<'_, [u8]>> {
        let end = first.checked_add(count).filter(|end| *end <= self.counts.of(place));
        let end = end.ok_or_else(damaged)?;
        let width = self.counts.width(place);
        let at = self.head.saturating_add(self.counts.at(place));
        part(&self.source, at.saturating_add(first * width), (end - first) * width)
    }

    pub(crate) fn all(&self, place: Place) -> io::Result<Cow<'_, [u8]>> {
        self.some(place, 0, self.counts.of(place))
    }

    /// Octets of one map.
    pub(crate) fn map_bytes(&self, place: Place) -> usize {
        usize::try_from(self.counts.width(place)).unwrap_or_default()
    }

    /// Whose the facts of a cell are: one bit for each person.
    pub(crate) fn people_map(&self, kept: &Kept) -> io::Result<Option<Cow<'_, [u8]>>> {
        match kept.people {
            NO_MAP => Ok(None),
            number => self.some(Place::PeopleMaps, number.into(), 1).map(Some),
        }
    }

    /// Octets of a cell's map of messages.
    pub(crate) fn pair_map(&self, kept: &Kept, from: u64, count: u64) -> io::Result<Cow<'_, [u8]>> {
        let (number, width) = (u64::from(kept.pairs), self.counts.width(Place::PairMaps));
        let is_inside = from.checked_add(count).is_some_and(|end| end <= width);
        match kept.pairs {
            NO_MAP => Ok(Cow::Borrowed(&[])),
            _ if number >= self.counts.of(Place::PairMaps) || !is_inside => Err(damaged()),
            _ => {
                let at = self.head.saturating_add(self.counts.at(Place::PairMaps));
                part(&self.source, at.saturating_add(number * width + from), count)
            }
        }
    }

    pub(crate) fn count(&self, place: Place) -> u64 {
        self.counts.of(place)
    }

    pub fn row_count(&self) -> u64 {
        self.counts.of(Place::Rows)
    }

    pub(crate) fn words(&self) -> io::Result<Vec<Word>> {
        let bytes = self.all(Place::Words)?;
        let mut from = Cursor::new(&bytes);
        let mut words = Vec::new();
        while let Some(length) = from.next() {
            let word = from.take(length.into()).and_then(|word| std::str::from_utf8(word).ok());
            words.push(Word::new(word.ok_or_else(damaged)?));
        }
        Ok(words)
    }

    pub(crate) fn sections_of(&self, kind: u8) -> impl Iterator<Item = &Section> {
        self.sections.iter().filter(move |one| one.kind == kind)
    }

    /// The processes of some sections (all: `None`), each with its life and its rows.
    pub(crate) fn processes(&self, of: Option<u8>) -> io::Result<Vec<Process>> {
        let words = self.words()?;
        let mut found = Vec::new();
        for section in self.sections.iter().filter(|one| of.is_none_or(|kind| one.kind == kind)) {
            self.processes_at(section.first_process, section.processes, &words, &mut found)?;
        }
        Ok(found)
    }

    fn processes_at(
        &self,
        first: u32,
        count: u32,
        words: &[Word],
        found: &mut Vec<Process>,
    ) -> io::Result<()> {
        let ids = self.some(Place::Ids, first.into(), count.into())?;
        let records = self.some(Place::Records, first.into(), count.into())?;
        for (id, one) in ids.chunks_exact(ID_BYTES).zip(records.chunks_exact(RECORD_BYTES)) {
            found.push(read_process(id, one, words).ok_or_else(damaged)?);
        }
        Ok(())
    }

    /// The processes of one section.
    pub(crate) fn processes_of(&self, of: &Section, words: &[Word]) -> io::Result<Vec<Process>> {
        let mut found = Vec::new();
        self.processes_at(of.first_process, of.processes, words, &mut found)?;
        Ok(found)
    }

    /// One process by its number.
    pub(crate) fn process(&self, number: u32, words: &[Word]) -> io::Result<Process> {
        let mut found = Vec::with_capacity(1);
        self.processes_at(number, 1, words, &mut found)?;
        found.pop().ok_or_else(damaged)
    }

    /// Processes of a section that lived before this chapter, or live on.
    pub(crate) fn crossing(&self, section: &Section, words: &[Word]) -> io::Result<Vec<Process>> {
        let count = u64::from(section.crossing);
        let all = self.some(Place::Crossing, section.first_crossing.into(), count)?;
        let read = |one: &[u8]| {
            let (id, record) = one.split_at_checked(ID_BYTES)?;
            read_process(id, record, words)
        };
        let all = all.chunks_exact(CROSSING_BYTES).map(read);
        all.collect::<Option<_>>().ok_or_else(damaged)
    }

    /// The ids of a section's processes, in their order.
    pub(crate) fn ids(&self, section: &Section) -> io::Result<Cow<'_, [u8]>> {
        self.some(Place::Ids, section.first_process.into(), section.processes.into())
    }

    /// Every process by its number.
    pub(crate) fn instances(&self) -> io::Result<Vec<InstanceId>> {
        let bytes = self.all(Place::Ids)?;
        Ok(bytes.chunks_exact(ID_BYTES).filter_map(InstanceId::from_slice).collect())
    }

    pub(crate) fn authors(&self) -> io::Result<Vec<InstanceId>> {
        let bytes = self.all(Place::Authors)?;
        let ids = bytes.chunks_exact(AUTHOR_BYTES).filter_map(|one| one.first_chunk::<ID_BYTES>());
        Ok(ids.map(|id| InstanceId(*id)).collect())
    }

    /// Authors by their number.
    pub(crate) fn writers(&self) -> io::Result<Vec<Writer>> {
        let all = self.all(Place::Authors)?;
        let all = all.chunks_exact(AUTHOR_BYTES).map(read_writer);
        all.collect::<Option<_>>().ok_or_else(damaged)
    }

    /// Grants that were minted here, by their id.
    pub(crate) fn mints(&self) -> io::Result<Vec<Mint>> {
        let all = self.all(Place::Grants)?;
        let all = all.chunks_exact(GRANT_BYTES).map(Mint::read);
        all.collect::<Option<_>>().ok_or_else(damaged)
    }

    pub(crate) fn contracts(&self) -> io::Result<Vec<Contract>> {
        let bytes = self.all(Place::Contracts)?;
        let contracts = bytes.chunks_exact(CONTRACT_BYTES).map(read_contract);
        contracts.collect::<Option<_>>().ok_or_else(damaged)
    }

    /// People by their number.
    pub(crate) fn people(&self) -> io::Result<Vec<Person>> {
        let contracts = self.contracts()?;
        let users = self.all(Place::Users)?;
        let mut people = Vec::with_capacity(users.len() / USER_BYTES);
        let mut contracts = contracts.into_iter().peekable();
        let mut of = None;
        for (user, number) in users.chunks_exact(USER_BYTES).zip(0u32..) {
            of = contracts.next_if(|next| next.first == number).or(of);
            let Contract { tenant, first, has_nobody } = of.ok_or_else(damaged)?;
            let is_nobody = has_nobody && first == number;
            let user = UserId::from_slice(user).filter(|_| !is_nobody);
            people.push(Person { tenant, user });
        }
        Ok(people)
    }

    pub(crate) fn rows(&self, first: u64, count: u64) -> io::Result<Cow<'_, [u8]>> {
        self.some(Place::Rows, first, count)
    }

    /// Entries (from the chapter's first) that touch a contract, or one person of it, in the
    /// order of time.
    pub fn entries_of(&self, tenant: TenantId, user: Option<UserId>) -> io::Result<Vec<u16>> {
        let contracts = self.contracts()?;
        let at = contracts.partition_point(|one| one.tenant < tenant);
        let Some(of) = contracts.get(at).filter(|one| one.tenant == tenant) else {
            return Ok(Vec::new());
        };
        let people = self.counts.of(Place::Users);
        let (first, end) = (u64::from(of.first), contracts.get(at + 1));
        let end = end.map_or(people, |next| next.first.into());
        let count = end.checked_sub(first).ok_or_else(damaged)?;
        let users = self.some(Place::Users, first, count)?;
        let lists = self.some(Place::ListOf, first, count)?;
        let mut places = BTreeSet::new();
        for ((found, list), place) in users.chunks_exact(USER_BYTES).zip(lists.chunks(8)).zip(0..) {
            let is_nobody = place == 0 && of.has_nobody;
            let found = UserId::from_slice(found).filter(|_| !is_nobody);
            if user.is_some() && found != user {
                continue;
            }
            places.extend(self.listed(list)?);
        }
        Ok(places.into_iter().collect())
    }

    /// The same of one person, by their number.
    pub(crate) fn entries_at(&self, person: u64) -> io::Result<Vec<u16>> {
        let list = self.some(Place::ListOf, person, 1)?;
        self.listed(&list)
    }

    fn listed(&self, list: &[u8]) -> io::Result<Vec<u16>> {
        let mut list = Cursor::new(list);
        let (first, count) = (number(&mut list, 4), number(&mut list, 4));
        let first = first.ok_or_else(damaged)?;
        let mut entries = Vec::new();
        for place in self.some(Place::Lists, first, count.unwrap_or_default())?.chunks_exact(4) {
            let place = number(&mut Cursor::new(place), 4).unwrap_or_default();
            let row = self.rows(place, 1)?;
            entries.push(Row::read(&row).ok_or_else(damaged)?.entry);
        }
        Ok(entries)
    }

    /// Entries of one deed.
    pub fn entries_by(&self, deed: u8) -> io::Result<Vec<u16>> {
        let table = self.all(Place::DeedTable)?;
        for one in table.chunks_exact(DEED_BYTES) {
            let mut from = Cursor::new(one);
            let (found, first, count) = (from.next(), number(&mut from, 4), number(&mut from, 4));
            if let (Some(first), Some(count), true) = (first, count, found == Some(deed)) {
                let list = self.some(Place::Deeds, first, count.min(CHAPTER_ENTRIES))?;
                let places = list.chunks_exact(2).filter_map(|two| two.try_into().ok());
                return Ok(places.map(u16::from_be_bytes).collect());
            }
        }
        Ok(Vec::new())
    }

    /// What the binder of the next chapter must know: processes with rows here, and others.
    pub(crate) fn lives(&self) -> io::Result<Vec<(InstanceId, Life)>> {
        let processes = self.processes(None)?.into_iter();
        let mut lives: Vec<(InstanceId, Life)> =
            processes.filter_map(|one| Some((one.instance, one.life?))).collect();
        let words = self.words()?;
        for one in self.all(Place::Lives)?.chunks_exact(ID_BYTES + LIFE_BYTES) {
            let (id, life) = one.split_at_checked(ID_BYTES).ok_or_else(damaged)?;
            let id = InstanceId::from_slice(id).ok_or_else(damaged)?;
            let life = read_life(&mut Cursor::new(life), &words).flatten();
            lives.push((id, life.ok_or_else(damaged)?));
        }
        Ok(lives)
    }

    /// Processes that live when the chapter ends, or of which it says anything.
    pub(crate) fn heard(&self) -> io::Result<Vec<(InstanceId, Life)>> {
        let mut lives = self.lives()?;
        let with_rows = usize::try_from(self.counts.of(Place::Ids)).unwrap_or_default();
        let mut place = 0;
        let unknown: u64 = self.sections_of(UNKNOWN).map(|one| u64::from(one.processes)).sum();
        let with_rows = with_rows.saturating_sub(usize::try_from(unknown).unwrap_or_default());
        lives.retain(|(_, life)| {
            place += 1;
            place <= with_rows || life.to_ms.is_none()
        });
        Ok(lives)
    }

    /// Processes of which the chapter says nothing, and which are known to the next one.
    pub(crate) fn remembered(&self) -> io::Result<HashSet<InstanceId>> {
        let lives = self.all(Place::Lives)?;
        let ids = lives.chunks_exact(ID_BYTES + LIFE_BYTES).filter_map(|one| one.first_chunk());
        Ok(ids.map(|id| InstanceId(*id)).collect())
    }

    pub(crate) fn cells(&self) -> io::Result<Vec<Kept>> {
        let cells = self.all(Place::Cells)?;
        let cells = cells.chunks_exact(CELL_BYTES).map(read_cell);
        cells.collect::<Option<_>>().ok_or_else(damaged)
    }

    /// By component and version: a sort of credential, whose, and when it was last used.
    pub(crate) fn credentials(&self) -> io::Result<Vec<Credential>> {
        let all = self.all(Place::Credentials)?;
        let all = all.chunks_exact(CREDENTIAL_BYTES).map(read_credential);
        all.collect::<Option<_>>().ok_or_else(damaged)
    }

    /// Connections that gates handed on, by their id.
    pub(crate) fn handed(&self) -> io::Result<Vec<Handed>> {
        let all = self.all(Place::Handed)?;
        let all = all.chunks_exact(HANDED_BYTES).map(Handed::read);
        all.collect::<Option<_>>().ok_or_else(damaged)
    }

    /// What was kept and came over none of them, or perhaps over another one.
    pub(crate) fn late(&self) -> io::Result<Vec<Late>> {
        let all = self.all(Place::Late)?;
        let all = all.chunks_exact(LATE_BYTES).map(Late::read);
        all.collect::<Option<_>>().ok_or_else(damaged)
    }

    /// By component and version: a secret that was shown to it, whose, and when last.
    pub(crate) fn shown(&self) -> io::Result<Vec<Shown>> {
        let all = self.all(Place::Shown)?;
        let all = all.chunks_exact(SHOWN_BYTES).map(read_shown);
        all.collect::<Option<_>>().ok_or_else(damaged)
    }

    /// From which pair to which, and from which octet of whose they are to which, an octet of
    /// their order goes, up to and with another.
    pub(crate) fn fences(&self, first: u8, last: u8) -> io::Result<((u64, u64), (u64, u64))> {
        let fence = |octet: u64| {
            let bytes = self.some(Place::Fences, octet, 1)?;
            let mut from = Cursor::new(bytes.get(..FENCE_BYTES).unwrap_or_default());
            let pair = number(&mut from, 4).and_then(|pair| Some((pair, number(&mut from, 4)?)));
            pair.ok_or_else(damaged)
        };
        let (begin, end) = (fence(first.into())?, fence(u64::from(last) + 1)?);
        match begin.0 <= end.0 && begin.1 <= end.1 {
            true => Ok(((begin.0, end.0), (begin.1, end.1))),
            false => Err(damaged()),
        }
    }
}

/// Who wrote entries.
pub(crate) struct Writer {
    pub start: InstanceId,
    /// As what.
    pub wrote_as: u8,
    /// What it was, by its start.
    pub kind: u8,
    pub word: u16,
    /// Until when the last of its grants is good, and the entry from the chapter's first.
    pub until: (u64, u64),
}

fn read_writer(bytes: &[u8]) -> Option<Writer> {
    let mut from = Cursor::new(bytes);
    Some(Writer {
        start: InstanceId::from_slice(from.take(ID_BYTES)?)?,
        wrote_as: from.next()?,
        kind: from.next()?,
        word: number(&mut from, 2)? as u16,
        until: (number(&mut from, 8)?, number(&mut from, 2)?),
    })
}

/// A sort of credential that processes of one component and version used.
pub(crate) struct Credential {
    pub kind: u8,
    pub word: u16,
    pub item: Item,
    pub tenant: Option<TenantId>,
    pub last_ms: u64,
}

/// A secret that was shown to processes of one component and version.
pub(crate) struct Shown {
    pub kind: u8,
    pub word: u16,
    /// The number of whose it is.
    pub person: u32,
    pub item: Item,
    pub last_ms: u64,
    /// From the chapter's first.
    pub entry: u16,
}

fn part(source: &Source, offset: u64, length: u64) -> io::Result<Cow<'_, [u8]>> {
    let (at, size) = (usize::try_from(offset), usize::try_from(length));
    let (Ok(at), Ok(size)) = (at, size) else {
        return Err(damaged());
    };
    match source {
        Source::Bytes(bytes) => {
            let found = at.checked_add(size).and_then(|end| bytes.get(at..end));
            found.map(Cow::Borrowed).ok_or_else(damaged)
        }
        Source::File(file, whole) => {
            if *whole < offset.saturating_add(length) {
                return Err(damaged());
            }
            let mut bytes = vec![0; size];
            match Volume::read_at(file, offset, &mut bytes)? == size {
                true => Ok(Cow::Owned(bytes)),
                false => Err(damaged()),
            }
        }
    }
}

fn read_process(id: &[u8], record: &[u8], words: &[Word]) -> Option<Process> {
    let mut from = Cursor::new(record);
    let life = read_life(&mut from, words)?;
    let (first, count) = (number(&mut from, 4)?, number(&mut from, 4)?);
    Some(Process { instance: InstanceId::from_slice(id)?, life, first, count })
}

fn read_life(from: &mut Cursor, words: &[Word]) -> Option<Option<Life>> {
    let kind = from.next()?;
    let word = usize::try_from(number(from, 2)?).ok()?;
    let (from_ms, to_ms) = (number(from, 8)?, number(from, 8)?);
    let has_edge = from.next()? == 1;
    let serves = InstanceId::from_slice(from.take(6)?)?;
    if kind == UNKNOWN {
        return Some(None);
    }
    Some(Some(Life {
        kind: Kind::ALL.iter().copied().find(|one| one.number() == u32::from(kind))?,
        version: words.get(word)?.clone(),
        from_ms,
        to_ms: (to_ms != u64::MAX).then_some(to_ms),
        serves: has_edge.then_some(serves),
    }))
}

fn read_contract(bytes: &[u8]) -> Option<Contract> {
    let mut from = Cursor::new(bytes);
    let tenant = TenantId::from_slice(from.take(8)?)?;
    let first = u32::try_from(number(&mut from, 4)?).ok()?;
    Some(Contract { tenant, first, has_nobody: from.next()? == 1 })
}

fn read_cell(bytes: &[u8]) -> Option<Kept> {
    let mut from = Cursor::new(bytes);
    let (kind, word) = (from.next()?, number(&mut from, 2)? as u16);
    let deed = Deed::from_number(from.next()?)?;
    let tie = Tie::from_number(from.next()?)?;
    let month = number(&mut from, 4)? as u32;
    let mut eight = || number(&mut from, 8);
    let (first_ms, last_ms) = (eight()?, eight()?);
    let (told, sum) = ((eight()?, eight()?), eight()?);
    let (people, pairs) = (number(&mut from, 2)? as u16, number(&mut from, 2)? as u16);
    let count = number(&mut from, 4)? as u32;
    let cell = Cell { deed, month, tie, first_ms, last_ms, told, sum };
    Some(Kept { kind, word, cell, people, pairs, count })
}

fn read_shown(bytes: &[u8]) -> Option<Shown> {
    let mut from = Cursor::new(bytes);
    let (kind, word) = (from.next()?, number(&mut from, 2)? as u16);
    let person = number(&mut from, 3)? as u32;
    let item = Item(*from.take(16)?.first_chunk()?);
    let (last_ms, entry) = (number(&mut from, 8)?, number(&mut from, 2)? as u16);
    Some(Shown { kind, word, person, item, last_ms, entry })
}

fn read_credential(bytes: &[u8]) -> Option<Credential> {
    let mut from = Cursor::new(bytes);
    let (kind, word) = (from.next()?, number(&mut from, 2)? as u16);
    let item = Item(*from.take(16)?.first_chunk()?);
    let has_tenant = from.next()? == 1;
    let tenant = TenantId::from_slice(from.take(8)?)?;
    let last_ms = number(&mut from, 8)?;
    Some(Credential { kind, word, item, tenant: has_tenant.then_some(tenant), last_ms })
}
