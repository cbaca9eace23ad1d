//! Whether the evidence is whole: asked by every command that reads it, so that a part of it is
//! never told as all of it.

use super::evidence::{beside, fault};
use super::outside;
use crate::outcome::{Outcome, Trouble};
use annals::{Lost, names};
use ledger::{Memory, Verified};
use serde_json::json;
use std::io;
use std::path::Path;
use std::time::Duration;

const HINT: &str = "sekisho ledger verify says everything that is wrong: what the ledger or its \
    mirror still holds whole, a start of the house gives to the other; what neither holds must \
    come back from a backup, or, to go on without: sekisho ledger acknowledge-loss";

const GONE: &str = "put it back from a backup; where the mirror is whole and the ledger's key is \
    there (`ledger/key`, in the key backup), a start of the house takes it back from there";
/// A log of more than this is not read whole by the way: some five million entries.
const EXAMINED_BYTES: u64 = 2 * 1024 * 1024 * 1024;
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// What the house, and whoever reads here, remember outside the ledger's folder, named by where it
/// lies.
pub fn memories(data: &Path) -> Vec<Memory> {
    // Another keeper's folder: whoever may not look into it says nothing of it.
    let sighted = Some(data.join(ledger::SIGHTED)).filter(|path| {
        let fault = std::fs::File::open(path).err();
        fault.is_none_or(|fault| fault.kind() != io::ErrorKind::PermissionDenied)
    });
    let places = [data.join(ledger::SEEN), beside(data, "seen")].into_iter().chain(sighted);
    let places: Vec<_> = places.collect();
    places.iter().filter_map(|path| Memory::of(path)).collect()
}

/// The same, as losses are told.
pub fn remembered(data: &Path) -> Vec<Lost> {
    let as_lost = |one: Memory| Some(Lost { name: one.place, signed: Some(one.signed?) });
    memories(data).into_iter().filter_map(as_lost).collect()
}

/// Everything, checked: the ledger, its mirror, their keys, and what is remembered of them.
pub fn checked(data: &Path) -> Result<Verified, Trouble> {
    must_be_there(data)?;
    let (own, mirror) = (data.join("ledger"), data.join("mirror"));
    // What is remembered before what is there: of a service that runs, both grow.
    let memories = memories(data);
    let mut found = ledger::verify_remembering(&own, Some(&mirror), &memories).map_err(fault)?;
    found.problems.extend(outside::second_cosignature(data));
    found.notes.extend(forgotten(data));
    found.ok = found.problems.is_empty();
    Ok(found)
}

/// What a house that has run remembers its evidence by, and is not there. A first start, or a first
/// look, has none yet: that cannot be told from its removal, and is no problem.
fn forgotten(data: &Path) -> Vec<String> {
    let (own, mirror) = (data.join("ledger"), data.join("mirror"));
    let is_there = |path: &Path| path.metadata().is_ok_and(|about| about.len() > 0);
    let is_gone = |path: &Path| match path.metadata() {
        Ok(about) => about.len() == 0,
        Err(fault) => fault.kind() == io::ErrorKind::NotFound,
    };
    let has_mirror = is_there(&mirror.join(names::LOG));
    let places = [
        (own.join(names::CHECKPOINT), has_mirror),
        (mirror.join(names::CHECKPOINT), has_mirror),
        (mirror.join(names::LATTICE), is_there(&mirror.join(names::LATTICE_KEY))),
        (data.join(ledger::SEEN), true),
        (beside(data, "seen"), true),
        (data.join(ledger::SIGHTED), is_there(&data.join("vault/keys"))),
    ];
    if !is_there(&own.join(names::LOG)) {
        return Vec::new();
    }
    let gone = places.iter().filter(|(place, is_meant)| *is_meant && is_gone(place));
    gone.map(|(place, _)| nothing_in(place)).collect()
}

fn nothing_in(place: &Path) -> String {
    format!(
        "`{}` holds nothing: before a first start or look it is not there; later, somebody removed \
         what was remembered in it",
        place.display()
    )
}

/// A ledger that others remember and that is not there is gone: that is no folder of a service
/// that never ran.
fn must_be_there(data: &Path) -> Result<(), Trouble> {
    gone(data).map_or(Ok(()), |what| Err(Trouble::fault(what, GONE)))
}

fn gone(data: &Path) -> Option<String> {
    let log = data.join("ledger").join(names::LOG);
    let is_gone = log.metadata().is_err_and(|fault| fault.kind() == io::ErrorKind::NotFound);
    let memories = if is_gone { memories(data) } else { Vec::new() };
    let (place, signed) =
        memories.iter().find_map(|one| Some((&one.place, one.signed.as_ref()?)))?;
    let (log, size) = (log.display(), signed.checkpoint.size);
    Some(format!(
        "the ledger is gone: `{place}` says that it held {size} entries, and `{log}` is not there"
    ))
}

/// Checked whole, for whoever asks how a house is: every entry is read. `None`: it is too large for
/// that, and was only looked at.
pub fn examined(data: &Path) -> (Vec<String>, Option<bool>) {
    let found = standing(data);
    let log = data.join("ledger").join(names::LOG);
    if !found.is_empty() || !log.exists() {
        return (found, Some(false));
    }
    if bytes_of(&data.join("ledger")) > EXAMINED_BYTES {
        return (found, None);
    }
    let look = || match checked(data) {
        Ok(found) => found.problems,
        Err(trouble) => vec![trouble.told()],
    };
    let first = look();
    if first.is_empty() {
        return (first, Some(true));
    }
    // A house that runs writes its small files while they are read: what is said twice is meant.
    std::thread::sleep(BETWEEN_LOOKS);
    (look(), Some(true))
}

/// Octets of all segments of a log.
fn bytes_of(folder: &Path) -> u64 {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let is_log =
        |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(names::LOG);
    let bytes = entries.filter(is_log).filter_map(|entry| Some(entry.metadata().ok()?.len()));
    bytes.sum()
}

/// What speaks against telling what the ledger says as the whole of it.
pub fn doubts(data: &Path) -> Result<Vec<String>, Trouble> {
    must_be_there(data)?;
    let (own, mirror) = (data.join("ledger"), data.join("mirror"));
    ledger::doubts(&own, Some(&mirror), || memories(data)).map_err(fault)
}

/// The same for those who tell the state of a house, which may not have begun yet: what cannot be
/// read speaks against it as well. Of a folder that is not ours to look into nothing is said.
pub fn standing(data: &Path) -> Vec<String> {
    let begun = ["ledger", "mirror"].map(|folder| data.join(folder).join(names::LOG).exists());
    if data.read_dir().is_err() || !begun.contains(&true) && memories(data).is_empty() {
        return Vec::new();
    }
    let (own, mirror) = (data.join("ledger"), data.join("mirror"));
    if let Some(gone) = gone(data) {
        return vec![gone];
    }
    let found = ledger::doubts(&own, Some(&mirror), || memories(data));
    found.unwrap_or_else(|fault| vec![fault.to_string()])
}

/// For answers that are worth nothing if they are not whole.
pub fn must_be(data: &Path) -> Result<(), Trouble> {
    doubts(data)?.first().map_or(Ok(()), |first| Err(trouble(first)))
}

fn trouble(first: &str) -> Trouble {
    Trouble::fault(format!("the evidence is not whole: {first}"), HINT)
}

/// An answer that helps also if it is not whole, and says so then.
pub fn told(doubts: &[String], outcome: Outcome) -> Outcome {
    let Some(first) = doubts.first() else { return outcome };
    let value = match outcome {
        Outcome::Done(mut value) | Outcome::Wanting(mut value) => {
            super::insert(&mut value, "incomplete", json!(doubts));
            Some(value)
        }
        Outcome::Told(_) => None,
        part @ Outcome::Part(..) => return part,
    };
    Outcome::Part(value, trouble(first))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::forgotten;
    use std::fs;

    #[test]
    fn what_nothing_is_remembered_in_is_told_once_there_is_a_log() {
        let home = std::env::temp_dir().join(format!("sekisho-forgotten-{}", std::process::id()));
        let _ = fs::remove_dir_all(&home);
        let data = home.join("d");
        for folder in ["ledger", "mirror", "vault"] {
            fs::create_dir_all(data.join(folder)).unwrap();
        }
        let put = |name: &str| fs::write(data.join(name), "x").unwrap();
        let check = |names: &[&str]| {
            let told = forgotten(&data);
            assert_eq!(told.len(), names.len(), "{told:?}");
            for (told, name) in told.iter().zip(names) {
                assert!(told.starts_with(&format!("`{}` ", data.join(name).display())), "{told}");
                let japanese = crate::words::in_japanese(told).unwrap();
                assert!(japanese.contains("何もありません"), "{japanese}");
            }
        };
        check(&[]);
        put("ledger/log");
        assert_eq!(forgotten(&data).len(), 2);
        ["seen", "../d.seen"].iter().for_each(|name| put(name));
        check(&[]);
        ["mirror/log", "mirror/key.ml-dsa-44.pub", "vault/keys"].iter().for_each(|name| put(name));
        let all = ["ledger/checkpoint", "mirror/checkpoint", "mirror/checkpoint.ml-dsa-44"];
        check(&[&all[..], &["vault/sighted"]].concat());
        [&all[..], &["vault/sighted"]].concat().iter().for_each(|name| put(name));
        check(&[]);
        fs::write(data.join("seen"), "").unwrap();
        check(&["seen"]);
        fs::remove_dir_all(&home).unwrap();
    }
}
