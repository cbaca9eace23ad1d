//! PDF documents that act when they are opened. Tokens are looked for in the open text, behind
//! `#xx` escapes, and in packed object streams.

use super::file::{File, Files};
use crate::seen::{self, Notes};
use crate::transfer::hex_pair;
use memchr::memmem;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use terms::Cursor;

/// Packed streams that are opened, and what each may make: object streams are small.
const STREAMS: usize = 200;
const STREAM_BYTES: usize = 256 * 1024;
/// Packed octets of one stream that are read.
const PACKED_BYTES: usize = 512 * 1024;
const ALL_STREAMS_BYTES: usize = 8 * 1024 * 1024;

pub(crate) fn look(file: &File<'_>, files: &mut Files<'_>) {
    let octets = file.octets.as_ref();
    tokens(octets, &file.name, files.notes);
    let mut left = ALL_STREAMS_BYTES.min(files.inflate_left);
    for at in memmem::find_iter(octets, b"/ObjStm").take(STREAMS) {
        let mut cursor = Cursor::new(octets);
        cursor.stand_at(at);
        let Some(start) = memmem::find(cursor.slice(at, at + 1_024), b"stream") else {
            continue;
        };
        cursor.stand_at(at + start + 6);
        cursor.eat(b'\r');
        cursor.eat(b'\n');
        let limit = left.min(STREAM_BYTES);
        let packed = cursor.slice(cursor.position(), cursor.position() + PACKED_BYTES);
        let inside = match decompress_to_vec_zlib_with_limit(packed, limit) {
            Ok(inside) => inside,
            Err(fault) => fault.output,
        };
        left = left.saturating_sub(inside.len());
        files.inflate_left = files.inflate_left.saturating_sub(inside.len());
        tokens(&inside, &file.name, files.notes);
        if left == 0 {
            break;
        }
    }
}

fn tokens(octets: &[u8], name: &str, notes: &mut Notes) {
    let mut opens = false;
    let mut script = false;
    for at in memchr::memchr_iter(b'/', octets) {
        let mut cursor = Cursor::new(octets);
        cursor.stand_at(at + 1);
        // Only names that begin like one of ours, or with an escape, are read further.
        if !matches!(cursor.peek(), Some(b'J' | b'O' | b'A' | b'L' | b'E' | b'#' | b'X' | b'R')) {
            continue;
        }
        match token(&mut cursor).as_slice() {
            b"JavaScript" | b"JS" => script = true,
            b"OpenAction" | b"AA" => opens = true,
            b"Launch" => notes.note(seen::PDF_LAUNCH, name),
            b"EmbeddedFile" => notes.note(seen::PDF_FILE, name),
            b"Encrypt" => notes.note(seen::PDF_ENCRYPTED, name),
            b"RichMedia" | b"XFA" => notes.note(seen::PDF_ACTIVE, name),
            _ => {}
        }
    }
    if script {
        notes.note(if opens { seen::PDF_OPENS } else { seen::PDF_SCRIPT }, name);
    }
}

/// A name of at most 16 octets with its escapes taken off.
fn token(cursor: &mut Cursor<'_>) -> Vec<u8> {
    let mut name = Vec::new();
    while name.len() < 16 {
        match (cursor.peek(), cursor.peek_at(1), cursor.peek_at(2)) {
            (Some(b'#'), Some(high), Some(low)) => {
                let Some(byte) = hex_pair(high, low) else {
                    break;
                };
                name.push(byte);
                cursor.take(3);
            }
            (Some(byte), ..) if byte.is_ascii_alphanumeric() => {
                name.push(byte);
                cursor.next();
            }
            _ => break,
        }
    }
    name
}
