//! The mirror's files: its key, the ledger's public key, the log and its tiles. All are opened
//! before the jail.

use crate::copy::Copy;
use crate::fault::Fault;
use annals::names::{ANCHOR, CHECKPOINT, LATTICE, LATTICE_KEY};
use annals::{
    Acknowledgements, Reader, Segments, Shelf, Sight, find_keys, keep_changed, keep_lost, lost_of,
};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tlog::{Anchor, Cosigner, LOG_ORIGIN, MIRROR_NAME, NoteVerifier, SignedCheckpoint};
use wire::ledger::LostAt;
use witness::LatticeCosigner;

/// The cosigning key's seed.
const KEY: &str = "key";
/// Its public half, for readers.
const PUBLIC: &str = "key.pub";
/// The ledger's public key as first seen; another one is refused ever after.
const LEDGER: &str = "ledger.pub";
const LOG: &str = "log";

/// Opens the copy in `folder`, making what is not there yet, and says what was found on the way.
/// Of a log that somebody changed the beginning is kept that still stands, as if the rest had
/// been lost: the ledger gives it again, and what does not fit a cosigned checkpoint is alarmed.
///
/// # Errors
/// Files that cannot be used, or are not what they were.
pub fn open(
    folder: &Path,
    ledger_key: Option<[u8; 32]>,
) -> Result<(Copy<Segments>, Vec<String>), Fault> {
    fs::create_dir_all(folder).map_err(file(LOG))?;
    let seed = durable::seed(folder, KEY, compartment::random::<32>).map_err(file(KEY))?;
    let cosigner =
        Cosigner::new(MIRROR_NAME, &seed).ok_or(Fault::Changed { name: KEY, expected: "a key" })?;
    must_be_of(folder, &cosigner.public().to_text())?;
    durable::keep(&folder.join(PUBLIC), cosigner.public().to_text().as_bytes())
        .map_err(file(PUBLIC))?;
    let given = ledger_key.and_then(|key| NoteVerifier::new(LOG_ORIGIN, &key));
    let lattice = LatticeCosigner::beside(MIRROR_NAME, &seed)
        .ok_or(Fault::Changed { name: KEY, expected: "a key" })?;
    let public = lattice.public().to_text();
    durable::keep(&folder.join(LATTICE_KEY), public.as_bytes()).map_err(file(LATTICE_KEY))?;
    let known = pinned(&folder.join(LEDGER), given)?;
    let volumes = Segments::volumes(folder).map_err(file(LOG))?;
    let kept = annals::Folder(folder.to_owned()).get(ANCHOR).map_err(file(ANCHOR))?;
    let has_kept = kept.is_some();
    let anchor = kept.and_then(|bytes| Anchor::decode(&bytes));
    let is_none_of_ours = has_kept && anchor.is_none();
    let (mut copy, opened) =
        Copy::open(volumes, anchor.as_ref(), cosigner, known).map_err(Fault::Store)?;
    let (mut notes, mut damaged) = (Vec::new(), None);
    if let Some(what) = opened.damage {
        keep_changed(folder, compartment::now_ms()).map_err(file(LOG))?;
        copy.drop_loose().map_err(Fault::Store)?;
        damaged = Some(format!(
            "the mirror's log was changed: {what}; {} of {} entries are left, a copy is kept; the \
             ledger gives it the others again",
            copy.size(),
            opened.claimed_size.max(copy.size())
        ));
    } else if opened.torn_bytes > 0 {
        notes.push(format!("dropped {} octets of an unfinished batch", opened.torn_bytes));
    }
    if opened.tiles_repaired {
        notes.push("tiles did not agree with the entries and were written anew".to_owned());
    }
    if opened.anchor_refused {
        notes.push("the anchor does not fit the copy, which was read whole".to_owned());
    }
    if is_none_of_ours {
        notes.push(annals::NO_ANCHOR.to_owned());
    }
    let (mut alarms, lost) = recall(folder, &copy).map_err(file(CHECKPOINT))?;
    alarms.extend(damaged);
    let saving = |name| {
        let mut saved = OpenOptions::new();
        let saved = saved.write(true).create(true).truncate(false).mode(0o600);
        saved.open(folder.join(name)).map_err(file(name))
    };
    let shelf = annals::Folder(folder.to_owned());
    let copy = copy.with_shelf(Box::new(shelf)).knowing(lost);
    let copy = copy.owing_an_anchor(is_none_of_ours || opened.anchor_refused);
    let copy = copy.saving(saving(CHECKPOINT)?, alarms).signing_twice(lattice, saving(LATTICE)?);
    Ok((copy, notes))
}

/// Compares the copy with the checkpoint that was saved last, and with those that were found
/// missing before. What is missing is kept before anything can write over it.
fn recall(folder: &Path, copy: &Copy<Segments>) -> io::Result<(Vec<String>, Vec<LostAt>)> {
    // Written over without a flush: a torn one says nothing.
    let saved = fs::read(folder.join(CHECKPOINT)).unwrap_or_default();
    let (mut alarms, mut kept) = (Vec::new(), Vec::new());
    match SignedCheckpoint::parse(&saved) {
        Some(signed) if copy.is_altered(&signed) => {
            alarms.push(
                "the mirror's saved checkpoint is not signed by the ledger: the file was altered"
                    .to_owned(),
            );
        }
        Some(signed) if copy.sight(&signed).problem().is_some() => keep_lost(folder, &saved)?,
        _ => {}
    }
    let all = lost_of(folder)?;
    // The copy has the entries that say what is known of a loss.
    let reader =
        (!all.is_empty()).then(|| find_keys(folder).and_then(|keys| Reader::open(folder, keys)));
    let known = reader.and_then(|reader| Acknowledgements::read(&reader.ok()?).ok());
    let known = known.unwrap_or_default();
    for lost in all {
        let (size, root) = lost.place();
        let at = LostAt { size, root: root.0 };
        if known.of("mirror", &lost).is_some() {
            kept.push(at);
            continue;
        }
        let sight = lost.signed.as_ref().map_or(Sight::First, |signed| copy.sight(signed));
        match lost.alarm("the mirror", &sight) {
            Some(alarm) if lost.is_altered(&sight) => alarms.push(alarm),
            Some(alarm) => {
                alarms.push(alarm);
                kept.push(at);
            }
            // The copy holds it again.
            None => durable::remove(&folder.join(&lost.name))?,
        }
    }
    Ok((alarms, kept))
}

fn file(name: &'static str) -> impl Fn(io::Error) -> Fault {
    move |source| Fault::File { name, source }
}

/// The key pinned in the file, or the one given; both must agree.
fn pinned(path: &Path, given: Option<NoteVerifier>) -> Result<Option<NoteVerifier>, Fault> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => String::new(),
        Err(fault) => return Err(file(LEDGER)(fault)),
    };
    if text.trim().is_empty() {
        if let Some(key) = &given {
            durable::keep(path, key.to_text().as_bytes()).map_err(file(LEDGER))?;
        }
        return Ok(given);
    }
    let changed = Fault::Changed { name: LEDGER, expected: "the ledger's first key" };
    match NoteVerifier::parse(text.trim()) {
        Some(known) if given.as_ref().is_none_or(|given| *given == known) => Ok(Some(known)),
        _ => Err(changed),
    }
}

/// Refuses another key than its log's: whoever checks proofs has the one that cosigned until now.
fn must_be_of(folder: &Path, public: &str) -> Result<(), Fault> {
    match durable::is_key_of(&folder.join(LOG), &folder.join(PUBLIC), public) {
        true => Ok(()),
        false => Err(Fault::Changed { name: KEY, expected: "the key of `key.pub` beside it" }),
    }
}

#[cfg(test)]
mod tests {
    use super::{KEY, LOG, PUBLIC, open};
    use crate::fault::Fault;
    use std::fs;

    #[test]
    fn neither_another_key_nor_a_new_one_takes_the_place_of_the_logs() {
        let folder = std::env::temp_dir().join(format!("mirror-keys-{}", std::process::id()));
        let public = || open(&folder, None).map(|(copy, _)| copy.public_key());
        let own = public().unwrap();
        let [key, log, known] = [KEY, LOG, PUBLIC].map(|name| folder.join(name));
        let (seed, before) = (fs::read(&key).unwrap(), fs::read(&known).unwrap());
        assert!(log.exists());
        fs::write(&key, [9; 32]).unwrap();
        let said = public().unwrap_err().to_string();
        assert!(said.contains("expected the key of `key.pub` beside it"), "{said}");
        fs::remove_file(&key).unwrap();
        let fault = public().unwrap_err();
        assert!(matches!(fault, Fault::File { name: KEY, .. }), "{fault}");
        assert!(!key.exists() && fs::read(&known).unwrap() == before);
        fs::write(&key, seed).unwrap();
        assert_eq!(public().unwrap(), own);
        fs::remove_dir_all(&folder).unwrap();
    }
}
