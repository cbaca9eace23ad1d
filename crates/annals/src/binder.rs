//! Binds entries into chapters: as each chapter is full, its index is handed out.

use crate::chapter::{CHAPTER_ENTRIES, Contents, encode};
use evidence::Entry;
use scope::{Fact, Life, Roll, facts};
use std::collections::{HashMap, HashSet};
use terms::{InstanceId, Kind};
use tlog::{CompactRange, Hash};

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
        }
        self.next.is_multiple_of(CHAPTER_ENTRIES).then(|| self.close())
    }

    fn close(&mut self) -> (u64, Vec<u8>) {
        let number = self.next / CHAPTER_ENTRIES - 1;
        let heard: HashSet<InstanceId> = self.facts.iter().map(|fact| fact.instance).collect();
        for instance in std::mem::take(&mut self.ended_before) {
            if !heard.contains(&instance) {
                self.roll.0.remove(&instance);
            }
        }
        let contents = Contents {
            number,
            root: self.range.root(),
            times: self.times.take().unwrap_or_default(),
            facts: std::mem::take(&mut self.facts),
            deeds: std::mem::take(&mut self.deeds),
            authors: std::mem::take(&mut self.authors),
            roll: &self.roll,
        };
        let bytes = encode(contents);
        self.range = CompactRange::new();
        let ended = self.roll.0.iter().filter(|(_, life)| life.to_ms.is_some());
        self.ended_before = ended.map(|(instance, _)| *instance).collect();
        (number, bytes)
    }
}
