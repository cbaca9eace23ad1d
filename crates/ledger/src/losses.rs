//! What the logs lost, from their files: the statements that are kept of it, and what the house's
//! deciders said they know.

use crate::book::losses::WHOSE;
use crate::fault::Fault;
use crate::verify::reader;
use crate::watch::read_small;
use annals::{
    Acknowledged, Acknowledgements, Lost, Reader, Sight, find_keys, lost_of, names, sight_of,
};
use std::path::Path;
use tlog::{Hash, SignedCheckpoint};

pub(crate) const MIRROR: &str = "the mirror";

/// One thing that was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// `ledger` or `mirror`.
    pub whose: &'static str,
    /// Of the checkpoint; 0 where nobody knows how far the log had come.
    pub size: u64,
    pub root: Hash,
    /// Where it is remembered.
    pub kept_in: String,
    /// In words.
    pub what: String,
    pub acknowledged: Option<Acknowledged>,
}

/// A checkpoint kept in the folder of `whose` log.
pub(crate) struct Remembered {
    pub whose: &'static str,
    pub lost: Lost,
    pub path: String,
}

/// As the entries have it.
pub(crate) fn word(whose: &str) -> &'static str {
    if whose == MIRROR { "mirror" } else { "ledger" }
}

pub(crate) fn remembered(folder: &Path, whose: &'static str) -> Result<Vec<Remembered>, Fault> {
    let fault = |source| Fault::File { name: names::CHECKPOINT, source };
    let mut found = lost_of(folder).map_err(fault)?;
    // The ledger's own saved one is judged with both signatures; the mirror's is a statement only
    // if both signed it.
    if whose != WHOSE
        && let Some(signed) = read_small(&folder.join(names::CHECKPOINT))
            .ok()
            .and_then(|bytes| SignedCheckpoint::parse(&bytes))
            .filter(|signed| find_keys(folder).is_ok_and(|keys| keys.believe(signed)))
    {
        found.push(Lost { name: names::CHECKPOINT.to_owned(), signed: Some(signed) });
    }
    let with_path = |lost: Lost| {
        let path = folder.join(&lost.name).display().to_string();
        Remembered { whose, lost, path }
    };
    Ok(found.into_iter().map(with_path).collect())
}

/// What both logs lost, as their folders and `memories` elsewhere (of the ledger) tell it, and, if
/// there is any, everything that was acknowledged.
///
/// # Errors
/// Files that cannot be read.
pub fn losses(
    folder: &Path,
    mirror_folder: Option<&Path>,
    memories: Vec<Lost>,
) -> Result<(Vec<Loss>, Acknowledgements), Fault> {
    let mirror_folder = mirror_folder.filter(|folder| folder.join(names::LOG).exists());
    let mut found = remembered(folder, WHOSE)?;
    // Those before the logs: of a house that runs, they grow meanwhile.
    if let Some(mirror_folder) = mirror_folder {
        found.extend(remembered(mirror_folder, MIRROR)?);
    }
    let as_ours = |lost: Lost| Remembered { whose: WHOSE, path: lost.name.clone(), lost };
    found.extend(memories.into_iter().map(as_ours));
    let own = reader(folder)?;
    let mirror = mirror_folder.map(reader).transpose()?;
    found.retain(|one| {
        let reader = if one.whose == WHOSE { Some(&own) } else { mirror.as_ref() };
        what(one, reader).is_some()
    });
    // It takes a look at the whole index: only where something is lost.
    let known = match found.is_empty() {
        true => Acknowledgements::default(),
        false => Acknowledgements::read(&own).map_err(Fault::Annals)?,
    };
    let of = |one: &Remembered| {
        let reader = if one.whose == WHOSE { Some(&own) } else { mirror.as_ref() };
        loss(one, reader, &known)
    };
    Ok((found.iter().filter_map(of).collect(), known))
}

/// What was lost, in words; `None`: nothing.
fn what(one: &Remembered, reader: Option<&Reader>) -> Option<String> {
    let sight = one.lost.signed.as_ref().map_or(Sight::First, |signed| {
        reader.map_or(Sight::First, |reader| sight_of(reader, signed))
    });
    one.lost.alarm(one.whose, &sight)
}

fn loss(one: &Remembered, reader: Option<&Reader>, known: &Acknowledgements) -> Option<Loss> {
    let Remembered { whose, lost, path } = one;
    let what = what(one, reader)?;
    let (size, root) = lost.place();
    Some(Loss {
        whose: word(whose),
        size,
        root,
        kept_in: path.clone(),
        what,
        acknowledged: known.of(word(whose), lost).cloned(),
    })
}
