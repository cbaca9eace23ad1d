//! The log as C2SP tlog-tiles lays it out for everybody: `checkpoint`, `tile/<L>/<N>`,
//! `tile/entries/<N>`, partial tiles beside them; and single proofs as C2SP tlog-proof.

use crate::disk::{Folder, Shelf};
use crate::fault::{Fault, file};
use crate::reading::Reader;
use std::fs;
use std::path::Path;
use tlog::{
    Hash, NodeSource, SignedCheckpoint, TILE_HEIGHT, TILE_WIDTH, TileAddress, encode_bundle,
};

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Published {
    pub size: u64,
    pub tiles: u64,
    pub bundles: u64,
}

/// Writes what `to` does not hold yet, up to a checkpoint: full tiles are written once, partial
/// ones for this size, the checkpoint last.
///
/// # Errors
/// Files that cannot be read or written.
pub fn publish(reader: &Reader, signed: &SignedCheckpoint, to: &Path) -> Result<Published, Fault> {
    let size = signed.checkpoint.size;
    let mut done = Published { size, ..Published::default() };
    let shelf = Folder(to.to_owned());
    let width = u64::from(TILE_WIDTH);
    let (mut level, mut hashes) = (0u8, size);
    while hashes > 0 {
        for index in 0..hashes.div_ceil(width) {
            let count = width.min(hashes - index * width);
            let address = address(Some(level), index, count);
            if put(to, &address, || tile(reader, level, index, count))? {
                done.tiles += 1;
            }
        }
        level += 1;
        hashes /= width;
    }
    for index in 0..size.div_ceil(width) {
        let count = width.min(size - index * width);
        let address = address(None, index, count);
        if put(to, &address, || bundle(reader, index * width, count))? {
            done.bundles += 1;
        }
    }
    let name = "checkpoint";
    shelf.put(name, signed.note.to_text().as_bytes()).map_err(file(name))?;
    Ok(done)
}

fn address(level: Option<u8>, index: u64, count: u64) -> TileAddress {
    TileAddress { level, index, width: u16::try_from(count).unwrap_or(TILE_WIDTH) }
}

fn put(
    to: &Path,
    address: &TileAddress,
    make: impl FnOnce() -> Result<Vec<u8>, Fault>,
) -> Result<bool, Fault> {
    let name = address.path();
    let path = to.join(&name);
    if path.exists() {
        return Ok(false);
    }
    let bytes = make()?;
    // No flush for each: what is torn by a power loss is found and made again.
    let written = path.parent().map_or(Ok(()), fs::create_dir_all);
    let made = path.with_extension("new");
    let written = written.and_then(|()| fs::write(&made, bytes));
    written.and_then(|()| fs::rename(&made, &path)).map_err(file(name))?;
    Ok(true)
}

fn tile(reader: &Reader, level: u8, index: u64, count: u64) -> Result<Vec<u8>, Fault> {
    let first = index * u64::from(TILE_WIDTH);
    let mut bytes = Vec::new();
    for place in first..first + count {
        let node = reader.node(level * TILE_HEIGHT, place);
        let name = || format!("tile {index} of level {level}");
        let expected = "every hash below the checkpoint";
        let Hash(node) = node.ok_or_else(|| Fault::Changed { name: name(), expected })?;
        bytes.extend_from_slice(&node);
    }
    Ok(bytes)
}

fn bundle(reader: &Reader, first: u64, count: u64) -> Result<Vec<u8>, Fault> {
    let mut entries = Vec::new();
    reader.entries(first, |index, entry| {
        entries.push(entry.to_vec());
        index + 1 < first + count
    })?;
    let borrowed: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
    let expected = "entries that fit a bundle";
    let name = || format!("the bundle at {first}");
    encode_bundle(&borrowed).ok_or_else(|| Fault::Changed { name: name(), expected })
}

/// One entry's proof under a checkpoint, as a text that stands alone (C2SP tlog-proof).
///
/// # Errors
/// An entry that the checkpoint does not count.
pub fn proof_text(reader: &Reader, signed: &SignedCheckpoint, index: u64) -> Result<String, Fault> {
    let size = signed.checkpoint.size;
    let hashes = reader.inclusion(index, size).ok_or(Fault::Beyond { index, size })?;
    let hashes: String = hashes.into_iter().map(|hash| hash.to_base64() + "\n").collect();
    Ok(format!("c2sp.org/tlog-proof@v1\nindex {index}\n{hashes}\n{}", signed.note.to_text()))
}
