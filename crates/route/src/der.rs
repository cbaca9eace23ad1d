//! As much of X.509 as DANE needs: where the public key stands in a certificate.

use terms::Cursor;

/// The SubjectPublicKeyInfo of a DER certificate, with its own tag and length.
pub fn public_key_info(certificate: &[u8]) -> Option<&[u8]> {
    let (body, _) = element(certificate, 0x30)?;
    let (tbs, _) = element(body, 0x30)?;
    // version [0] EXPLICIT OPTIONAL, serialNumber, signature, issuer, validity, subject, then it.
    let mut rest = tbs;
    if rest.first() == Some(&0xa0) {
        rest = element(rest, 0xa0)?.1;
    }
    for tag in [0x02, 0x30, 0x30, 0x30, 0x30] {
        rest = element(rest, tag)?.1;
    }
    let (_, behind) = element(rest, 0x30)?;
    rest.get(..rest.len().checked_sub(behind.len())?)
}

/// The contents of an element with this tag, and what stands behind it.
fn element(octets: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let mut cursor = Cursor::new(octets);
    if cursor.next()? != tag {
        return None;
    }
    let first = cursor.next()?;
    let length = match first {
        0..=0x7f => usize::from(first),
        0x81..=0x83 => {
            let digits = cursor.take(usize::from(first & 0x7f))?;
            digits.iter().fold(0usize, |sum, digit| sum << 8 | usize::from(*digit))
        }
        _ => return None,
    };
    let contents = cursor.take(length)?;
    Some((contents, cursor.rest()))
}
