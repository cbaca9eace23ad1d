//! 7z archives by their headers: names where they stand open, and whether they are locked.

use super::file::File;
use super::inflate::little_endian;
use super::names;
use crate::seen::{self, Notes};
use memchr::memmem;
use terms::Cursor;

/// The coder of AES-256 with SHA-256, as it stands in a header.
const AES: &[u8] = b"\x06\xF1\x07\x01";
const HEADER: u8 = 0x01;
const NAMES: u8 = 0x11;
/// Octets of an end header that are read.
const HEADER_BYTES: usize = 256 * 1024;

pub(crate) fn look_7z(file: &File<'_>, notes: &mut Notes) {
    let cursor = Cursor::new(&file.octets);
    let offset = little_endian(Some(cursor.slice(12, 20)));
    let size = little_endian(Some(cursor.slice(20, 28))).min(HEADER_BYTES);
    let start = offset.saturating_add(32);
    let header = cursor.slice(start, start.saturating_add(size));
    let encrypted = memmem::find(header, AES).is_some();
    let seen = if encrypted { seen::ARCHIVE_ENCRYPTED } else { seen::ARCHIVE_OPAQUE };
    notes.note(seen, file.name.as_str());
    if header.first() == Some(&HEADER) {
        open_names(header, notes);
    }
}

/// Names stand as UTF-16 with a zero each, behind their mark, a size, and a zero octet.
fn open_names(header: &[u8], notes: &mut Notes) {
    for at in memchr::memchr_iter(NAMES, header).take(64) {
        let mut cursor = Cursor::new(header);
        cursor.stand_at(at + 1);
        let first = cursor.next().unwrap_or(0);
        if first >= 0x80 {
            cursor.next();
        }
        if cursor.next() != Some(0) {
            continue;
        }
        let (units, _) = cursor.rest().as_chunks::<2>();
        let units: Vec<u16> =
            units.iter().take(32_768).map(|unit| u16::from_le_bytes(*unit)).collect();
        let looks_right = units.first().is_some_and(|unit| (0x20..0xD800).contains(unit));
        if !looks_right {
            continue;
        }
        for name in units.split(|unit| *unit == 0).take(1_000) {
            names::look(&String::from_utf16_lossy(name), notes);
        }
    }
}
