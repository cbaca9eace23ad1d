//! Records of SPF and DMARC.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let _ = mailauth::spf::parse(octets);
    if let Some(record) = mailauth::dmarc::parse(octets) {
        let _ = record.enforceable();
    }
});
