//! Files written into a text, as they were before there was MIME: uuencode, yEnc and BinHex. Each
//! decoder begins at its opening line, reads up to its closing one, and tells how far that was.

use terms::Cursor;

/// A file found in a text.
pub(crate) struct Inline {
    pub name: String,
    pub octets: Vec<u8>,
    /// Octets of the input up to behind the closing line.
    pub length: usize,
    /// There would have been more, but for the limit.
    pub cut: bool,
}

/// How every opening line begins. What a decoder makes of it is none if it is no opening line.
pub(crate) const UU_MARK: &[u8] = b"begin ";
pub(crate) const UU_BASE64_MARK: &[u8] = b"begin-base64 ";
pub(crate) const YENC_MARK: &[u8] = b"=ybegin ";
/// The version behind it is not held to: neither do readers.
pub(crate) const BINHEX_MARK: &[u8] = b"(This file must be converted with BinHex";

/// The first `begin 644 name` … `end` in `octets`, wherever it stands.
pub(crate) fn first_uuencoded(octets: &[u8]) -> Option<Inline> {
    let mut cursor = Cursor::new(octets);
    loop {
        let rest = cursor.rest();
        if let Some(file) = uuencoded(rest) {
            return Some(file);
        }
        cursor.line()?;
    }
}

/// `begin 644 name` … `end`. Another opening line ends it too: readers begin anew there.
pub(crate) fn uuencoded(octets: &[u8]) -> Option<Inline> {
    let mut cursor = Cursor::new(octets);
    let name = uu_name(cursor.line()?.strip_prefix(UU_MARK)?)?;
    let mut decoded = Vec::new();
    let mut ahead = cursor;
    while let Some(line) = ahead.line() {
        if line.strip_prefix(UU_MARK).and_then(uu_name).is_some() {
            break;
        }
        cursor = ahead;
        if line.trim_ascii_end() == b"end" {
            break;
        }
        uu_line(line, &mut decoded);
    }
    Some(Inline { name, octets: decoded, length: cursor.position(), cut: false })
}

/// The same in base64, as POSIX has it: `begin-base64 644 name` … `====`.
pub(crate) fn uuencoded_in_base64(octets: &[u8]) -> Option<Inline> {
    let mut cursor = Cursor::new(octets);
    let name = uu_name(cursor.line()?.strip_prefix(UU_BASE64_MARK)?)?;
    let rest = cursor.rest();
    let end = memchr::memmem::find(rest, b"====").unwrap_or(rest.len());
    let text = rest.get(..end).unwrap_or_default();
    let length = cursor.position() + end;
    Some(Inline { name, octets: crate::transfer::base64(text), length, cut: false })
}

fn uu_name(opening: &[u8]) -> Option<String> {
    let mut cursor = Cursor::new(opening);
    let mode = cursor.take_while(|byte| matches!(byte, b'0'..=b'7'));
    let whole = (3..=4).contains(&mode.len()) && cursor.eat(b' ');
    let name = cursor.rest().trim_ascii();
    (whole && !name.is_empty()).then(|| as_text(name))
}

fn uu_line(line: &[u8], decoded: &mut Vec<u8>) {
    let value = |byte: u8| byte.wrapping_sub(0x20) & 0x3F;
    let mut cursor = Cursor::new(line);
    let Some(count) = cursor.next() else { return };
    if !(0x20..=0x60).contains(&count) {
        return;
    }
    let wanted = usize::from(value(count));
    let end = decoded.len() + wanted;
    while decoded.len() < end && !cursor.is_at_end() {
        // Spaces at a line's end get lost on the way: what is absent counts as zero bits.
        let mut four = [0u8; 4];
        for place in &mut four {
            *place = cursor.next().map_or(0, value);
        }
        let [a, b, c, d] = four;
        for byte in [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d] {
            if decoded.len() < end {
                decoded.push(byte);
            }
        }
    }
}

/// `=ybegin line=… size=… name=…` … `=yend`. Sizes and sums are not held to: neither do readers.
pub(crate) fn yencoded(octets: &[u8]) -> Option<Inline> {
    let mut cursor = Cursor::new(octets);
    let opening = cursor.line()?.strip_prefix(YENC_MARK)?;
    // The name is the last, and goes to the line's end.
    let name = memchr::memmem::find(opening, b"name=").and_then(|at| opening.get(at + 5..));
    let name = as_text(name.unwrap_or_default().trim_ascii());
    let mut decoded = Vec::new();
    let mut ahead = cursor;
    while let Some(line) = ahead.line() {
        if line.starts_with(YENC_MARK) {
            break;
        }
        cursor = ahead;
        if line.starts_with(b"=yend") {
            break;
        }
        if !line.starts_with(b"=ypart ") {
            yenc_line(line, &mut decoded);
        }
    }
    Some(Inline { name, octets: decoded, length: cursor.position(), cut: false })
}

/// Each octet stands for itself plus 42; behind `=`, plus 64 more.
fn yenc_line(line: &[u8], decoded: &mut Vec<u8>) {
    let mut letters = line.iter().copied();
    while let Some(byte) = letters.next() {
        match byte {
            b'=' => {
                let Some(escaped) = letters.next() else { return };
                decoded.push(escaped.wrapping_sub(64 + 42));
            }
            plain => decoded.push(plain.wrapping_sub(42)),
        }
    }
}

const NOT_BINHEX: u8 = 0xFF;

const BINHEX_VALUES: [u8; 256] = crate::transfer::values(
    b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr",
    NOT_BINHEX,
);

/// What stands for "the octet before, so many times".
const BINHEX_RUN: u8 = 0x90;
/// Behind the name: version, type, creator, flags, two lengths, a sum (RFC 1741 appendix A).
const BINHEX_HEAD: usize = 1 + 4 + 4 + 2 + 4 + 4 + 2;

/// `(This file must be converted with BinHex 4.0)`, then `:` … `:`. Runs make more of what was
/// written: at most `limit` octets. What has no such header is given out as it is.
pub(crate) fn binhexed(octets: &[u8], limit: usize) -> Option<Inline> {
    let mut cursor = Cursor::new(octets);
    cursor.line()?.strip_prefix(BINHEX_MARK)?;
    let rest = cursor.rest();
    // At the beginning of a line, or a text that only speaks of BinHex would be a file.
    let begins = match rest.starts_with(b":") {
        true => 0,
        false => memchr::memmem::find(rest, b"\n:").map_or(rest.len(), |at| at + 1),
    };
    cursor.take(begins);
    cursor.eat(b':');
    let octets = binhex_octets(&mut cursor, limit);
    let cut = octets.len() >= limit;
    let length = cursor.position();
    let mut head = Cursor::new(&octets);
    let name = head.next().and_then(|length| head.take(usize::from(length)));
    let (name, sizes) = match (name, head.take(BINHEX_HEAD)) {
        (Some(name), Some(sizes)) => (as_text(name), Cursor::new(sizes)),
        _ => return Some(Inline { name: String::new(), octets, length, cut }),
    };
    let size = |at: usize| {
        let octets = sizes.slice(at, at + 4).iter();
        octets.fold(0, |size, byte| size << 8 | usize::from(*byte))
    };
    // Without a data fork, the other, behind a sum. What is shorter than it says is all there is.
    let mut fork = |size: usize| head.take(size).unwrap_or_else(|| head.rest());
    let mut data = fork(size(11));
    if data.is_empty() {
        fork(2);
        data = fork(size(15));
    }
    Some(Inline { name, octets: data.to_vec(), length, cut })
}

fn binhex_octets(cursor: &mut Cursor<'_>, limit: usize) -> Vec<u8> {
    let mut decoded = Vec::new();
    let (mut bits, mut held, mut in_run) = (0u32, 0, false);
    while let Some(byte) = cursor.next() {
        let Some(value) = binhex_value(byte) else {
            match byte {
                b'\r' | b'\n' | b' ' | b'\t' => continue,
                _ => break,
            }
        };
        bits = (bits << 6 | value) & 0xFFFF;
        held += 6;
        if held < 8 {
            continue;
        }
        held -= 8;
        let made = (bits >> held & 0xFF) as u8;
        match (in_run, made) {
            (false, BINHEX_RUN) => in_run = true,
            (false, made) => decoded.push(made),
            (true, count) => {
                in_run = false;
                unroll(count, &mut decoded);
            }
        }
        if decoded.len() >= limit {
            break;
        }
    }
    decoded
}

/// A count of zero is the mark itself; else it counts the octet that is already there.
fn unroll(count: u8, decoded: &mut Vec<u8>) {
    match (count, decoded.last().copied()) {
        (0, _) => decoded.push(BINHEX_RUN),
        (_, Some(last)) => {
            let more = usize::from(count) - 1;
            decoded.resize(decoded.len() + more, last);
        }
        (_, None) => {}
    }
}

fn binhex_value(byte: u8) -> Option<u32> {
    let value = BINHEX_VALUES.get(usize::from(byte)).copied()?;
    (value != NOT_BINHEX).then(|| u32::from(value))
}

fn as_text(name: &[u8]) -> String {
    crate::charset::decode_charset(None, name).text
}
