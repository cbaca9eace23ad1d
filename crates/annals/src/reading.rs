//! Reading a log that somebody else may be writing: its head without its body, any entry, any
//! proof.

use crate::check::damage_of;
use crate::disk::{Folder, Shelf, must_be_plain};
use crate::fault::{Fault, file};
use crate::names;
use crate::segments::{Segments, volumes};
use std::fs;
use std::path::{Path, PathBuf};
use tlog::{
    Anchor, CompactRange, CosignerKey, Hash, MARK_EVERY, NodeSource, NoteVerifier, RecentNodes,
    Replayed, SignedCheckpoint, TiledNodes, Tiles, Volume, Volumes, consistency_proof,
    inclusion_proof, leaf_hash, look, read_entries, subtree_root,
};

/// Whose signatures a log must carry.
#[derive(Clone, Debug)]
pub struct Keys {
    pub ledger: NoteVerifier,
    /// For a mirror's copy: its cosignature is demanded too.
    pub mirror: Option<CosignerKey>,
}

impl Keys {
    pub fn believe(&self, signed: &SignedCheckpoint) -> bool {
        let mirror = self.mirror.as_ref();
        signed.note.is_signed_by(&self.ledger)
            && mirror.is_none_or(|mirror| mirror.cosigned(&signed.note).is_some())
    }
}

/// The newest checkpoint of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub size: u64,
    pub root: Hash,
    /// A signed note; empty before the first.
    pub note: String,
}

/// The keys that stand in a ledger's folder, or in a mirror's (with its own beside).
///
/// # Errors
/// Files that cannot be read, or hold something else.
pub fn find_keys(folder: &Path) -> Result<Keys, Fault> {
    let own = read_text(&folder.join(names::PUBLIC))?;
    let copied = folder.join(names::LEDGER);
    match copied.exists() {
        false => {
            let ledger = NoteVerifier::parse(&own);
            let expected = "the ledger's public key";
            let name = names::PUBLIC.to_owned();
            Ok(Keys { ledger: ledger.ok_or(Fault::Changed { name, expected })?, mirror: None })
        }
        true => {
            let ledger = NoteVerifier::parse(&read_text(&copied)?);
            let expected = "the public key of the ledger that is copied";
            let name = names::LEDGER.to_owned();
            let ledger = ledger.ok_or(Fault::Changed { name, expected })?;
            let expected = "the mirror's public key";
            let name = names::PUBLIC.to_owned();
            let mirror = CosignerKey::parse(&own).ok_or(Fault::Changed { name, expected })?;
            Ok(Keys { ledger, mirror: Some(mirror) })
        }
    }
}

fn read_text(path: &Path) -> Result<String, Fault> {
    let plain = must_be_plain(path).and_then(|()| fs::read_to_string(path));
    let text = plain.map_err(file(path.display().to_string()))?;
    Ok(text.trim().to_owned())
}

/// An open log.
pub struct Reader {
    folder: PathBuf,
    keys: Keys,
    volumes: Volumes<Segments>,
    found: Replayed,
    /// Entries before this were vouched for by the anchor.
    anchored: u64,
    /// Nodes of what was read, and where every 64th entry of it stands.
    nodes: RecentNodes,
    places: Vec<u64>,
}

impl Reader {
    /// Opens a folder and reads what stands behind its anchor.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn open(folder: &Path, keys: Keys) -> Result<Self, Fault> {
        let name = || folder.display().to_string();
        let volumes = volumes(folder, Segments::look).map_err(file(name()))?;
        let anchor = Folder(folder.to_owned()).get(names::ANCHOR).map_err(file(name()))?;
        let anchor = anchor.and_then(|bytes| Anchor::decode(&bytes));
        let mut nodes = RecentNodes::new(usize::MAX);
        let mut range = anchor.as_ref().map_or_else(CompactRange::new, |one| one.range.clone());
        let mut places = Vec::new();
        let mut first = true;
        let (found, anchored) = look(
            &volumes,
            anchor.as_ref(),
            |signed| keys.believe(signed),
            |index, offset, entry| {
                if std::mem::take(&mut first) && index == 0 {
                    range = CompactRange::new();
                }
                if index.is_multiple_of(MARK_EVERY) {
                    places.push(offset);
                }
                range.append(leaf_hash(entry), |height, at, node| nodes.note(height, at, node));
            },
        )
        .map_err(file(name()))?;
        let folder = folder.to_owned();
        Ok(Self { folder, keys, volumes, found, anchored, nodes, places })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    pub fn size(&self) -> u64 {
        self.found.range.size()
    }

    pub fn head(&self) -> Head {
        let note = self.found.newest.as_ref().map(|signed| signed.note.to_text());
        let (size, root) = (self.size(), self.found.range.root());
        Head { size, root, note: note.unwrap_or_default() }
    }

    pub fn newest(&self) -> Option<&SignedCheckpoint> {
        self.found.newest.as_ref()
    }

    /// What was found at the end: damage, or octets of a batch that was never finished.
    pub fn found(&self) -> &Replayed {
        &self.found
    }

    /// What stands behind the entries that are read and was changed, or was signed and cannot be
    /// read: there was more than is told here.
    pub fn damage(&self, whose: &str) -> Option<String> {
        damage_of(whose, &self.found)
    }

    /// The root of the first `size` entries.
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        (size <= self.size()).then(|| subtree_root(self, 0, size))?
    }

    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        inclusion_proof(self, index, size)
    }

    pub fn consistency(&self, old: u64, size: u64) -> Option<Vec<Hash>> {
        consistency_proof(self, old, size)
    }

    /// Where the 64th entry at or before `index` stands, and its index.
    fn place(&self, index: u64) -> std::io::Result<(u64, u64)> {
        let mark = index / MARK_EVERY;
        let first = self.anchored.div_ceil(MARK_EVERY);
        if let Some(place) = mark.checked_sub(first)
            && let Some(offset) = self.places.get(usize::try_from(place).unwrap_or(usize::MAX))
        {
            return Ok((mark * MARK_EVERY, *offset));
        }
        let mut eight = [0; 8];
        match self.volumes.marks.read_at(mark * 8, &mut eight)? == eight.len() {
            true => Ok((mark * MARK_EVERY, u64::from_be_bytes(eight))),
            false => Err(std::io::ErrorKind::InvalidData.into()),
        }
    }

    /// Hands on entries from `first` on, as they were signed, until `wanted` says no more.
    ///
    /// # Errors
    /// Files that cannot be read; an entry that is not there.
    pub fn entries(
        &self,
        first: u64,
        mut wanted: impl FnMut(u64, &[u8]) -> bool,
    ) -> Result<(), Fault> {
        if first >= self.size() {
            return Ok(());
        }
        let name = || self.folder.join(names::LOG).display().to_string();
        let (mark, offset) = self.place(first).map_err(file(name()))?;
        let mut index = first;
        let end = self.found.committed_bytes;
        read_entries(&self.volumes.log, offset, end, first - mark, |entry| {
            let more = wanted(index, entry);
            index += 1;
            more && index < self.size()
        })
        .map_err(file(name()))
    }

    /// One entry.
    ///
    /// # Errors
    /// As `entries`.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, Fault> {
        let mut found = None;
        self.entries(index, |_, entry| {
            found = Some(entry.to_vec());
            false
        })?;
        found.ok_or(Fault::Beyond { index, size: self.size() })
    }
}

impl NodeSource for Reader {
    fn node(&self, height: u8, index: u64) -> Option<Hash> {
        self.nodes
            .node(height, index)
            .or_else(|| TiledNodes(Tiles(&self.volumes.tiles)).node(height, index))
    }
}
