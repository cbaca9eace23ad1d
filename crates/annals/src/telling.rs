//! Tells a tally the rows of a chapter, with the names behind their numbers.

use crate::chapter::CHAPTER_ENTRIES;
use crate::opened::{Chapter, Process};
use crate::place::{Place, Section, UNKNOWN};
use crate::rows::{NOBODY, ROW_BYTES, Row};
use evidence::Word;
use scope::{Deed, Fact, Life, Person, Reach, Tally};
use std::io;
use terms::{InstanceId, Kind};

/// What of a chapter is read, with the names behind its numbers.
pub(crate) struct Telling<'a> {
    chapter: &'a Chapter,
    instances: Vec<InstanceId>,
    authors: Vec<InstanceId>,
    people: Vec<Person>,
    lives: Vec<(InstanceId, Life)>,
    ranges: Vec<(u64, u64)>,
}

impl<'a> Telling<'a> {
    pub fn whole(chapter: &'a Chapter) -> io::Result<Self> {
        Ok(Self {
            chapter,
            instances: Vec::new(),
            authors: Vec::new(),
            people: chapter.people()?,
            lives: Vec::new(),
            ranges: vec![(0, chapter.row_count())],
        })
    }

    /// Of whoever records the deeds of others, all rows; behind the window only what these
    /// processes still did or had done to them.
    pub fn of(chapter: &'a Chapter, tally: &Tally, overlaps: bool) -> io::Result<Self> {
        let processes = chapter.processes(Some(number_of(tally.question().component)))?;
        let asked = processes.iter().filter(|one| tally.is_asked(one.instance));
        let ranges = match overlaps {
            false => asked.map(|one| (one.first, one.count)).collect(),
            true => vec![(0, chapter.row_count())],
        };
        // Who writes of others may have ended, and say nothing of itself here.
        let lives = match tally.asks_authors() {
            true => chapter.lives()?,
            false => Vec::new(),
        };
        let lives = lives.into_iter().filter(|(_, life)| tally.asks_about(life));
        let own = processes.into_iter().filter_map(|one| Some((one.instance, one.life?)));
        Self::named(chapter, lives.chain(own).collect(), ranges)
    }

    /// Of a component whose own rows, and those of whom it stands beside, say all.
    pub fn near(chapter: &'a Chapter, tally: &Tally) -> io::Result<Self> {
        let (own, words) = (number_of(tally.question().component), chapter.words()?);
        let near: Vec<u8> = match tally.reach() {
            Reach::OwnAnd(kinds) => kinds.iter().map(|kind| number_of(*kind)).collect(),
            Reach::Own | Reach::Everywhere => Vec::new(),
        };
        let wanted = tally.question().version.as_deref();
        let fits = |word: u16| {
            let word = words.get(usize::from(word)).map(Word::as_str);
            wanted.is_none() || word == wanted
        };
        let is_wanted = |one: &&Section| {
            let is_own = one.kind == own && fits(one.word);
            is_own || one.kind == UNKNOWN || near.contains(&one.kind)
        };
        let wanted = chapter.sections.iter().filter(is_wanted);
        // Beside others somebody may count who has ended and of whom nothing more is said here.
        let lives = match tally.reach() {
            Reach::OwnAnd(_) | Reach::Everywhere => chapter.lives()?,
            Reach::Own => chapter.heard()?,
        };
        // Beside whom it stood is not always told: then it may have been anybody.
        let is_unplaced = |life: &Life| life.serves.is_none() && tally.asks_about(life);
        let may_be_anybody = tally.question().component == Kind::Scanner
            && (tally.has_unplaced() || lives.iter().any(|(_, life)| is_unplaced(life)));
        let ranges = match may_be_anybody || tally.asks_authors() {
            true => vec![(0, chapter.row_count())],
            false => wanted.map(|one| (one.first_row.into(), one.rows.into())).collect(),
        };
        Self::named(chapter, lives, ranges)
    }

    /// Rows of some processes.
    pub fn some(chapter: &'a Chapter, processes: &[Process]) -> io::Result<Self> {
        let ranges = processes.iter().map(|one| (one.first, one.count)).collect();
        Self::named(chapter, Vec::new(), ranges)
    }

    /// Rows of everybody.
    pub fn every_row(chapter: &'a Chapter) -> io::Result<Self> {
        Self::named(chapter, Vec::new(), vec![(0, chapter.row_count())])
    }

    fn named(
        chapter: &'a Chapter,
        lives: Vec<(InstanceId, Life)>,
        ranges: Vec<(u64, u64)>,
    ) -> io::Result<Self> {
        let (instances, authors) = (chapter.instances()?, chapter.authors()?);
        let people = chapter.people()?;
        Ok(Self { chapter, instances, authors, people, lives, ranges })
    }

    pub fn tell(&self, tally: &mut Tally) -> io::Result<()> {
        self.lives.iter().for_each(|(instance, life)| tally.meet(*instance, life));
        let half = tally.counts();
        self.each(|deed| half.hears(deed), |fact| tally.note(&fact))
    }

    /// All but alarms and new keys, which are looked up entry by entry.
    pub fn tell_quiet(&self, tally: &mut Tally) -> io::Result<()> {
        self.lives.iter().for_each(|(instance, life)| tally.meet(*instance, life));
        let half = tally.counts();
        let is_quiet = |deed: Deed| !matches!(deed, Deed::Alarm | Deed::Rotate | Deed::Shred);
        self.each(|deed| half.hears(deed) && is_quiet(deed), |fact| tally.note(&fact))
    }

    /// Grants, before anything that was released under them: rows stand by process.
    pub fn tell_grants(&self, tally: &mut Tally) -> io::Result<()> {
        self.lives.iter().for_each(|(instance, life)| tally.meet(*instance, life));
        self.each(|deed| deed == Deed::Grant, |fact| tally.note_grant(&fact))
    }

    /// What was released under grants that the chapter does not know.
    pub fn open(chapter: &Chapter, mut fact: impl FnMut(Fact)) -> io::Result<()> {
        if chapter.count(Place::Open) == 0 {
            return Ok(());
        }
        let told = Telling::named(chapter, Vec::new(), Vec::new())?;
        for row in chapter.all(Place::Open)?.chunks_exact(ROW_BYTES) {
            fact(told.fact(Row::read(row).ok_or(io::ErrorKind::InvalidData)?));
        }
        Ok(())
    }

    /// Connections, and what came over them.
    pub fn tell_met(&self, fact: impl FnMut(Fact)) -> io::Result<()> {
        self.each(|deed| matches!(deed, Deed::Connection | Deed::Arrival), fact)
    }

    pub fn tell_kept(&self, tally: &mut Tally) -> io::Result<()> {
        let hears = tally.hears_kept();
        self.each(hears, |fact| tally.note_kept(&fact))
    }

    /// Of months that were released.
    pub fn tell_released(&self, tally: &mut Tally) -> io::Result<()> {
        self.each(|deed| deed == Deed::Deliver, |fact| tally.note_released(&fact))
    }

    /// What keys that are held could open.
    pub fn tell_could_open(&self, tally: &mut Tally) -> io::Result<()> {
        let hears = tally.hears_kept();
        self.each(hears, |fact| tally.note_could_open(&fact))
    }

    /// Rows of other deeds are not even taken apart.
    fn each(&self, hears: impl Fn(Deed) -> bool, mut fact: impl FnMut(Fact)) -> io::Result<()> {
        for (first, count) in &self.ranges {
            let rows = self.chapter.rows(*first, *count)?;
            for row in rows.chunks_exact(ROW_BYTES) {
                let deed = Row::deed(row).ok_or(io::ErrorKind::InvalidData)?;
                if !hears(deed) {
                    continue;
                }
                fact(self.fact(Row::read(row).ok_or(io::ErrorKind::InvalidData)?));
            }
        }
        Ok(())
    }

    fn fact(&self, row: Row) -> Fact {
        let named =
            |names: &[InstanceId], number: usize| names.get(number).copied().unwrap_or_default();
        Fact {
            at_ms: self.chapter.times.0 + row.at_ms,
            index: self.chapter.number * CHAPTER_ENTRIES + u64::from(row.entry),
            deed: row.deed,
            instance: named(&self.instances, row.instance as usize),
            start: named(&self.authors, row.start.into()),
            person: match row.person {
                NOBODY => None,
                number => self.people.get(number as usize).copied(),
            },
            item: row.item,
        }
    }
}

pub(crate) fn number_of(kind: Kind) -> u8 {
    u8::try_from(kind.number()).unwrap_or(u8::MAX)
}
