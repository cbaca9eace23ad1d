//! Which parser has which mini-fuzzer: a parser without one is not in order.

use crate::run::{files, root};
use std::collections::BTreeMap;

/// Crates above the formats that read what strangers write.
const READERS: &[&str] = &["wire", "settings", "sealed", "body", "names", "zone"];
/// Read their own files only, by functions that nobody outside can call.
const INNER: &[&str] = &["body"];
/// Public functions of these names take strangers' octets.
const READS: &[&str] = &["parse", "read", "decode", "feed", "examine"];

/// The mini-fuzzers of every crate: what `cargo xtask fuzz` runs.
fn fuzzers() -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files(&root().join("crates"), ".rs") {
        let inside = path.strip_prefix(root().join("crates")).unwrap_or(&path).to_string_lossy();
        let Some((name, rest)) = inside.split_once('/') else { continue };
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let is_whole_file = rest.ends_with("/fuzz.rs") && !rest.starts_with("tests/");
        let mut is_test = false;
        for line in text.lines().map(str::trim_start) {
            let function = line.strip_prefix("fn ").and_then(|line| line.split_once('('));
            match function {
                Some((function, _)) if is_test && (is_whole_file || function.contains("fuzz")) => {
                    all.entry(name.to_owned()).or_default().push(function.to_owned());
                }
                _ => {}
            }
            is_test = line.starts_with("#[test]");
        }
    }
    all
}

/// Whether a crate has a public function that reads octets.
fn reads(name: &str) -> bool {
    files(&root().join("crates").join(name).join("src"), ".rs").iter().any(|path| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().any(|line| {
            let function = line.trim_start().strip_prefix("pub fn ");
            function.is_some_and(|rest| {
                READS.iter().any(|word| {
                    rest.strip_prefix(word).is_some_and(|rest| rest.starts_with(['(', '_', '<']))
                })
            })
        })
    })
}

/// Every crate of `formats` that parses, and the readers above it, has a mini-fuzzer.
pub fn check(formats: &[&str], wanting: &mut Vec<String>) {
    let fuzzers = fuzzers();
    let readers: Vec<&str> = formats.iter().chain(READERS).copied().filter(|n| reads(n)).collect();
    let public: Vec<&str> = readers.iter().copied().filter(|n| !INNER.contains(n)).collect();
    crate::libfuzzer::check(&public, wanting);
    for name in formats.iter().chain(READERS).filter(|name| reads(name)) {
        if !fuzzers.contains_key(*name) {
            wanting.push(format!("{name}: reads strangers' octets without a `fuzz` test"));
        }
    }
}

pub fn page() -> String {
    let mut text = String::from(
        "# Mini-fuzzers\n\nGenerated from the tests by `cargo xtask generate`. Seeded, so that \
         each run is the same; every `cargo xtask test` runs them, `cargo xtask fuzz` fifty times \
         as long.\n\n| crate | tests |\n|---|---|\n",
    );
    for (name, mut tests) in fuzzers() {
        tests.sort();
        text.push_str(&format!("| `{name}` | {} |\n", tests.join(", ")));
    }
    text
}
