//! Entries of the ledger: what is read is written again octet for octet.
#![no_main]

use evidence::{Entry, Frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    if let Some(entry) = Entry::decode(octets) {
        assert_eq!(entry.encode().as_deref(), Some(octets));
    }
    let _ = Frame::parse(octets);
    if let Ok(text) = std::str::from_utf8(octets) {
        let _ = evidence::parse_rfc3339(text);
    }
});
