//! Strings as IMAP writes them (RFC 3501 §4.3): quoted where that is allowed, else literals.

/// Octets of one string in a structure: what a client shows; longer is cut.
pub(crate) const STRING_BYTES: usize = 8 * 1024;

/// `NIL` or a string.
pub(crate) fn nstring(value: Option<&[u8]>, into: &mut Vec<u8>) {
    match value {
        Some(value) => string(value, into),
        None => into.extend_from_slice(b"NIL"),
    }
}

/// Quoted if the octets allow it; a literal if one is above ASCII, a control, or it is long.
pub(crate) fn string(value: &[u8], into: &mut Vec<u8>) {
    let value = value.get(..STRING_BYTES).unwrap_or(value);
    let quotable = value.len() <= 1_000 && value.iter().all(|byte| matches!(byte, 0x20..=0x7E));
    if quotable {
        into.push(b'"');
        for byte in value {
            if matches!(byte, b'"' | b'\\') {
                into.push(b'\\');
            }
            into.push(*byte);
        }
        into.push(b'"');
        return;
    }
    // A literal carries every octet but NUL (RFC 3501 §9, CHAR8).
    let octets: Vec<u8> = value.iter().copied().filter(|byte| *byte != 0).collect();
    into.extend_from_slice(format!("{{{}}}\r\n", octets.len()).as_bytes());
    into.extend_from_slice(&octets);
}
