//! The mirror's second cosignature, with ML-DSA-44, in the file of its own: whoever breaks one
//! sort of signature has not broken the other.

use crate::options::Options;
use crate::said::Said;
use annals::{Reader, names};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tlog::SignedCheckpoint;
use witness::LatticeKey;

/// Larger than any checkpoint with both signatures.
const FILE_BYTES: u64 = 64 * 1024;

const LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Nothing tells whether such a cosignature never was, or was taken away.
const UNCHECKED: &str = "not checked: no ML-DSA-44 key given, and the mirror's cosignature with \
                         one is not here";

/// What was found.
#[derive(Default)]
pub struct Twice {
    pub key: Option<String>,
    pub cosigned_at: Option<u64>,
    /// How many entries, from the first on, that cosignature covers.
    pub size: Option<u64>,
    pub problems: Vec<Said>,
    pub notes: Vec<Said>,
}

/// Looks at what a mirror's folder holds; `reader` reads its log.
pub fn look(folder: &Path, reader: &Reader, options: &Options) -> Twice {
    let mut twice = Twice::default();
    let given = options.lattice_key.as_deref();
    let Some(text) = read(&folder.join(names::LATTICE_KEY)) else {
        match given {
            Some(_) => twice.problems.push("there is no ML-DSA-44 key of the mirror".into()),
            None => twice.notes.push(UNCHECKED.into()),
        }
        return twice;
    };
    let text = text.trim();
    twice.key = Some(text.to_owned());
    match given {
        Some(given) if given == text => {}
        Some(_) => {
            let what = "the mirror's ML-DSA-44 key is not the one that was given";
            twice.problems.push(what.into());
        }
        None => twice.notes.push("the mirror's ML-DSA-44 key is believed as it lies here".into()),
    }
    // A mirror that runs writes over it while it is read.
    let looks = (0..LOOKS).map(|look| {
        std::thread::sleep(BETWEEN_LOOKS * look);
        cosigned(folder, reader, text)
    });
    let mut found = Ok(None);
    for one in looks {
        found = one;
        if found.is_ok() {
            break;
        }
    }
    match found {
        Ok(None) => {
            let what = "the mirror has saved no checkpoint with ML-DSA-44 yet";
            match given {
                Some(_) => twice.problems.push(what.into()),
                None => twice.notes.push(UNCHECKED.into()),
            }
        }
        Ok(Some((seconds, size))) => {
            (twice.cosigned_at, twice.size) = (Some(seconds), Some(size));
        }
        Err(what) => twice.problems.push(what.into()),
    }
    twice
}

/// When the mirror cosigned so, and how many entries; `None`: not yet. The checkpoint must be the
/// ledger's, cosigned by both keys of the mirror, and stand in this log.
fn cosigned(folder: &Path, reader: &Reader, key: &str) -> Result<Option<(u64, u64)>, &'static str> {
    let Some(key) = LatticeKey::parse(key) else {
        return Err("the mirror's ML-DSA-44 key cannot be read");
    };
    let text = read(&folder.join(names::LATTICE)).unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    let altered = "the checkpoint that the mirror cosigned with ML-DSA-44 cannot be read: the \
                   file was altered or torn";
    let signed = SignedCheckpoint::parse(text.as_bytes()).ok_or(altered)?;
    let is_signed = reader.keys().believe(&signed);
    let seconds = key.cosigned(&signed.note).filter(|_| is_signed);
    let Some(seconds) = seconds else {
        return Err(
            "the checkpoint that the mirror cosigned with ML-DSA-44 lacks a signature that \
                    is right: the file was altered",
        );
    };
    match reader.root_at(signed.checkpoint.size) == Some(signed.checkpoint.root) {
        true => Ok(Some((seconds, signed.checkpoint.size))),
        false => Err("the checkpoint that the mirror cosigned with ML-DSA-44 does not stand in \
                      this log: it was cut, or it is another"),
    }
}

/// `None`: there is no such plain file, or it is far too large.
fn read(path: &Path) -> Option<String> {
    let about = fs::symlink_metadata(path).ok()?;
    let is_plain = about.is_file() && about.len() <= FILE_BYTES;
    is_plain
        .then(|| fs::read(path).ok())
        .flatten()
        .map(|bytes| String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned())
}
