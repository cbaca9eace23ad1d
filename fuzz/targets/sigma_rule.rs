//! A rule, and under a line of `===` an event: the quick way finds what the slow way finds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sigma::{Event, Rule, RuleSet};

fuzz_target!(|text: &str| {
    let (rule, fields) = text.split_once("\n===\n").unwrap_or((text, ""));
    let Ok(rule) = Rule::parse(rule) else { return };
    let mut event = Event::new(rule.source.clone());
    for line in fields.lines() {
        let (name, value) = line.split_once('=').unwrap_or(("", line));
        event = event.with(name, value);
    }
    let rules = RuleSet::new(vec![rule]);
    assert_eq!(rules.weigh(&event).len(), rules.weigh_slowly(&event).len());
});
