//! Reading the evidence without the service: is it whole, is it the mirror's, what does it say.

use crate::book::losses::WHOSE;
use crate::doubt::{Memory, mirror_gone};
use crate::fault::Fault;
use crate::folder::LOG;
use crate::keys;
use crate::losses::{MIRROR, Remembered, word};
use crate::watch::read_small;
use annals::{
    Acknowledged, Acknowledgements, Checked, Keys, Lost, Reader, Sight, check, check_copy,
    find_keys, names, sight_of,
};
use evidence::{Entry, Frame};
use std::path::Path;
use tlog::{CosignerKey, Hash, SignedCheckpoint};

/// What `ledger verify` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub size: u64,
    pub root: Hash,
    pub entries_checked: u64,
    pub chapters_checked: u64,
    /// The mirror holds the same history, as far as it goes, and goes as far as we do or was
    /// stopped before us. `None` without a mirror to ask.
    pub mirror_agrees: Option<bool>,
    pub mirror_size: u64,
    /// No problem was found.
    pub ok: bool,
    pub problems: Vec<String>,
    /// What was seen to stand before and does not stand: part of the problems.
    pub missing: Vec<Missing>,
    /// Worth saying, and no problem.
    pub notes: Vec<String>,
    /// Octets of a batch that was never finished: no problem, and dropped at the next start.
    pub loose_bytes: u64,
}

/// A checkpoint that was seen before, and what stands where it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Where it is remembered.
    pub kept_in: String,
    pub expected_size: u64,
    pub expected_root: Hash,
    pub found_size: u64,
    /// The root of as many entries, if there are so many.
    pub found_root: Option<Hash>,
    /// It is signed with the key that this log has now.
    pub same_key: bool,
    /// The mirror holds it: a start takes it back from there.
    pub at_mirror: bool,
}

impl Missing {
    /// `None` if the log holds the checkpoint.
    pub fn of(kept_in: String, signed: &SignedCheckpoint, reader: &Reader) -> Option<Self> {
        let sight = sight_of(reader, signed);
        if matches!(sight, Sight::Consistent | Sight::Unreadable) {
            return None;
        }
        Some(Self {
            kept_in,
            expected_size: signed.checkpoint.size,
            expected_root: signed.checkpoint.root,
            found_size: reader.size(),
            found_root: reader.root_at(signed.checkpoint.size),
            same_key: !matches!(sight, Sight::Foreign { .. }),
            at_mirror: false,
        })
    }

    /// Whether the mirror holds what is missing. Where two histories stand, none is taken back.
    pub(crate) fn at_mirror(self, signed: &SignedCheckpoint, mirror: Option<&Reader>) -> Self {
        let holds = |mirror: &Reader| sight_of(mirror, signed) == Sight::Consistent;
        let is_missing = self.same_key && self.found_root.is_none();
        Self { at_mirror: is_missing && mirror.is_some_and(holds), ..self }
    }

    /// In words, for whoever must do something about it.
    pub fn problem(&self) -> String {
        let Self { kept_in, expected_size, expected_root, found_size, .. } = self;
        let root = match (self.same_key, &self.found_root) {
            (false, _) => "under another key".to_owned(),
            (true, None) => "and no more".to_owned(),
            (true, Some(found)) => format!("with the root {} there", found.to_base64()),
        };
        let expected_root = expected_root.to_base64();
        if self.at_mirror {
            return format!(
                "expected {expected_size} entries with the root {expected_root} as `{kept_in}` \
                 says, found {found_size} {root}: the mirror holds them: a start of the house \
                 takes them back from there"
            );
        }
        format!(
            "expected {expected_size} entries with the root {expected_root} as `{kept_in}` says, \
             found {found_size} {root}: put the ledger back from a backup, or, to go on without: \
             sekisho ledger acknowledge-loss"
        )
    }
}

/// The newest checkpoint, best with the mirror's cosignature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub size: u64,
    pub root: Hash,
    /// A signed note.
    pub checkpoint: String,
    pub cosigned: bool,
}

impl Verified {
    /// The line of `ledger verify --json`.
    pub fn to_json(&self) -> String {
        let agrees = self.mirror_agrees.map_or("null".to_owned(), |agrees| agrees.to_string());
        let problems: Vec<String> = self.problems.iter().map(|what| quoted(what)).collect();
        format!(
            "{{\"size\":{},\"root\":\"{}\",\"entries_checked\":{},\"mirror_agrees\":{agrees},\
             \"ok\":{},\"mirror_size\":{},\"problems\":[{}]}}",
            self.size,
            self.root.to_base64(),
            self.entries_checked,
            self.ok,
            self.mirror_size,
            problems.join(","),
        )
    }
}

impl Head {
    /// The line of `ledger head --json`.
    pub fn to_json(&self) -> String {
        format!(
            "{{\"size\":{},\"root\":\"{}\",\"checkpoint\":{},\"cosigned\":{}}}",
            self.size,
            self.root.to_base64(),
            quoted(&self.checkpoint),
            self.cosigned,
        )
    }
}

/// Our own words as a JSON string.
fn quoted(text: &str) -> String {
    let mut line = String::from("\"");
    for one in text.chars() {
        match one {
            '"' | '\\' => line.extend(['\\', one]),
            '\n' => line.push_str("\\n"),
            ' '.. => line.push(one),
            _ => line.push('?'),
        }
    }
    line.push('"');
    line
}

/// Opens the log in `folder` for reading: from its last anchor on, not from its beginning.
///
/// # Errors
/// Files that cannot be read.
pub fn reader(folder: &Path) -> Result<Reader, Fault> {
    let keys = find_keys(folder).map_err(Fault::Annals)?;
    Reader::open(folder, keys).map_err(Fault::Annals)
}

/// Reads every entry of the log in `folder`, in order.
///
/// # Errors
/// Files that cannot be read.
pub fn entries(folder: &Path, mut seen: impl FnMut(u64, Entry)) -> Result<Head, Fault> {
    let reader = reader(folder)?;
    reader
        .entries(0, |index, bytes| {
            if let Some(frame) = Frame::parse(bytes) {
                seen(index, frame.entry);
            }
            true
        })
        .map_err(Fault::Annals)?;
    Ok(head_of(&reader, false))
}

/// One JSON line for each entry from `from` up to, without, `to`.
///
/// # Errors
/// Files that cannot be read.
pub fn export(
    folder: &Path,
    from: u64,
    to: u64,
    mut line: impl FnMut(String),
) -> Result<Head, Fault> {
    let reader = reader(folder)?;
    if from < to {
        reader
            .entries(from, |index, bytes| {
                if let Some(frame) = Frame::parse(bytes) {
                    line(frame.entry.to_json(index));
                }
                index + 1 < to
            })
            .map_err(Fault::Annals)?;
    }
    Ok(head_of(&reader, false))
}

/// The newest checkpoint; the mirror's own copy of it, when it is as new, carries both signatures.
///
/// # Errors
/// Files that cannot be read.
pub fn head(folder: &Path, mirror_folder: Option<&Path>) -> Result<Head, Fault> {
    let own = head_of(&reader(folder)?, false);
    let Some(mirror_folder) = mirror_folder.filter(|folder| folder.join(LOG).exists()) else {
        return Ok(own);
    };
    let mirrored = head_of(&reader(mirror_folder)?, true);
    Ok(if (mirrored.size, mirrored.root) == (own.size, own.root) { mirrored } else { own })
}

fn head_of(reader: &Reader, cosigned: bool) -> Head {
    let annals::Head { size, root, note } = reader.head();
    let cosigned = cosigned && !note.is_empty();
    Head { size, root, checkpoint: note, cosigned }
}

/// Checks everything: hashes, checkpoints, signatures, numbers, tiles, the index, and the
/// mirror's copy.
///
/// # Errors
/// Files that cannot be read; everything else is a problem that is said.
pub fn verify(folder: &Path, mirror_folder: Option<&Path>) -> Result<Verified, Fault> {
    verify_remembering(folder, mirror_folder, &[])
}

/// As `verify`, and compares with what is remembered elsewhere. `memories` were read before.
///
/// # Errors
/// As `verify`.
pub fn verify_remembering(
    folder: &Path,
    mirror_folder: Option<&Path>,
    memories: &[Memory],
) -> Result<Verified, Fault> {
    let keys = find_keys(folder).map_err(Fault::Annals)?;
    let gone = match mirror_folder {
        Some(mirror_folder) => mirror_gone(folder, mirror_folder, memories)?,
        None => None,
    };
    let mirror_folder = mirror_folder.filter(|folder| folder.join(LOG).exists());
    // What is remembered before what is there: of a service that runs, both grow while we read.
    let saved = saved_checkpoint(folder, mirror_folder, &keys);
    let mut remembered = crate::losses::remembered(folder, WHOSE)?;
    if let Some(mirror_folder) = mirror_folder {
        remembered.extend(crate::losses::remembered(mirror_folder, MIRROR)?);
    }
    // The mirror first: of a service that runs, the ledger is never behind it then.
    let mirror = match mirror_folder {
        Some(folder) => Some(check_copy(folder, 0, |_, _| {}).map_err(Fault::Annals)?),
        None => None,
    };
    let mirror_size = mirror.as_ref().map_or(0, |mirror| mirror.size);
    let mut own = check(folder, &keys, mirror_size, |_, _, _| {}).map_err(Fault::Annals)?;
    let mirror_agrees = mirror.as_ref().map(|mirror| own.root_at == Some(mirror.root));
    if let Some(saved) = &saved {
        judge_saved(saved, mirror.as_ref(), folder, &mut own)?;
    }
    if let (Some(mirror), Some(mirror_folder)) = (mirror, mirror_folder) {
        judge_mirror(mirror, mirror_folder, &keys, mirror_agrees == Some(true), &mut own);
    }
    let of_keys = keys::judge(folder, mirror_folder);
    own.problems.extend(of_keys.problems.into_iter().chain(of_keys.gone).chain(gone));
    own.notes.extend(of_keys.notes);
    let mut missing = judge_remembered(&remembered, folder, mirror_folder, &mut own)?;
    missing.extend(judge_memories(memories, folder, mirror_folder, &mut own)?);
    Ok(Verified {
        size: own.size,
        root: own.root,
        entries_checked: own.entries_checked,
        chapters_checked: own.chapters_checked,
        mirror_agrees,
        mirror_size,
        ok: own.problems.is_empty(),
        problems: own.problems,
        missing,
        notes: own.notes,
        loose_bytes: own.loose_bytes,
    })
}

fn judge_mirror(mirror: Checked, folder: &Path, keys: &Keys, agrees: bool, own: &mut Checked) {
    let (held, size) = (mirror.size, own.size);
    own.problems.extend(mirror.problems);
    own.notes.extend(mirror.notes);
    if find_keys(folder).is_ok_and(|copied| copied.ledger != keys.ledger) {
        own.problems.push("the mirror copies a ledger with another key".to_owned());
    }
    if held > size {
        own.problems.push(format!("the mirror holds {held} entries, the ledger {size}"));
    } else if !agrees {
        own.problems.push(format!("the mirror holds another history of {held} entries"));
    }
}

/// What the ledger last saved under both signatures must be there, on both sides.
fn judge_saved(
    saved: &Saved,
    mirror: Option<&Checked>,
    folder: &Path,
    own: &mut Checked,
) -> Result<(), Fault> {
    let signed = match saved {
        Saved::Wrong(what) => {
            own.problems.push(format!("the saved checkpoint {what}"));
            return Ok(());
        }
        Saved::Right(signed) => signed,
    };
    let (claimed, root) = (signed.checkpoint.size, signed.checkpoint.root);
    if let Some(held) = mirror.map(|mirror| mirror.size).filter(|held| *held < claimed) {
        own.problems.push(format!("the mirror cosigned {claimed} entries and holds {held}"));
    }
    if own.size < claimed {
        let size = own.size;
        own.problems.push(format!("a checkpoint of {claimed} entries was saved, {size} are left"));
    } else if reader(folder)?.root_at(claimed).is_some_and(|found| found != root) {
        own.problems
            .push(format!("the saved checkpoint of {claimed} entries is another history's"));
    }
    Ok(())
}

/// What was lost once stays a problem until it is held again, on the side that lost it, or until it
/// is acknowledged: then it is told as a note.
fn judge_remembered(
    remembered: &[Remembered],
    folder: &Path,
    mirror_folder: Option<&Path>,
    own: &mut Checked,
) -> Result<Vec<Missing>, Fault> {
    let mut missing = Vec::new();
    let reader_of_own = reader(folder)?;
    let known = Acknowledgements::read(&reader_of_own).map_err(Fault::Annals)?;
    own.notes.extend(known.0.iter().map(|one| told(one, remembered)));
    if remembered.is_empty() {
        return Ok(missing);
    }
    let reader_of_mirror = mirror_folder.map(reader).transpose()?;
    for Remembered { whose, lost, path } in remembered {
        let reader = if *whose == WHOSE { Some(&reader_of_own) } else { reader_of_mirror.as_ref() };
        let Some(reader) = reader else { continue };
        if known.of(word(whose), lost).is_some() {
            continue;
        }
        let sight = lost.signed.as_ref().map_or(Sight::First, |signed| sight_of(reader, signed));
        own.problems.extend(lost.problem(whose, &sight));
        if let Some(signed) = &lost.signed {
            let found = Missing::of(path.clone(), signed, reader);
            let mirror = reader_of_mirror.as_ref().filter(|_| *whose == WHOSE);
            missing.extend(found.map(|found| found.at_mirror(signed, mirror)));
        }
    }
    Ok(missing)
}

/// What is remembered outside the ledger's folder must be there, or known to be lost.
fn judge_memories(
    memories: &[Memory],
    folder: &Path,
    mirror_folder: Option<&Path>,
    own: &mut Checked,
) -> Result<Vec<Missing>, Fault> {
    let mirror = mirror_folder.and_then(|folder| reader(folder).ok());
    let reader = reader(folder)?;
    own.problems.extend(memories.iter().filter_map(|one| one.problem(&reader)));
    let mut missing = Vec::new();
    for one in memories {
        let Some(signed) = &one.signed else { continue };
        let found = Missing::of(one.place.clone(), signed, &reader);
        let Some(found) = found.map(|found| found.at_mirror(signed, mirror.as_ref())) else {
            continue;
        };
        let known = Acknowledgements::read(&reader).map_err(Fault::Annals)?;
        let lost = Lost { name: String::new(), signed: one.signed.clone() };
        if known.of(word(WHOSE), &lost).is_none() {
            own.problems.push(found.problem());
            missing.push(found);
        }
    }
    Ok(missing)
}

/// One acknowledgement; that nothing is kept of such a loss is said with it.
fn told(one: &Acknowledged, remembered: &[Remembered]) -> String {
    match remembered.iter().any(|kept| one.covers(word(kept.whose), &kept.lost)) {
        true => one.note(),
        false => one.note_without_statement(),
    }
}

enum Saved {
    Right(SignedCheckpoint),
    Wrong(&'static str),
}

/// The file `checkpoint`, if there is one; written over without a flush, so an empty or torn one
/// says nothing.
fn saved_checkpoint(folder: &Path, mirror_folder: Option<&Path>, keys: &Keys) -> Option<Saved> {
    let mirror = read_small(&mirror_folder?.join(names::PUBLIC)).ok()?;
    let mirror = CosignerKey::parse(String::from_utf8_lossy(&mirror).trim())?;
    let bytes = read_small(&folder.join(names::CHECKPOINT)).ok();
    let bytes = bytes.filter(|text| !text.is_empty())?;
    let Some(signed) = SignedCheckpoint::parse(&bytes) else {
        return Some(Saved::Wrong("cannot be read"));
    };
    if !signed.note.is_signed_by(&keys.ledger) {
        return Some(Saved::Wrong("is not signed by the ledger"));
    }
    match mirror.cosigned(&signed.note) {
        Some(_) => Some(Saved::Right(signed)),
        None => Some(Saved::Wrong("is not cosigned by the mirror")),
    }
}
