//! Transfer encodings: quoted-printable, base64 and uuencode, tolerant of rubbish as readers are.

use crate::inline;
use base64_simd::STANDARD_NO_PAD;
use std::borrow::Cow;
use terms::Cursor;

/// How a body is wrapped for its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// 7bit, 8bit, binary, or nothing said.
    Identity,
    QuotedPrintable,
    Base64,
    Uuencode,
    Unknown,
}

impl Encoding {
    /// Reads a Content-Transfer-Encoding value; comments and rubbish around the word are skipped.
    pub fn named(value: &[u8]) -> Self {
        let mut cursor = Cursor::new(value);
        crate::parameter::skip_blank(&mut cursor);
        // RFC 2045 §6.1 knows no quotes here; some readers take them off.
        cursor.eat(b'"');
        let word = cursor.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        match word.to_ascii_lowercase().as_slice() {
            b"" | b"7bit" | b"8bit" | b"binary" | b"7-bit" | b"8-bit" => Self::Identity,
            b"quoted-printable" => Self::QuotedPrintable,
            b"base64" => Self::Base64,
            b"uuencode" | b"x-uuencode" | b"x-uue" | b"uue" => Self::Uuencode,
            _ => Self::Unknown,
        }
    }
}

/// Takes a transfer encoding off. The result is never longer than the input.
pub fn decode_transfer(encoding: Encoding, octets: &[u8]) -> Cow<'_, [u8]> {
    match encoding {
        Encoding::Identity | Encoding::Unknown => Cow::Borrowed(octets),
        Encoding::QuotedPrintable => Cow::Owned(quoted_printable(octets)),
        Encoding::Base64 => Cow::Owned(base64(octets)),
        Encoding::Uuencode => Cow::Owned(match inline::first_uuencoded(octets) {
            Some(file) => file.octets,
            None => octets.to_vec(),
        }),
    }
}

/// RFC 2045 §6.7. A `=` that starts nothing stays (its rule 1's robustness note).
pub(crate) fn quoted_printable(octets: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(octets.len());
    let mut cursor = Cursor::new(octets);
    while !cursor.is_at_end() {
        let plain = match memchr::memchr(b'=', cursor.rest()) {
            Some(length) => cursor.take(length),
            None => cursor.take(cursor.rest().len()),
        };
        decoded.extend_from_slice(plain.unwrap_or_default());
        if !cursor.eat(b'=') {
            break;
        }
        let pair = (cursor.peek(), cursor.peek_at(1));
        if let (Some(high), Some(low)) = pair
            && let Some(byte) = hex_pair(high, low)
        {
            decoded.push(byte);
            cursor.take(2);
            continue;
        }
        if !eat_soft_break(&mut cursor) {
            decoded.push(b'=');
        }
    }
    decoded
}

/// The rest of a line of white space behind `=`.
fn eat_soft_break(cursor: &mut Cursor<'_>) -> bool {
    let mut ahead = *cursor;
    ahead.take_while(|byte| matches!(byte, b' ' | b'\t'));
    ahead.eat(b'\r');
    let is_break = ahead.eat(b'\n') || ahead.is_at_end();
    if is_break {
        *cursor = ahead;
    }
    is_break
}

pub(crate) fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

const NOT_BASE64: u8 = 0xFF;
const BASE64_PAD: u8 = 0xFE;

/// What each octet means where 64 letters stand for six bits each. Runs only when compiled.
#[allow(clippy::indexing_slicing)]
pub(crate) const fn values(alphabet: &[u8; 64], other: u8) -> [u8; 256] {
    let mut values = [other; 256];
    let mut index = 0;
    while index < 64 {
        values[alphabet[index] as usize] = index as u8;
        index += 1;
    }
    values
}

/// What each octet means: its six bits, padding, or rubbish. Indexed only when compiled.
#[allow(clippy::indexing_slicing)]
const BASE64_VALUES: [u8; 256] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = values(alphabet, NOT_BASE64);
    values[b'=' as usize] = BASE64_PAD;
    values
};

const NO_LETTER: u32 = 1 << 24;

/// The same for each place of a group, moved to where its six bits stand among 24.
#[allow(clippy::indexing_slicing)]
static BASE64_PLACES: [[u32; 256]; 4] = {
    let mut places = [[NO_LETTER; 256]; 4];
    let mut byte = 0;
    while byte < 256 {
        let value = BASE64_VALUES[byte];
        let mut place = 0;
        while place < 4 && value < 64 {
            places[place][byte] = (value as u32) << (18 - 6 * place);
            place += 1;
        }
        byte += 1;
    }
    places
};

fn base64_value(byte: u8) -> u8 {
    BASE64_VALUES.get(usize::from(byte)).copied().unwrap_or(NOT_BASE64)
}

/// RFC 2045 §6.8: what is not of the alphabet is skipped. Padding in the middle ends one piece
/// and another begins, because some readers go on there and a virus could stand behind it.
pub(crate) fn base64(octets: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(octets.len() / 4 * 3 + 3);
    let mut bits = 0u32;
    let mut held = 0u32;
    let mut chunks = Cursor::new(octets);
    let mut begins_line = true;
    while !chunks.is_at_end() {
        if held == 0 {
            // Only there: each octet is tried so once.
            if begins_line {
                base64_lines(&mut chunks, &mut decoded);
            }
            base64_whole(&mut chunks, &mut decoded);
        }
        let Some(byte) = chunks.next() else { break };
        begins_line = byte == b'\n';
        match base64_value(byte) {
            NOT_BASE64 => {}
            BASE64_PAD => {
                base64_tail(bits, held, &mut decoded);
                (bits, held) = (0, 0);
            }
            value => {
                bits = bits << 6 | u32::from(value);
                held += 1;
                if held == 4 {
                    decoded.extend_from_slice(bits.to_be_bytes().get(1..).unwrap_or_default());
                    (bits, held) = (0, 0);
                }
            }
        }
    }
    base64_tail(bits, held, &mut decoded);
    decoded
}

/// The same as read by those who skip padding, if that is something else: where padding stands
/// that no end of a piece has.
pub(crate) fn base64_unpadded(octets: &[u8]) -> Option<Vec<u8>> {
    let first = memchr::memchr(b'=', octets)?;
    let behind = octets.get(first..).unwrap_or_default();
    if !behind.iter().any(|byte| base64_value(*byte) < 64) {
        return None;
    }
    let (mut held, mut pads, mut odd) = (0usize, 0usize, false);
    for byte in octets.iter().copied() {
        match base64_value(byte) {
            NOT_BASE64 => {}
            BASE64_PAD => pads += 1,
            _ => {
                odd |= pads > 0 && (held + pads) % 4 != 0;
                held = if pads > 0 { 1 } else { (held + 1) % 4 };
                pads = 0;
                if odd {
                    break;
                }
            }
        }
    }
    let letters = |byte: &u8| *byte != b'=';
    let rest = behind.iter().copied().filter(letters);
    let plain = octets.get(..first).unwrap_or_default().iter().copied();
    odd.then(|| base64(&plain.chain(rest).collect::<Vec<u8>>()))
}

/// Lines of whole groups, each as long as the first: nearly all of nearly every body. They are
/// decoded by vector instructions where the machine has them, and only if nothing in a line is odd.
fn base64_lines(cursor: &mut Cursor<'_>, decoded: &mut Vec<u8>) {
    let rest = cursor.rest();
    let Some(end) = memchr::memchr(b'\n', rest) else { return };
    let first = rest.get(..end).unwrap_or_default();
    let letters = first.strip_suffix(b"\r").map_or(end, <[u8]>::len);
    if letters == 0 || letters % 4 != 0 {
        return;
    }
    let mut taken = 0;
    for line in rest.chunks_exact(end + 1) {
        let (groups, line_end) = line.split_at_checked(letters).unwrap_or_default();
        // An end elsewhere is no letter: it fails as rubbish does, and nothing is appended.
        let is_line = matches!(line_end, b"\r\n" | b"\n");
        if !is_line || STANDARD_NO_PAD.decode_append(groups, decoded).is_err() {
            break;
        }
        taken += line.len();
    }
    cursor.take(taken);
}

/// Whole groups of four without rubbish, behind odd ones.
fn base64_whole(cursor: &mut Cursor<'_>, decoded: &mut Vec<u8>) {
    // A line of 76 is two runs and three groups.
    let (runs, _) = cursor.rest().as_chunks::<32>();
    let mut taken = 0;
    for run in runs {
        let mut made = [0u8; 24];
        let mut wrong = 0;
        let (groups, _) = run.as_chunks::<4>();
        let (threes, _) = made.as_chunks_mut::<3>();
        for (three, group) in threes.iter_mut().zip(groups) {
            let [odd, octets @ ..] = base64_group(group);
            *three = octets;
            wrong |= odd;
        }
        if wrong != 0 {
            break;
        }
        decoded.extend_from_slice(&made);
        taken += run.len();
    }
    cursor.take(taken);
    let (groups, _) = cursor.rest().as_chunks::<4>();
    let mut taken = 0;
    for group in groups {
        let [odd, octets @ ..] = base64_group(group);
        if odd != 0 {
            break;
        }
        decoded.extend_from_slice(&octets);
        taken += group.len();
    }
    cursor.take(taken);
}

/// Three octets of four letters, behind an octet that is zero if all four are of the alphabet.
fn base64_group(group: &[u8; 4]) -> [u8; 4] {
    let six =
        |table: &[u32; 256], byte: u8| table.get(usize::from(byte)).copied().unwrap_or(NO_LETTER);
    let [first, second, third, fourth] = &BASE64_PLACES;
    let [a, b, c, d] = *group;
    (six(first, a) | six(second, b) | six(third, c) | six(fourth, d)).to_be_bytes()
}

fn base64_tail(bits: u32, held: u32, decoded: &mut Vec<u8>) {
    match held {
        2 => decoded.push((bits >> 4 & 0xFF) as u8),
        3 => decoded.extend_from_slice(&[(bits >> 10 & 0xFF) as u8, (bits >> 2 & 0xFF) as u8]),
        _ => {}
    }
}
