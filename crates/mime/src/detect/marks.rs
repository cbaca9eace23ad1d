//! The two test marks of the trade, found anywhere.

use crate::seen::{self, Notes};
use memchr::memmem;

/// In pieces, so that this program is not taken for what it finds. Both have the middle piece: one
/// search finds them.
const MIDDLE: &[u8] = b"-STANDARD-ANTI";
const EICAR: (&[u8], &[u8], &[u8]) =
    (b"X5O!P%@AP[4\\PZX54(P^)7CC)7}", b"$EICAR", b"VIRUS-TEST-FILE!$H+H*");
const GTUBE: (&[u8], &[u8], &[u8]) =
    (b"XJS*C4JDBQADN1.NSBN3*2IDNEN*", b"GTUBE", b"-UBE-TEST-EMAIL*C.34X");

pub(crate) fn look(octets: &[u8], name: &str, notes: &mut Notes) {
    for found in memmem::find_iter(octets, MIDDLE) {
        let before = octets.get(..found).unwrap_or_default();
        let after = octets.get(found + MIDDLE.len()..).unwrap_or_default();
        let is = |(head, word, tail): (&[u8], &[u8], &[u8])| {
            after.starts_with(tail)
                && before.strip_suffix(word).is_some_and(|before| before.ends_with(head))
        };
        if is(EICAR) {
            notes.note(seen::EICAR, name);
        }
        if is(GTUBE) {
            notes.note(seen::GTUBE, name);
        }
    }
}
