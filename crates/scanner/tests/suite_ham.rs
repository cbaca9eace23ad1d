//! Ordinary mail of 2002 and 2003, where the test command has fetched it: how much of it would be
//! called junk by its content alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use scanner::{Given, NoDns, examine, judged};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use terms::Verdict;

/// Ordinary mail called junk or worse, at most, in thousandths.
const FALSE_POSITIVES: usize = 5;

fn folder() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/suites");
    let suites = std::env::var_os("SEKISHO_SUITES").map_or(beside, PathBuf::from);
    suites.join("spam-assassin/data")
}

fn letters(folders: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for name in folders {
        let Ok(entries) = std::fs::read_dir(folder().join(name)) else { continue };
        let paths = entries.flatten().map(|entry| entry.path());
        files.extend(paths.filter(|path| path.extension().is_some_and(|ending| ending == "txt")));
    }
    files.sort();
    files
}

/// How many of these are at least junk, of how many.
fn judge(name: &str, folders: &[&str]) -> (usize, usize) {
    let house = policy::HouseRules::default();
    let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut junk, mut slowest) = (0, Duration::ZERO);
    let files = letters(folders);
    let all = Instant::now();
    for file in &files {
        let message = std::fs::read(file).unwrap();
        let host_name = "mx.house.example";
        let given = Given { message: &message, sender: None, host_name, now_seconds: 0 };
        let start = Instant::now();
        let judged = judged(&examine(&given, &mut NoDns), &house);
        slowest = slowest.max(start.elapsed());
        *verdicts.entry(judged.verdict.word()).or_default() += 1;
        if judged.verdict >= Verdict::Junk {
            junk += 1;
            if name == "ham" {
                let reasons: Vec<&str> = judged.reasons.iter().map(|r| r.id.as_str()).collect();
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                println!("  {name}: {:.1} {reasons:?}", judged.score);
            }
        }
    }
    let each = all.elapsed() / files.len().max(1) as u32;
    println!("{name}: {} messages, {each:?} each, slowest {slowest:?}, {verdicts:?}", files.len());
    (junk, files.len())
}

#[test]
fn ordinary_mail_is_not_called_junk() {
    let (junk, all) = judge("ham", &["easy-ham-1", "easy-ham-2", "hard-ham-1"]);
    if all == 0 {
        println!("absent: spam-assassin");
        return;
    }
    println!("ham: {junk} of {all} called junk or worse");
    assert!(all > 4_000);
    assert!(junk * 1_000 <= all * FALSE_POSITIVES, "{junk} of {all}");
    judge("spam", &["spam-1", "spam-2"]);
}
