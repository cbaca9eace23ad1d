//! The signer's folder: one sealed file per certificate and per domain that mail is signed for (its
//! name says nothing), and the authority's certificate in clear.

use crate::Fault;
use crate::ages::Ages;
use crate::certificate::Kept;
use crate::house_names::Group;
use crate::mail_keys::KeptKeys;
use rows::RowKey;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use wire::signer::{KEY_FILE_FRONT, key_file};
use zeroize::Zeroizing;

/// A chain and a key: a few kilobytes.
const FILE_BYTES: u64 = 64 * 1024;
const AUTHORITY: &str = "authority";
const INSTALLED: &str = "of the installed certificate";
const INSTALLED_TABLE: &str = "tls-installed";
/// How the files of names of public pages begin.
const NAME_FRONT: &str = "page-";
/// Since when keys serve.
const AGES: &str = "ages";
/// The highest number of a pair that is gone with its domain.
const NUMBERS: &str = "mail-numbers";
const MAIL_TABLE: &str = "mail-key";
/// How faults name the file of a domain, whose own name is nobody's business.
const MAIL_KEYS: &str = "of a domain's mail keys";

pub(crate) struct Store {
    folder: PathBuf,
    authority: Option<Vec<u8>>,
    sealed: Vec<(Group, Vec<u8>)>,
}

impl Store {
    /// Reads what is there, sealed as it is; before the walls stand.
    pub fn open(folder: &Path) -> Result<Self, Fault> {
        let authority = read(folder, AUTHORITY)?;
        let mut sealed = Vec::new();
        for group in Group::ALL {
            sealed.extend(read(folder, group.word())?.map(|bytes| (group, bytes)));
        }
        Ok(Self { folder: folder.to_owned(), authority, sealed })
    }

    pub fn authority(&self) -> Option<Vec<u8>> {
        self.authority.clone()
    }

    pub fn keep_authority(&self, certificate: &[u8]) -> Result<(), Fault> {
        write(&self.folder, AUTHORITY, certificate)
    }

    /// `None`: nothing is kept yet.
    pub fn kept(&self, group: Group, key: &RowKey) -> Result<Option<Kept>, Fault> {
        let Some((_, sealed)) = self.sealed.iter().find(|(one, _)| *one == group) else {
            return Ok(None);
        };
        let name = group.word();
        let plain = key.open("tls", name.as_bytes(), sealed).map(Zeroizing::new);
        let kept = plain.and_then(|plain| postcard::from_bytes(&plain).ok());
        kept.map(Some).ok_or(Fault::Sealed { name })
    }

    pub fn keep(&mut self, group: Group, key: &RowKey, kept: &Kept) -> Result<(), Fault> {
        let plain = postcard::to_stdvec(kept).map(Zeroizing::new).map_err(|_| Fault::Key)?;
        let sealed = key.seal("tls", group.word().as_bytes(), &plain).ok_or(Fault::Key)?;
        write(&self.folder, group.word(), &sealed)?;
        // An old key must not serve again when it is read the next time.
        self.sealed.retain(|(one, _)| *one != group);
        self.sealed.push((group, sealed));
        Ok(())
    }

    /// The files of what was brought for names of public pages, by what their names say.
    pub fn installed_names(&self) -> Result<Vec<[u8; 16]>, Fault> {
        let read = |source| Fault::File { doing: "list", name: INSTALLED, source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(read)? {
            let name = entry.map_err(read)?.file_name();
            let name = name.to_string_lossy().into_owned();
            // One that is being written, or is none of ours, is of nobody whose age is known.
            files.extend(
                name.strip_prefix(NAME_FRONT).map(|digits| {
                    u128::from_str_radix(digits, 16).map_or([0; 16], u128::to_be_bytes)
                }),
            );
        }
        Ok(files)
    }

    /// What its file is called.
    pub fn name_token(&self, name: &str, key: &RowKey) -> [u8; 16] {
        key.token(INSTALLED_TABLE, name.as_bytes())
    }

    /// Since when keys serve.
    pub fn ages(&self, key: &RowKey) -> Result<Ages, Fault> {
        let Some(sealed) = read_as(&self.folder.join(AGES), AGES)? else {
            return Ok(Ages::default());
        };
        let plain = key.open(AGES, &[], &sealed);
        let ages = plain.and_then(|plain| postcard::from_bytes(&plain).ok());
        ages.ok_or(Fault::Sealed { name: AGES })
    }

    pub fn keep_ages(&self, key: &RowKey, ages: &Ages) -> Result<(), Fault> {
        let plain = postcard::to_stdvec(ages).map_err(|_| Fault::Key)?;
        let sealed = key.seal(AGES, &[], &plain).ok_or(Fault::Key)?;
        write(&self.folder, AGES, &sealed)
    }

    /// What an operator brought; `None`: nothing.
    pub fn installed(&self, group: Group, key: &RowKey) -> Result<Option<Kept>, Fault> {
        let Some(sealed) = read_as(&self.installed_file(group), INSTALLED)? else {
            return Ok(None);
        };
        let plain = key.open(INSTALLED_TABLE, group.word().as_bytes(), &sealed);
        let plain = plain.map(Zeroizing::new);
        let kept = plain.and_then(|plain| postcard::from_bytes(&plain).ok());
        kept.map(Some).ok_or(Fault::Sealed { name: INSTALLED })
    }

    /// `None`: what was brought is taken away.
    pub fn keep_installed(
        &self,
        group: Group,
        key: &RowKey,
        kept: Option<&Kept>,
    ) -> Result<(), Fault> {
        let path = self.installed_file(group);
        let Some(kept) = kept else {
            return match std::fs::remove_file(path) {
                Err(fault) if fault.kind() != io::ErrorKind::NotFound => {
                    Err(Fault::File { doing: "remove", name: INSTALLED, source: fault })
                }
                _ => Ok(()),
            };
        };
        let plain = postcard::to_stdvec(kept).map(Zeroizing::new).map_err(|_| Fault::Key)?;
        let sealed = key.seal(INSTALLED_TABLE, group.word().as_bytes(), &plain);
        write_as(&path, INSTALLED, &sealed.ok_or(Fault::Key)?)
    }

    /// What an operator brought for one name of public pages.
    pub fn installed_name(&self, name: &str, key: &RowKey) -> Result<Option<Kept>, Fault> {
        let Some(sealed) = read_as(&self.name_file(name, key), INSTALLED)? else {
            return Ok(None);
        };
        let plain = key.open(INSTALLED_TABLE, name.as_bytes(), &sealed).map(Zeroizing::new);
        let kept = plain.and_then(|plain| postcard::from_bytes(&plain).ok());
        kept.map(Some).ok_or(Fault::Sealed { name: INSTALLED })
    }

    pub fn keep_installed_name(&self, name: &str, key: &RowKey, kept: &Kept) -> Result<(), Fault> {
        let plain = postcard::to_stdvec(kept).map(Zeroizing::new).map_err(|_| Fault::Key)?;
        let sealed = key.seal(INSTALLED_TABLE, name.as_bytes(), &plain).ok_or(Fault::Key)?;
        write_as(&self.name_file(name, key), INSTALLED, &sealed)
    }

    fn name_file(&self, name: &str, key: &RowKey) -> PathBuf {
        let token = self.name_token(name, key);
        let digits: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{NAME_FRONT}{digits}"))
    }

    fn installed_file(&self, group: Group) -> PathBuf {
        self.folder.join(format!("{}-installed", group.word()))
    }

    /// `None`: no mail of this domain is signed. Read when they are asked for: a house may have
    /// ten thousands of domains.
    pub fn mail_keys(&self, domain: &str, key: &RowKey) -> Result<Option<KeptKeys>, Fault> {
        let Some(sealed) = read_as(&self.mail_file(domain, key), MAIL_KEYS)? else {
            return Ok(None);
        };
        let plain = key.open(MAIL_TABLE, domain.as_bytes(), &sealed).map(Zeroizing::new);
        let kept = plain.and_then(|plain| postcard::from_bytes(&plain).ok());
        kept.map(Some).ok_or(Fault::Sealed { name: MAIL_KEYS })
    }

    pub fn keep_mail_keys(&self, key: &RowKey, kept: &KeptKeys) -> Result<(), Fault> {
        let plain = postcard::to_stdvec(kept).map(Zeroizing::new).map_err(|_| Fault::Key)?;
        let sealed = key.seal(MAIL_TABLE, kept.domain.as_bytes(), &plain).ok_or(Fault::Key)?;
        write_as(&self.mail_file(&kept.domain, key), MAIL_KEYS, &sealed)
    }

    /// On no disk any more when it returns; nor what was brought for these names of pages.
    pub fn forget_mail_keys(&self, domain: &str, key: &RowKey) -> Result<(), Fault> {
        remove(&self.mail_file(domain, key), MAIL_KEYS)
    }

    pub fn forget_installed_name(&self, name: &str, key: &RowKey) -> Result<(), Fault> {
        remove(&self.name_file(name, key), INSTALLED)
    }

    /// The number of the last pair that was made for any domain whose keys are gone.
    pub fn last_forgotten(&self) -> Result<u32, Fault> {
        let kept = read_as(&self.folder.join(NUMBERS), NUMBERS)?;
        let number = kept.as_deref().and_then(|bytes| bytes.first_chunk().copied());
        Ok(number.map_or(0, u32::from_be_bytes))
    }

    pub fn keep_last_forgotten(&self, number: u32) -> Result<(), Fault> {
        write(&self.folder, NUMBERS, &number.to_be_bytes())
    }

    /// What the files of domains' keys are called, in their order.
    pub fn mail_files(&self) -> Result<Vec<[u8; 16]>, Fault> {
        let read = |source| Fault::File { doing: "list", name: MAIL_KEYS, source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(read)? {
            let name = entry.map_err(read)?.file_name();
            let name = name.to_string_lossy().into_owned();
            let digits = name.strip_prefix(KEY_FILE_FRONT).filter(|digits| digits.len() == 32);
            let number = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok());
            files.extend(number.map(u128::to_be_bytes));
        }
        files.sort_unstable();
        Ok(files)
    }

    pub fn mail_token(&self, domain: &str, key: &RowKey) -> [u8; 16] {
        key.token(MAIL_TABLE, domain.as_bytes())
    }

    fn mail_file(&self, domain: &str, key: &RowKey) -> PathBuf {
        self.folder.join(key_file(&self.mail_token(domain, key)))
    }
}

fn read(folder: &Path, name: &'static str) -> Result<Option<Vec<u8>>, Fault> {
    read_as(&folder.join(name), name)
}

fn read_as(path: &Path, name: &'static str) -> Result<Option<Vec<u8>>, Fault> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Fault::File { doing: "open", name, source }),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES)
        .read_to_end(&mut bytes)
        .map(|_| Some(bytes))
        .map_err(|source| Fault::File { doing: "read", name, source })
}

fn remove(path: &Path, name: &'static str) -> Result<(), Fault> {
    let fault = |source| Fault::File { doing: "remove", name, source };
    match durable::remove(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(fault(source)),
        _ => {}
    }
    // Also where it is gone: a crash may have come between the two.
    let folder = path.parent().unwrap_or(path);
    File::open(folder).and_then(|folder| durable::sync_folder(&folder)).map_err(fault)
}

fn write(folder: &Path, name: &'static str, bytes: &[u8]) -> Result<(), Fault> {
    write_as(&folder.join(name), name, bytes)
}

/// Whole or not at all.
fn write_as(path: &Path, name: &'static str, bytes: &[u8]) -> Result<(), Fault> {
    let doing = "write";
    durable::put(path, bytes, 0o600).map_err(|source| Fault::File { doing, name, source })
}
