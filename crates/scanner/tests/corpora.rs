//! Other people's mail, where it is present, through the whole examination and judgement.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use scanner::{Given, NoDns, examine, judged};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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

#[test]
fn every_message_of_the_suites_gets_a_verdict() {
    let show = std::env::var_os("SHOW").is_some();
    for suite in ["phishing-sample", "bounces"] {
        let folder = shared().join("suites").join(suite);
        let files = files_below(&folder);
        if files.is_empty() {
            println!("absent: {}", folder.display());
            continue;
        }
        let house = policy::HouseRules::default();
        let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
        for file in &files {
            let Ok(message) = std::fs::read(file) else { continue };
            let host_name = "mx.house.example";
            let given = Given { message: &message, sender: None, host_name, now_seconds: 0 };
            let examined = examine(&given, &mut NoDns);
            let judged = judged(&examined, &house);
            let word = judged.verdict.word();
            *verdicts.entry(word).or_default() += 1;
            if show {
                let reasons: Vec<String> =
                    judged.reasons.iter().map(|r| format!("{}={}", r.id, r.detail)).collect();
                println!("{word} {:.1} {} {}", judged.score, file.display(), reasons.join(" "));
            }
        }
        println!("{suite}: {verdicts:?}");
        assert_eq!(verdicts.values().sum::<usize>(), files.len());
    }
}
