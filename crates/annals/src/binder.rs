//! Binds entries into chapters: as each chapter is full, its index is handed out.

use crate::chapter::{CHAPTER_ENTRIES, Contents, encode};
use evidence::Entry;
use scope::{Fact, LAG_MS, Life, Roll, facts};
use std::collections::{HashMap, HashSet};
use terms::{InstanceId, Kind};
use tlog::{CompactRange, Hash};

/// However fast the log grows, a process is known for so long after its end.
const KNOWN_MS: u64 = LAG_MS * 2;

/// Gathers one chapter at a time, in the order of the log.
pub struct Binder {
    next: u64,
    range: CompactRange,
    roll: Roll,
    facts: Vec<Fact>,
    /// The deeds of entries by their word's number in the log's format.
    deeds: Vec<(u8, u16)>,
    authors: HashMap<InstanceId, Kind>,
    times: Option<(u64, u64)>,
    /// The latest time, and the entry that tells it.
    newest: Option<(u64, u64)>,
    /// Processes that ended in the chapter before: late words of theirs may still come.
    ended_before: Vec<InstanceId>,
}

impl Binder {
    /// Begins at a chapter; `lives` are those told by the chapter before (none for the first).
    pub fn new(chapter: u64, lives: Vec<(InstanceId, Life)>) -> Self {
        let ended = lives.iter().filter(|(_, life)| life.to_ms.is_some());
        let ended_before = ended.map(|(instance, _)| *instance).collect();
        Self {
            next: chapter * CHAPTER_ENTRIES,
            range: CompactRange::new(),
            roll: Roll(lives.into_iter().collect()),
            facts: Vec::new(),
            deeds: Vec::new(),
            authors: HashMap::new(),
            times: None,
            newest: None,
            ended_before,
        }
    }

    /// The entry that is expected next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The roll as it stands.
    pub fn roll(&self) -> &Roll {
        &self.roll
    }

    /// The facts of the chapter that is not full yet.
    pub fn open_facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Of the chapter that is not full yet, the latest time and the entry that tells it.
    pub fn newest(&self) -> Option<(u64, u64)> {
        self.newest
    }

    /// Of the chapter that is not full yet, the earliest time.
    pub fn begins(&self) -> Option<u64> {
        self.times.map(|times| times.0)
    }

    /// Takes the next entry, its leaf and what it says (`None` if it cannot be read). Hands out
    /// number and index of the chapter that it completes.
    pub fn take(&mut self, leaf: Hash, entry: Option<&Entry>) -> Option<(u64, Vec<u8>)> {
        let index = self.next;
        self.next += 1;
        self.range.append(leaf, |_, _, _| {});
        if let Some(entry) = entry {
            self.roll.note(entry);
            facts(index, entry, |fact| self.facts.push(fact));
            let place = u16::try_from(index % CHAPTER_ENTRIES).unwrap_or(u16::MAX);
            self.deeds.push((entry.body.deed_number(), place));
            self.authors.insert(entry.start, entry.author);
            let at_ms = entry.time_ms;
            let (first, last) = self.times.unwrap_or((at_ms, at_ms));
            self.times = Some((first.min(at_ms), last.max(at_ms)));
            self.newest = self.newest.max(Some((at_ms, index)));
        }
        self.next.is_multiple_of(CHAPTER_ENTRIES).then(|| self.close())
    }

    fn close(&mut self) -> (u64, Vec<u8>) {
        let number = self.next / CHAPTER_ENTRIES - 1;
        let times = self.times.take().unwrap_or_default();
        let gone = self.gone(times.0);
        let newest = self.newest.take().map_or(0, |newest| newest.1 % CHAPTER_ENTRIES);
        let contents = Contents {
            number,
            root: self.range.root(),
            times,
            newest: u16::try_from(newest).unwrap_or_default(),
            facts: std::mem::take(&mut self.facts),
            deeds: std::mem::take(&mut self.deeds),
            authors: std::mem::take(&mut self.authors),
            roll: &self.roll,
            gone: gone.clone(),
        };
        let bytes = encode(contents);
        self.roll.0.retain(|instance, _| !gone.contains(instance));
        self.range = CompactRange::new();
        let ended = self.roll.0.iter().filter(|(_, life)| life.to_ms.is_some());
        self.ended_before = ended.map(|(instance, _)| *instance).collect();
        (number, bytes)
    }

    /// Those that ended before this chapter, of whom and from whom nothing was heard in it, and
    /// beside whom nobody stands any more.
    fn gone(&mut self, begin_ms: u64) -> HashSet<InstanceId> {
        let told = self.facts.iter().flat_map(|fact| [fact.instance, fact.start]);
        let heard: HashSet<InstanceId> = told.collect();
        let is_past = |one: &InstanceId| {
            let life = self.roll.0.get(one);
            let to_ms = life.and_then(|life| life.to_ms);
            to_ms.is_some_and(|to_ms| to_ms.saturating_add(KNOWN_MS) < begin_ms)
        };
        let ended = std::mem::take(&mut self.ended_before).into_iter();
        let mut gone: HashSet<InstanceId> =
            ended.filter(|one| !heard.contains(one) && is_past(one)).collect();
        // A scanner stands beside a dispatch, and that beside an access: whoever stays keeps both.
        loop {
            let stay = self.roll.0.iter().filter(|(one, _)| !gone.contains(one));
            let served: HashSet<InstanceId> = stay.filter_map(|(_, life)| life.serves).collect();
            let before = gone.len();
            gone.retain(|one| !served.contains(one));
            if gone.len() == before {
                break;
            }
        }
        gone
    }
}
