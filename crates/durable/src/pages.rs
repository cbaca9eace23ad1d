//! Databases, which others than our steps write: known by how they looked between two acts. From
//! two looks follows what may stand between them, for SQLite writes in this order: the log beside
//! the database (`-wal`), and the database itself once its log was flushed.

use crate::dice::Dice;
use crate::disk::{How, SECTOR, lay_over};
use std::path::{Path, PathBuf};
use std::rc::Rc;

const LOG: &str = "-wal";

/// How the files of a database look. A file that does not exist is not in it.
pub(crate) type Shot = Vec<(PathBuf, Rc<Vec<u8>>)>;
type Laid = Vec<(PathBuf, Vec<u8>)>;

pub(crate) fn shoot(files: &[PathBuf]) -> Shot {
    let read = |path: &PathBuf| Some((path.clone(), Rc::new(std::fs::read(path).ok()?)));
    files.iter().filter_map(read).collect()
}

fn is_log(path: &Path) -> bool {
    path.to_string_lossy().ends_with(LOG)
}

fn octets(shot: &Shot, path: &Path) -> Rc<Vec<u8>> {
    let found = shot.iter().find(|(known, _)| known == path);
    found.map(|(_, bytes)| bytes.clone()).unwrap_or_default()
}

/// A database whose log is flushed only before the database is written (`synchronous=NORMAL`).
#[derive(Debug, Default)]
pub(crate) struct Lazy {
    /// The first is sure; of the log of those behind it any part may be missing.
    since: Vec<Shot>,
    /// The last before the database was written.
    before: Option<Shot>,
}

impl Lazy {
    pub fn see(&mut self, shot: &Shot) {
        let is_written = self.since.last().is_none_or(|last| {
            shot.iter().any(|(path, bytes)| !is_log(path) && octets(last, path) != *bytes)
        });
        if is_written {
            // Its log was flushed before, and it itself before the log begins anew.
            self.before = self.since.pop();
            self.since.clear();
        }
        self.since.push(shot.clone());
    }

    /// What may be found after the end.
    pub fn pick(&self, how: How, dice: &mut Dice) -> Laid {
        let (Some(sure), Some(last)) = (self.since.first(), self.since.last()) else {
            return Laid::new();
        };
        // As well as the written database: its half, with all of the log that is written into it.
        if let Some(before) = self.before.as_ref().filter(|_| self.since.len() == 1)
            && dice.once_in(3)
        {
            return half_written(before, sure, dice);
        }
        let shot = match how {
            How::Killed => last,
            How::PowerCut => self.since.get(dice.below(self.since.len())).unwrap_or(last),
        };
        let lay = |(path, bytes): &(PathBuf, Rc<Vec<u8>>)| match (how, is_log(path)) {
            (How::PowerCut, true) => (path.clone(), mixed(&octets(sure, path), bytes, dice)),
            _ => (path.clone(), bytes.to_vec()),
        };
        shot.iter().map(lay).collect()
    }
}

fn half_written(before: &Shot, after: &Shot, dice: &mut Dice) -> Laid {
    let lay = |(path, old): &(PathBuf, Rc<Vec<u8>>)| match is_log(path) {
        true => (path.clone(), old.to_vec()),
        false => (path.clone(), mixed(old, &octets(after, path), dice)),
    };
    before.iter().map(lay).collect()
}

/// A database that flushes its log with every commit (`synchronous=FULL`), looked at after each.
#[derive(Debug)]
pub struct Film {
    files: Vec<PathBuf>,
    looks: Vec<Shot>,
}

impl Film {
    /// The database at this path, with the log beside it.
    pub fn of(database: &Path) -> Self {
        let mut log = database.as_os_str().to_owned();
        log.push(LOG);
        Self { files: vec![database.to_owned(), log.into()], looks: Vec::new() }
    }

    /// To be called after each act that was answered.
    pub fn look(&mut self) {
        self.looks.push(shoot(&self.files));
    }

    /// Acts between two looks.
    pub fn acts(&self) -> usize {
        self.looks.len().saturating_sub(1)
    }

    /// Lays what may be found when the power goes during this act (the first is 0).
    pub fn lay(&self, act: usize, dice: &mut Dice, into: &Path) -> std::io::Result<()> {
        let (Some(before), Some(after)) = (self.looks.get(act), self.looks.get(act + 1)) else {
            return Ok(());
        };
        let has_moved = |(path, bytes): &(PathBuf, Rc<Vec<u8>>)| {
            !is_log(path) && octets(before, path) != *bytes
        };
        let is_written = after.iter().any(has_moved) && dice.once_in(2);
        for (path, new) in after {
            let old = octets(before, path);
            let bytes = match (is_log(path), is_written) {
                (true, true) => new.to_vec(),
                (true, false) | (false, true) => mixed(&old, new, dice),
                (false, false) => old.to_vec(),
            };
            std::fs::write(into.join(path.file_name().unwrap_or_default()), bytes)?;
        }
        Ok(())
    }
}

/// Sectors of the new among those of the old: all, the first, or any.
fn mixed(old: &[u8], new: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = old.to_vec();
    let how = dice.below(4);
    let first = dice.below(new.len().div_ceil(SECTOR) + 1);
    if how == 0 {
        return new.to_vec();
    }
    for (place, sector) in new.chunks(SECTOR).enumerate() {
        let is_kept = match how {
            1 => place < first,
            2 => dice.once_in(2),
            _ => !dice.once_in(8),
        };
        if is_kept {
            lay_over(&mut bytes, (place * SECTOR) as u64, sector);
        }
    }
    bytes
}
