//! Ordinary mail of 2002 and 2003, where the test command has fetched it: how much of it has a From
//! that would be called odd.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use mailauth::{Answer, Envelope, RecordKind, Resolver, check};
use std::path::{Path, PathBuf};

/// Ordinary mail with an odd From, at most, in thousandths.
const FALSE_POSITIVES: usize = 5;

struct NoDns;

impl Resolver for NoDns {
    fn ask(&mut self, _: &str, _: RecordKind) -> Answer {
        Answer::NoSuchName
    }
}

fn folder() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/suites");
    let suites = std::env::var_os("SEKISHO_SUITES").map_or(beside, PathBuf::from);
    suites.join("spam-assassin/data")
}

#[test]
fn an_ordinary_from_is_not_odd() {
    let (mut odd, mut all) = (0, 0);
    for name in ["easy-ham-1", "easy-ham-2", "hard-ham-1"] {
        let Ok(entries) = std::fs::read_dir(folder().join(name)) else { continue };
        let is_mail = |path: &PathBuf| path.extension().is_some_and(|word| word == "txt");
        for file in entries.flatten().map(|entry| entry.path()).filter(is_mail) {
            let message = std::fs::read(&file).unwrap();
            let envelope = Envelope {
                client_ip: "192.0.2.1".parse().unwrap(),
                helo: "mx.sender.example",
                mail_from: "ken@sender.example",
                our_name: "mx.house.example",
                now: 1_800_000_000,
            };
            let authors = check(&envelope, &message, &mut NoDns).authors;
            let is_plain = authors.disguised.is_empty() && authors.hidden.is_empty();
            if !is_plain || authors.is_nobody || authors.domains.len() > mailauth::AUTHOR_DOMAINS {
                odd += 1;
                println!("  {}: {authors:?}", file.display());
            }
            all += 1;
        }
    }
    match all {
        0 => println!("absent: spam-assassin"),
        all => assert!(odd * 1_000 <= all * FALSE_POSITIVES, "{odd} of {all}"),
    }
}
