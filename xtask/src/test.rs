//! `cargo xtask test`: everything, and what it needs.

use crate::run::{command, is_there, output, root, target};
use crate::{suites, tidy};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Clients that journeys use, and the token that `token/check.sh` does; who misses one says which.
const CLIENTS: &[&str] = &[
    "swaks",
    "libnet-ssleay-perl",
    "isync",
    "fetchmail",
    "mutt",
    "offlineimap3",
    "curl",
    "softhsm2",
];
const PROGRAMS: &[&str] =
    &["swaks", "mbsync", "fetchmail", "mutt", "offlineimap", "curl", "softhsm2-util"];

/// Another real client.
const IMAPFLOW: &str = "imapflow@1.2.0";

pub fn run(_arguments: &[String]) -> Result<(), String> {
    install_clients();
    install_imapflow();
    suites::fetch();
    suites::build_foreign();
    tidy::run()?;
    command("cargo", &["build", "--release", "--workspace"])?;
    let mut totals = run_tests(&["test", "--release", "--workspace", "--no-fail-fast"])?;
    try_token(&mut totals);
    println!("\n{} passed, {} failed, {} skipped", totals.passed, totals.failed, totals.skipped);
    match totals.failed {
        0 => Ok(()),
        failed => Err(format!("{failed} tests failed")),
    }
}

/// Debian's packages, where this may be done; else the journeys that need them say "absent".
fn install_clients() {
    if PROGRAMS.iter().all(|program| is_there(program)) && swaks_knows_tls() {
        return;
    }
    let is_root = output("id", &["-u"]).is_ok_and(|uid| uid.trim() == "0");
    if !is_root || !is_there("apt-get") {
        println!("clients: not installed (needs root and apt-get); their journeys are skipped");
        return;
    }
    let quiet = |arguments: &[&str]| {
        Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(CLIENTS);
    if !(quiet(&["update", "-qq"]) && quiet(&arguments)) {
        println!("clients: some could not be installed; their journeys are skipped");
    }
}

/// A client of npm, into `target/clients`, where its journey looks for it.
fn install_imapflow() {
    let place = target().join("clients");
    if place.join("node_modules/imapflow").is_dir() {
        return;
    }
    if !(is_there("npm") && is_there("node")) {
        let packages = ["install", "-y", "-qq", "--no-install-recommends", "nodejs", "npm"];
        let mut apt = Command::new("apt-get");
        apt.args(packages).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        let is_root = output("id", &["-u"]).is_ok_and(|uid| uid.trim() == "0");
        let may = is_root && is_there("apt-get");
        if !may || !apt.status().is_ok_and(|status| status.success()) {
            return println!("clients: imapflow absent (no npm); its journey is skipped");
        }
    }
    let made = std::fs::create_dir_all(&place).is_ok();
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
    npm.arg(&place).arg(IMAPFLOW).stdout(Stdio::null());
    if !made || !npm.status().is_ok_and(|status| status.success()) {
        println!("clients: {IMAPFLOW} could not be installed; its journey is skipped");
    }
}

#[derive(Default)]
struct Totals {
    passed: u64,
    failed: u64,
    skipped: u64,
}

/// Runs cargo's tests, shows what they say, adds up the runners' own totals.
fn run_tests(arguments: &[&str]) -> Result<Totals, String> {
    println!("$ cargo {}", arguments.join(" "));
    let mut child = Command::new("cargo")
        .args(arguments)
        .current_dir(root())
        .env("SEKISHO_SUITES", suites::folder())
        .env("SEKISHO_BINARY", target().join("release/sekisho"))
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    let mut totals = Totals::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            println!("{line}");
            add(&mut totals, &line);
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if !status.success() && totals.failed == 0 {
        totals.failed = 1; // something did not compile, or a test program died
    }
    Ok(totals)
}

/// The helper for PKCS#11 is a workspace of its own, for nothing else may load a foreign module:
/// built here, and one test against SoftHSM.
fn try_token(totals: &mut Totals) {
    println!("$ token/check.sh");
    let begun = Instant::now();
    let ran = Command::new("sh")
        .arg(root().join("token/check.sh"))
        .env("CARGO_TARGET_DIR", target().join("token"))
        .stderr(Stdio::inherit())
        .output();
    let said = ran.as_ref().map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned());
    let said = said.unwrap_or_else(|error| format!("it could not be started: {error}"));
    println!("token: {} ({} s)", said.trim_end(), begun.elapsed().as_secs());
    match ran.is_ok_and(|ran| ran.status.success()) {
        true if said.starts_with("absent") => totals.skipped += 1,
        true => totals.passed += 1,
        false => totals.failed += 1,
    }
}

/// Reads `test result: ok. 12 passed; 0 failed; 1 ignored; …`.
fn add(totals: &mut Totals, line: &str) {
    let Some(counts) = line.strip_prefix("test result: ") else { return };
    for (number, what) in counts.split(['.', ';']).filter_map(|part| part.trim().split_once(' ')) {
        let Ok(number) = number.parse::<u64>() else { continue };
        match what {
            "passed" => totals.passed += number,
            "failed" => totals.failed += number,
            "ignored" => totals.skipped += number,
            _ => {}
        }
    }
}

pub fn bench(arguments: &[String]) -> Result<(), String> {
    let mut all = vec!["bench/run.sh"];
    all.extend(arguments.iter().map(String::as_str));
    command("bash", &all)
}

/// The mini-fuzzers of every crate, fifty times as long.
pub fn fuzz() -> Result<(), String> {
    let status = Command::new("cargo")
        .args(["test", "--release", "--workspace", "--no-fail-fast", "--", "fuzz"])
        .env("SEKISHO_FUZZ_FACTOR", "50")
        .current_dir(root())
        .status()
        .map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("a fuzzer found something: {status}")) }
}

/// What swaks needs beside itself to speak TLS.
fn swaks_knows_tls() -> bool {
    let mut perl = Command::new("perl");
    perl.args(["-MNet::SSLeay", "-e", "1"]).stdout(Stdio::null()).stderr(Stdio::null());
    perl.status().is_ok_and(|status| status.success())
}
