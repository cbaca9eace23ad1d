//! What `doctor` says of a data folder: whether it is there, and whether it may be written to.

use rustix::fs::{Access, access};
use serde_json::{Value, json};
use std::path::Path;

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

/// That the disk below the data is full, if it is: what nobody needs to run to see.
pub fn without_room(data: &Path) -> Option<String> {
    let disk = rustix::fs::statvfs(data).ok()?;
    // A keeper that is not root has no use for what is kept back for root.
    let left = disk.f_bavail.saturating_mul(disk.f_frsize);
    // File systems that make entries as they are needed tell none.
    let is_full = left < ROOM_BYTES || (disk.f_files > 0 && disk.f_favail == 0);
    is_full.then(|| {
        format!(
            "the disk below {} is full ({} KiB left): mail is put off, and parts that cannot write \
             start again until there is room",
            data.display(),
            left / 1024
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
    use super::told;
    use crate::words::in_japanese;
    use std::os::unix::fs::PermissionsExt;
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
        let allow = |mode| {
            std::fs::set_permissions(&home, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        allow(0o500);
        if !compartment::is_root() {
            check(&home, &["cannot be written to", "os error"]);
        }
        allow(0o700);
        std::fs::remove_dir_all(&home).unwrap();
    }
}
