//! Other people's mail, where it is present: nothing may break, and nothing may take long.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use mime::detect::{Budget, examine};
use mime::{parse, section};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn shared() -> PathBuf {
    match std::env::var_os("SEKISHO_SHARED") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut waiting = vec![folder.to_path_buf()];
    let mut files = Vec::new();
    while let Some(folder) = waiting.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => waiting.push(entry.path()),
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files.sort();
    files
}

/// Examines every file of a suite; prints what was found how often.
fn run(suite: &str) {
    let folder = shared().join("suites").join(suite);
    let files = files_below(&folder);
    if files.is_empty() {
        println!("absent: {}", folder.display());
        return;
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut slowest = Duration::ZERO;
    let mut octets = 0;
    let all = Instant::now();
    for file in &files {
        let Ok(message) = std::fs::read(file) else { continue };
        octets += message.len();
        let start = Instant::now();
        let examined = examine(&message, &Budget::default());
        slowest = slowest.max(start.elapsed());
        let mut ids: Vec<String> = examined.findings.into_iter().map(|found| found.id).collect();
        ids.sort();
        ids.dedup();
        let nothing = if ids.is_empty() { vec!["(nothing)".to_owned()] } else { ids };
        nothing.into_iter().for_each(|id| *counts.entry(id).or_default() += 1);
        let (parsed, _) = parse(&message);
        let header = section(&parsed, "HEADER").expect("every message has a header");
        let text = section(&parsed, "TEXT").expect("every message has a text");
        assert_eq!([header, text].concat(), message, "{}", file.display());
    }
    let spent = all.elapsed();
    println!("{suite}: {} messages, {octets} octets, {spent:?}, slowest {slowest:?}", files.len());
    for (id, count) in &counts {
        println!("  {count:6} {id}");
    }
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
}

#[test]
fn phishing() {
    run("phishing-sample");
}

#[test]
fn bounces() {
    run("bounces");
}
