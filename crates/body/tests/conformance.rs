//! Every engine keeps what `Bodies` promises: the same cases for each.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod cases;

use body::{Blobs, Bodies, Packs};
use std::path::Path;

#[test]
fn packs_keep_the_promises() {
    cases::check_all("packs", &|folder: &Path| Box::new(Packs::open(folder).unwrap()));
}

#[test]
fn short_packs_keep_the_promises() {
    let open =
        |folder: &Path| -> Box<dyn Bodies> { Box::new(Packs::open_with(folder, 4_096).unwrap()) };
    cases::check_all("short-packs", &open);
}

#[test]
fn blobs_keep_the_promises() {
    let open = |folder: &Path| -> Box<dyn Bodies> {
        std::fs::create_dir_all(folder).unwrap();
        Box::new(Blobs::open(&folder.join("bodies.db")).unwrap())
    };
    cases::check_all("blobs", &open);
}
