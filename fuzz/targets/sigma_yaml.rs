//! The part of YAML that rules are written in, and conditions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sigma::condition::Condition;
use sigma::yaml;

const NAMES: &[&str] = &["selection", "filter_main", "filter_other", "_hidden"];

fuzz_target!(|text: &str| {
    let _ = yaml::read(text);
    let _ = Condition::read(text, NAMES);
});
