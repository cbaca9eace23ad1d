//! `sekisho backup` and `sekisho restore`: the data without its keys, and the keys apart.
//!
//! A data backup holds every keeper's folder but the vault's: it opens nothing, and it signs
//! nothing. The vault's own folder, sealed under the root key, and the keys with which ledger and
//! mirror sign go where `--keys-to` says, never beside the data. Both carry a manifest of digests,
//! so that a restore is verified before it counts.

use super::demo::make_folder;
use crate::arguments::Arguments;
use crate::outcome::{Answer, Outcome, Trouble};
use data_encoding::HEXLOWER;
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use terms::Kind;

const MANIFEST: &str = "MANIFEST.json";
const HINT: &str = "look at the free space and the rights of both folders, then try again";

fn fault(path: &Path) -> impl Fn(std::io::Error) -> Trouble {
    move |error| Trouble::fault(format!("{}: {error}", path.display()), HINT)
}

/// The keepers, each of which has a folder.
fn keepers() -> impl Iterator<Item = Kind> {
    wire::CHARTERS.iter().filter(|charter| charter.has_folder).map(|charter| charter.kind)
}

/// Whether a file of a keeper goes with the keys: whoever holds ledger's and mirror's could write
/// another history and sign it twice.
fn is_key(kind: Kind, name: &Path) -> bool {
    match kind {
        Kind::Vault => true,
        Kind::Ledger | Kind::Mirror => name.file_name().is_some_and(|name| name == "key"),
        _ => false,
    }
}

pub fn backup(mut arguments: Arguments) -> Answer {
    let data = arguments.data()?;
    let to = PathBuf::from(arguments.required("--to")?);
    let keys_to = arguments.option("--keys-to")?.map(PathBuf::from);
    arguments.finish()?;
    let _lock = lock(&data)?;
    if keys_to.as_ref().is_some_and(|keys| keys.starts_with(&to) || to.starts_with(keys)) {
        let hint = "a copy of the data must open nothing: keep the two apart";
        let found = to.display().to_string();
        return Err(Trouble::refused("keys and data in different folders", found, hint));
    }
    let files = copy_out(&data, &to, false)?;
    let keys = match &keys_to {
        Some(keys_to) => Some(copy_out(&data, keys_to, true)?),
        None => None,
    };
    Ok(Outcome::Done(json!({ "to": to, "files": files, "keys_to": keys_to, "key_files": keys })))
}

pub fn restore(mut arguments: Arguments) -> Answer {
    let data = arguments.data()?;
    let from = PathBuf::from(arguments.required("--from")?);
    let keys_from = arguments.option("--keys-from")?.map(PathBuf::from);
    arguments.finish()?;
    if fs::read_dir(&data).is_ok_and(|mut entries| entries.next().is_some()) {
        let hint = "restore into a new folder, then start the service on it";
        return Err(Trouble::refused("an empty folder", data.display().to_string(), hint));
    }
    for from in std::iter::once(&from).chain(&keys_from) {
        if !from.join(MANIFEST).exists() {
            let hint = "give the folder that `sekisho backup` wrote to";
            return Err(Trouble::refused("a backup", from.display().to_string(), hint));
        }
    }
    make_folder(&data)?;
    let files = copy_in(&from, &data)?;
    let key_files = match &keys_from {
        Some(keys) => Some(copy_in(keys, &data)?),
        None => None,
    };
    let found = ledger::verify(&data.join("ledger"), Some(&data.join("mirror")))
        .map_err(|error| Trouble::fault(error.to_string(), "the backup's ledger cannot be read"))?;
    let value = json!({
        "data": data,
        "files": files,
        "key_files": key_files,
        "ledger_ok": found.ok,
        "ledger_size": found.size,
        "problems": found.problems,
    });
    Ok(if found.ok { Outcome::Done(value) } else { Outcome::Wanting(value) })
}

/// A copy of files that change under it would be no backup: the service must stand still.
fn lock(data: &Path) -> Result<File, Trouble> {
    let path = data.join("warden.lock");
    if !path.exists() {
        let hint = "give --data the folder of a service that has run";
        return Err(Trouble::refused("a service's folder", data.display().to_string(), hint));
    }
    let lock = File::options().write(true).open(&path).map_err(fault(&path))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(_) => {
            let hint = "stop the service first (SIGTERM); it starts again in seconds";
            Err(Trouble::refused("a service that is stopped", "a running one", hint))
        }
    }
}

fn copy_out(data: &Path, to: &Path, keys: bool) -> Result<usize, Trouble> {
    fs::create_dir_all(to).map_err(fault(to))?;
    if to.join(MANIFEST).exists() {
        let found = to.display().to_string();
        return Err(Trouble::refused("a folder without a backup", found, "choose a new folder"));
    }
    let mut manifest = BTreeMap::new();
    for kind in keepers() {
        let files = files_of(&data.join(kind.word()))?;
        for file in files.into_iter().filter(|file| is_key(kind, file) == keys) {
            let name = file.strip_prefix(data).unwrap_or(&file).to_owned();
            let digest = copy(&file, &to.join(&name))?;
            manifest.insert(name.display().to_string(), digest);
        }
    }
    let path = to.join(MANIFEST);
    let value = json!({ "sekisho_backup": 1, "keys": keys, "files": manifest });
    let mut file = private_file(&path)?;
    writeln!(file, "{value}").and_then(|()| file.sync_all()).map_err(fault(&path))?;
    Ok(manifest.len())
}

fn copy_in(from: &Path, data: &Path) -> Result<usize, Trouble> {
    let path = from.join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(fault(&path))?;
    let manifest: Value = serde_json::from_str(&text)
        .map_err(|error| Trouble::fault(format!("{}: {error}", path.display()), HINT))?;
    let files = manifest.get("files").and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, expected) in &files {
        let name = Path::new(name);
        let is_inside = name.components().all(|c| matches!(c, std::path::Component::Normal(_)));
        if !is_inside {
            let found = name.display().to_string();
            return Err(Trouble::refused("names inside the backup", found, "take another backup"));
        }
        let digest = copy(&from.join(name), &data.join(name))?;
        if expected.as_str() != Some(&digest) {
            let found = name.display().to_string();
            let hint = "this backup was changed or damaged; take another one";
            return Err(Trouble::refused("files as the manifest says", found, hint));
        }
    }
    Ok(files.len())
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>, Trouble> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry.map_err(fault(&folder))?;
            match entry.file_type().map_err(fault(&folder))? {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    files.sort();
    Ok(files)
}

/// A new file for its owner alone, as in the data folder: sizes and times are told to nobody else.
fn private_file(path: &Path) -> Result<File, Trouble> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600).open(path).map_err(fault(path))
}

/// Copies one file durably and gives the digest of what was copied.
fn copy(from: &Path, to: &Path) -> Result<String, Trouble> {
    if let Some(folder) = to.parent() {
        let mut private = fs::DirBuilder::new();
        private.recursive(true).mode(0o700).create(folder).map_err(fault(folder))?;
    }
    let mut source = File::open(from).map_err(fault(from))?;
    let mut target = private_file(to)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0u8; 1 << 20];
    loop {
        let count = source.read(&mut chunk).map_err(fault(from))?;
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else { break };
        hash.update(read);
        target.write_all(read).map_err(fault(to))?;
    }
    target.sync_all().map_err(fault(to))?;
    Ok(HEXLOWER.encode(&hash.finalize()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{copy, is_key};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_opens_or_signs_goes_with_the_keys() {
        let check = |kind: terms::Kind, name: &str, expected: bool| {
            assert_eq!(is_key(kind, std::path::Path::new(name)), expected, "{name}");
        };
        check(terms::Kind::Vault, "vault/keys", true);
        check(terms::Kind::Ledger, "ledger/key", true);
        check(terms::Kind::Mirror, "mirror/key", true);
        check(terms::Kind::Ledger, "ledger/key.pub", false);
        check(terms::Kind::Mirror, "mirror/ledger.pub", false);
        check(terms::Kind::Mailbox, "mailbox/packs/key", false);
    }

    #[test]
    fn a_copy_is_its_owners_alone() {
        let folder = std::env::temp_dir().join(format!("sekisho-copy-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("from"), "x").unwrap();
        let to = folder.join("backup").join("to");
        assert!(copy(&folder.join("from"), &to).is_ok());
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&to) & 0o777, 0o600);
        assert_eq!(mode(to.parent().unwrap()) & 0o777, 0o700);
        fs::remove_dir_all(&folder).unwrap();
    }
}
