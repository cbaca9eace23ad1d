//! Everything, checked: every hash, every signature, every number; the tiles, the places, the
//! anchor and the index against the entries; the copy against the original.

use crate::binder::Binder;
use crate::chapter::CHAPTER_ENTRIES;
use crate::disk::{Folder, Shelf};
use crate::fault::{Fault, file};
use crate::index::chapter_name;
use crate::names;
use crate::reading::{Keys, Reader, find_keys};
use crate::segments::{Segments, volumes};
use crate::series::Series;
use evidence::Entry;
use sha2::{Digest, Sha256};
use std::path::Path;
use tlog::{
    Anchor, CompactRange, Hash, MARK_EVERY, RECORD_BYTES, RECORD_HEAD, Replayed, SignedCheckpoint,
    TILE_LEVELS, Volume, Volumes, leaf_hash, replay,
};

/// Octets compared at once.
const PIECE_BYTES: usize = 64 * 1024;
/// What was cut off of a write ends within a record.
const ONE_RECORD: u64 = (RECORD_HEAD + RECORD_BYTES) as u64;
/// How often, and how long apart, something derived is looked for that is not there yet.
const LOOKS: u32 = 5;
const BETWEEN_LOOKS: std::time::Duration = std::time::Duration::from_millis(40);

/// What a check found.
#[derive(Debug, Default)]
pub struct Checked {
    pub size: u64,
    pub root: Hash,
    pub entries_checked: u64,
    pub chapters_checked: u64,
    /// Octets of a batch that was never finished: no problem, and dropped at the next start.
    pub loose_bytes: u64,
    pub problems: Vec<String>,
    /// Worth saying, and no problem.
    pub notes: Vec<String>,
    /// The newest checkpoint.
    pub newest: Option<SignedCheckpoint>,
    /// The root at the size that was asked for, if it goes so far.
    pub root_at: Option<Hash>,
}

/// Checks a ledger's folder whole. `seen` is given every entry that can be read.
///
/// # Errors
/// Files that cannot be read; everything else is a problem that is said.
pub fn check(
    folder: &Path,
    keys: &Keys,
    root_at: u64,
    mut seen: impl FnMut(u64, &[u8], &Entry),
) -> Result<Checked, Fault> {
    let mut series = Series::default();
    let mut index = IndexCheck::of(folder)?;
    let mut checked = walk(folder, keys, root_at, "the ledger's", |number, bytes| {
        let entry = series.check(number, bytes);
        if let Some(entry) = &entry {
            seen(number, bytes, entry);
        }
        index.take(bytes, entry.as_ref());
    })?;
    checked.entries_checked = series.checked;
    checked.problems.extend(series.finish().1);
    checked.chapters_checked = index.checked;
    match index.has_any || checked.size < CHAPTER_ENTRIES {
        true => checked.problems.extend(index.finish()),
        false => {
            checked.notes.push("there is no index yet; it is made at the next start".to_owned())
        }
    }
    Ok(checked)
}

/// Checks a mirror's folder: its hashes and its checkpoints, not what the entries say.
///
/// # Errors
/// As `check`.
pub fn check_copy(
    folder: &Path,
    root_at: u64,
    seen: impl FnMut(u64, &[u8]),
) -> Result<Checked, Fault> {
    let keys = find_keys(folder)?;
    // Before the log: of a mirror that runs, it is never ahead of it then.
    let saved = read_saved(folder)?;
    let mut checked = walk(folder, &keys, root_at, "the mirror's", seen)?;
    checked.entries_checked = checked.size;
    match saved {
        Some(saved) => checked.problems.extend(judge_saved(folder, &keys, &saved)?),
        None if checked.size == 0 => {}
        None => checked.notes.push(
            "the mirror's saved checkpoint is empty or not there: nothing beside its log says how \
             far it had come"
                .to_owned(),
        ),
    }
    Ok(checked)
}

/// The file `checkpoint` of a mirror; it is written over without a flush, in a service that runs
/// perhaps just now.
fn read_saved(folder: &Path) -> Result<Option<Vec<u8>>, Fault> {
    let mut found = None;
    for look in 0..LOOKS {
        if look > 0 {
            std::thread::sleep(BETWEEN_LOOKS);
        }
        let read = Folder(folder.to_owned()).get(names::CHECKPOINT);
        found = read.map_err(file(names::CHECKPOINT))?.filter(|bytes| !bytes.is_empty());
        if found.as_deref().is_none_or(|bytes| SignedCheckpoint::parse(bytes).is_some()) {
            break;
        }
    }
    Ok(found)
}

/// Both signed what a mirror saved, and its log holds it.
fn judge_saved(folder: &Path, keys: &Keys, saved: &[u8]) -> Result<Option<String>, Fault> {
    let whose = "the mirror's saved checkpoint";
    let Some(signed) = SignedCheckpoint::parse(saved) else {
        return Ok(Some(format!("{whose} cannot be read: the file was altered or torn")));
    };
    if !signed.note.is_signed_by(&keys.ledger) {
        return Ok(Some(format!("{whose} is not signed by the ledger: the file was altered")));
    }
    if !keys.believe(&signed) {
        return Ok(Some(format!("{whose} is not cosigned by the mirror: the file was altered")));
    }
    let reader = Reader::open(folder, keys.clone())?;
    let (claimed, size) = (signed.checkpoint.size, reader.size());
    if claimed > size {
        return Ok(Some(format!("{whose} speaks of {claimed} entries, its log holds {size}")));
    }
    let is_there = reader.root_at(claimed) == Some(signed.checkpoint.root);
    let other = || format!("{whose} of {claimed} entries has another root than its log");
    Ok((!is_there).then(other))
}

fn walk(
    folder: &Path,
    keys: &Keys,
    root_at: u64,
    whose: &str,
    mut seen: impl FnMut(u64, &[u8]),
) -> Result<Checked, Fault> {
    let name = || folder.display().to_string();
    let Volumes { log, tiles, marks } = volumes(folder, Segments::look).map_err(file(name()))?;
    let mut range = CompactRange::new();
    let mut root = (root_at == 0).then(|| range.root());
    // Before the log is read: of a service that runs, what is derived grows while we read.
    let mut derived = DerivedCheck::new(&tiles, &marks);
    let replayed = replay(
        &log,
        |signed| keys.believe(signed),
        |index, offset, bytes| {
            if index.is_multiple_of(MARK_EVERY) {
                derived.mark(&offset.to_be_bytes());
            }
            range.append(leaf_hash(bytes), |height, _, node| derived.node(height, &node));
            if index + 1 == root_at {
                root = Some(range.root());
            }
            seen(index, bytes);
        },
    )
    .map_err(file(name()))?;
    let mut checked = Checked {
        size: replayed.range.size(),
        root: replayed.range.root(),
        loose_bytes: replayed.loose_bytes,
        newest: replayed.newest.clone(),
        root_at: root,
        ..Checked::default()
    };
    checked.problems.extend(damage_of(whose, &replayed));
    if let Some(note) = loose_note(whose, &log, &replayed) {
        checked.notes.push(note);
    }
    let is_bare = !folder.join(names::MARKS).exists();
    match is_bare {
        true => checked.notes.push("written by an earlier version: no places noted yet".to_owned()),
        false => {
            let read = replayed.committed_bytes + replayed.loose_bytes;
            let has_grown = log.length().is_ok_and(|length| length > read);
            checked.problems.extend(derived.finish(whose, has_grown));
        }
    }
    let anchor = Folder(folder.to_owned()).get(names::ANCHOR).map_err(file(name()))?;
    if let Some(bytes) = anchor
        && !anchor_fits(&bytes, &log, &replayed, &tiles)
    {
        checked.problems.push(format!("{whose} anchor does not fit its log"));
    }
    Ok(checked)
}

/// What was changed behind the entries that can be read, or signed and cannot be read.
pub(crate) fn damage_of(whose: &str, replayed: &Replayed) -> Option<String> {
    let claimed = replayed.claimed_size;
    let problem = |what: String| Some(what);
    if let Some(damage) = &replayed.damage {
        return problem(format!("{whose} log was changed: {damage}"));
    }
    if claimed > replayed.range.size() {
        return problem(format!(
            "{whose} log: entries up to {claimed} were signed and cannot be read"
        ));
    }
    None
}

/// What stands behind the last checkpoint, where it is no damage: most likely a write that was cut
/// off. A log that is just written to is looked at again.
fn loose_note(whose: &str, log: &Segments, replayed: &Replayed) -> Option<String> {
    let loose = replayed.loose_bytes;
    if loose == 0 || replayed.damage.is_some() {
        return None;
    }
    let end = replayed.committed_bytes + loose;
    for _ in 1..LOOKS {
        if log.length().is_ok_and(|length| length != end) {
            return None;
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    let unread = replayed.unread_bytes;
    Some(match unread > ONE_RECORD {
        false => format!(
            "{whose} log: {loose} octets behind its last checkpoint, as a write that was cut off \
             leaves them; the next start drops them"
        ),
        true => format!(
            "{whose} log: {loose} octets behind its last checkpoint, {unread} of them no record: \
             more than a write that was cut off leaves; somebody added to the file, or the disk \
             lost power; the next start drops them"
        ),
    })
}

/// Whether an anchor speaks of a checkpoint of this log. (What its owner keeps in it is checked
/// by its sum alone.)
fn anchor_fits(
    bytes: &[u8],
    log: &Segments,
    replayed: &Replayed,
    tiles: &[Segments; TILE_LEVELS],
) -> bool {
    let Some(anchor) = Anchor::decode(bytes) else { return false };
    let size = anchor.range.size();
    let nodes = tlog::TiledNodes(tlog::Tiles(tiles));
    let length = usize::try_from(anchor.log_bytes.saturating_sub(anchor.note_at));
    let mut record = vec![0; length.unwrap_or_default().min(1 << 17)];
    let read = log.read_at(anchor.note_at, &mut record);
    let signed = match tlog::read_record(&record) {
        tlog::Found::Record { payload, .. } => SignedCheckpoint::parse(payload),
        _ => None,
    };
    read.is_ok()
        && size <= replayed.range.size()
        && tlog::subtree_root(&nodes, 0, size) == Some(anchor.range.root())
        && signed.is_some_and(|signed| {
            (signed.checkpoint.size, signed.checkpoint.root) == (size, anchor.range.root())
        })
}

/// One derived volume, followed octet by octet.
struct Follow<'a> {
    name: String,
    volume: &'a Segments,
    /// Octets that were there when the check began.
    length: u64,
    at: u64,
    expected: Vec<u8>,
    wrong: Option<u64>,
}

impl<'a> Follow<'a> {
    fn push(&mut self, bytes: &[u8]) {
        self.expected.extend_from_slice(bytes);
        if self.expected.len() >= PIECE_BYTES {
            self.compare();
        }
    }

    /// In a service that runs, what is derived from the newest entries follows in a moment.
    fn read(&self) -> Vec<u8> {
        let mut found = vec![0; self.expected.len()];
        for look in 0..LOOKS {
            let count = self.volume.read_at(self.at, &mut found).unwrap_or_default();
            if count == found.len() {
                break;
            }
            if look + 1 == LOOKS {
                found.truncate(count);
            } else {
                std::thread::sleep(BETWEEN_LOOKS);
            }
        }
        found
    }

    fn compare(&mut self) {
        let found = self.read();
        if self.wrong.is_none() && found != self.expected {
            let pairs = found.iter().zip(&self.expected);
            let same = pairs.take_while(|(one, other)| one == other).count();
            self.wrong = Some(self.at + same as u64);
        }
        self.at += self.expected.len() as u64;
        self.expected.clear();
    }
}

struct DerivedCheck<'a> {
    tiles: Vec<Follow<'a>>,
    marks: Follow<'a>,
}

impl<'a> DerivedCheck<'a> {
    fn new(tiles: &'a [Segments; TILE_LEVELS], marks: &'a Segments) -> Self {
        let follow = |name: String, volume: &'a Segments| Follow {
            name,
            volume,
            length: volume.length().unwrap_or_default(),
            at: 0,
            expected: Vec::new(),
            wrong: None,
        };
        let level = |(level, volume)| follow(format!("tiles of level {level}"), volume);
        Self {
            tiles: tiles.iter().enumerate().map(level).collect(),
            marks: follow("places of entries".to_owned(), marks),
        }
    }

    fn mark(&mut self, bytes: &[u8]) {
        self.marks.push(bytes);
    }

    fn node(&mut self, height: u8, node: &Hash) {
        if height.is_multiple_of(8)
            && let Some(tiles) = self.tiles.get_mut(usize::from(height / 8))
        {
            tiles.push(&node.0);
        }
    }

    /// `has_grown`: the log is written meanwhile, and what is derived from it may be ahead of what
    /// was read.
    fn finish(self, whose: &str, has_grown: bool) -> Vec<String> {
        let mut problems = Vec::new();
        for mut follow in self.tiles.into_iter().chain([self.marks]) {
            follow.compare();
            let length = follow.length;
            let name = &follow.name;
            if let Some(wrong) = follow.wrong {
                problems.push(format!("{whose} {name} differ from the entries at octet {wrong}"));
            } else if length > follow.at && !has_grown {
                let (expected, found) = (follow.at, length);
                problems.push(format!("{whose} {name}: expected {expected} octets, found {found}"));
            }
        }
        problems
    }
}

/// Binds the entries anew, and compares with what the index says.
struct IndexCheck {
    shelf: Folder,
    binder: Binder,
    checked: u64,
    has_any: bool,
    problems: Vec<String>,
}

impl IndexCheck {
    fn of(folder: &Path) -> Result<Self, Fault> {
        let shelf = Folder(folder.to_owned());
        let has_any = folder.join(names::CHAPTERS).exists();
        let binder = Binder::new(0, Vec::new());
        Ok(Self { shelf, binder, checked: 0, has_any, problems: Vec::new() })
    }

    fn take(&mut self, bytes: &[u8], entry: Option<&Entry>) {
        let Some((number, expected)) = self.binder.take(leaf_hash(bytes), entry) else { return };
        self.checked += 1;
        let name = chapter_name(number);
        let what = match self.shelf.get(&name) {
            Ok(Some(found)) if found == expected => return,
            Ok(Some(found)) if sum_is_right(&found) => "says something else than its entries",
            Ok(Some(_)) => "is damaged",
            Ok(None) => "is missing",
            Err(_) => "cannot be read",
        };
        self.problems.push(format!("the index of chapter {number} ({name}) {what}"));
    }

    fn finish(self) -> Vec<String> {
        self.problems
    }
}

fn sum_is_right(bytes: &[u8]) -> bool {
    let parts = bytes.split_last_chunk::<32>();
    parts.is_some_and(|(body, sum)| <[u8; 32]>::from(Sha256::digest(body)) == *sum)
}
