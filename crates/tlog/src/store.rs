//! A log that grows: entries are staged, then committed together by one write, one flush and one
//! signed checkpoint. Proofs come from nodes in memory and, for old leaves, from tiles.

use crate::checkpoint::Checkpoint;
use crate::hash::{Hash, leaf_hash};
use crate::nodes::{NodeSource, RecentNodes};
use crate::proof::{consistency_proof, inclusion_proof};
use crate::range::CompactRange;
use crate::record::{Found, RECORD_BYTES, RECORD_HEAD, Sort, read_record, write_record};
use crate::replay::{BATCH_BYTES, CHUNK_BYTES, Replayed, SignedCheckpoint, Window, replay};
use crate::tile::{TILE_WIDTH, TileSource, TiledNodes};
use crate::volume::Volume;
use std::io;

/// Low nodes kept in memory: proofs for the newest 65,536 leaves read no tile.
const RECENT_NODES: usize = 65_536;
/// One offset is remembered for so many entries; the others are found by reading on.
const MARK_EVERY: u64 = 64;

/// A log on two volumes: the records, and the hashes of all leaves (tiles of level 0 on end).
pub struct Store<V> {
    log: V,
    tiles: V,
    range: CompactRange,
    nodes: RecentNodes,
    marks: Vec<u64>,
    newest: Option<SignedCheckpoint>,
    committed: CompactRange,
    committed_bytes: u64,
    staged: Vec<u8>,
    staged_leaves: Vec<u8>,
    /// Damage stands behind the committed entries: nothing is written until it is dropped.
    loose: bool,
    /// A batch may have been written in part and could not be cut off again.
    unclean: bool,
}

/// What opening found and did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Octets of an unfinished batch that were dropped.
    pub torn_bytes: u64,
    /// Something durable was changed; the log counts as ending before it, but nothing was cut.
    pub damage: Option<String>,
    /// A checkpoint of this size was once signed here: more than is left, if damaged.
    pub claimed_size: u64,
    /// Tiles did not agree with the entries and were written anew.
    pub tiles_repaired: bool,
}

impl<V: Volume> Store<V> {
    /// Reads everything, drops what was never committed, and repairs the tiles. `believed` and
    /// `seen` as for [`replay`].
    pub fn open(
        mut log: V,
        mut tiles: V,
        believed: impl Fn(&SignedCheckpoint) -> bool,
        mut seen: impl FnMut(u64, &[u8]),
    ) -> io::Result<(Self, Opened)> {
        let (mut range, mut nodes) = (CompactRange::new(), RecentNodes::new(RECENT_NODES));
        let (mut marks, mut leaves) = (Vec::new(), Vec::new());
        let (mut tile_bytes, mut good) = (tiles.length()?, true);
        let mut checked = 0u64;
        let mut check = |leaves: &mut Vec<u8>, tiles: &V| -> io::Result<()> {
            let mut found = vec![0; leaves.len()];
            let count = tiles.read_at(checked, &mut found)?;
            good &= found.get(..count) == leaves.get(..count);
            checked += leaves.len() as u64;
            leaves.clear();
            Ok(())
        };
        let mut fault = None;
        let Replayed { newest, committed_bytes, loose_bytes, damage, claimed_size, .. } =
            replay(&log, believed, |index, offset, entry| {
                if index.is_multiple_of(MARK_EVERY) {
                    marks.push(offset);
                }
                let leaf = leaf_hash(entry);
                range.append(leaf, |height, index, node| nodes.note(height, index, node));
                leaves.extend_from_slice(&leaf.0);
                if leaves.len() >= usize::from(TILE_WIDTH) * 32 {
                    fault = check(&mut leaves, &tiles).err();
                }
                seen(index, entry);
            })?;
        check(&mut leaves, &tiles)?;
        if let Some(fault) = fault {
            return Err(fault);
        }
        let loose = loose_bytes > 0 && damage.is_some();
        if loose_bytes > 0 && !loose {
            log.cut(committed_bytes)?;
        }
        let repair = !good || tile_bytes > checked;
        if repair || tile_bytes < checked {
            tile_bytes = if repair { 0 } else { tile_bytes - tile_bytes % 32 };
            tiles.cut(tile_bytes)?;
            rewrite_tiles(&log, committed_bytes, &mut tiles, tile_bytes / 32)?;
        }
        let opened =
            Opened { torn_bytes: loose_bytes, damage, claimed_size, tiles_repaired: repair };
        let committed = range.clone();
        let (staged, staged_leaves) = (Vec::new(), Vec::new());
        let store = Self {
            log,
            tiles,
            range,
            nodes,
            marks,
            newest,
            committed,
            committed_bytes,
            staged,
            staged_leaves,
            loose,
            unclean: false,
        };
        Ok((store, opened))
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
        !self.staged.is_empty()
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
        self.staged.len()
    }

    /// Whether another entry would make the batch too large to be read back.
    pub fn is_full(&self) -> bool {
        self.staged.len() + RECORD_BYTES > BATCH_BYTES
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
        let offset = self.committed_bytes + self.staged.len() as u64;
        if !write_record(Sort::Entry, entry, &mut self.staged) {
            return None;
        }
        let index = self.range.size();
        if index.is_multiple_of(MARK_EVERY) {
            self.marks.push(offset);
        }
        let leaf = leaf_hash(entry);
        let nodes = &mut self.nodes;
        self.range.append(leaf, |height, index, node| nodes.note(height, index, node));
        self.staged_leaves.extend_from_slice(&leaf.0);
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
        let fits = write_record(Sort::Note, note.as_bytes(), &mut self.staged);
        let written = match fits && !self.loose {
            true => self.cut_unclean().and_then(|()| self.log.append(&self.staged)),
            false => Err(io::ErrorKind::InvalidInput.into()),
        };
        if let Err(fault) = written {
            self.unclean = true;
            let _ = self.abandon();
            return Err(fault);
        }
        self.committed_bytes += self.staged.len() as u64;
        self.committed = self.range.clone();
        self.newest = Some(signed);
        // Tiles can be made from the log again, so they are not flushed and may even fail.
        let _ = self.tiles.append(&self.staged_leaves);
        self.staged.clear();
        self.staged_leaves.clear();
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn volumes(&self) -> (&V, &V) {
        (&self.log, &self.tiles)
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.log.sync()
    }

    /// Drops the batch.
    pub fn abandon(&mut self) -> io::Result<()> {
        self.staged.clear();
        self.staged_leaves.clear();
        self.range = self.committed.clone();
        self.nodes.truncate(self.range.size());
        let marks = self.range.size().div_ceil(MARK_EVERY);
        self.marks.truncate(usize::try_from(marks).unwrap_or(usize::MAX));
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
        let mut entries = Vec::new();
        let mark = usize::try_from(first / MARK_EVERY).unwrap_or(usize::MAX);
        let Some(offset) = self.marks.get(mark).filter(|_| first < self.size()) else {
            return Ok(entries);
        };
        let (mut skip, mut taken) = (first % MARK_EVERY, 0);
        let mut window = Window::new(&self.log, *offset, self.committed_bytes, RECORD_BYTES);
        while entries.len() < count && taken < bytes && window.offset < self.committed_bytes {
            window.fill(RECORD_HEAD + RECORD_BYTES)?;
            let Found::Record { sort, payload, length } = read_record(window.rest()) else {
                return Err(io::ErrorKind::InvalidData.into());
            };
            match (sort, skip) {
                (Sort::Note, _) => {}
                (Sort::Entry, 0) => {
                    taken += payload.len();
                    entries.push(payload.to_vec());
                }
                (Sort::Entry, _) => skip -= 1,
            }
            window.consume(length);
        }
        Ok(entries)
    }
}

impl<V: Volume> NodeSource for Store<V> {
    fn node(&self, height: u8, index: u64) -> Option<Hash> {
        self.nodes
            .node(height, index)
            .or_else(|| TiledNodes(Tiles(&self.tiles)).node(height, index))
    }
}

/// Tiles of level 0 in one volume. Higher nodes are all in memory.
struct Tiles<'a, V>(&'a V);

impl<V: Volume> TileSource for Tiles<'_, V> {
    fn tile(&self, level: u8, index: u64) -> Option<Vec<Hash>> {
        let bytes = usize::from(TILE_WIDTH) * 32;
        let mut tile = vec![0; bytes];
        let offset = index.checked_mul(bytes as u64).filter(|_| level == 0)?;
        let count = self.0.read_at(offset, &mut tile).ok()?;
        let whole = tile.get(..count)?.chunks_exact(32);
        whole.map(Hash::from_slice).collect()
    }
}

/// Hashes the entries from `first` on anew.
fn rewrite_tiles<V: Volume>(log: &V, end: u64, tiles: &mut V, first: u64) -> io::Result<()> {
    let (mut index, mut leaves) = (0u64, Vec::new());
    let mut window = Window::new(log, 0, end, CHUNK_BYTES);
    while window.offset < end {
        window.fill(RECORD_HEAD + RECORD_BYTES)?;
        let Found::Record { sort, payload, length } = read_record(window.rest()) else {
            break;
        };
        if sort == Sort::Entry {
            if index >= first {
                leaves.extend_from_slice(&leaf_hash(payload).0);
            }
            index += 1;
        }
        window.consume(length);
        if leaves.len() >= BATCH_BYTES {
            tiles.append(&leaves)?;
            leaves.clear();
        }
    }
    tiles.append(&leaves)
}
