//! Wrapped keys, releases, public keys.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealed::{PublicKey, Released, Wrapped};

fuzz_target!(|octets: &[u8]| {
    if let Ok(wrapped) = Wrapped::parse(octets) {
        assert_eq!(wrapped.encode(), octets);
    }
    if let Ok(released) = Released::parse(octets) {
        assert_eq!(released.encode(), octets);
    }
    let _ = PublicKey::parse(octets);
});
