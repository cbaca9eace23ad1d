//! Reading a log from its first octet: every record, every hash, every checkpoint.

use crate::checkpoint::Checkpoint;
use crate::hash::leaf_hash;
use crate::note::Note;
use crate::range::CompactRange;
use crate::record::{Found, RECORD_BYTES, RECORD_HEAD, Sort, read_record};
use crate::volume::Volume;
use std::io;

/// Octets read at once.
pub(crate) const CHUNK_BYTES: usize = 1024 * 1024;
/// Entries of one batch are held until their checkpoint is seen; a batch is never larger.
pub const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// More than this no batch leaves behind that was never finished, with the heads of its records.
const UNFINISHED_BYTES: u64 = 2 * BATCH_BYTES as u64 + RECORD_BYTES as u64;
/// Where in its record a note says that it is one.
const SORT_AT: usize = 8;
const NOTE: u8 = 2;

/// A signed checkpoint as it stands in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    pub note: Note,
    pub checkpoint: Checkpoint,
}

impl SignedCheckpoint {
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let note = Note::parse(bytes)?;
        let checkpoint = Checkpoint::parse(&note.text)?;
        Some(Self { note, checkpoint })
    }
}

/// What a log was found to hold.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    /// The tree of all committed entries.
    pub range: CompactRange,
    /// The newest checkpoint, and the octets up to its end.
    pub newest: Option<SignedCheckpoint>,
    pub committed_bytes: u64,
    /// Where its record begins.
    pub note_at: u64,
    /// Octets behind it that no checkpoint commits.
    pub loose_bytes: u64,
    /// Those of them that are no whole record: less than one, where a write was only cut off.
    pub unread_bytes: u64,
    /// The loose octets are not simply the beginning of a batch that was never finished.
    pub damage: Option<String>,
    /// The checkpoint behind the damage that speaks of most, and its size.
    pub claimed: Option<SignedCheckpoint>,
    pub claimed_size: u64,
}

/// A window that moves over a volume.
pub(crate) struct Window<'a, V> {
    volume: &'a V,
    bytes: Vec<u8>,
    /// Where it ended when reading began: what a running log appends meanwhile is not read.
    end: u64,
    /// Octets read at once.
    chunk: usize,
    /// The volume was read to its end.
    ended: bool,
    /// Offset in the volume of the first octet not consumed, and its place in `bytes`.
    pub offset: u64,
    start: usize,
}

impl<'a, V: Volume> Window<'a, V> {
    pub fn new(volume: &'a V, offset: u64, end: u64, chunk: usize) -> Self {
        Self { volume, bytes: Vec::new(), end, chunk, ended: false, offset, start: 0 }
    }

    pub fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    pub fn consume(&mut self, count: usize) {
        self.start += count;
        self.offset += count as u64;
    }

    /// Passes over what was never written: a file can be made a thousand times as long in a moment.
    pub fn skip_hole(&mut self) -> io::Result<()> {
        if self.ended || !self.rest().is_empty() {
            return Ok(());
        }
        let next = self.volume.next_written(self.offset)?.unwrap_or(self.end);
        // A record's head may begin with zeros.
        let next = next.saturating_sub(RECORD_HEAD as u64);
        self.offset = next.clamp(self.offset, self.end);
        Ok(())
    }

    /// Makes sure that `wanted` octets stand in `rest`, unless the volume ends.
    pub fn fill(&mut self, wanted: usize) -> io::Result<()> {
        if self.ended || self.rest().len() >= wanted {
            return Ok(());
        }
        self.bytes.drain(..self.start.min(self.bytes.len()));
        self.start = 0;
        let have = self.bytes.len();
        let left = self.end.saturating_sub(self.offset + have as u64);
        let more = usize::try_from(left).unwrap_or(usize::MAX).min(self.chunk.max(wanted));
        self.bytes.resize(have + more, 0);
        let into = self.bytes.get_mut(have..).unwrap_or_default();
        let asked = into.len();
        let count = self.volume.read_at(self.offset + have as u64, into)?;
        self.bytes.truncate(have + count);
        self.ended = count < asked || more as u64 == left;
        Ok(())
    }
}

/// Reads `volume` whole. `believed` says whether a note is signed as it must be; `seen` is given
/// every committed entry with its index, its offset and its octets, in order.
pub fn replay<V: Volume>(
    volume: &V,
    believed: impl Fn(&SignedCheckpoint) -> bool,
    seen: impl FnMut(u64, u64, &[u8]),
) -> io::Result<Replayed> {
    replay_from(volume, Replayed::default(), believed, seen)
}

/// Reads `volume` on from what was read before: its tree, its newest checkpoint, its octets.
pub(crate) fn replay_from<V: Volume>(
    volume: &V,
    before: Replayed,
    believed: impl Fn(&SignedCheckpoint) -> bool,
    mut seen: impl FnMut(u64, u64, &[u8]),
) -> io::Result<Replayed> {
    let mut replayed = before;
    let mut range = replayed.range.clone();
    let mut batch: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut batch_bytes = 0;
    let end = volume.length()?;
    let mut window = Window::new(volume, replayed.committed_bytes, end, CHUNK_BYTES);
    let mut wrong = None;
    while wrong.is_none() {
        window.fill(RECORD_HEAD + RECORD_BYTES)?;
        let (offset, is_end) = (window.offset, window.rest().is_empty());
        let (sort, payload, length) = match read_record(window.rest()) {
            Found::Record { sort, payload, length } => (sort, payload.to_vec(), length),
            Found::Short if is_end => break,
            Found::Short => {
                wrong = Some(format!("the record at octet {offset} is cut off"));
                break;
            }
            Found::Broken => {
                wrong = Some(format!("no record stands at octet {offset}"));
                break;
            }
        };
        window.consume(length);
        match sort {
            Sort::Entry if batch_bytes > BATCH_BYTES => {
                wrong = Some(format!("no checkpoint within {BATCH_BYTES} octets of entries"));
            }
            Sort::Entry => {
                range.append(leaf_hash(&payload), |_, _, _| {});
                batch_bytes += payload.len();
                batch.push((offset, payload));
            }
            Sort::Note => match judge(&payload, &range, &believed) {
                Ok(signed) => {
                    let first = replayed.range.size();
                    for (index, (offset, entry)) in (first..).zip(batch.drain(..)) {
                        seen(index, offset, &entry);
                    }
                    batch_bytes = 0;
                    replayed.range = range.clone();
                    replayed.note_at = offset;
                    replayed.committed_bytes = window.offset;
                    replayed.newest = Some(signed);
                }
                Err(why) => wrong = Some(format!("the checkpoint at octet {offset} {why}")),
            },
        }
    }
    replayed.loose_bytes = end.saturating_sub(replayed.committed_bytes);
    replayed.unread_bytes = end.saturating_sub(window.offset);
    if let Some(wrong) = wrong {
        look_behind(volume, end, wrong, &believed, &mut replayed)?;
    }
    Ok(replayed)
}

fn judge(
    payload: &[u8],
    range: &CompactRange,
    believed: &impl Fn(&SignedCheckpoint) -> bool,
) -> Result<SignedCheckpoint, &'static str> {
    let signed = SignedCheckpoint::parse(payload).ok_or("cannot be read")?;
    if !believed(&signed) {
        return Err("is not signed by a key that is believed");
    }
    if signed.checkpoint.size != range.size() || signed.checkpoint.root != range.root() {
        return Err("does not fit the entries before it");
    }
    Ok(signed)
}

/// Tells a torn end from damage. A batch is written only after the one before it is durable, so
/// checkpoints of two batches behind a bad record mean that something durable was changed; a record
/// that reads well but says something false was written so by nobody of ours, nor was more than a
/// batch.
fn look_behind<V: Volume>(
    volume: &V,
    end: u64,
    wrong: String,
    believed: &impl Fn(&SignedCheckpoint) -> bool,
    replayed: &mut Replayed,
) -> io::Result<()> {
    let mut window = Window::new(volume, replayed.committed_bytes, end, CHUNK_BYTES);
    let mut sizes = Vec::new();
    loop {
        window.skip_hole()?;
        window.fill(RECORD_HEAD + RECORD_BYTES)?;
        let rest = window.rest();
        if rest.len() < RECORD_HEAD {
            break;
        }
        let behind = rest.get(SORT_AT..).unwrap_or_default();
        match behind.iter().position(|byte| *byte == NOTE) {
            Some(0) => {}
            Some(far) => {
                window.consume(far);
                continue;
            }
            None => {
                let is_blank = rest.iter().all(|byte| *byte == 0);
                window.consume(if is_blank { rest.len() } else { behind.len() });
                continue;
            }
        }
        // Only a head that could begin a note is worth its CRC: notes are short.
        let note = match rest.get(2..4) {
            Some([0, 0]) => read_record(rest),
            _ => Found::Broken,
        };
        let signed = match note {
            Found::Record { payload, length, .. } => {
                SignedCheckpoint::parse(payload).map(|signed| (signed, length))
            }
            Found::Short | Found::Broken => None,
        };
        match signed {
            Some((signed, length)) => {
                if believed(&signed) && signed.checkpoint.size > replayed.range.size() {
                    sizes.push(signed.checkpoint.size);
                    sizes.dedup();
                    if signed.checkpoint.size > replayed.claimed_size {
                        replayed.claimed_size = signed.checkpoint.size;
                        replayed.claimed = Some(signed);
                    }
                }
                window.consume(length);
            }
            None => window.consume(1),
        }
    }
    let is_torn = wrong.contains("cut off") || wrong.contains("no record");
    if replayed.loose_bytes > UNFINISHED_BYTES {
        let octets = replayed.loose_bytes;
        replayed.damage =
            Some(format!("{wrong}, and {octets} octets follow: more than a batch has"));
    } else if sizes.len() > 1 || !is_torn {
        replayed.damage = Some(wrong);
    }
    Ok(())
}
