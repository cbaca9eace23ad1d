//! `foreign FOLDER LEDGER_KEY`: reads a log that `sekisho ledger publish` wrote by Cloudflare's
//! `tlog_tiles` and `signed_note`, which know C2SP tlog-tiles, tlog-checkpoint and signed-note, and
//! nothing of ours. Every entry must stand under the signed root, and older trees in it.

use signed_note::{Note, StandardVerifier, VerifierList};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tlog_tiles::{
    Checkpoint, Error, Tile, TileHashReader, TileReader, check_record, check_tree, prove_record,
    prove_tree, record_hash, tree_hash,
};

/// Entries of a full bundle.
const WIDTH: u64 = 256;

/// A published log's folder. The crate puts the height into a tile's path, C2SP does not.
struct Tiles(PathBuf);

impl TileReader for Tiles {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &Tile| {
            let name = tile.path().replacen("tile/8/", "tile/", 1);
            let wrong = |what| Error::InvalidInput(format!("{name}: {what}"));
            fs::read(self.0.join(&name)).map_err(wrong)
        };
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// The entries of one bundle.
fn bundle(folder: &Path, number: u64, width: u64) -> Result<Vec<Vec<u8>>, String> {
    let name = match width {
        WIDTH => format!("tile/entries/{number:03}"),
        width => format!("tile/entries/{number:03}.p/{width}"),
    };
    let bytes = fs::read(folder.join(&name)).map_err(|what| format!("{name}: {what}"))?;
    let (mut rest, mut found) = (&bytes[..], Vec::new());
    while let Some((length, more)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let cut = || format!("{name} is cut off");
        let (entry, more) = more.split_at_checked(length).ok_or_else(cut)?;
        found.push(entry.to_vec());
        rest = more;
    }
    match found.len() as u64 == width && rest.is_empty() {
        true => Ok(found),
        false => Err(format!("{name}: expected {width} entries, found {}", found.len())),
    }
}

fn read(folder: &Path, key: &str) -> Result<u64, String> {
    let note = fs::read(folder.join("checkpoint")).map_err(|what| what.to_string())?;
    let note = Note::from_bytes(&note).map_err(|_| "the checkpoint is no note")?;
    let verifier = StandardVerifier::new(key).map_err(|_| "this is no key")?;
    let known = VerifierList::new(vec![Box::new(verifier)]);
    note.verify(&known).map_err(|_| "the note is not signed by this key")?;
    let checkpoint = Checkpoint::from_bytes(note.text()).map_err(|_| "this is no checkpoint")?;
    let (size, root) = (checkpoint.size(), *checkpoint.hash());
    let tiles = Tiles(folder.to_owned());
    let nodes = TileHashReader::new(size, root, &tiles);
    let told = |what: Error| format!("{what:?}");
    if tree_hash(size, &nodes).map_err(told)? != root {
        return Err("the tiles give another root".to_owned());
    }
    for number in 0..size.div_ceil(WIDTH) {
        let width = (size - number * WIDTH).min(WIDTH);
        for (index, entry) in (number * WIDTH..).zip(bundle(folder, number, width)?) {
            let proof = prove_record(size, index, &nodes).map_err(told)?;
            check_record(&proof, size, root, index, record_hash(&entry))
                .map_err(|what| format!("entry {index}: {what:?}"))?;
        }
    }
    for old in [1, size / 3, size / 2, size - 1].into_iter().filter(|old| *old > 0) {
        let proof = prove_tree(size, old, &nodes).map_err(told)?;
        let before = tree_hash(old, &nodes).map_err(told)?;
        check_tree(&proof, size, root, old, before)
            .map_err(|what| format!("the tree of {old}: {what:?}"))?;
    }
    Ok(size)
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, key] = &words[..] else {
        eprintln!("foreign FOLDER LEDGER_KEY");
        return ExitCode::from(2);
    };
    match read(Path::new(folder), key.trim()) {
        Ok(size) => {
            println!("{size} entries");
            ExitCode::SUCCESS
        }
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}
