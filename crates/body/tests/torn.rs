//! A pack torn at every octet, and one that lost octets it had sworn to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
mod cases;

use body::{Bodies, Content, Fault, Key, Mark, Packs};
use cases::{Folder, bytes, whole};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

fn notes(store: &mut Packs) -> Vec<u8> {
    let mut told = Vec::new();
    store.replay(Mark(0), &mut |_, note| told.push(note[0])).unwrap();
    told
}

fn add(store: &mut Packs, number: u8) -> body::Place {
    let content = bytes(u64::from(number), 100);
    let key = Key { id: u64::from(number), part: 1 };
    let place = store.put(key, Content::Pieces(&[&content])).unwrap();
    store.note(&[number]).unwrap();
    store.commit().unwrap();
    place
}

fn only_pack(folder: &Path) -> std::path::PathBuf {
    folder.join("00000001.pack")
}

#[test]
fn a_tail_torn_anywhere_is_passed_over_and_writing_goes_on() {
    let folder = Folder::new("torn");
    let mut store = Packs::open(&folder.0).unwrap();
    add(&mut store, 1);
    let sound = std::fs::metadata(only_pack(&folder.0)).unwrap().len();
    add(&mut store, 2);
    drop(store);
    let full = std::fs::read(only_pack(&folder.0)).unwrap();
    for cut in sound as usize..full.len() {
        for rotten in [false, true] {
            let other = Folder::new("torn-copy");
            let mut tail = full.clone();
            if rotten {
                // The file is long enough, but the disk never saw what stood here.
                tail[cut..].iter_mut().for_each(|octet| *octet = 0);
            } else {
                tail.truncate(cut);
            }
            std::fs::write(only_pack(&other.0), &tail).unwrap();
            let mut store = Packs::open(&other.0).unwrap();
            let whole_tail = tail == full;
            let expected: &[u8] = if whole_tail { &[1, 2] } else { &[1] };
            assert_eq!(notes(&mut store), expected, "cut at {cut}, {rotten}");
            let place = add(&mut store, 3);
            drop(store);
            let mut store = Packs::open(&other.0).unwrap();
            assert_eq!(notes(&mut store).last(), Some(&3), "cut at {cut}, {rotten}");
            assert_eq!(whole(&mut store, place), bytes(3, 100));
        }
    }
}

#[test]
fn a_start_that_never_became_whole_is_begun_again() {
    let folder = Folder::new("half-begun");
    let mut store = Packs::open(&folder.0).unwrap();
    add(&mut store, 1);
    drop(store);
    std::fs::write(folder.0.join("00000002.pack"), b"seki").unwrap();
    let mut store = Packs::open(&folder.0).unwrap();
    assert_eq!(notes(&mut store), [1]);
    add(&mut store, 2);
    drop(store);
    assert_eq!(notes(&mut Packs::open(&folder.0).unwrap()), [1, 2]);
}

#[test]
fn rot_in_what_was_sworn_to_is_a_fault_and_no_torn_tail() {
    let folder = Folder::new("rot");
    let mut store = Packs::open_with(&folder.0, 400).unwrap();
    for number in 1..=6 {
        add(&mut store, number);
    }
    drop(store);
    let file = File::options().write(true).open(only_pack(&folder.0)).unwrap();
    file.write_all_at(&[0xFF], 100).unwrap();
    let mut store = Packs::open_with(&folder.0, 400).unwrap();
    let outcome = store.replay(Mark(0), &mut |_, _| {});
    assert!(matches!(outcome, Err(Fault::Torn { .. })));
}
