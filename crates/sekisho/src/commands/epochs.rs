//! Backup epochs: the keys that key backups are sealed under, each in a file of its own, beside
//! the data folder or where the operator says, never with the data or the keys.
//!
//! An epoch ends when keys are destroyed. Then its file is overwritten and unlinked, and every key
//! backup made under it is noise: also one that nobody knows of any more.

use crate::outcome::Trouble;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use vault::BackupKey;
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
/// A sealed file begins with it.
const HEAD: &[u8] = b"sekisho key backup v1\n";
/// A vault of a million people: what is sealed in one piece.
const FILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;
const OTHER_KEY: &str = "an epoch has one key: name the place where it lies (--epoch-keys DIR); \
                         if it is lost, begin the next epoch first: keys epochs start";
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

/// What the file with an epoch's key is called.
pub fn file_name(epoch: u32) -> String {
    format!("epoch-{epoch}.key")
}

fn path_of(folder: &Path, epoch: u32) -> PathBuf {
    folder.join(file_name(epoch))
}

/// The print of the key in a short file, if there is one.
pub fn print_of(path: &Path) -> Option<[u8; 32]> {
    let text = Zeroizing::new(fs::read_to_string(path).ok()?);
    let key = Zeroizing::new(BASE32_NOPAD.decode(text.trim().as_bytes()).ok()?);
    let key = (key.len() == KEY_BYTES).then_some(EpochKey { epoch: 0, key })?;
    Some(vault::epoch_print(&key.witness()))
}

/// What is left of a key until the vault has heard that it was destroyed.
fn path_of_witness(folder: &Path, epoch: u32) -> PathBuf {
    folder.join(format!("epoch-{epoch}.ended"))
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

/// The key that a backup is sealed under now, and its epoch. An epoch has one: the vault's store
/// knows it from the first backup on, and a backup under another would outlive the epoch's end.
pub fn going_on(data: &Path, folder: &Path) -> Result<(EpochKey, u32), Trouble> {
    let hint = "look at the free space and the rights of this folder, then try again";
    let fault = |error: vault::Fault| Trouble::fault(error.to_string(), hint);
    let store = data.join("vault");
    let told = vault::look(&store).map_err(fault)?;
    let epoch = told.backup_epoch;
    let Some(known) = told.backup_keys.get(&epoch) else {
        let key = EpochKey::of(folder, epoch)?;
        let (print, place) = (vault::epoch_print(&key.witness()), folder.display().to_string());
        vault::note_epoch_key(&store, epoch, &BackupKey { print, place }).map_err(fault)?;
        return Ok((key, epoch));
    };
    let (print, place) = (known.fingerprint(), &known.place);
    let expected = format!("the key {print} of backup epoch {epoch}, which first lay in {place}");
    let refused = |found: String| Trouble::refused(&expected, found, OTHER_KEY);
    if !path_of(folder, epoch).exists() {
        return Err(refused(format!("no key in {}", folder.display())));
    }
    let key = EpochKey::open(folder, epoch)?;
    match vault::epoch_print(&key.witness()) == known.print {
        true => Ok((key, epoch)),
        false => Err(refused(format!("another key in {}", folder.display()))),
    }
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

    /// What this key alone gives, and what does not lead back to it.
    pub fn witness(&self) -> [u8; KEY_BYTES] {
        let hash = Sha256::new().chain_update(b"sekisho epoch witness v1\0");
        hash.chain_update(&*self.key).finalize().into()
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

/// What was found of an epoch's key.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    pub was_here: bool,
    /// None: no key was here, now or when this was tried before.
    pub witness: Option<String>,
}

/// Overwrites and unlinks an epoch's key. What shows that it was that key stays until `forget`: a
/// service that is away just then hears of it the next time.
pub fn destroy(folder: &Path, epoch: u32) -> Result<Ended, Trouble> {
    let path = path_of(folder, epoch);
    let fault = fault(&path);
    let kept = path_of_witness(folder, epoch);
    let mut file = match File::options().write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let witness = fs::read_to_string(kept).ok();
            return Ok(Ended { was_here: false, witness });
        }
        Err(error) => return Err(fault(error)),
    };
    // Another text: half overwritten by an attempt before, which kept the witness.
    if let Ok(key) = EpochKey::open(folder, epoch) {
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        let text = HEXLOWER.encode(&key.witness());
        let written = options.open(&kept).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(&fault)?;
    }
    let length = usize::try_from(file.metadata().map_err(&fault)?.len()).unwrap_or_default();
    file.write_all(&vec![0; length]).and_then(|()| file.sync_all()).map_err(&fault)?;
    fs::remove_file(&path).map_err(&fault)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(&fault)?;
    Ok(Ended { was_here: true, witness: fs::read_to_string(kept).ok() })
}

/// The vault has answered: nothing is left of the key.
pub fn forget(folder: &Path, epoch: u32) {
    let _ = fs::remove_file(path_of_witness(folder, epoch)); // it opens nothing
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
    use super::{Ended, EpochKey, destroy, forget, present};

    #[test]
    fn what_an_ended_epoch_sealed_is_noise() {
        let folder = std::env::temp_dir().join(format!("sekisho-epochs-{}", std::process::id()));
        let sealed = EpochKey::of(&folder, 3).ok().unwrap().seal("a", b"x".to_vec()).ok().unwrap();
        let key = EpochKey::open(&folder, 3).ok().unwrap();
        assert!(key.unseal("a", &sealed).is_ok_and(|plain| *plain == b"x"));
        assert!(key.unseal("b", &sealed).is_err());
        assert!(EpochKey::of(&folder, 4).ok().unwrap().unseal("a", &sealed).is_err());
        assert_eq!(present(&folder), [3, 4]);
        let witness = Some(data_encoding::HEXLOWER.encode(&key.witness()));
        let destroyed = |was_here, witness| {
            let found = destroy(&folder, 3).ok();
            assert_eq!(found, Some(Ended { was_here, witness }));
        };
        destroyed(true, witness.clone());
        // The service was away: it is told the next time.
        destroyed(false, witness);
        forget(&folder, 3);
        destroyed(false, None);
        assert_eq!(present(&folder), [4]);
        assert!(EpochKey::open(&folder, 3).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
