//! What was brought into the window: of processes that lived when it began, the rows that stand in
//! chapters before it. They are few, and each chapter is asked for theirs alone, and only back to
//! the birth of the oldest of them.

use crate::fault::{Fault, file};
use crate::index::{Index, LATE_MS, chapter_name};
use crate::opened::{Chapter, Process};
use crate::place::{ID_BYTES, UNKNOWN};
use crate::plan::places;
use crate::telling::{Telling, number_of};
use scope::{Life, Reach, Roll, Tally};
use std::collections::HashSet;
use std::io;
use terms::{InstanceId, Kind};

#[derive(Default)]
pub(crate) struct Carried {
    lives: Vec<(InstanceId, Life)>,
    /// Those themselves, and those beside whom they stood.
    wanted: HashSet<InstanceId>,
    /// Beside whom one of them stood is not told, or it was a gate: it may have been anybody.
    may_be_anybody: bool,
    /// Dispatches that served one of them, and of which a chapter spoke without knowing them.
    late: Vec<(InstanceId, Life)>,
    oldest_ms: u64,
}

impl Carried {
    /// `lives`: all who are known at the end of the last entries of which any is older than the
    /// window. Whoever ended before it is known by then to have ended.
    pub fn of(lives: Vec<(InstanceId, Life)>, tally: &Tally) -> Self {
        let lives: Vec<(InstanceId, Life)> =
            lives.into_iter().filter(|(_, life)| tally.lived_into(life)).collect();
        let served = lives.iter().filter(|(_, life)| life.kind == Kind::Scanner);
        let served = served.filter_map(|(_, life)| life.serves);
        let wanted = lives.iter().map(|(one, _)| *one).chain(served).collect();
        let is_unplaced = |life: &Life| life.kind == Kind::Scanner && life.serves.is_none();
        let is_gate = |life: &Life| life.kind == Kind::Gate;
        let may_be_anybody = lives.iter().any(|(_, life)| is_unplaced(life) || is_gate(life));
        let oldest_ms = lives.iter().map(|(_, life)| life.from_ms).min().unwrap_or(u64::MAX);
        Self { lives, wanted, may_be_anybody, late: Vec::new(), oldest_ms }
    }

    /// Who they are.
    pub fn lives(&self) -> &[(InstanceId, Life)] {
        &self.lives
    }

    /// Since when a chapter may speak of them. What somebody did may be written down a little
    /// before its birth.
    pub fn since_ms(&self) -> u64 {
        self.oldest_ms.saturating_sub(LATE_MS)
    }

    /// They are met before anything is told.
    pub fn met_by(&self, tally: &mut Tally) {
        for (instance, life) in &self.lives {
            tally.meet(*instance, life);
            tally.carry(*instance, life);
        }
        self.late.iter().for_each(|(instance, life)| tally.meet(*instance, life));
    }

    /// Looks for dispatches that served one of them, among those whom their own chapter, before
    /// `end`, did not know. `roll`: of the entries behind the last full chapter.
    pub fn placing(mut self, index: &Index, end: u64, roll: &Roll) -> Result<Self, Fault> {
        let mut unplaced: HashSet<InstanceId> = HashSet::new();
        let mut feeds = self.lives.iter().map(|(_, life)| life.kind);
        if !feeds.any(|kind| kind == Kind::Access) {
            return Ok(self);
        }
        for number in 0..end {
            let chapter = index.chapter(number)?;
            for section in chapter.sections_of(UNKNOWN).filter(|_| self.is_in(&chapter)) {
                let ids = chapter.ids(section).map_err(file(chapter_name(number)))?;
                unplaced.extend(ids.chunks_exact(ID_BYTES).filter_map(InstanceId::from_slice));
            }
        }
        for number in (0..index.full()).filter(|_| !unplaced.is_empty()) {
            let chapter = index.chapter(number)?;
            if self.is_in(&chapter) {
                self.place(&chapter, &unplaced).map_err(file(chapter_name(number)))?;
            }
        }
        let in_tail =
            roll.0.iter().filter(|(one, life)| unplaced.contains(*one) && self.feeds(life));
        let in_tail: Vec<_> = in_tail.map(|(one, life)| (*one, life.clone())).collect();
        self.late.extend(in_tail);
        self.wanted.extend(self.late.iter().map(|(one, _)| *one));
        Ok(self)
    }

    fn place(&mut self, chapter: &Chapter, unplaced: &HashSet<InstanceId>) -> io::Result<()> {
        let words = chapter.words()?;
        for section in chapter.sections_of(number_of(Kind::Dispatch)) {
            for place in places(chapter, section, unplaced)? {
                let one = chapter.process(place, &words)?;
                let life = one.life.filter(|life| self.feeds(life));
                self.late.extend(life.map(|life| (one.instance, life)));
            }
        }
        Ok(())
    }

    /// Whether what this one queued came to it by one of them.
    fn feeds(&self, life: &Life) -> bool {
        life.kind == Kind::Dispatch && life.serves.is_some_and(|one| self.wanted.contains(&one))
    }

    /// Whether a chapter may speak of them. What somebody did may be written down a little before
    /// its birth.
    pub fn is_in(&self, chapter: &Chapter) -> bool {
        !self.lives.is_empty() && chapter.times.1.saturating_add(LATE_MS) >= self.oldest_ms
    }

    /// Tells what they were given in the chapters before `end`, none of which is told otherwise.
    pub fn tell(&self, index: &Index, end: u64, tally: &mut Tally) -> Result<(), Fault> {
        for number in (0..end).filter(|_| !self.lives.is_empty()) {
            let chapter = index.chapter(number)?;
            if self.is_in(&chapter) {
                self.tell_chapter(&chapter, tally).map_err(file(chapter_name(number)))?;
            }
        }
        Ok(())
    }

    fn tell_chapter(&self, chapter: &Chapter, tally: &mut Tally) -> io::Result<()> {
        if self.may_be_anybody {
            return Telling::every_row(chapter)?.tell_quiet(tally);
        }
        let own = number_of(tally.question().component);
        let near: Vec<u8> = match tally.reach() {
            Reach::OwnAnd(kinds) => kinds.iter().map(|kind| number_of(*kind)).collect(),
            Reach::Own | Reach::Everywhere => Vec::new(),
        };
        let feeds = tally.question().component == Kind::Access;
        let words = chapter.words()?;
        let mut theirs: Vec<Process> = Vec::new();
        for section in &chapter.sections {
            if section.kind != own && section.kind != UNKNOWN && !near.contains(&section.kind) {
                continue;
            }
            for place in places(chapter, section, &self.wanted)? {
                theirs.push(chapter.process(place, &words)?);
            }
            // What a dispatch queued came to it by the access that it serves.
            if feeds && section.kind == number_of(Kind::Dispatch) {
                let all = chapter.processes_of(section, &words)?.into_iter();
                let all = all.filter(|one| one.life.as_ref().is_some_and(|life| self.feeds(life)));
                theirs.extend(all.filter(|one| !self.wanted.contains(&one.instance)));
            }
        }
        for Process { instance, life, .. } in &theirs {
            let fed = life.iter().filter(|life| self.feeds(life));
            fed.for_each(|life| tally.meet(*instance, life));
        }
        match theirs.is_empty() {
            true => Ok(()),
            false => Telling::some(chapter, &theirs)?.tell_quiet(tally),
        }
    }
}
