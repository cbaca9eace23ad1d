//! What is suspicious in a message: archives, types, links.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mime::detect::{Budget, examine};

fuzz_target!(|octets: &[u8]| {
    examine(octets, &Budget::default());
});
