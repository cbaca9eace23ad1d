//! Reading the evidence without the service: is it whole, is it the mirror's, what does it say.

use crate::authors::root_key;
use crate::fault::Fault;
use crate::folder::{CHECKPOINT, LOG, PUBLIC, file};
use evidence::{AuthorKey, Body, Entry, Frame};
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use terms::{InstanceId, Kind};
use tlog::{
    CompactRange, CosignerKey, Hash, NoteVerifier, Replayed, SignedCheckpoint, leaf_hash, replay,
};

/// Problems that are told one by one; more are counted.
const PROBLEMS: usize = 100;
/// Signatures checked together: enough work for every processor, little memory.
const TOGETHER: usize = 4_096;

/// What `ledger verify` found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub size: u64,
    pub root: Hash,
    pub entries_checked: u64,
    /// The mirror holds the same history, as far as it goes, and goes as far as we do or was
    /// stopped before us. `None` without a mirror to ask.
    pub mirror_agrees: Option<bool>,
    pub mirror_size: u64,
    /// No problem was found.
    pub ok: bool,
    pub problems: Vec<String>,
    /// Octets of a batch that was never finished: no problem, and dropped at the next start.
    pub loose_bytes: u64,
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

/// Reads every entry of the log in `folder`, in order.
///
/// # Errors
/// Files that cannot be read.
pub fn entries(folder: &Path, mut seen: impl FnMut(u64, Entry)) -> Result<Head, Fault> {
    let (_, replayed) = read_ledger(folder, |index, bytes| {
        if let Some(frame) = Frame::parse(bytes) {
            seen(index, frame.entry);
        }
    })?;
    Ok(newest(replayed, false))
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
    entries(folder, |index, entry| {
        if (from..to).contains(&index) {
            line(entry.to_json(index));
        }
    })
}

/// The newest checkpoint; the mirror's own copy of it, when it is as new, carries both signatures.
///
/// # Errors
/// Files that cannot be read.
pub fn head(folder: &Path, mirror_folder: Option<&Path>) -> Result<Head, Fault> {
    let (_, replayed) = read_ledger(folder, |_, _| {})?;
    let own = newest(replayed, false);
    let Some(mirror_folder) = mirror_folder.filter(|folder| folder.join(LOG).exists()) else {
        return Ok(own);
    };
    let ledger = public_key(folder)?;
    let mirrored = newest(read_mirror(mirror_folder, &ledger)?, true);
    Ok(if (mirrored.size, mirrored.root) == (own.size, own.root) { mirrored } else { own })
}

/// Checks everything: hashes, checkpoints, signatures, numbers, and the mirror's copy.
///
/// # Errors
/// Files that cannot be read; everything else is a problem that is said.
pub fn verify(folder: &Path, mirror_folder: Option<&Path>) -> Result<Verified, Fault> {
    let ledger = public_key(folder)?;
    let saved = mirror_folder.and_then(|mirror| saved_checkpoint(folder, mirror, &ledger));
    // The mirror first: of a service that runs, the ledger is never behind it then.
    let mirror = match mirror_folder.filter(|folder| folder.join(LOG).exists()) {
        Some(folder) => Some(read_mirror(folder, &ledger)?),
        None => None,
    };
    let mut checker = Checker::default();
    let mirror_size = mirror.as_ref().map_or(0, |mirror| mirror.range.size());
    let mut range = CompactRange::new();
    let mut root_at_mirror = (mirror_size == 0).then(|| range.root());
    let (_, replayed) = read_ledger(folder, |index, bytes| {
        range.append(leaf_hash(bytes), |_, _, _| {});
        if index + 1 == mirror_size {
            root_at_mirror = Some(range.root());
        }
        checker.check(index, bytes);
    })?;
    checker.check_signatures();
    if let Some(damage) = &replayed.damage {
        checker.problem(format!("the log was changed: {damage}"));
    } else if replayed.claimed_size > replayed.range.size() {
        let claimed = replayed.claimed_size;
        checker.problem(format!("entries up to {claimed} were signed and cannot be read"));
    }
    if let Some(cosigned) = saved
        && cosigned.checkpoint.size > mirror_size
    {
        let claimed = cosigned.checkpoint.size;
        checker.problem(format!("the mirror cosigned {claimed} entries and holds {mirror_size}"));
    }
    let mirror_agrees = mirror.as_ref().map(|mirror| root_at_mirror == Some(mirror.range.root()));
    if let Some(mirror) = &mirror {
        judge_mirror(mirror, replayed.range.size(), mirror_agrees == Some(true), &mut checker);
    }
    Ok(Verified {
        size: replayed.range.size(),
        root: replayed.range.root(),
        entries_checked: checker.checked,
        mirror_agrees,
        mirror_size,
        ok: checker.count == 0,
        problems: checker.problems,
        loose_bytes: replayed.loose_bytes,
    })
}

fn judge_mirror(mirror: &Replayed, size: u64, agrees: bool, checker: &mut Checker) {
    let held = mirror.range.size();
    if let Some(damage) = &mirror.damage {
        checker.problem(format!("the mirror's log was changed: {damage}"));
    } else if mirror.claimed_size > held {
        checker.problem("the mirror signed entries that cannot be read".to_owned());
    }
    if held > size {
        checker.problem(format!("the mirror holds {held} entries, the ledger {size}"));
    } else if !agrees {
        checker.problem(format!("the mirror holds another history of {held} entries"));
    }
}

/// What the ledger last saved under both signatures, if both are right.
fn saved_checkpoint(
    folder: &Path,
    mirror_folder: &Path,
    ledger: &NoteVerifier,
) -> Option<SignedCheckpoint> {
    let mirror = fs::read_to_string(mirror_folder.join(PUBLIC)).ok()?;
    let mirror = CosignerKey::parse(mirror.trim())?;
    let signed = SignedCheckpoint::parse(&fs::read(folder.join(CHECKPOINT)).ok()?)?;
    (signed.note.is_signed_by(ledger) && mirror.cosigned(&signed.note).is_some()).then_some(signed)
}

fn newest(replayed: Replayed, cosigned: bool) -> Head {
    let (size, root) = (replayed.range.size(), replayed.range.root());
    let checkpoint = replayed.newest.map(|signed| signed.note.to_text()).unwrap_or_default();
    let cosigned = cosigned && !checkpoint.is_empty();
    Head { size, root, checkpoint, cosigned }
}

fn public_key(folder: &Path) -> Result<NoteVerifier, Fault> {
    let text = fs::read_to_string(folder.join(PUBLIC)).map_err(file(PUBLIC))?;
    let expected = "the ledger's public key";
    NoteVerifier::parse(text.trim()).ok_or(Fault::Changed { name: PUBLIC, expected })
}

pub(crate) fn read_ledger(
    folder: &Path,
    mut seen: impl FnMut(u64, &[u8]),
) -> Result<(NoteVerifier, Replayed), Fault> {
    let key = public_key(folder)?;
    let log = File::open(folder.join(LOG)).map_err(file(LOG))?;
    let believed = |signed: &SignedCheckpoint| signed.note.is_signed_by(&key);
    let replayed = replay(&log, believed, |index, _, bytes| seen(index, bytes));
    Ok((key.clone(), replayed.map_err(file(LOG))?))
}

/// The newest checkpoint that both signed, as the mirror holds it.
pub(crate) fn believed_mirror(
    folder: &Path,
    mirror_folder: &Path,
) -> Result<Option<SignedCheckpoint>, Fault> {
    if !mirror_folder.join(LOG).exists() {
        return Ok(None);
    }
    Ok(read_mirror(mirror_folder, &public_key(folder)?)?.newest)
}

pub(crate) fn mirror_key_text(mirror_folder: &Path) -> Option<String> {
    let text = fs::read_to_string(mirror_folder.join(PUBLIC)).ok()?;
    Some(CosignerKey::parse(text.trim())?.to_text())
}

fn read_mirror(folder: &Path, ledger: &NoteVerifier) -> Result<Replayed, Fault> {
    let text = fs::read_to_string(folder.join(PUBLIC)).map_err(file(PUBLIC))?;
    let expected = "the mirror's public key";
    let key = CosignerKey::parse(text.trim()).ok_or(Fault::Changed { name: PUBLIC, expected })?;
    let log = File::open(folder.join(LOG)).map_err(file(LOG))?;
    let believed = |signed: &SignedCheckpoint| {
        signed.note.is_signed_by(ledger) && key.cosigned(&signed.note).is_some()
    };
    replay(&log, believed, |_, _, _| {}).map_err(file(LOG))
}

fn wrongly_signed(part: &[Unchecked]) -> Vec<u64> {
    let is_right = |bytes: &[u8], key: &AuthorKey| {
        Frame::parse(bytes).is_some_and(|frame| frame.is_signed_with(key))
    };
    let wrong = part.iter().filter(|(_, bytes, key)| !is_right(bytes, key));
    wrong.map(|(index, ..)| *index).collect()
}

type Unchecked = (u64, Vec<u8>, Arc<AuthorKey>);

/// Follows every author's series through the log.
#[derive(Default)]
struct Checker {
    checked: u64,
    authors: HashMap<InstanceId, (Kind, Option<Arc<AuthorKey>>, u64)>,
    /// Entries whose signatures are still to be checked, and by whose key.
    unchecked: Vec<Unchecked>,
    next_release: Option<u64>,
    count: u64,
    problems: Vec<String>,
}

impl Checker {
    fn problem(&mut self, what: String) {
        self.count += 1;
        if self.problems.len() < PROBLEMS {
            self.problems.push(what);
        }
    }

    /// Signatures are most of the work, so all processors share it.
    fn check_signatures(&mut self) {
        let unchecked = std::mem::take(&mut self.unchecked);
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = unchecked.len().div_ceil(threads).max(1);
        let wrong: Vec<u64> = thread::scope(|scope| {
            let mut begun = Vec::new();
            for part in unchecked.chunks(share) {
                begun.push((part, scope.spawn(move || wrongly_signed(part))));
            }
            // What was not checked to its end was not found right.
            let all = |part: &[Unchecked]| part.iter().map(|one| one.0).collect();
            let ended = begun.into_iter();
            ended.flat_map(|(part, thread)| thread.join().unwrap_or_else(|_| all(part))).collect()
        });
        for index in wrong {
            self.problem(format!("entry {index} is not signed by its author"));
        }
    }

    fn check(&mut self, index: u64, bytes: &[u8]) {
        self.checked += 1;
        let Some(frame) = Frame::parse(bytes) else {
            return self.problem(format!("entry {index} cannot be read"));
        };
        let entry = &frame.entry;
        if let Some(key) = root_key(entry) {
            self.authors
                .entry(entry.start)
                .or_insert_with(|| (Kind::Warden, AuthorKey::new(&key).map(Arc::new), 0));
        }
        match self.authors.get_mut(&entry.start) {
            None => self.problem(format!("entry {index} is of an author whom nobody named")),
            Some((kind, key, next)) => {
                let (expected, found) = (*next, entry.seq);
                *next = entry.seq + 1;
                let key = key.clone().filter(|_| *kind == entry.author);
                if expected != found {
                    let who = entry.start;
                    self.problem(format!(
                        "entry {index}: expected number {expected} of {who}, found {found}"
                    ));
                }
                match key {
                    Some(key) => self.unchecked.push((index, bytes.to_vec(), key)),
                    None => self.problem(format!("entry {index} is not of its author's kind")),
                }
                if self.unchecked.len() >= TOGETHER {
                    self.check_signatures();
                }
            }
        }
        match &entry.body {
            Body::ProcessStart { instance, kind, key: Some(key), .. }
                if entry.author == Kind::Warden && *instance != entry.start =>
            {
                self.authors
                    .entry(*instance)
                    .or_insert_with(|| (*kind, AuthorKey::new(key).map(Arc::new), 0));
            }
            Body::Release { vault_seq, .. } => {
                let expected = self.next_release.unwrap_or(*vault_seq);
                if expected != *vault_seq {
                    self.problem(format!(
                        "entry {index}: expected release {expected}, found {vault_seq}"
                    ));
                }
                self.next_release = Some(vault_seq + 1);
            }
            _ => {}
        }
    }
}
