//! The house style as checks: what a reader would trip over fails here first.

use crate::run::{files, root};
use crate::{fuzzers, generate, linked};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

const FUNCTION_LINES: usize = 70;
const FILE_LINES: usize = 600;
const LINE_COLUMNS: usize = 100;
const BANNED_NAMES: &[&str] =
    &["utils", "common", "core", "helper", "helpers", "manager", "handler", "misc", "service"];
/// What `cargo fmt` takes one at a time.
const WORKSPACES: &[&str] = &["", "token", "fuzz", "foreign"];
const CHARTER_HEADINGS: &[&str] =
    &["# Holds", "# May ask", "# Network", "# If taken over", "# Never"];

#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub struct Tidy {
    long_functions: BTreeMap<String, String>,
    long_files: BTreeMap<String, String>,
    long_lines: BTreeMap<String, String>,
    pub linked: BTreeMap<String, usize>,
}

#[derive(serde::Deserialize)]
struct Layers {
    layers: Vec<String>,
    crates: BTreeMap<String, String>,
    only: BTreeMap<String, Vec<String>>,
    beside: BTreeMap<String, Vec<String>>,
}

/// The exceptions of `tidy.toml`.
pub fn exceptions() -> Result<Tidy, String> {
    read_toml(&root().join("tidy.toml"))
}

fn read_toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

pub fn run() -> Result<(), String> {
    let tidy = exceptions()?;
    let mut wanting = Vec::new();
    for path in files(&root().join("crates"), ".rs") {
        check_file(&path, &tidy, &mut wanting);
    }
    for path in files(&root().join("xtask"), ".rs") {
        check_file(&path, &tidy, &mut wanting);
    }
    check_layers(&mut wanting)?;
    check_charters(&mut wanting);
    check_tracked_text(&mut wanting);
    WORKSPACES.iter().try_for_each(|folder| check_format(folder, &mut wanting))?;
    linked::check(&tidy, &mut wanting)?;
    generate::check(&mut wanting);
    if wanting.is_empty() {
        println!("tidy: in order");
        return Ok(());
    }
    wanting.iter().for_each(|what| println!("tidy: {what}"));
    Err(format!("{} things are not in order", wanting.len()))
}

/// Where `cargo fmt --check` would change something. Without rustfmt nobody can say.
fn check_format(folder: &str, wanting: &mut Vec<String>) -> Result<(), String> {
    let mut command = Command::new("cargo");
    command.args(["fmt", "--check", "--", "-l"]).current_dir(root().join(folder));
    let run = command.output();
    let run = run.map_err(|error| format!("cargo fmt could not be started: {error}"))?;
    let listed = String::from_utf8_lossy(&run.stdout);
    let unlike =
        |file: &str| format!("{}: not as `cargo fmt` writes it", short_name(file.as_ref()));
    match (run.status.success(), listed.is_empty()) {
        (true, _) => Ok(()),
        (false, false) => {
            wanting.extend(listed.lines().map(unlike));
            Ok(())
        }
        (false, true) => {
            let why = String::from_utf8_lossy(&run.stderr);
            Err(format!("cargo fmt ended in {folder:?} with {}: {}", run.status, why.trim()))
        }
    }
}

fn short_name(path: &Path) -> String {
    let base = root();
    let inside = path.strip_prefix(base.join("crates")).or_else(|_| path.strip_prefix(&base));
    let name = inside.unwrap_or(path).to_string_lossy().replace("/src/", "/");
    name.replacen("src/", "", 0)
}

fn is_test_file(name: &str) -> bool {
    name.contains("/tests/")
        || name.ends_with("/tests.rs")
        || name.contains("/examples/")
        || name.ends_with("_tests.rs")
}

fn check_file(path: &Path, tidy: &Tidy, wanting: &mut Vec<String>) {
    let name = short_name(path);
    let Ok(text) = std::fs::read_to_string(path) else { return };
    if !text.starts_with("//!") {
        wanting.push(format!("{name}: opens without saying what it is for (`//!`)"));
    }
    check_names(&name, wanting);
    if !tidy.long_lines.contains_key(&name) {
        for (number, line) in text.lines().enumerate() {
            if line.chars().count() > LINE_COLUMNS {
                wanting.push(format!("{name}:{}: longer than {LINE_COLUMNS} columns", number + 1));
            }
        }
    }
    if is_test_file(&name) {
        return;
    }
    let code: Vec<&str> =
        text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).collect();
    if code.len() > FILE_LINES && !tidy.long_files.contains_key(&name) {
        wanting.push(format!("{name}: {} lines without tests, {FILE_LINES} at most", code.len()));
    }
    check_functions(&name, &code, tidy, wanting);
    let shouts = ["eprintln", "!("].concat();
    // The command line has macros of its own, which do not panic; ours is nobody's jail.
    let is_own_line = ["sekisho/", "xtask/"].iter().any(|own| name.starts_with(own));
    if !is_own_line && code.iter().any(|line| line.contains(&shouts)) {
        wanting.push(format!("{name}: `compartment::tell` says a line without ending the process"));
    }
    let is_jail = name.starts_with("compartment/");
    let has_unsafe = code.iter().any(|line| {
        let line = line.trim_start();
        !line.starts_with("//")
            && ["{", "fn"].iter().any(|next| line.contains(&["unsafe", next].join(" ")))
    });
    if has_unsafe && !is_jail {
        wanting.push(format!("{name}: only the jail may contain `unsafe`"));
    }
}

fn check_names(name: &str, wanting: &mut Vec<String>) {
    let parts = name.trim_end_matches(".rs").split('/');
    for part in parts.filter(|part| BANNED_NAMES.contains(part)) {
        wanting.push(format!("{name}: `{part}` says nothing; name what it holds"));
    }
}

/// Finds functions by their indentation, as rustfmt writes it. Lines of one match arm or one table
/// row each are not counted.
fn check_functions(name: &str, code: &[&str], tidy: &Tidy, wanting: &mut Vec<String>) {
    let mut open: Option<(String, usize, usize)> = None;
    for line in code {
        let indent = line.len() - line.trim_start().len();
        if let Some((function, at, lines)) = &mut open {
            if line.trim_end() == format!("{}}}", " ".repeat(*at)) {
                let key = format!("{name}:{function}");
                if *lines > FUNCTION_LINES && !tidy.long_functions.contains_key(&key) {
                    wanting.push(format!("{key}: {lines} lines, {FUNCTION_LINES} at most"));
                }
                open = None;
            } else if !is_table_row(line) {
                *lines += 1;
            }
        } else if let Some(function) = function_name(line)
            && !line.trim_end().ends_with('}')
        {
            open = Some((function, indent, 1));
        }
    }
}

fn is_table_row(line: &str) -> bool {
    let line = line.trim();
    line.contains(" => ") && line.ends_with(',')
}

fn function_name(line: &str) -> Option<String> {
    let mut words = line.trim_start().split(' ').peekable();
    while words.peek().is_some_and(|word| {
        word.starts_with("pub") || ["const", "async", "unsafe", "extern"].contains(word)
    }) {
        words.next();
    }
    (words.next() == Some("fn")).then_some(())?;
    let name: String =
        words.next()?.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    Some(name)
}

fn check_layers(wanting: &mut Vec<String>) -> Result<(), String> {
    let layers: Layers = read_toml(&root().join("layers.toml"))?;
    let height = |name: &str| {
        let layer = layers.crates.get(name)?;
        layers.layers.iter().position(|known| known == layer)
    };
    for (name, uses) in dependencies()? {
        let Some(own) = height(&name) else {
            wanting.push(format!("{name}: stands in no layer of layers.toml"));
            continue;
        };
        for used in uses {
            let Some(its) = height(&used) else { continue };
            let beside = layers.beside.get(&name).is_some_and(|list| list.contains(&used));
            if its > own || (its == own && !beside) {
                wanting.push(format!("{name} uses {used}: arrows point down only"));
            }
            if let Some(only) = layers.only.get(&used)
                && !only.contains(&name)
            {
                wanting.push(format!("{name} uses {used}: only {} may", only.join(", ")));
            }
        }
    }
    let formats = layers.crates.iter().filter(|(_, layer)| *layer == "formats");
    let formats: Vec<&str> = formats.map(|(name, _)| name.as_str()).collect();
    fuzzers::check(&formats, wanting);
    Ok(())
}

/// Our crates and which of ours each uses (tests apart).
pub fn dependencies() -> Result<BTreeMap<String, BTreeSet<String>>, String> {
    let mut all = BTreeMap::new();
    let folder = root().join("crates");
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(&folder).map_err(|e| e.to_string())?.flatten() {
        names.insert(entry.file_name().to_string_lossy().into_owned());
    }
    for name in &names {
        let manifest: toml::Table = read_toml(&folder.join(name).join("Cargo.toml"))?;
        let uses = manifest.get("dependencies").and_then(toml::Value::as_table);
        let uses = uses.map(|table| table.keys().filter(|key| names.contains(*key)).cloned());
        all.insert(name.clone(), uses.into_iter().flatten().collect());
    }
    Ok(all)
}

fn check_charters(wanting: &mut Vec<String>) {
    for charter in wire::CHARTERS {
        let kind = charter.kind.word();
        let path = root().join("crates").join(kind).join("src/lib.rs");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        for heading in CHARTER_HEADINGS {
            if !text.contains(&format!("//! {heading}")) {
                wanting.push(format!("{kind}/lib.rs: the charter lacks `{heading}`"));
            }
        }
    }
}

/// What must never be committed: stubs, and paths of the machine that it was written on.
fn check_tracked_text(wanting: &mut Vec<String>) {
    for path in files(&root().join("crates"), ".rs") {
        let name = short_name(&path);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for banned in [concat!("to", "do!("), concat!("unimpl", "emented!(")] {
            if text.contains(banned) {
                wanting.push(format!("{name}: a stub ({banned}…)"));
            }
        }
    }
}
