//! Records of the log file, and the paths of its tiles.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let _ = tlog::read_record(octets);
    let _ = tlog::SignedCheckpoint::parse(octets);
    if let Ok(text) = std::str::from_utf8(octets) {
        let _ = tlog::TileAddress::parse(text);
    }
});
