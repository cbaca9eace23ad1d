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
    /// Heads of the table of attacks; who noticed when nobody did; what an attack is called here.
    heads: [&'static str; 5],
    by_nobody: &'static str,
    /// Of whom the scope tells what could be opened; what it cannot tell, and says so.
    could: &'static str,
    unseen: &'static str,
    attacks: &'static [(&'static str, &'static str)],
    /// Before and after the revision.
    of_revision: (&'static str, &'static str),
}

/// What the drill calls each attack, and its name in Japanese; in English it is called the same.
const ATTACKS_IN_JAPANESE: &[(&str, &str)] = &[
    ("bulk reading within budget", "予算の範囲での大量の読み取り"),
    ("bulk reading beyond budget", "予算を超える大量の読み取り"),
    ("lies to the directory", "directory にうそをつく"),
    ("asserts a sign-in", "していないサインインを主張する"),
    ("asserts a decoy's sign-in", "おとりのサインインを主張する"),
    ("falls silent", "応答をやめる"),
    ("shuts everybody out", "全員を締め出す"),
    ("asks for a keeper to be isolated", "保管役の切り離しを求める"),
    ("asks for a release", "切り離しの解除を求める"),
    ("floods the ledger", "台帳を大量の記録で埋める"),
];

const ENGLISH: Words = Words {
    file: "README.md",
    taken_over: "taken over",
    unmeasured: "*not yet measured*",
    nothing: "nothing",
    bounded: "bounded",
    everything: "**everything**",
    heads: ["taken over", "attack", "gets", "noticed", "scope (precision / recall)"],
    by_nobody: "by nobody; recorded",
    could: "could: ",
    unseen: "in no ledger, which the scope says",
    attacks: &[],
    of_revision: ("Measured on revision", "of this tree."),
};
const JAPANESE: Words = Words {
    file: "README.ja.md",
    taken_over: "乗っ取られた区画",
    unmeasured: "*未測定*",
    nothing: "なし",
    bounded: "限定的",
    everything: "**すべて**",
    heads: ["乗っ取られた区画", "攻撃", "得るもの", "気づいた者", "範囲の適合率 / 再現率"],
    by_nobody: "なし(記録は残る)",
    could: "開き得た範囲: ",
    unseen: "台帳に残らず、範囲がそう述べる",
    attacks: ATTACKS_IN_JAPANESE,
    of_revision: ("測定した版:", ""),
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
    let attacks = attacks(words, found);
    let revision = revision(words);
    let text = format!("{before}{BEGIN}\n{matrix}\n{attacks}\n{revision}{END}{after}");
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
    let alarm = cell["alarm_ms"].as_u64().map(|late| format!("{late} ms"));
    let more: Vec<String> = alarm.into_iter().chain(scope(words, cell)).collect();
    match more.is_empty() {
        true => got.to_owned(),
        false => format!("{got} ({})", more.join("; ")),
    }
}

/// How well the ledger's scope fits what was really in hand: precision, recall.
fn scope(words: &Words, measured: &Value) -> Option<String> {
    let share = |name: &str| measured[name].as_f64();
    let (precision, recall) = share("scope_precision").zip(share("scope_recall"))?;
    let figures = format!("{precision:.2} / {recall:.2}");
    Some(match measured["scope_of"].as_str() {
        Some("could") => format!("{}{figures}", words.could),
        Some("unseen") if recall < 1.0 => words.unseen.to_owned(),
        _ => figures,
    })
}

/// Attacks that no system call shows: what came of each, and who said so.
fn attacks(words: &Words, found: &Value) -> String {
    let heads = words.heads;
    let mut out = format!("| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for attack in found["attacks"].as_array().into_iter().flatten() {
        let name = attack["attack"].as_str().unwrap_or_default();
        let known = words.attacks.iter().find(|(of, _)| *of == name);
        let noticed = match (attack["noticed_by"].as_str(), attack["noticed_ms"].as_u64()) {
            (Some(by), Some(ms)) => format!("`{by}` ({ms} ms)"),
            _ => words.by_nobody.to_owned(),
        };
        out.push_str(&format!(
            "| `{}` | {} | {} | {noticed} | {} |\n",
            attack["compartment"].as_str().unwrap_or_default(),
            known.map_or(name, |(_, said)| said),
            if attack["got"] == "nothing" { words.nothing } else { words.bounded },
            scope(words, attack).unwrap_or_default(),
        ));
    }
    out
}

/// Which revision was measured, and whether anything was changed beside it.
fn revision(words: &Words) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(root()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let known = git(&["rev-parse", "--short=12", "HEAD"]).filter(|known| !known.is_empty());
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    let is_changed = changed.is_some_and(|text| !text.is_empty());
    let known = known.unwrap_or_else(|| "?".to_owned());
    let (before, after) = words.of_revision;
    let mark = if is_changed { "+" } else { "" };
    format!("{before} `{known}{mark}` {after}").trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::{ENGLISH, JAPANESE, attacks, matrix};
    use serde_json::json;

    #[test]
    fn an_attack_says_who_noticed_it_in_either_language() {
        let found = json!({ "attacks": [
            { "compartment": "post", "attack": "floods the ledger", "got": "bounded",
              "noticed_by": "ledger", "noticed_ms": 12 },
            { "compartment": "access", "attack": "bulk reading within budget", "got": "bounded",
              "noticed_by": null, "scope_precision": 1.0, "scope_recall": 1.0 },
        ] });
        let english = attacks(&ENGLISH, &found);
        assert!(english.contains("| `post` | floods the ledger | bounded | `ledger` (12 ms) |"));
        assert!(english.contains("| by nobody; recorded | 1.00 / 1.00 |"), "{english}");
        let japanese = attacks(&JAPANESE, &found);
        assert!(japanese.contains("台帳を大量の記録で埋める"), "{japanese}");
    }

    #[test]
    fn what_was_not_measured_is_not_claimed() {
        let found = json!({ "cells": [
            { "compartment": "edge", "asset": "host", "got": "nothing", "alarm_ms": 3 },
            { "compartment": "edge", "asset": "evidence", "got": "bounded", "alarm_ms": null,
              "scope_precision": 0.5, "scope_recall": 1.0 },
            { "compartment": "vault", "asset": "host", "got": "everything", "alarm_ms": 3,
              "scope_precision": 0.5, "scope_recall": 1.0, "scope_of": "could" },
            { "compartment": "gate", "asset": "host", "got": "bounded", "alarm_ms": 3,
              "scope_precision": 1.0, "scope_recall": 0.0, "scope_of": "unseen" },
        ] });
        let matrix = matrix(&ENGLISH, &found);
        let edge = matrix.lines().find(|line| line.starts_with("| `edge`")).unwrap_or_default();
        assert!(edge.ends_with("| bounded (0.50 / 1.00) | nothing (3 ms) |"), "{edge}");
        assert_eq!(edge.matches("not yet measured").count(), 6);
        assert!(matrix.contains("| **everything** (3 ms; could: 0.50 / 1.00) |"), "{matrix}");
        let says = "| bounded (3 ms; in no ledger, which the scope says) |";
        assert!(matrix.contains(says), "{matrix}");
    }
}
