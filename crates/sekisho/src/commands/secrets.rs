//! Files that hold secrets are read only where nobody but their owner can.

use crate::outcome::Trouble;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What group and others may do.
const OTHERS: u32 = 0o077;
/// What systemd passes on belongs to the superuser and is shared by an access list, whose mask
/// stands where a group's bits stand: only the world is shut out by them.
const WORLD: u32 = 0o007;

/// Opens a file that holds a secret. The mode is that of what was opened, not of a name that
/// somebody could exchange meanwhile.
pub fn open(path: &Path) -> Result<File, Trouble> {
    let hint = "it must be a readable text of a few lines";
    let fault =
        |error: std::io::Error| Trouble::fault(format!("{}: {error}", path.display()), hint);
    let file = File::open(path).map_err(fault)?;
    let about = file.metadata().map_err(fault)?;
    let is_systemds = std::env::var_os("CREDENTIALS_DIRECTORY")
        .is_some_and(|folder| !folder.is_empty() && path.starts_with(folder));
    match seen_by_others(&about, if is_systemds { WORLD } else { OTHERS }) {
        None => Ok(file),
        Some(mode) => {
            let shown = path.display();
            let expected = "a secret in a file that only its owner can read or write (mode 0600)";
            let found = format!("{shown} with mode {mode:04o}, open to others");
            // Behind a descriptor's name in /proc lies the file whose mode it is.
            let behind = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            let behind = behind.display();
            let hint = format!(
                "chmod 600 {behind}; whoever could read it may know the secret: if that was not \
                 meant, make a new one"
            );
            Err(Trouble::refused(expected, found, &hint))
        }
    }
}

/// The mode, if others can reach it. Pipes, terminals and files without a name have nobody else.
fn seen_by_others(about: &Metadata, mask: u32) -> Option<u32> {
    let is_named = about.is_file() && about.nlink() > 0;
    let mode = about.mode() & 0o7777;
    (is_named && mode & mask != 0).then_some(mode)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{OTHERS, WORLD, open, seen_by_others};
    use crate::outcome::Trouble;
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let path = std::env::temp_dir().join(format!("sekisho-secret-{}", std::process::id()));
        fs::write(&path, "open sesame").unwrap();
        let check = |mode: u32, is_taken: bool| {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            match open(&path) {
                Ok(_) => assert!(is_taken, "{mode:o}"),
                Err(Trouble::Refused { expected, found, hint }) => {
                    assert!(!is_taken, "{mode:o}");
                    assert!(expected.contains("mode 0600"), "{expected}");
                    assert!(found.contains(&format!("mode {mode:04o}")), "{found}");
                    assert!(hint.starts_with("chmod 600 "), "{hint}");
                }
                Err(_) => panic!("{mode:o}"),
            }
        };
        check(0o600, true);
        check(0o400, true);
        for mode in [0o644, 0o640, 0o604, 0o620, 0o666] {
            check(mode, false);
        }
        let file = File::open(&path).unwrap();
        let about = file.metadata().unwrap();
        assert_eq!(seen_by_others(&about, WORLD), Some(0o666));
        let name = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
        match open(std::path::Path::new(&name)) {
            Err(Trouble::Refused { hint, .. }) => {
                let real = fs::canonicalize(&path).unwrap();
                assert!(hint.starts_with(&format!("chmod 600 {};", real.display())), "{hint}");
            }
            _ => panic!("{name}"),
        }
        fs::set_permissions(&path, Permissions::from_mode(0o440)).unwrap();
        let file = File::open(&path).unwrap();
        assert_eq!(seen_by_others(&file.metadata().unwrap(), WORLD), None);
        fs::remove_file(&path).unwrap();
        // Nobody finds a file without a name.
        assert_eq!(seen_by_others(&file.metadata().unwrap(), OTHERS), None);
        assert!(open(std::path::Path::new("/dev/null")).is_ok());
    }
}
