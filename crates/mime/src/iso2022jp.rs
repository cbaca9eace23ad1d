//! ISO-2022-JP and its vendor forms, by translation to EUC-JP, which has a table.
//!
//! More is understood than RFC 1468 allows: half-width kana behind ESC ( I, behind SO, and as
//! raw octets; JIS X 0212 behind ESC $ ( D; JIS X 0213 plane 1 as far as it equals JIS X 0208.

use encoding_rs::EUC_JP;
use terms::Cursor;

const ESC: u8 = 0x1B;
const SHIFT_OUT: u8 = 0x0E;
const SHIFT_IN: u8 = 0x0F;
/// The geta mark 〓 in EUC-JP: Japanese printing's sign for a character one does not have.
const GETA: [u8; 2] = [0xA2, 0xAE];

#[derive(Clone, Copy, PartialEq)]
enum Set {
    Ascii,
    Kana,
    X0208,
    X0212,
    /// Two-octet sets without a table here.
    Foreign,
}

/// Has the octets an escape sequence that begins two-octet text or half-width kana?
pub(crate) fn has_escapes(octets: &[u8]) -> bool {
    let mut cursor = Cursor::new(octets);
    while let Some(found) = memchr::memchr(ESC, cursor.rest()) {
        cursor.take(found + 1);
        let rest = cursor.rest();
        let starts = [&b"$B"[..], b"$@", b"$(", b"(I", b"(J"];
        if starts.iter().any(|start| rest.starts_with(start)) {
            return true;
        }
    }
    false
}

pub(crate) fn decode(octets: &[u8]) -> String {
    let euc = to_euc(octets);
    EUC_JP.decode_without_bom_handling(&euc).0.into_owned()
}

fn to_euc(octets: &[u8]) -> Vec<u8> {
    let mut euc = Vec::with_capacity(octets.len());
    let mut cursor = Cursor::new(octets);
    let mut set = Set::Ascii;
    let mut shifted = false;
    while let Some(byte) = cursor.next() {
        match byte {
            ESC => set = designated(&mut cursor).unwrap_or(set),
            SHIFT_OUT => shifted = true,
            SHIFT_IN => shifted = false,
            // RFC 1468: a line ends in ASCII. Whoever forgot the escape meant so too.
            b'\n' | b'\r' => {
                (set, shifted) = (Set::Ascii, false);
                euc.push(byte);
            }
            0xA1..=0xDF => euc.extend_from_slice(&[0x8E, byte]),
            0x80..=0xFF => euc.extend_from_slice(&GETA),
            0x00..=0x20 | 0x7F => euc.push(byte),
            0x21..=0x7E if shifted || set == Set::Kana => kana(byte, &mut euc),
            0x21..=0x7E => match set {
                Set::Ascii | Set::Kana => euc.push(byte),
                _ => pair(set, byte, &mut cursor, &mut euc),
            },
        }
    }
    euc
}

fn kana(byte: u8, euc: &mut Vec<u8>) {
    if byte <= 0x5F {
        euc.extend_from_slice(&[0x8E, byte | 0x80]);
    } else {
        euc.push(b'?');
    }
}

fn pair(set: Set, lead: u8, cursor: &mut Cursor<'_>, euc: &mut Vec<u8>) {
    let Some(trail @ 0x21..=0x7E) = cursor.peek() else {
        euc.extend_from_slice(&GETA);
        return;
    };
    cursor.next();
    match set {
        Set::X0208 => euc.extend_from_slice(&[lead | 0x80, trail | 0x80]),
        Set::X0212 => euc.extend_from_slice(&[0x8F, lead | 0x80, trail | 0x80]),
        _ => euc.extend_from_slice(&GETA),
    }
}

/// Reads an escape sequence from behind ESC. `None`: none that we know.
fn designated(cursor: &mut Cursor<'_>) -> Option<Set> {
    const SEQUENCES: [(&[u8], Set); 14] = [
        (b"$(D", Set::X0212),
        (b"$(@", Set::X0208),
        (b"$(B", Set::X0208),
        (b"$(O", Set::X0208),
        (b"$(Q", Set::X0208),
        (b"$(P", Set::Foreign),
        (b"$(C", Set::Foreign),
        (b"$A", Set::Foreign),
        (b"$@", Set::X0208),
        (b"$B", Set::X0208),
        (b"(B", Set::Ascii),
        (b"(J", Set::Ascii),
        (b"(H", Set::Ascii),
        (b"(I", Set::Kana),
    ];
    let (sequence, set) =
        SEQUENCES.iter().find(|(sequence, _)| cursor.rest().starts_with(sequence))?;
    cursor.take(sequence.len());
    Some(*set)
}
