//! The published log, read by other people's code: the program of `foreign/`, which the test
//! command builds where a registry can be reached. (The mirror's cosignature is checked by
//! Python's `cryptography` in `layout.py`.)

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use annals::{Reader, find_keys, publish};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the test command built it.
fn program() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/suites");
    let root = std::env::var_os("SEKISHO_SUITES").map_or(beside, PathBuf::from);
    Some(root.join("foreign/release/foreign")).filter(|program| program.is_file())
}

#[test]
fn others_read_what_we_publish() {
    let Some(program) = program() else {
        return println!("absent: target/suites/foreign (cargo xtask test builds it)");
    };
    let to = std::env::temp_dir().join(format!("annals-foreign-{}", std::process::id()));
    let _ = fs::remove_dir_all(&to);
    let house = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ledger/tests/before");
    let open = |folder: &str| {
        let folder = house.join(folder);
        Reader::open(&folder, find_keys(&folder).unwrap()).unwrap()
    };
    let (reader, mirror) = (open("ledger"), open("mirror"));
    publish(&reader, mirror.newest().unwrap(), &to).unwrap();
    let key = reader.keys().ledger.to_text();
    let read = || {
        let found = Command::new(&program).arg(&to).arg(&key).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
        match found.status.success() {
            true => Ok(text(found.stdout)),
            false => Err(text(found.stderr)),
        }
    };
    assert!(reader.size() > 256, "a full tile and a partial one");
    let whole = Ok(format!("{} entries", reader.size()));
    assert_eq!(read(), whole);
    // They would see it.
    let check = |name: &str, at: usize, word: &str| {
        let path = to.join(name);
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let found = read();
        assert!(found.as_ref().is_err_and(|what| what.contains(word)), "{name}: {found:?}");
        fs::write(path, whole).unwrap();
    };
    check("tile/entries/000", 40, "entry 0");
    check("tile/entries/001.p/49", 40, "entry 256");
    check("tile/0/000", 40, "");
    check("checkpoint", 20, "not signed");
    assert_eq!(read(), whole);
    fs::remove_dir_all(to).unwrap();
}
