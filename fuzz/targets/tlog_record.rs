//! Records of the log file, as they lie there and with a sum that is right; paths of tiles.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tlog::{Found, Sort, read_record, write_record};

fuzz_target!(|octets: &[u8]| {
    let _ = read_record(octets);
    let mut written = Vec::new();
    if write_record(Sort::Entry, octets, &mut written) {
        let found = read_record(&written);
        assert!(matches!(found, Found::Record { payload, .. } if payload == octets));
    }
    let _ = tlog::SignedCheckpoint::parse(octets);
    if let Ok(text) = std::str::from_utf8(octets) {
        let _ = tlog::TileAddress::parse(text);
    }
});
