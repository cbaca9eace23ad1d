//! `cargo xtask drill`: runs every drill and writes the matrix of both READMEs from what it found.

use crate::run::{command, root, target};
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};

const BEGIN: &str = "<!-- matrix:begin -->";
const END: &str = "<!-- matrix:end -->";
/// In the order of the columns.
const ASSETS: &[&str] = &[
    "account-secrets",
    "stored-bodies",
    "stored-headers",
    "mail-in-flight",
    "cloud-credentials",
    "other-tenants",
    "evidence",
    "host",
];
/// The rows in their order, measured or not; whatever else was measured follows.
const ROWS: &[&str] = &[
    "gate",
    "names",
    "edge",
    "scanner",
    "access",
    "pages",
    "admin",
    "mailbox",
    "directory",
    "identity",
    "signer",
    "vault",
    "ledger",
    "mirror",
    "metrics",
    "zone",
];

/// The words of one README.
struct Words {
    file: &'static str,
    taken_over: &'static str,
    unmeasured: &'static str,
    nothing: &'static str,
    bounded: &'static str,
    everything: &'static str,
}

const ENGLISH: Words = Words {
    file: "README.md",
    taken_over: "taken over",
    unmeasured: "*not yet measured*",
    nothing: "nothing",
    bounded: "bounded",
    everything: "**everything**",
};
const JAPANESE: Words = Words {
    file: "README.ja.md",
    taken_over: "乗っ取られた区画",
    unmeasured: "*未測定*",
    nothing: "なし",
    bounded: "限定的",
    everything: "**すべて**",
};

pub fn run() -> Result<(), String> {
    command("cargo", &["build", "--release", "-p", "sekisho"])?;
    let output = Command::new(target().join("release/sekisho"))
        .args(["drill", "--json"])
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("the drill could not be started: {error}"))?;
    let found: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("the drill's answer could not be read: {error}"))?;
    for words in [ENGLISH, JAPANESE] {
        write(&words, &found)?;
    }
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("a denial did not hold: {}", found["broken"])),
    }
}

fn write(words: &Words, found: &Value) -> Result<(), String> {
    let path = root().join(words.file);
    let fault = |what: &str| format!("{}: {what}", words.file);
    let text = fs::read_to_string(&path).map_err(|error| fault(&error.to_string()))?;
    let (before, rest) = text.split_once(BEGIN).ok_or_else(|| fault("no matrix:begin"))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| fault("no matrix:end"))?;
    let matrix = matrix(words, found);
    let text = format!("{before}{BEGIN}\n{matrix}{END}{after}");
    fs::write(&path, text).map_err(|error| fault(&error.to_string()))
}

fn matrix(words: &Words, found: &Value) -> String {
    let mut out = format!("| {} | {} |\n", words.taken_over, ASSETS.join(" | "));
    out.push_str(&format!("|{}\n", "---|".repeat(ASSETS.len() + 1)));
    let measured = found["cells"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut rows: Vec<&str> = ROWS.to_vec();
    for kind in measured.iter().filter_map(|cell| cell["compartment"].as_str()) {
        if !rows.contains(&kind) {
            rows.push(kind);
        }
    }
    for row in &rows {
        let cells: Vec<String> =
            ASSETS.iter().map(|asset| cell(words, found, row, asset)).collect();
        out.push_str(&format!("| `{row}` | {} |\n", cells.join(" | ")));
    }
    out
}

fn cell(words: &Words, found: &Value, row: &str, asset: &str) -> String {
    let cells = found["cells"].as_array();
    let is_it = |cell: &&Value| cell["compartment"] == row && cell["asset"] == asset;
    let Some(cell) = cells.and_then(|cells| cells.iter().find(is_it)) else {
        return words.unmeasured.to_owned();
    };
    let got = match cell["got"].as_str() {
        Some("nothing") => words.nothing,
        Some("bounded") => words.bounded,
        _ => words.everything,
    };
    match cell["alarm_ms"].as_u64() {
        Some(late) => format!("{got} ({late} ms)"),
        None => got.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ENGLISH, matrix};
    use serde_json::json;

    #[test]
    fn what_was_not_measured_is_not_claimed() {
        let found = json!({ "cells": [
            { "compartment": "edge", "asset": "host", "got": "nothing", "alarm_ms": 3 },
            { "compartment": "edge", "asset": "evidence", "got": "bounded", "alarm_ms": null },
        ] });
        let matrix = matrix(&ENGLISH, &found);
        let edge = matrix.lines().find(|line| line.starts_with("| `edge`")).unwrap_or_default();
        assert!(edge.ends_with("| bounded | nothing (3 ms) |"), "{edge}");
        assert_eq!(edge.matches("not yet measured").count(), 6);
    }
}
