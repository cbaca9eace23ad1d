//! A notice that came back: no panic, nothing beyond its bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    if let Some(bounce) = notice::read(octets) {
        assert!(bounce.victims.len() <= 1_000);
        assert!(bounce.victims.iter().all(|victim| victim.said.chars().count() <= 600));
    }
});
