//! The cases that every engine must pass.

use body::{Bodies, Content, Key, Mark, Owner, Place};
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

type Open<'a> = &'a dyn Fn(&Path) -> Box<dyn Bodies>;

/// A folder of this test's own, removed when it is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        Self::within(&std::env::temp_dir(), name)
    }

    pub fn within(place: &Path, name: &str) -> Self {
        let path = place.join(format!("bodies-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Octets that differ from one seed to the next and do not repeat by the page.
pub fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub fn whole(store: &mut dyn Bodies, place: Place) -> Vec<u8> {
    let mut found = Vec::new();
    store.read(place, 0..place.length, &mut found).unwrap();
    found
}

fn notes(store: &mut dyn Bodies, after: Mark) -> Vec<Vec<u8>> {
    let mut told = Vec::new();
    store.replay(after, &mut |_, note| told.push(note.to_vec())).unwrap();
    told
}

pub fn check_all(name: &str, open: Open<'_>) {
    let run = |case: &str, test: &dyn Fn(Open<'_>, &Path)| {
        let folder = Folder::new(&format!("{name}-{case}"));
        test(open, &folder.0);
    };
    run("read", &what_is_put_is_read_before_and_after_the_commit);
    run("parcel", &a_parcel_is_taken_whole);
    run("range", &ranges_are_cut_to_what_is_there);
    run("again", &what_was_committed_is_there_after_a_restart_and_the_rest_is_not);
    run("abandon", &what_was_abandoned_is_gone_and_its_place_is_used_again);
    run("notes", &notes_come_back_in_order_from_a_mark);
    run("too-long", &a_part_beyond_the_limit_is_refused);
    run("compact", &space_comes_back_and_the_living_stay_readable);
}

fn key(id: u64) -> Key {
    Key { id, part: (id % 3) as u8 }
}

fn what_is_put_is_read_before_and_after_the_commit(open: Open<'_>, folder: &Path) {
    let mut store = open(folder);
    let mut kept = Vec::new();
    for (id, length) in [0, 1, 31, 32, 33, 4_096, 40_000, 1_100_000].into_iter().enumerate() {
        let content = bytes(id as u64, length);
        let (first, second) = content.split_at(length / 3);
        let place = store.put(key(id as u64), Content::Pieces(&[first, second])).unwrap();
        assert_eq!(whole(&mut *store, place), content, "staged, {length} octets");
        kept.push((place, content));
    }
    store.commit().unwrap();
    for (place, content) in kept {
        assert_eq!(whole(&mut *store, place), content);
    }
}

fn a_parcel_is_taken_whole(open: Open<'_>, folder: &Path) {
    let mut store = open(folder);
    let content = bytes(9, 700_001);
    let path = folder.join("parcel");
    File::create(&path).unwrap().write_all(&content).unwrap();
    let file = File::open(&path).unwrap();
    let mut expected = b"key".to_vec();
    expected.extend_from_slice(&content);
    let small = store.put(key(1), Content::Pieces(&[b"before"])).unwrap();
    let place =
        store.put(key(2), Content::File { front: b"key", file: &file, length: 700_001 }).unwrap();
    store.commit().unwrap();
    assert_eq!(whole(&mut *store, place), expected);
    assert_eq!(whole(&mut *store, small), b"before");
    drop(store);
    let mut store = open(folder);
    store.replay(Mark(0), &mut |_, _| {}).unwrap();
    assert_eq!(whole(&mut *store, place), expected);
    // A parcel shorter than it says is our own side's fault, and leaves nothing behind.
    assert!(
        store.put(key(3), Content::File { front: b"key", file: &file, length: 700_002 }).is_err()
    );
    let next = store.put(key(4), Content::Pieces(&[b"next"])).unwrap();
    store.commit().unwrap();
    assert_eq!(whole(&mut *store, next), b"next");
}

fn ranges_are_cut_to_what_is_there(open: Open<'_>, folder: &Path) {
    let mut store = open(folder);
    let content = bytes(3, 10_000);
    let place = store.put(key(1), Content::Pieces(&[&content])).unwrap();
    store.commit().unwrap();
    for (start, end) in [(0, 10), (9_990, 10_000), (9_990, 20_000), (5, 5), (10_000, 10_001)] {
        let mut found = b"in front ".to_vec();
        store.read(place, start..end, &mut found).unwrap();
        let end = (end as usize).min(10_000);
        assert_eq!(found[9..], content[start as usize..end], "{start}..{end}");
    }
}

fn what_was_committed_is_there_after_a_restart_and_the_rest_is_not(open: Open<'_>, folder: &Path) {
    let mut kept = Vec::new();
    for round in 0..5u64 {
        let mut store = open(folder);
        assert_eq!(notes(&mut *store, Mark(0)).len() as u64, round, "round {round}");
        let content = bytes(round, 5_000);
        let place = store.put(key(round), Content::Pieces(&[&content])).unwrap();
        store.note(&[round as u8]).unwrap();
        store.commit().unwrap();
        kept.push((place, content));
        store.put(key(99), Content::Pieces(&[&bytes(99, 3_000)])).unwrap();
        store.note(b"never committed").unwrap();
        drop(store);
        let mut store = open(folder);
        for (place, content) in &kept {
            assert_eq!(&whole(&mut *store, *place), content);
        }
    }
}

fn what_was_abandoned_is_gone_and_its_place_is_used_again(open: Open<'_>, folder: &Path) {
    let mut store = open(folder);
    store.note(b"one").unwrap();
    store.commit().unwrap();
    store.put(key(1), Content::Pieces(&[&bytes(1, 3_000_000)])).unwrap();
    store.note(b"two").unwrap();
    store.abandon();
    store.note(b"three").unwrap();
    let content = bytes(2, 2_000_000);
    let place = store.put(key(2), Content::Pieces(&[&content])).unwrap();
    store.commit().unwrap();
    drop(store);
    let mut store = open(folder);
    assert_eq!(notes(&mut *store, Mark(0)), [b"one".to_vec(), b"three".to_vec()]);
    assert_eq!(whole(&mut *store, place), content);
}

fn notes_come_back_in_order_from_a_mark(open: Open<'_>, folder: &Path) {
    let mut store = open(folder);
    let mut marks = Vec::new();
    for number in 0..50u8 {
        store.put(key(1), Content::Pieces(&[&bytes(u64::from(number), 300)])).unwrap();
        store.note(&[number]).unwrap();
        marks.push(store.commit().unwrap());
    }
    assert!(marks.is_sorted());
    drop(store);
    for from in [0usize, 1, 25, 48, 49] {
        let mut store = open(folder);
        let told = notes(&mut *store, marks[from]);
        let expected: Vec<Vec<u8>> = (from as u8 + 1..50).map(|number| vec![number]).collect();
        assert_eq!(told, expected, "behind mark {from}");
    }
}

fn a_part_beyond_the_limit_is_refused(open: Open<'_>, folder: &Path) {
    let mut store = open(folder);
    let piece = vec![0u8; body::PART_BYTES as usize / 2];
    let pieces = [piece.as_slice(), &piece, b"one more"];
    assert!(store.put(key(1), Content::Pieces(&pieces)).is_err());
}

/// An index of the simplest kind.
#[derive(Default)]
pub struct Index(pub HashMap<u64, Place>);

impl Owner for Index {
    fn is_live(&mut self, key: Key, place: Place) -> bool {
        self.0.get(&key.id) == Some(&place)
    }

    fn moved(&mut self, key: Key, from: Place, to: Place) {
        assert_eq!(self.0.insert(key.id, to), Some(from));
    }
}

fn space_comes_back_and_the_living_stay_readable(open: Open<'_>, folder: &Path) {
    let mut store = open(folder);
    let mut index = Index(HashMap::new());
    for id in 0..300u64 {
        let place = store.put(key(id), Content::Pieces(&[&bytes(id, 2_000)])).unwrap();
        index.0.insert(id, place);
        store.note(b"kept").unwrap();
        store.commit().unwrap();
    }
    let before = store.space().on_disk;
    for id in (0..300u64).filter(|id| id % 4 != 0) {
        let place = index.0.remove(&id).unwrap();
        store.delete(place).unwrap();
    }
    store.note(b"deleted").unwrap();
    let mut mark = store.commit().unwrap();
    store.forget(mark).unwrap();
    for _ in 0..1_000 {
        let more = store.compact(10_000, &mut index).unwrap();
        store.note(b"moved").unwrap();
        mark = store.commit().unwrap();
        store.forget(mark).unwrap();
        if !more {
            break;
        }
    }
    let after = store.space().on_disk;
    // Packs of full length are not compacted while they are written: only then is none freed.
    assert!(
        after < before / 2 || before < 4 * 1024 * 1024 && after < before * 2,
        "{before} {after}"
    );
    drop(store);
    let mut store = open(folder);
    store.replay(mark, &mut |_, _| {}).unwrap();
    for (id, place) in &index.0 {
        assert_eq!(whole(&mut *store, *place), bytes(*id, 2_000), "message {id}");
    }
}
