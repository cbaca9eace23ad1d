//! Entries of the ledger: what is read is written again octet for octet, and its line is JSON.
#![no_main]

use evidence::{Entry, Frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    if let Some(entry) = Entry::decode(octets) {
        assert_eq!(entry.encode().as_deref(), Some(octets));
        let line = entry.to_json(0);
        assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{line}");
    }
    let _ = Frame::parse(octets);
    if let Ok(text) = std::str::from_utf8(octets) {
        let _ = evidence::parse_rfc3339(text);
    }
});
