//! The index as a whole: chapters from disk where they are whole and belong to this log, from
//! the entries where they are not; and the scope of a breach, read from it.

use crate::binder::Binder;
use crate::chapter::CHAPTER_ENTRIES;
use crate::disk::{Folder, Shelf};
use crate::fault::{Fault, file};
use crate::names;
use crate::opened::Chapter;
use crate::overspill::overspill;
use crate::place::{MAGIC, MAGIC_BYTES, UNKNOWN};
use crate::plan::Plan;
use crate::reading::Reader;
use crate::telling::Telling;
use evidence::Frame;
use rustix::fs::{Advice, fadvise};
use scope::facts;
use scope::{Fact, Half, Life, Part, Proven, Question, Roll, Scope, Tally};
use std::cell::RefCell;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::thread;
use terms::{InstanceId, Kind, TenantId, UserId};
use tlog::{Hash, NodeSource, Store, Volume, leaf_hash};

/// After so long a process that has ended says nothing more that counts.
pub(crate) const LATE_MS: u64 = 600_000;
/// A count is divided no further.
const PARTS: u8 = 64;
/// Deeds by their number in the log's format, that are looked up by it.
pub(crate) const ALARM: u8 = 16;
pub(crate) const CREATE: u8 = 10;
pub(crate) const ROTATE: u8 = 11;
pub(crate) const SHRED: u8 = 12;

/// Where the index of a chapter stands, below `chapters`.
pub fn chapter_name(number: u64) -> String {
    format!("{}/{:04}/{:04}", names::CHAPTERS, number / 10_000, number % 10_000)
}

/// A chapter from disk, if it is there and belongs to these entries.
pub(crate) fn kept(reader: &Reader, number: u64) -> Option<Chapter> {
    let file = File::open(reader.folder().join(chapter_name(number))).ok()?;
    // The kernel would read on behind each piece that is asked: five times as much, and every page
    // of it must be found room for.
    let _ = fadvise(&file, 0, None, Advice::Random);
    let chapter = Chapter::open(file);
    let root = reader.node(16, number)?;
    chapter.ok().filter(|chapter| chapter.number == number && chapter.root == root)
}

/// The index of one log.
pub struct Index<'a> {
    pub(crate) reader: &'a Reader,
    /// The chapter that was last made from entries, with what the next one must know.
    made: RefCell<Option<(u64, Vec<(InstanceId, Life)>)>>,
    rebuilt: RefCell<HashSet<u64>>,
}

/// A scope and how it was read.
pub struct Measured {
    pub scope: Scope,
    pub chapters: u64,
    /// Chapters that were missing or did not belong to this log, and were made from entries.
    pub rebuilt: u64,
}

impl<'a> Index<'a> {
    /// The index beside the log that `reader` reads.
    pub fn of(reader: &'a Reader) -> Self {
        let (made, rebuilt) = (RefCell::new(None), RefCell::new(HashSet::new()));
        Self { reader, made, rebuilt }
    }

    /// Chapters that are full.
    pub fn full(&self) -> u64 {
        self.reader.size() / CHAPTER_ENTRIES
    }

    /// A chapter from disk, if it is there and belongs to these entries.
    pub(crate) fn kept(&self, number: u64) -> Option<Chapter> {
        kept(self.reader, number)
    }

    /// A full chapter.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn chapter(&self, number: u64) -> Result<Chapter, Fault> {
        match self.kept(number) {
            Some(chapter) => Ok(chapter),
            None => self.make(number),
        }
    }

    pub(crate) fn make(&self, number: u64) -> Result<Chapter, Fault> {
        let mut first = number;
        let known = |first: u64| {
            let made = self.made.borrow();
            let made = made.as_ref().filter(|made| made.0 + 1 == first);
            made.map(|made| made.1.clone())
        };
        let mut lives = loop {
            if first == 0 {
                break Vec::new();
            }
            if let Some(lives) = known(first) {
                break lives;
            }
            if let Some(lives) = self.kept(first - 1).and_then(|chapter| chapter.lives().ok()) {
                break lives;
            }
            first -= 1;
        };
        loop {
            let (bytes, next) = self.bind(first, lives)?;
            lives = next;
            self.rebuilt.borrow_mut().insert(first);
            *self.made.borrow_mut() = Some((first, lives.clone()));
            if first == number {
                return Chapter::of(bytes).map_err(file(chapter_name(number)));
            }
            first += 1;
        }
    }

    /// The index of a chapter, made from its entries, and what the next one must know.
    pub(crate) fn bind(
        &self,
        number: u64,
        lives: Vec<(InstanceId, Life)>,
    ) -> Result<(Vec<u8>, Vec<(InstanceId, Life)>), Fault> {
        let mut binder = Binder::new(number, lives);
        let mut done = None;
        self.reader.entries(number * CHAPTER_ENTRIES, |_, bytes| {
            let frame = Frame::parse(bytes);
            done = binder.take(leaf_hash(bytes), frame.as_ref().map(|frame| &frame.entry));
            done.is_none()
        })?;
        let size = self.reader.size();
        let (_, bytes) = done.ok_or(Fault::Beyond { index: binder.next(), size })?;
        let Roll(lives) = binder.roll().clone();
        Ok((bytes, lives.into_iter().collect()))
    }

    /// The entries behind the last full chapter.
    pub(crate) fn tail(&self) -> Result<Binder, Fault> {
        let full = self.full();
        let lives = match full.checked_sub(1) {
            Some(last) => self.chapter(last)?.lives().map_err(file(chapter_name(last)))?,
            None => Vec::new(),
        };
        let mut binder = Binder::new(full, lives);
        self.reader.entries(full * CHAPTER_ENTRIES, |_, bytes| {
            let frame = Frame::parse(bytes);
            binder.take(leaf_hash(bytes), frame.as_ref().map(|frame| &frame.entry));
            true
        })?;
        Ok(binder)
    }

    /// Entries of these deeds, and whatever no chapter holds yet.
    pub(crate) fn visit_deeds(
        &self,
        deeds: &[u8],
        note: &mut dyn FnMut(u64, &[u8]) -> bool,
    ) -> Result<(), Fault> {
        for number in 0..self.full() {
            let chapter = self.chapter(number)?;
            let mut places = Vec::new();
            for deed in deeds {
                places.extend(chapter.entries_by(*deed).map_err(file(chapter_name(number)))?);
            }
            places.sort_unstable();
            let first = number * CHAPTER_ENTRIES;
            self.visit(places.iter().map(|place| first + u64::from(*place)), note)?;
        }
        self.tail_entries(note)
    }

    /// Hands on entries that say which keys were made, and whatever no chapter holds yet.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn made(&self, mut note: impl FnMut(&[u8])) -> Result<(), Fault> {
        self.visit_deeds(&[CREATE], &mut |_, bytes| {
            note(bytes);
            true
        })
    }

    /// Hands on the entries behind the last full chapter.
    pub(crate) fn tail_entries(
        &self,
        wanted: &mut dyn FnMut(u64, &[u8]) -> bool,
    ) -> Result<(), Fault> {
        self.reader.entries(self.full() * CHAPTER_ENTRIES, wanted)
    }

    /// Entries that touch a contract, or one person of it, oldest first; only of `from_ms` up to
    /// `to_ms`, and only until `wanted` says no more.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn touching(
        &self,
        tenant: TenantId,
        user: Option<UserId>,
        (from_ms, to_ms): (u64, u64),
        mut wanted: impl FnMut(u64, &[u8]) -> bool,
    ) -> Result<(), Fault> {
        let mut go_on = true;
        let mut visit = |index: u64, bytes: &[u8]| {
            let at_ms = Frame::parse(bytes).map_or(0, |frame| frame.entry.time_ms);
            go_on = go_on && (!(from_ms..to_ms).contains(&at_ms) || wanted(index, bytes));
            go_on
        };
        for number in 0..self.full() {
            let chapter = self.chapter(number)?;
            if chapter.times.0 >= to_ms || chapter.times.1 < from_ms {
                continue;
            }
            let places = chapter.entries_of(tenant, user).map_err(file(chapter_name(number)))?;
            let first = number * CHAPTER_ENTRIES;
            if !self.visit(places.iter().map(|place| first + u64::from(*place)), &mut visit)? {
                return Ok(());
            }
        }
        let binder = self.tail()?;
        let theirs = |fact: &&Fact| {
            fact.person.is_some_and(|person| {
                person.tenant == tenant && (user.is_none() || person.user == user)
            })
        };
        let mut places: Vec<u64> =
            binder.open_facts().iter().filter(theirs).map(|fact| fact.index).collect();
        places.dedup();
        self.visit(places.into_iter(), &mut visit)?;
        Ok(())
    }

    /// Reads entries in rising order; where they stand close together, in one go.
    pub(crate) fn visit(
        &self,
        indices: impl Iterator<Item = u64>,
        wanted: &mut dyn FnMut(u64, &[u8]) -> bool,
    ) -> Result<bool, Fault> {
        let mut indices = indices.peekable();
        let mut go_on = true;
        while let (true, Some(first)) = (go_on, indices.peek().copied()) {
            self.reader.entries(first, |index, bytes| {
                if indices.peek() == Some(&index) {
                    indices.next();
                    go_on = wanted(index, bytes);
                }
                // Read on only where the next one is near.
                go_on && indices.peek().is_some_and(|next| next - index < 256)
            })?;
        }
        Ok(go_on)
    }

    /// Measures a scope from the index.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn measure(&self, question: &Question, proven: &Proven) -> Result<Measured, Fault> {
        let mut parts = 1;
        loop {
            let mut whole: Option<Scope> = None;
            let mut overflowed = false;
            for part in 0..parts {
                let tally = || Tally::new(question.clone(), Part { part, parts });
                let finished = self.measure_by_sums(&tally, proven)?;
                overflowed |= finished.overflowed;
                match &mut whole {
                    None => whole = Some(finished.scope),
                    Some(whole) => whole.add_part(&finished.scope),
                }
                if overflowed && parts < PARTS {
                    break;
                }
            }
            match (whole, overflowed && parts < PARTS) {
                (Some(scope), false) => {
                    let rebuilt = self.rebuilt.borrow().len() as u64;
                    return Ok(Measured { scope, chapters: self.full(), rebuilt });
                }
                _ => parts = (parts * 4).min(PARTS),
            }
        }
    }

    /// Two processors count one half each: reading is little of the work, so each reads all of it.
    pub(crate) fn run_halves(
        &self,
        plan: &Plan,
        tally: &(dyn Fn() -> Tally + Sync),
    ) -> Result<Tally, Fault> {
        let reader = self.reader;
        thread::scope(|scope| {
            let other =
                scope.spawn(move || Index::of(reader).run(plan, tally().half(Half::Processes)));
            let people = self.run(plan, tally().half(Half::People).spilling(overspill));
            let processes = other.join().map_err(|_| {
                file("the index")(io::Error::other("half of the counting ended without an answer"))
            })??;
            Ok(people?.with(processes))
        })
    }

    fn run(&self, plan: &Plan, mut tally: Tally) -> Result<Tally, Fault> {
        let (from_ms, to_ms) = (tally.question().from_ms, tally.question().to_ms);
        plan.met().for_each(|(one, life)| tally.meet(*one, life));
        plan.carried.met_by(&mut tally);
        plan.carried.tell(self, plan.begins, &mut tally)?;
        let mut began = false;
        for number in 0..self.full() {
            let chapter = self.chapter(number)?;
            let overlaps = chapter.times.1 >= from_ms && chapter.times.0 < to_ms;
            if overlaps && !began {
                began = true;
                self.meet_before(number, &mut tally)?;
            }
            if began {
                let fault = || file(chapter_name(number));
                let read = Telling::of(&chapter, &tally, overlaps).map_err(fault())?;
                if tally.asks_authors() {
                    read.tell_grants(&mut tally).map_err(fault())?;
                }
                read.tell(&mut tally).map_err(fault())?;
                self.tell_keys_and_decoys(&chapter, &mut tally)?;
                tally.forget_ended(chapter.times.0.saturating_sub(LATE_MS), |_| false);
            }
        }
        let binder = self.tail()?;
        if !began {
            self.meet_before(self.full(), &mut tally)?;
        }
        binder.roll().0.iter().for_each(|(instance, life)| tally.meet(*instance, life));
        binder.open_facts().iter().for_each(|fact| tally.note(fact));
        if let Some(last) = self.reader.size().checked_sub(1) {
            let bytes = self.reader.entry(last)?;
            let at_ms = Frame::parse(&bytes).map_or(0, |frame| frame.entry.time_ms);
            tally.looked_at(at_ms, last);
        }
        if tally.counts() != Half::Processes {
            self.follow_made(&mut tally)?;
            self.end_shown(&mut tally)?;
        }
        if tally.needs_more() {
            self.read_again(&mut tally)?;
            binder.open_facts().iter().for_each(|fact| tally.note_kept(fact));
        }
        Ok(tally)
    }

    /// Learns of the processes that lived when a chapter began, and of those that had ended but
    /// are still spoken of in it.
    fn meet_before(&self, number: u64, tally: &mut Tally) -> Result<(), Fault> {
        let Some(before) = number.checked_sub(1) else { return Ok(()) };
        let chapter = self.chapter(before)?;
        let lives = chapter.heard().map_err(file(chapter_name(before)))?;
        lives.iter().for_each(|(instance, life)| tally.meet(*instance, life));
        if number >= self.full() {
            return Ok(());
        }
        let strangers = self.chapter(number)?.processes(Some(UNKNOWN));
        let strangers = strangers.map_err(file(chapter_name(number)))?;
        let mut strangers: HashSet<InstanceId> =
            strangers.iter().map(|process| process.instance).collect();
        for earlier in (0..number).rev() {
            if strangers.is_empty() {
                break;
            }
            let processes = self.chapter(earlier)?.processes(None);
            for process in processes.map_err(file(chapter_name(earlier)))? {
                if let Some(life) = &process.life
                    && strangers.remove(&process.instance)
                {
                    tally.meet(process.instance, life);
                }
            }
        }
        Ok(())
    }

    /// New keys, destroyed ones, and alarms of decoys: they are nobody's rows, and few.
    fn tell_keys_and_decoys(&self, chapter: &Chapter, tally: &mut Tally) -> Result<(), Fault> {
        let mut places = Vec::new();
        let created = (tally.question().component == Kind::Admin).then_some(CREATE);
        for deed in [ALARM, ROTATE, SHRED].into_iter().chain(created) {
            places.extend(chapter.entries_by(deed).map_err(file(chapter_name(chapter.number)))?);
        }
        places.sort_unstable();
        let first = chapter.number * CHAPTER_ENTRIES;
        let indices = places.iter().map(|place| first + u64::from(*place));
        self.visit(indices, &mut |index, bytes| {
            if let Some(frame) = Frame::parse(bytes) {
                facts(index, &frame.entry, |fact| {
                    if !tally.is_asked(fact.instance) && !tally.is_asked(fact.start) {
                        tally.note(&fact);
                    }
                });
            }
            true
        })?;
        Ok(())
    }

    pub(crate) fn read_again(&self, tally: &mut Tally) -> Result<(), Fault> {
        for number in 0..self.full() {
            let chapter = self.chapter(number)?;
            if tally.looks_at(chapter.times.0, chapter.times.1) {
                let fault = || file(chapter_name(number));
                let read = Telling::whole(&chapter).map_err(fault())?;
                read.tell_kept(tally).map_err(fault())?;
            }
        }
        Ok(())
    }
}

/// What the binder of the next chapter must know, if the index of this one is whole and belongs
/// to entries with this root.
fn lives_after(folder: &Path, number: u64, root: Hash) -> Option<Vec<(InstanceId, Life)>> {
    let chapter = Chapter::open(File::open(folder.join(chapter_name(number))).ok()?).ok()?;
    (chapter.number == number && chapter.root == root).then(|| chapter.lives().ok())?
}

/// Whether a chapter is there, and of this version.
fn is_there(path: &Path) -> bool {
    let mut begin = [0; MAGIC_BYTES];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == *MAGIC
}

/// Takes up the index of a log that was opened to be written: chapters that are missing are made
/// anew. Says how many.
///
/// # Errors
/// The disk's.
pub fn take_up<V: Volume>(store: &Store<V>, folder: &Path) -> io::Result<(Binder, u64)> {
    let full = store.size() / CHAPTER_ENTRIES;
    // Also one of an earlier version is missing: it is made from the entries, as if it were none.
    let missing = (0..full).find(|number| !is_there(&folder.join(chapter_name(*number))));
    let mut first = missing.unwrap_or(full);
    let lives = loop {
        let Some(before) = first.checked_sub(1) else { break Vec::new() };
        let root = store.node(16, before).unwrap_or_default();
        match lives_after(folder, before, root) {
            Some(lives) => break lives,
            None => first = before,
        }
    };
    let mut binder = Binder::new(first, lives);
    let shelf = Folder(folder.to_owned());
    while binder.next() < store.size() {
        let entries = store.entries(binder.next(), 4_096, 4 * 1024 * 1024)?;
        if entries.is_empty() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        for bytes in &entries {
            let frame = Frame::parse(bytes);
            let done = binder.take(leaf_hash(bytes), frame.as_ref().map(|frame| &frame.entry));
            if let Some((number, index)) = done {
                shelf.put(&chapter_name(number), &index)?;
            }
        }
    }
    Ok((binder, full - first))
}
