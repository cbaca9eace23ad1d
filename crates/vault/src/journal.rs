//! The key store's file: records appended, flushed before anybody relies on them. How they stand in
//! it: `sums`.
//!
//! Disks may write the sectors of one append in any order. So the length that makes the append
//! count is written when all the rest is flushed: before that it is zero, and ends the file. Such
//! an append was never relied upon, and is cut off; whatever else does not fit is a fault.
//!
//! What is to be forgotten is forgotten by writing the file anew: the new file takes the old one's
//! place in one step, and the old one's octets are overwritten before it is unlinked.

use crate::Fault;
pub(crate) use crate::sums::Records;
use crate::sums::{APPEND_BYTES, Chain, Contents, LENGTH_BYTES, Misfit, put_unsigned};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use unseal::SecretsKey;
use zeroize::Zeroizing;

/// Overwritten at once when an old file is wiped.
const WIPE_BYTES: usize = 64 * 1024;

pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    end: u64,
    /// Whether its records have sums; without a chain nothing is added that has one.
    has_sums: bool,
    chain: Option<Chain>,
}

impl Journal {
    /// Opens or creates the file and gives everything in it, oldest first. Nothing of it is
    /// believed yet.
    pub fn open(path: &Path) -> Result<(Self, Contents), Fault> {
        // Left by a start that ended while it wrote the file anew: the one or the other, not ours.
        wipe_at(&beside(path))?;
        let mut file = options(false).open(path).map_err(store("open"))?;
        let mut bytes = Zeroizing::new(Vec::new());
        file.read_to_end(&mut bytes).map_err(store("read"))?;
        let contents = read(path, &bytes)?;
        let end = contents.end;
        if end < bytes.len() as u64 {
            durable::cut(&file, end).map_err(store("mend"))?;
        }
        durable::sync(&file).map_err(store("flush"))?;
        flush_folder(path)?;
        let has_sums = contents.head.is_some();
        Ok((Self { file, path: path.to_owned(), end, has_sums, chain: None }, contents))
    }

    /// From now on records are added with sums, after those that are there, all of which fit.
    pub fn believe(&mut self, contents: &Contents, key: SecretsKey) -> Result<(), Fault> {
        let chain = contents.believed(key).map_err(|misfit| fault(&self.path, misfit))?;
        self.go_on(chain);
        Ok(())
    }

    /// The same, where that was looked at already.
    pub fn go_on(&mut self, chain: Chain) {
        self.chain = Some(chain);
    }

    /// Where the chain of sums stands; `None`: a plain file, or one whose key nobody gave.
    pub fn chain(&self) -> Option<&Chain> {
        self.chain.as_ref()
    }

    /// Appends all records or none, durably.
    pub fn append(&mut self, records: &[Vec<u8>]) -> Result<(), Fault> {
        let before = self.chain.as_ref().map(Chain::place);
        let appended = self.append_all(records);
        if let (Err(_), Some(chain), Some(before)) = (&appended, &mut self.chain, before) {
            chain.go_back(before);
        }
        appended
    }

    fn append_all(&mut self, records: &[Vec<u8>]) -> Result<(), Fault> {
        let mut bytes = Vec::new();
        for record in records {
            let put = match &mut self.chain {
                Some(chain) => chain.write(&mut bytes, record),
                None => put_unsigned(&mut bytes, record, self.has_sums),
            };
            put.ok_or(Fault::Torn { at: self.end })?;
        }
        if bytes.len() > APPEND_BYTES {
            return Err(Fault::Torn { at: self.end });
        }
        if let Err(source) = self.write(&mut bytes) {
            // What may stand there is overwritten by the next append, or cut at the next start.
            let _ = durable::cut(&self.file, self.end);
            return Err(store("append to")(source));
        }
        self.end += bytes.len() as u64;
        Ok(())
    }

    fn write(&self, bytes: &mut [u8]) -> io::Result<()> {
        let Some(head) = bytes.first_chunk_mut::<LENGTH_BYTES>() else { return Ok(()) };
        let length = std::mem::take(head);
        durable::write_at(&self.file, bytes, self.end)?;
        durable::sync(&self.file)?;
        durable::write_at(&self.file, &length, self.end)?;
        durable::sync(&self.file)
    }

    /// Every record, as it stands in the file.
    pub fn records(&self) -> Result<Records, Fault> {
        let length = usize::try_from(self.end).map_err(|_| Fault::Torn { at: self.end })?;
        let mut bytes = Zeroizing::new(vec![0; length]);
        self.file.read_exact_at(&mut bytes, 0).map_err(store("read"))?;
        let contents = read(&self.path, &bytes)?;
        if let Some(chain) = &self.chain {
            let found = contents.believed(chain.key().again());
            let found = found.map_err(|misfit| fault(&self.path, misfit))?;
            if found.place() != chain.place() {
                return Err(fault(&self.path, Misfit::Forged { at: self.end }));
            }
        }
        Ok(contents.into_rows())
    }

    /// Puts `records` in the place of everything: all of it or nothing, whenever power fails.
    /// Then what stood there is overwritten.
    pub fn rewrite(&mut self, records: &Records) -> Result<(), Fault> {
        let chain = match &self.chain {
            Some(chain) => Some(chain.next().ok_or(Fault::Torn { at: 0 })?),
            // What is taken out of it without the root leaves its sums as they are.
            None if self.has_sums => return Err(Fault::Torn { at: 0 }),
            None => None,
        };
        self.write_anew(records, chain)
    }

    /// The same, and every record has a sum from now on.
    pub fn take_sums(&mut self, records: &Records, key: SecretsKey) -> Result<(), Fault> {
        let chain = Chain::begin(key, Default::default()).ok_or(Fault::Torn { at: 0 })?;
        self.write_anew(records, Some(chain))
    }

    fn write_anew(&mut self, records: &Records, mut chain: Option<Chain>) -> Result<(), Fault> {
        let mut bytes = Zeroizing::new(chain.as_ref().map(Chain::head).unwrap_or_default());
        for record in records {
            let put = match &mut chain {
                Some(chain) => chain.write(&mut bytes, record),
                None => put_unsigned(&mut bytes, record, false),
            };
            put.ok_or(Fault::Torn { at: self.end })?;
        }
        self.exchange(&bytes)?;
        (self.has_sums, self.chain) = (chain.is_some(), chain);
        Ok(())
    }

    /// Without the root: what was emptied is overwritten, and `added` stand behind it without sums.
    pub fn empty(&mut self, contents: &Contents, added: &[Vec<u8>]) -> Result<(), Fault> {
        let mut bytes = contents.write().ok_or(Fault::Torn { at: 0 })?;
        for record in added {
            put_unsigned(&mut bytes, record, self.has_sums).ok_or(Fault::Torn { at: 0 })?;
        }
        self.exchange(&bytes)
    }

    fn exchange(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let new = beside(&self.path);
        let file = options(true).open(&new).map_err(store("write anew"))?;
        keep_owner(&self.file, &file).map_err(store("write anew"))?;
        file.write_all_at(bytes, 0).and_then(|()| file.sync_all()).map_err(store("write anew"))?;
        let is_exchanged = renameat_with(CWD, &new, CWD, &self.path, RenameFlags::EXCHANGE);
        if is_exchanged.is_err() {
            // A file system that cannot exchange: the old file lives on by its descriptor alone.
            std::fs::rename(&new, &self.path).map_err(store("write anew"))?;
        }
        flush_folder(&self.path)?;
        let old = std::mem::replace(&mut self.file, file);
        let old_bytes = std::mem::replace(&mut self.end, bytes.len() as u64);
        wipe(&old, old_bytes)?;
        wipe_at(&new)
    }
}

/// What stands in a file, by its short sums alone.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<Contents, Fault> {
    Contents::read(bytes).map_err(|misfit| fault(path, misfit))
}

pub(crate) fn fault(path: &Path, misfit: Misfit) -> Fault {
    let name = path.file_name().and_then(|name| name.to_str());
    let file = name.unwrap_or_default().to_owned();
    match misfit {
        Misfit::Damaged { at } => Fault::Damaged { file, at },
        Misfit::Forged { at } => Fault::Forged { file, at },
        Misfit::Foreign => Fault::Key(unseal::Fault::Refused),
    }
}

fn options(is_new: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(is_new).mode(0o600);
    options
}

/// Root writes it anew while no vault runs: it stays the vault's own.
fn keep_owner(old: &File, new: &File) -> io::Result<()> {
    let (before, now) = (old.metadata()?, new.metadata()?);
    match (before.uid(), before.gid()) == (now.uid(), now.gid()) {
        true => Ok(()),
        false => fchown(new, Some(before.uid()), Some(before.gid())),
    }
}

/// Where a file is written anew.
fn beside(path: &Path) -> PathBuf {
    path.with_extension("new")
}

fn flush_folder(path: &Path) -> Result<(), Fault> {
    let folder = path.parent().map(File::open).transpose().map_err(store("flush"))?;
    folder.map_or(Ok(()), |folder| durable::sync_folder(&folder)).map_err(store("flush"))
}

/// Overwrites a file that is in nobody's use, and unlinks it.
fn wipe_at(path: &Path) -> Result<(), Fault> {
    match OpenOptions::new().write(true).open(path) {
        Ok(file) => {
            wipe(&file, file.metadata().map_err(store("wipe"))?.len())?;
            std::fs::remove_file(path).map_err(store("wipe"))?;
            flush_folder(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(store("wipe")(error)),
    }
}

fn wipe(file: &File, length: u64) -> Result<(), Fault> {
    let zeroes = [0u8; WIPE_BYTES];
    let mut at = 0;
    while at < length {
        let count = usize::try_from(length - at).unwrap_or(WIPE_BYTES).min(WIPE_BYTES);
        let some = zeroes.get(..count).unwrap_or_default();
        file.write_all_at(some, at).map_err(store("wipe"))?;
        at += count as u64;
    }
    file.sync_all().map_err(store("wipe"))
}

fn store(doing: &'static str) -> impl Fn(io::Error) -> Fault {
    move |source| Fault::Store { doing, source }
}
