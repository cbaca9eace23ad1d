//! Cases: what a tape holds, and what each end leaves of it.

use super::*;
use std::fs::{File, read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("durable-{name}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
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

/// A log of three lines, the last never flushed, and a small file.
fn written(folder: &Folder) -> Tape {
    let (tape, ()) = Tape::record(&folder.0, &[], || {
        put(&folder.0.join("key"), b"secret", 0o600).unwrap();
        let log = File::create(folder.0.join("log")).unwrap();
        write_at(&log, b"one\n", 0).unwrap();
        sync(&log).unwrap();
        sync_folder(&File::open(&folder.0).unwrap()).unwrap();
        said(1);
        write_at(&log, b"two\n", 4).unwrap();
        sync(&log).unwrap();
        said(2);
        append(
            &File::options().append(true).open(folder.0.join("log")).unwrap(),
            b"three, and more of it\n",
        )
        .unwrap();
    });
    tape
}

fn after(tape: &Tape, point: usize, how: How, seed: u64) -> (Vec<u8>, Vec<u8>) {
    let into = Folder::new("after");
    tape.survive(point, how, &mut Dice::new(seed), &into.0).unwrap();
    (read(into.0.join("log")).unwrap_or_default(), read(into.0.join("key")).unwrap_or_default())
}

#[test]
fn what_was_flushed_is_there_and_what_was_not_may_be() {
    let folder = Folder::new("flushed");
    let tape = written(&folder);
    // cut, write, sync, rename, folder · write, sync, folder · write, sync · write
    assert_eq!(tape.points(), 11);
    assert_eq!(tape.said(8), [1]);
    assert_eq!(tape.said(11), [1, 2]);
    let mut ends = std::collections::BTreeSet::new();
    for seed in 0..200 {
        assert_eq!(after(&tape, 11, How::Killed, seed).0, b"one\ntwo\nthree, and more of it\n");
        let (log, key) = after(&tape, 11, How::PowerCut, seed);
        assert!(log.starts_with(b"one\ntwo\n"), "{log:?}");
        assert_eq!(key, b"secret");
        ends.insert(log);
        let (log, _) = after(&tape, 8, How::PowerCut, seed);
        assert!(log.starts_with(b"one\n") && log.len() <= 8);
        let (_, key) = after(&tape, 4, How::PowerCut, seed);
        assert!(key.is_empty() || key == b"secret", "whole or not at all");
    }
    assert_eq!(ends.len(), 3, "with it, without it, and a length without octets");
}

#[test]
fn a_write_is_torn_anywhere() {
    let folder = Folder::new("torn");
    let tape = written(&folder);
    let lengths: std::collections::BTreeSet<usize> =
        (0..300).map(|seed| after(&tape, 10, How::Killed, seed).0.len()).collect();
    assert_eq!(lengths, (8..=30).collect());
}

#[test]
fn a_disk_that_was_full_takes_steps_again() {
    let folder = Folder::new("full");
    let log = File::create(folder.0.join("log")).unwrap();
    failing(1, 2);
    write_at(&log, b"taken", 0).unwrap();
    assert_eq!(write_at(&log, b"refused", 5).unwrap_err().raw_os_error(), Some(28));
    assert!(sync(&log).is_err());
    sync(&log).unwrap();
    write_at(&log, b"!", 5).unwrap();
    assert_eq!(read(folder.0.join("log")).unwrap(), b"taken!ef");
}
