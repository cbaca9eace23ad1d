//! The power goes at every step of the key store: every key that was relied upon is there, in
//! order, and the vault starts without hands. `SEKISHO_POINTS`, `SEKISHO_SEED`.

use crate::journal::{Journal, Records};
use durable::{Dice, How, Tape};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use unseal::{RootKey, SecretsKey};

const POINTS: usize = 600;
const ACTS: usize = 30;

fn folder(name: &str) -> PathBuf {
    let folder = durable::scratch().join(format!("vault-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A file's head is there before anything is relied upon.
struct Begun {
    head: Vec<u8>,
    key: Option<SecretsKey>,
}

impl Begun {
    fn new(folder: &Path, has_sums: bool) -> Self {
        let path = folder.join("keys");
        let (mut journal, _) = Journal::open(&path).unwrap();
        let root = RootKey::from_credential(&[5; 32]).unwrap();
        let key = has_sums.then(|| SecretsKey::of(&root, "records").unwrap());
        if let Some(key) = &key {
            journal.take_sums(&Vec::new(), key.again()).unwrap();
        }
        Self { head: std::fs::read(&path).unwrap(), key }
    }

    fn open(&self, path: &Path) -> (Journal, Records) {
        let (mut journal, contents) = Journal::open(path).unwrap();
        if let Some(key) = &self.key {
            journal.believe(&contents, key.again()).unwrap();
        }
        (journal, contents.into_rows())
    }
}

/// Appends of one to four rows, each as long as a row may be; what was appended, in order.
fn live(folder: &Path, begun: &Begun, dice: &mut Dice) -> Vec<Vec<u8>> {
    let (mut journal, records) = begun.open(&folder.join("keys"));
    assert!(records.is_empty());
    let mut all = Vec::new();
    for _ in 0..ACTS {
        let rows: Vec<Vec<u8>> = (0..=dice.below(3))
            .map(|_| (0..1 + dice.below(700)).map(|_| dice.below(256) as u8).collect())
            .collect();
        journal.append(&rows).unwrap();
        all.extend(rows);
        durable::said(all.len() as u64);
    }
    all
}

fn check(folder: &Path, begun: &Begun, promised: usize, all: &[Vec<u8>], which: &str) {
    let path = folder.join("keys");
    let file = File::options().write(true).create(true).truncate(false).open(&path).unwrap();
    file.write_all_at(&begun.head, 0).unwrap();
    println!("{which}");
    let (mut journal, records) = begun.open(&path);
    assert!(records.len() >= promised, "{which}: {promised} promised, {} left", records.len());
    let expected = all.iter().take(records.len());
    let found = records.iter().map(|record| &**record);
    assert!(expected.eq(found), "{which}: other rows than were appended");
    journal.append(&[b"one more".to_vec(), b"and another".to_vec()]).expect(which);
    let (_, again) = begun.open(&path);
    assert_eq!(again.len(), records.len() + 2, "{which}: after one more start");
}

#[test]
fn every_point_of_a_crash_keeps_every_key() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let wanted = number("SEKISHO_POINTS").unwrap_or(POINTS);
    let mut seed = number("SEKISHO_SEED").unwrap_or(1) as u64;
    let mut points = 0;
    while points < wanted {
        let mut dice = Dice::new(seed);
        let life = folder("crash-life");
        // A file of an earlier version, and one whose records have sums.
        let begun = Begun::new(&life, seed % 2 == 1);
        let (tape, all) = Tape::record(&life, &[], || live(&life, &begun, &mut dice));
        for point in 0..=tape.points() {
            let how = if dice.once_in(3) { How::Killed } else { How::PowerCut };
            let left = folder("crash-left");
            tape.survive(point, how, &mut dice, &left).unwrap();
            let promised = tape.said(point).last().map_or(0, |count| *count as usize);
            let which = format!("SEKISHO_SEED={seed}, step {point}, {how:?}");
            check(&left, &begun, promised, &all, &which);
            points += 1;
        }
        seed += 1;
    }
    for name in ["crash-life", "crash-left"] {
        let _ = std::fs::remove_dir_all(folder(name));
    }
    println!("crash points: vault {points}");
}
