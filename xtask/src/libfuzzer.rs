//! libFuzzer targets of `fuzz/`: built with coverage, run for a while, counted.
//!
//! The coverage comes from a pass of LLVM that stable rustc can run; libFuzzer itself is compiled
//! from its sources by the C++ compiler that is there.

use crate::run::{command_with, files, is_there, output, root, target};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// As cargo-fuzz sets them, without a sanitizer: our code is safe Rust, and overflows are checked.
const COVERAGE: &str = "-Cpasses=sancov-module \
-Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares \
--cfg fuzzing";
/// Targets of this beginning need a C library, and are built apart.
const HEAVY: &str = "mailauth_";
/// A run without another word.
const SECONDS: u64 = 20;
/// One input may take so long: everything that is parsed is parsed in linear time.
const INPUT_SECONDS: u64 = 10;
const INPUT_BYTES: usize = 64 * 1024;
const MEMORY_MB: usize = 2_048;
/// What compiles libFuzzer, in the order in which we look for them.
const COMPILERS: &[&str] = &["c++", "g++", "clang++"];

/// What one target's run came to.
struct Ran {
    name: String,
    executions: u64,
    seconds: u64,
    edges: u64,
    is_clean: bool,
}

/// The names of all targets.
pub fn targets() -> Vec<String> {
    let all = files(&root().join("fuzz/targets"), ".rs");
    let name = |path: PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    all.into_iter().filter_map(name).collect()
}

/// `--target NAME` or `--all`, `--seconds N`.
pub fn run(arguments: &[String]) -> Result<(), String> {
    let after = |name: &str| {
        let at = arguments.iter().position(|word| word == name)?;
        arguments.get(at + 1).cloned()
    };
    let seconds = after("--seconds").and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let known = targets();
    let chosen: Vec<String> = match after("--target") {
        Some(name) if known.contains(&name) => vec![name],
        Some(name) => return Err(format!("no target {name}; there are {}", known.join(", "))),
        None => known,
    };
    let folder = build(&chosen)?;
    let mut all = Vec::new();
    for name in &chosen {
        let ran = fuzz(&folder, name, seconds)?;
        let found = if ran.is_clean { "nothing found" } else { "FOUND SOMETHING" };
        println!("{name}: {} executions, {} edges, {found}", ran.executions, ran.edges);
        all.push(ran);
    }
    if chosen.len() > 1 {
        let text = page(&all, seconds)?;
        std::fs::write(root().join("docs/fuzzing.md"), text).map_err(|e| e.to_string())?;
    }
    let dirty: Vec<&str> = all.iter().filter(|r| !r.is_clean).map(|r| r.name.as_str()).collect();
    let none = all.iter().find(|ran| ran.executions == 0).map(|ran| ran.name.as_str());
    match (dirty.as_slice(), none) {
        ([], None) => Ok(()),
        ([], Some(name)) => Err(format!("{name} did not run")),
        (dirty, _) => Err(format!("found something: {}", dirty.join(", "))),
    }
}

/// Where the built programs lie.
fn build(chosen: &[String]) -> Result<PathBuf, String> {
    let compiler = compiler()?;
    let version = output("rustc", &["-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("rustc does not say its host")?;
    let place = target().join("fuzz");
    let place_word = place.to_string_lossy().into_owned();
    let (heavy, light): (Vec<&String>, Vec<&String>) =
        chosen.iter().partition(|name| name.starts_with(HEAVY));
    for (chosen, more) in [(light, Some("--no-default-features")), (heavy, None)] {
        if chosen.is_empty() {
            continue;
        }
        // With --target the flags are for the targets only, not for build scripts.
        let mut arguments = vec!["build", "--release", "--manifest-path", "fuzz/Cargo.toml"];
        arguments.extend(["--target", host, "--target-dir", &place_word]);
        arguments.extend(more);
        arguments.extend(chosen.iter().flat_map(|name| ["--bin", name.as_str()]));
        command_with("cargo", &arguments, &[("RUSTFLAGS", COVERAGE), ("CXX", &compiler)])?;
    }
    Ok(place.join(host).join("release"))
}

/// `CXX` if it is set, else the first of [`COMPILERS`] that is on the path.
fn compiler() -> Result<String, String> {
    let chosen = std::env::var("CXX").ok().filter(|name| !name.is_empty());
    let found = || COMPILERS.iter().copied().find(|name| is_there(name)).map(str::to_owned);
    chosen.or_else(found).ok_or_else(|| {
        format!(
            "libFuzzer is C++, and there is no compiler for it: CXX is not set, and none of {} is \
             on the path (on Debian: apt-get install g++)",
            COMPILERS.join(", ")
        )
    })
}

fn fuzz(folder: &std::path::Path, name: &str, seconds: u64) -> Result<Ran, String> {
    let corpus = target().join("fuzz/corpus").join(name);
    std::fs::create_dir_all(&corpus).map_err(|error| error.to_string())?;
    let artifacts = target().join("fuzz").join(format!("found-{name}-"));
    let mut program = Command::new(folder.join(name));
    program
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg(format!("-max_len={INPUT_BYTES}"))
        .arg(format!("-rss_limit_mb={MEMORY_MB}"))
        .arg(format!("-artifact_prefix={}", artifacts.display()))
        .args(["-print_final_stats=1", "-verbosity=1"])
        .arg(&corpus);
    let seeds = root().join("fuzz/seeds").join(name);
    if seeds.is_dir() {
        program.arg(seeds);
    }
    let output = program.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let after = |text: &str, word: &str| -> Option<u64> {
        text.rsplit_once(word)?.1.split_whitespace().next()?.parse().ok()
    };
    let executions = after(&said, "stat::number_of_executed_units:").unwrap_or(0);
    if !output.status.success() || executions == 0 {
        let last: Vec<&str> = said.lines().rev().take(30).collect();
        last.iter().rev().for_each(|line| println!("{line}"));
    }
    Ok(Ran {
        name: name.to_owned(),
        executions,
        seconds: after(&said, " runs in ").unwrap_or(0),
        edges: after(&said, "cov:").unwrap_or(0),
        is_clean: output.status.success(),
    })
}

fn page(all: &[Ran], seconds: u64) -> Result<String, String> {
    let day = output("date", &["-u", "+%Y-%m-%d"])?;
    let rustc = output("rustc", &["-V"])?;
    let mut text = format!(
        "# libFuzzer targets\n\nWritten by `cargo xtask fuzz --all --seconds {seconds}`, {}, {}; \
         {seconds} s each, one after the other, from the few seeds of `fuzz/seeds` and what \
         earlier runs left in `target/fuzz/corpus`. A longer run is the same command with another \
         number; `--target NAME` runs one. What stands here proves that each target runs, not \
         more; the seeded mini-fuzzers of `docs/generated/fuzz.md` run in every test.\n\n\
         | target | executions | seconds | edges reached | found |\n|---|--:|--:|--:|---|\n",
        day.trim(),
        rustc.trim(),
    );
    for ran in all {
        let found = if ran.is_clean { "nothing" } else { "**something**" };
        let Ran { name, executions, seconds, edges, .. } = ran;
        text.push_str(&format!("| `{name}` | {executions} | {seconds} | {edges} | {found} |\n"));
    }
    Ok(text)
}

/// Every crate that reads strangers' octets through a public function has a target of its name.
pub fn check(readers: &[&str], wanting: &mut Vec<String>) {
    let targets = targets();
    for name in readers {
        if !targets.iter().any(|target| target.starts_with(&format!("{name}_"))) {
            wanting.push(format!("{name}: no libFuzzer target fuzz/targets/{name}_….rs"));
        }
    }
    let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap_or_default();
    for target in targets {
        if !manifest.contains(&format!("name = \"{target}\"")) {
            wanting.push(format!("fuzz/Cargo.toml: no [[bin]] for {target}"));
        }
    }
}
