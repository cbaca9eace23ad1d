//! What `doctor` says of a data folder: whether it is there, whether it may be written to, and
//! whether the evidence in it lies as the house laid it.

use rustix::fs::{Access, access};
use serde_json::{Value, json};
use std::fs::{read_dir, symlink_metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The folder as it is found, and what is wrong with it, if something is.
pub fn told(data: &Path) -> (Value, Option<String>) {
    let wrong = wrong(data);
    let found = json!({
        "path": data,
        "is_there": data.is_dir(),
        "may_be_written": data.is_dir() && may_be_written(data).is_ok(),
    });
    (found, wrong)
}

/// `run` makes no folder: a mistyped path must not start an empty house beside the full one.
fn wrong(data: &Path) -> Option<String> {
    let shown = data.display();
    if data.is_dir() {
        let error = may_be_written(data).err()?;
        return Some(format!(
            "the data folder {shown} cannot be written to by whoever asks ({error}): `run` must be \
             able to; ask as root, or as the user that runs it"
        ));
    }
    if data.exists() {
        return Some(format!("the data folder {shown} is no folder: name another one"));
    }
    let above = data.ancestors().skip(1).find(|above| above.exists()).unwrap_or(Path::new("/"));
    Some(match may_be_written(above) {
        Ok(()) => format!(
            "the data folder {shown} is not there: `run` does not start without it, \
             `sekisho init --data {shown}` makes it"
        ),
        Err(error) => {
            let above = above.display();
            format!(
                "the data folder {shown} is not there, and whoever asks cannot make it: {above} \
                 cannot be written to ({error}); `sekisho init --data {shown}` makes it, as root"
            )
        }
    })
}

/// Less than this is no room: a keeper's next segment or page of a table may not fit.
const ROOM_BYTES: u64 = 4 * 1024 * 1024;

/// That the disk below the data is full, if it is: what nobody needs to run to see. A keeper's
/// folder may lie on one of its own.
pub fn without_room(data: &Path) -> Option<String> {
    let device = |path: &Path| symlink_metadata(path).ok().map(|about| about.dev());
    let own = device(data);
    let inside = read_dir(data).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut apart: Vec<PathBuf> = inside.filter(|path| device(path) != own).collect();
    apart.sort();
    let full = std::iter::once(data.to_owned()).chain(apart).find_map(|path| {
        let left = left_if_full(&path)?;
        Some((path, left))
    });
    full.map(|(path, left)| without_room_at(data, &path, left / 1024))
}

/// What is left on a disk that is full.
fn left_if_full(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    // A keeper that is not root has no use for what is kept back for root.
    let left = disk.f_bavail.saturating_mul(disk.f_frsize);
    // File systems that make entries as they are needed tell none.
    let is_full = left < ROOM_BYTES || (disk.f_files > 0 && disk.f_favail == 0);
    is_full.then_some(left)
}

/// Arrival needs no evidence: a disk that holds nothing else puts no mail off.
fn without_room_at(data: &Path, path: &Path, left_kib: u64) -> String {
    let shown = path.display();
    match EVIDENCE.iter().any(|name| data.join(name) == path) {
        true => format!(
            "the disk below {shown} is full ({left_kib} KiB left): mail is taken and kept, and \
             nobody can read until there is room"
        ),
        false => format!(
            "the disk below {shown} is full ({left_kib} KiB left): mail is put off, and parts \
             that cannot write start again until there is room"
        ),
    }
}

/// Where two copies of the evidence lie.
const EVIDENCE: &[&str] = &["ledger", "mirror"];
/// Links told of one folder.
const LINKS: usize = 8;

/// Links in the place of the evidence, and keys that others may read. Of a folder that whoever asks
/// may not look into nothing is said.
pub fn laid_amiss(data: &Path) -> Vec<String> {
    let mut amiss = Vec::new();
    for folder in EVIDENCE.iter().map(|name| data.join(name)) {
        let shown = folder.display();
        if is_link(&folder) {
            amiss.push(format!(
                "`{shown}` is a symbolic link: whoever may change it, or what it leads to, puts \
                 another folder in the place of the evidence; stop the house and move the folder \
                 itself here, or mount it here (mount --bind)"
            ));
        }
        let inside = read_dir(&folder).into_iter().flatten().flatten();
        let links = inside.map(|entry| entry.path()).filter(|path| is_link(path));
        let mut links: Vec<PathBuf> = links.take(LINKS).collect();
        links.sort();
        amiss.extend(links.iter().map(|link| {
            let shown = link.display();
            format!(
                "`{shown}` is a symbolic link: the house makes none there, and what it leads to \
                 may be changed by others; stop the house, see who laid it, and put the file \
                 itself in its place"
            )
        }));
        amiss.extend(wide_key(&folder.join("key")));
    }
    amiss
}

fn is_link(path: &Path) -> bool {
    symlink_metadata(path).is_ok_and(|about| about.is_symlink())
}

/// A signing key that its owner does not have alone.
fn wide_key(key: &Path) -> Option<String> {
    let mode = symlink_metadata(key).ok().filter(|about| about.is_file())?.permissions().mode();
    (mode & 0o077 != 0).then(|| {
        let (shown, mode) = (key.display(), mode & 0o7777);
        format!(
            "`{shown}` has the mode {mode:04o}: whoever else reads it signs as the house does; \
             `chmod 600` it, and see who could read it"
        )
    })
}

fn may_be_written(folder: &Path) -> std::io::Result<()> {
    if !folder.is_dir() {
        return Err(rustix::io::Errno::NOTDIR.into());
    }
    access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(Into::into)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{laid_amiss, told, without_room_at};
    use crate::words::in_japanese;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    #[test]
    fn a_folder_that_cannot_hold_a_house_is_told() {
        let home = std::env::temp_dir().join(format!("sekisho-site-{}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        let file = home.join("file");
        std::fs::write(&file, "x").unwrap();
        let check = |data: &Path, words: &[&str]| {
            let (found, wrong) = told(data);
            assert_eq!(found["is_there"], data.is_dir(), "{found}");
            assert_eq!(found["may_be_written"], wrong.is_none(), "{found}");
            let wrong = wrong.unwrap_or_default();
            assert!(words.iter().all(|word| wrong.contains(word)), "{wrong}");
            assert_eq!(words.is_empty(), wrong.is_empty(), "{wrong}");
            assert!(wrong.is_empty() || in_japanese(&wrong).is_some(), "{wrong}");
        };
        check(&home, &[]);
        let away = home.join("not/here");
        check(&away, &[" is not there: `run`", &format!("init --data {}` makes", away.display())]);
        check(&file, &["is no folder"]);
        check(&file.join("below"), &["cannot make it", "os error"]);
        // Root writes wherever it likes.
        allow(&home, 0o500);
        if !compartment::is_root() {
            check(&home, &["cannot be written to", "os error"]);
        }
        allow(&home, 0o700);
        std::fs::remove_dir_all(&home).unwrap();
    }

    #[test]
    fn a_full_disk_of_the_evidence_alone_puts_no_mail_off() {
        let data = Path::new("/srv/sekisho");
        for (place, is_put_off) in [("", true), ("mailbox", true), ("ledger", false)] {
            let told = without_room_at(data, &data.join(place), 7);
            assert!(told.contains("(7 KiB left)"), "{told}");
            assert_eq!(told.contains("mail is put off"), is_put_off, "{told}");
            let japanese = in_japanese(&told).unwrap();
            assert!(!japanese.contains("mail is"), "{japanese}");
        }
    }

    #[test]
    fn evidence_behind_links_and_open_keys_is_told() {
        let home = std::env::temp_dir().join(format!("sekisho-laid-{}", std::process::id()));
        let (data, away) = (home.join("data"), home.join("away"));
        for folder in [&data, &away] {
            std::fs::create_dir_all(folder.join("ledger")).unwrap();
            std::fs::write(folder.join("ledger/log"), "entries").unwrap();
            std::fs::write(folder.join("ledger/key"), [1; 32]).unwrap();
            allow(&folder.join("ledger/key"), 0o600);
        }
        let check = |found: &[[&str; 2]]| {
            let told = laid_amiss(&data);
            assert_eq!(told.len(), found.len(), "{told:?}");
            for (told, [place, what]) in told.iter().zip(found) {
                let shown = data.join(place);
                let begin = format!("`{}` {what}", shown.display());
                assert!(told.starts_with(&begin), "{told}");
                let japanese = in_japanese(told).unwrap();
                assert!(japanese.starts_with(&format!("`{}` ", shown.display())), "{japanese}");
                assert!(!japanese.contains("house"), "{japanese}");
            }
        };
        check(&[]);
        allow(&data.join("ledger/key"), 0o640);
        check(&[["ledger/key", "has the mode 0640"]]);
        allow(&data.join("ledger/key"), 0o400);
        check(&[]);
        std::fs::remove_file(data.join("ledger/log")).unwrap();
        symlink(away.join("ledger/log"), data.join("ledger/log")).unwrap();
        // One that leads nowhere is one, too.
        symlink(away.join("nothing"), data.join("ledger/tiles")).unwrap();
        let links =
            ["ledger/log", "ledger/tiles"].map(|one| [one, "is a symbolic link: the house"]);
        check(&links);
        std::fs::remove_dir_all(data.join("ledger")).unwrap();
        symlink(away.join("ledger"), data.join("ledger")).unwrap();
        symlink(away.join("ledger"), data.join("mirror")).unwrap();
        allow(&away.join("ledger/key"), 0o604);
        let link = "is a symbolic link: whoever may change it";
        let key = "has the mode 0604";
        check(&[["ledger", link], ["ledger/key", key], ["mirror", link], ["mirror/key", key]]);
        std::fs::remove_dir_all(&home).unwrap();
    }

    fn allow(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}
