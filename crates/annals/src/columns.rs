//! Messages and instances where they stand in chapters, read in slices of their order: those
//! that passed or were released within the chapters that are told by sums, and those that stand
//! behind released months.

use crate::extent::{each_bit, each_person, ended, has_bit, is_passed};
use crate::fault::{Fault, file};
use crate::index::{Index, chapter_name, kept};
use crate::opened::Chapter;
use crate::place::{ID_BYTES, Place};
use crate::plan::{Plan, Way, asked, fits};
use crate::reading::Reader;
use crate::sums::{Kept, LAST};
use crate::telling::{Telling, number_of};
use evidence::month_of;
use scope::{Columns, Deed, Mark, Months, Pair, Person, Question, Slice, Tally, Tie, as_message};
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Mutex;
use std::thread;
use terms::{InstanceId, MessageId, TenantId};

const WHOSE_BYTES: usize = 3;

/// Which messages of a chapter were kept for somebody whose month of it was released.
enum Released {
    None,
    All,
    /// One bit for each message of the chapter.
    Some(Vec<u8>),
    /// It has no index on disk, or speaks of two months: its rows say it.
    ByRows,
}

/// What of a chapter could be opened by keys that are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Could {
    Nothing,
    All,
    ByRows,
}

/// What the last reading found out about a chapter.
struct Found {
    released: Released,
    could: Could,
    pairs: u32,
    /// All that it has.
    at_most: u32,
}

pub(crate) struct Messages<'a> {
    reader: &'a Reader,
    plan: &'a Plan,
    question: Question,
    /// At most so many messages, by chapter.
    pairs: Vec<u32>,
    /// By chapter; none where nothing was released.
    released: Vec<Released>,
    could: Vec<Could>,
    /// Deeds whose messages could be opened.
    opens: Vec<Deed>,
    contracts: HashMap<TenantId, u32>,
    fault: Mutex<Option<io::Error>>,
}

impl<'a> Messages<'a> {
    pub fn new(reader: &'a Reader, plan: &'a Plan, question: &Question) -> Self {
        let (released, could, opens) = (Vec::new(), Vec::new(), Vec::new());
        let contracts = HashMap::new();
        let (question, fault) = (question.clone(), Mutex::default());
        let pairs = vec![0; usize::try_from(plan.chapters()).unwrap_or_default()];
        Self { reader, plan, question, pairs, released, could, opens, contracts, fault }
    }

    /// So many messages of a chapter will be counted, but none twice.
    pub fn expect(&mut self, chapter: &Chapter, pairs: u64) {
        let place = usize::try_from(chapter.number).unwrap_or(usize::MAX);
        if let Some(known) = self.pairs.get_mut(place) {
            *known = at_most(chapter, u64::from(*known) + pairs);
        }
    }

    pub fn name_contracts(&mut self, tally: &Tally) {
        self.contracts = tally.contracts().collect();
    }

    pub fn fault(&self) -> Option<io::Error> {
        self.fault.lock().ok()?.take()
    }

    /// Every message of a released month counts, whenever it was kept: also outside of the window.
    pub fn take_released(&mut self, index: &Index, tally: &mut Tally) -> Result<(), Fault> {
        let (reader, full, months) = (self.reader, index.full(), tally.released());
        let all = months.all();
        let kinds = [Deed::Deliver, Deed::Queue, Deed::Send, Deed::SignIn];
        self.opens = kinds.into_iter().filter(|deed| tally.could_open(*deed)).collect();
        let (opens, to_ms) = (&self.opens, self.question.to_ms);
        // Where people are not counted by who could have been read, their contract is enough.
        let is_named = tally.has_everything();
        let part = |from: u64, to: u64| {
            let (mut found, mut people, mut last) = (Vec::new(), BTreeSet::new(), None);
            for number in from..to {
                let mut pairs = 0;
                let Some(chapter) = kept(reader, number) else {
                    let could = if opens.is_empty() { Could::Nothing } else { Could::ByRows };
                    found.push(Found { released: Released::ByRows, could, pairs, at_most: 0 });
                    continue;
                };
                let fault = || file(chapter_name(number));
                let released = released(&chapter, months, &all, &mut pairs).map_err(fault())?;
                let note = |person: Person| {
                    let person = Person { user: person.user.filter(|_| is_named), ..person };
                    // A chapter tells them contract by contract.
                    if last.replace(person) != Some(person) {
                        people.insert(person);
                    }
                };
                let could = could(&chapter, opens, to_ms, &mut pairs, note);
                let (could, at_most) = (could.map_err(fault())?, at_most(&chapter, u64::MAX));
                found.push(Found { released, could, pairs, at_most });
            }
            Ok::<_, Fault>((found, people))
        };
        let (one, other) = thread::scope(|scope| {
            let other = scope.spawn(|| part(full / 2, full));
            (part(0, full / 2), other.join().map_err(|_| ended()))
        });
        let ((one, people), (other, more)) = (one?, other??);
        for (found, pairs) in one.into_iter().chain(other).zip(&mut self.pairs) {
            self.released.push(found.released);
            self.could.push(found.could);
            // Too few would be worse than too many: what is counted then has to move.
            *pairs = pairs.saturating_add(found.pairs).min(found.at_most);
        }
        for person in people.union(&more) {
            tally.take_could(*person);
        }
        for (number, (released, could)) in (0..).zip(self.released.iter().zip(&self.could)) {
            let is_released = matches!(released, Released::ByRows);
            if !is_released && *could != Could::ByRows {
                continue;
            }
            let chapter = index.chapter(number)?;
            if tally.looks_at(chapter.times.0, chapter.times.1) {
                let fault = || file(chapter_name(number));
                let told = Telling::whole(&chapter).map_err(fault())?;
                if is_released {
                    told.tell_released(tally).map_err(fault())?;
                }
                if *could == Could::ByRows {
                    told.tell_could_open(tally).map_err(fault())?;
                }
            }
        }
        self.plan.tail.open_facts().iter().for_each(|fact| tally.note_kept(fact));
        Ok(())
    }

    fn read(&self, number: u64, of: Slice, pair: &mut dyn FnMut(Pair)) -> io::Result<()> {
        let released = usize::try_from(number).ok().and_then(|number| self.released.get(number));
        let has_passed = self.plan.way(number) == Way::Sums;
        let has_released = matches!(released, Some(Released::All | Released::Some(_)));
        let could = usize::try_from(number).ok().and_then(|number| self.could.get(number));
        let could_open = could == Some(&Could::All);
        if !has_passed && !has_released && !could_open {
            return Ok(());
        }
        let chapter = kept(self.reader, number).ok_or(io::ErrorKind::NotFound)?;
        let (first, last) = of.octets();
        let (from, to) = chapter.fences(first, last)?.0;
        // Whole octets of the maps, in which the first bit may be of no pair that is wanted.
        let (begin, end) = (from / 8, to.div_ceil(8));
        let size = usize::try_from(end - begin).map_err(io::Error::other)?;
        let [mut passed, mut certain, mut could] = [(); 3].map(|()| vec![0u8; size]);
        let (own, version) = (number_of(self.question.component), self.question.version.as_deref());
        let words = chapter.words()?;
        let is_covered = self.plan.is_covered(number);
        for kept in chapter.cells()? {
            let is_own = kept.kind == own && fits(version, kept.word, &words);
            let is_whole = kept.cell.tie == Tie::Own;
            if could_open && is_whole && self.opens.contains(&kept.cell.deed) {
                add(&mut could, &chapter.pair_map(&kept, begin, end - begin)?);
            }
            let is_kept = kept.cell.deed == Deed::Deliver && is_whole;
            if is_covered && is_passed(&kept.cell) {
                add(&mut passed, &chapter.pair_map(&kept, begin, end - begin)?);
            }
            let is_certain = match kept.cell.messages().filter(|_| has_passed && is_own) {
                Some(is_certain) => is_certain,
                None if is_kept && matches!(released, Some(Released::All)) => true,
                None => continue,
            };
            // It may be both: what an edge brought, asked about, in a month that was released.
            let all = is_kept && matches!(released, Some(Released::All));
            let to = if is_certain || all { &mut certain } else { &mut passed };
            add(to, &chapter.pair_map(&kept, begin, end - begin)?);
        }
        if let Some(Released::Some(map)) = released {
            let begin = usize::try_from(begin).map_err(io::Error::other)?;
            add(&mut certain, map.get(begin..).unwrap_or_default());
        }
        let bits = [&passed[..], &certain[..], &could[..]];
        self.hand_on(&chapter, (from, to), bits, pair)
    }

    /// Hands on the pairs of a range whose bits are set.
    fn hand_on(
        &self,
        chapter: &Chapter,
        (from, to): (u64, u64),
        [passed, certain, could]: [&[u8]; 3],
        pair: &mut dyn FnMut(Pair),
    ) -> io::Result<()> {
        let numbers: Vec<Option<u32>> = chapter
            .contracts()?
            .iter()
            .map(|one| self.contracts.get(&one.tenant).copied())
            .collect();
        let ids = chapter.some(Place::Pairs, from, to - from)?;
        let of = chapter.some(Place::ContractOf, from, to - from)?;
        let (ids, of): (&[[u8; 16]], &[[u8; 2]]) = (ids.as_chunks().0, of.as_chunks().0);
        let skipped = (from % 8) as usize;
        for ((id, of), place) in ids.iter().zip(of).zip(skipped..) {
            let mark = match (has_bit(certain, place), has_bit(passed, place)) {
                (true, _) => Some(Mark::OPENED),
                (false, true) => Some(Mark::PASSED),
                (false, false) => None,
            };
            let mark = match has_bit(could, place) {
                true => Some(mark.map_or(Mark::COULD, |mark| mark.and(Mark::COULD))),
                false => mark,
            };
            if let Some(mark) = mark {
                let number = numbers.get(usize::from(u16::from_be_bytes(*of))).copied().flatten();
                let number = number.ok_or(io::ErrorKind::InvalidData)?;
                pair(Pair::new(MessageId(*id), number, mark));
            }
        }
        Ok(())
    }
}

impl Columns for Messages<'_> {
    fn pairs(&self) -> u64 {
        self.pairs.iter().map(|pairs| u64::from(*pairs)).sum()
    }

    fn each(&self, of: Slice, pair: &mut dyn FnMut(Pair)) -> bool {
        every(self.reader, &self.fault, |number| self.read(number, of, pair))
    }
}

/// Does something for every full chapter, and remembers why it could not.
fn every(
    reader: &Reader,
    fault: &Mutex<Option<io::Error>>,
    mut read: impl FnMut(u64) -> io::Result<()>,
) -> bool {
    let done = (0..Index::of(reader).full()).try_for_each(&mut read);
    if let Err(why) = done {
        if let Ok(mut fault) = fault.lock() {
            *fault = Some(why);
        }
        return false;
    }
    true
}

fn at_most(chapter: &Chapter, pairs: u64) -> u32 {
    u32::try_from(pairs.min(chapter.count(Place::Pairs))).unwrap_or(u32::MAX)
}

fn add(to: &mut [u8], bits: &[u8]) {
    to.iter_mut().zip(bits).for_each(|(to, bits)| *to |= bits);
}

/// Whether keys that are held could open what a chapter kept, and whose that was.
fn could(
    chapter: &Chapter,
    opens: &[Deed],
    to_ms: u64,
    pairs: &mut u32,
    mut note: impl FnMut(Person),
) -> io::Result<Could> {
    if opens.is_empty() || chapter.times.0 >= to_ms {
        return Ok(Could::Nothing);
    }
    if chapter.times.1 >= to_ms {
        return Ok(Could::ByRows);
    }
    let mut theirs = vec![0; chapter.map_bytes(Place::PeopleMaps)];
    let mut count = 0;
    for kept in chapter.cells()? {
        if kept.cell.tie == Tie::Own && opens.contains(&kept.cell.deed) {
            count += u64::from(kept.count);
            if let Some(map) = chapter.people_map(&kept)? {
                add(&mut theirs, &map);
            }
        }
    }
    *pairs = (*pairs).max(at_most(chapter, count));
    each_person(chapter, |place, person| {
        if person.user.is_some() && has_bit(&theirs, place) {
            note(person);
        }
    })?;
    Ok(Could::All)
}

/// Which messages of a chapter were kept for people of whom its month was released.
fn released(
    chapter: &Chapter,
    months: &Months,
    all: &BTreeSet<u32>,
    pairs: &mut u32,
) -> io::Result<Released> {
    let (first, last) = (month_of(chapter.times.0), month_of(chapter.times.1));
    if all.range(first..=last).next().is_none() {
        return Ok(Released::None);
    }
    if first != last {
        return Ok(Released::ByRows);
    }
    let mut cells = chapter.cells()?;
    cells.retain(|kept| kept.cell.deed == Deed::Deliver && kept.cell.tie == Tie::Own);
    let mut kept_for = vec![0; chapter.map_bytes(Place::PeopleMaps)];
    for kept in &cells {
        if let Some(map) = chapter.people_map(kept)? {
            add(&mut kept_for, &map);
        }
    }
    let mut theirs = vec![0u8; kept_for.len()];
    let (mut some, mut all) = (false, true);
    let mut is_cut = false;
    each_person(chapter, |place, person| {
        if has_bit(&kept_for, place) {
            let until_ms = months.until(person, first);
            let has = until_ms.is_some_and(|until_ms| until_ms > chapter.times.0);
            is_cut |= has && until_ms.is_some_and(|until_ms| until_ms <= chapter.times.1);
            (some, all) = (some || has, all && has);
            if let Some(octet) = theirs.get_mut(place / 8).filter(|_| has) {
                *octet |= 1 << (place % 8);
            }
        }
    })?;
    if !some {
        return Ok(Released::None);
    }
    // What came behind the window, or behind the reading, was not there to be opened.
    if is_cut {
        return Ok(Released::ByRows);
    }
    if all {
        *pairs = at_most(chapter, cells.iter().map(|kept| u64::from(kept.count)).sum());
        return Ok(Released::All);
    }
    some_released(chapter, &cells, &theirs, pairs)
}

fn some_released(
    chapter: &Chapter,
    cells: &[Kept],
    theirs: &[u8],
    pairs: &mut u32,
) -> io::Result<Released> {
    let mut delivered = vec![0u8; chapter.map_bytes(Place::PairMaps)];
    let octets = delivered.len() as u64;
    for kept in cells {
        add(&mut delivered, &chapter.pair_map(kept, 0, octets)?);
    }
    let whose = chapter.all(Place::Whose)?;
    if whose.is_empty() {
        // More people than could be noted.
        return Ok(Released::ByRows);
    }
    let mut whose = whose.chunks_exact(WHOSE_BYTES);
    let mut found = vec![0u8; delivered.len()];
    let mut is_whole = true;
    each_bit(&delivered, |pair| {
        loop {
            let Some([one, two, three]) = whose.next() else {
                is_whole = false;
                return;
            };
            let number = u32::from_be_bytes([0, *one, *two, *three]);
            if has_bit(theirs, (number & (LAST - 1)) as usize)
                && let Some(octet) = found.get_mut(pair / 8)
            {
                *pairs += u32::from(*octet >> (pair % 8) & 1 == 0);
                *octet |= 1 << (pair % 8);
            }
            if number & LAST != 0 {
                return;
            }
        }
    });
    match is_whole {
        true => Ok(Released::Some(found)),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The processes asked about of the chapters that are told by sums.
pub(crate) struct Instances<'a> {
    reader: &'a Reader,
    plan: &'a Plan,
    question: &'a Question,
    fault: Mutex<Option<io::Error>>,
}

impl<'a> Instances<'a> {
    pub fn new(reader: &'a Reader, plan: &'a Plan, question: &'a Question) -> Self {
        Self { reader, plan, question, fault: Mutex::default() }
    }

    pub fn fault(&self) -> Option<io::Error> {
        self.fault.lock().ok()?.take()
    }

    fn read(&self, number: u64, pair: &mut dyn FnMut(Pair)) -> io::Result<()> {
        if self.plan.way(number) != Way::Sums {
            return Ok(());
        }
        let chapter = kept(self.reader, number).ok_or(io::ErrorKind::NotFound)?;
        let words = chapter.words()?;
        for section in asked(&chapter, self.question, &words) {
            let ids = chapter.ids(section)?;
            let ids: &[[u8; ID_BYTES]] = ids.as_chunks().0;
            ids.iter().for_each(|id| pair(Pair::new(as_message(InstanceId(*id)), 0, Mark::PASSED)));
        }
        Ok(())
    }
}

impl Columns for Instances<'_> {
    fn pairs(&self) -> u64 {
        self.plan.instances
    }

    fn each(&self, _: Slice, pair: &mut dyn FnMut(Pair)) -> bool {
        every(self.reader, &self.fault, |number| self.read(number, pair))
    }
}
