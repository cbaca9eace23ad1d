//! The ledger's files: its key, the log and its tiles. All are opened before the jail.

use crate::book::{Book, losses};
use crate::fault::Fault;
use crate::memory::Memory;
use annals::names::ANCHOR;
use annals::{
    Acknowledgements, Keys, Reader, Segments, Shelf, Sight, keep_changed, keep_lost, lost_of,
    take_up,
};
use evidence::Frame;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tlog::{
    Anchor, LOG_ORIGIN, MIRROR_NAME, NodeSource, NoteSigner, NoteVerifier, SignedCheckpoint, Store,
    TiledNodes, Tiles, Volume, leaf_hash, subtree_root,
};
use wire::ledger::LostAt;

/// The signing key's seed.
const KEY: &str = "key";
/// Its public half, for readers.
const PUBLIC: &str = "key.pub";
pub(crate) const LOG: &str = "log";
/// The newest cosigned checkpoint, for readers and for the next start; written over, never flushed.
const CHECKPOINT: &str = "checkpoint";

/// The book with what was found while it was opened.
pub(crate) struct Opened {
    pub book: Book<Segments>,
    pub public_key: [u8; 32],
    pub checkpoint: File,
    pub notes: Vec<String>,
    pub alarms: Vec<String>,
}

/// Opens the log in `folder`, making what is not there yet.
pub(crate) fn open(folder: &Path, now_ms: u64) -> Result<Opened, Fault> {
    fs::create_dir_all(folder).map_err(file(LOG))?;
    let seed = durable::seed(folder, KEY, compartment::random::<32>).map_err(file(KEY))?;
    let signer = NoteSigner::new(LOG_ORIGIN, &seed)
        .ok_or(Fault::Changed { name: KEY, expected: "a key" })?;
    let own = signer.verifier();
    must_be_of(folder, &own.to_text())?;
    durable::keep(&folder.join(PUBLIC), own.to_text().as_bytes()).map_err(file(PUBLIC))?;
    let volumes = Segments::volumes(folder).map_err(file(LOG))?;
    let shelf = annals::Folder(folder.to_owned());
    let kept = shelf.get(ANCHOR).map_err(file(ANCHOR))?;
    let mut anchor = kept.as_ref().and_then(|bytes| Anchor::decode(bytes));
    let known = anchor.as_ref().and_then(|anchor| {
        let nodes = TiledNodes(Tiles(&volumes.tiles));
        Memory::load(&anchor.extra, |index| nodes.node(0, index))
    });
    if known.is_none() {
        anchor = None;
    }
    let is_none_of_ours = kept.is_some() && anchor.is_none();
    let mut memory = known.unwrap_or_default();
    let mut strange = 0u64;
    let (mut store, found) = Store::open(
        volumes,
        anchor.as_ref(),
        |signed| signed.note.is_signed_by(&own),
        |index, bytes| {
            if index == 0 {
                // The anchor, if there was one, was refused.
                memory = Memory::default();
            }
            match Frame::parse(bytes) {
                Some(frame) => memory.learn(&frame.entry, index, leaf_hash(bytes)),
                None => strange += 1,
            }
        },
    )
    .map_err(Fault::Store)?;
    let mut checkpoint = OpenOptions::new();
    let checkpoint = checkpoint.write(true).create(true).truncate(false).mode(0o600);
    let checkpoint = checkpoint.open(folder.join(CHECKPOINT)).map_err(file(CHECKPOINT))?;
    let (mut notes, mut alarms) = (mended(&found, is_none_of_ours), Vec::new());
    let must_reach = if found.damage.is_some() { found.claimed_size } else { 0 };
    alarms.extend(drop_damage(folder, &mut store, &found, now_ms)?);
    let memory_of = recall(folder, &own, &store).map_err(file(CHECKPOINT))?;
    alarms.extend(memory_of.alarms);
    notes.extend(memory_of.notes);
    let (binder, made) = take_up(&store, folder).map_err(Fault::Store)?;
    if made > 0 {
        notes.push(format!("the index of {made} chapters was made from the entries"));
    }
    if strange > 0 {
        alarms.push(format!("{strange} entries of the ledger cannot be read"));
    }
    let book = Book::new(store, signer, memory, must_reach, now_ms);
    let is_anchor_due = is_none_of_ours || found.anchor_refused;
    let book = book.with_index(binder, Box::new(shelf), is_anchor_due);
    let book = book.remembering(memory_of.book);
    Ok(Opened { book, public_key: own.key_bytes(), checkpoint, notes, alarms })
}

/// Takes what stands behind damage from the log, once a copy is kept; what is to be told of it.
fn drop_damage<V: Volume>(
    folder: &Path,
    store: &mut Store<V>,
    found: &tlog::Opened,
    now_ms: u64,
) -> Result<Option<String>, Fault> {
    let Some(what) = &found.damage else { return Ok(None) };
    keep_changed(folder, now_ms).map_err(file(LOG))?;
    store.drop_loose().map_err(Fault::Store)?;
    if let Some(claimed) = &found.claimed {
        let note = claimed.note.to_text();
        keep_lost(folder, note.as_bytes()).map_err(file(CHECKPOINT))?;
    }
    let left = store.size();
    let all = found.claimed_size.max(left);
    Ok(Some(format!(
        "the ledger was changed: {what}; {left} of {all} entries are left, a copy is kept"
    )))
}

/// What was put right while the log was opened, and is nobody's deed.
fn mended(found: &tlog::Opened, is_none_of_ours: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if is_none_of_ours {
        notes.push(annals::NO_ANCHOR.to_owned());
    }
    if found.damage.is_none() && found.torn_bytes > 0 {
        notes.push(format!("dropped {} octets of an unfinished batch", found.torn_bytes));
    }
    if found.tiles_repaired {
        notes.push("tiles did not agree with the entries and were written anew".to_owned());
    }
    if found.anchor_refused {
        notes.push("the anchor does not fit the log, which was read whole".to_owned());
    }
    notes
}

/// What the folder remembers of the log, and the log does not hold.
#[derive(Default)]
struct Recalled {
    book: losses::Remembered,
    /// Nobody can give it back.
    alarms: Vec<String>,
    /// What is lost and known to be.
    notes: Vec<String>,
}

/// What the deciders said that they know. If the log cannot be read, they said nothing.
fn known(folder: &Path, own: &NoteVerifier) -> Acknowledgements {
    let keys = Keys { ledger: own.clone(), mirror: None };
    let reader = Reader::open(folder, keys);
    reader.and_then(|reader| Acknowledgements::read(&reader)).unwrap_or_default()
}

/// Compares the log with the checkpoint that was saved last, and with those that were found
/// missing before. What is missing is kept before anything can write over it.
fn recall<V: Volume>(folder: &Path, own: &NoteVerifier, store: &Store<V>) -> io::Result<Recalled> {
    let mut recalled = Recalled::default();
    let sight = |signed: &SignedCheckpoint| {
        annals::sight(signed, own, store.size(), |size| subtree_root(store, 0, size))
    };
    // Written over without a flush: a torn one says nothing.
    let saved = fs::read(folder.join(CHECKPOINT)).unwrap_or_default();
    if let Some(signed) = SignedCheckpoint::parse(&saved) {
        let mut lines = signed.note.signatures.iter();
        recalled.book.mirror_key =
            lines.find(|line| line.name == MIRROR_NAME).map(|line| line.key_id);
        match sight(&signed) {
            Sight::Consistent => recalled.book.mirrored = signed.checkpoint.size,
            Sight::Unreadable => recalled.alarms.push(
                "the ledger's saved checkpoint is not signed by it: the file was altered"
                    .to_owned(),
            ),
            _ => keep_lost(folder, &saved)?,
        }
    }
    let all = lost_of(folder)?;
    // Read only where something is lost: it is, once and for all, or somebody must say it.
    let known = match all.is_empty() {
        true => Acknowledgements::default(),
        false => known(folder, own),
    };
    for lost in all {
        let sight = lost.signed.as_ref().map_or(Sight::First, sight);
        let (size, root) = lost.place();
        let at = LostAt { size, root: root.0 };
        if let Some(known) = known.of(crate::losses::word(losses::WHOSE), &lost) {
            if !recalled.notes.contains(&known.note()) {
                recalled.notes.push(known.note());
            }
            recalled.book.lost.push(at);
            continue;
        }
        match (&sight, lost.alarm(losses::WHOSE, &sight)) {
            // Nobody's statement: nothing is known to be lost by it.
            (_, Some(alarm)) if lost.is_altered(&sight) => {
                recalled.alarms.push(alarm);
                continue;
            }
            // The log holds it again.
            (_, None) => {
                durable::remove(&folder.join(&lost.name))?;
                continue;
            }
            (Sight::RolledBack { .. }, _) => recalled.book.owed.push(lost),
            (_, Some(alarm)) => {
                recalled.alarms.push(alarm);
                recalled.book.unknown.push(at.clone());
            }
        }
        recalled.book.lost.push(at);
    }
    Ok(recalled)
}

fn file(name: &'static str) -> impl Fn(io::Error) -> Fault {
    move |source| Fault::File { name, source }
}

/// Refuses another key than its log's.
fn must_be_of(folder: &Path, public: &str) -> Result<(), Fault> {
    match durable::is_key_of(&folder.join(LOG), &folder.join(PUBLIC), public) {
        true => Ok(()),
        false => Err(Fault::Changed { name: KEY, expected: "the key of `key.pub` beside it" }),
    }
}

#[cfg(test)]
mod tests {
    use super::{KEY, LOG, PUBLIC, open};
    use crate::fault::Fault;
    use std::fs;

    #[test]
    fn neither_another_key_nor_a_new_one_takes_the_place_of_the_logs() {
        let folder = std::env::temp_dir().join(format!("ledger-keys-{}", std::process::id()));
        let public = || open(&folder, 1).map(|opened| opened.public_key);
        let own = public().unwrap();
        let [key, log, known] = [KEY, LOG, PUBLIC].map(|name| folder.join(name));
        let (seed, before) = (fs::read(&key).unwrap(), fs::read(&known).unwrap());
        assert!(log.exists());
        fs::write(&key, [9; 32]).unwrap();
        let said = public().unwrap_err().to_string();
        assert!(said.contains("expected the key of `key.pub` beside it"), "{said}");
        fs::remove_file(&key).unwrap();
        let fault = public().unwrap_err();
        assert!(matches!(fault, Fault::File { name: KEY, .. }), "{fault}");
        assert!(!key.exists() && fs::read(&known).unwrap() == before);
        fs::write(&key, seed).unwrap();
        assert_eq!(public().unwrap(), own);
        fs::remove_dir_all(&folder).unwrap();
    }
}
