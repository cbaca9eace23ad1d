//! How many arrivals were judged how, since our start: for whoever watches the house.

use std::collections::BTreeMap;
use terms::Verdict;
use wire::metrics::{Count, Measure};

#[derive(Default)]
pub struct Judged(BTreeMap<&'static str, u64>);

impl Judged {
    pub fn add(&mut self, verdicts: &[Verdict]) {
        for verdict in verdicts {
            *self.0.entry(verdict.word()).or_default() += 1;
        }
    }

    pub fn counts(&self) -> Vec<Count> {
        let count = |word: &&'static str| {
            Measure::Messages.count(word, self.0.get(word).copied().unwrap_or(0))
        };
        Measure::Messages.values().iter().filter_map(count).collect()
    }
}
