//! An address: what is read is written again and read the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp::Address;

fuzz_target!(|text: &str| {
    if let Some(address) = Address::parse(text) {
        assert!(Address::parse(&address.written()).as_ref() == Some(&address));
        let _ = (address.split_tag(), address.folded());
    }
});
