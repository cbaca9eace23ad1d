//! Deflate with an end: what it makes is paid from the budget of the whole message.

use super::file::{File, Files};
use crate::seen;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};
use std::borrow::Cow;
use terms::Cursor;

/// One file may make at most this; two of the largest honest attachments.
const ONE_FILE_BYTES: usize = 48 * 1024 * 1024;
/// Text packs 20 to 1, tables 50 to 1; beyond this a file is made to burst.
const BURSTING_RATIO: usize = 150;
/// Members of one gzip file: writers that pack blocks begin one every 64 KiB.
const MEMBERS: usize = 2_000;
const GZIP: &[u8] = b"\x1F\x8B\x08";
/// The checksum and the size behind a member.
const TRAILER_BYTES: usize = 8;
/// Room for what a member makes, before it is known.
const FIRST_ROOM_BYTES: usize = 16 * 1024;

/// Inflates `packed` within the budget; what was made before the end of the budget or of sense is
/// given back.
pub(crate) fn inflate(packed: &[u8], name: &str, files: &mut Files<'_>) -> Vec<u8> {
    // Deflate may take much and make nothing: what is read is paid too.
    if !files.pay(packed.len()) {
        files.notes.note(seen::UNEXAMINED, name);
        return Vec::new();
    }
    let limit = files.inflate_left.min(ONE_FILE_BYTES);
    let (octets, cut) = match decompress_to_vec_with_limit(packed, limit) {
        Ok(octets) => (octets, false),
        Err(fault) => (fault.output, fault.status == TINFLStatus::HasMoreOutput),
    };
    files.inflate_left = files.inflate_left.saturating_sub(octets.len());
    note_size(octets.len(), packed.len(), cut, name, files);
    octets
}

pub(crate) fn note_size(made: usize, packed: usize, cut: bool, name: &str, files: &mut Files<'_>) {
    let bursts = made / BURSTING_RATIO > packed;
    if cut && bursts {
        files.notes.note(seen::BOMB_SIZE, name);
    } else if cut {
        files.notes.note(seen::UNEXAMINED, name);
    } else if bursts && made > 8 * 1024 * 1024 {
        files.notes.note(seen::BOMB_RATIO, name);
    }
}

/// RFC 1952 §2.2: members one behind the other are one file.
pub(crate) fn look_gzip(file: &File<'_>, files: &mut Files<'_>) {
    let (name, mut packed) = member(&file.octets);
    let name = match name {
        Some(name) => crate::decode_charset(None, name).text,
        None => bare_name(&file.name),
    };
    if !files.pay(file.octets.len()) {
        files.notes.note(seen::UNEXAMINED, file.name.as_str());
        return;
    }
    let limit = files.inflate_left.min(ONE_FILE_BYTES);
    let mut octets = Vec::new();
    let (mut cut, mut members) = (true, 0);
    for _ in 0..MEMBERS {
        let (length, status) = inflate_onto(packed, &mut octets, limit);
        cut = status == TINFLStatus::HasMoreOutput;
        let behind = packed.get(length.saturating_add(TRAILER_BYTES)..).unwrap_or_default();
        if status != TINFLStatus::Done || !behind.starts_with(GZIP) {
            break;
        }
        packed = member(behind).1;
        cut = true;
        members += 1;
    }
    if members == MEMBERS {
        files.exhausted();
    }
    files.inflate_left = files.inflate_left.saturating_sub(octets.len());
    note_size(octets.len(), file.octets.len(), cut, &file.name, files);
    files.add(File { name, declared: String::new(), octets: octets.into(), depth: file.depth + 1 });
}

/// Inflates onto what is there, to `limit` octets in all. How much was read, and how it ended.
fn inflate_onto(packed: &[u8], made: &mut Vec<u8>, limit: usize) -> (usize, TINFLStatus) {
    let start = made.len();
    let mut state = Box::<DecompressorOxide>::default();
    let (mut read, mut written) = (0, 0);
    loop {
        let room = FIRST_ROOM_BYTES.max(written * 2);
        made.resize(start.saturating_add(room).min(limit).max(start), 0);
        let rest = packed.get(read..).unwrap_or_default();
        // What this member makes may not point into the one before it.
        let own = made.get_mut(start..).unwrap_or_default();
        let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, taken, put) = decompress(&mut state, rest, own, written, flags);
        read += taken;
        written += put;
        if status != TINFLStatus::HasMoreOutput || start + written >= limit {
            made.truncate(start + written);
            return (read, status);
        }
    }
}

/// What a gzip file holds, if that is no more than `limit` octets; what is no such file is itself.
pub fn gunzip(octets: &[u8], limit: usize) -> Option<Cow<'_, [u8]>> {
    if !octets.starts_with(GZIP) {
        return (octets.len() <= limit).then_some(Cow::Borrowed(octets));
    }
    decompress_to_vec_with_limit(member(octets).1, limit).ok().map(Cow::Owned)
}

/// The name in the first member's head, and what stands behind the head.
fn member(octets: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let mut cursor = Cursor::new(octets);
    cursor.take(3);
    let flags = cursor.next().unwrap_or(0);
    cursor.take(6);
    if flags & 4 != 0 {
        let extra = little_endian(cursor.take(2));
        cursor.take(extra);
    }
    let mut name = None;
    if flags & 8 != 0 {
        name = Some(cursor.take_while(|byte| byte != 0));
        cursor.next();
    }
    if flags & 16 != 0 {
        cursor.take_while(|byte| byte != 0);
        cursor.next();
    }
    if flags & 2 != 0 {
        cursor.take(2);
    }
    (name, cursor.rest())
}

fn bare_name(name: &str) -> String {
    match name.strip_suffix(".tgz") {
        Some(stem) => format!("{stem}.tar"),
        None => name.strip_suffix(".gz").unwrap_or(name).to_owned(),
    }
}

/// Up to eight octets as a number, least first; absent ones are zero.
pub(crate) fn little_endian(octets: Option<&[u8]>) -> usize {
    let mut value = 0usize;
    for byte in octets.unwrap_or_default().iter().rev().take(8) {
        value = value << 8 | usize::from(*byte);
    }
    value
}
