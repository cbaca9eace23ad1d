//! How each chapter is read for a question that sums answer: by its sums, row by row, or only for
//! what outlives the window; and whom no chapter could place.

use crate::binder::Binder;
use crate::carried::Carried;
use crate::fault::{Fault, file};
use crate::gates::Gates;
use crate::index::{Index, chapter_name};
use crate::opened::{Chapter, Process};
use crate::place::{ID_BYTES, Section, UNKNOWN};
use crate::sums::Kept;
use crate::telling::number_of;
use evidence::Word;
use scope::{Cell, Deed, Fact, Life, Question, Tally, Tie};
use std::collections::{HashMap, HashSet};
use std::io;
use terms::{InstanceId, Kind};

/// So few are looked for one by one.
const FEW: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Before the window.
    Before,
    /// All of it is in the window: its sums say it.
    Sums,
    /// Some of it is, or it has no index on disk.
    Rows,
    /// Behind the window.
    After,
}

pub(crate) struct Plan {
    ways: Vec<Way>,
    /// The first chapter that is read, and the first of the window: a gate that lived into it
    /// brought what came in chapters before.
    pub first: u64,
    pub begins: u64,
    /// The latest time in all chapters, and the entry that tells it.
    pub newest: Option<(u64, u64)>,
    /// Processes asked about, of which a chapter spoke before it, or long after it, knew them.
    pub strangers: HashMap<InstanceId, Life>,
    /// As these, but of those beside whom they stood; and of whom these stood beside.
    pub beside: HashMap<InstanceId, Life>,
    /// Who lived when the window began.
    pub carried: Carried,
    /// Where strangers lived, by chapter.
    pub theirs: HashMap<u64, Vec<u32>>,
    /// Processes of chapters that are read by sums, each once for each chapter.
    pub instances: u64,
    /// The entries behind the last full chapter.
    pub tail: Binder,
    /// Gates that are asked about, and the chapters through all of which one of them lived.
    pub gates: Gates,
    pub covered: HashSet<u64>,
    /// Whether those asked about mint grants.
    pub mints: bool,
    /// Whether they write down connections of others, and what could account for these: then only
    /// entry by entry is known which does.
    met: bool,
    accounts: bool,
    /// By chapter, whom it does not know, where that may be an author who is asked about.
    mentions: HashMap<u64, Vec<InstanceId>>,
}

/// The sums of processes that are asked about.
pub(crate) fn cells(chapter: &Chapter, tally: &Tally, words: &[Word]) -> io::Result<Vec<Kept>> {
    let question = tally.question();
    let (own, version) = (number_of(question.component), question.version.as_deref());
    let mut cells = chapter.cells()?;
    cells.retain(|kept| {
        kept.kind == own && fits(version, kept.word, words) && tally.takes(&kept.cell)
    });
    Ok(cells)
}

/// Which sections of a chapter are asked about.
pub(crate) fn asked<'a>(
    chapter: &'a Chapter,
    question: &Question,
    words: &'a [Word],
) -> impl Iterator<Item = &'a Section> {
    let version = question.version.clone();
    let own = chapter.sections_of(number_of(question.component));
    own.filter(move |one| fits(version.as_deref(), one.word, words))
}

pub(crate) fn fits(version: Option<&str>, word: u16, words: &[Word]) -> bool {
    let word = words.get(usize::from(word)).map(Word::as_str);
    version.is_none() || word == version
}

/// The place of an id among a section's.
pub(crate) fn find(ids: &[u8], instance: InstanceId) -> Option<u32> {
    let ids: &[[u8; ID_BYTES]] = ids.as_chunks().0;
    ids.binary_search(&instance.0).ok().and_then(|place| u32::try_from(place).ok())
}

/// The numbers of a section's processes that are among those who are looked for.
pub(crate) fn places(
    chapter: &Chapter,
    section: &Section,
    wanted: &HashSet<InstanceId>,
) -> io::Result<Vec<u32>> {
    let ids = chapter.ids(section)?;
    let first = section.first_process;
    if wanted.len() <= FEW {
        let found = wanted.iter().filter_map(|one| find(&ids, *one));
        return Ok(found.map(|place| first + place).collect());
    }
    let ids = ids.chunks_exact(ID_BYTES).filter_map(InstanceId::from_slice);
    let found = ids.zip(first..).filter(|one| wanted.contains(&one.0));
    Ok(found.map(|one| one.1).collect())
}

/// Who was known when the window began, by the last entries of which any is older.
fn lives_then(
    index: &Index,
    tail: &Binder,
    last_before: Option<u64>,
    tally: &Tally,
) -> Result<Vec<(InstanceId, Life)>, Fault> {
    Ok(match (tail.begins(), last_before) {
        (Some(begins_ms), _) if begins_ms < tally.question().from_ms => {
            tail.roll().0.clone().into_iter().collect()
        }
        (_, Some(last)) => index.chapter(last)?.lives().map_err(file(chapter_name(last)))?,
        (_, None) => Vec::new(),
    })
}

/// From when on what came counts: where a gate lived into the window, since its birth.
fn since(index: &Index, tail: &Binder, tally: &Tally) -> Result<u64, Fault> {
    let question = tally.question();
    if question.component != Kind::Gate {
        return Ok(question.from_ms);
    }
    let mut last_before = None;
    for number in 0..index.full() {
        if index.chapter(number)?.times.0 < question.from_ms {
            last_before = Some(number);
        }
    }
    let carried = Carried::of(lives_then(index, tail, last_before, tally)?, tally);
    Ok(carried.since_ms().min(question.from_ms))
}

impl Plan {
    pub fn of(index: &Index, tally: &Tally) -> Result<Self, Fault> {
        let question = tally.question();
        let full = index.full();
        let tail = index.tail()?;
        let since_ms = since(index, &tail, tally)?;
        let mut plan = Self {
            ways: Vec::new(),
            first: full,
            begins: full,
            newest: None,
            strangers: HashMap::new(),
            beside: HashMap::new(),
            carried: Carried::default(),
            theirs: HashMap::new(),
            instances: 0,
            tail,
            gates: Gates::default(),
            covered: HashSet::new(),
            mints: false,
            met: false,
            accounts: false,
            mentions: HashMap::new(),
        };
        let mut unplaced = HashSet::new();
        let mut has_passed = false;
        // The last chapter that says anything of the time before the window.
        let mut last_before = None;
        for number in 0..full {
            let kept = index.kept(number);
            let is_kept = kept.is_some();
            let chapter = kept.map_or_else(|| index.make(number), Ok)?;
            plan.newest = plan.newest.max(Some((chapter.times.1, chapter.newest)));
            let (from_ms, to_ms) = (question.from_ms, question.to_ms);
            let overlaps = chapter.times.1 >= since_ms && chapter.times.0 < to_ms;
            has_passed |= chapter.times.1 >= to_ms;
            let is_before = chapter.times.0 < from_ms;
            if overlaps && chapter.times.1 >= from_ms {
                plan.begins = plan.begins.min(number);
            }
            // What was brought is told apart from what came within.
            let is_both = is_before && chapter.times.1 >= from_ms;
            let is_inside = chapter.times.0 >= since_ms && !is_both && !has_passed && is_kept;
            last_before = if is_before { Some(number) } else { last_before };
            let way = match (overlaps, plan.first < full) {
                (false, false) => Way::Before,
                // A clock was set back.
                (false, true) if is_before => Way::Rows,
                (false, true) => Way::After,
                (true, _) if is_inside => Way::Sums,
                (true, _) => Way::Rows,
            };
            plan.ways.push(way);
            if way != Way::Before {
                plan.first = plan.first.min(number);
                plan.look_at(&chapter, tally, &mut unplaced).map_err(file(chapter_name(number)))?;
            }
        }
        let carried = Carried::of(lives_then(index, &plan.tail, last_before, tally)?, tally);
        plan.carried = carried.placing(index, plan.first, plan.tail.roll())?;
        let mut plan = plan.placing(index, tally, unplaced)?;
        if tally.asks_authors() {
            plan.hear_tail(tally);
            plan.demote(index, tally)?;
        }
        if tally.question().component == Kind::Gate && !plan.is_mixed() {
            plan.place_gates(index, tally)?;
        }
        Ok(plan)
    }

    fn look_at(
        &mut self,
        chapter: &Chapter,
        tally: &Tally,
        unplaced: &mut HashSet<InstanceId>,
    ) -> io::Result<()> {
        let question = tally.question();
        for section in chapter.sections_of(UNKNOWN) {
            let ids = chapter.ids(section)?;
            unplaced.extend(ids.chunks_exact(ID_BYTES).filter_map(InstanceId::from_slice));
        }
        if tally.asks_authors() {
            self.look_at_authors(chapter, tally, unplaced)?;
        }
        if self.way(chapter.number) == Way::Sums {
            let words = chapter.words()?;
            let own = asked(chapter, question, &words).map(|one| u64::from(one.processes));
            self.instances += own.sum::<u64>();
        }
        Ok(())
    }

    /// What those who are asked about wrote of others, and authors whom their chapter did not know.
    fn look_at_authors(
        &mut self,
        chapter: &Chapter,
        tally: &Tally,
        unplaced: &mut HashSet<InstanceId>,
    ) -> io::Result<()> {
        let own = number_of(tally.question().component);
        let mut unknown = Vec::new();
        for section in chapter.sections_of(UNKNOWN) {
            let ids = chapter.ids(section)?;
            unknown.extend(ids.chunks_exact(ID_BYTES).filter_map(InstanceId::from_slice));
        }
        let writers = chapter.writers()?.into_iter();
        // The ledger lets nobody write as what it is not.
        let writers = writers.filter(|one| one.kind == UNKNOWN && one.wrote_as == own);
        unknown.extend(writers.map(|one| one.start));
        unplaced.extend(&unknown);
        if !unknown.is_empty() {
            self.mentions.insert(chapter.number, unknown);
        }
        if matches!(self.way(chapter.number), Way::Sums | Way::Rows) {
            for kept in cells(chapter, tally, &chapter.words()?)? {
                self.hear(&kept.cell, tally.question().component);
            }
        }
        Ok(())
    }

    fn hear(&mut self, cell: &Cell, component: Kind) {
        self.mints |= cell.deed == Deed::Grant;
        self.met |= cell.is_met();
        self.accounts |= cell.accounts(component);
    }

    /// Whether connections of others must be judged entry by entry.
    pub fn is_mixed(&self) -> bool {
        self.met && (self.accounts || self.mints)
    }

    /// What authors who are asked about wrote behind the last full chapter.
    fn hear_tail(&mut self, tally: &Tally) {
        let roll = &self.tail.roll().0;
        let is_asked = |one: &InstanceId| {
            let life = roll.get(one).or_else(|| self.strangers.get(one));
            life.is_some_and(|life| tally.asks_about(life))
        };
        let authored = |fact: &&Fact| is_asked(&fact.start) && !is_asked(&fact.instance);
        let told = self.tail.open_facts().iter();
        let grants = told.clone().filter(|fact| fact.deed == Deed::Grant && is_asked(&fact.start));
        let cells: Vec<Cell> = told
            .filter(authored)
            .chain(grants)
            .filter_map(|fact| Cell::of(fact, Tie::Author))
            .collect();
        cells.iter().for_each(|cell| self.hear(cell, tally.question().component));
    }

    /// Chapters that speak of somebody, or are written by somebody, who is asked about and whom
    /// they do not know are read row by row.
    fn demote(&mut self, index: &Index, tally: &Tally) -> Result<(), Fault> {
        for (number, unknown) in std::mem::take(&mut self.mentions) {
            let is_met = unknown.iter().any(|one| self.strangers.contains_key(one));
            if !is_met || self.way(number) != Way::Sums {
                continue;
            }
            let chapter = index.chapter(number)?;
            let words = chapter.words().map_err(file(chapter_name(number)))?;
            self.demote_one(&chapter, tally, &words);
        }
        Ok(())
    }

    /// Everything of the window is read row by row: whoever asks whose it was is told each.
    pub fn read_by_rows(&mut self) {
        self.ways.iter_mut().filter(|way| **way == Way::Sums).for_each(|way| *way = Way::Rows);
        self.covered.clear();
        self.instances = 0;
    }

    /// A chapter is read row by row after all.
    pub(crate) fn demote_one(&mut self, chapter: &Chapter, tally: &Tally, words: &[Word]) {
        let own = asked(chapter, tally.question(), words).map(|one| u64::from(one.processes));
        self.instances = self.instances.saturating_sub(own.sum::<u64>());
        let place = usize::try_from(chapter.number).unwrap_or(usize::MAX);
        self.ways.get_mut(place).into_iter().for_each(|way| *way = Way::Rows);
    }

    /// Looks for those whom their own chapter did not know, in all others.
    fn placing(
        mut self,
        index: &Index,
        tally: &Tally,
        mut unplaced: HashSet<InstanceId>,
    ) -> Result<Self, Fault> {
        let roll = &self.tail.roll().0;
        let is_asked = tally.asks_authors();
        let in_tail = self.tail.open_facts().iter();
        let in_tail =
            in_tail.flat_map(|fact| [Some(fact.instance), Some(fact.start).filter(|_| is_asked)]);
        unplaced.extend(in_tail.flatten().filter(|one| !roll.contains_key(one)));
        if unplaced.is_empty() {
            return Ok(self);
        }
        for number in 0..index.full() {
            let chapter = index.chapter(number)?;
            let fault = || file(chapter_name(number));
            let words = chapter.words().map_err(fault())?;
            for section in asked(&chapter, tally.question(), &words) {
                for place in places(&chapter, section, &unplaced).map_err(fault())? {
                    let one = chapter.process(place, &words).map_err(fault())?;
                    let life = one.life.filter(|life| tally.asks_about(life));
                    self.strangers.extend(life.map(|life| (one.instance, life)));
                    self.theirs.entry(number).or_default().push(place);
                }
            }
            if tally.question().component == Kind::Access {
                self.place_beside(&chapter, &words, &unplaced).map_err(fault())?;
            }
        }
        let late = self.tail.roll().0.iter().filter(|(one, _)| unplaced.contains(*one));
        let late = late.filter(|(_, life)| tally.asks_about(life));
        self.strangers.extend(late.map(|(one, life)| (*one, life.clone())));
        Ok(self)
    }

    /// Dispatches that were spoken of late, and by which access all that they queued came to them.
    fn place_beside(
        &mut self,
        chapter: &Chapter,
        words: &[Word],
        unplaced: &HashSet<InstanceId>,
    ) -> io::Result<()> {
        for section in chapter.sections_of(number_of(Kind::Dispatch)) {
            for place in places(chapter, section, unplaced)? {
                let one = chapter.process(place, words)?;
                let served = one.life.as_ref().and_then(|life| life.serves);
                self.beside.extend(one.life.map(|life| (one.instance, life)));
                let lives = chapter.lives()?.into_iter();
                self.beside.extend(lives.filter(|(other, _)| Some(*other) == served));
            }
        }
        Ok(())
    }

    /// Those who are met before anything is told.
    pub fn met(&self) -> impl Iterator<Item = (&InstanceId, &Life)> {
        self.beside.iter().chain(&self.strangers)
    }

    pub fn chapters(&self) -> u64 {
        self.ways.len() as u64
    }

    pub fn way(&self, number: u64) -> Way {
        let way = usize::try_from(number).ok().and_then(|number| self.ways.get(number));
        way.copied().unwrap_or(Way::Rows)
    }

    /// Strangers of whom a chapter speaks without knowing them.
    pub fn strangers_in(&self, chapter: &Chapter) -> io::Result<Vec<Process>> {
        let mut found = Vec::new();
        if self.strangers.is_empty() && self.beside.is_empty() {
            return Ok(found);
        }
        for section in chapter.sections_of(UNKNOWN) {
            let ids = chapter.ids(section)?;
            for (instance, _) in self.met() {
                if let Some(place) = find(&ids, *instance) {
                    found.push(chapter.process(section.first_process + place, &[])?);
                }
            }
        }
        Ok(found)
    }

    /// Whether a process is asked about that ended within a chapter that was read by sums.
    pub fn ended_in(
        &self,
        chapter: &Chapter,
        question: &Question,
        instance: InstanceId,
    ) -> io::Result<Option<Process>> {
        let words = chapter.words()?;
        for section in asked(chapter, question, &words) {
            if let Some(place) = find(&chapter.ids(section)?, instance) {
                return chapter.process(section.first_process + place, &words).map(Some);
            }
        }
        Ok(None)
    }
}
