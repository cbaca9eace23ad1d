//! Append-only packs: one log that carries parts and notes, one `fdatasync` a commit.
//!
//! A pack is written once and never changed. What is deleted stays as dead octets until half of
//! its pack is dead; then the living are appended again, the keeper notes their new places, and
//! the old pack is unlinked as soon as the index has durably passed that note.

mod counts;

use crate::record::{HEAD_BYTES, Head, Kind};
use crate::segment::{self, Found, START_BYTES, Walk};
use crate::{Bodies, Content, Fault, Key, Mark, Owner, Place, Space};
use counts::Counts;
use rustix::fs::{Advice, fadvise};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A pack is closed once it is this long: opening one costs two flushes, and its keeper a
/// checkpoint, so among large messages it must be rare (a thousand of a mebibyte).
pub const PACK_BYTES: u64 = 1024 * 1024 * 1024;
/// It is closed at this part of it if half of it is dead: compaction is never far from done.
const HALF_DEAD_PART: u64 = 4;
/// Staged octets kept in memory before they are handed to the kernel.
const BUFFER_BYTES: usize = 1024 * 1024;
/// A piece of this size is handed to the kernel as it is, and its cache given back once the disk
/// has it: one large message shall not push a hundred small ones and the index out of memory, and
/// pages that are used again at once are cheaper than ever new ones.
const LARGE_BYTES: usize = 128 * 1024;
/// Taken in at once from a peer's memory. A kernel that caches a file in large pages makes them as
/// large as what is written at once: a mebibyte in four times as many pieces costs a third more.
const TAKEN_BYTES: usize = 512 * 1024;
/// Packs held open for reading; older ones are opened again when they are asked for.
const OPEN_PACKS: usize = 256;

struct Pack {
    /// Where it ends for ever; for the last one, as far as is committed.
    ends: u64,
}

struct Tail {
    number: u32,
    file: File,
    /// Committed, handed to the kernel, and (with the buffer) staged.
    durable: u64,
    written: u64,
    buffer: Vec<u8>,
    /// Large pieces handed over since the last commit: where, and how many octets.
    large: Vec<(u64, NonZeroU64)>,
    /// What is taken in at once, kept for the next: new memory would cost more than what is copied.
    taken: Vec<u8>,
}

impl Tail {
    fn new(number: u32, file: File, ends: u64) -> Self {
        let (buffer, large, taken) = (Vec::new(), Vec::new(), Vec::new());
        Self { number, file, durable: ends, written: ends, buffer, large, taken }
    }

    fn staged(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }
}

/// The engine.
pub struct Packs {
    folder: PathBuf,
    folder_file: File,
    packs: BTreeMap<u32, Pack>,
    tail: Option<Tail>,
    open: VecDeque<(u32, File)>,
    /// Dead octets of each pack, eight bytes a number; advice for compaction, never truth.
    dead: Counts,
    settled: Mark,
    moving: Option<(u32, u64)>,
    emptied: Vec<(u32, Mark)>,
    flushes: u64,
    pack_bytes: u64,
    replayed: bool,
    /// Packs up to this one are emptied, whatever lives in them.
    swept: Option<u32>,
}

impl Packs {
    pub fn open(folder: &Path) -> Result<Self, Fault> {
        Self::open_with(folder, PACK_BYTES)
    }

    /// As `open`, with another length at which a pack is closed (for tests and small machines).
    pub fn open_with(folder: &Path, pack_bytes: u64) -> Result<Self, Fault> {
        let doing = "opening the packs";
        let read = |source| Fault::Read { doing, source };
        std::fs::create_dir_all(folder).map_err(|source| Fault::write(doing, source))?;
        let folder_file = File::open(folder).map_err(read)?;
        let dead = Counts::open(&folder.join("dead.counts"))?;
        let mut packs = BTreeMap::new();
        for entry in std::fs::read_dir(folder).map_err(read)? {
            let name = entry.map_err(read)?.file_name();
            let Some(number) = name.to_str().and_then(segment::number_in) else { continue };
            let file = File::open(segment::path(folder, number)).map_err(read)?;
            // A start that never became whole held nothing: it is begun again.
            if segment::before_ends(&file, number).is_some() {
                packs.insert(number, Pack { ends: file.metadata().map_err(read)?.len() });
            }
        }
        let mut this = Self {
            folder: folder.to_owned(),
            folder_file,
            packs,
            tail: None,
            open: VecDeque::new(),
            dead,
            settled: Mark(0),
            moving: None,
            emptied: Vec::new(),
            flushes: 0,
            pack_bytes,
            replayed: false,
            swept: None,
        };
        this.learn_ends()?;
        Ok(this)
    }

    /// Each pack says where the one before it ends.
    fn learn_ends(&mut self) -> Result<(), Fault> {
        let numbers: Vec<u32> = self.packs.keys().copied().collect();
        for (before, number) in numbers.iter().zip(numbers.iter().skip(1)) {
            let file = self.reader(*number)?;
            let Some(ends) = segment::before_ends(file, *number) else { continue };
            if let Some(pack) = self.packs.get_mut(before).filter(|_| before + 1 == *number) {
                pack.ends = pack.ends.min(ends);
            }
        }
        Ok(())
    }

    fn reader(&mut self, number: u32) -> Result<&File, Fault> {
        let known = self.open.iter().position(|(open, _)| *open == number);
        if known.is_none() {
            let file = File::open(segment::path(&self.folder, number))
                .map_err(|source| Fault::Read { doing: "opening a pack", source })?;
            if self.open.len() >= OPEN_PACKS {
                self.open.pop_front();
            }
            self.open.push_back((number, file));
        }
        let index = known.unwrap_or(self.open.len().saturating_sub(1));
        self.open.get(index).map(|(_, file)| file).ok_or(Fault::Torn {
            at: segment::at(number, 0),
            expected: 1,
            found: 0,
        })
    }

    /// The pack that is written, made if there is none.
    fn tail(&mut self) -> Result<&mut Tail, Fault> {
        if !self.replayed {
            self.replay(Mark(u64::MAX), &mut |_, _| {})?;
        }
        if self.tail.is_none() {
            self.tail = Some(self.begin_pack()?);
        }
        self.tail.as_mut().ok_or(Fault::Torn { at: 0, expected: 1, found: 0 })
    }

    fn begin_pack(&mut self) -> Result<Tail, Fault> {
        let doing = "beginning a pack";
        let write = |source| Fault::write(doing, source);
        let last = self.packs.last_key_value();
        let number = last.map_or(1, |(number, _)| number + 1);
        let before_ends = last.map_or(0, |(_, pack)| pack.ends);
        let path = segment::path(&self.folder, number);
        // A pack that a fault left half begun has no entry in `packs`: it is begun again.
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path).map_err(write)?;
        durable::cut(&file, 0).map_err(write)?;
        let start = segment::start_bytes(number, before_ends);
        durable::write_at(&file, &start, 0).map_err(write)?;
        durable::sync(&file).map_err(write)?;
        durable::sync_folder(&self.folder_file).map_err(write)?;
        self.flushes += 2;
        self.packs.insert(number, Pack { ends: START_BYTES });
        Ok(Tail::new(number, file, START_BYTES))
    }

    fn append(&mut self, kind: Kind, content: &Content<'_>) -> Result<Place, Fault> {
        let length = content.length().ok_or(Fault::Torn {
            at: 0,
            expected: u64::from(crate::PART_BYTES),
            found: u64::MAX,
        })?;
        let tail = self.tail()?;
        let start = tail.staged();
        let at = segment::at(tail.number, start);
        let result = match content {
            Content::Pieces(pieces) => tail.append_pieces(kind, at, length, pieces),
            Content::File { front, file, .. } => tail.append_file(kind, at, length, (front, file)),
        };
        if let Err(fault) = result {
            self.abandon();
            return Err(fault);
        }
        Ok(Place { at, length })
    }

    /// Gives up the pack that is written: the next one says where this one ends.
    fn retire_tail(&mut self) {
        if let Some(tail) = self.tail.take()
            && let Some(pack) = self.packs.get_mut(&tail.number)
        {
            pack.ends = tail.durable;
        }
    }

    fn choose_victim(&mut self) -> Option<u32> {
        let tail = self.packs.last_key_value().map(|(number, _)| *number)?;
        let settled = segment::number_of(self.settled.0);
        let mut best: Option<(u64, u32)> = None;
        for (number, pack) in &self.packs {
            let waits = self.emptied.iter().any(|(emptied, _)| emptied == number);
            if *number == tail || *number >= settled || waits {
                continue;
            }
            if self.swept.is_some_and(|swept| *number <= swept) {
                return Some(*number);
            }
            let dead = self.dead.of(*number);
            if dead * 2 >= pack.ends && best.is_none_or(|(most, _)| dead > most) {
                best = Some((dead, *number));
            }
        }
        best.map(|(_, number)| number)
    }

    /// Moves the living of one pack, up to `budget` octets. Says where it stopped.
    fn move_some(
        &mut self,
        (number, from): (u32, u64),
        budget: u64,
        owner: &mut dyn Owner,
    ) -> Result<Option<u64>, Fault> {
        let file = self.reader(number)?.try_clone();
        let file = file.map_err(|source| Fault::Read { doing: "moving a pack", source })?;
        let ends = self.packs.get(&number).map_or(0, |pack| pack.ends);
        let mut walk = Walk::new(&file, number, from, ends);
        let mut bytes = Vec::new();
        while walk.offset() < from + budget {
            let Found::Record { head, place, .. } = walk.next()? else { return Ok(None) };
            let Kind::Part(key) = head.kind else { continue };
            if !owner.is_live(key, place) {
                continue;
            }
            bytes.clear();
            self.read(place, 0..place.length, &mut bytes)?;
            let to = self.put(key, Content::Pieces(&[&bytes]))?;
            owner.moved(key, place, to);
        }
        Ok(Some(walk.offset()))
    }

    /// Tells the notes of one pack and returns where its last whole record ends.
    fn tell(
        &mut self,
        number: u32,
        after: Mark,
        each: &mut dyn FnMut(Mark, &[u8]),
    ) -> Result<u64, Fault> {
        let ends = self.packs.get(&number).map_or(0, |pack| pack.ends);
        let from =
            if segment::number_of(after.0) == number { segment::offset_of(after.0) } else { 0 };
        let mut walk = Walk::new(self.reader(number)?, number, from, ends);
        while let Found::Record { head, note, .. } = walk.next()? {
            if head.kind == Kind::Note {
                each(walk.mark(), &note);
            }
        }
        Ok(walk.offset())
    }
}

impl Tail {
    fn append_pieces(
        &mut self,
        kind: Kind,
        at: u64,
        length: u32,
        pieces: &[&[u8]],
    ) -> Result<(), Fault> {
        let mut head = Head::new(kind, length);
        let mut sum = head.begin_sum(at);
        pieces.iter().for_each(|piece| sum.add(piece));
        head.sum = sum.finish();
        self.buffer.extend_from_slice(&head.to_bytes());
        for piece in pieces {
            if piece.len() >= LARGE_BYTES || self.buffer.len() + piece.len() > BUFFER_BYTES {
                self.hand_over()?;
                self.write_at(self.written, piece)?;
                self.note_large(self.written, piece.len());
                self.written += piece.len() as u64;
            } else {
                self.buffer.extend_from_slice(piece);
            }
        }
        Ok(())
    }

    /// The head is written last: its sum is known when the content has passed.
    fn append_file(
        &mut self,
        kind: Kind,
        at: u64,
        length: u32,
        (front, from): (&[u8], &File),
    ) -> Result<(), Fault> {
        self.hand_over()?;
        let mut head = Head::new(kind, length);
        let mut sum = head.begin_sum(at);
        sum.add(front);
        let start = self.written + HEAD_BYTES as u64;
        self.write_at(start, front)?;
        let start = start + front.len() as u64;
        let length = u64::from(length) - front.len() as u64;
        let mut taken = std::mem::take(&mut self.taken);
        let most = (length as usize).min(TAKEN_BYTES);
        if taken.len() < most {
            taken.resize(most, 0);
        }
        let mut done = 0u64;
        while done < length {
            let wanted = (length - done).min(TAKEN_BYTES as u64) as usize;
            let piece = taken.get_mut(..wanted).unwrap_or_default();
            from.read_exact_at(piece, done)
                .map_err(|source| Fault::Read { doing: "taking in a parcel", source })?;
            sum.add(piece);
            self.write_at(start + done, piece)?;
            done += wanted as u64;
        }
        self.taken = taken;
        head.sum = sum.finish();
        self.write_at(self.written, &head.to_bytes())?;
        self.note_large(start, done as usize);
        self.written = start + done;
        Ok(())
    }

    fn note_large(&mut self, offset: u64, octets: usize) {
        if octets >= LARGE_BYTES {
            self.large.extend(NonZeroU64::new(octets as u64).map(|octets| (offset, octets)));
        }
    }

    /// Gives back the cache of large pieces that the disk has. It is advice: a refusal costs
    /// nothing but memory.
    fn forget_large(&mut self) {
        for (offset, octets) in self.large.drain(..) {
            let _ = fadvise(&self.file, offset, Some(octets), Advice::DontNeed);
        }
    }

    fn hand_over(&mut self) -> Result<(), Fault> {
        if !self.buffer.is_empty() {
            self.write_at(self.written, &self.buffer)?;
            self.written += self.buffer.len() as u64;
            self.buffer.clear();
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        durable::write_at(&self.file, bytes, offset)
            .map_err(|source| Fault::write("appending to a pack", source))
    }
}

impl Bodies for Packs {
    fn put(&mut self, key: Key, content: Content<'_>) -> Result<Place, Fault> {
        self.append(Kind::Part(key), &content)
    }

    fn note(&mut self, note: &[u8]) -> Result<(), Fault> {
        let place = self.append(Kind::Note, &Content::Pieces(&[note]))?;
        // A note is of no use once the index has it: it counts as dead from the start.
        self.dead.add(segment::number_of(place.at), note.len() as u64 + HEAD_BYTES as u64);
        Ok(())
    }

    fn commit(&mut self) -> Result<Mark, Fault> {
        let pack_bytes = self.pack_bytes;
        let tail = self.tail()?;
        let staged = tail.staged();
        let behind = staged > tail.durable;
        if behind {
            let handed = tail.hand_over();
            let flushed = handed.and_then(|()| {
                durable::sync(&tail.file).map_err(|source| Fault::write("flushing a pack", source))
            });
            if let Err(fault) = flushed {
                // After a failed flush nobody knows which pages the kernel dropped: this pack
                // is never written again.
                self.abandon();
                self.retire_tail();
                return Err(fault);
            }
            tail.forget_large();
        }
        tail.durable = staged;
        let number = tail.number;
        self.flushes += u64::from(behind);
        if let Some(pack) = self.packs.get_mut(&number) {
            pack.ends = staged;
        }
        let is_half_dead = self.dead.of(number) * 2 >= staged;
        if staged >= pack_bytes || (is_half_dead && staged >= pack_bytes / HALF_DEAD_PART) {
            self.retire_tail();
        }
        let mark = Mark(segment::at(number, staged));
        for (_, after) in self.emptied.iter_mut().filter(|(_, after)| after.0 == u64::MAX) {
            *after = mark;
        }
        Ok(mark)
    }

    fn abandon(&mut self) {
        // What was moved since the last commit was not: its pack is walked again.
        self.moving = None;
        self.emptied.retain(|(_, after)| after.0 != u64::MAX);
        let Some(tail) = self.tail.as_mut() else { return };
        tail.buffer.clear();
        tail.large.clear();
        if tail.written > tail.durable {
            // Flushed, so that what is refused now does not come back after a power cut.
            let cut = durable::cut(&tail.file, tail.durable);
            let cut = cut.and_then(|()| durable::sync(&tail.file)).is_ok();
            tail.written = tail.durable;
            if !cut {
                self.retire_tail();
            }
            self.flushes += 1;
        }
    }

    fn read(&mut self, place: Place, range: Range<u32>, into: &mut Vec<u8>) -> Result<(), Fault> {
        let number = segment::number_of(place.at);
        let start = into.len();
        let end = range.end.min(place.length);
        let length = end.saturating_sub(range.start);
        let offset = segment::offset_of(place.at) + HEAD_BYTES as u64 + u64::from(range.start);
        if let Some(tail) = self.tail.as_mut().filter(|tail| tail.number == number)
            && offset + u64::from(length) > tail.written
        {
            tail.hand_over()?;
        }
        let file = self.reader(number)?;
        into.resize(start + length as usize, 0);
        let room = into.get_mut(start..).unwrap_or_default();
        let outcome = file.read_exact_at(room, offset);
        if let Err(source) = outcome {
            into.truncate(start);
            return Err(match source.kind() {
                std::io::ErrorKind::UnexpectedEof => {
                    Fault::Torn { at: place.at, expected: u64::from(length), found: 0 }
                }
                _ => Fault::Read { doing: "reading a part", source },
            });
        }
        Ok(())
    }

    fn delete(&mut self, place: Place) -> Result<(), Fault> {
        let dead = u64::from(place.length) + HEAD_BYTES as u64;
        self.dead.add(segment::number_of(place.at), dead);
        Ok(())
    }

    fn replay(&mut self, after: Mark, each: &mut dyn FnMut(Mark, &[u8])) -> Result<Mark, Fault> {
        self.replayed = true;
        let numbers: Vec<u32> = self.packs.keys().copied().collect();
        let Some(last) = numbers.last().copied() else { return Ok(Mark(0)) };
        let first = segment::number_of(after.0).min(last);
        let mut mark = Mark(0);
        for number in numbers.into_iter().filter(|number| *number >= first) {
            let whole = self.tell(number, after, each)?;
            mark = Mark(segment::at(number, whole));
            let ends = self.packs.get(&number).map_or(0, |pack| pack.ends);
            if number != last && whole < ends {
                // The next pack swore that this much was durable: the disk has lost it.
                return Err(Fault::Torn { at: mark.0, expected: ends, found: whole });
            }
            if number == last && whole < ends {
                // A torn tail. It is left as it lies; the next pack will say where it ends.
                if let Some(pack) = self.packs.get_mut(&number) {
                    pack.ends = whole;
                }
            } else if number == last && whole < self.pack_bytes {
                self.tail = self.continue_pack(number, whole)?;
            }
        }
        self.settled = after.min(mark);
        Ok(mark)
    }

    fn forget(&mut self, mark: Mark) -> Result<(), Fault> {
        self.settled = self.settled.max(mark);
        let settled = self.settled;
        let (gone, kept) = self.emptied.drain(..).partition(|(_, after)| *after <= settled);
        self.emptied = kept;
        let gone: Vec<(u32, Mark)> = gone;
        for (number, _) in gone {
            self.open.retain(|(open, _)| *open != number);
            self.packs.remove(&number);
            durable::remove(&segment::path(&self.folder, number))
                .map_err(|source| Fault::write("removing an emptied pack", source))?;
        }
        Ok(())
    }

    fn compact(&mut self, budget: u64, owner: &mut dyn Owner) -> Result<bool, Fault> {
        let victim = match self.moving {
            Some(moving) => Some(moving),
            None => self.choose_victim().map(|number| (number, START_BYTES)),
        };
        let Some((number, from)) = victim else { return Ok(false) };
        self.moving = self.move_some((number, from), budget, owner)?.map(|offset| (number, offset));
        if self.moving.is_none() {
            // It goes when the index has durably passed the commit that comes now.
            self.emptied.push((number, Mark(u64::MAX)));
        }
        Ok(true)
    }

    fn sweep(&mut self) -> Result<bool, Fault> {
        let swept = match self.swept {
            Some(swept) => swept,
            None => {
                let last = self.packs.last_key_value().map_or(0, |(number, _)| *number);
                if self.tail.as_ref().is_some_and(|tail| tail.staged() > tail.durable) {
                    return Ok(true); // what is staged belongs to this pack: asked again later
                }
                self.retire_tail();
                // The next pack says where this one ends: only then may it be emptied.
                self.tail()?;
                self.swept = Some(last);
                last
            }
        };
        let left = self.packs.range(..=swept).next().is_some();
        if !left {
            self.swept = None;
        }
        Ok(left)
    }

    fn space(&self) -> Space {
        let on_disk = self.packs.values().map(|pack| pack.ends).sum();
        let dead = self.packs.keys().map(|number| self.dead.of(*number)).sum();
        Space { on_disk, dead }
    }

    fn flushes(&self) -> u64 {
        self.flushes
    }
}

impl Packs {
    fn continue_pack(&mut self, number: u32, whole: u64) -> Result<Option<Tail>, Fault> {
        let file = File::options().read(true).write(true).open(segment::path(&self.folder, number));
        let Ok(file) = file else { return Ok(None) };
        if segment::before_ends(&file, number).is_none() {
            return Ok(None);
        }
        // What was read may not have been durable before the crash: it is now.
        durable::sync(&file).map_err(|source| Fault::write("flushing a pack", source))?;
        self.flushes += 1;
        Ok(Some(Tail::new(number, file, whole)))
    }
}
