//! The two test marks of the trade, found anywhere.

use crate::seen::{self, Notes};
use memchr::memmem;

/// In two pieces, so that this program is not taken for what it finds.
const EICAR_HEAD: &[u8] = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}";
const EICAR_TAIL: &[u8] = b"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*";
const GTUBE_HEAD: &[u8] = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*";
const GTUBE_TAIL: &[u8] = b"GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";

pub(crate) fn look(octets: &[u8], name: &str, notes: &mut Notes) {
    if holds(octets, EICAR_HEAD, EICAR_TAIL) {
        notes.note(seen::EICAR, name);
    }
    if holds(octets, GTUBE_HEAD, GTUBE_TAIL) {
        notes.note(seen::GTUBE, name);
    }
}

fn holds(octets: &[u8], head: &[u8], tail: &[u8]) -> bool {
    memmem::find_iter(octets, tail)
        .any(|found| octets.get(..found).is_some_and(|before| before.ends_with(head)))
}
