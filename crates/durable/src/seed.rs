//! The seed of a keeper's signing key: drawn once, and never in the place of one that was there.

use crate::small::put;
use std::fs;
use std::io;
use std::path::Path;

/// What has to be done where it is gone.
pub const SEED_GONE: &str = "it is not there, and what lies beside it was made with it: put that \
    file back from the key backup";

/// The seed in the file `name` of a keeper's `folder`. It is drawn where nothing else lies there:
/// another key than that of a log would make of it a log that somebody changed.
pub fn seed(folder: &Path, name: &str, draw: impl FnOnce() -> [u8; 32]) -> io::Result<[u8; 32]> {
    let path = folder.join(name);
    let gone = match fs::read(&path) {
        Ok(found) => {
            return <[u8; 32]>::try_from(found.as_slice())
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
        }
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => fault.kind(),
        Err(fault) => return Err(fault),
    };
    // What an interrupted first start leaves.
    let begun = path.with_extension("new");
    for entry in fs::read_dir(folder)? {
        if entry?.path() != begun {
            return Err(io::Error::new(gone, SEED_GONE));
        }
    }
    let seed = draw();
    put(&path, &seed, 0o600)?;
    Ok(seed)
}

/// Whether `public` is the key of the log in the file `log`, as the file `known` beside it says.
/// With another one a keeper would take all of its log for somebody's work, and drop it.
pub fn is_key_of(log: &Path, known: &Path, public: &str) -> bool {
    let known = fs::read(known).unwrap_or_default();
    let known = known.trim_ascii();
    known.is_empty() || known == public.trim().as_bytes() || !log.exists()
}

/// Writes a small file of a keeper's own durably, unless it says so already.
pub fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::read(path).is_ok_and(|found| found == bytes) {
        true => Ok(()),
        false => put(path, bytes, 0o600),
    }
}

#[cfg(test)]
mod tests {
    use super::{SEED_GONE, seed};
    use std::fs;
    use std::io::ErrorKind;

    #[test]
    fn a_seed_is_drawn_once_and_never_beside_what_it_made() {
        let folder = std::env::temp_dir().join(format!("durable-seed-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("key.new"), [7; 12]).unwrap();
        let own = seed(&folder, "key", || [1; 32]).unwrap();
        assert_eq!(own, [1; 32]);
        fs::write(folder.join("log"), "entries").unwrap();
        assert_eq!(seed(&folder, "key", || panic!("drawn again")).unwrap(), own);
        fs::remove_file(folder.join("key")).unwrap();
        let check = || {
            let fault = seed(&folder, "key", || panic!("drawn again")).unwrap_err();
            assert_eq!((fault.kind(), fault.to_string()), (ErrorKind::NotFound, SEED_GONE.into()));
            assert!(!folder.join("key").exists());
        };
        check();
        // Nor where the log is gone as well, and only what is remembered of it is left.
        fs::rename(folder.join("log"), folder.join("lost-all")).unwrap();
        check();
        fs::write(folder.join("key"), [1; 31]).unwrap();
        let cut = seed(&folder, "key", || panic!("drawn again")).unwrap_err();
        assert_eq!(cut.kind(), ErrorKind::InvalidData);
        fs::remove_dir_all(&folder).unwrap();
    }
}
