//! Keys of backup epochs that were destroyed and lie somewhere again: whoever copied one before
//! its end, and put it back, has every key backup of that epoch open again.

use super::epochs;
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A file with a key is shorter: 52 letters and the end of their line.
const KEY_FILE_BYTES: u64 = 128;

/// An epoch whose key was destroyed, and that key's print where one was noted.
pub type Destroyed = (u32, Option<[u8; 32]>);

/// What was found, and what could not be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Places {
    pub found: Vec<String>,
    pub unread: Vec<String>,
}

/// Looks where keys of epochs lie: beside the data, wherever one first lay, and in `also`.
pub fn search(data: &Path, also: &[PathBuf]) -> Places {
    if matches!(data.join("vault/keys").try_exists(), Ok(false)) {
        return Places::default();
    }
    let told = match vault::look(&data.join("vault")) {
        Ok(told) => told,
        Err(fault) => {
            let unread = vec![format!("{}: {fault}", data.join("vault").display())];
            return Places { unread, ..Places::default() };
        }
    };
    let over = told.backup_epochs.iter().filter(|epoch| epoch.destroyed_ms.is_some());
    let print = |epoch: u32| told.backup_keys.get(&epoch).map(|key| key.print);
    let destroyed: Vec<Destroyed> = over.map(|one| (one.epoch, print(one.epoch))).collect();
    let noted = told.backup_keys.values().map(|key| PathBuf::from(&key.place));
    // What was noted of a way from another folder leads nowhere from ours.
    let mut folders: BTreeSet<PathBuf> = noted.filter(|place| place.is_absolute()).collect();
    folders.insert(epochs::beside(data));
    folders.extend(also.iter().cloned());
    among(&destroyed, &folders)
}

/// Keys of these epochs that lie in these folders, by their name or by what they are.
fn among(destroyed: &[Destroyed], folders: &BTreeSet<PathBuf>) -> Places {
    let mut places = Places::default();
    if destroyed.is_empty() {
        return places;
    }
    for folder in folders {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                places.unread.push(format!("{}: {error}", folder.display()));
                continue;
            }
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let is_short = fs::metadata(&path)
                .is_ok_and(|about| about.is_file() && about.len() <= KEY_FILE_BYTES);
            if let Some(epoch) = destroyed.iter().find(|one| is_short && is_key_of(&path, one)) {
                let place = path.display();
                places
                    .found
                    .push(format!("{place} is the key of destroyed backup epoch {}", epoch.0));
            }
        }
    }
    places
}

fn is_key_of(path: &Path, (epoch, print): &Destroyed) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let is_named = name == Some(&epochs::file_name(*epoch));
    is_named || print.is_some_and(|print| epochs::print_of(path) == Some(print))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Places, among};
    use crate::commands::epochs::EpochKey;
    use std::collections::BTreeSet;
    use std::fs;

    #[test]
    fn a_destroyed_key_is_known_by_its_name_and_by_what_it_is() {
        let folder = std::env::temp_dir().join(format!("sekisho-returned-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let key = EpochKey::of(&folder, 1).ok().unwrap();
        let print = Some(vault::epoch_print(&key.witness()));
        let folders = BTreeSet::from([folder.clone(), folder.join("not there")]);
        let check = |destroyed: &[super::Destroyed], expected: &[&str]| {
            let found = among(destroyed, &folders);
            let names: Vec<String> = expected
                .iter()
                .map(|name| {
                    let path = folder.join(name);
                    format!("{} is the key of destroyed backup epoch 1", path.display())
                })
                .collect();
            assert_eq!(found, Places { found: names, unread: Vec::new() });
        };
        check(&[], &[]);
        check(&[(2, None)], &[]);
        check(&[(1, print)], &["epoch-1.key"]);
        check(&[(1, None)], &["epoch-1.key"]);
        fs::rename(folder.join("epoch-1.key"), folder.join("old.txt")).unwrap();
        check(&[(1, print)], &["old.txt"]);
        check(&[(1, Some([0; 32]))], &[]);
        fs::remove_dir_all(&folder).unwrap();
    }
}
