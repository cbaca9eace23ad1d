//! The signer's folder: one sealed file per certificate, and the authority's certificate in clear.

use crate::Fault;
use crate::certificate::Kept;
use crate::house_names::Group;
use rows::RowKey;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A chain and a key: a few kilobytes.
const FILE_BYTES: u64 = 64 * 1024;
const AUTHORITY: &str = "authority";

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

    pub fn keep(&self, group: Group, key: &RowKey, kept: &Kept) -> Result<(), Fault> {
        let plain = postcard::to_stdvec(kept).map(Zeroizing::new).map_err(|_| Fault::Key)?;
        let sealed = key.seal("tls", group.word().as_bytes(), &plain).ok_or(Fault::Key)?;
        write(&self.folder, group.word(), &sealed)
    }
}

fn read(folder: &Path, name: &'static str) -> Result<Option<Vec<u8>>, Fault> {
    let file = match File::open(folder.join(name)) {
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

/// Whole or not at all.
fn write(folder: &Path, name: &'static str, bytes: &[u8]) -> Result<(), Fault> {
    durable::put(&folder.join(name), bytes, 0o600).map_err(|source| Fault::File {
        doing: "write",
        name,
        source,
    })
}
