//! A gate that is asked about: while it lived, everything came by it, so that whole chapters of its
//! life are told by their sums, whoever took in what came; its beginning and its end row by row.

use crate::fault::{Fault, file};
use crate::handed::{Handed, Late, Matched};
use crate::index::{Index, chapter_name};
use crate::opened::{Chapter, Writer};
use crate::plan::{Plan, Way, cells, fits};
use crate::telling::{Telling, number_of};
use evidence::Word;
use scope::{Deed, Fact, LAG_MS, Life, Tally};
use std::collections::HashMap;
use std::io;
use terms::{ConnectionId, InstanceId, Kind};

/// Lives of the gates that are asked about.
#[derive(Default)]
pub(crate) struct Gates {
    pub lives: HashMap<InstanceId, Life>,
}

/// How much of a time they cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Covers {
    Nothing,
    Some,
    All,
}

impl Gates {
    pub fn covers(&self, (first_ms, last_ms): (u64, u64)) -> Covers {
        let mut covers = Covers::Nothing;
        for life in self.lives.values() {
            let to_ms = life.to_ms.map_or(u64::MAX, |to_ms| to_ms.saturating_add(LAG_MS));
            if life.from_ms <= first_ms && last_ms <= to_ms {
                return Covers::All;
            }
            if life.from_ms <= last_ms && first_ms <= to_ms {
                covers = Covers::Some;
            }
        }
        covers
    }
}

/// Connections of gates that are asked about, over which nothing came that was kept.
#[derive(Default)]
pub(crate) struct Connections {
    unattributed: u64,
    named: HashMap<ConnectionId, Vec<InstanceId>>,
    /// When something came over the last one before.
    unnamed: HashMap<InstanceId, Vec<u64>>,
}

impl Connections {
    pub fn chapter(
        &mut self,
        chapter: &Chapter,
        way: Way,
        plan: &Plan,
        tally: &Tally,
    ) -> io::Result<()> {
        match way {
            Way::Sums => {
                for kept in cells(chapter, tally, &chapter.words()?)? {
                    if kept.cell.is_met() {
                        self.unattributed += kept.cell.sum.saturating_sub(kept.count.into());
                    }
                }
                if plan.is_covered(chapter.number) {
                    let late = chapter.late()?;
                    self.wait(chapter.times.0, &late);
                }
            }
            Way::Rows => {
                let matched = by_rows(chapter, tally)?;
                self.add(chapter.times.0, &matched);
            }
            Way::Before | Way::After => {}
        }
        Ok(())
    }

    /// The entries behind the last full chapter.
    pub fn tail(&mut self, facts: &[Fact], tally: &Tally) {
        self.add(0, &among(facts, 0, tally));
    }

    fn add(&mut self, begin_ms: u64, matched: &Matched) {
        let open = matched.handed.iter().filter(|handed| !handed.brought);
        self.unattributed += open.count() as u64;
        self.wait(begin_ms, &matched.late);
    }

    fn wait(&mut self, begin_ms: u64, late: &[Late]) {
        for Late { instance, after_ms, connection } in late {
            match connection {
                Some(connection) => self.named.entry(*connection).or_default().push(*instance),
                None => self.unnamed.entry(*instance).or_default().push(begin_ms + after_ms),
            }
        }
    }

    /// How many there are, when what came late has been looked for in every chapter, from the
    /// newest to the oldest.
    pub fn settle(mut self, index: &Index, plan: &Plan, tally: &Tally) -> Result<u64, Fault> {
        let mut tail = among(plan.tail.open_facts(), 0, tally).handed;
        self.find(&mut tail, 0);
        for number in (plan.first..index.full()).rev() {
            if self.named.is_empty() && self.unnamed.is_empty() {
                break;
            }
            let way = plan.way(number);
            if !matches!(way, Way::Sums | Way::Rows) {
                continue;
            }
            let chapter = index.chapter(number)?;
            let handed = match way {
                Way::Sums => own(&chapter, tally),
                _ => by_rows(&chapter, tally).map(|matched| matched.handed),
            };
            let mut handed = handed.map_err(file(chapter_name(number)))?;
            self.find(&mut handed, chapter.times.0);
        }
        Ok(self.unattributed)
    }

    fn find(&mut self, handed: &mut [Handed], begin_ms: u64) {
        let (named, unnamed) = (&self.named, &mut self.unnamed);
        let mut found = 0;
        let mut last: HashMap<InstanceId, Vec<usize>> = HashMap::new();
        for (place, one) in handed.iter_mut().enumerate() {
            let is_named = named.get(&one.connection);
            if is_named.is_some_and(|whose| whose.contains(&one.instance)) && !one.brought {
                (one.brought, found) = (true, found + 1);
            }
            if unnamed.contains_key(&one.instance) {
                last.entry(one.instance).or_default().push(place);
            }
        }
        for (instance, mut places) in last {
            let at = |place: &usize| {
                handed.get(*place).map_or((0, ConnectionId::default()), |one| {
                    (begin_ms + one.after_ms, one.connection)
                })
            };
            places.sort_by_key(at);
            let times: Vec<u64> = places.iter().map(|place| at(place).0).collect();
            let Some(open) = unnamed.get_mut(&instance) else { continue };
            open.retain(|came_ms| {
                let before = times.partition_point(|at_ms| at_ms <= came_ms);
                let place = before.checked_sub(1).and_then(|last| places.get(last));
                let Some(one) = place.and_then(|place| handed.get_mut(*place)) else { return true };
                found += u64::from(!one.brought);
                one.brought = true;
                false
            });
            if open.is_empty() {
                unnamed.remove(&instance);
            }
        }
        self.unattributed = self.unattributed.saturating_sub(found);
    }
}

/// Those of a chapter that is told by its sums.
fn own(chapter: &Chapter, tally: &Tally) -> io::Result<Vec<Handed>> {
    let (kind, words) = (number_of(Kind::Gate), chapter.words()?);
    let version = tally.question().version.as_deref();
    let mut handed = chapter.handed()?;
    handed.retain(|one| one.by.0 == kind && fits(version, one.by.1, &words));
    Ok(handed)
}

/// What counts of a chapter of which not all does.
fn by_rows(chapter: &Chapter, tally: &Tally) -> io::Result<Matched> {
    let mut facts = Vec::new();
    Telling::every_row(chapter)?.tell_met(|fact| facts.push(fact))?;
    Ok(among(&facts, chapter.times.0, tally))
}

fn among(facts: &[Fact], begin_ms: u64, tally: &Tally) -> Matched {
    let window = tally.question().from_ms..tally.question().to_ms;
    let kind = number_of(Kind::Gate);
    let counts = |fact: &Fact| {
        let does = (window.contains(&fact.at_ms) || tally.is_carried(fact))
            && match fact.deed {
                Deed::Connection => tally.is_asked(fact.start),
                Deed::Arrival => tally.has_passed(fact),
                _ => false,
            };
        does.then_some((kind, 0))
    };
    Matched::matching(facts, begin_ms, |_| false, counts)
}

impl Plan {
    /// Looks at the lives of the gates that are asked about; chapters that one of them did not live
    /// through are read row by row.
    pub(crate) fn place_gates(&mut self, index: &Index, tally: &Tally) -> Result<(), Fault> {
        let mut lives: HashMap<InstanceId, Life> = HashMap::new();
        lives.extend(self.carried.lives().iter().cloned());
        for number in self.first..index.full() {
            let chapter = index.chapter(number)?;
            let own = chapter.processes(Some(number_of(Kind::Gate)));
            let own = own.map_err(file(chapter_name(number)))?;
            lives.extend(own.into_iter().filter_map(|one| Some((one.instance, one.life?))));
        }
        lives.extend(self.strangers.iter().map(|(one, life)| (*one, life.clone())));
        lives.extend(self.tail.roll().0.iter().map(|(one, life)| (*one, life.clone())));
        lives.retain(|_, life| tally.asks_about(life));
        self.gates.lives = lives;
        for number in self.first..index.full() {
            if self.way(number) != Way::Sums {
                continue;
            }
            let chapter = index.chapter(number)?;
            let fault = || file(chapter_name(number));
            let words = chapter.words().map_err(fault())?;
            let is_silent = cells(&chapter, tally, &words).map_err(fault())?.is_empty();
            let is_before = chapter.times.1 < tally.question().from_ms;
            let covers =
                match is_before && !self.is_all_carried(&chapter, &words).map_err(fault())? {
                    true => Covers::Some,
                    false => self.gates.covers(chapter.times),
                };
            match covers {
                Covers::All => drop(self.covered.insert(number)),
                Covers::Nothing if is_silent => {}
                Covers::Nothing | Covers::Some => self.demote_one(&chapter, tally, &words),
            }
        }
        Ok(())
    }

    /// Whether all that gates did in a chapter before the window was brought into it: one of those
    /// who brought it lived through it, and no other did anything.
    fn is_all_carried(&self, chapter: &Chapter, words: &[Word]) -> io::Result<bool> {
        let own = number_of(Kind::Gate);
        let carried: HashMap<InstanceId, Life> = self.carried.lives().iter().cloned().collect();
        let is_carried = |one: &InstanceId| carried.contains_key(one);
        for section in chapter.sections_of(own) {
            let processes = chapter.processes_of(section, words)?;
            if !processes.iter().all(|one| is_carried(&one.instance)) {
                return Ok(false);
            }
        }
        let is_gate = |one: &&Writer| one.kind == own || one.wrote_as == own;
        let writers = chapter.writers()?;
        let mut writers = writers.iter().filter(is_gate);
        let is_told = writers.all(|one| one.kind == own && is_carried(&one.start));
        let covers = Gates { lives: carried.clone() }.covers(chapter.times);
        Ok(is_told && covers == Covers::All)
    }

    pub(crate) fn is_covered(&self, number: u64) -> bool {
        self.covered.contains(&number)
    }
}
