//! Zip archives, read as two readers would: by the directory at the end, and by what stands
//! before each file. Where the two differ, somebody wants the scanner to see another archive.

use super::file::{File, Files};
use super::inflate::{inflate, little_endian};
use super::office;
use crate::seen;
use memchr::memmem;
use std::collections::BTreeMap;
use terms::Cursor;

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
/// The end record with the longest comment.
const END_SEARCH_BYTES: usize = 66 * 1024;
/// Entries whose places are compared; the budget of looked-at files is smaller.
const ENTRIES: usize = 20_000;
const ENCRYPTED: usize = 1;
const SIZES_FOLLOW: usize = 8;

/// One file as the archive describes it.
#[derive(Clone)]
struct Entry {
    name: Vec<u8>,
    utf8: bool,
    encrypted: bool,
    method: usize,
    packed_bytes: usize,
    bytes: usize,
    /// Where its local header stands.
    at: usize,
}

/// A local header and where its contents begin.
struct Local {
    entry: Entry,
    contents: usize,
    sizes_follow: bool,
}

pub(crate) fn look(file: &File<'_>, files: &mut Files<'_>) {
    let octets = file.octets.as_ref();
    let mut entries = central(octets);
    let walked = entries.is_empty();
    if walked {
        entries = locals(octets);
    }
    let is_office = entries.iter().any(|entry| entry.name == b"[Content_Types].xml");
    if entries.iter().any(|entry| entry.encrypted) {
        files.notes.note(seen::ARCHIVE_ENCRYPTED, file.name.as_str());
    }
    if !walked {
        compare(octets, &entries, file, files);
    }
    note_ratio(&entries, file, files);
    for entry in &entries {
        let name = entry_name(entry);
        if is_office {
            office::look_member(&name, &file.name, files.notes);
        }
        let Some(contents) = contents(octets, entry) else {
            continue;
        };
        if entry.encrypted {
            super::names::look(&name, files.notes);
            continue;
        }
        let inside = match entry.method {
            0 => stored(contents, &name, files),
            8 => inflate(contents, &name, files),
            other => {
                super::names::look(&name, files.notes);
                files.notes.note(seen::ARCHIVE_METHOD, format!("{name} ({other})"));
                continue;
            }
        };
        if is_office {
            office::look_inside(&name, &inside, &file.name, files.notes);
        }
        // A document's own parts are not files that a person opens.
        let name = if is_office { String::new() } else { name };
        let declared = String::new();
        if !files.add(File { name, declared, octets: inside.into(), depth: file.depth + 1 }) {
            return;
        }
    }
}

fn entry_name(entry: &Entry) -> String {
    let label = entry.utf8.then_some("utf-8");
    crate::decode_charset(label, &entry.name).text
}

fn stored(contents: &[u8], name: &str, files: &mut Files<'_>) -> Vec<u8> {
    let Some(left) = files.inflate_left.checked_sub(contents.len()) else {
        files.notes.note(seen::UNEXAMINED, name);
        return Vec::new();
    };
    files.inflate_left = left;
    contents.to_vec()
}

/// The directory at the end.
fn central(octets: &[u8]) -> Vec<Entry> {
    let cursor = Cursor::new(octets);
    let search_from = octets.len().saturating_sub(END_SEARCH_BYTES);
    let Some(end) = memmem::rfind(cursor.slice(search_from, octets.len()), END) else {
        return Vec::new();
    };
    let end = search_from + end;
    let size = little_endian(Some(cursor.slice(end + 12, end + 16)));
    let said = little_endian(Some(cursor.slice(end + 16, end + 20)));
    // Something may stand before the archive; then the directory is where it must end.
    let counted = end.saturating_sub(size);
    let start = match cursor.slice(said, said.saturating_add(4)) == CENTRAL {
        true => said,
        false => counted,
    };
    let shift = start.saturating_sub(said);
    let mut cursor = Cursor::new(octets);
    cursor.stand_at(start);
    let mut entries = Vec::new();
    while entries.len() < ENTRIES {
        let Some(entry) = central_entry(&mut cursor, shift) else {
            break;
        };
        entries.push(entry);
    }
    entries
}

fn central_entry(cursor: &mut Cursor<'_>, shift: usize) -> Option<Entry> {
    let header = Cursor::new(cursor.take(46)?);
    if header.slice(0, 4) != CENTRAL {
        return None;
    }
    let number = |start: usize, end: usize| little_endian(Some(header.slice(start, end)));
    let name = cursor.take(number(28, 30))?.to_vec();
    cursor.take(number(30, 32) + number(32, 34));
    let flags = number(8, 10);
    Some(Entry {
        name,
        utf8: flags & 0x800 != 0,
        encrypted: flags & ENCRYPTED != 0,
        method: number(10, 12),
        packed_bytes: number(20, 24),
        bytes: number(24, 28),
        at: number(42, 46) + shift,
    })
}

fn local_at(octets: &[u8], at: usize) -> Option<Local> {
    let mut cursor = Cursor::new(octets);
    cursor.stand_at(at);
    let header = Cursor::new(cursor.take(30)?);
    if header.slice(0, 4) != LOCAL {
        return None;
    }
    let number = |start: usize, end: usize| little_endian(Some(header.slice(start, end)));
    let flags = number(6, 8);
    let name = cursor.take(number(26, 28))?.to_vec();
    cursor.take(number(28, 30))?;
    let entry = Entry {
        name,
        utf8: flags & 0x800 != 0,
        encrypted: flags & ENCRYPTED != 0,
        method: number(8, 10),
        packed_bytes: number(18, 22),
        bytes: number(22, 26),
        at,
    };
    let contents = cursor.position();
    Some(Local { entry, contents, sizes_follow: flags & SIZES_FOLLOW != 0 })
}

/// Without a directory: every local header, as repairing readers find them.
fn locals(octets: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for at in memmem::find_iter(octets, LOCAL) {
        if entries.len() >= ENTRIES {
            break;
        }
        if let Some(local) = local_at(octets, at) {
            entries.push(local.entry);
        }
    }
    entries
}

/// The packed octets of an entry; up to the end where its size is not known.
fn contents<'a>(octets: &'a [u8], entry: &Entry) -> Option<&'a [u8]> {
    let local = local_at(octets, entry.at)?;
    let known = entry.packed_bytes > 0 && entry.packed_bytes != 0xFFFF_FFFF;
    let end = match known || entry.bytes == 0 && !local.sizes_follow {
        true => local.contents.saturating_add(entry.packed_bytes),
        false => octets.len(),
    };
    Some(Cursor::new(octets).slice(local.contents, end))
}

fn compare(octets: &[u8], entries: &[Entry], file: &File<'_>, files: &mut Files<'_>) {
    // By place: two entries of one place, or one inside another, inflate the same octets twice.
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    let mut overlap = false;
    for entry in entries {
        let Some(local) = local_at(octets, entry.at) else {
            files.notes.note(seen::ZIP_DIFFERS, file.name.as_str());
            continue;
        };
        let same_size = local.sizes_follow
            || local.entry.packed_bytes == entry.packed_bytes
            || local.entry.packed_bytes == 0xFFFF_FFFF;
        let same = local.entry.name == entry.name
            && local.entry.method == entry.method
            && local.entry.encrypted == entry.encrypted
            && same_size;
        if !same {
            files.notes.note(seen::ZIP_DIFFERS, file.name.as_str());
        }
        let end = local.contents.saturating_add(entry.packed_bytes);
        overlap |= places.insert(entry.at, end).is_some();
    }
    let mut reached = 0;
    let mut hidden = false;
    for (at, end) in places {
        overlap |= at < reached;
        let gap = Cursor::new(octets).slice(reached, at);
        hidden |= memmem::find(gap, LOCAL).is_some_and(|found| local_at(gap, found).is_some());
        reached = reached.max(end);
    }
    if overlap {
        files.notes.note(seen::BOMB_OVERLAP, file.name.as_str());
    }
    if hidden {
        files.notes.note(seen::ZIP_HIDDEN, file.name.as_str());
        for entry in locals(octets).into_iter().take(100) {
            look_at_hidden(octets, &entry, file, files);
        }
    }
}

/// A file that only the other kind of reader sees is looked at too.
fn look_at_hidden(octets: &[u8], entry: &Entry, file: &File<'_>, files: &mut Files<'_>) {
    let name = entry_name(entry);
    let Some(contents) = contents(octets, entry).filter(|_| !entry.encrypted) else {
        return;
    };
    let inside = match entry.method {
        8 => inflate(contents, &name, files),
        _ => stored(contents, &name, files),
    };
    files.add(File { name, declared: String::new(), octets: inside.into(), depth: file.depth + 1 });
}

/// What the directory promises: a bomb that says so need not be lit.
fn note_ratio(entries: &[Entry], file: &File<'_>, files: &mut Files<'_>) {
    let bytes = entries.iter().fold(0usize, |sum, entry| sum.saturating_add(entry.bytes));
    if bytes > 256 * 1024 * 1024 && bytes / 150 > file.octets.len() {
        files.notes.note(seen::BOMB_RATIO, file.name.as_str());
    }
}
