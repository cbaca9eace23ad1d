//! A log that grows: entries are staged, then committed together by one write, one flush and one
//! signed checkpoint. Proofs come from nodes in memory and, for old leaves, from tiles.

use crate::anchor::Anchor;
use crate::checkpoint::Checkpoint;
use crate::derived::Derived;
use crate::hash::{Hash, leaf_hash};
use crate::nodes::{NodeSource, RecentNodes, subtree_root};
use crate::proof::{consistency_proof, inclusion_proof};
use crate::range::CompactRange;
use crate::record::{Found, RECORD_BYTES, RECORD_HEAD, Sort, read_record, write_record};
use crate::replay::{
    BATCH_BYTES, CHUNK_BYTES, Replayed, SignedCheckpoint, Window, replay, replay_from,
};
use crate::tile::{TILE_HEIGHT, TILE_WIDTH, TileSource, TiledNodes};
use crate::volume::Volume;
use std::io;

/// Nodes of each height kept in memory: proofs for the newest 65,536 leaves read no tile.
const RECENT_NODES: usize = 65_536;
/// The place of one entry is noted for so many; the others are found by reading on.
pub const MARK_EVERY: u64 = 64;
/// Levels of tiles that are kept: enough for 2^40 leaves.
pub const TILE_LEVELS: usize = 5;

/// Where a log stands: its records, and what is derived from them.
#[derive(Clone, Debug, Default)]
pub struct Volumes<V> {
    pub log: V,
    /// The tiles of each level, one behind the other.
    pub tiles: [V; TILE_LEVELS],
    /// For every 64th entry the octet of the log at which its record begins.
    pub marks: V,
}

/// A log on its volumes.
pub struct Store<V> {
    log: V,
    tiles: [Derived<V>; TILE_LEVELS],
    marks: Derived<V>,
    range: CompactRange,
    nodes: RecentNodes,
    newest: Option<SignedCheckpoint>,
    committed: CompactRange,
    committed_bytes: u64,
    note_at: u64,
    staged: Staged,
    /// Damage stands behind the committed entries: nothing is written until it is dropped.
    loose: bool,
    /// A batch may have been written in part and could not be cut off again.
    unclean: bool,
}

/// A batch in the making.
#[derive(Default)]
struct Staged {
    records: Vec<u8>,
    tiles: [Vec<u8>; TILE_LEVELS],
    marks: Vec<u8>,
}

/// What opening found and did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Octets of an unfinished batch that were dropped.
    pub torn_bytes: u64,
    /// Something durable was changed; the log counts as ending before it, but nothing was cut.
    pub damage: Option<String>,
    /// If damaged: a checkpoint that was once signed here, of more than is left, and its size.
    pub claimed: Option<SignedCheckpoint>,
    pub claimed_size: u64,
    /// Tiles did not agree with the entries and were written anew.
    pub tiles_repaired: bool,
    /// Entries before this were not read: an anchor vouches for them.
    pub anchored: u64,
    /// An anchor was given and does not fit the log, which was read whole.
    pub anchor_refused: bool,
}

impl<V: Volume> Store<V> {
    /// Reads what stands behind the anchor, or everything; drops what was never committed, and
    /// mends what is derived. `believed` and `seen` as for [`replay`]; `seen` is given only what
    /// was read.
    pub fn open(
        volumes: Volumes<V>,
        anchor: Option<&Anchor>,
        believed: impl Fn(&SignedCheckpoint) -> bool,
        mut seen: impl FnMut(u64, &[u8]),
    ) -> io::Result<(Self, Opened)> {
        let Volumes { mut log, tiles, marks } = volumes;
        let base = match anchor {
            Some(anchor) => stand_at(&log, &tiles, &marks, anchor, &believed)?,
            None => None,
        };
        let anchor_refused = anchor.is_some() && base.is_none();
        let base = base.unwrap_or_default();
        let found = read_on(&log, &base, &believed)?;
        let Replayed { newest, committed_bytes, note_at, .. } = found;
        let mut level = 0;
        let tiles = tiles.map(|volume| {
            level += 1;
            Derived::open(volume, leaves_above(level - 1, base.range.size()) * 32)
        });
        let marks = Derived::open(marks, base.range.size().div_ceil(MARK_EVERY) * 8);
        let (first, from) = (base.range.size(), base.committed_bytes);
        let loose = found.loose_bytes > 0 && found.damage.is_some();
        if found.loose_bytes > 0 && !loose {
            log.cut(committed_bytes)?;
        }
        let mut store = Self {
            log,
            tiles,
            marks,
            range: base.range,
            nodes: RecentNodes::new(RECENT_NODES),
            newest,
            committed: CompactRange::new(),
            committed_bytes,
            note_at,
            staged: Staged::default(),
            loose,
            unclean: false,
        };
        store.learn(first, from, &mut seen)?;
        let tiles_repaired = store.mend()?;
        store.committed = store.range.clone();
        let opened = Opened {
            torn_bytes: found.loose_bytes,
            damage: found.damage,
            claimed: found.claimed,
            claimed_size: found.claimed_size,
            tiles_repaired,
            anchored: first,
            anchor_refused,
        };
        Ok((store, opened))
    }

    /// Counts the committed entries from octet `from` on.
    fn learn(
        &mut self,
        first: u64,
        from: u64,
        seen: &mut impl FnMut(u64, &[u8]),
    ) -> io::Result<()> {
        let Self { log, tiles, marks, range, nodes, committed_bytes, .. } = self;
        let mut window = Window::new(log, from, *committed_bytes, CHUNK_BYTES);
        let mut index = first;
        while window.offset < *committed_bytes {
            window.fill(RECORD_HEAD + RECORD_BYTES)?;
            let offset = window.offset;
            let Found::Record { sort, payload, length } = read_record(window.rest()) else {
                return Err(io::ErrorKind::InvalidData.into());
            };
            if sort == Sort::Entry {
                if index.is_multiple_of(MARK_EVERY) {
                    marks.push(&offset.to_be_bytes())?;
                }
                let mut fault = None;
                range.append(leaf_hash(payload), |height, index, node| {
                    nodes.note(height, index, node);
                    if let Some(tiles) = level_of(height).and_then(|level| tiles.get_mut(level)) {
                        fault = tiles.push(&node.0).err().or(fault.take());
                    }
                });
                if let Some(fault) = fault {
                    return Err(fault);
                }
                seen(index, payload);
                index += 1;
            }
            window.consume(length);
        }
        Ok(())
    }

    fn mend(&mut self) -> io::Result<bool> {
        let mut repaired = self.marks.mended()?;
        for tiles in &mut self.tiles {
            repaired |= tiles.mended()?;
        }
        Ok(repaired)
    }

    /// Committed entries.
    pub fn size(&self) -> u64 {
        self.committed.size()
    }

    /// Committed and staged entries.
    pub fn staged_size(&self) -> u64 {
        self.range.size()
    }

    pub fn has_staged(&self) -> bool {
        !self.staged.records.is_empty()
    }

    /// The volume of records, for looking at.
    pub fn log(&self) -> &V {
        &self.log
    }

    /// The volume of records, for tests that make it fail.
    pub fn log_mut(&mut self) -> &mut V {
        &mut self.log
    }

    pub fn staged_bytes(&self) -> usize {
        self.staged.records.len()
    }

    /// Whether another entry would make the batch too large to be read back.
    pub fn is_full(&self) -> bool {
        self.staged.records.len() + RECORD_BYTES > BATCH_BYTES
    }

    /// The tree of committed entries.
    pub fn committed(&self) -> &CompactRange {
        &self.committed
    }

    /// The newest checkpoint, with the signatures that it was committed with.
    pub fn newest(&self) -> Option<&SignedCheckpoint> {
        self.newest.as_ref()
    }

    /// Adds an entry to the batch and says its index. `None` if it is too long.
    pub fn stage(&mut self, entry: &[u8]) -> Option<u64> {
        let Self { staged, range, nodes, committed_bytes, .. } = self;
        let offset = *committed_bytes + staged.records.len() as u64;
        if !write_record(Sort::Entry, entry, &mut staged.records) {
            return None;
        }
        let index = range.size();
        if index.is_multiple_of(MARK_EVERY) {
            staged.marks.extend_from_slice(&offset.to_be_bytes());
        }
        range.append(leaf_hash(entry), |height, index, node| {
            nodes.note(height, index, node);
            if let Some(tiles) = level_of(height).and_then(|level| staged.tiles.get_mut(level)) {
                tiles.extend_from_slice(&node.0);
            }
        });
        Some(index)
    }

    /// The checkpoint that would commit the batch.
    pub fn checkpoint(&self, origin: &str) -> Checkpoint {
        Checkpoint::new(origin, self.range.size(), self.range.root())
    }

    /// Writes the batch and the note that commits it; `flush` makes it durable. After a fault the
    /// batch is gone, as if it had never been staged.
    pub fn write(&mut self, signed: SignedCheckpoint) -> io::Result<()> {
        let note = signed.note.to_text();
        let note_at = self.committed_bytes + self.staged.records.len() as u64;
        let fits = write_record(Sort::Note, note.as_bytes(), &mut self.staged.records);
        let written = match fits && !self.loose {
            true => self.cut_unclean().and_then(|()| self.log.append(&self.staged.records)),
            false => Err(io::ErrorKind::InvalidInput.into()),
        };
        if let Err(fault) = written {
            self.unclean = true;
            let _ = self.abandon();
            return Err(fault);
        }
        let staged = std::mem::take(&mut self.staged);
        self.committed_bytes += staged.records.len() as u64;
        self.note_at = note_at;
        self.committed = self.range.clone();
        self.newest = Some(signed);
        // All this can be made from the log again, so it is not flushed and may even fail.
        for (tiles, bytes) in self.tiles.iter_mut().zip(&staged.tiles) {
            let _ = tiles.push(bytes);
            tiles.write();
        }
        let _ = self.marks.push(&staged.marks);
        self.marks.write();
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn volumes(&self) -> Volumes<V>
    where
        V: Clone,
    {
        Volumes {
            log: self.log.clone(),
            tiles: self.tiles.each_ref().map(|tiles| tiles.volume().clone()),
            marks: self.marks.volume().clone(),
        }
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.log.sync()
    }

    /// A place from which this log can be opened again, once everything derived up to it is
    /// durable. `None` while something is staged, or while the disk does not take it.
    pub fn anchor(&mut self, extra: Vec<u8>) -> io::Result<Option<Anchor>> {
        let mut durable = !self.has_staged() && !self.loose && self.marks.sync()?;
        for tiles in &mut self.tiles {
            durable = durable && tiles.sync()?;
        }
        let range = self.committed.clone();
        let (note_at, log_bytes) = (self.note_at, self.committed_bytes);
        Ok(durable.then_some(Anchor { range, note_at, log_bytes, extra }))
    }

    /// Drops the batch.
    pub fn abandon(&mut self) -> io::Result<()> {
        self.staged = Staged::default();
        self.range = self.committed.clone();
        self.nodes.truncate(self.range.size());
        self.cut_unclean()
    }

    fn cut_unclean(&mut self) -> io::Result<()> {
        if self.unclean && !self.loose {
            self.log.cut(self.committed_bytes)?;
            self.unclean = false;
        }
        Ok(())
    }

    /// Drops what stands behind damage; the caller has put a copy aside.
    pub fn drop_loose(&mut self) -> io::Result<()> {
        self.log.cut(self.committed_bytes)?;
        self.loose = false;
        Ok(())
    }

    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        inclusion_proof(self, index, size)
    }

    pub fn consistency(&self, old: u64, size: u64) -> Option<Vec<Hash>> {
        consistency_proof(self, old, size)
    }

    pub fn leaf(&self, index: u64) -> Option<Hash> {
        self.node(0, index)
    }

    /// Committed entries from `first` on: at most `count`, and about `bytes` octets.
    pub fn entries(&self, first: u64, count: usize, bytes: usize) -> io::Result<Vec<Vec<u8>>> {
        let (mut entries, mut taken) = (Vec::new(), 0);
        if first >= self.size() {
            return Ok(entries);
        }
        let mut mark = [0; 8];
        if self.marks.read_at(first / MARK_EVERY * 8, &mut mark)? < mark.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let skip = first % MARK_EVERY;
        read_entries(&self.log, u64::from_be_bytes(mark), self.committed_bytes, skip, |entry| {
            taken += entry.len();
            entries.push(entry.to_vec());
            entries.len() < count && taken < bytes
        })?;
        Ok(entries)
    }
}

/// Hands on the entries whose records stand from `offset` on, without the first `skip`, until
/// `wanted` says no more.
///
/// # Errors
/// A volume that cannot be read, or holds something else.
pub fn read_entries<V: Volume>(
    log: &V,
    offset: u64,
    end: u64,
    mut skip: u64,
    mut wanted: impl FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    let mut window = Window::new(log, offset, end, RECORD_BYTES);
    while window.offset < end {
        window.fill(RECORD_HEAD + RECORD_BYTES)?;
        let Found::Record { sort, payload, length } = read_record(window.rest()) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        match (sort, skip) {
            (Sort::Note, _) => {}
            (Sort::Entry, 0) => {
                if !wanted(payload) {
                    return Ok(());
                }
            }
            (Sort::Entry, _) => skip -= 1,
        }
        window.consume(length);
    }
    Ok(())
}

/// The level of tiles on which nodes of this height stand.
fn level_of(height: u8) -> Option<usize> {
    height.is_multiple_of(TILE_HEIGHT).then_some(usize::from(height / TILE_HEIGHT))
}

/// Hashes that stand on `level` for a tree of `size` leaves.
fn leaves_above(level: usize, size: u64) -> u64 {
    size >> (level * usize::from(TILE_HEIGHT)).min(63)
}

/// Takes up the log at an anchor: its checkpoint stands where it says, is believed and counts
/// the tree it speaks of; and the tiles give that tree. `None` if anything is otherwise.
fn stand_at<V: Volume>(
    log: &V,
    tiles: &[V; TILE_LEVELS],
    marks: &V,
    anchor: &Anchor,
    believed: &impl Fn(&SignedCheckpoint) -> bool,
) -> io::Result<Option<Replayed>> {
    let Anchor { range, note_at, log_bytes, .. } = anchor;
    let size = range.size();
    let length = log_bytes.checked_sub(*note_at).and_then(|length| usize::try_from(length).ok());
    let Some(length) = length.filter(|length| *length <= RECORD_HEAD + RECORD_BYTES) else {
        return Ok(None);
    };
    let mut record = vec![0; length];
    log.read_at(*note_at, &mut record)?;
    let signed = match read_record(&record) {
        Found::Record { sort: Sort::Note, payload, length: all } if all == length => {
            SignedCheckpoint::parse(payload)
        }
        _ => None,
    };
    let signed = signed
        .filter(believed)
        .filter(|signed| (signed.checkpoint.size, signed.checkpoint.root) == (size, range.root()));
    let known = subtree_root(&TiledNodes(Tiles(tiles)), 0, size) == Some(range.root());
    let whole = known
        && marks.length()? >= size.div_ceil(MARK_EVERY) * 8
        && tiles.iter().enumerate().all(|(level, tiles)| {
            tiles.length().is_ok_and(|length| length >= leaves_above(level, size) * 32)
        });
    let newest = signed.filter(|_| whole);
    Ok(newest.map(|newest| Replayed {
        range: range.clone(),
        newest: Some(newest),
        committed_bytes: *log_bytes,
        note_at: *note_at,
        ..Replayed::default()
    }))
}

/// Reads a log that somebody else may be writing: nothing is cut or mended. `seen` is given every
/// committed entry behind the anchor (or all) with its index, its offset and its octets. Says how
/// many entries the anchor spared.
///
/// # Errors
/// The volumes'.
pub fn look<V: Volume>(
    volumes: &Volumes<V>,
    anchor: Option<&Anchor>,
    believed: impl Fn(&SignedCheckpoint) -> bool,
    mut seen: impl FnMut(u64, u64, &[u8]),
) -> io::Result<(Replayed, u64)> {
    let Volumes { log, tiles, marks } = volumes;
    let base = match anchor {
        Some(anchor) => stand_at(log, tiles, marks, anchor, &believed)?,
        None => None,
    };
    let base = base.unwrap_or_default();
    let found = read_on(log, &base, &believed)?;
    let (mut index, mut offset) = (base.range.size(), base.committed_bytes);
    let mut window = Window::new(log, offset, found.committed_bytes, CHUNK_BYTES);
    while offset < found.committed_bytes {
        window.fill(RECORD_HEAD + RECORD_BYTES)?;
        let Found::Record { sort, payload, length } = read_record(window.rest()) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        if sort == Sort::Entry {
            seen(index, offset, payload);
            index += 1;
        }
        window.consume(length);
        offset = window.offset;
    }
    Ok((found, base.range.size()))
}

/// Finds the end of what is committed. Hashes chain every checkpoint to the one before it, so
/// the newest signature speaks for all; where anything is odd, each is checked.
fn read_on<V: Volume>(
    log: &V,
    base: &Replayed,
    believed: &impl Fn(&SignedCheckpoint) -> bool,
) -> io::Result<Replayed> {
    let found = replay_from(log, base.clone(), |_| true, |_, _, _| {})?;
    let is_plain = found.loose_bytes == 0 && found.newest.as_ref().is_none_or(believed);
    match is_plain {
        true => Ok(found),
        false if base.committed_bytes == 0 => replay(log, believed, |_, _, _| {}),
        false => replay_from(log, base.clone(), believed, |_, _, _| {}),
    }
}

impl<V: Volume> Store<V> {
    /// What somebody else did to the log since it was opened: at a glance, and by its newest
    /// checkpoint, which must stand where it was written.
    pub fn disturbed(&self) -> io::Result<Option<&'static str>> {
        if self.loose || self.unclean {
            return Ok(None);
        }
        if let Some(what) = self.log.disturbed()? {
            return Ok(Some(what));
        }
        let length = usize::try_from(self.committed_bytes - self.note_at).unwrap_or_default();
        let mut record = vec![0; length.min(RECORD_HEAD + RECORD_BYTES)];
        let count = self.log.read_at(self.note_at, &mut record)?;
        let found = match read_record(record.get(..count).unwrap_or_default()) {
            Found::Record { payload, .. } => SignedCheckpoint::parse(payload),
            Found::Short | Found::Broken => None,
        };
        let changed = self.newest.is_some() && found != self.newest;
        Ok(changed.then_some("its newest checkpoint does not stand there any more"))
    }
}

impl<V: Volume> Store<V> {
    /// Whether the log's file was touched by somebody else, and reads as it did.
    pub fn stirred(&self) -> io::Result<bool> {
        Ok(!self.loose && !self.unclean && self.log.stirred()?)
    }
}

impl<V: Volume> NodeSource for Store<V> {
    fn node(&self, height: u8, index: u64) -> Option<Hash> {
        self.nodes.node(height, index).or_else(|| TiledNodes(self).node(height, index))
    }
}

impl<V: Volume> TileSource for Store<V> {
    fn tile(&self, level: u8, index: u64) -> Option<Vec<Hash>> {
        let tiles = self.tiles.get(usize::from(level))?;
        read_tile(index, |offset, into| tiles.read_at(offset, into))
    }
}

/// Tiles as they stand on their volumes.
pub struct Tiles<'a, V>(pub &'a [V; TILE_LEVELS]);

impl<V: Volume> TileSource for Tiles<'_, V> {
    fn tile(&self, level: u8, index: u64) -> Option<Vec<Hash>> {
        let tiles = self.0.get(usize::from(level))?;
        read_tile(index, |offset, into| tiles.read_at(offset, into))
    }
}

fn read_tile(
    index: u64,
    read: impl FnOnce(u64, &mut [u8]) -> io::Result<usize>,
) -> Option<Vec<Hash>> {
    let bytes = usize::from(TILE_WIDTH) * 32;
    let mut tile = vec![0; bytes];
    let count = read(index.checked_mul(bytes as u64)?, &mut tile).ok()?;
    tile.get(..count)?.chunks_exact(32).map(Hash::from_slice).collect()
}
