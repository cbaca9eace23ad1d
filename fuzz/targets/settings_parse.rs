//! The start-up file.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = settings::Settings::parse(text);
});
