//! A registry's list: what is taken is packed and found again.
#![no_main]

use countries::{Table, counted, find};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut table = Table::default();
    let _ = table.read(text);
    let packed = table.packed();
    assert!(counted(&packed).is_some());
    let _ = find(&packed, [192, 0, 2, 1].into());
    let _ = (counted(text.as_bytes()), find(text.as_bytes(), [192, 0, 2, 1].into()));
});
