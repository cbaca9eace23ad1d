//! Measures the engines of `body` under the load of a keeper.
//!
//! `cargo run --release -p body --example measure [FOLDER]`; `bench/bodies` adds fjall.

mod load;

use body::{Blobs, Bodies, Fault, Packs};
use std::path::{Path, PathBuf};

/// Short packs, so that most are closed and can be compacted in a short run.
const PACK_BYTES: u64 = 16 * 1024 * 1024;

fn blobs(folder: &Path) -> Result<Box<dyn Bodies>, Fault> {
    Ok(Box::new(Blobs::open(&folder.join("bodies.db"))?))
}

fn packs(folder: &Path) -> Result<Box<dyn Bodies>, Fault> {
    Ok(Box::new(Packs::open_with(folder, PACK_BYTES)?))
}

fn packs_and_blobs(folder: &Path) -> Result<Box<dyn Bodies>, Fault> {
    let notes = Blobs::open(&folder.join("index.db"))?;
    let parts = Packs::open_with(folder, PACK_BYTES)?;
    Ok(Box::new(load::Two { parts, notes }))
}

fn main() -> Result<(), Fault> {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("measure-bodies-{}", std::process::id()));
    let sizes = [4 * 1024, 40 * 1024, 1024 * 1024];
    load::table(
        &[("packs", &packs), ("blobs", &blobs), ("packs+sqlite", &packs_and_blobs)],
        &sizes,
        &folder,
    )
}
