//! A disk as the kernel promises it, and no better: what was flushed is there; of the rest any
//! part may be.

use crate::dice::Dice;
use crate::pages::Lazy;
use crate::tape::Step;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Disks write sectors whole.
pub(crate) const SECTOR: usize = 512;

/// How the end comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The process is killed: the kernel still has all that was written.
    Killed,
    /// The power goes: only what was flushed is sure.
    PowerCut,
}

#[derive(Clone, Debug)]
enum Loose {
    Write { at: u64, bytes: Vec<u8> },
    Cut { length: u64 },
}

#[derive(Clone, Debug)]
enum Name {
    Given { path: PathBuf, number: usize },
    Moved { from: PathBuf, to: PathBuf },
    Taken { path: PathBuf },
}

#[derive(Clone, Debug, Default)]
struct Octets {
    sure: Vec<u8>,
    loose: Vec<Loose>,
}

#[derive(Debug, Default)]
pub(crate) struct Disk {
    files: Vec<Octets>,
    /// Names that are sure, and as running programs see them.
    names: BTreeMap<PathBuf, usize>,
    seen: BTreeMap<PathBuf, usize>,
    loose_names: Vec<Name>,
    database: Lazy,
}

impl Disk {
    pub fn take(&mut self, step: &Step) {
        match step {
            Step::Write { file, at, bytes } => {
                let loose = Loose::Write { at: *at, bytes: bytes.clone() };
                self.with(file, |octets| octets.loose.push(loose));
            }
            Step::Cut { file, length } => {
                let loose = Loose::Cut { length: *length };
                self.with(file, |octets| octets.loose.push(loose));
            }
            Step::Sync { file } => self.with(file, |octets| {
                let loose = std::mem::take(&mut octets.loose);
                loose.iter().for_each(|one| follow(&mut octets.sure, one));
            }),
            Step::Rename { from, to } => {
                self.name(Name::Moved { from: from.clone(), to: to.clone() });
            }
            Step::Remove { path } => self.name(Name::Taken { path: path.clone() }),
            Step::SyncFolder => {
                let names = std::mem::take(&mut self.loose_names);
                names.iter().for_each(|one| follow_name(&mut self.names, one));
            }
            Step::Seen(shot) => self.database.see(shot),
            Step::Said(_) => {}
        }
    }

    /// A step that the end interrupts: a write may be there in part.
    pub fn tear(&mut self, step: &Step, dice: &mut Dice) {
        match step {
            // No kernel and no disk divides so little within one sector.
            Step::Write { at, bytes, .. } if is_undivided(*at, bytes.len()) => {
                if dice.once_in(2) {
                    self.take(step);
                }
            }
            Step::Write { file, at, bytes } => {
                let bytes: Vec<u8> =
                    bytes.iter().take(dice.below(bytes.len() + 1)).copied().collect();
                self.take(&Step::Write { file: file.clone(), at: *at, bytes });
            }
            _ if dice.once_in(2) => self.take(step),
            _ => {}
        }
    }

    fn name(&mut self, name: Name) {
        follow_name(&mut self.seen, &name);
        self.loose_names.push(name);
    }

    /// The file of this name; a name that nobody knows is a new file's.
    fn with(&mut self, path: &Path, act: impl FnOnce(&mut Octets)) {
        let known = self.seen.get(path).copied();
        let number = known.unwrap_or(self.files.len());
        if known.is_none() {
            self.files.push(Octets::default());
            self.name(Name::Given { path: path.to_owned(), number });
        }
        if let Some(octets) = self.files.get_mut(number) {
            act(octets);
        }
    }

    pub fn lay(mut self, how: How, dice: &mut Dice, root: &Path, into: &Path) -> io::Result<()> {
        // Journals of file systems write names down in order: some of the last are lost.
        let kept = match how {
            How::Killed => self.loose_names.len(),
            How::PowerCut => dice.below(self.loose_names.len() + 1),
        };
        self.loose_names.iter().take(kept).for_each(|one| follow_name(&mut self.names, one));
        for (path, number) in &self.names {
            let Some(octets) = self.files.get(*number) else { continue };
            let bytes = match how {
                How::Killed => octets.all(),
                How::PowerCut => octets.some(dice),
            };
            write(root, into, path, &bytes)?;
        }
        for (path, bytes) in self.database.pick(how, dice) {
            write(root, into, &path, &bytes)?;
        }
        Ok(())
    }
}

fn write(root: &Path, into: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let Ok(inside) = path.strip_prefix(root) else { return Ok(()) };
    let place = into.join(inside);
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(place, bytes)
}

impl Octets {
    fn all(&self) -> Vec<u8> {
        let mut bytes = self.sure.clone();
        self.loose.iter().for_each(|one| follow(&mut bytes, one));
        bytes
    }

    /// What was flushed, and some of the rest: none, the first steps, any sectors of any step, or
    /// a length that grew over sectors that were never written.
    fn some(&self, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.sure.clone();
        match dice.below(5) {
            0 => {}
            1 => return self.all(),
            2 => {
                let count = dice.below(self.loose.len() + 1);
                self.loose.iter().take(count).for_each(|one| follow(&mut bytes, one));
            }
            3 => {
                let length = self.all().len();
                bytes.resize(length.max(bytes.len()), 0);
            }
            _ => self.loose.iter().for_each(|one| follow_in_part(&mut bytes, one, dice)),
        }
        bytes
    }
}

fn is_undivided(at: u64, length: usize) -> bool {
    let within = usize::try_from(at % SECTOR as u64).unwrap_or_default();
    length <= 8 && within + length <= SECTOR
}

fn follow(bytes: &mut Vec<u8>, loose: &Loose) {
    match loose {
        Loose::Write { at, bytes: new } => lay_over(bytes, *at, new),
        Loose::Cut { length } => bytes.resize(usize::try_from(*length).unwrap_or_default(), 0),
    }
}

fn follow_in_part(bytes: &mut Vec<u8>, loose: &Loose, dice: &mut Dice) {
    let Loose::Write { at, bytes: new } = loose else {
        if dice.once_in(2) {
            follow(bytes, loose);
        }
        return;
    };
    let mut place = *at;
    let mut rest = new.as_slice();
    while !rest.is_empty() {
        // Up to the next border of a sector.
        let room = SECTOR - usize::try_from(place % SECTOR as u64).unwrap_or_default();
        let (piece, after) = rest.split_at(room.min(rest.len()));
        if dice.once_in(2) {
            lay_over(bytes, place, piece);
        }
        place += piece.len() as u64;
        rest = after;
    }
}

/// Writes at a place; what lies between the end and that place reads as zeroes.
pub(crate) fn lay_over(bytes: &mut Vec<u8>, at: u64, new: &[u8]) {
    let at = usize::try_from(at).unwrap_or_default();
    let end = at + new.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(room) = bytes.get_mut(at..end) {
        room.copy_from_slice(new);
    }
}

fn follow_name(names: &mut BTreeMap<PathBuf, usize>, name: &Name) {
    match name {
        Name::Given { path, number } => {
            names.insert(path.clone(), *number);
        }
        Name::Moved { from, to } => {
            if let Some(number) = names.remove(from) {
                names.insert(to.clone(), number);
            }
        }
        Name::Taken { path } => {
            names.remove(path);
        }
    }
}
