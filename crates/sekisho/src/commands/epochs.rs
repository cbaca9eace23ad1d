//! Backup epochs: the keys that key backups are sealed under, each in a file of its own, beside
//! the data folder or where the operator says, never with the data or the keys.
//!
//! An epoch ends when keys are destroyed. Then its file is overwritten and unlinked, and every key
//! backup made under it is noise: also one that nobody knows of any more.

use crate::outcome::Trouble;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use data_encoding::BASE32_NOPAD;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
/// A sealed file begins with it.
const HEAD: &[u8] = b"sekisho key backup v1\n";
/// A vault of a million people: what is sealed in one piece.
const FILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;
const GONE: &str = "the key of this epoch was destroyed when the epoch ended, or lies elsewhere \
                    (--epoch-keys DIR); take the key backup of a later epoch";

/// One epoch's key.
pub struct EpochKey {
    epoch: u32,
    key: Zeroizing<Vec<u8>>,
}

/// Where the keys of epochs lie unless somebody says otherwise: `DIR.epochs`.
pub fn beside(data: &Path) -> PathBuf {
    let mut name = data.as_os_str().to_owned();
    name.push(".epochs");
    PathBuf::from(name)
}

fn path_of(folder: &Path, epoch: u32) -> PathBuf {
    folder.join(format!("epoch-{epoch}.key"))
}

/// The epochs whose keys lie in a folder.
pub fn present(folder: &Path) -> Vec<u32> {
    let number = |entry: fs::DirEntry| {
        let name = entry.file_name();
        name.to_str()?.strip_prefix("epoch-")?.strip_suffix(".key")?.parse().ok()
    };
    let mut found: Vec<u32> =
        fs::read_dir(folder).into_iter().flatten().flatten().filter_map(number).collect();
    found.sort_unstable();
    found
}

impl EpochKey {
    /// The key of an epoch that is going on; made with its first backup.
    pub fn of(folder: &Path, epoch: u32) -> Result<Self, Trouble> {
        let path = path_of(folder, epoch);
        if path.exists() {
            return Self::open(folder, epoch);
        }
        let fault = fault(&path);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(&fault)?;
        let key = Zeroizing::new(compartment::random::<KEY_BYTES>().to_vec());
        let mut options = File::options();
        let mut file =
            options.write(true).create_new(true).mode(0o600).open(&path).map_err(&fault)?;
        writeln!(file, "{}", *Zeroizing::new(BASE32_NOPAD.encode(&key))).map_err(&fault)?;
        file.sync_all().map_err(&fault)?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(&fault)?;
        Ok(Self { epoch, key })
    }

    /// The key of an epoch that there was.
    pub fn open(folder: &Path, epoch: u32) -> Result<Self, Trouble> {
        let path = path_of(folder, epoch);
        let expected = format!("the key of backup epoch {epoch}");
        let missing = |found: String| Trouble::refused(&expected, found, GONE);
        if let Err(error) = fs::metadata(&path) {
            return Err(missing(format!("{}: {error}", path.display())));
        }
        let text = super::terminal::read_file(&path)?;
        let key = BASE32_NOPAD.decode(text.trim().as_bytes()).map(Zeroizing::new).ok();
        let key = key.filter(|key| key.len() == KEY_BYTES);
        let key = key.ok_or_else(|| missing("another text".to_owned()))?;
        Ok(Self { epoch, key })
    }

    pub fn seal(&self, name: &str, plain: Vec<u8>) -> Result<Vec<u8>, Trouble> {
        let nonce: [u8; NONCE_LEN] = compartment::random();
        let mut sealed = plain;
        let aad = Aad::from(self.place(name));
        self.cipher()?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .map_err(|_| Trouble::fault("a key could not be sealed", "try again"))?;
        Ok([HEAD, &nonce, &sealed].concat())
    }

    pub fn unseal(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Trouble> {
        let expected = format!("a file of backup epoch {}", self.epoch);
        let wrong = || Trouble::refused(&expected, name, "this backup was changed or damaged");
        let rest = sealed.strip_prefix(HEAD).ok_or_else(wrong)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(wrong)?;
        let mut plain = Zeroizing::new(rest.to_vec());
        let (nonce, aad) = (Nonce::assume_unique_for_key(*nonce), Aad::from(self.place(name)));
        let opened = self.cipher()?.open_in_place(nonce, aad, &mut plain);
        let length = opened.map_err(|_| wrong())?.len();
        plain.truncate(length);
        Ok(plain)
    }

    fn place(&self, name: &str) -> Vec<u8> {
        format!("{}\0{name}", self.epoch).into_bytes()
    }

    fn cipher(&self) -> Result<LessSafeKey, Trouble> {
        let key = UnboundKey::new(&AES_256_GCM, &self.key).map(LessSafeKey::new);
        key.map_err(|_| Trouble::fault("no AES-256-GCM here", "report this"))
    }
}

/// Reads a file that is sealed or opened in one piece.
pub fn read_whole(path: &Path) -> Result<Vec<u8>, Trouble> {
    let length = fs::metadata(path).map_err(fault(path))?.len();
    if length > FILE_BYTES {
        let hint = "this store is larger than any that was tried";
        return Err(Trouble::refused("a key store of 4 GiB at most", length.to_string(), hint));
    }
    fs::read(path).map_err(fault(path))
}

/// Overwrites and unlinks an epoch's key; whether one was there.
pub fn destroy(folder: &Path, epoch: u32) -> Result<bool, Trouble> {
    let path = path_of(folder, epoch);
    let fault = fault(&path);
    let mut file = match File::options().write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(fault(error)),
    };
    let length = usize::try_from(file.metadata().map_err(&fault)?.len()).unwrap_or_default();
    file.write_all(&vec![0; length]).and_then(|()| file.sync_all()).map_err(&fault)?;
    fs::remove_file(&path).map_err(&fault)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(&fault)?;
    Ok(true)
}

fn fault(path: &Path) -> impl Fn(std::io::Error) -> Trouble {
    move |error| {
        let what = format!("{}: {error}", path.display());
        Trouble::fault(what, "look at the free space and the rights of this folder, then try again")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{EpochKey, destroy, present};

    #[test]
    fn what_an_ended_epoch_sealed_is_noise() {
        let folder = std::env::temp_dir().join(format!("sekisho-epochs-{}", std::process::id()));
        let sealed = EpochKey::of(&folder, 3).ok().unwrap().seal("a", b"x".to_vec()).ok().unwrap();
        let key = EpochKey::open(&folder, 3).ok().unwrap();
        assert!(key.unseal("a", &sealed).is_ok_and(|plain| *plain == b"x"));
        assert!(key.unseal("b", &sealed).is_err());
        assert!(EpochKey::of(&folder, 4).ok().unwrap().unseal("a", &sealed).is_err());
        assert_eq!(present(&folder), [3, 4]);
        assert!(destroy(&folder, 3).is_ok_and(|was| was));
        assert!(destroy(&folder, 3).is_ok_and(|was| !was));
        assert_eq!(present(&folder), [4]);
        assert!(EpochKey::open(&folder, 3).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
