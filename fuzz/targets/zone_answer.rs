//! Questions to the demo's DNS, and its table.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use zone::Zones;

const TABLE: &str = "[names.\"www.sender.example\"]\nA = [\"192.0.2.1\"]\n";

fuzz_target!(|octets: &[u8]| {
    static ZONES: OnceLock<Option<Zones>> = OnceLock::new();
    if let Some(zones) = ZONES.get_or_init(|| Zones::parse(TABLE).ok())
        && let Some(reply) = zone::answer(octets, zones, true)
    {
        assert!(reply.len() <= 1_232);
    }
    if let Ok(text) = std::str::from_utf8(octets) {
        let _ = Zones::parse(text);
    }
});
