//! What was released under grants that were minted in earlier chapters: it waits until the minter
//! is found, mostly one chapter back.

use crate::chapter::CHAPTER_ENTRIES;
use crate::fault::{Fault, file};
use crate::index::{Index, chapter_name};
use crate::opened::Chapter;
use crate::place::UNKNOWN;
use crate::plan::{Plan, Way, fits};
use crate::telling::{Telling, number_of};
use scope::{Deed, Fact, Half, Tally};
use std::collections::{HashMap, HashSet};
use std::io;
use terms::GrantId;

/// So many chapters wait together: each is then looked into once, and not once for each.
const TOGETHER: u64 = 64;
/// How far before them their minters are looked for at first: a grant is good for minutes.
const BACK: u64 = 16;
/// So many facts are held; then they are looked for, however far back.
const HELD: usize = 1_000_000;

/// An entry that waits, and what it released.
struct One {
    index: u64,
    facts: Vec<Fact>,
}

#[derive(Default)]
struct Held {
    all: HashMap<GrantId, Vec<One>>,
    facts: usize,
}

impl Held {
    fn put(&mut self, fact: Fact) {
        let list = self.all.entry(fact.item.grant()).or_default();
        self.facts += 1;
        list.push(One { index: fact.index, facts: vec![fact] });
    }

    fn add(&mut self, grant: GrantId, fact: Fact) {
        let last = self.all.get_mut(&grant).and_then(|list| list.last_mut());
        if let Some(last) = last.filter(|last| last.index == fact.index) {
            self.facts += 1;
            last.facts.push(fact);
        }
    }

    fn append(&mut self, other: Self) {
        self.facts += other.facts;
        for (grant, list) in other.all {
            self.all.entry(grant).or_default().extend(list);
        }
    }
}

#[derive(Default)]
pub(crate) struct Waiting {
    near: Held,
    /// The first chapter of which something waits near.
    first: Option<u64>,
    /// Their minters were not found near.
    far: Held,
    releasing: Option<(u64, GrantId)>,
}

impl Waiting {
    fn take(&mut self, fact: Fact, half: Half) {
        match fact.deed {
            Deed::Release => {
                self.releasing = Some((fact.index, fact.item.grant()));
                self.near.put(fact);
            }
            Deed::Body | Deed::Summary | Deed::Month | Deed::Transit if half != Half::Processes => {
                let releasing = self.releasing.filter(|one| one.0 == fact.index);
                releasing.into_iter().for_each(|(_, grant)| self.near.add(grant, fact));
            }
            _ => {}
        }
    }

    /// What a chapter knows no minter of.
    pub fn gather(&mut self, chapter: &Chapter, tally: &Tally) -> io::Result<()> {
        let half = tally.counts();
        let before = self.near.facts;
        Telling::open(chapter, |fact| self.take(fact, half))?;
        if self.near.facts > before {
            self.first.get_or_insert(chapter.number);
        }
        Ok(())
    }

    /// The same of entries in the order of the log, behind the last full chapter.
    pub fn gather_tail(&mut self, facts: &[Fact], full: u64, tally: &Tally) {
        let mut minted = HashSet::new();
        let half = tally.counts();
        for fact in facts {
            match fact.deed {
                Deed::Grant => drop(minted.insert(fact.item.grant())),
                Deed::Release if minted.contains(&fact.item.grant()) => self.releasing = None,
                _ => self.take(*fact, half),
            }
        }
        self.first.get_or_insert(full);
    }

    /// Looks for minters when enough waits, and for all of them at the end.
    pub fn settle(
        &mut self,
        index: &Index,
        plan: &Plan,
        tally: &mut Tally,
        at: Option<u64>,
    ) -> Result<(), Fault> {
        let Some(first) = self.first else { return Ok(()) };
        let newest = at.unwrap_or(index.full().saturating_sub(1));
        let is_due = newest.saturating_sub(first) >= TOGETHER || self.near.facts >= HELD;
        if at.is_some() && !is_due {
            return Ok(());
        }
        let mut near = std::mem::take(&mut self.near);
        self.first = None;
        find(&mut near, (first.saturating_sub(BACK), newest), index, plan, tally)?;
        self.far.append(near);
        if at.is_none() || self.far.facts >= HELD {
            let mut far = std::mem::take(&mut self.far);
            find(&mut far, (0, newest), index, plan, tally)?;
        }
        Ok(())
    }
}

/// Looks from the newest chapter to the oldest: the last that minted a grant before it was used
/// speaks. What it says is taken; what nobody minted stays.
fn find(
    held: &mut Held,
    (oldest, newest): (u64, u64),
    index: &Index,
    plan: &Plan,
    tally: &mut Tally,
) -> Result<(), Fault> {
    for number in (oldest.max(plan.first)..=newest).rev() {
        if held.all.is_empty() {
            break;
        }
        if matches!(plan.way(number), Way::Sums | Way::Rows) && number < index.full() {
            let chapter = index.chapter(number)?;
            find_in(held, &chapter, plan, tally).map_err(file(chapter_name(number)))?;
        }
    }
    Ok(())
}

fn find_in(held: &mut Held, chapter: &Chapter, plan: &Plan, tally: &mut Tally) -> io::Result<()> {
    let (words, writers) = (chapter.words()?, chapter.writers()?);
    let question = tally.question().clone();
    let (own, version) = (number_of(question.component), question.version.as_deref());
    for mint in chapter.mints()?.iter().rev() {
        let Some(list) = held.all.get_mut(&mint.grant) else { continue };
        let index = chapter.number * CHAPTER_ENTRIES + u64::from(mint.entry);
        let at_ms = chapter.times.0 + mint.after_ms;
        let author = writers.get(usize::from(mint.author)).ok_or(io::ErrorKind::InvalidData)?;
        let is_author = match author.kind {
            UNKNOWN => plan.strangers.contains_key(&author.start),
            kind => kind == own && fits(version, author.word, &words),
        };
        let is_asked = is_author && (question.from_ms..question.to_ms).contains(&at_ms);
        for one in list.extract_if(.., |one| one.index > index) {
            held.facts = held.facts.saturating_sub(one.facts.len());
            one.facts.iter().filter(|_| is_asked).for_each(|fact| tally.take_opened(fact));
        }
        if list.is_empty() {
            held.all.remove(&mint.grant);
        }
    }
    Ok(())
}
