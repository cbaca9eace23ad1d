//! The power goes at every step of every keeper: runs each crash test longer, and adds up.

use crate::run::root;
use std::process::Command;

/// Keepers, and each one's share of the points: those with more ways to go wrong get more.
const KEEPERS: &[(&str, &[&str], usize)] = &[
    ("body", &["--test", "crash"], 20),
    ("mailbox", &["--lib"], 20),
    ("post", &["--lib"], 15),
    ("ledger", &["--lib"], 20),
    ("vault", &["--lib"], 10),
    ("directory", &["--lib"], 5),
    ("identity", &["--lib"], 5),
    ("signer", &["--lib"], 5),
];
/// Enough that each step of each keeper is hit many times, in some minutes.
const POINTS: usize = 10_000;

/// `--points N` in all; `--seed S` repeats a run.
pub fn run(arguments: &[String]) -> Result<(), String> {
    let wanted = after(arguments, "--points")?.unwrap_or(POINTS);
    let seed = after(arguments, "--seed")?.unwrap_or(1);
    let mut all = 0;
    for (keeper, target, share) in KEEPERS {
        let points = (wanted * share).div_ceil(100);
        all += one(keeper, target, points, seed)?;
    }
    println!("crash points in all: {all}");
    Ok(())
}

fn after(arguments: &[String], word: &str) -> Result<Option<usize>, String> {
    let Some(place) = arguments.iter().position(|argument| argument == word) else {
        return Ok(None);
    };
    let number = arguments.get(place + 1).and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| format!("{word} needs a number"))
}

/// The points that one keeper passed.
fn one(keeper: &str, target: &[&str], points: usize, seed: usize) -> Result<usize, String> {
    let mut command = Command::new("cargo");
    command.args(["test", "--release", "--quiet", "-p", keeper]).args(target);
    command.args(["--", "--nocapture", "every_point_of_a_crash"]).current_dir(root());
    command.env("SEKISHO_POINTS", points.to_string()).env("SEKISHO_SEED", seed.to_string());
    let output = command.output().map_err(|fault| format!("cargo: {fault}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{keeper} does not survive:\n{text}{words}"));
    }
    let line = text.lines().find_map(|line| line.split_once("crash points: "));
    let (_, said) = line.ok_or_else(|| format!("{keeper} tried no point"))?;
    println!("{said}");
    let count = said.rsplit(' ').next().and_then(|number| number.parse().ok());
    count.ok_or_else(|| format!("{keeper} said no number"))
}
