//! Secrets that were made in the window by those asked about, found in chapters; and all that was
//! said since of the people whose they are, which is little, entry by entry.

use crate::chapter::CHAPTER_ENTRIES;
use crate::extent::each_person;
use crate::fault::{Fault, file};
use crate::index::{Index, chapter_name};
use crate::opened::Chapter;
use crate::plan::{asked, places};
use evidence::Frame;
use scope::{Life, Making, Tally};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use terms::{InstanceId, TenantId, UserId};

/// By its number in the log's format: a rule, address or person changed.
const CHANGE: u8 = 13;
/// What somebody had here is destroyed.
const DESTROYED: u8 = 42;

impl Index<'_> {
    /// Tells a tally what secrets opened that were made in the window by those asked about.
    pub(crate) fn follow_made(&self, tally: &mut Tally) -> Result<(), Fault> {
        let made = self.made_in(tally)?;
        let Some(first) = made.keys().next().copied() else { return Ok(()) };
        let makers = self.makers(&made, tally)?;
        let is_asked = |making: &&Making| {
            making.by.is_some_and(|by| makers.contains(&by)) || makers.contains(&making.start)
        };
        let theirs = made.values().flatten().filter(is_asked);
        let people: HashSet<(TenantId, UserId)> =
            theirs.map(|making| (making.tenant, making.user)).collect();
        if people.is_empty() {
            return Ok(());
        }
        makers.iter().for_each(|maker| tally.made_by(*maker));
        for number in first..self.full() {
            let chapter = self.chapter(number)?;
            let places = entries_of(&chapter, &people).map_err(file(chapter_name(number)))?;
            let begin = number * CHAPTER_ENTRIES;
            let indices = places.into_iter().map(|place| begin + u64::from(place));
            self.visit(indices, &mut |index, bytes| tell(tally, index, bytes))?;
        }
        self.tail_entries(&mut |index, bytes| tell(tally, index, bytes))
    }

    /// Tells a tally what ended secrets that were shown to those asked about.
    pub(crate) fn end_shown(&self, tally: &mut Tally) -> Result<(), Fault> {
        let Some(first) = tally.first_shown() else { return Ok(()) };
        let mut note = |index: u64, bytes: &[u8]| {
            if let Some(frame) = Frame::parse(bytes) {
                tally.hear_end(index, &frame.entry);
            }
            true
        };
        for number in first / CHAPTER_ENTRIES..self.full() {
            let chapter = self.chapter(number)?;
            let mut places = Vec::new();
            for deed in [CHANGE, DESTROYED] {
                places.extend(chapter.entries_by(deed).map_err(file(chapter_name(number)))?);
            }
            places.sort_unstable();
            let begin = number * CHAPTER_ENTRIES;
            self.visit(places.iter().map(|place| begin + u64::from(*place)), &mut note)?;
        }
        self.tail_entries(&mut note)
    }

    /// By chapter, the secrets that were made in the window, by whomever.
    fn made_in(&self, tally: &Tally) -> Result<BTreeMap<u64, Vec<Making>>, Fault> {
        let window = tally.question().from_ms..tally.question().to_ms;
        let mut made: BTreeMap<u64, Vec<Making>> = BTreeMap::new();
        let mut note = |index: u64, bytes: &[u8]| {
            let frame = Frame::parse(bytes);
            let entry = frame.as_ref().map(|frame| &frame.entry);
            let making = entry.filter(|entry| window.contains(&entry.time_ms));
            if let Some(making) = making.and_then(Making::of) {
                made.entry(index / CHAPTER_ENTRIES).or_default().push(making);
            }
            true
        };
        for number in 0..self.full() {
            let chapter = self.chapter(number)?;
            if chapter.times.1 < window.start || chapter.times.0 >= window.end {
                continue;
            }
            let places = chapter.entries_by(CHANGE).map_err(file(chapter_name(number)))?;
            let begin = number * CHAPTER_ENTRIES;
            self.visit(places.iter().map(|place| begin + u64::from(*place)), &mut note)?;
        }
        self.tail_entries(&mut note)?;
        Ok(made)
    }

    /// Who of those who made them, or wrote that down, is asked about. Mostly their own chapter
    /// knows them, or the next one; else they are looked for in all.
    fn makers(
        &self,
        made: &BTreeMap<u64, Vec<Making>>,
        tally: &Tally,
    ) -> Result<HashSet<InstanceId>, Fault> {
        let mut makers = HashSet::new();
        let mut unknown = HashSet::new();
        let tail = self.tail()?;
        for (number, making) in made {
            let mut lives: HashMap<InstanceId, Life> = HashMap::new();
            for near in (*number..=number + 1).filter(|near| *near < self.full()) {
                let known = self.chapter(near)?.lives().map_err(file(chapter_name(near)))?;
                lives.extend(known);
            }
            if number + 1 >= self.full() {
                lives.extend(tail.roll().0.iter().map(|(one, life)| (*one, life.clone())));
            }
            for one in making.iter().flat_map(|one| one.by.into_iter().chain([one.start])) {
                match lives.get(&one) {
                    Some(life) if tally.asks_about(life) => drop(makers.insert(one)),
                    Some(_) => {}
                    None => drop(unknown.insert(one)),
                }
            }
        }
        for number in (0..self.full()).filter(|_| !unknown.is_empty()) {
            let chapter = self.chapter(number)?;
            let found = among(&chapter, &unknown, tally).map_err(file(chapter_name(number)))?;
            makers.extend(found);
        }
        Ok(makers)
    }
}

fn tell(tally: &mut Tally, index: u64, bytes: &[u8]) -> bool {
    if let Some(frame) = Frame::parse(bytes) {
        tally.follow_made(index, &frame.entry);
    }
    true
}

/// Those of whom a chapter knows that they are asked about.
fn among(
    chapter: &Chapter,
    wanted: &HashSet<InstanceId>,
    tally: &Tally,
) -> io::Result<Vec<InstanceId>> {
    let words = chapter.words()?;
    let mut found = Vec::new();
    for section in asked(chapter, tally.question(), &words) {
        for place in places(chapter, section, wanted)? {
            let one = chapter.process(place, &words)?;
            let is_asked = one.life.as_ref().is_some_and(|life| tally.asks_about(life));
            found.extend(is_asked.then_some(one.instance));
        }
    }
    Ok(found)
}

/// Entries (from the chapter's first) that touch any of these people, in the order of the log.
fn entries_of(
    chapter: &Chapter,
    people: &HashSet<(TenantId, UserId)>,
) -> io::Result<BTreeSet<u16>> {
    let mut theirs = Vec::new();
    each_person(chapter, |place, person| {
        if person.user.is_some_and(|user| people.contains(&(person.tenant, user))) {
            theirs.push(place as u64);
        }
    })?;
    let mut places = BTreeSet::new();
    for place in theirs {
        places.extend(chapter.entries_at(place)?);
    }
    Ok(places)
}
