//! What concerns one contract, cut out of the log so that it can be checked without the rest:
//! its entries whole, everything else as hashes, up to a checkpoint that both sides signed.
//!
//! ```text
//! checkpoint     the signed note, with the mirror's cosignature
//! ledger.pub     whose log it is; mirror.pub: who holds the copy
//! entries        from the first leaf to the last: 1, length (2), entry; or 2, height (1), root
//!                of a perfect subtree (32); 0 at the end
//! view.json      what was asked for
//! ```

use crate::fault::{Fault, file};
use crate::index::Index;
use crate::reading::{Keys, Reader};
use crate::series::Series;
use evidence::{Body, Entry, Frame};
use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;
use terms::{ConnectionId, InstanceId, TenantId, UserId};
use tlog::{
    CompactRange, CosignerKey, Hash, NodeSource, NoteVerifier, SignedCheckpoint, leaf_hash,
};

const ENTRY: u8 = 1;
const SUBTREE: u8 = 2;
const END: u8 = 0;
/// Deeds that tell of processes, by their number in the log's format.
const STARTS_AND_STOPS: &[u8] = &[1, 2];
const CONNECTIONS: &[u8] = &[3];
const ALARMS: &[u8] = &[16];

/// What a view is asked to show.
#[derive(Clone, Copy, Debug)]
pub struct View {
    pub tenant: TenantId,
    /// One person, or the whole contract.
    pub user: Option<UserId>,
    pub from_ms: u64,
    /// Not included.
    pub to_ms: u64,
}

/// What a view was found to show.
#[derive(Debug, Default)]
pub struct ViewCheck {
    pub size: u64,
    pub root: Hash,
    pub entries: u64,
    pub cosigned_at: Option<u64>,
    /// The root of as many entries as were asked about, where the hashes come apart there.
    pub before: Option<Hash>,
    /// The checkpoint, as it lies in the folder.
    pub note: Vec<u8>,
    pub problems: Vec<String>,
}

/// Writes a view into `to`, and says how many entries it shows. `signed` is the newest
/// checkpoint with both signatures.
///
/// # Errors
/// Files that cannot be read or written.
pub fn write_view(
    index: &Index,
    reader: &Reader,
    signed: &SignedCheckpoint,
    mirror: Option<&CosignerKey>,
    view: &View,
    to: &Path,
) -> Result<u64, Fault> {
    let wanted = chosen(index, view)?;
    let size = signed.checkpoint.size;
    fs::create_dir_all(to).map_err(file(to.display().to_string()))?;
    let put = |name: &str, text: &str| {
        fs::write(to.join(name), text).map_err(file(to.join(name).display().to_string()))
    };
    put("checkpoint", &signed.note.to_text())?;
    put("ledger.pub", &reader.keys().ledger.to_text())?;
    if let Some(mirror) = mirror {
        put("mirror.pub", &mirror.to_text())?;
    }
    let name = to.join("entries").display().to_string();
    let out = fs::File::create(to.join("entries")).map_err(file(&*name))?;
    let mut out = BufWriter::new(out);
    let mut at = 0;
    let mut fault = None;
    let wanted: Vec<u64> = wanted.into_iter().filter(|index| *index < size).collect();
    index.visit(wanted.iter().copied(), &mut |index, bytes| {
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
        let written = write_hashes(reader, at, index, &mut out)
            .and_then(|()| out.write_all(&[&[ENTRY], &length[..], bytes].concat()));
        at = index + 1;
        fault = written.err();
        fault.is_none()
    })?;
    let rest = match fault {
        Some(fault) => Err(fault),
        None => write_hashes(reader, at, size, &mut out)
            .and_then(|()| out.write_all(&[END]))
            .and_then(|()| out.flush()),
    };
    rest.map_err(file(name))?;
    Ok(wanted.len() as u64)
}

/// Hashes for the leaves `from..end`, as few as there can be.
fn write_hashes(reader: &Reader, from: u64, end: u64, out: &mut impl Write) -> std::io::Result<()> {
    let mut at = from;
    while at < end {
        let fits = (end - at).ilog2();
        let height = if at == 0 { fits } else { fits.min(at.trailing_zeros()) };
        let height = u8::try_from(height).unwrap_or_default();
        let node = reader.node(height, at >> height).ok_or(std::io::ErrorKind::InvalidData)?;
        out.write_all(&[&[SUBTREE, height], &node.0[..]].concat())?;
        at += 1 << height;
    }
    Ok(())
}

/// The entries of a view: what touches the contract, and what names those who say it and those
/// who did it.
fn chosen(index: &Index, view: &View) -> Result<BTreeSet<u64>, Fault> {
    let (mut chosen, processes) = concerned(index, view)?;
    // The wardens who named them, too.
    let mut wardens = HashSet::new();
    let mut lives = BTreeSet::new();
    let mut note = |number: u64, bytes: &[u8]| {
        if let Some(Frame { entry, .. }) = Frame::parse(bytes) {
            let about = match &entry.body {
                Body::ProcessStart { instance, .. } | Body::ProcessStop { instance, .. } => {
                    *instance
                }
                _ => return true,
            };
            if about == entry.start {
                wardens.insert((about, number));
            } else if processes.contains(&about) {
                lives.insert((number, entry.start));
            }
        }
        true
    };
    index.visit_deeds(STARTS_AND_STOPS, &mut note)?;
    let speakers: HashSet<InstanceId> = lives.iter().map(|(_, start)| *start).collect();
    chosen.extend(lives.iter().map(|(number, _)| *number));
    let named = wardens.iter().filter(|(warden, _)| speakers.contains(warden));
    chosen.extend(named.map(|(_, number)| *number));
    Ok(chosen)
}

/// What concerns the contract, and the processes that had to do with it.
fn concerned(index: &Index, view: &View) -> Result<(BTreeSet<u64>, HashSet<InstanceId>), Fault> {
    let mut chosen = BTreeSet::new();
    let mut processes: HashSet<InstanceId> = HashSet::new();
    let mut connections: HashSet<ConnectionId> = HashSet::new();
    index.touching(view.tenant, view.user, (view.from_ms, view.to_ms), |number, bytes| {
        if let Some(Frame { entry, .. }) = Frame::parse(bytes) {
            processes.insert(entry.start);
            processes.extend(entry.body.instance());
            if let Body::Deliver { connection, .. } = &entry.body {
                connections.extend(connection);
            }
            chosen.insert(number);
        }
        true
    })?;
    // Who had its mail in hand: the processes that those connections were handed to.
    let mut hands = |number: u64, bytes: &[u8]| {
        if let Some(Frame { entry, .. }) = Frame::parse(bytes)
            && let Body::Connection { connection, instance, .. } = &entry.body
            && connections.contains(connection)
        {
            processes.extend([entry.start, *instance]);
            chosen.insert(number);
        }
        true
    };
    index.visit_deeds(CONNECTIONS, &mut hands)?;
    // And who served those, as a scanner serves one connection.
    let mut servants = |_: u64, bytes: &[u8]| {
        if let Some(Frame { entry, .. }) = Frame::parse(bytes)
            && let Body::ProcessStart { instance, serves: Some(served), .. } = &entry.body
            && processes.contains(served)
        {
            processes.insert(*instance);
        }
        true
    };
    index.visit_deeds(STARTS_AND_STOPS, &mut servants)?;
    // And what was noticed of them.
    let mut notices = |number: u64, bytes: &[u8]| {
        if let Some(Frame { entry, .. }) = Frame::parse(bytes)
            && let Body::Alarm { instance, .. } = &entry.body
            && processes.contains(instance)
            && names_only(view.tenant, &entry)
        {
            processes.insert(entry.start);
            chosen.insert(number);
        }
        true
    };
    index.visit_deeds(ALARMS, &mut notices)?;
    Ok((chosen, processes))
}

/// Whether an entry names no other contract.
fn names_only(tenant: TenantId, entry: &Entry) -> bool {
    let mut others = 0;
    scope::facts(0, entry, |fact| {
        others += usize::from(fact.person.is_some_and(|person| person.tenant != tenant));
    });
    others == 0
}

/// Checks a view with nothing but its folder: the signatures of its checkpoint, that its entries
/// and hashes make up the tree, and that each entry is its author's. `seen` is given every entry;
/// `before`: how many entries the reader knows of already.
///
/// # Errors
/// Files that cannot be read; everything else is a problem that is said.
pub fn check_view(
    folder: &Path,
    before: Option<u64>,
    mut seen: impl FnMut(u64, &Entry),
) -> Result<(ViewCheck, Keys), Fault> {
    let mut found = ViewCheck::default();
    let (signed, keys) = read_head(folder, &mut found)?;
    let name = folder.join("entries").display().to_string();
    let from = fs::File::open(folder.join("entries")).map_err(file(&*name))?;
    let mut from = BufReader::new(from);
    let mut range = CompactRange::new();
    let mut series = Series::with_gaps();
    loop {
        if before == Some(range.size()) {
            found.before = Some(range.root());
        }
        match next(&mut from) {
            Ok(Item::Entry(bytes)) => {
                let index = range.size();
                range.append(leaf_hash(&bytes), |_, _, _| {});
                found.entries += 1;
                if let Some(entry) = series.check(index, &bytes) {
                    seen(index, &entry);
                }
            }
            Ok(Item::Subtree(height, root)) => {
                if !range.append_subtree(height, root) {
                    let at = range.size();
                    found.problems.push(format!("no subtree of height {height} stands at {at}"));
                    break;
                }
            }
            Ok(Item::End) => {
                // Nothing vouches for it.
                if from.read(&mut [0]).map_err(file(&*name))? > 0 {
                    found.problems.push("the file of entries goes on behind its end".to_owned());
                }
                break;
            }
            Err(_) => {
                let at = range.size();
                found.problems.push(format!("the file of entries is cut off or damaged at {at}"));
                break;
            }
        }
    }
    found.problems.extend(series.finish().1);
    (found.size, found.root) = (range.size(), range.root());
    if let Some(signed) = signed
        && (signed.checkpoint.size, signed.checkpoint.root) != (found.size, found.root)
    {
        let (size, root) = (signed.checkpoint.size, signed.checkpoint.root.to_base64());
        found.problems.push(format!(
            "the checkpoint speaks of {size} entries under {root}; these are {} under {}",
            found.size,
            found.root.to_base64()
        ));
    }
    Ok((found, keys))
}

fn read_head(
    folder: &Path,
    found: &mut ViewCheck,
) -> Result<(Option<SignedCheckpoint>, Keys), Fault> {
    let text = |name: &str| {
        fs::read_to_string(folder.join(name)).map_err(file(folder.join(name).display().to_string()))
    };
    let changed = |name: &str, expected| Fault::Changed { name: name.to_owned(), expected };
    let ledger = NoteVerifier::parse(text("ledger.pub")?.trim())
        .ok_or_else(|| changed("ledger.pub", "the ledger's public key"))?;
    let mirror = match folder.join("mirror.pub").exists() {
        true => Some(
            CosignerKey::parse(text("mirror.pub")?.trim())
                .ok_or_else(|| changed("mirror.pub", "the mirror's public key"))?,
        ),
        false => None,
    };
    let keys = Keys { ledger, mirror };
    let note = fs::read(folder.join("checkpoint")).map_err(file("checkpoint"))?;
    let signed = SignedCheckpoint::parse(&note);
    found.note = note;
    match &signed {
        None => found.problems.push("the checkpoint cannot be read".to_owned()),
        Some(signed) if !signed.note.is_signed_by(&keys.ledger) => {
            found.problems.push("the checkpoint is not signed by the ledger".to_owned());
        }
        Some(signed) => {
            found.cosigned_at =
                keys.mirror.as_ref().and_then(|mirror| mirror.cosigned(&signed.note));
            if keys.mirror.is_some() && found.cosigned_at.is_none() {
                found.problems.push("the checkpoint is not cosigned by the mirror".to_owned());
            }
        }
    }
    Ok((signed, keys))
}

enum Item {
    Entry(Vec<u8>),
    Subtree(u8, Hash),
    End,
}

fn next(from: &mut impl Read) -> std::io::Result<Item> {
    let mut sort = [0];
    from.read_exact(&mut sort)?;
    match sort {
        [ENTRY] => {
            let mut length = [0; 2];
            from.read_exact(&mut length)?;
            let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
            from.read_exact(&mut bytes)?;
            Ok(Item::Entry(bytes))
        }
        [SUBTREE] => {
            let mut item = [0; 33];
            from.read_exact(&mut item)?;
            let [height, root @ ..] = item;
            Ok(Item::Subtree(height, Hash(root)))
        }
        [END] => Ok(Item::End),
        _ => Err(std::io::ErrorKind::InvalidData.into()),
    }
}
