//! The copy itself: what is added is checked leaf by leaf against what was added before, and
//! cosigned only when it is durable.

use annals::names::ANCHOR;
use annals::{Shelf, Sight};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use tlog::{
    Anchor, CompactRange, Cosigner, LOG_ORIGIN, Note, NoteSignature, NoteVerifier, Opened,
    SignedCheckpoint, Store, Volume, Volumes, leaf_hash, subtree_root,
};
use wire::ledger::LostAt;
use witness::LatticeCosigner;

/// Leaves in one `Add`, and their octets: one batch must stay readable.
const ADD_LEAVES: usize = 65_536;
const ADD_BYTES: usize = 8 * 1024 * 1024;

/// A start reads no more entries than this, and one batch.
const ANCHOR_EVERY: u64 = 65_536;

/// Doubts that are said in one life of this process.
const DOUBTS: usize = 16;

/// The saved checkpoint is at most so old while entries come.
const SAVE_MS: u64 = 1_000;

/// Why something is not added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The checkpoint is no checkpoint, not our log's, or not signed by the ledger.
    NotTheLedgers,
    /// The leaves are not those that the checkpoint counts.
    Miscounted {
        expected: u64,
        found: u64,
    },
    /// Leaves are missing between what we hold and what came.
    Gap {
        expected: u64,
        found: u64,
    },
    /// A leaf differs from the one we hold, or the roots differ: two histories.
    Fork {
        index: u64,
    },
    TooMuch,
}

impl Refusal {
    /// Whether only a lie can be the cause.
    pub fn is_alarming(&self) -> bool {
        matches!(self, Self::NotTheLedgers | Self::Fork { .. })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTheLedgers => write!(f, "sent a checkpoint that it did not sign"),
            Self::Miscounted { expected, found } => {
                write!(f, "miscounted: expected leaves up to {expected}, found {found}")
            }
            Self::Gap { expected, found } => {
                write!(f, "left a gap: expected leaf {expected}, found {found}")
            }
            Self::Fork { index } => write!(f, "tells a second history from leaf {index} on"),
            Self::TooMuch => write!(f, "sent more than one batch may hold"),
        }
    }
}

/// The mirror's log and keys.
pub struct Copy<V> {
    store: Store<V>,
    cosigner: Cosigner,
    ledger: Option<NoteVerifier>,
    /// The checkpoint over everything staged.
    pending: Option<SignedCheckpoint>,
    /// The tree of everything staged, and committed.
    range: CompactRange,
    /// Where the last anchor was set, and where anchors are put.
    anchored: u64,
    /// The last one is of no use.
    is_anchor_due: bool,
    shelf: Option<Box<dyn Shelf + Send>>,
    saved: Option<Saved>,
    /// A second cosignature, for those outside, and where it is kept.
    lattice: Option<(LatticeCosigner, File)>,
    alarms: Vec<String>,
    lost: Vec<LostAt>,
    /// What was said of somebody else's changing the log.
    doubted: Vec<String>,
    is_stirred: bool,
}

/// The file of the newest checkpoint: what the next start demands of the copy.
struct Saved {
    file: File,
    size: u64,
    at_ms: u64,
}

impl<V: Volume> Copy<V> {
    pub fn open(
        volumes: Volumes<V>,
        anchor: Option<&Anchor>,
        cosigner: Cosigner,
        ledger: Option<NoteVerifier>,
    ) -> io::Result<(Self, Opened)> {
        let own = cosigner.public();
        let believed = |signed: &SignedCheckpoint| {
            ledger.as_ref().is_some_and(|ledger| signed.note.is_signed_by(ledger))
                && own.cosigned(&signed.note).is_some()
        };
        let (store, opened) = Store::open(volumes, anchor, believed, |_, _| {})?;
        let range = store.committed().clone();
        let anchored = opened.anchored;
        let copy = Self {
            store,
            cosigner,
            ledger,
            pending: None,
            range,
            anchored,
            is_anchor_due: false,
            shelf: None,
            saved: None,
            lattice: None,
            alarms: Vec::new(),
            lost: Vec::new(),
            doubted: Vec::new(),
            is_stirred: false,
        };
        Ok((copy, opened))
    }

    /// Drops what stands behind damage; the caller has put a copy aside.
    pub fn drop_loose(&mut self) -> io::Result<()> {
        self.store.drop_loose()
    }

    /// Keeps the newest checkpoint in a file from here on, and says what the last one was like.
    pub fn saving(mut self, file: File, alarms: Vec<String>) -> Self {
        (self.saved, self.alarms) = (Some(Saved { file, size: 0, at_ms: 0 }), alarms);
        self
    }

    /// Cosigns each checkpoint that it saves with ML-DSA-44 as well, from here on.
    pub fn signing_twice(mut self, cosigner: LatticeCosigner, file: File) -> Self {
        self.lattice = Some((cosigner, file));
        self
    }

    /// Knows, from here on, what was lost before it was opened.
    pub fn knowing(mut self, lost: Vec<LostAt>) -> Self {
        self.lost = lost;
        self
    }

    /// What is kept of losses.
    pub fn lost(&self) -> Vec<LostAt> {
        self.lost.clone()
    }

    /// Whether a saved checkpoint bears the name of a key of ours and not its signature: somebody
    /// altered the file.
    pub fn is_altered(&self, signed: &SignedCheckpoint) -> bool {
        let Some(ledger) = &self.ledger else { return false };
        let is_named = signed.note.signatures.iter().any(|line| line.key_id == ledger.key_id);
        is_named && !signed.note.is_signed_by(ledger)
    }

    /// What was found wrong while the copy was opened; once.
    pub fn take_alarms(&mut self) -> Vec<String> {
        std::mem::take(&mut self.alarms)
    }

    /// What somebody else did to the log since it was opened, as an alarm; each sort once.
    pub fn disturbed(&mut self) -> Option<String> {
        let what = match self.store.disturbed() {
            Ok(found) => found?.to_owned(),
            Err(fault) => format!("it cannot be read: {fault}"),
        };
        if self.doubted.len() >= DOUBTS || self.doubted.contains(&what) {
            return None;
        }
        self.doubted.push(what.clone());
        Some(format!(
            "the mirror's log was changed while the house runs: {what}; stop the house, \
             `sekisho ledger verify`"
        ))
    }

    /// That somebody else touched the log and left no trace in it, as an alarm; once.
    pub fn stirred(&mut self) -> Option<String> {
        let is_news =
            !self.is_stirred && !self.is_doubtful() && self.store.stirred().unwrap_or_default();
        self.is_stirred |= is_news;
        is_news.then(|| {
            "the mirror's log was touched while the house runs: its rights, links or times are \
             not as they were; `sekisho ledger verify` tells whether its entries are"
                .to_owned()
        })
    }

    /// Whether somebody else changed the log: what is not there any more is not cosigned, until a
    /// start has looked at it.
    pub fn is_doubtful(&self) -> bool {
        !self.doubted.is_empty()
    }

    /// How the copy stands to a checkpoint that was cosigned before.
    pub fn sight(&self, signed: &SignedCheckpoint) -> Sight {
        let Some(ledger) = &self.ledger else {
            let (seen, found) = (signed.checkpoint.size, self.size());
            return Sight::RolledBack { seen, found };
        };
        let root_at = |size| subtree_root(&self.store, 0, size);
        annals::sight(signed, ledger, self.size(), root_at)
    }

    /// Writes the newest checkpoint over the last, at most once a second: no flush, for the log
    /// holds it too.
    /// `u64::MAX`: at any rate, for it is the last.
    pub fn save_checkpoint(&mut self, now_ms: u64, seconds: u64) {
        let (Some(saved), Some(newest)) = (&mut self.saved, self.store.newest()) else { return };
        let size = newest.checkpoint.size;
        if size <= saved.size || now_ms.saturating_sub(saved.at_ms) < SAVE_MS {
            return;
        }
        write_over(&saved.file, &newest.note);
        (saved.size, saved.at_ms) = (size, now_ms);
        let Some((cosigner, file)) = &self.lattice else { return };
        // What we hold is durable here: we may say so twice.
        if let Some(line) = cosigner.cosign(seconds, &newest.checkpoint) {
            let mut note = newest.note.clone();
            note.signatures.push(line);
            write_over(file, &note);
        }
    }

    /// Puts anchors on a shelf from here on.
    pub fn with_shelf(mut self, shelf: Box<dyn Shelf + Send>) -> Self {
        self.shelf = Some(shelf);
        self
    }

    /// The anchor that was found is of no use: the next entries bring another one.
    #[must_use]
    pub fn owing_an_anchor(mut self, is_due: bool) -> Self {
        self.is_anchor_due = is_due;
        self
    }

    /// Sets an anchor when the last one is far enough behind. The copy does not depend on it.
    pub fn set_anchor(&mut self) {
        let Some(shelf) = &self.shelf else { return };
        if !self.is_anchor_due && self.store.size() < self.anchored + ANCHOR_EVERY {
            return;
        }
        self.is_anchor_due = false;
        self.anchored = self.store.size();
        if let Ok(Some(anchor)) = self.store.anchor(Vec::new()) {
            let _ = shelf.put(ANCHOR, &anchor.encode());
        }
    }

    pub fn public_key(&self) -> [u8; 32] {
        self.cosigner.public().key_bytes()
    }

    /// Leaves that are durable here.
    pub fn size(&self) -> u64 {
        self.store.size()
    }

    /// The newest cosigned checkpoint; empty before the first.
    pub fn checkpoint(&self) -> Vec<u8> {
        self.store.newest().map(|signed| signed.note.to_text().into_bytes()).unwrap_or_default()
    }

    pub fn leaves(&self, first: u64, count: usize, bytes: usize) -> io::Result<Vec<Vec<u8>>> {
        self.store.entries(first, count, bytes)
    }

    /// Takes leaves under a checkpoint that counts exactly up to the last of them. Nothing is
    /// durable, and nothing cosigned, before `commit`.
    pub fn add(&mut self, first: u64, leaves: &[Vec<u8>], note: &[u8]) -> Result<(), Refusal> {
        let bytes: usize = leaves.iter().map(Vec::len).sum();
        if leaves.len() > ADD_LEAVES || bytes > ADD_BYTES || self.store.is_full() {
            return Err(Refusal::TooMuch);
        }
        let signed = self.believed(note).ok_or(Refusal::NotTheLedgers)?;
        let (size, end) = (signed.checkpoint.size, first.saturating_add(leaves.len() as u64));
        if end != size {
            return Err(Refusal::Miscounted { expected: size, found: end });
        }
        let held = self.range.size();
        if first > held || size < held {
            return Err(Refusal::Gap { expected: held, found: first.min(size) });
        }
        // What we hold already must be what comes again.
        let (mut again, mut grown) = (first, self.range.clone());
        for leaf in leaves {
            let hash = leaf_hash(leaf);
            if again >= held {
                grown.append(hash, |_, _, _| {});
            } else if self.store.leaf(again) != Some(hash) {
                return Err(Refusal::Fork { index: again });
            }
            again += 1;
        }
        if grown.root() != signed.checkpoint.root {
            return Err(Refusal::Fork { index: held });
        }
        let skip = usize::try_from(held - first).unwrap_or(usize::MAX);
        for leaf in leaves.iter().skip(skip) {
            // Entries of a log fit a record: `add` refused longer ones above by their frame.
            if self.store.stage(leaf).is_none() {
                let _ = self.store.abandon();
                self.range = self.store.committed().clone();
                self.pending = None;
                return Err(Refusal::TooMuch);
            }
        }
        self.range = grown;
        self.pending = Some(signed);
        Ok(())
    }

    fn believed(&self, note: &[u8]) -> Option<SignedCheckpoint> {
        let mut signed = SignedCheckpoint::parse(note)?;
        if signed.checkpoint.origin != LOG_ORIGIN {
            return None;
        }
        let ledger = self.ledger.as_ref()?;
        if !signed.note.is_signed_by(ledger) {
            return None;
        }
        signed.note.signatures.retain(|line| line.key_id == ledger.key_id);
        Some(signed)
    }

    /// Makes everything added durable, then cosigns the newest checkpoint at `seconds`.
    /// `None` if nothing was added. A fault ends the process: what a failed flush left is unknown.
    pub fn commit(&mut self, seconds: u64) -> io::Result<Option<(u64, NoteSignature)>> {
        let Some(signed) = self.pending.take() else {
            return Ok(None);
        };
        let line = self.cosigner.cosign(seconds, &signed.note.text);
        let size = signed.checkpoint.size;
        if self.store.has_staged() {
            let mut signatures = signed.note.signatures;
            signatures.push(line.clone());
            let note = Note { text: signed.note.text, signatures };
            let checkpoint = signed.checkpoint;
            self.store.write(SignedCheckpoint { note, checkpoint })?;
            self.store.flush()?;
        }
        Ok(Some((size, line)))
    }
}

/// Without a flush: a torn one says nothing.
fn write_over(file: &File, note: &Note) {
    let text = note.to_text();
    let written = file.write_all_at(text.as_bytes(), 0);
    let _ = written.and_then(|()| file.set_len(text.len() as u64));
}
