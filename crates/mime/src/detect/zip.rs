//! Zip archives, read as two readers would: by the directory at the end, and by what stands
//! before each file. Where the two differ, somebody wants the scanner to see another archive.
//! Readers begin at the end, so an archive is one whatever stands before it.

use super::file::{File, Files};
use super::inflate::{inflate, little_endian};
use super::{magic, names, office};
use crate::seen;
use memchr::memmem;
use std::collections::BTreeMap;
use terms::Cursor;

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_BYTES: usize = 22;
/// The record and the locator of archives beyond 4 GiB stand before the end record.
const LONG_END: &[u8] = b"PK\x06\x06";
const LONG_END_BYTES: usize = 56 + 20;
/// The end record with the longest comment.
const END_SEARCH_BYTES: usize = 66 * 1024;
/// Entries whose names and places are looked at: what two octets can count, and more than the
/// budget of looked-at files.
const ENTRIES: usize = 70_000;
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

/// An archive that does not begin where its file begins.
#[derive(Clone, Copy)]
pub(crate) struct Behind {
    /// A reader of archives is meant to open it: it is no attachment of a document.
    is_meant: bool,
}

/// Is there an archive behind something that is of another kind, or of none?
pub(crate) fn behind(file: &File<'_>, kind: Option<&str>) -> Option<Behind> {
    if kind == Some("zip") {
        return None;
    }
    let expected = magic::expected_kinds(&names::ending(&file.name));
    let named = expected.contains(&"zip") && !kind.is_some_and(|kind| expected.contains(&kind));
    match directory(&file.octets) {
        Some(found) => {
            let at_end = found.end >= file.octets.len();
            Some(Behind { is_meant: named || at_end || kind.is_none() })
        }
        // Readers that repair find what has lost its directory.
        None if named && !locals(&file.octets).is_empty() => Some(Behind { is_meant: true }),
        None => None,
    }
}

pub(crate) fn look_behind(
    file: &File<'_>,
    behind: Behind,
    kind: Option<&str>,
    files: &mut Files<'_>,
) {
    if behind.is_meant {
        let name = format!("{} ({})", file.name, kind.unwrap_or_default());
        files.notes.note(seen::ZIP_BEHIND, name);
    }
    look_at_entries(file, behind.is_meant, files);
}

pub(crate) fn look(file: &File<'_>, files: &mut Files<'_>) {
    look_at_entries(file, true, files);
}

/// `compared`: an archive inside a document may lie in pieces, which proves nothing.
fn look_at_entries(file: &File<'_>, compared: bool, files: &mut Files<'_>) {
    let octets = file.octets.as_ref();
    let directory = directory(octets);
    let mut entries = directory.map(|found| central(octets, found)).unwrap_or_default();
    let walked = entries.is_empty();
    if walked {
        entries = locals(octets);
    }
    let is_office = entries.iter().any(|entry| entry.name == b"[Content_Types].xml");
    if entries.iter().any(|entry| entry.encrypted) {
        files.notes.note(seen::ARCHIVE_ENCRYPTED, file.name.as_str());
    }
    if !walked && compared {
        let is_one = directory.is_none_or(|found| found.is_one);
        compare(octets, &entries, is_one, file, files);
    }
    note_ratio(&entries, file, files);
    if entries.len() >= ENTRIES {
        files.exhausted();
    }
    let mut full = false;
    for entry in &entries {
        let name = entry_name(entry);
        if is_office {
            office::look_member(&name, &file.name, files.notes);
        }
        if full {
            names::look(&name, files.notes);
            continue;
        }
        let Some(contents) = contents(octets, entry) else {
            continue;
        };
        let local = local_at(octets, entry.at).map(|local| local.entry);
        if entry.encrypted && local.as_ref().is_none_or(|local| local.encrypted) {
            names::look(&name, files.notes);
            continue;
        }
        // Readers go by the one or by the other; what can be unpacked by either is.
        let opens = |entry: &&Entry| matches!(entry.method, 0 | 8);
        let method = [Some(entry), local.as_ref()].into_iter().flatten().find(opens);
        let inside = match method.unwrap_or(entry).method {
            0 => stored(contents, &name, files),
            8 => inflate(contents, &name, files),
            other => {
                names::look(&name, files.notes);
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
        let depth = file.depth + 1;
        full = !files.add(File { name: name.clone(), declared, octets: inside.into(), depth });
        if full {
            names::look(&name, files.notes);
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

/// Where the directory stands.
#[derive(Clone, Copy)]
struct Directory {
    start: usize,
    /// What stands before the archive and is not counted in its places.
    shift: usize,
    /// Behind the end record and its comment.
    end: usize,
    /// By the place that the end record names and by the size that it names it is the same.
    is_one: bool,
}

/// The directory of the last end record that has one.
fn directory(octets: &[u8]) -> Option<Directory> {
    let cursor = Cursor::new(octets);
    let search_from = octets.len().saturating_sub(END_SEARCH_BYTES);
    let tail = cursor.slice(search_from, octets.len());
    // Forwards it is a vector search; backwards, only where there is one.
    memmem::find(tail, END)?;
    memmem::rfind_iter(tail, END).find_map(|found| directory_of(&cursor, search_from + found))
}

fn directory_of(cursor: &Cursor<'_>, record: usize) -> Option<Directory> {
    let number = |start: usize, end: usize| little_endian(Some(cursor.slice(start, end)));
    let (mut size, mut said) = (number(record + 12, record + 16), number(record + 16, record + 20));
    let mut stop = record;
    let long = record.saturating_sub(LONG_END_BYTES);
    if cursor.slice(long, long + 4) == LONG_END {
        (size, said) = (number(long + 40, long + 48), number(long + 48, long + 56));
        stop = long;
    }
    let is_there = |at: &usize| cursor.slice(*at, at.saturating_add(4)) == CENTRAL;
    // Something may stand before the archive; then the directory is where it must end.
    let counted = stop.checked_sub(size).filter(is_there);
    let named = Some(said).filter(is_there);
    let start = named.or(counted)?;
    let end = (record + END_BYTES).saturating_add(number(record + 20, record + 22));
    let is_one = named.is_none() || counted.is_none() || named == counted;
    Some(Directory { start, shift: start.saturating_sub(said), end, is_one })
}

fn central(octets: &[u8], found: Directory) -> Vec<Entry> {
    let Directory { start, shift, .. } = found;
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
        at: number(42, 46).saturating_add(shift),
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
    let packed_bytes = match entry.packed_bytes {
        0 => local.entry.packed_bytes,
        said => said,
    };
    let known = packed_bytes > 0 && packed_bytes != 0xFFFF_FFFF;
    let end = match known || entry.bytes == 0 && !local.sizes_follow {
        true => local.contents.saturating_add(packed_bytes),
        false => octets.len(),
    };
    Some(Cursor::new(octets).slice(local.contents, end))
}

fn compare(octets: &[u8], entries: &[Entry], is_one: bool, file: &File<'_>, files: &mut Files<'_>) {
    // By place: two entries of one place, or one inside another, inflate the same octets twice.
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    let mut overlap = false;
    let mut differs = !is_one;
    let mut hidden = !is_one;
    for entry in entries {
        let Some(local) = local_at(octets, entry.at) else {
            (differs, hidden) = (true, true);
            continue;
        };
        differs |= !is_same(&local, entry);
        let end = local.contents.saturating_add(entry.packed_bytes);
        overlap |= places.insert(entry.at, end).is_some();
    }
    let mut reached = 0;
    let ends = [(octets.len(), octets.len())];
    for (at, end) in places.iter().map(|(at, end)| (*at, *end)).chain(ends) {
        overlap |= at < reached && at < octets.len();
        let gap = Cursor::new(octets).slice(reached, at);
        hidden |= memmem::find(gap, LOCAL).is_some_and(|found| local_at(gap, found).is_some());
        reached = reached.max(end);
    }
    if differs {
        files.notes.note(seen::ZIP_DIFFERS, file.name.as_str());
    }
    if overlap {
        files.notes.note(seen::BOMB_OVERLAP, file.name.as_str());
    }
    if !hidden {
        return;
    }
    let named = |entry: &Entry| places.contains_key(&entry.at);
    let mut others = locals(octets).into_iter().filter(|entry| !named(entry)).peekable();
    if others.peek().is_some() {
        files.notes.note(seen::ZIP_HIDDEN, file.name.as_str());
    }
    for entry in others {
        if !look_at_hidden(octets, &entry, file, files) {
            return;
        }
    }
}

fn is_same(local: &Local, entry: &Entry) -> bool {
    let same_size = local.sizes_follow
        || local.entry.packed_bytes == entry.packed_bytes
        || local.entry.packed_bytes == 0xFFFF_FFFF;
    local.entry.name == entry.name
        && local.entry.method == entry.method
        && local.entry.encrypted == entry.encrypted
        && same_size
}

/// A file that only the other kind of reader sees is looked at too. False: no more is taken.
fn look_at_hidden(octets: &[u8], entry: &Entry, file: &File<'_>, files: &mut Files<'_>) -> bool {
    let name = entry_name(entry);
    let Some(contents) = contents(octets, entry).filter(|_| !entry.encrypted) else {
        names::look(&name, files.notes);
        return true;
    };
    let inside = match entry.method {
        8 => inflate(contents, &name, files),
        _ => stored(contents, &name, files),
    };
    files.add(File { name, declared: String::new(), octets: inside.into(), depth: file.depth + 1 })
}

/// What the directory promises: a bomb that says so need not be lit.
fn note_ratio(entries: &[Entry], file: &File<'_>, files: &mut Files<'_>) {
    let bytes = entries.iter().fold(0usize, |sum, entry| sum.saturating_add(entry.bytes));
    if bytes > 256 * 1024 * 1024 && bytes / 150 > file.octets.len() {
        files.notes.note(seen::BOMB_RATIO, file.name.as_str());
    }
}
