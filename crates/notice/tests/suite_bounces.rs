//! Bounces and reports of some ninety mail systems (BSD-2, `suites/bounces`), where they lie: how
//! many are understood, and for how many a reason is found.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use notice::Reason;
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn suite() -> Option<PathBuf> {
    let shared = std::env::var_os("SEKISHO_SHARED").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let suite = shared.unwrap_or(beside).join("suites/bounces/maildir");
    let is_there = suite.is_dir();
    if !is_there {
        println!("absent: suites/bounces is not beside this checkout");
    }
    is_there.then_some(suite)
}

#[test]
fn bounces_of_the_world() {
    let Some(suite) = suite() else { return };
    let (mut all, mut understood, mut reasoned) = (0, 0, 0);
    for folder in ["bsd", "dos", "mac", "err"] {
        for path in files(&suite.join(folder)) {
            all += 1;
            let octets = std::fs::read(&path).unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            match notice::read(&octets) {
                None => println!("not understood: {folder}/{name}"),
                Some(bounce) => {
                    understood += 1;
                    match bounce.victims[0].reason {
                        Reason::Unknown => println!("no reason: {folder}/{name}"),
                        _ => reasoned += 1,
                    }
                }
            }
        }
    }
    println!("bounces: {all} read, {understood} understood, {reasoned} with a reason");
    assert!(understood * 100 >= all * 98, "{understood} of {all}");
    assert!(reasoned * 100 >= all * 90, "{reasoned} of {all}");
    let mut taken = 0;
    for path in files(&suite.join("not")) {
        taken += u32::from(notice::read(&std::fs::read(&path).unwrap()).is_some());
    }
    // One of the three comes from a postmaster with the null sender and says "bounce" in its
    // subject: the suite's reader does not take it for one, and ours does.
    assert!(taken <= 1, "mail that is no bounce was taken for one");
}

/// All of the suite's complaints, and how many say what they are about.
#[test]
fn complaints_of_the_world() {
    let Some(suite) = suite() else { return };
    let (mut all, mut about, mut odd) = (0, 0, Vec::new());
    for path in files(&suite.join("bsd")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let octets = std::fs::read(&path).unwrap();
        match (notice::feedback(&octets), name.starts_with("arf-")) {
            (Some(read), true) => {
                all += 1;
                about += u32::from(read.about.is_some());
            }
            (None, true) | (Some(_), false) => odd.push(name),
            (None, false) => {}
        }
    }
    println!("complaints: {all} read, {about} of them name a message; otherwise: {odd:?}");
    // One is a letter that unsubscribes.
    assert!(all >= 16 && about >= 13 && odd.len() <= 1, "{all} {about} {odd:?}");
}
