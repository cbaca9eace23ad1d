//! Every engine keeps what `Bodies` promises: the same cases for each.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod cases;

use body::{Blobs, Bodies, Content, Fault, Key, Packs, Part, front, part};
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

/// Nobody keeps what is deleted until a long pack is full.
#[test]
fn a_pack_that_is_half_dead_is_closed_at_a_quarter() {
    let folder = cases::Folder::new("half-dead");
    let mut bodies = Packs::open_with(&folder.0, 400_000).unwrap();
    let mut index = cases::Index::default();
    for id in 0..60 {
        let key = Key { id, part: 1 };
        let place = bodies.put(key, Content::Pieces(&[&cases::bytes(id, 2_000)])).unwrap();
        index.0.insert(id, place);
    }
    bodies.commit().unwrap();
    for id in 0..50 {
        bodies.delete(index.0.remove(&id).unwrap()).unwrap();
    }
    for _ in 0..20 {
        bodies.note(b"deleted, or moved").unwrap();
        let mark = bodies.commit().unwrap();
        bodies.forget(mark).unwrap();
        bodies.compact(10_000, &mut index).unwrap();
    }
    assert!(bodies.space().on_disk < 30_000, "{:?}", bodies.space());
    for (id, place) in &index.0 {
        assert_eq!(cases::whole(&mut bodies, *place), cases::bytes(*id, 2_000));
    }
}

#[test]
fn a_sealed_part_is_read_as_it_was_laid_down() {
    let folder = cases::Folder::new("part");
    let mut bodies = Packs::open(&folder.0).unwrap();
    let wrapped = cases::bytes(1, 900);
    // Within what is read at first, on its edge, and beyond it.
    for length in [0, 1, 64 * 1024 - 906, 64 * 1024 - 905, 200_000] {
        let content = cases::bytes(2, length);
        let before = front(7, &wrapped).unwrap();
        let pieces = Content::Pieces(&[&before, &content]);
        let place = bodies.put(Key { id: length as u64, part: 1 }, pieces).unwrap();
        bodies.commit().unwrap();
        let Part { epoch, wrapped: key, content: found } = part(&mut bodies, place).unwrap();
        assert!((epoch, &key, &found) == (7, &wrapped, &content), "{length}");
    }
    assert!(front(7, &cases::bytes(1, 8 * 1024)).is_some());
    assert!(front(7, &cases::bytes(1, 8 * 1024 + 1)).is_none());
    for torn in [&b""[..], &[7, 0, 0, 0, 9], &[7, 0, 0, 0, 2, 0, 1]] {
        let key = Key { id: 99, part: torn.len() as u8 };
        let place = bodies.put(key, Content::Pieces(&[torn])).unwrap();
        bodies.commit().unwrap();
        assert!(matches!(part(&mut bodies, place), Err(Fault::Torn { .. })), "{torn:?}");
    }
}
