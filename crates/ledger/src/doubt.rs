//! What speaks against a log's being whole, by a look and not by a check: asked by everybody who
//! reads it, so that a part of the evidence is never told as all of it.

use crate::book::losses::WHOSE;
use crate::fault::Fault;
use crate::losses::word;
use crate::verify::{Missing, reader};
use crate::watch::read_small;
use annals::{Acknowledgements, Lost, Reader, Sight, lost_of, names, sight_of};
use std::io;
use std::path::Path;
use std::time::Duration;
use tlog::{MIRROR_NAME, SignedCheckpoint};

/// A house that runs writes its small files while they are read: what is said twice is meant.
const BETWEEN_LOOKS: Duration = Duration::from_millis(150);

/// A checkpoint that somebody keeps outside the log's folder.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Where it is kept.
    pub place: String,
    /// `None`: what is kept there is no checkpoint.
    pub signed: Option<SignedCheckpoint>,
}

impl Memory {
    /// What is kept in a file; `None` if there is no such file.
    pub fn of(path: &Path) -> Option<Self> {
        let place = path.display().to_string();
        match read_small(path) {
            Ok(bytes) => Some(Self { place, signed: SignedCheckpoint::parse(&bytes) }),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => None,
            Err(_) => Some(Self { place, signed: None }),
        }
    }

    /// Of a file that is always put in place whole: what is no checkpoint, or bears the name of the
    /// ledger's key and not its signature, was altered.
    pub fn problem(&self, reader: &Reader) -> Option<String> {
        let Self { place, signed } = self;
        let is_altered = |signed: &SignedCheckpoint| sight_of(reader, signed) == Sight::Unreadable;
        signed.as_ref().is_none_or(is_altered).then(|| {
            format!(
                "`{place}` holds no checkpoint that the ledger signed: somebody altered what was \
                 remembered of it; compare the ledger with a backup, then remove that file"
            )
        })
    }
}

/// What speaks against telling what the log in `folder` says as the whole of it: damage behind
/// what can be read, other keys than it was written with, a mirror that is gone, and every
/// checkpoint, kept in the folder, by the mirror or by `memories`, that it does not hold and whose
/// loss nobody acknowledged.
///
/// # Errors
/// Files that cannot be read.
pub fn doubts(
    folder: &Path,
    mirror_folder: Option<&Path>,
    memories: impl Fn() -> Vec<Memory>,
) -> Result<Vec<String>, Fault> {
    let found = look(folder, mirror_folder, memories())?;
    if found.is_empty() {
        return Ok(found);
    }
    std::thread::sleep(BETWEEN_LOOKS);
    look(folder, mirror_folder, memories())
}

fn look(
    folder: &Path,
    mirror_folder: Option<&Path>,
    memories: Vec<Memory>,
) -> Result<Vec<String>, Fault> {
    // What is kept before the log itself: of a house that runs, it grows meanwhile.
    let mut doubts = Vec::new();
    doubts.extend(crate::keys::key_problems(folder, mirror_folder));
    if let Some(mirror_folder) = mirror_folder {
        doubts.extend(mirror_gone(folder, mirror_folder, &memories)?);
    }
    let outside = memories.len();
    let mut kept = memories;
    let lost = lost_in(folder)?;
    kept.extend(kept_in(folder, &lost));
    if let Some(mirror_folder) = mirror_folder.filter(|folder| folder.join(names::LOG).exists()) {
        kept.extend(kept_by_mirror(mirror_folder));
    }
    let own = reader(folder)?;
    // What is written over without a flush may be torn, and says nothing then.
    let is_said = |(place, one): &(usize, &Memory)| *place < outside || one.signed.is_some();
    let said = kept.iter().enumerate().filter(is_said);
    doubts.extend(said.filter_map(|(_, one)| one.problem(&own)));
    doubts.extend(own.damage("the ledger's"));
    let mirror = mirror_folder.and_then(|folder| reader(folder).ok());
    let of = |one: &Memory| {
        let signed = one.signed.as_ref()?;
        Some(Missing::of(one.place.clone(), signed, &own)?.at_mirror(signed, mirror.as_ref()))
    };
    let missing: Vec<(&Memory, Missing)> =
        kept.iter().filter_map(|one| Some((one, of(one)?))).collect();
    let gone: Vec<&Lost> = lost.iter().filter(|one| one.signed.is_none()).collect();
    if missing.is_empty() && gone.is_empty() {
        return Ok(doubts);
    }
    // It takes a look at the whole index: only where something does not stand.
    let known = Acknowledgements::read(&own).unwrap_or_default();
    let is_open = |lost: &Lost| known.of(word(WHOSE), lost).is_none();
    for (one, missing) in &missing {
        if is_open(&Lost { name: String::new(), signed: one.signed.clone() }) {
            doubts.push(missing.problem());
        }
    }
    let open = gone.into_iter().filter(|one| is_open(one));
    doubts.extend(open.filter_map(|one| one.problem(WHOSE, &Sight::First)));
    Ok(doubts)
}

fn lost_in(folder: &Path) -> Result<Vec<Lost>, Fault> {
    lost_of(folder).map_err(|source| Fault::File { name: names::CHECKPOINT, source })
}

/// What the ledger saved last, and what it was found without at a start. (The saved one is
/// written over without a flush: a torn one says nothing.)
fn kept_in(folder: &Path, lost: &[Lost]) -> Vec<Memory> {
    let of = |lost: &Lost| Memory {
        place: folder.join(&lost.name).display().to_string(),
        signed: lost.signed.clone(),
    };
    Memory::of(&folder.join(names::CHECKPOINT)).into_iter().chain(lost.iter().map(of)).collect()
}

/// What the mirror saved last, and what its log ends with. A mirror that cannot be read says
/// nothing here; a check names why.
fn kept_by_mirror(folder: &Path) -> Vec<Memory> {
    let log = folder.join(names::LOG).display().to_string();
    let newest = |reader: Reader| reader.newest().cloned();
    let newest = reader(folder).ok().and_then(newest);
    let newest = newest.map(|signed| Memory { place: log, signed: Some(signed) });
    Memory::of(&folder.join(names::CHECKPOINT)).into_iter().chain(newest).collect()
}

/// A mirror that was there and is gone: a checkpoint in the ledger's folder, or one of `memories`,
/// carries a mirror's cosignature, and there is no copy to compare with.
///
/// # Errors
/// Files that cannot be read.
pub fn mirror_gone(
    folder: &Path,
    mirror_folder: &Path,
    memories: &[Memory],
) -> Result<Option<String>, Fault> {
    let log = mirror_folder.join(names::LOG);
    if log.metadata().is_ok_and(|about| about.len() > 0) {
        return Ok(None);
    }
    let kept = kept_in(folder, &lost_in(folder)?);
    let is_cosigned = |one: &&Memory| {
        let signed = one.signed.as_ref();
        signed.is_some_and(|signed| {
            signed.note.signatures.iter().any(|line| line.name == MIRROR_NAME)
        })
    };
    let of = |one: &Memory| {
        let Memory { place, .. } = one;
        let mirror_folder = mirror_folder.display();
        format!(
            "the mirror's copy is gone: `{place}` carries its cosignature, and `{mirror_folder}` \
             holds no log: put the mirror back from a backup; until then nobody but the ledger \
             vouches for the ledger"
        )
    };
    let problem = kept.iter().chain(memories).find(is_cosigned).map(of);
    Ok(problem)
}
