//! Hostile and ordinary mail of others, where the test command has fetched it: nothing breaks,
//! nothing takes long, and the names of attachments are those that Python's `email` finds, or the
//! difference is explained.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use mime::detect::{Budget, examine};
use mime::parse;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Folder, what a file's name ends in, how many there are at least.
const SUITES: &[(&str, &str, usize)] = &[
    ("mail-parser/resources/eml", ".eml", 200),
    ("mail-parser-py/tests/mails", "", 20),
    ("spam-assassin/data", ".txt", 6_000),
];

/// Messages of which Python finds other names, and why ours are meant.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("legacy/016.eml", "raw octets in a name: Python replaces them, we take the likely charset"),
    ("legacy/023.eml", "raw octets in a name: Python replaces them, we take the likely charset"),
    ("legacy/026.eml", "raw octets in a name: Python replaces them, we take the likely charset"),
    ("regressions/readme-example.eml", "a charset after the first section (RFC 2231 §4.1)"),
    (
        "tests/mails/mail_malformed_1",
        "a broken header that Python ends early; clients show the file",
    ),
    ("tests/mails/mail_test_1", "raw octets in a name: Python replaces them, we read UTF-8"),
];

fn folder() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/suites");
    std::env::var_os("SEKISHO_SUITES").map_or(beside, PathBuf::from)
}

fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut waiting = vec![folder.to_path_buf()];
    let mut files = Vec::new();
    while let Some(folder) = waiting.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => waiting.push(entry.path()),
                Ok(_) if entry.path().to_string_lossy().ends_with(ending) => {
                    files.push(entry.path());
                }
                _ => {}
            }
        }
    }
    files.sort();
    files
}

/// The files of each suite that is here.
fn suites() -> Vec<(&'static str, Vec<PathBuf>)> {
    let mut all = Vec::new();
    for (name, ending, at_least) in SUITES {
        let files = files_below(&folder().join(name), ending);
        if files.is_empty() {
            println!("absent: {name}");
            continue;
        }
        assert!(files.len() >= *at_least, "{name}: {}", files.len());
        all.push((*name, files));
    }
    all
}

#[test]
fn nothing_breaks_and_nothing_takes_long() {
    for (name, files) in suites() {
        let (mut slowest, mut octets) = (Duration::ZERO, 0);
        let all = Instant::now();
        for file in &files {
            let message = std::fs::read(file).unwrap();
            octets += message.len();
            let start = Instant::now();
            let _ = examine(&message, &Budget::default());
            slowest = slowest.max(start.elapsed());
        }
        let each = all.elapsed() / files.len() as u32;
        println!(
            "{name}: {} messages, {octets} octets, {each:?} each, slowest {slowest:?}",
            files.len()
        );
        assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    }
}

/// Every named part with its type, embedded messages included, as Python walks them.
fn named(octets: &[u8]) -> Vec<(String, String)> {
    let (message, _) = parse(octets);
    let mut found = Vec::new();
    for part in message.parts() {
        if part.content_type.essence().starts_with("multipart/") {
            continue;
        }
        if let Some(name) = message.file_name(part) {
            found.push((name, part.content_type.essence()));
        }
    }
    found
}

fn python(files: &[PathBuf]) -> Option<Vec<Option<Vec<(String, String)>>>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attachments.py");
    let mut child = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let list: String = files.iter().map(|file| format!("{}\n", file.display())).collect();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || stdin.write_all(list.as_bytes()));
    let output = child.wait_with_output().ok()?;
    feeder.join().unwrap().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().map(|line| serde_json::from_str(line).ok()).collect()
}

/// What is left of a name when both have taken away what they take away differently: folding,
/// characters that neither can decode.
fn bare(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric() || *letter == '.').collect()
}

#[test]
fn attachments_are_those_that_python_finds() {
    for (suite, files) in suites() {
        let Some(theirs) = python(&files) else {
            println!("absent: python3");
            return;
        };
        assert_eq!(theirs.len(), files.len());
        let (mut same, mut named_files, mut differ) = (0, 0, Vec::new());
        for (file, theirs) in files.iter().zip(theirs) {
            let Some(theirs) = theirs else { continue };
            let ours = named(&std::fs::read(file).unwrap());
            if ours.is_empty() && theirs.is_empty() {
                continue;
            }
            named_files += 1;
            let is_same = ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(&theirs)
                    .all(|(ours, theirs)| bare(&ours.0) == bare(&theirs.0) && ours.1 == theirs.1);
            match is_same {
                true => same += 1,
                false => differ.push((file, ours, theirs)),
            }
        }
        println!("{suite}: of {named_files} messages with named parts {same} agree");
        for (file, ours, theirs) in &differ {
            let name = file.strip_prefix(folder()).unwrap_or(file).display();
            let path = file.to_string_lossy();
            let known = EXCEPTIONS.iter().find(|(ending, _)| path.ends_with(ending));
            println!("  {name}: {}", known.map_or("not explained", |(_, why)| why));
            assert!(known.is_some(), "{name}\n ours {ours:?}\n python {theirs:?}");
        }
    }
}
