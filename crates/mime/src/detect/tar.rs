//! Tape archives (POSIX ustar): names and contents, as far as the budget goes.

use super::file::{File, Files};
use super::names;
use crate::seen;
use terms::Cursor;

const BLOCK: usize = 512;

pub(crate) fn look(file: &File<'_>, files: &mut Files<'_>) {
    let mut cursor = Cursor::new(&file.octets);
    let mut full = false;
    while let Some(header) = cursor.take(BLOCK) {
        let header = Cursor::new(header);
        if header.slice(257, 262) != b"ustar" {
            break;
        }
        let name = text(header.slice(0, 100));
        let size = octal(header.slice(124, 136));
        let kind = header.slice(156, 157);
        let octets = cursor.slice(cursor.position(), cursor.position().saturating_add(size));
        let padded = size.div_ceil(BLOCK).saturating_mul(BLOCK);
        cursor.stand_at(cursor.position().saturating_add(padded));
        if !matches!(kind, b"0" | b"\0" | b"7") {
            continue;
        }
        if full {
            names::look(&name, files.notes);
            continue;
        }
        // What is copied out counts as inflated: a list of names must not multiply memory.
        let Some(left) = files.inflate_left.checked_sub(octets.len()) else {
            files.notes.note(seen::UNEXAMINED, name);
            return;
        };
        files.inflate_left = left;
        let (declared, octets) = (String::new(), octets.to_vec().into());
        full = !files.add(File { name: name.clone(), declared, octets, depth: file.depth + 1 });
        if full {
            names::look(&name, files.notes);
        }
    }
}

fn text(field: &[u8]) -> String {
    let name = field.split(|byte| *byte == 0).next().unwrap_or_default();
    crate::decode_charset(None, name).text
}

fn octal(field: &[u8]) -> usize {
    let digits = field.iter().filter(|byte| matches!(byte, b'0'..=b'7')).take(12);
    digits.fold(0, |value: usize, digit| value << 3 | usize::from(digit - b'0'))
}
