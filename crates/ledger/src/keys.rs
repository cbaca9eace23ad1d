//! Whether the signing keys beside the logs are those that the logs were written with: a house
//! whose keys were changed verifies to its last entry and never starts again. Where a key is gone,
//! only whose key it is cannot start.

use crate::watch::read_small;
use annals::{find_keys, names};
use std::io;
use std::path::Path;
use tlog::{Cosigner, LOG_ORIGIN, MIRROR_NAME, NoteSigner};

/// A signing key's seed.
const KEY: &str = "key";

/// What was found of the keys of a ledger and of its mirror.
#[derive(Default)]
pub(crate) struct Judged {
    pub problems: Vec<String>,
    /// Keys that are not there: all but their keepers go on without.
    pub gone: Vec<String>,
    pub notes: Vec<String>,
}

/// Compares each seed with the public half beside it, and what the two folders hold with what
/// they are. A folder without its seed was copied or restored without keys, unless the house's
/// other keys are there.
pub(crate) fn judge(folder: &Path, mirror_folder: Option<&Path>) -> Judged {
    let mut judged = Judged::default();
    let is_mirrors = |folder: &Path| find_keys(folder).ok().map(|keys| keys.mirror.is_some());
    let swapped = is_mirrors(folder) == Some(true);
    if swapped || mirror_folder.is_some_and(|folder| is_mirrors(folder) == Some(false)) {
        judged.problems.push(
            "the ledger's folder and the mirror's are not what their names say: one of them was \
             put in the place of the other; put each back where it was"
                .to_owned(),
        );
        return judged;
    }
    let own = |seed: &[u8; 32]| Some(NoteSigner::new(LOG_ORIGIN, seed)?.verifier().to_text());
    let mirrors = |seed: &[u8; 32]| Some(Cosigner::new(MIRROR_NAME, seed)?.public().to_text());
    judge_one(&mut judged, folder, "the ledger", own);
    if let Some(mirror_folder) = mirror_folder {
        judge_one(&mut judged, mirror_folder, "the mirror", mirrors);
    }
    judged
}

/// What is wrong with the keys in these folders.
pub fn key_problems(folder: &Path, mirror_folder: Option<&Path>) -> Vec<String> {
    let judged = judged(folder, mirror_folder);
    judged.problems.into_iter().chain(judged.gone).collect()
}

/// What of it keeps a house from starting: it would sign what it must not.
pub fn foreign_keys(folder: &Path, mirror_folder: Option<&Path>) -> Vec<String> {
    judged(folder, mirror_folder).problems
}

fn judged(folder: &Path, mirror_folder: Option<&Path>) -> Judged {
    let is_there = |folder: &&Path| folder.join(names::LOG).exists();
    // A house that has run never gets another signing key by itself, whatever was taken away.
    match is_there(&folder) || is_of_a_house(folder) {
        true => judge(folder, mirror_folder.filter(is_there)),
        false => Judged::default(),
    }
}

/// Whether this keeper's folder belongs to a house that has run: the other keys are there.
fn is_of_a_house(folder: &Path) -> bool {
    folder.parent().is_some_and(|data| data.join("vault/keys").exists())
}

fn judge_one(
    judged: &mut Judged,
    folder: &Path,
    whose: &str,
    public: impl Fn(&[u8; 32]) -> Option<String>,
) {
    let path = folder.join(KEY);
    let place = path.display();
    let seed = match read_small(&path) {
        Ok(seed) => seed,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
            match is_of_a_house(folder) {
                true => judged.gone.push(format!(
                    "{whose} has no signing key: `{place}` is not there; until it is, mail is \
                     taken and nobody can read: put that file back from the key backup (a log that \
                     is gone, too, comes back from the other copy then)"
                )),
                false => judged.notes.push(format!(
                    "{whose} has no signing key here, as a copy without keys has none: \
                     `{place}` must come from the key backup before the house starts"
                )),
            }
            return;
        }
        // Whoever may read the log and not the key checks without it.
        Err(_) => return,
    };
    let held = <[u8; 32]>::try_from(seed.as_slice()).ok().and_then(|seed| public(&seed));
    let known = match read_small(&folder.join(names::PUBLIC)) {
        // The key was put back, and nothing else is there: its public half is written anew.
        Err(_) if held.is_some() && !folder.join(names::LOG).exists() => return,
        known => known.unwrap_or_default(),
    };
    if held.is_none_or(|held| held.trim().as_bytes() != known.trim_ascii()) {
        judged.problems.push(format!(
            "{whose} has another signing key than it had: `{place}` does not belong to `{}` \
             beside it; the house will not start: put that file back from the key backup",
            names::PUBLIC
        ));
    }
}
