//! Modified UTF-7, the coding of folder names on the wire. RFC 3501 §5.1.3.

use terms::Cursor;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// Wire octets to a name. Raw UTF-8 is taken as it is, because clients send it. `None` when the
/// coding is broken or not in its one canonical form (two spellings of a name would be two doors).
pub fn decode_utf7(octets: &[u8]) -> Option<String> {
    if !octets.is_ascii() {
        return std::str::from_utf8(octets).ok().map(str::to_owned);
    }
    let mut name = String::with_capacity(octets.len());
    let mut cursor = Cursor::new(octets);
    let mut after_shift = false;
    while let Some(octet) = cursor.next() {
        if octet != b'&' {
            name.push(char::from(octet));
            after_shift = false;
            continue;
        }
        let coded = cursor.take_while(|octet| octet != b'-');
        if !cursor.eat(b'-') {
            return None;
        }
        if coded.is_empty() {
            name.push('&');
            after_shift = false;
            continue;
        }
        if after_shift {
            return None; // "&..-&..-" must be one shift
        }
        decode_shift(coded, &mut name)?;
        after_shift = true;
    }
    Some(name)
}

fn decode_shift(coded: &[u8], name: &mut String) -> Option<()> {
    let (mut bits, mut held) = (0u32, 0u32);
    let mut units = Vec::with_capacity(coded.len() / 2);
    for octet in coded {
        let value = ALPHABET.iter().position(|letter| letter == octet)?;
        bits = (bits << 6) | u32::try_from(value).ok()?;
        held += 6;
        if held >= 16 {
            held -= 16;
            units.push(u16::try_from((bits >> held) & 0xffff).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    if bits != 0 || held >= 6 {
        return None;
    }
    for found in char::decode_utf16(units) {
        let found = found.ok()?;
        if (' '..='~').contains(&found) {
            return None; // printable ASCII stands for itself
        }
        name.push(found);
    }
    Some(())
}

/// A name to wire octets, always plain ASCII.
pub fn encode_utf7(name: &str, out: &mut Vec<u8>) {
    let (mut bits, mut held, mut shifted) = (0u32, 0u32, false);
    for letter in name.chars() {
        if (' '..='~').contains(&letter) {
            unshift(out, &mut bits, &mut held, &mut shifted);
            out.push(u8::try_from(letter).unwrap_or(b'?'));
            if letter == '&' {
                out.push(b'-');
            }
            continue;
        }
        if !shifted {
            out.push(b'&');
            shifted = true;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            bits = (bits << 16) | u32::from(*unit);
            held += 16;
            while held >= 6 {
                held -= 6;
                out.push(sextet(bits >> held));
                bits &= (1 << held) - 1;
            }
        }
    }
    unshift(out, &mut bits, &mut held, &mut shifted);
}

fn unshift(out: &mut Vec<u8>, bits: &mut u32, held: &mut u32, shifted: &mut bool) {
    if *shifted {
        if *held > 0 {
            out.push(sextet(*bits << (6 - *held)));
        }
        out.push(b'-');
    }
    (*bits, *held, *shifted) = (0, 0, false);
}

fn sextet(bits: u32) -> u8 {
    ALPHABET.get((bits & 63) as usize).copied().unwrap_or(b'A')
}
