//! The power goes at every step of the key store: every key that was relied upon is there, in
//! order, and the vault starts without hands. `SEKISHO_POINTS`, `SEKISHO_SEED`.

use crate::journal::Journal;
use durable::{Dice, How, Tape};
use std::path::{Path, PathBuf};

const POINTS: usize = 600;
const ACTS: usize = 30;

fn folder(name: &str) -> PathBuf {
    let folder = durable::scratch().join(format!("vault-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Appends of one to four rows, each as long as a row may be; what was appended, in order.
fn live(folder: &Path, dice: &mut Dice) -> Vec<Vec<u8>> {
    let (mut journal, records) = Journal::open(&folder.join("keys")).unwrap();
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

fn check(folder: &Path, promised: usize, all: &[Vec<u8>], which: &str) {
    let path = folder.join("keys");
    let (mut journal, records) = Journal::open(&path).expect(which);
    assert!(records.len() >= promised, "{which}: {promised} promised, {} left", records.len());
    let expected = all.iter().take(records.len());
    let found = records.iter().map(|record| &**record);
    assert!(expected.eq(found), "{which}: other rows than were appended");
    journal.append(&[b"one more".to_vec(), b"and another".to_vec()]).expect(which);
    let (_, again) = Journal::open(&path).expect(which);
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
        let (tape, all) = Tape::record(&life, &[], || live(&life, &mut dice));
        for point in 0..=tape.points() {
            let how = if dice.once_in(3) { How::Killed } else { How::PowerCut };
            let left = folder("crash-left");
            tape.survive(point, how, &mut dice, &left).unwrap();
            let promised = tape.said(point).last().map_or(0, |count| *count as usize);
            check(&left, promised, &all, &format!("SEKISHO_SEED={seed}, step {point}, {how:?}"));
            points += 1;
        }
        seed += 1;
    }
    for name in ["crash-life", "crash-left"] {
        let _ = std::fs::remove_dir_all(folder(name));
    }
    println!("crash points: vault {points}");
}
