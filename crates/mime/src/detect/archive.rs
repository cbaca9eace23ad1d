//! RAR archives by their headers: names, and whether they are locked. Nothing is unpacked.

use super::file::File;
use super::inflate::little_endian;
use super::names;
use crate::seen::{self, Notes};
use terms::Cursor;

/// Blocks of one archive that are read; each costs a name.
const BLOCKS: usize = 70_000;

pub(crate) fn look_rar(file: &File<'_>, notes: &mut Notes) {
    let mut cursor = Cursor::new(&file.octets);
    let is_five = file.octets.get(6) == Some(&1);
    let encrypted = if is_five {
        cursor.take(8);
        rar5(&mut cursor, notes)
    } else {
        cursor.take(7);
        rar4(&mut cursor, notes)
    };
    let seen = if encrypted { seen::ARCHIVE_ENCRYPTED } else { seen::ARCHIVE_OPAQUE };
    notes.note(seen, file.name.as_str());
}

fn rar4(cursor: &mut Cursor<'_>, notes: &mut Notes) -> bool {
    let mut encrypted = false;
    for _ in 0..BLOCKS {
        let start = cursor.position();
        let Some(head) = cursor.take(7) else { break };
        let head = Cursor::new(head);
        let kind = head.slice(2, 3);
        let flags = little_endian(Some(head.slice(3, 5)));
        let size = little_endian(Some(head.slice(5, 7)));
        let block = Cursor::new(cursor.slice(start, start + size));
        // Main header with locked headers: nothing behind it can be read.
        if kind == b"\x73" && flags & 0x80 != 0 {
            return true;
        }
        let mut data = 0;
        if kind == b"\x74" {
            encrypted |= flags & 4 != 0;
            data = little_endian(Some(block.slice(7, 11)));
            let name_bytes = little_endian(Some(block.slice(26, 28)));
            let name_at = if flags & 0x100 != 0 { 40 } else { 32 };
            let name = block.slice(name_at, name_at + name_bytes);
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            names::look(&crate::decode_charset(None, name).text, notes);
        } else if flags & 0x8000 != 0 {
            data = little_endian(Some(block.slice(7, 11)));
        }
        if size < 7 {
            break;
        }
        cursor.stand_at(start.saturating_add(size).saturating_add(data));
    }
    encrypted
}

fn rar5(cursor: &mut Cursor<'_>, notes: &mut Notes) -> bool {
    let mut encrypted = false;
    for _ in 0..BLOCKS {
        cursor.take(4);
        let size = variable(cursor);
        let start = cursor.position();
        if size == 0 || cursor.is_at_end() {
            break;
        }
        let kind = variable(cursor);
        let flags = variable(cursor);
        let extra = if flags & 1 != 0 { variable(cursor) } else { 0 };
        let data = if flags & 2 != 0 { variable(cursor) } else { 0 };
        match kind {
            4 => return true,
            2 => {
                names::look(&rar5_name(cursor), notes);
                let end = start.saturating_add(size);
                encrypted |= rar5_locked(cursor.slice(end.saturating_sub(extra), end));
            }
            _ => {}
        }
        cursor.stand_at(start.saturating_add(size).saturating_add(data));
    }
    encrypted
}

fn rar5_name(cursor: &mut Cursor<'_>) -> String {
    let flags = variable(cursor);
    variable(cursor);
    variable(cursor);
    cursor.take(if flags & 2 != 0 { 4 } else { 0 });
    cursor.take(if flags & 4 != 0 { 4 } else { 0 });
    variable(cursor);
    variable(cursor);
    let length = variable(cursor);
    String::from_utf8_lossy(cursor.take(length).unwrap_or_default()).into_owned()
}

/// An extra record of type 1 is the encryption of the file.
fn rar5_locked(extra: &[u8]) -> bool {
    let mut cursor = Cursor::new(extra);
    for _ in 0..20 {
        let size = variable(&mut cursor);
        let start = cursor.position();
        if size == 0 {
            return false;
        }
        if variable(&mut cursor) == 1 {
            return true;
        }
        cursor.stand_at(start.saturating_add(size));
    }
    false
}

/// Seven bits an octet, least first.
fn variable(cursor: &mut Cursor<'_>) -> usize {
    let mut value = 0usize;
    for place in 0..9 {
        let Some(byte) = cursor.next() else { return 0 };
        value |= usize::from(byte & 0x7F) << (place * 7);
        if byte & 0x80 == 0 {
            return value;
        }
    }
    0
}
