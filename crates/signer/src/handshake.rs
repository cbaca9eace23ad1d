//! What TLS wants signed, told from everything else. A digest, a mail, a statement never fits.

use terms::Cursor;

/// RFC 8446 §4.4.3: 64 spaces, the context, one zero octet, the transcript's hash.
const PAD: usize = 64;
const CONTEXT: &[u8] = b"TLS 1.3, server CertificateVerify";
/// Hashes of the suites of TLS 1.3: SHA-256 and SHA-384.
const HASHES: [usize; 2] = [32, 48];
/// RFC 5246 §7.4.3: both randoms stand before the parameters.
const RANDOMS: usize = 64;
/// RFC 8422 §5.4: ECCurveType named_curve.
const NAMED_CURVE: u8 = 3;
/// RFC 8422 §5.1.1: curve, octets of a point; uncompressed points begin with 4.
const CURVES: [(u16, usize, bool); 3] =
    [(0x0017, 65, true), (0x0018, 97, true), (0x001d, 32, false)];

/// Whether `message` is exactly what a server signs in a handshake of TLS 1.3 or 1.2.
pub(crate) fn is_handshake(message: &[u8]) -> bool {
    is_certificate_verify(message) || is_key_exchange(message)
}

fn is_certificate_verify(message: &[u8]) -> bool {
    let mut cursor = Cursor::new(message);
    let padded = cursor.take(PAD).is_some_and(|pad| pad.iter().all(|byte| *byte == b' '));
    let named = cursor.take(CONTEXT.len()) == Some(CONTEXT) && cursor.eat(0);
    padded && named && HASHES.contains(&cursor.rest().len())
}

fn is_key_exchange(message: &[u8]) -> bool {
    let mut cursor = Cursor::new(message);
    let Some(_randoms) = cursor.take(RANDOMS) else { return false };
    if !cursor.eat(NAMED_CURVE) {
        return false;
    }
    let Some([high, low]) = cursor.take(2) else { return false };
    let curve = u16::from_be_bytes([*high, *low]);
    let length = cursor.next().map(usize::from);
    let point = cursor.rest();
    CURVES.iter().any(|(known, octets, uncompressed)| {
        curve == *known
            && length == Some(*octets)
            && point.len() == *octets
            && (!uncompressed || point.first() == Some(&4))
    })
}
