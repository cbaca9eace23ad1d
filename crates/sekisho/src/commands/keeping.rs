//! `sekisho backup` and `sekisho restore`: the data without its keys, and the keys apart.
//!
//! A data backup holds every keeper's folder but the vault's: it opens nothing, and it signs
//! nothing. The vault's own folder, sealed under the root key, and the keys with which ledger and
//! mirror sign go where `--keys-to` says, never beside the data, and sealed once more under the
//! key of the backup epoch, which lies in a third place. Both carry a manifest of digests, so that
//! a restore is verified before it counts. A restore destroys again what the ledger says was
//! destroyed.

use super::demo::make_folder;
use super::epochs::{self, EpochKey};
use super::keyless;
use crate::arguments::Arguments;
use crate::demo::screen::is_japanese;
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

/// In a folder that a restore is filling.
const CUT_OFF: &str = "restore-not-ended";
/// In a data folder that a backup is filling: where its keys go. It goes when both manifests stand.
const NOT_ENDED: &str = "backup-not-ended";
const MANIFEST: &str = "MANIFEST.json";
const NO_KEYS_JA: &str = "鍵は含まれていません。鍵のバックアップ（--keys-to）なしに復元したデータでは、\
    サービスは起動しません。";
const NO_KEYS_EN: &str = "The keys are not in it: data restored without a backup of the keys \
    (--keys-to) does not start.";
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

pub fn backup(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.data()?;
    let to = PathBuf::from(arguments.required("--to")?);
    let keys_to = arguments.option("--keys-to")?.map(PathBuf::from);
    let epoch_keys = arguments.option("--epoch-keys")?.map(PathBuf::from);
    arguments.finish()?;
    let _lock = lock(&data)?;
    let epoch_keys = absolute(&epoch_keys.unwrap_or_else(|| epochs::beside(&data)))?;
    for folder in std::iter::once(&to).chain(&keys_to) {
        is_outside(folder, &data)?;
    }
    if keys_to.as_ref().is_some_and(|keys| keys.starts_with(&to) || to.starts_with(keys)) {
        let hint = "a copy of the data must open nothing: keep the two apart";
        let found = to.display().to_string();
        return Err(Trouble::refused("keys and data in different folders", found, hint));
    }
    for folder in [&data, &to].into_iter().chain(&keys_to) {
        if epoch_keys.starts_with(absolute(folder)?) {
            let found = epoch_keys.display().to_string();
            let hint = "an epoch's key must be destroyed alone: --epoch-keys DIR";
            return Err(Trouble::refused("a third place for epoch keys", found, hint));
        }
    }
    let key = keys_to.as_ref().map(|_| epochs::going_on(&data, &epoch_keys)).transpose()?;
    begin(&to, keys_to.as_deref())?;
    let files = copy_out(&data, &to, None)?;
    let mut told = json!({ "to": to, "files": files, "keys_to": keys_to, "key_files": null });
    if let (Some(keys_to), Some((key, epoch)), Some(told)) = (&keys_to, &key, told.as_object_mut())
    {
        let under = Under { key, epoch: *epoch, epoch_keys: &epoch_keys };
        told.insert("key_files".to_owned(), json!(copy_out(&data, keys_to, Some(&under))?));
        told.insert("epoch".to_owned(), json!(epoch));
        told.insert("epoch_keys".to_owned(), json!(epoch_keys));
    }
    sync_folder(&to).and_then(|()| fs::remove_file(to.join(NOT_ENDED))).map_err(fault(&to))?;
    if keys_to.is_none() {
        super::insert(&mut told, "about", json!({ "ja": NO_KEYS_JA, "en": NO_KEYS_EN }));
    }
    Ok(in_words(Outcome::Done(told), as_json))
}

/// Both parts of a backup are begun, or begun anew: one that was killed left its mark in the data's
/// folder, and whichever manifest stood already goes. A mark that names another place of keys says
/// nothing of this one.
fn begin(to: &Path, keys_to: Option<&Path>) -> Result<(), Trouble> {
    let place = keys_to.map(absolute).transpose()?.unwrap_or_default();
    let place = place.display().to_string();
    let mark = to.join(NOT_ENDED);
    let named = fs::read_to_string(&mark).ok();
    let whole = |folder: &Path, is_begun: bool| {
        let found = folder.join(MANIFEST);
        match found.exists() && !is_begun {
            true => Err(folder.display().to_string()),
            false => Ok(found),
        }
    };
    let is_same = named.as_deref() == Some(place.as_str());
    let parts = [Some(whole(to, named.is_some())), keys_to.map(|keys| whole(keys, is_same))];
    let found: Result<Vec<PathBuf>, String> = parts.into_iter().flatten().collect();
    let manifests = found.map_err(|found| {
        Trouble::refused("a folder without a backup", found, "choose a new folder")
    })?;
    write(&mark, place.as_bytes())?;
    sync_folder(to).map_err(fault(to))?;
    for manifest in manifests.iter().filter(|manifest| manifest.exists()) {
        fs::remove_file(manifest).map_err(fault(manifest))?;
    }
    Ok(())
}

/// Before anything of it is restored.
fn must_be_whole(from: &Path, is_of_keys: bool) -> Result<Value, Trouble> {
    let found = from.display().to_string();
    if from.join(NOT_ENDED).exists() {
        let hint = "the same `backup` again begins it anew, or take another one";
        return Err(Trouble::refused("a backup that has ended", found, hint));
    }
    if !from.join(MANIFEST).exists() {
        let hint = "give the folder that `sekisho backup` wrote to";
        return Err(Trouble::refused("a backup", found, hint));
    }
    let manifest = read_manifest(from)?;
    let has_keys = manifest.get("keys").and_then(Value::as_bool).unwrap_or(is_of_keys);
    if has_keys == is_of_keys {
        return Ok(manifest);
    }
    let hint = "--from is the folder of `backup --to`, --keys-from that of `--keys-to`";
    let expected = if is_of_keys { "a backup of keys" } else { "a backup of data" };
    Err(Trouble::refused(expected, found, hint))
}

/// People read one language.
fn in_words(outcome: Outcome, as_json: bool) -> Outcome {
    if as_json { outcome } else { outcome.in_one_language(is_japanese()) }
}

/// Where a folder is, or will be: as much of its path as exists is followed.
fn real(path: &Path) -> Result<PathBuf, Trouble> {
    let path = absolute(path)?;
    let existing = path.ancestors().find_map(|part| Some((part, fs::canonicalize(part).ok()?)));
    let Some((part, found)) = existing else { return Ok(path) };
    let rest = path.strip_prefix(part).unwrap_or(Path::new(""));
    Ok(if rest.as_os_str().is_empty() { found } else { found.join(rest) })
}

/// A copy in the folder that it is a copy of is lost with it, and grows with each one.
fn is_outside(folder: &Path, data: &Path) -> Result<(), Trouble> {
    if !real(folder)?.starts_with(real(data)?) {
        return Ok(());
    }
    let hint = "choose a folder on another disk, or at least beside it";
    Err(Trouble::refused("a place outside the data folder", folder.display().to_string(), hint))
}

/// The epoch that a key backup is made under.
struct Under<'a> {
    key: &'a EpochKey,
    epoch: u32,
    epoch_keys: &'a Path,
}

fn absolute(path: &Path) -> Result<PathBuf, Trouble> {
    std::path::absolute(path).map_err(fault(path))
}

pub fn restore(mut arguments: Arguments, as_json: bool) -> Answer {
    let data = arguments.data()?;
    let from = PathBuf::from(arguments.required("--from")?);
    let keys_from = arguments.option("--keys-from")?.map(PathBuf::from);
    let epoch_keys = arguments.option("--epoch-keys")?.map(PathBuf::from);
    let shreds_from = arguments.option("--shreds-from")?.map(PathBuf::from);
    let takes_missing = arguments.switch("--without-missing-keys");
    arguments.finish()?;
    let was_cut_off = is_cut_off(&data);
    if !was_cut_off && fs::read_dir(&data).is_ok_and(|mut entries| entries.next().is_some()) {
        let hint = "restore into a new folder, then start the service on it";
        return Err(Trouble::refused("an empty folder", data.display().to_string(), hint));
    }
    must_be_whole(&from, false)?;
    keys_from.as_deref().map(|keys| must_be_whole(keys, true)).transpose()?;
    let key_files =
        keys_from.as_deref().map(|keys| KeyBackup::open(keys, epoch_keys)).transpose()?;
    // What a restore left that was killed counts as nothing.
    let was_there = data.exists();
    if was_cut_off {
        empty(&data).map_err(fault(&data))?;
    }
    make_folder(&data)?;
    let filled = fill(&data, &from, key_files, (shreds_from.as_deref(), takes_missing));
    let Filled { files, key_files, shredded, found, without } =
        filled.map_err(|trouble| emptied(&data, was_there, trouble))?;
    let mut value = json!({
        "data": data,
        "files": files,
        "key_files": key_files,
        "keys_destroyed_again": shredded,
        "ledger_ok": found.ok,
        "ledger_size": found.size,
        "problems": found.problems,
        "without_keys": without.len(),
    });
    if let Some(warning) = keyless::warning(&without) {
        super::insert(&mut value, "warning", json!(warning));
    }
    if key_files.is_none() {
        super::insert(&mut value, "about", json!({ "ja": NO_KEYS_JA, "en": NO_KEYS_EN }));
    }
    let value = if found.ok { Outcome::Done(value) } else { Outcome::Wanting(value) };
    Ok(in_words(value, as_json))
}

/// What a restore put into its folder.
struct Filled {
    files: usize,
    key_files: Option<usize>,
    shredded: Option<u64>,
    found: ledger::Verified,
    /// Taken without their keys.
    without: Vec<keyless::Whose>,
}

fn fill(
    data: &Path,
    from: &Path,
    key_files: Option<KeyBackup>,
    (shreds_from, takes_missing): (Option<&Path>, bool),
) -> Result<Filled, Trouble> {
    // First and last: as long as this lies there, nothing starts on what is only a part.
    let mark = data.join(CUT_OFF);
    write(&mark, b"a restore into this folder has not ended\n")?;
    sync_folder(data).map_err(fault(data))?;
    let files = copy_in(from, data)?;
    let key_files = key_files.map(|keys| keys.copy_in(data)).transpose()?;
    let shredded = key_files.map(|_| shred_again(data, shreds_from)).transpose()?;
    let mut without = Vec::new();
    if key_files.is_some() {
        must_belong(data)?;
        without = keyless::missing(data)?;
    }
    if !without.is_empty() && !takes_missing {
        return Err(Trouble::refused(
            "keys of everybody whom the ledger names",
            format!("none for {}", keyless::told(&without)),
            "give the key backup that was made with this data, or a newer one; with \
             --without-missing-keys mail for them waits, and what they have opens for nobody",
        ));
    }
    let found = ledger::verify(&data.join("ledger"), Some(&data.join("mirror")))
        .map_err(|error| Trouble::fault(error.to_string(), "the backup's ledger cannot be read"))?;
    sync_folder(data).and_then(|()| fs::remove_file(&mark)).map_err(fault(&mark))?;
    Ok(Filled { files, key_files, shredded, found, without })
}

/// Keys of another house sign nothing here, and nothing starts with them.
fn must_belong(data: &Path) -> Result<(), Trouble> {
    let problems = ledger::key_problems(&data.join("ledger"), Some(&data.join("mirror")));
    let hint = "give the key backup that was made with this data";
    problems.first().map_or(Ok(()), |first| {
        Err(Trouble::refused("the keys of this house", first.clone(), hint))
    })
}

/// A restore that failed leaves nothing that could be taken for a house: the folder was empty, or
/// was not there.
fn emptied(data: &Path, was_there: bool, trouble: Trouble) -> Trouble {
    let gone = empty(data).and_then(|()| match was_there {
        true => Ok(()),
        false => fs::remove_dir(data),
    });
    match gone {
        Ok(()) => trouble,
        Err(error) => {
            let what =
                format!("{}; half of it is left in {} ({error})", trouble.told(), data.display());
            Trouble::fault(what, "remove that folder before anything starts on it")
        }
    }
}

/// Takes everything out of it, the mark last. It may be a disk of its own, and stays.
fn empty(data: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        if entry.file_name() == CUT_OFF {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    match fs::remove_file(data.join(CUT_OFF)) {
        Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => Err(fault),
        _ => Ok(()),
    }
}

/// Every file and name of its disk.
fn sync_folder(data: &Path) -> std::io::Result<()> {
    rustix::fs::syncfs(File::open(data)?).map_err(Into::into)
}

/// Whether a restore into this folder was killed: what lies there is a part of a house.
fn is_cut_off(data: &Path) -> bool {
    data.join(CUT_OFF).exists()
}

/// Before anything else is done with it.
pub fn must_be_restored_whole(data: &Path) -> Result<(), Trouble> {
    if !is_cut_off(data) {
        return Ok(());
    }
    let hint = "restore into it again, which begins anew; or remove the folder";
    let found = "a part of one: a restore into it was cut off";
    Err(Trouble::refused("the whole data of a service", found, hint))
}

/// A key backup, and what opens it.
struct KeyBackup {
    from: PathBuf,
    manifest: Value,
    /// None: made before there were epochs.
    key: Option<EpochKey>,
}

impl KeyBackup {
    fn open(from: &Path, epoch_keys: Option<PathBuf>) -> Result<Self, Trouble> {
        let manifest = read_manifest(from)?;
        let epoch = manifest.get("epoch").and_then(Value::as_u64);
        let named = manifest.get("epoch_keys").and_then(Value::as_str).map(PathBuf::from);
        let folder = epoch_keys.or(named).unwrap_or_default();
        let key =
            epoch.map(|epoch| EpochKey::open(&folder, u32::try_from(epoch).unwrap_or_default()));
        Ok(Self { from: from.to_owned(), manifest, key: key.transpose()? })
    }

    fn copy_in(self, data: &Path) -> Result<usize, Trouble> {
        let Some(key) = self.key else { return copy_in(&self.from, data) };
        let files = listed(&self.manifest)?;
        for (name, expected) in &files {
            let sealed = epochs::read_whole(&self.from.join(name))?;
            is_as_listed(name, expected, &HEXLOWER.encode(&Sha256::digest(&sealed)))?;
            let plain = key.unseal(&name.display().to_string(), &sealed)?;
            write(&data.join(name), &plain)?;
        }
        Ok(files.len())
    }
}

/// What was destroyed stays destroyed, whatever backup brought it back: by the word of the ledger
/// that was restored, and of a newer one if there is.
fn shred_again(data: &Path, newer: Option<&Path>) -> Result<u64, Trouble> {
    let mut shreds = Vec::new();
    // A ledger of which a part is gone would bring destroyed keys back. (The restored one is
    // checked whole when all of it is there.)
    newer.map_or(Ok(()), super::whole::must_be)?;
    for folder in std::iter::once(data).chain(newer) {
        let read = ledger::entries(&folder.join("ledger"), |_, entry| {
            shreds.extend(vault::Shred::of(&entry));
        });
        read.map_err(|error| Trouble::fault(error.to_string(), "this ledger cannot be read"))?;
    }
    vault::apply_shreds(&data.join("vault"), &shreds)
        .map_err(|error| Trouble::fault(error.to_string(), "the keys cannot be set right"))
}

/// A copy of files that change under it would be no backup: the service must stand still.
pub fn lock(data: &Path) -> Result<File, Trouble> {
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

fn copy_out(data: &Path, to: &Path, keys: Option<&Under<'_>>) -> Result<usize, Trouble> {
    // Sizes and times of mail are told to nobody else, from the top on.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(to).map_err(fault(to))?;
    let mut manifest = BTreeMap::new();
    for kind in keepers() {
        let files = files_of(&data.join(kind.word()))?;
        for file in files.into_iter().filter(|file| is_key(kind, file) == keys.is_some()) {
            let name = file.strip_prefix(data).unwrap_or(&file).to_owned();
            let digest = match keys {
                None => copy(&file, &to.join(&name))?,
                Some(under) => {
                    let plain = epochs::read_whole(&file)?;
                    let sealed = under.key.seal(&name.display().to_string(), plain)?;
                    write(&to.join(&name), &sealed)?;
                    HEXLOWER.encode(&Sha256::digest(&sealed))
                }
            };
            manifest.insert(name.display().to_string(), digest);
        }
    }
    let path = to.join(MANIFEST);
    let value = match keys {
        None => json!({ "sekisho_backup": 1, "keys": false, "files": manifest }),
        Some(Under { epoch, epoch_keys, .. }) => json!({
            "sekisho_backup": 1, "keys": true, "epoch": epoch, "epoch_keys": epoch_keys,
            "files": manifest,
        }),
    };
    let mut file = private_file(&path)?;
    writeln!(file, "{value}").and_then(|()| file.sync_all()).map_err(fault(&path))?;
    Ok(manifest.len())
}

fn copy_in(from: &Path, data: &Path) -> Result<usize, Trouble> {
    let files = listed(&read_manifest(from)?)?;
    for (name, expected) in &files {
        let digest = copy(&from.join(name), &data.join(name))?;
        is_as_listed(name, expected, &digest)?;
    }
    Ok(files.len())
}

fn read_manifest(from: &Path) -> Result<Value, Trouble> {
    let path = from.join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(fault(&path))?;
    serde_json::from_str(&text)
        .map_err(|error| Trouble::fault(format!("{}: {error}", path.display()), HINT))
}

/// The files of a manifest with their digests, all of them inside the backup.
fn listed(manifest: &Value) -> Result<Vec<(PathBuf, String)>, Trouble> {
    let files = manifest.get("files").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut listed = Vec::with_capacity(files.len());
    for (name, digest) in files {
        let name = PathBuf::from(name);
        let is_inside = name.components().all(|c| matches!(c, std::path::Component::Normal(_)));
        if !is_inside {
            let found = name.display().to_string();
            return Err(Trouble::refused("names inside the backup", found, "take another backup"));
        }
        listed.push((name, digest.as_str().unwrap_or_default().to_owned()));
    }
    Ok(listed)
}

fn is_as_listed(name: &Path, expected: &str, digest: &str) -> Result<(), Trouble> {
    if expected == digest {
        return Ok(());
    }
    let hint = "this backup was changed or damaged; take another one";
    Err(Trouble::refused("files as the manifest says", name.display().to_string(), hint))
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

/// Writes one file durably.
fn write(to: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    make_parent(to)?;
    let mut file = private_file(to)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fault(to))
}

fn make_parent(of: &Path) -> Result<(), Trouble> {
    let Some(folder) = of.parent() else { return Ok(()) };
    let mut private = fs::DirBuilder::new();
    private.recursive(true).mode(0o700).create(folder).map_err(fault(folder))
}

/// Copies one file durably and gives the digest of what was copied.
fn copy(from: &Path, to: &Path) -> Result<String, Trouble> {
    make_parent(to)?;
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
    use super::{copy, is_key, is_outside};
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
    fn a_backup_lies_outside_of_the_data() {
        let data = std::env::temp_dir().join(format!("sekisho-outside-{}", std::process::id()));
        fs::create_dir_all(data.join("inside")).unwrap();
        assert!(is_outside(&data, &data).is_err());
        assert!(is_outside(&data.join("inside"), &data).is_err());
        assert!(is_outside(&data.join("new/er"), &data).is_err());
        assert!(is_outside(&data.join("../elsewhere"), &data).is_ok());
        assert!(is_outside(&data.with_extension("backup"), &data).is_ok());
        fs::remove_dir_all(&data).unwrap();
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
